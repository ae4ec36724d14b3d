"""All kinds of damaged files."""

from __future__ import annotations

from .kinds import FileKind
from .other_files import OTHER_FILES
from .our_files import OUR_FILES

__all__ = ["FILES", "FileKind"]

FILES = {kind.name: kind for kind in (*OUR_FILES, *OTHER_FILES)}
