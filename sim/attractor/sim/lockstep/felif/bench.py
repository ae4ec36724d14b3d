"""cocotb bench: a spiking core in lockstep with its golden model, tick after tick and layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge

from attractor.golden.felif import FelifNetwork, FelifRun, NeuronState
from attractor.sim.lockstep.driver import CoreDriver, Difference, MismatchError, read_settings, run_calls
from attractor.sim.lockstep.felif.state import (
    Numbers,
    decode_states,
    first_difference,
    out_of_range,
)
from attractor.spec import FelifResult, FelifSpec, Region
from attractor.timing.felif import sequence_cycles
from attractor.trials.felif import TRIALS

__all__ = [
    "CYCLE_LIMIT",
    "Course",
    "FelifDriver",
    "Watch",
    "check",
    "compare_result",
    "compare_tick",
    "compare_ticks",
    "follow",
    "interrupt",
    "load",
    "lockstep",
    "run_call",
    "run_sequence",
]

#: A call that takes longer than this hangs, in clock cycles.
CYCLE_LIMIT = 200_000


@dataclass
class Watch:
    """What was seen of a layer in the tick under way: sums and spikes of its neurons, in their order."""

    sums: list[int] = field(default_factory=list)
    spikes: list[int] = field(default_factory=list)
    ticks: int = 0


@dataclass
class Course:
    """A call as it goes on.

    Parameters
    ----------
    run:
        What the golden model does in all its ticks.
    watches:
        What was seen of each layer.
    begun:
        Ticks that layer 0 had ended when the abort came; None before.
    """

    run: FelifRun
    watches: list[Watch] = field(default_factory=list)
    begun: int | None = None


class FelifDriver(CoreDriver[FelifSpec]):
    """Reads what a spiking core holds."""

    def __init__(self, dut: Any, spec: FelifSpec) -> None:
        super().__init__(dut, spec)
        self.layers = [getattr(dut, f"layer_{index}") for index in range(len(spec.layers))]
        # Looked at in every cycle.
        self._turns = [layer.sequencer.turns__valid for layer in self.layers]
        self._tick_ends, self._leaves = dut.tick_ends, dut.leaves

    def states(self, index: int) -> dict[str, Numbers]:
        """Return the states of a layer in memory, each of shape (neurons,)."""
        memory = self.layers[index].neurons.states
        layer = self.spec.layers[index]
        return decode_states(layer, [int(memory[neuron].value) for neuron in range(layer.neurons)])

    def left_sums(self, index: int) -> int:
        """Return whether anything is left in the sums of a layer, 0 if not."""
        memory = self.layers[index].crossbar.accumulators
        return int(any(int(memory[group].value) for group in range(self.spec.groups_of(index))))

    def watch(self, course: Course) -> None:
        """Compare the layers that end a tick in this cycle, and note what neurons get, and which of them spike."""
        ends, leaves = int(self._tick_ends.value), int(self._leaves.value)
        for index, turns in enumerate(self._turns):
            if ends >> index & 1:
                compare_tick(self, course, index)
            watch = course.watches[index]
            if turns.value:
                bits = self.spec.sum_bits(index)
                total = int(self.layers[index].sequencer.turns__sum.value)
                watch.sums.append(total - (total >> bits - 1 << bits))
            if leaves >> index & 1:
                watch.spikes.append(int(self.dut.spikes.value) >> index & 1)


def check(difference: Difference | None) -> None:
    """Raise :class:`MismatchError` if there is a difference."""
    if difference:
        raise MismatchError(difference)


def compare_tick(driver: FelifDriver, course: Course, index: int) -> None:
    """Raise :class:`MismatchError` with the first difference of a layer in the tick that it has just ended."""
    watch, traces = course.watches[index], course.run.traces
    assert traces is not None
    if watch.ticks == len(traces[index].sums):
        raise MismatchError(Difference(f"tick {watch.ticks - 1}", f"layer {index}, running", 0, 1))
    for found in ({"sums": np.array(watch.sums)}, driver.states(index), {"spikes": np.array(watch.spikes)}):
        check(first_difference(index, watch.ticks, traces[index], found))
    if driver.left_sums(index):
        raise MismatchError(Difference(f"tick {watch.ticks}", f"layer {index}, sums left", 0, 1))
    course.watches[index] = Watch(ticks=watch.ticks + 1)


async def follow(driver: FelifDriver, course: Course, abort_cycle: int) -> int:
    """Run a call and compare every layer after every tick; return the clock cycles."""
    dut = driver.dut
    await driver.start()
    for cycle in range(CYCLE_LIMIT):
        driver.abort(cycle == abort_cycle)
        await ReadOnly()
        driver.watch(course)
        if not dut.bus__busy.value:
            return cycle
        if cycle == abort_cycle:
            course.begun = course.watches[0].ticks
        await RisingEdge(dut.clk)
    raise MismatchError(Difference("the call", "busy", 0, 1))


async def run_sequence(
    driver: FelifDriver, network: FelifNetwork, kept: list[NeuronState] | None, rng: np.random.Generator
) -> list[NeuronState]:
    """Run one call and compare every state after every tick, and the report; return the states at its end."""
    spec, dut = driver.spec, driver.dut
    data = TRIALS.inputs(spec, rng)
    await driver.write_region(Region.INPUT, data)
    frames, keep = spec.decode_input(data)
    states = kept if keep else None
    course = Course(network.run(frames[None], states=states, trace=True))
    course.watches = [Watch() for _ in spec.layers]
    for _ in range(int(rng.integers(0, 4))):
        await RisingEdge(dut.clk)
    abort_cycle = int(rng.integers(0, int(rng.choice([50, 1000])))) if rng.random() < 0.25 else CYCLE_LIMIT
    cycles = await follow(driver, course, abort_cycle)
    await RisingEdge(dut.clk)
    driver.abort(aborts=False)
    found = spec.decode_output(await driver.results())
    compare_ticks(course, found.ticks, len(frames))
    end = network.run(frames[None, : found.ticks], states=states)
    if found.ticks == len(frames):
        assert course.run.traces is not None
        foretold = sequence_cycles(network, frames, states, course.run.traces)
        check(Difference("the call", "cycles", foretold, cycles) if cycles != foretold else None)
    compare_result(end, found, aborted=found.ticks < len(frames), cycles=cycles)
    return end.states


def compare_ticks(course: Course, ticks: int, asked: int) -> None:
    """Raise :class:`MismatchError` unless a call ran as many ticks as it had to."""
    for index, watch in enumerate(course.watches):
        check(Difference("the call", f"ticks of layer {index}", ticks, watch.ticks) if watch.ticks != ticks else None)
    # When an abort comes, layer 0 has begun at most one tick that it has not ended, and its inputs another.
    least, most = (asked, asked) if course.begun is None else (min(course.begun + 1, asked), course.begun + 2)
    if not least <= ticks <= min(most, asked):
        raise MismatchError(Difference("the call", "ticks", least, ticks))


def compare_result(expected: FelifRun, found: FelifResult, *, aborted: bool, cycles: int) -> None:
    """Raise :class:`MismatchError` unless the reported numbers are the golden model's."""
    pairs = {
        "winner": (expected.winner[0], found.winner),
        "spikes": (expected.spikes[0], found.spikes),
        "aborted": (aborted, found.aborted),
        "cycles": (cycles, found.cycles),
    }
    for neuron, values in enumerate(zip(expected.outputs[0], found.outputs, strict=True)):
        pairs[f"output {neuron}"] = values
    for name, (wanted, value) in pairs.items():
        check(Difference("the call", f"reported {name}", int(wanted), int(value)) if wanted != value else None)


async def load(driver: FelifDriver, network: FelifNetwork, rng: np.random.Generator) -> None:
    """Write all parameters; what the device limits may be written greater than it is."""
    spec = driver.spec
    contents = out_of_range(spec, spec.encode_parameters(network.parameters), rng)
    for window in spec.memory_map.region(Region.PARAMETERS):
        await driver.write(window, contents[window.name])
        if await driver.read(window) != contents[window.name]:
            raise MismatchError(Difference("loading", f"window {window.name} as it was written", 1, 0))


async def interrupt(driver: FelifDriver, rng: np.random.Generator) -> None:
    """Reset the core in the middle of a call: what it leaves in its memories must not matter later."""
    await driver.start()
    for _ in range(int(rng.integers(1, 100))):
        await RisingEdge(driver.dut.clk)
    driver.dut.rst.value = 1
    await RisingEdge(driver.dut.clk)
    driver.dut.rst.value = 0


async def run_call(driver: FelifDriver, rng: np.random.Generator) -> None:
    """Load random parameters, and run a few calls one after another, with a word written anew in between."""
    spec = driver.spec
    await interrupt(driver, rng)
    network = FelifNetwork(spec, TRIALS.parameters(spec, rng))
    await load(driver, network, rng)
    kept = None
    for _ in range(int(rng.integers(2, 6))):
        kept = await run_sequence(driver, network, kept, rng)
        if rng.random() < 0.2:
            window = rng.choice(np.array(spec.memory_map.region(Region.PARAMETERS), object))
            await driver.write(window, spec.encode_parameters(network.parameters)[window.name])
            kept = None


@cocotb.test()
async def lockstep(dut: Any) -> None:
    """Run all calls."""
    settings = read_settings()
    driver = FelifDriver(dut, FelifSpec.from_dict(settings["spec"]))
    await run_calls(driver, settings, lambda rng: run_call(driver, rng))
