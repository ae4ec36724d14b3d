"""Source files, found without importing what they are of."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["source_files"]


def source_files(name: str) -> list[tuple[str, bytes]]:
    """Return names and contents of the source files of a module, or of all modules of a package, in order of name.

    Packages above it are imported, as Python does to find it.
    """
    found = importlib.util.find_spec(name)
    if found is None:
        raise ModuleNotFoundError(f"there is no module {name!r}; install the package that brings it", name=name)
    if found.submodule_search_locations is None:
        return [(name, Path(found.origin).read_bytes())] if found.has_location and found.origin else []
    return [
        (f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        for folder in found.submodule_search_locations
        for path in sorted(Path(folder).rglob("*.py"))
    ]
