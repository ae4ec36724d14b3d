"""Programs: found on PATH if they are new enough, else in the packages from PyPI that bring them."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = [
    "COMPILERS",
    "LONGEST_SECONDS",
    "Program",
    "ToolError",
    "call",
    "contents_hash",
    "find_compiler",
    "find_in_package",
    "find_native",
    "find_script",
    "has_compiler",
    "version_line",
]

#: C++ compilers in the order in which they are tried, after ``$CXX``.
COMPILERS = ("g++", "clang++", "c++")
#: Longest time in seconds that a program may take: minutes for the largest designs on a busy machine.
LONGEST_SECONDS = 1800
# Longest time in seconds to say which version it is: tools in WebAssembly are compiled when they run first.
_VERSION_SECONDS = 120


class ToolError(RuntimeError):
    """A program is missing, or it failed; the message says which, and what to do."""


@dataclass(frozen=True)
class Program:
    """A program.

    Parameters
    ----------
    command:
        How to call it: its absolute path, and arguments that come first.
    version:
        What tells its versions apart: a line of text, or a hash.
    """

    command: tuple[str, ...]
    version: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """The first dotted number of the version: (0, 38) of ``Yosys 0.38+46``; empty if there is none."""
        found = re.search(r"(\d+)\.(\d+)", self.version)
        return tuple(map(int, found.groups())) if found else ()


def find_native(name: str, identify: Callable[[str], str] | None = None) -> Program | None:
    """Return the program ``name`` on PATH; None if there is none.

    ``identify`` returns the version of the program at a path; :func:`version_line` unless another is given.
    """
    path = shutil.which(name)
    return Program((path,), (identify or version_line)(path)) if path else None


def find_script(name: str, distribution: str) -> Program | None:
    """Return the program ``name`` of a package from PyPI; None if it is not installed.

    It is looked for beside the interpreter first, so that its environment need not be activated.
    """
    path = shutil.which(name, path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))
    if path is None:
        return None
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        version = version_line(path)
    return Program((path,), f"{distribution} {version}")


def find_in_package(package: str, name: str) -> Program | None:
    """Return the program ``name`` in the folder ``bin`` of a Python package; None if it is not installed."""
    found = importlib.util.find_spec(package)
    for location in (found and found.submodule_search_locations) or ():
        path = shutil.which(name, path=str(Path(location) / "bin"))
        if path:
            return Program((path,), f"PyPI {metadata.version(package)}")
    return None


def find_compiler() -> Program:
    """Return ``$CXX`` if it is set, else the first of :data:`COMPILERS` on PATH.

    Raises
    ------
    ToolError
        If there is none.
    """
    wanted = os.environ.get("CXX", "").strip()
    if wanted:
        name, *arguments = shlex.split(wanted)
        own = find_native(name)
        if own is None:
            raise ToolError(f"$CXX is {wanted!r}, but there is no program {name!r}: correct or unset CXX")
        return Program((*own.command, *arguments), own.version)
    for name in COMPILERS:
        if found := find_native(name):
            return found
    raise ToolError(
        f"no C++ compiler found (looked for $CXX, {', '.join(COMPILERS)}): "
        "install g++, or use the golden-model board sim:..."
    )


def has_compiler() -> bool:
    """Return whether a C++ compiler is found, and so whether new designs can be simulated."""
    try:
        find_compiler()
    except ToolError:
        return False
    return True


def call(
    command: list[str], name: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Return what a program prints; raise :class:`ToolError` with its last words if it fails."""
    try:
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{name} could not be run: {error}") from error
    if result.returncode:
        words = (result.stderr or result.stdout).strip()[-2000:]
        raise ToolError(f"{name} failed with exit code {result.returncode}, called as {shlex.join(command)}:\n{words}")
    return result.stdout


@functools.cache
def version_line(program: str) -> str:
    """Return the first line that ``program --version`` prints, on either stream; empty if it does not run."""
    try:
        result = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter((result.stdout + result.stderr).splitlines()), "").strip()


def contents_hash(program: str) -> str:
    """Return what identifies a program that cannot tell its version."""
    return f"sha256 {hashlib.sha256(Path(program).read_bytes()).hexdigest()[:16]}"
