"""Problems on networks with sparse couplings: which network suits a problem, and whether a device's holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.solve.ising import ProblemError, Scale, Weights, quantise
from attractor.spec import IntegerArray, SpecError
from attractor.spec.oscillator import MOST_WEIGHT_BITS
from attractor.spec.sparse import MOST_SPARSE_LANES, SparseSpec

__all__ = ["check_rows", "fitting_weights", "made_spec", "narrowest", "prefers_sparse", "rows_needed", "sizes_of"]

#: From so few variables on a dense network has one group, and takes no more cycles.
_FEW = 64
#: A dense network is larger where more of all pairs are coupled.
_MOST_DENSITY = 1 / 8
#: Noise has at least so many steps at the start: its smallest sign is an eighth.
_NOISE_STEPS = 64
#: Most bits by which fields are finer than sums.
_MOST_FRACTION_BITS = 8


def prefers_sparse(variables: int, couplings: int) -> bool:
    """Return whether a network with sparse couplings is the smaller and faster one for a problem of spins."""
    return variables > _FEW and 2 * couplings <= _MOST_DENSITY * variables**2


def sizes_of(values: IntegerArray, variables: int, pairs: IntegerArray, references: int) -> tuple[int, int]:
    """Return how many couplings integers in place of coefficients need, and the strength.

    Parameters
    ----------
    values:
        Of the biases and then of the couplings of spins, shape (variables + couplings,).
    variables, pairs:
        Number of variables, and which of them are coupled, shape (couplings, 2).
    references:
        Oscillators that share each bias.
    """
    linear, quadratic = np.abs(values[:variables]), np.abs(values[variables:])
    strengths = linear.astype(np.int64)
    for end in (0, 1):
        np.add.at(strengths, pairs[:, end], quadratic)
    biases = int(np.minimum(linear, references).sum())
    return 2 * int(np.count_nonzero(quadratic)) + biases, int(strengths.max(initial=0))


def made_spec(
    values: IntegerArray,
    targets: int,
    variables: int,
    pairs: IntegerArray,
    *,
    weight_bits: int,
    phase_bits: int,
    lanes: int,
    random_start: bool,
    references: int,
    noise: float,
) -> SparseSpec:
    """Return the spec of a network made for a problem.

    Parameters
    ----------
    values, variables, pairs:
        As for :func:`sizes_of`.
    targets:
        Of the network, at least ``variables``.
    weight_bits, phase_bits, lanes, random_start:
        As in the spec.
    references:
        Clamped oscillators that share the biases; 0 for none.
    noise:
        Amplitude at the start, in weights: fields get as many fraction bits as it needs to be smooth.

    Raises
    ------
    ProblemError
        If no network is large enough.
    """
    couplings, strength = sizes_of(values, variables, pairs, references)
    fraction = next((bits for bits in range(_MOST_FRACTION_BITS) if noise * (1 << bits) >= _NOISE_STEPS), None)
    try:
        return SparseSpec(
            oscillators=max(targets + references, 2),
            inputs=references,
            weight_bits=weight_bits,
            phase_bits=phase_bits,
            lanes=min(lanes or MOST_SPARSE_LANES, targets, MOST_SPARSE_LANES),
            schedule_entries=64,
            random_start=random_start,
            flips=True,
            binary=True,
            couplings=max(couplings, 1),
            strength=max(strength, 1),
            fraction_bits=_MOST_FRACTION_BITS if fraction is None else fraction,
        )
    except SpecError as error:
        raise ProblemError(
            f"the problem has {variables:,} variables, {couplings:,} couplings and a strength of {strength:,}, and no "
            f"network holds it ({error}): attractor.solve.decomposing.DecomposingSampler divides it"
        ) from error


def fitting_weights(
    coefficients: npt.NDArray[np.float64],
    scale: Scale,
    spec: SparseSpec,
    variables: int,
    pairs: IntegerArray,
    references: int,
    name: str,
) -> Weights:
    """Return integers for coefficients that a device's network holds, with ``"auto"`` as large as they may be.

    Raises
    ------
    ProblemError
        If it has too few oscillators, couplings, or too little strength; the message has all three numbers.
    """
    found = quantise(coefficients, spec.weight_high, scale, biases=variables, references=references)
    couplings, strength = sizes_of(found.values, variables, pairs, references)
    if strength > spec.strength and scale == "auto":
        limit = spec.weight_high * spec.strength // strength
        while limit and strength > spec.strength:
            found = quantise(coefficients, limit, scale, biases=variables, references=references)
            couplings, strength = sizes_of(found.values, variables, pairs, references)
            limit -= 1
    if couplings > spec.couplings or strength > spec.strength or variables > spec.targets:
        raise ProblemError(
            f"the problem has {variables:,} variables, {couplings:,} couplings (two for each pair) and weights of up "
            f"to {strength:,} in sum at one variable; {name} holds {spec.targets:,}, {spec.couplings:,} and "
            f"{spec.strength:,}: use a network with more, the golden model, or "
            "attractor.solve.decomposing.DecomposingSampler, which divides it"
        )
    return found


def narrowest(coefficients: npt.NDArray[np.float64], variables: int) -> int:
    """Return the narrowest width of weights that holds all coefficients, each bias in one; the widest if none does."""
    for bits in range(2, MOST_WEIGHT_BITS):
        try:
            quantise(coefficients, (1 << bits - 1) - 1, "refuse", biases=variables)
        except ProblemError:
            continue
        return bits
    return MOST_WEIGHT_BITS


def rows_needed(spec: SparseSpec, parameters: Any) -> int:
    """Return how many words the rows of couplings take."""
    return 1 + int(spec.row_memory.lengths(parameters["starts"], parameters["targets"]).sum())


def check_rows(spec: SparseSpec, parameters: Any, name: str) -> None:
    """Raise :class:`ProblemError` if the rows of couplings take more words than a network has."""
    needed = rows_needed(spec, parameters)
    if needed > spec.row_words:
        raise ProblemError(
            f"the problem's couplings take {needed:,} words of {spec.entries} each, and {name} has {spec.row_words:,}: "
            f"use a network with row_words of {needed:,} or with more entries, or "
            "attractor.solve.decomposing.DecomposingSampler, which divides it"
        )
