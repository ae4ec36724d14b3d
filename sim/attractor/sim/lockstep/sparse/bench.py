"""cocotb bench: a core with sparse couplings in lockstep with its golden model, call after call."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from attractor.golden.oscillator import OscillatorState
from attractor.golden.sparse import SparseNetwork, coupling_matrix
from attractor.sim.lockstep.driver import CoreDriver, Difference, MismatchError, read_settings, run_calls
from attractor.sim.lockstep.generic import load_parameters
from attractor.sim.lockstep.oscillator.bench import run, start
from attractor.sim.lockstep.oscillator.state import expected_accumulators
from attractor.spec import IntegerArray, Region
from attractor.spec.sparse import SparseSpec
from attractor.timing.sparse import SparseCycles
from attractor.trials.sparse import TRIALS

__all__ = ["SparseDriver", "compare", "lockstep", "run_call"]

#: Most calls to one set of parameters.
MOST_CALLS = 2


class SparseDriver(CoreDriver[SparseSpec]):
    """Reads what a core with sparse couplings holds."""

    def phases(self) -> IntegerArray:
        """Return the phases of all oscillators, of which a binary network keeps the highest bit."""
        memory, scale = self.dut.phases.memory, 1 << self.spec.phase_bits - self.spec.drawn_bits
        return np.array([int(memory[index].value) * scale for index in range(self.spec.oscillators)], np.uint8)

    def numbers(self) -> IntegerArray:
        """Return what is kept of all targets, each from the memory of its class, shape (numbers, targets).

        The sum comes last; with full phases the differences of all slots of half a period come before it.
        """
        spec, width = self.spec, self.spec.accumulator_bits
        kept = 1 if spec.binary else spec.period // 2 + 1
        share, found = spec.lanes // spec.entries, np.zeros((kept, spec.targets), np.int64)
        memories = [getattr(self.dut.accumulators, f"class_{number}").words.memory for number in range(spec.entries)]
        words = [[int(memory[group].value) for group in range(spec.groups)] for memory in memories]
        for target in range(spec.targets):
            group, place = divmod(target // spec.entries, share)
            for number in range(kept):
                field = words[target % spec.entries][group] >> (place * kept + number) * width & ((1 << width) - 1)
                found[number, target] = field - (field >> width - 1 << width)
        return found

    def sides(self) -> list[tuple[int, int]]:
        """Return of each target whether it is up, or its reference high, and whether it is free."""
        lanes, memory = self.spec.lanes, self.dut.targets.side_memory.memory
        words = [int(memory[group].value) for group in range(self.spec.groups)]
        places = [divmod(target, lanes) for target in range(self.spec.targets)]
        return [(words[group] >> lane & 1, words[group] >> lanes + lane & 1) for group, lane in places]

    def lane_phases(self) -> IntegerArray:
        """Return the phases of all targets as the scans see them."""
        spec, memory = self.spec, self.dut.targets.lane_phases.memory
        words = [int(memory[group].value) for group in range(spec.groups)]
        places = [divmod(target, spec.lanes) for target in range(spec.targets)]
        return np.array([words[group] >> lane * spec.phase_bits & spec.period - 1 for group, lane in places], np.uint8)


def compare(driver: SparseDriver, network: SparseNetwork, state: OscillatorState) -> None:
    """Raise :class:`MismatchError` with the first difference after a slot."""
    spec, phases, slot = driver.spec, state.phases[0], state.slot - 1
    moment, half = f"slot {slot}", spec.period // 2
    for index in np.flatnonzero(phases != (found := driver.phases()))[:1]:
        raise MismatchError(Difference(moment, f"oscillator {index}, phase", int(phases[index]), int(found[index])))
    _compare_numbers(driver, coupling_matrix(spec, network.parameters), phases, slot)
    high = phases[spec.inputs :] < half if spec.binary else state.reference[0]
    name = "side" if spec.binary else "reference"
    for target, (bit, free) in enumerate(driver.sides()):
        own = spec.inputs + target
        for what, wanted, found_bit in ((name, high[target], bit), ("free", not state.clamped[0, own], free)):
            if wanted != found_bit:
                raise MismatchError(Difference(moment, f"target {target}, {what}", int(wanted), found_bit))
    if not spec.binary:
        own, lanes = phases[spec.inputs :], driver.lane_phases()
        for target in np.flatnonzero(own != lanes)[:1]:
            pair = int(own[target]), int(lanes[target])
            raise MismatchError(Difference(moment, f"target {target}, phase for the scan", *pair))


def _compare_numbers(driver: SparseDriver, couplings: Any, phases: IntegerArray, slot: int) -> None:
    spec = driver.spec
    if spec.binary:
        expected = (couplings @ np.where(phases < spec.period // 2, 1, -1))[None]
    else:
        expected = expected_accumulators(spec, couplings.toarray(), phases, slot)
    names = [*(f"difference of slot {number}" for number in range(len(expected) - 1)), "sum"]
    for name, wanted, found in zip(names, expected, driver.numbers(), strict=True):
        for target in np.flatnonzero(wanted != found)[:1]:
            pair = int(wanted[target]), int(found[target])
            raise MismatchError(Difference(f"slot {slot}", f"target {target}, {name}", *pair))


async def run_call(driver: SparseDriver, rng: np.random.Generator) -> None:
    """Load random parameters, which are to be held, and make a call or two."""
    spec = driver.spec
    network = SparseNetwork(spec, TRIALS.parameters(spec, rng))
    await load_parameters(driver, network.parameters)
    for _ in range(int(rng.integers(1, MOST_CALLS + 1))):
        inputs = TRIALS.inputs(spec, rng)
        await driver.write_region(Region.INPUT, inputs)
        given = spec.decode_input(inputs)
        state = start(network, given)
        count = SparseCycles(network, state, random_start=given.random_start)
        await run(driver, network, state, count, rng, lambda state: compare(driver, network, state))


@cocotb.test()
async def lockstep(dut: Any) -> None:
    """Run all calls."""
    settings = read_settings()
    driver = SparseDriver(dut, SparseSpec.from_dict(settings["spec"]))
    await run_calls(driver, settings, lambda rng: run_call(driver, rng))
