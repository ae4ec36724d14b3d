"""How the house is built: what a family costs in central files, how long functions are, how fast the package starts.

All figures come from the sources, or from starting the interpreter several times and taking the median.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from reporting import log, parser, report

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("hdl", "gateware", "sim", "host")
#: Lines of a function, its docstring among them.
MOST_LINES = 60
#: Starts of the interpreter for each figure of time.
STARTS = 7
#: A family that lives outside: all that it needs is in its folder.
OUTSIDE = ROOT / "tests" / "fourth_family"


def sources() -> Iterator[Path]:
    """Return all modules of the package."""
    for folder in FOLDERS:
        yield from sorted((ROOT / folder / "attractor").rglob("*.py"))


def central_files_for_a_family() -> int:
    """Return in how many files outside its own modules a family is named: its entry point, and what else names it.

    Counted for the family of the tests, whose package is not part of the project: the file with its entry point, and
    every file of the project's own packages, or of its configuration, that mentions it.
    """
    package = next(path.name for path in OUTSIDE.iterdir() if (path / "__init__.py").exists())
    (registration,) = OUTSIDE.glob("*.dist-info/entry_points.txt")
    naming = [path for path in (*sources(), ROOT / "pyproject.toml") if package in path.read_text(encoding="utf-8")]
    return len([registration, *naming])


def questions_about_families() -> list[str]:
    """Return where code outside a family's modules asks which family a spec is of: by isinstance, or by match."""
    families = re.compile(r"(Oscillator|EqProp|Felif)Spec\b")
    # Problems are solved on oscillators, and graphs of the exchange format are spiking networks: rooms of one family.
    own = {"oscillator", "eqprop", "felif", "solve", "nir"}
    found = []
    for path in sources():
        parts = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
        if parts & own:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            asks = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance"
            if (asks or isinstance(node, ast.match_case)) and families.search(ast.unparse(node)[:200]):
                line = getattr(node, "lineno", 0)
                found.append(f"{path.relative_to(ROOT)}:{line}")
    return found


def long_functions(most: int = MOST_LINES) -> list[str]:
    """Return the functions of the package that have more lines than ``most``."""
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > most:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}, {lines} lines")
    return found


def import_ms() -> float:
    """Return the milliseconds that ``import attractor`` takes, all that it imports but the standard library's own."""
    return median(_import_ms() for _ in range(STARTS))


def _import_ms() -> float:
    command = [sys.executable, "-X", "importtime", "-c", "import attractor"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment()).stderr.splitlines()
    # "import time: self [us] | cumulative | name"; the package's own line is the last of all that it imports.
    for line in reversed(lines):
        _, cumulative, name = line.removeprefix("import time:").split("|")
        if name.strip() == "attractor":
            return int(cumulative) / 1000
    raise RuntimeError("the interpreter did not import attractor; is it installed?")


def version_over_numpy() -> dict[str, float]:
    """Return how many times as long as ``import numpy`` the command takes to print its version, and its help."""
    numpy = _seconds([sys.executable, "-c", "import numpy"])
    command = [sys.executable, "-m", "attractor.cli"]
    return {
        "version_over_numpy": _seconds([*command, "--version"]) / numpy,
        "help_over_numpy": _seconds([*command, "--help"]) / numpy,
    }


def _seconds(command: list[str]) -> float:
    times = []
    for _ in range(STARTS):
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=_environment())
        times.append(time.perf_counter() - begun)
    return median(times)


def _environment() -> dict[str, str]:
    """Return the environment with the checkout's packages in front, installed or not."""
    paths = [str(ROOT / folder) for folder in FOLDERS]
    return os.environ | {"PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}


def main() -> None:
    """Print the figures."""
    arguments = parser(__doc__).parse_args()
    long, asking = long_functions(), questions_about_families()
    result = {
        "central_files_for_a_family": central_files_for_a_family(),
        "questions_about_families": len(asking),
        "functions_over_60_lines": len(long),
        "import_ms": round(import_ms(), 1),
        **{name: round(value, 2) for name, value in version_over_numpy().items()},
    }
    for place in (*long, *asking):
        log(place)
    report(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
