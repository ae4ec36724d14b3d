"""What a kind of damaged files is."""

from __future__ import annotations

import io
import random
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Damage", "FileKind", "Random", "in_archive", "saved"]

Random = random.Random
#: Returns damaged bytes.
Damage = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class FileKind:
    """A kind of files.

    Parameters
    ----------
    name:
        What to call it.
    file:
        Name of the file that is read.
    intact:
        Makes some intact files.
    damage:
        Ways to damage one.
    read:
        Reads a file as commands do, to the end.
    """

    name: str
    file: str
    intact: Callable[[], list[bytes]]
    damage: tuple[Damage, ...]
    read: Callable[[Path], object]

    def damaged(self, rng: Random) -> bytes:
        """Return a damaged file."""
        return rng.choice(self.damage)(rng.choice(_intact(self)), rng)


@cache
def _intact(kind: FileKind) -> list[bytes]:
    return kind.intact()


def saved(save: Callable[[Path], object], name: str) -> bytes:
    """Return what ``save`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        save(path)
        return path.read_bytes()


def in_archive(damage: Damage, data: bytes, rng: Random) -> bytes:
    """Damage the members of an archive, and pack them again, sometimes under other names."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    victim = rng.choice(list(members))
    members[victim] = damage(members[victim], rng)
    names = {name: name for name in members}
    if rng.random() < 0.2:
        names[victim] = rng.choice(
            ("../slip.npy", "/abs.npy", "a\\b.npy", "C:x", ".npy", "x" * 300 + ".npy", "\u202e.npy", "")
        )
    found = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(found, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(names[name] or "x"), content, method)
        for _ in range(rng.choice((0, 0, 0, 0, 1, 5000)) if rng.random() < 0.05 else 0):
            archive.writestr(f"{rng.random()}.npy", b"")
    return found.getvalue()
