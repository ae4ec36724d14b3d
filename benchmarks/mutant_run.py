"""Compiles the netlist with all mutants of a core, and runs the benches of ``mutant_bench.py`` on it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from cocotb_tools import config
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner
from mutant_bench import BENCHES
from mutant_netlist import TOP

from attractor.machine.sources import source_files
from attractor.sim.lockstep import program
from attractor.sim.lockstep.regression import cocotb_environment
from attractor.sim.verilator import build_design
from attractor.spec import Spec

__all__ = ["Bench", "Finding", "sources"]

# A lockstep run is short, and its program not optimised. Here one program runs for minutes; functions that are not
# small would take the compiler as long.
_PROGRAM = replace(
    program.PROGRAM,
    verilator=(*program.PROGRAM.verilator, "--output-split-cfuncs", "300", "--output-split-ctrace", "300"),
    compiler=tuple("-O1" if option == "-O0" else option for option in program.PROGRAM.compiler),
)
_MAIN = config.share_dir / "lib" / "verilator" / "verilator.cpp"
_HERE = Path(__file__)
_MODULE = "mutant_bench"
# What benches compare with, and what they draw.
_JUDGES = ("attractor.sim.lockstep", "attractor.golden", "attractor.physics", "attractor.timing", "attractor.trials")
# An assertion in the core, or a loop that does not settle.
_ERROR = re.compile(r"Assertion failed.*|%Error: .*")


@dataclass(frozen=True)
class Finding:
    """What tells a mutant from the core without one.

    Parameters
    ----------
    call:
        The set of parameters with which it was found; -1 where that is not known.
    difference:
        The first difference.
    """

    call: int
    difference: str


class Bench:
    """A compiled netlist of mutants.

    Parameters
    ----------
    spec:
        The network.
    verilog:
        The netlist.
    folder:
        Where benches run.
    """

    def __init__(self, spec: Spec, verilog: str, folder: Path) -> None:
        self._spec, self._folder = spec, folder
        self._program = build_design(_PROGRAM, verilog, TOP, _MAIN, TOP)

    def run(self, bench: str, selector: int, *, seed: int, calls: int) -> Finding | None:
        """Return what a bench finds of a mutant in so many calls; None if nothing.

        Raises
        ------
        RuntimeError
            If the core without a mutant fails, or the bench itself.
        """
        reference = self._folder / f"{bench}_{calls}.json"
        if selector and not reference.exists():
            self.run(bench, 0, seed=seed, calls=calls)
        found = self._folder / "report.json"
        found.unlink(missing_ok=True)
        settings = {
            "spec": self._spec.to_dict(),
            "selector": selector,
            "seed": seed,
            "calls": list(range(calls)),
            "report": str(found),
            "reference": str(reference),
        }
        log = self._folder / f"{bench}.log"
        if self._passes(bench, settings, log):
            return None
        finding = _finding(found, log)
        if finding is None or not selector:
            raise RuntimeError(f"the bench {bench} fails with mutant {selector} of {self._spec}:\n{log.read_text()}")
        return finding

    def _passes(self, bench: str, settings: dict[str, object], log: Path) -> bool:
        with cocotb_environment():
            try:
                results = get_runner("verilator").test(
                    hdl_toplevel=TOP,
                    hdl_toplevel_lang="verilog",
                    test_module=_MODULE,
                    test_filter=f"{bench}$",
                    build_dir=self._program.parent,
                    test_dir=self._folder,
                    extra_env={"ATTRACTOR_LOCKSTEP": json.dumps(settings)},
                    log_file=log,
                )
            except (SystemExit, RuntimeError):  # the simulator ends where an assertion in the core fails
                return False
        tests, failed = get_results(results)
        return tests == 1 and not failed


def sources(spec: Spec) -> list[str | bytes]:
    """Return all that decides what benches find, besides the design: names and contents of source files.

    Those of other families are left out.
    """
    others = tuple(f"/{family}" for family in BENCHES if family != spec.family)
    judges = [file for package in _JUDGES for file in source_files(package)]
    ours = [_HERE.with_name(f"{name}.py") for name in (_MODULE, "mutant_netlist", "mutant_run")]
    return [
        *(part for name, text in judges if not any(other in name for other in others) for part in (name, text)),
        *(path.read_bytes() for path in ours),
    ]


def _finding(report: Path, log: Path) -> Finding | None:
    if report.exists():
        return Finding(**json.loads(report.read_text()))
    error = _ERROR.search(log.read_text())
    return Finding(-1, error[0]) if error else None
