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
        """Return the phases of all oscillators, of which the highest bit is kept."""
        memory, half = self.dut.phases.memory, self.spec.period // 2
        return np.array([int(memory[index].value) * half for index in range(self.spec.oscillators)], np.uint8)

    def sums(self) -> list[int]:
        """Return the sums of all targets, each from the memory of its class."""
        spec, width = self.spec, self.spec.accumulator_bits
        share, found = spec.lanes // spec.entries, []
        memories = [getattr(self.dut.accumulators, f"class_{number}").memory for number in range(spec.entries)]
        words = [[int(memory[group].value) for group in range(spec.groups)] for memory in memories]
        for target in range(spec.targets):
            group, place = divmod(target // spec.entries, share)
            field = words[target % spec.entries][group] >> place * width & ((1 << width) - 1)
            found.append(field - (field >> width - 1 << width))
        return found

    def sides(self) -> list[tuple[int, int]]:
        """Return of each target whether it is up, and whether it is free."""
        lanes, memory = self.spec.lanes, self.dut.side_memory.memory
        words = [int(memory[group].value) for group in range(self.spec.groups)]
        places = [divmod(target, lanes) for target in range(self.spec.targets)]
        return [(words[group] >> lane & 1, words[group] >> lanes + lane & 1) for group, lane in places]


def compare(driver: SparseDriver, network: SparseNetwork, state: OscillatorState) -> None:
    """Raise :class:`MismatchError` with the first difference after a slot."""
    spec, phases = driver.spec, state.phases[0]
    moment, half = f"slot {state.slot - 1}", spec.period // 2
    for index in np.flatnonzero(phases != (found := driver.phases()))[:1]:
        raise MismatchError(Difference(moment, f"oscillator {index}, phase", int(phases[index]), int(found[index])))
    expected = np.asarray(coupling_matrix(spec, network.parameters) @ np.where(phases < half, 1, -1))
    for target, (total, held) in enumerate(zip(map(int, expected), driver.sums(), strict=True)):
        if total != held:
            raise MismatchError(Difference(moment, f"target {target}, sum", total, held))
    for target, (up, free) in enumerate(driver.sides()):
        own = spec.inputs + target
        for name, wanted, bit in (("side", phases[own] < half, up), ("free", not state.clamped[0, own], free)):
            if wanted != bit:
                raise MismatchError(Difference(moment, f"target {target}, {name}", int(wanted), bit))


async def run_call(driver: SparseDriver, rng: np.random.Generator) -> None:
    """Load random parameters, which are to be held, and make a call or two."""
    spec = driver.spec
    network = SparseNetwork(spec, TRIALS.parameters(spec, rng))
    await load_parameters(driver, network.parameters)
    for _ in range(int(rng.integers(1, MOST_CALLS + 1))):
        inputs = TRIALS.inputs(spec, rng)
        await driver.write_region(Region.INPUT, inputs)
        given = spec.decode_input(inputs)
        state, count = start(network, given), SparseCycles(network, random_start=given.random_start)
        await run(driver, network, state, count, rng, lambda state: compare(driver, network, state))


@cocotb.test()
async def lockstep(dut: Any) -> None:
    """Run all calls."""
    settings = read_settings()
    driver = SparseDriver(dut, SparseSpec.from_dict(settings["spec"]))
    await run_calls(driver, settings, lambda rng: run_call(driver, rng))
