"""cocotb bench: an Equilibrium Propagation core in lockstep with its golden model, sample after sample."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge

from attractor.golden.eqprop import EqPropNetwork, EqPropState, Nudge
from attractor.sim.lockstep.driver import CoreDriver, Difference, MismatchError, read_settings, run_calls
from attractor.sim.lockstep.eqprop.state import (
    Numbers,
    expected_sums,
    first_difference,
    first_parameter_difference,
    lane_fields,
    signed,
)
from attractor.spec import EqPropResult, EqPropSpec, Region
from attractor.timing import CycleRange, cycles_of
from attractor.trials.eqprop import TRIALS

__all__ = [
    "BASE",
    "CYCLE_LIMIT",
    "SUM",
    "EqPropDriver",
    "Sample",
    "check",
    "compare_cycles",
    "compare_end",
    "compare_result",
    "compare_step",
    "load",
    "lockstep",
    "run_call",
    "run_sample",
]

#: A sample that takes longer than this hangs, in clock cycles.
CYCLE_LIMIT = 200_000
#: Banks of the accumulators.
SUM, BASE = 0, 1


class EqPropDriver(CoreDriver[EqPropSpec]):
    """Reads what an Equilibrium Propagation core holds."""

    def sums(self, bank: int) -> Numbers:
        """Return a bank of the accumulators, shape (targets,)."""
        memory, groups = self.dut.crossbar.accumulators, self.spec.groups
        width = len(self.dut.crossbar.accumulators[0]) // self.spec.lanes
        words = [int(memory[bank * groups + group].value) for group in range(groups)]
        return signed(lane_fields(self.spec, words, width), width)

    def states(self) -> tuple[Numbers, Numbers]:
        """Return states, and bits of the free phase where the network learns, both of shape (targets,)."""
        words = [int(self.dut.crossbar.neurons[group].value) for group in range(self.spec.groups)]
        bits = self.spec.state_bits
        fields = lane_fields(self.spec, words, bits + self.spec.learning)
        return fields & ((1 << bits) - 1), fields >> bits

    def parameters(self) -> dict[str, bytes]:
        """Return the windows of the weights as they are in memory, not through the bus."""
        contents = {"steps": bytes(2)}
        for memory in (self.spec.up_memory, self.spec.down_memory):
            store = getattr(self.dut.crossbar, memory.name)
            for window in memory.windows:
                words = getattr(store, window.name.replace(".", "_"))
                contents[window.name] = b"".join(
                    int(words[word].value).to_bytes(window.word_bytes, "little") for word in range(window.words)
                )
        return contents


class Sample:
    """One call in the golden model, step by step."""

    def __init__(self, network: EqPropNetwork, data: bytes) -> None:
        self.network, self.spec = network, network.spec
        self.bits, self.sigma, self.label, _ = self.spec.decode_input(data)
        self.limits = network.parameters["steps"].tolist()
        self.state: EqPropState = network.start(self.bits[None])
        self.phase, self.steps, self.over = "free", 0, False
        self.settled, self.free_steps, self.scores = False, 0, np.zeros(0, np.int64)
        self.free_bits = np.zeros(0, np.int64)

    @property
    def moment(self) -> str:
        """Which step was the last."""
        return f"step {self.steps} of the {self.phase} phase"

    def step(self) -> None:
        """Run a step; at the end of a phase prepare the next."""
        if self.over:
            self._next_phase()
        moved = bool(self.network.step(self.state)[0])
        self.steps += 1
        self.over = not moved or self.steps == self.limits[self.phase == "nudged"]
        if self.phase == "free":
            self.settled, self.free_steps = not moved, self.steps
            self.scores = self.network.scores(self.state.states)[0]
            self.free_bits = self.network.bits(self.state.states)[0].astype(np.int64)

    def _next_phase(self) -> None:
        if not self.sigma or self.phase == "nudged":
            raise MismatchError(Difference(self.moment, "busy", 0, 1))
        targets = np.arange(self.spec.layers[-1]) // self.spec.replicas == self.label
        goals = np.where(targets, self.spec.state_highs[-1], 0).astype(np.int16)
        self.state.nudge = Nudge(goals[None], np.array([[self.sigma]], np.int16))
        self.phase, self.steps, self.over = "nudged", 0, False

    def sums(self) -> Numbers:
        """Return what the core must have in its sums: those of the new bits, and the target of the outputs."""
        bits = self.network.bits(self.state.states)[0].astype(np.int64)
        sums = expected_sums(self.spec, self.network.parameters, self.bits.astype(np.int64), bits)
        if self.state.nudge is not None:
            sums[self.spec.neurons[-1]] += self.sigma * (self.state.nudge.goals[0].astype(int) << self.spec.nudge_shift)
        return sums

    def aborted(self) -> EqPropResult:
        """Return what is reported if the call was ended after the last step."""
        winner = int(self.scores.argmax())
        return EqPropResult(winner, self.scores, settled=self.settled, free_steps=self.free_steps, aborted=True)


def check(difference: Difference | None) -> None:
    """Raise :class:`MismatchError` if there is a difference."""
    if difference:
        raise MismatchError(difference)


def compare_step(driver: EqPropDriver, sample: Sample) -> None:
    """Raise :class:`MismatchError` with the first difference after a step."""
    spec, moment = driver.spec, sample.moment
    levels, free = driver.states()
    check(first_difference(spec, moment, "state", sample.state.states[0].astype(np.int64), levels))
    if spec.learning:
        check(first_difference(spec, moment, "bit of the free phase", sample.free_bits, free))
    check(first_difference(spec, moment, "sum", sample.sums(), driver.sums(SUM)))


def compare_end(driver: EqPropDriver, network: EqPropNetwork, sample: Sample) -> None:
    """Raise :class:`MismatchError` with the first difference in weights, counters and base after a call."""
    spec = driver.spec
    check(first_parameter_difference(spec, "the call", network.parameters, driver.parameters()))
    on = np.ones(spec.targets, np.int64)
    base = expected_sums(spec, network.parameters, np.zeros(spec.layers[0], np.int64), on)
    check(first_difference(spec, "the call", "base", base, driver.sums(BASE)))
    if not sample.steps:
        raise MismatchError(Difference("the call", "steps", 1, 0))


async def run_sample(driver: EqPropDriver, network: EqPropNetwork, rng: np.random.Generator, *, written: bool) -> None:
    """Run one call and compare every state after every step, all weights and counters, and the report.

    ``written`` says that parameters were written since the call before.
    """
    spec, dut = driver.spec, driver.dut
    data = TRIALS.inputs(spec, rng)
    sample = Sample(network, data)
    await driver.write(spec.memory_map["sample"], data)
    for _ in range(int(rng.integers(0, 4))):
        await RisingEdge(dut.clk)
    abort_cycle = int(rng.integers(0, int(rng.choice([50, 1000])))) if rng.random() < 0.25 else CYCLE_LIMIT
    last_step = -1
    await driver.start()
    for cycle in range(CYCLE_LIMIT):
        driver.abort(cycle == abort_cycle)
        await ReadOnly()
        if not dut.bus__busy.value:
            break
        if dut.step_end.value:
            last_step = cycle
            sample.step()
            compare_step(driver, sample)
        await RisingEdge(dut.clk)
    else:
        raise MismatchError(Difference(sample.moment, "busy", 0, 1))
    await RisingEdge(dut.clk)
    driver.abort(aborts=False)
    found = spec.decode_output(await driver.results())
    aborted = abort_cycle < last_step
    if not aborted and not (sample.over and (not sample.sigma or sample.phase == "nudged")):
        raise MismatchError(Difference(sample.moment, "running", 1, 0))
    foretold = None if aborted else cycles_of(spec, network, data, written=written)
    expected = sample.aborted() if aborted else network.spec.decode_output(network.call(data))
    compare_result(expected, found, cycle)
    compare_cycles(foretold, cycle)
    compare_end(driver, network, sample)


def compare_result(expected: EqPropResult, found: EqPropResult, cycles: int) -> None:
    """Raise :class:`MismatchError` unless the reported numbers are the golden model's."""
    names = ("winner", "settled", "free_steps", "nudged_steps", "learnt", "touched", "flips", "aborted")
    pairs = {name: (getattr(expected, name), getattr(found, name)) for name in names} | {
        "cycles": (cycles, found.cycles)
    }
    for label, scores in enumerate(zip(expected.scores, found.scores, strict=True)):
        pairs[f"score of class {label}"] = scores
    for name, (wanted, value) in pairs.items():
        check(Difference("the call", f"reported {name}", int(wanted), int(value)) if wanted != value else None)


def compare_cycles(expected: CycleRange | None, cycles: int) -> None:
    """Raise :class:`MismatchError` if a call took more or fewer clock cycles than it should."""
    if expected is not None and not expected.holds(cycles):
        check(Difference("the call", f"cycles, which are to be {expected},", expected.most, cycles))


async def run_call(driver: EqPropDriver, rng: np.random.Generator) -> None:
    """Load random parameters, and run a few samples one after another, with other parameters in between."""
    spec = driver.spec
    network = EqPropNetwork(spec, TRIALS.parameters(spec, rng))
    await load(driver, network, rng)
    written = True
    for number in range(int(rng.integers(2, 7))):
        if number and rng.random() < 0.2:
            network = EqPropNetwork(spec, TRIALS.parameters(spec, rng))
            await load(driver, network, rng)
            written = True
        await run_sample(driver, network, rng, written=written)
        written = False
    for name, data in spec.encode_parameters(network.parameters).items():
        if name != "steps" and await driver.read(spec.memory_map[name]) != data:
            raise MismatchError(Difference("the call", f"window {name} as it was written", 1, 0))


async def load(driver: EqPropDriver, network: EqPropNetwork, rng: np.random.Generator) -> None:
    """Write all parameters; no steps count as one."""
    contents = driver.spec.encode_parameters(network.parameters)
    steps = network.parameters["steps"]
    contents["steps"] = bytes(0 if limit == 1 and rng.random() < 0.5 else int(limit) for limit in steps)
    for window in driver.spec.memory_map.region(Region.PARAMETERS):
        await driver.write(window, contents[window.name])


@cocotb.test()
async def lockstep(dut: Any) -> None:
    """Run all calls."""
    settings = read_settings()
    driver = EqPropDriver(dut, EqPropSpec.from_dict(settings["spec"]))
    await run_calls(driver, settings, lambda rng: run_call(driver, rng))
