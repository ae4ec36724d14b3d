"""cocotb benches of one mutant of a core; ``mutants.py`` runs them.

``noticed``
    The benches of the tests themselves, that of the family and then the one for any family, call after call, with all
    that they compare. Where they notice nothing in any call, the clock cycles of all runs are compared with those of
    the core without a mutant.
``told_apart``
    Random parameters and calls, some of them aborted. Nothing is compared with a golden model, but every output of the
    core in every clock cycle with what the core without a mutant did.

Both are first run without a mutant, and leave what they saw in the file ``reference``. What differs first is written to
the file ``report``, and fails the bench.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.simtime import get_sim_time
from cocotb.triggers import ClockCycles, First, RisingEdge, SimTimeoutError, Timer, with_timeout

from attractor.sim.lockstep import generic
from attractor.sim.lockstep.driver import CoreDriver, read_settings
from attractor.sim.lockstep.eqprop.bench import EqPropDriver
from attractor.sim.lockstep.eqprop.bench import run_call as eqprop_call
from attractor.sim.lockstep.felif.bench import FelifDriver
from attractor.sim.lockstep.felif.bench import run_call as felif_call
from attractor.sim.lockstep.oscillator.bench import OscillatorDriver
from attractor.sim.lockstep.oscillator.bench import run_call as oscillator_call
from attractor.spec import Region, Window, spec_from_dict
from attractor.trials import Trials, trials_of

Call = Callable[[Any, np.random.Generator], Awaitable[None]]

#: Input of the netlist that chooses a mutant: its number, counted from 1; 0 is none.
SELECTOR = "mutant"
#: Begins the name of the register of 64 bits that says what an output of the bus was until now.
TRACE = "trace__"
#: The families' own benches.
BENCHES: dict[str, tuple[type[CoreDriver[Any]], Call]] = {
    "oscillator": (OscillatorDriver, oscillator_call),
    "eqprop": (EqPropDriver, eqprop_call),
    "felif": (FelifDriver, felif_call),
}
CYCLE_NS = 10
#: A run hangs that takes so many clock cycles more than four times those of any run without a mutant.
PATIENCE = 2000
#: A run hangs that takes longer than this where nothing is known of it, in clock cycles.
CYCLE_LIMIT = 400_000
#: Most calls to one set of parameters where nothing is compared with a golden model.
MOST_CALLS = 4


class Runs:
    """How long a core is busy, time after time."""

    def __init__(self, driver: CoreDriver[Any]) -> None:
        self._busy = driver.dut.bus__busy
        self._durations: list[int] = []
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await self._busy.rising_edge
            start = get_sim_time("ns")
            await self._busy.falling_edge
            self._durations.append(round((get_sim_time("ns") - start) / CYCLE_NS))

    def durations(self) -> list[int]:
        """Return the clock cycles of each run that ended since the last look."""
        found, self._durations = self._durations, []
        return found


class Judge:
    """Compares what was seen of each call with the core without a mutant, or keeps it where that is what runs."""

    def __init__(self, settings: Any) -> None:
        self.selector: int = settings["selector"]
        self._report, self._reference = Path(settings["report"]), Path(settings["reference"])
        self.expected: list[Any] = json.loads(self._reference.read_text()) if self.selector else []
        self._seen: list[Any] = []

    def saw(self, what: Any) -> None:
        """Take what was seen of the next call."""
        self._seen.append(what)
        if not self.selector:
            self._reference.write_text(json.dumps(self._seen))

    def compare(self, calls: list[int]) -> None:
        """Raise what fails the bench at the first of the calls seen by now that was not as without a mutant."""
        if self.selector:
            for call, expected, found in zip(calls, self.expected, self._seen, strict=False):
                if expected != found:
                    raise self.differs(call, _difference(expected, found))

    def differs(self, call: int, difference: str) -> AssertionError:
        """Write the report, and return what fails the bench."""
        self._report.write_text(json.dumps({"call": call, "difference": difference}))
        return AssertionError(difference)


def _difference(expected: Any, found: Any) -> str:
    if isinstance(expected, list):
        return f"cycles: runs took {found} clock cycles, expected {expected}"
    return f"outputs: {', '.join(sorted(name for name in expected if expected[name] != found[name]))}"


async def _end_hangs(driver: CoreDriver[Any], judge: Judge, longest: int) -> None:
    """Fail the bench where a run does not end."""
    busy = driver.dut.bus__busy
    while True:
        await busy.rising_edge
        try:
            await with_timeout(busy.falling_edge, (4 * longest + PATIENCE) * CYCLE_NS, "ns")
        except SimTimeoutError:
            raise judge.differs(-1, "hang: a run does not end") from None


async def _judged(
    driver: CoreDriver[Any], judge: Judge, calls: list[int], run: Callable[[int], Awaitable[Any]], *, at_once: bool
) -> None:
    """Run all calls, and compare what was seen of them ``at_once`` or when all are over.

    Whatever a bench raises, it has noticed something.
    """
    getattr(driver.dut, SELECTOR).value = judge.selector
    await driver.reset()
    for call in calls:
        try:
            seen = await run(call)
        except Exception as noticed:
            raise judge.differs(call, f"{type(noticed).__name__}: {noticed}") from noticed
        judge.saw(seen)
        if at_once:
            judge.compare(calls)
    judge.compare(calls)


@cocotb.test()
async def noticed(dut: Any) -> None:
    """Run the benches of the tests."""
    settings, judge = _begin()
    spec = spec_from_dict(settings["spec"])
    driver_type, own_call = BENCHES[spec.family]
    driver = driver_type(dut, spec)
    runs = Runs(driver)
    if judge.selector:
        longest = max(cycles for call in judge.expected for cycles in call)
        cocotb.start_soon(_end_hangs(driver, judge, longest))

    async def run(call: int) -> list[int]:
        for number, bench_call in enumerate((own_call, generic.run_call)):
            await bench_call(driver, np.random.default_rng([settings["seed"], call, number]))
        return runs.durations()

    # What the benches notice comes first, even where it is noticed later.
    await _judged(driver, judge, settings["calls"], run, at_once=False)


@cocotb.test()
async def told_apart(dut: Any) -> None:
    """Make calls and look at every output in every cycle."""
    settings, judge = _begin()
    driver = CoreDriver(dut, spec_from_dict(settings["spec"]))
    outputs = ["bus__busy", *map(_read_data, driver.memory_map.windows)]
    traces = {name: getattr(dut, f"{TRACE}{name}") for name in outputs}

    async def run(call: int) -> dict[str, int]:
        await _free_calls(driver, np.random.default_rng([settings["seed"], call]))
        return {name: int(trace.value) for name, trace in traces.items()}

    await _judged(driver, judge, settings["calls"], run, at_once=True)


def _begin() -> tuple[Any, Judge]:
    settings = read_settings()
    return settings, Judge(settings)


def _read_data(window: Window) -> str:
    return f"bus__windows__{window.name.replace('.', '_')}__read_data"


async def _free_calls(driver: CoreDriver[Any], rng: np.random.Generator) -> None:
    """Load random parameters, make a few calls, and read all windows.

    A quarter of the parameters and inputs are anything that is allowed; then calls may be long, and are aborted.
    """
    spec, anything = driver.spec, rng.random() < 0.25
    trials = Trials() if anything else trials_of(spec)
    windows = spec.encode_parameters(trials.parameters(spec, rng))
    await driver.write_region(Region.PARAMETERS, spec.memory_map.join(Region.PARAMETERS, windows))
    for _ in range(int(rng.integers(1, MOST_CALLS + 1))):
        await driver.write_region(Region.INPUT, trials.inputs(spec, rng))
        await ClockCycles(driver.dut.clk, int(rng.integers(1, 4)))
        await driver.start()
        aborts = anything or rng.random() < 0.25
        await _end(driver, int(rng.integers(1, rng.choice([50, 1000]))) if aborts else None, rng)
        await driver.results()
    for window in spec.memory_map.region(Region.PARAMETERS):
        await driver.read(window)


async def _end(driver: CoreDriver[Any], abort_cycle: int | None, rng: np.random.Generator) -> None:
    """Wait for the end of a run, which is aborted after so many clock cycles, for one of them or until it ends."""
    dut = driver.dut
    await RisingEdge(dut.clk)
    end = dut.bus__busy.falling_edge
    if abort_cycle is not None:
        # In the middle of a cycle. Counting clock edges would take most of the time.
        await First(end, Timer((2 * abort_cycle - 1) * CYCLE_NS // 2, "ns"))
        driver.abort(aborts=True)
        if rng.random() < 0.5:
            await RisingEdge(dut.clk)
            driver.abort(aborts=False)
    if dut.bus__busy.value == 1:
        await with_timeout(end, CYCLE_LIMIT * CYCLE_NS, "ns")
    await RisingEdge(dut.clk)
    driver.abort(aborts=False)
