"""Builds a core for a simulator and runs its lockstep bench; a failing call is run again with waves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Runner, get_runner

from attractor.hdl.cores import build_core
from attractor.sim.lockstep.program import build_program
from attractor.sim.verilog import to_icarus_verilog, to_verilog
from attractor.spec import Spec, family_of

__all__ = ["GENERIC_BENCH", "LockstepError", "Regression", "cocotb_environment", "simulators"]

#: The bench of families that have none of their own.
GENERIC_BENCH = "attractor.sim.lockstep.generic"
_TOP = "core"


class LockstepError(AssertionError):
    """A core disagrees with its golden model; the message holds the first difference and where its waves are."""


def simulators() -> list[str]:
    """Return the cocotb names of the simulators on this machine: always Verilator, and Icarus where installed."""
    return ["verilator", *(["icarus"] if shutil.which("iverilog") else [])]


class Regression:
    """The lockstep bench of one spec in one simulator.

    Parameters
    ----------
    spec:
        The network.
    simulator:
        ``verilator`` or ``icarus``.
    folder:
        Where to run; kept after a failure, with its waves.
    bench:
        Module of the bench; None for that of the spec's family, or :data:`GENERIC_BENCH` if it has none.
    """

    def __init__(self, spec: Spec, simulator: str, folder: Path, bench: str | None = None) -> None:
        self.spec, self.simulator, self.folder = spec, simulator, folder
        self.bench = bench or family_of(spec).bench or GENERIC_BENCH
        folder.mkdir(parents=True, exist_ok=True)
        self._source = folder / "core.v"
        convert = to_icarus_verilog if simulator == "icarus" else to_verilog
        self._source.write_text(convert(build_core(spec), _TOP))

    def run(self, *, seed: int, calls: Sequence[int]) -> None:
        """Run ``calls`` random calls of one seed; raise :class:`LockstepError` at the first disagreement."""
        report = self.folder / "difference.json"
        report.unlink(missing_ok=True)
        if self._run("run", seed, calls, report):
            return
        if not report.exists():
            raise LockstepError(f"the bench of {self.spec} failed before a comparison; its log is in {self.folder}")
        found = json.loads(report.read_text())
        waves = "no waves: this simulator's are not supported"
        if self.simulator == "verilator":
            self._run("waves", seed, [found["call"]], report, waves=True)
            waves = f"waves of this call: {self.folder / 'waves' / 'dump.vcd'}"
        raise LockstepError(
            f"{self.spec} in {self.simulator}, seed {seed}, call {found['call']}: {found['difference']}; {waves}"
        )

    def _run(self, name: str, seed: int, calls: Sequence[int], report: Path, *, waves: bool = False) -> bool:
        """Run, and return whether the bench passed."""
        settings = {"spec": self.spec.to_dict(), "seed": seed, "calls": list(calls), "report": str(report)}
        with cocotb_environment():
            runner: Runner = get_runner(self.simulator)
            try:
                results = runner.test(
                    hdl_toplevel=_TOP,
                    hdl_toplevel_lang="verilog",
                    test_module=self.bench,
                    build_dir=self._build(runner),
                    test_dir=self.folder / name,
                    waves=waves,
                    extra_env={"ATTRACTOR_LOCKSTEP": json.dumps(settings)},
                    log_file=self.folder / f"{name}.log",
                )
            except (SystemExit, RuntimeError):  # the simulator failed, as it does where an assertion in the core does
                return False
        return get_results(results)[1] == 0

    def _build(self, runner: Runner) -> Path:
        """Build the core and return the folder of what runs."""
        if self.simulator == "verilator":
            return build_program(self._source.read_text(), _TOP).parent
        folder = self.folder / "build"
        log = self.folder / "build.log"
        runner.build(
            sources=[self._source], hdl_toplevel=_TOP, build_dir=folder, timescale=("1ns", "1ps"), log_file=log
        )
        return folder


@contextmanager
def cocotb_environment() -> Iterator[None]:
    """Let cocotb change the environment for the block, and hide from it that it may run within pytest."""
    before = dict(os.environ)
    try:
        # There cocotb would end the process where a test failed.
        os.environ.pop("PYTEST_CURRENT_TEST", None)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
