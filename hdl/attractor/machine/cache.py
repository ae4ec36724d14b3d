"""What was built once and is kept: files under a name that is the hash of everything they were made from."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

__all__ = ["BUNDLES", "CACHE_VARIABLE", "SIMULATORS", "build_once", "cache_folder", "digest"]

#: Environment variable that names another folder.
CACHE_VARIABLE = "ATTRACTOR_CACHE"
#: Folders of the cache: built gateware, and compiled simulators.
BUNDLES, SIMULATORS = "bundles", "simulators"


def cache_folder(kind: str) -> Path:
    """Return the folder of what is kept of one kind: below ``$ATTRACTOR_CACHE``, else below the user's cache folder."""
    root = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("attractor", appauthor=False)
    return Path(root).expanduser().absolute() / kind


def digest(*parts: str | bytes) -> str:
    """Return the SHA-256 of ``parts`` in hexadecimal; where one part ends and the next begins counts."""
    result = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        result.update(len(data).to_bytes(8, "little") + data)
    return result.hexdigest()


def build_once(path: Path, build: Callable[[Path], None]) -> Path:
    """Return ``path``, and let ``build`` make it first if it does not exist.

    ``build`` writes the file that it is given, beside which it may leave others. Only when it is done does the file
    appear at ``path``, at once and whole: processes that build the same file at one time waste work and
    nothing else, and one that is killed leaves nothing that looks finished.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # No dot in front: some build tools ignore files in hidden folders.
    with tempfile.TemporaryDirectory(prefix="building-", dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        build(unfinished)
        try:
            unfinished.replace(path)
        except PermissionError:
            # Windows: another process built the same file and has it open by now.
            if not path.exists():
                raise
    return path
