"""Bytes of files, and of what zlib and gzip pack: never more than was said before."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from attractor.intake.errors import IntakeError

__all__ = ["FREE_BYTES", "MOST_RATIO", "check_unpacked", "read_file", "unpacked"]

#: Bytes that contents may always unpack to, however small the file is.
FREE_BYTES = 128 << 20
#: How many times its file contents may be beyond that. What packs better is hardly data.
MOST_RATIO = 64
#: ``wbits`` of zlib for data that is packed as zlib itself does, and as gzip does.
_ZLIB, _GZIP = 15, 31
_CHUNK = 1 << 20


def read_file(path: str | Path, most: int) -> bytes:
    """Return the contents of a file of at most ``most`` bytes.

    Raises
    ------
    IntakeError
        If it is longer; no more than ``most`` bytes are read.
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        # Room is made for what is there, not for what is allowed. Pipes do not say how much they hold.
        data = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
        while len(data) <= most and (part := file.read(_CHUNK)):
            data += part
    if len(data) > most:
        raise IntakeError(f"it has more than the {most:,} bytes that such a file may have")
    return data


def unpacked(data: bytes, most: int, *, gzip: bool = False, dictionary: bytes = b"") -> bytes:
    """Return what zlib, or gzip, has packed into ``data``: at most ``most`` bytes, and no more are unpacked.

    ``dictionary`` is what zlib was given as if it came before, if it says that it was.

    Raises
    ------
    IntakeError
        If it is more, damaged, or cut off.
    """
    found, left = bytearray(), data
    while left or not found:
        engine = zlib.decompressobj(_GZIP if gzip else _ZLIB, dictionary)
        try:
            found += engine.decompress(left, most + 1 - len(found))
        except zlib.error as error:
            raise IntakeError(f"its packed contents are damaged: {error}") from error
        if len(found) > most:
            raise IntakeError(f"it unpacks to more than the {most:,} bytes that it may have")
        if not engine.eof:
            raise IntakeError("its packed contents are cut off")
        left = engine.unused_data.lstrip(b"\0") if gzip else b""  # a gzip file may have several parts, and padding
        if not found and not left:
            break
    return bytes(found)


def check_unpacked(claimed: int, packed: int) -> None:
    """Raise :class:`IntakeError` if ``packed`` bytes of a file claim to be too many once they are unpacked."""
    most = max(FREE_BYTES, MOST_RATIO * packed)
    if claimed > most:
        raise IntakeError(f"{packed:,} bytes claim to hold {claimed:,}; at most {most:,} are unpacked")
