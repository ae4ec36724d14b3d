"""What the memories of an oscillator core must hold, computed from phases alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from attractor.sim.lockstep.driver import Difference
from attractor.spec import IntegerArray, OscillatorSpec

__all__ = [
    "EDGE_TAGS",
    "STATE_FIELDS",
    "BoolArray",
    "expected_accumulators",
    "first_difference",
    "first_state_difference",
]

BoolArray = npt.NDArray[np.bool_]
#: Bits beside an accumulator of a bank of differences, and fields of a neuron's state.
EDGE_TAGS = ("edge present", "edge late")
STATE_FIELDS = ("reference", "clamp", "lock phase")


def expected_accumulators(
    spec: OscillatorSpec, weights: IntegerArray, phases: IntegerArray, slot: int
) -> npt.NDArray[np.int64]:
    """Return the accumulators after ``slot``, shape (banks, targets), straight from their definition.

    Bank b < P/2 holds the sum of the weights of all sources with an edge at slot b, counted negative where the phase
    lies in the second half of the period; the last bank holds the sum over all sources of weight times level.
    """
    half = spec.period // 2
    present = phases[None, :] % half == np.arange(half)[:, None]
    edges = np.where(present, np.where(phases < half, 1, -1), 0)
    levels = np.where((slot - phases.astype(int)) % spec.period < half, 1, -1)
    return np.concatenate([edges, levels[None]]) @ weights.astype(np.int64).T


def first_difference(
    spec: OscillatorSpec,
    slot: int,
    words: Sequence[int],
    accumulators: npt.NDArray[np.int64],
    phases: IntegerArray,
) -> Difference | None:
    """Compare accumulator words with what they must hold.

    Parameters
    ----------
    words:
        The words of the banks compared, bank by bank and group by group.
    accumulators:
        What they must hold, shape (banks, targets); the last bank is that of the sum.
    phases:
        Phases of all oscillators.
    """
    width, half, own = spec.sum_bits + len(EDGE_TAGS), spec.period // 2, phases[spec.inputs :]
    for bank, sums in enumerate(accumulators):
        for target in range(spec.targets):
            group, lane = divmod(target, spec.lanes)
            field = words[bank * spec.groups + group] >> lane * width & ((1 << width) - 1)
            found = field & ((1 << spec.sum_bits) - 1)
            found -= (found >> spec.sum_bits - 1) << spec.sum_bits
            what = f"target {target}, bank {bank - len(accumulators)}"
            if found != sums[target]:
                return Difference(f"slot {slot}", f"{what}, sum", int(sums[target]), found)
            if bank == len(accumulators) - 1:
                continue  # beside the sum are those of the slot's own bank
            present = int(own[target] % half == bank)
            expected = (present, int(own[target] >= half) & present)
            found_tags = field >> spec.sum_bits & 1, field >> spec.sum_bits + 1 & present
            for name, wanted, bit in zip(EDGE_TAGS, expected, found_tags, strict=True):
                if bit != wanted:  # without an edge its half means nothing
                    return Difference(f"slot {slot}", f"{what}, {name}", wanted, bit)
    return None


def first_state_difference(
    spec: OscillatorSpec, slot: int, words: Sequence[int], phases: IntegerArray, reference: BoolArray, clamp: BoolArray
) -> Difference | None:
    """Compare the states of the neurons, one word for each group, with what they must hold."""
    lock_bits = (spec.lock_phases - 1).bit_length()
    width = 2 + lock_bits + spec.learning
    locks = spec.lock_index(phases[spec.inputs :])
    for target in range(spec.targets):
        group, lane = divmod(target, spec.lanes)
        field = words[group] >> lane * width
        found = field & 1, field >> 1 & 1, field >> 2 & ((1 << lock_bits) - 1)
        expected = int(reference[target]), int(clamp[target]), int(locks[target])
        for name, wanted, value in zip(STATE_FIELDS, expected, found, strict=True):
            if value != wanted:
                return Difference(f"slot {slot}", f"target {target}, {name}", wanted, value)
    return None
