"""Files that are there whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "write_whole"]


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield the name of a file to write, which takes the place of ``path`` when the block ends without an error.

    Until then ``path`` stays what it was, and after an error too. The file lies in the same folder, as it must to
    take the place of the other at once; several processes or threads may write the same path.

    Raises
    ------
    OSError
        If the file cannot take the place; what the block raises passes through.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: str | Path, contents: bytes | str) -> None:
    """Write a file, text as UTF-8 with its line ends as they are; raise :class:`OSError` if that fails."""
    with replacing(path) as partial:
        partial.write_bytes(contents.encode() if isinstance(contents, str) else contents)
