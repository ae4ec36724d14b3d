"""What the memories of an oscillator core must hold, computed from phases alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray, OscillatorSpec

BoolArray = npt.NDArray[np.bool_]
#: Names of the two tags beside an accumulator: in the bank of the sum, and in the banks of differences.
SUM_TAGS, EDGE_TAGS = ("reference", "clamp"), ("edge present", "edge late")


@dataclass(frozen=True)
class Difference:
    """The first place where a core and its golden model disagree.

    Parameters
    ----------
    slot:
        Slot after which they were compared, counted from the start of the call.
    place:
        Oscillator or target, and what of it.
    expected, found:
        The golden model's value and the core's.
    """

    slot: int
    place: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"after slot {self.slot}: {self.place} is {self.found}, expected {self.expected}"


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
    tags: npt.NDArray[np.int64],
) -> Difference | None:
    """Compare accumulator words with what they must hold.

    Parameters
    ----------
    words:
        The words of the banks compared, bank by bank and group by group.
    accumulators, tags:
        What they must hold, both of shape (banks, targets); a tag has two bits.
    """
    width = spec.sum_bits + 2
    for bank, (sums, bank_tags) in enumerate(zip(accumulators, tags, strict=True)):
        names = SUM_TAGS if bank == len(accumulators) - 1 else EDGE_TAGS
        for target in range(spec.targets):
            group, lane = divmod(target, spec.lanes)
            field = words[bank * spec.groups + group] >> lane * width & ((1 << width) - 1)
            found = field & ((1 << spec.sum_bits) - 1)
            found -= (found >> spec.sum_bits - 1) << spec.sum_bits
            what = f"target {target}, bank {bank - len(accumulators)}"
            if found != sums[target]:
                return Difference(slot, f"{what}, sum", int(sums[target]), found)
            for bit, name in enumerate(names):
                expected, found_bit = int(bank_tags[target]) >> bit & 1, field >> spec.sum_bits + bit & 1
                if name == "edge late" and not int(bank_tags[target]) & 1:
                    continue  # without an edge its half means nothing
                if found_bit != expected:
                    return Difference(slot, f"{what}, {name}", expected, found_bit)
    return None


def expected_tags(
    spec: OscillatorSpec, phases: IntegerArray, reference: BoolArray, clamp: BoolArray
) -> npt.NDArray[np.int64]:
    """Return the tags of all accumulators, shape (banks, targets)."""
    half = spec.period // 2
    own = phases[spec.inputs :]
    present = own[None, :] % half == np.arange(half)[:, None]
    edges = present + 2 * (present & (own >= half))
    return np.concatenate([edges, (reference + 2 * clamp)[None]]).astype(np.int64)
