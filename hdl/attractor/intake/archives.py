"""Zip archives: sizes, names and kinds of compression are checked before anything is unpacked."""

from __future__ import annotations

import re
import zipfile
from types import TracebackType
from typing import IO, BinaryIO, Self

from attractor.intake.errors import DAMAGE, IntakeError, told
from attractor.intake.files import check_unpacked

__all__ = ["Archive", "check_name"]

_COMPRESSIONS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_ENCRYPTED = 1
#: Names that mean the same in every folder of every system: no separators, no drives, not hidden, not ``..``.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]{0,199}")
#: Longest directory of an archive, in bytes: room for some thousands of members.
_MOST_DIRECTORY = 4 << 20


def check_name(name: object, what: str = "a file") -> str:
    """Return a name that stays in whatever folder it is put; raise :class:`IntakeError` for any other."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or name.endswith((".", " ")):
        raise IntakeError(f"{what} is called {str(name)[:80]!r}, which is no plain name of a file in its own folder")
    return name


class Archive:
    """A zip archive, each of whose members is stored or deflated, has a name of its own and is not too large.

    Parameters
    ----------
    file:
        Where it is read.
    most_members:
        Most members that it may have.
    plain_names:
        Whether all names must be plain ones, see :func:`check_name`.

    Raises
    ------
    IntakeError
        If it is no archive, or one of another kind.
    """

    def __init__(self, file: BinaryIO, most_members: int, *, plain_names: bool = False) -> None:
        size = file.seek(0, 2)
        self._check_directory(file, size)
        try:
            self._zip = zipfile.ZipFile(file)
        except DAMAGE as error:
            raise IntakeError(f"it is no intact archive: {told(error)}") from error
        try:
            self._members = self._checked(size, most_members, plain_names=plain_names)
        except IntakeError:
            self._zip.close()
            raise

    @staticmethod
    def _check_directory(file: BinaryIO, size: int) -> None:
        """Refuse an archive whose directory alone would fill the memory: the library reads it as a whole."""
        tail = min(size, 22 + 65_535)
        file.seek(size - tail)
        data = file.read(tail)
        end = data.rfind(b"PK\x05\x06")
        if end < 0 or len(data) < end + 22:
            raise IntakeError("it is no intact archive: its directory is missing or cut off")
        claimed = int.from_bytes(data[end + 12 : end + 16], "little")
        if claimed > _MOST_DIRECTORY:
            raise IntakeError(f"its directory claims {claimed:,} bytes; it may have {_MOST_DIRECTORY:,}")
        file.seek(0)

    def _checked(self, size: int, most_members: int, *, plain_names: bool) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > most_members:
            raise IntakeError(f"it has {len(infos)} members; it may have {most_members}")
        members = {info.filename: info for info in infos}
        if len(members) < len(infos):
            raise IntakeError("two of its members have the same name")
        for info in infos:
            if plain_names:
                check_name(info.filename, "a member")
            if info.compress_type not in _COMPRESSIONS:
                raise IntakeError(f"its member {info.filename!r} is packed by the unknown method {info.compress_type}")
            if info.flag_bits & _ENCRYPTED:
                raise IntakeError(f"its member {info.filename!r} is encrypted")
            if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
                raise IntakeError(f"its member {info.filename!r} contradicts itself about its size")
        check_unpacked(sum(info.file_size for info in infos), size)
        return members

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all members."""
        return tuple(self._members)

    def size(self, name: str) -> int:
        """Return how many bytes a member claims to have."""
        return self._members[name].file_size

    def open(self, name: str) -> IO[bytes]:
        """Return a member as a stream."""
        return self._zip.open(self._members[name])

    def read(self, name: str, most: int) -> bytes:
        """Return a member of at most ``most`` bytes; raise :class:`IntakeError` if it is missing, longer or damaged."""
        if name not in self._members:
            raise IntakeError(f"it has no member {name!r}")
        if self.size(name) > most:
            raise IntakeError(f"its member {name!r} claims {self.size(name):,} bytes; it may have {most:,}")
        try:
            with self.open(name) as stream:
                data = stream.read(most + 1)
        except DAMAGE as error:
            raise IntakeError(f"its member {name!r} is damaged: {told(error)}") from error
        if len(data) != self.size(name):
            raise IntakeError(f"its member {name!r} has {len(data):,} bytes and claims {self.size(name):,}")
        return data
