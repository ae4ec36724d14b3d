"""cocotb bench: an oscillator core in lockstep with its golden model, call after call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge

from attractor.golden.oscillator import OscillatorNetwork, OscillatorState
from attractor.sim.lockstep.driver import CoreDriver, Difference, MismatchError, read_settings, run_calls
from attractor.sim.lockstep.oscillator.state import (
    expected_accumulators,
    first_difference,
    first_state_difference,
)
from attractor.spec import IntegerArray, OscillatorResult, OscillatorSpec, Region
from attractor.spec.oscillator import OscillatorInput
from attractor.timing.oscillator import OscillatorCycles, lesson_cycles
from attractor.trials.oscillator import TRIALS

__all__ = [
    "CYCLE_LIMIT",
    "MOST_CALLS",
    "CycleCount",
    "OscillatorDriver",
    "check_cycles",
    "check_result",
    "check_spins",
    "compare",
    "compare_after",
    "learn",
    "lockstep",
    "run",
    "run_call",
    "start",
]

#: A call that takes longer than this hangs, in clock cycles: schedules are short here.
CYCLE_LIMIT = 400_000
#: Most calls to one set of parameters: lessons, and perhaps a run at their end.
MOST_CALLS = 2


class CycleCount(Protocol):
    """Counts the clock cycles of a call."""

    def slot(self, state: OscillatorState) -> None:
        """Count the slot after which the network is in this state."""
        ...

    def total(self) -> int:
        """Return the cycles of the whole call, after its last slot."""
        ...


class OscillatorDriver(CoreDriver[OscillatorSpec]):
    """Reads what an oscillator core holds."""

    def phases(self) -> np.ndarray:
        """Return the phases as they are now."""
        memory = self.dut.phases.memory
        return np.array([int(memory[index].value) for index in range(self.spec.oscillators)], np.uint8)

    def accumulators(self, first_bank: int) -> list[int]:
        """Return the accumulator words of a bank and all after it, up to that of the sum."""
        words = range(first_bank * self.spec.groups, (self.spec.period // 2 + 1) * self.spec.groups)
        return [int(self.dut.crossbar.accumulators[word].value) for word in words]

    def states(self) -> list[int]:
        """Return the states of the neurons, one word for each group; one group's is a register."""
        neurons = self.dut.crossbar.neurons
        if self.spec.groups == 1:
            return [int(neurons.value)]
        return [int(neurons[group].value) for group in range(self.spec.groups)]


def compare(driver: OscillatorDriver, network: OscillatorNetwork, state: OscillatorState, *, all_banks: bool) -> None:
    """Raise :class:`MismatchError` with the first difference after a slot."""
    spec, slot = driver.spec, state.slot - 1
    phases, found = state.phases[0], driver.phases()
    for index in np.flatnonzero(phases != found)[:1]:
        raise MismatchError(
            Difference(f"slot {slot}", f"oscillator {index}, phase", int(phases[index]), int(found[index]))
        )
    first = 0 if all_banks else spec.period // 2
    accumulators = expected_accumulators(spec, network.parameters["weights"], phases, slot)[first:]
    reference, clamp = state.reference[0], state.clamped[0, spec.inputs :]
    if difference := first_difference(spec, slot, driver.accumulators(first), accumulators, phases):
        raise MismatchError(difference)
    if difference := first_state_difference(spec, slot, driver.states(), phases, reference, clamp):
        raise MismatchError(difference)


async def run_call(driver: OscillatorDriver, rng: np.random.Generator) -> None:
    """Load random parameters and make a call, or teach first what a call may then run."""
    spec = driver.spec
    network = OscillatorNetwork(spec, TRIALS.parameters(spec, rng))
    for name, data in spec.encode_parameters(network.parameters).items():
        await driver.write(spec.memory_map[name], data)
    for _ in range(MOST_CALLS):
        inputs = TRIALS.inputs(spec, rng)
        await driver.write_region(Region.INPUT, inputs)
        given = spec.decode_input(inputs)
        if not given.margin:
            state = start(network, given)
            count = OscillatorCycles(network, state, random_start=given.random_start)
            await run(driver, network, state, count, rng, compare_after(driver, network))
            return
        await learn(driver, network, given)


def start(network: OscillatorNetwork, given: OscillatorInput) -> OscillatorState:
    """Return the golden model's state before slot 0 of a call."""
    return network.start(given.phases[None], given.clamp, seeds=[given.seed], random_start=given.random_start)


def compare_after(driver: OscillatorDriver, network: OscillatorNetwork) -> Callable[[OscillatorState], None]:
    """Return what compares a core with its golden model after a slot."""
    period = driver.spec.period
    return lambda state: compare(driver, network, state, all_banks=state.slot % period == 0)


async def run(
    driver: CoreDriver[Any],
    network: OscillatorNetwork,
    state: OscillatorState,
    count: CycleCount,
    rng: np.random.Generator,
    compare_state: Callable[[OscillatorState], None],
) -> None:
    """Run on the inputs that are loaded already, and compare every state after every slot and the results."""
    spec, dut = driver.spec, driver.dut
    abort_slot = int(rng.integers(0, 40)) if rng.random() < 0.2 else -1
    await driver.start()
    for _ in range(CYCLE_LIMIT):
        await RisingEdge(dut.clk)
        driver.abort(state.slot == abort_slot)
        await ReadOnly()
        ended, busy = bool(dut.slot_end.value), bool(dut.bus__busy.value)
        if ended:
            # Writes of this slot are in the memories after the next edge, long before the next slot changes them.
            await RisingEdge(dut.clk)
            await ReadOnly()
            network.step(state)
            count.slot(state)
            compare_state(state)
        if not busy:
            break
    else:
        raise MismatchError(Difference(f"slot {state.slot}", "busy", 0, 1))
    await RisingEdge(dut.clk)
    driver.abort(aborts=False)
    found = spec.decode_output(await driver.results())
    if found.aborted and abort_slot < 0:
        raise MismatchError(Difference(f"slot {state.slot}", "aborted", 0, 1))
    if not found.aborted and state.active[0]:
        raise MismatchError(Difference(f"slot {state.slot}", "running", 1, 0))
    check_result(network, state, found)
    if not found.aborted:
        check_cycles(f"slot {state.slot}", count.total(), found)


async def learn(driver: OscillatorDriver, network: OscillatorNetwork, given: OscillatorInput) -> None:
    """Let the core learn the pattern that is loaded already, and compare all weights and the report."""
    spec, dut = driver.spec, driver.dut
    await driver.start()
    await RisingEdge(dut.clk)
    while True:
        await ReadOnly()
        if not dut.bus__busy.value:
            break
        await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    learnt = network.learn(given.phases, given.margin, given.clamp)
    contents = {window.name: await driver.read(window) for window in spec.memory_map.region(Region.PARAMETERS)}
    found, expected = spec.decode_parameters(contents)["weights"], network.parameters["weights"]
    for target, source in np.argwhere(found != expected)[:1]:
        pair = int(expected[target, source]), int(found[target, source])
        raise MismatchError(Difference("slot 0", f"target {target}, weight from {source}", *pair))
    result = spec.decode_output(await driver.results())
    if result.settled == learnt.any():
        raise MismatchError(Difference("slot 0", "settled", int(not learnt.any()), int(result.settled)))
    if (result.phases != given.phases[spec.inputs :]).any() or result.periods or result.last_change:
        raise MismatchError(Difference("slot 0", "phases, periods or last change", 0, 1))
    check_spins(spec, "slot 0", given.phases, result)
    check_cycles("slot 0", lesson_cycles(spec), result)


def check_cycles(moment: str, expected: int, found: OscillatorResult) -> None:
    """Raise :class:`MismatchError` unless a call took as many clock cycles as it should."""
    if found.cycles != expected:
        raise MismatchError(Difference(moment, "reported cycles", expected, found.cycles))


def check_spins(spec: OscillatorSpec, moment: str, phases: IntegerArray, found: OscillatorResult) -> None:
    """Raise :class:`MismatchError` unless the reported spins are those of all phases, or there are none."""
    if found.spins is None:
        return
    expected = spec.spins(phases)
    for target in np.flatnonzero(expected != found.spins)[:1]:
        pair = int(expected[target]), int(found.spins[target])
        raise MismatchError(Difference(moment, f"reported spin of target {target}", *pair))


def check_result(network: OscillatorNetwork, state: OscillatorState, found: OscillatorResult) -> None:
    """Raise :class:`MismatchError` unless the reported numbers are the golden model's."""
    spec, slot = network.spec, state.slot
    winner = int(network.winner(state.phases)[0])
    settled = int(state.quiet[0]) >= max(int(network.parameters["settle"]), 1)
    pairs = {
        "winner": (winner, -1 if found.winner is None else found.winner),
        "settled": (settled, found.settled),
        "periods": (int(state.periods[0]), found.periods),
        "last change": (int(state.last_change[0]), found.last_change),
    }
    pairs |= {
        f"phase of target {target}": (int(expected), int(phase))
        for target, (expected, phase) in enumerate(zip(state.phases[0, spec.inputs :], found.phases, strict=True))
    }
    for name, (expected, value) in pairs.items():
        if expected != value:
            raise MismatchError(Difference(f"slot {slot}", f"reported {name}", int(expected), int(value)))
    check_spins(spec, f"slot {slot}", state.phases[0], found)


@cocotb.test()
async def lockstep(dut: Any) -> None:
    """Run all calls."""
    settings = read_settings()
    driver = OscillatorDriver(dut, OscillatorSpec.from_dict(settings["spec"]))
    await run_calls(driver, settings, lambda rng: run_call(driver, rng))
