"""Problems made ready for a network: integers for coefficients, a place for each variable, and a schedule."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from attractor.golden.sparse import couplings_of
from attractor.host.model import Model
from attractor.solve.annealing import Annealing, ChosenAnnealing
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import (
    MOST_OSCILLATORS,
    MOST_REFERENCES,
    Placement,
    ProblemError,
    Scale,
    Weights,
    measured_spec,
    quantise,
    telling_biases,
)
from attractor.solve.sparse_networks import (
    check_rows,
    fitting_weights,
    made_spec,
    narrowest,
    prefers_sparse,
    rows_needed,
)
from attractor.solve.two_colours import two_colours
from attractor.spec import IntegerArray, OscillatorSpec
from attractor.spec.oscillator import MOST_WEIGHT_BITS
from attractor.spec.sparse import SparseSpec

__all__ = ["Coupled", "Program", "Where", "program"]

#: Most variables of a problem whose states are all looked at, to see what rounding did.
_FEW = 14
#: So many targets for each variable may a network have so that two sets of variables find odd and even ones.
_MOST_PADDED = 1.25
#: Width of the weights of a network made for a problem that so many bits hold exactly.
_WEIGHT_BITS = 8
#: Energies that differ by less, relative to the largest, are equal.
_CLOSE = 1e-9


#: Which couplings a network made for a problem has.
Coupled = Literal["auto", "dense", "sparse"]


@dataclass(frozen=True)
class Where:
    """What problems are put on.

    Parameters
    ----------
    spec:
        Of a device; None for a network made for each problem.
    name:
        What to call it.
    couplings:
        Of networks made for a problem: ``"dense"``, ``"sparse"``, or ``"auto"`` for what is smaller and faster.
    made:
        Options of :func:`attractor.solve.ising.measured_spec` for networks made for a problem.
    """

    spec: OscillatorSpec | None
    name: str
    made: dict[str, Any]
    couplings: Coupled = "dense"


@dataclass(frozen=True)
class Program:
    """A problem made ready for a network.

    Parameters
    ----------
    model:
        Weights and schedule.
    placement:
        Which oscillator stands for which variable.
    quantisation:
        What rounding did to the coefficients.
    annealing:
        What the schedule says, with nothing left open.
    warnings:
        What the user should know of what rounding did, a line each.
    sets:
        Whether couplings join two sets of variables only, and these were placed so that they take turns.
    """

    model: Model
    placement: Placement
    quantisation: Weights
    annealing: ChosenAnnealing
    warnings: tuple[str, ...] = ()
    sets: bool = False

    @property
    def info(self) -> dict[str, Any]:
        """What a result says of how it came about."""
        rounding = self.quantisation
        chosen = {name: value for name, value in vars(self.annealing).items() if name != "why" or value}
        if self.sets:
            chosen["why"] = "couplings join two sets of variables only, which take turns"
        return {
            "schedule": self.model.parameters["schedule"].tolist(),
            "annealing": chosen,
            "scale": rounding.factor,
            "references": len(self.placement.references),
            "quantisation": {
                "max_absolute": rounding.max_absolute,
                "max_relative": rounding.max_relative,
                "dropped": rounding.dropped,
            },
            "warnings": list(self.warnings),
        }


def program(bqm: dimod.BinaryQuadraticModel, annealing: Annealing, where: Where, scale: Scale) -> Program:
    """Return weights, schedule and placement for a problem.

    Raises
    ------
    ProblemError
        If the problem is too large for the network, or its coefficients do not fit.
    SpecError
        If the network has not what the annealing asks for.
    """
    if scale not in ("refuse", "auto"):
        raise ValueError(f"scale is {scale!r}; it must be 'refuse' or 'auto'")
    # A view of it, bqm.spin, is read variable by variable in Python.
    spins = bqm.change_vartype(dimod.SPIN, inplace=False)
    vectors: Any = spins.to_numpy_vectors(variable_order=list(bqm.variables))
    given, (u, v, quadratic), _ = vectors
    given, quadratic = given.astype(np.float64), quadratic.astype(np.float64)
    pairs = np.stack([u, v], axis=1).astype(np.intp)
    linear = telling_biases(given, pairs, quadratic)
    second = _sets(annealing, where, len(linear), pairs, biased=bool(np.any(linear)))
    if second is not None:
        annealing = replace(annealing, alternate=True, share=1.0)
    place = _placed_sparsely if _is_sparse(annealing, where, len(linear), pairs) else _placed
    placement, found = place(linear, pairs, quadratic, annealing, where, scale, second)
    weights = placement.sparse_weights(found.values[: len(linear)], pairs, found.values[len(linear) :])
    couplings = placement.couplings(weights)
    # Without couplings it is the biases that noise must not drown out.
    couplings = couplings if couplings.nnz else weights
    spec = placement.spec
    chosen = annealing.chosen(spec, couplings, np.asarray((weights - couplings).sum(axis=1)))
    parameters = {**couplings_of(spec, weights), "schedule": chosen.rows(spec, couplings), "settle": np.array(0)}
    if isinstance(spec, SparseSpec) and where.spec is None:
        spec = replace(spec, row_words=max(rows_needed(spec, parameters), 2))
        placement = replace(placement, spec=spec)
    elif isinstance(spec, SparseSpec):
        check_rows(spec, parameters, where.name)
    model = Model(spec, parameters, {"problem": "ising"})
    told = _warnings(linear, pairs, quadratic, found)
    return Program(model, placement, found, chosen, told, second is not None)


def _placed(
    linear: npt.NDArray[np.float64],
    pairs: IntegerArray,
    quadratic: npt.NDArray[np.float64],
    annealing: Annealing,
    where: Where,
    scale: Scale,
    second: npt.NDArray[np.bool_] | None,
) -> tuple[Placement, Weights]:
    """Return the network with a place for each variable, and integers for all coefficients, as large as they fit."""
    variables, biased = len(linear), bool(np.any(linear))
    coefficients = np.concatenate([linear, quadratic])
    targets = variables if second is None else _targets(second)
    if where.spec is None:
        _check_room(variables, biased=biased)
        most = min(MOST_REFERENCES, MOST_OSCILLATORS - variables)
        made = where.made
        if made["weight_bits"] is None:
            made = made | {"weight_bits": _width(coefficients, variables, most)}
        spec = measured_spec(targets, biased=biased, **made)
    else:
        made: dict[str, Any] = {}
        spec, most = where.spec, Placement.most_references(where.spec, variables)
    placement = Placement.on(spec, variables, biased=biased, name=where.name)
    found = quantise(coefficients, spec.weight_high, scale, biases=variables, references=most)
    weights = placement.weights(found.values[:variables], pairs, found.values[variables:])
    couplings = placement.couplings(weights)
    times = annealing.magnification(spec, couplings if couplings.any() else weights)
    largest = int(np.abs(found.values[:variables]).max(initial=0))
    if largest:
        times = max(1, min(times, most * spec.weight_high // largest))
    needed = max(1, -(-largest * times // spec.weight_high))
    if where.spec is None:
        spec = measured_spec(targets, biased=biased, references=needed, **made)
    place = {"biased": biased, "name": where.name, "references": needed, "second": second}
    return Placement.on(spec, variables, **place), found.times(times)


def _is_sparse(annealing: Annealing, where: Where, variables: int, pairs: IntegerArray) -> bool:
    """Return whether a network has sparse couplings, or had better have if it is made for the problem."""
    if where.spec is not None:
        return isinstance(where.spec, SparseSpec)
    if where.couplings != "auto":
        return where.couplings == "sparse"
    return not annealing.turns and prefers_sparse(variables, len(pairs))


def _placed_sparsely(
    linear: npt.NDArray[np.float64],
    pairs: IntegerArray,
    quadratic: npt.NDArray[np.float64],
    annealing: Annealing,
    where: Where,
    scale: Scale,
    second: npt.NDArray[np.bool_] | None,
) -> tuple[Placement, Weights]:
    """Do what :func:`_placed` does for a network with sparse couplings."""
    variables, biased = len(linear), bool(np.any(linear))
    coefficients = np.concatenate([linear, quadratic])
    place: dict[str, Any] = {"biased": biased, "name": where.name, "second": second}
    if where.spec is not None:
        assert isinstance(where.spec, SparseSpec)
        most = Placement.most_references(where.spec, variables)
        found = fitting_weights(coefficients, scale, where.spec, variables, pairs, most, where.name)
        needed = max(1, -(-int(np.abs(found.values[:variables]).max(initial=0)) // where.spec.weight_high))
        return Placement.on(where.spec, variables, **place, references=needed, pairs=pairs), found
    bits = where.made["weight_bits"] or narrowest(coefficients, variables)
    found = quantise(coefficients, (1 << bits - 1) - 1, scale, biases=variables, references=MOST_REFERENCES)
    needed = max(1, -(-int(np.abs(found.values[:variables]).max(initial=0)) // ((1 << bits - 1) - 1)))
    strengths = np.zeros(variables)
    for end in (0, 1):
        np.add.at(strengths, pairs[:, end], np.square(found.values[variables:], dtype=np.float64))
    made: dict[str, Any] = where.made | {"weight_bits": bits}
    # Without couplings it is the biases that noise must not drown out.
    field = np.sqrt(strengths).mean() if strengths.any() else np.abs(found.values).mean() if variables else 0
    spec = made_spec(
        found.values,
        variables if second is None else _targets(second),
        variables,
        pairs,
        **made,
        references=needed if biased else 0,
        noise=float(field) * (0.5 if annealing.noise is None else annealing.noise),
    )
    return Placement.on(spec, variables, **place, references=needed), found


def _width(coefficients: npt.NDArray[np.float64], biases: int, references: int) -> int:
    """Return the width of weights that holds all coefficients exactly, or the widest."""
    for bits in (_WEIGHT_BITS, MOST_WEIGHT_BITS):
        with suppress(ProblemError):
            quantise(coefficients, (1 << bits - 1) - 1, "refuse", biases=biases, references=references)
            return bits
    return MOST_WEIGHT_BITS


def _sets(
    annealing: Annealing, where: Where, variables: int, pairs: IntegerArray, *, biased: bool
) -> npt.NDArray[np.bool_] | None:
    """Return the two sets between which all couplings are, if oscillators flip, nobody asked for more, and they fit."""
    levers = annealing.rule == "turn", annealing.share, annealing.max_step, annealing.lock
    asked = annealing.alternate is not None or any(lever not in (None, False) for lever in levers)
    if asked or not len(pairs) or (where.spec is not None and not where.spec.flips):
        return None
    second = two_colours(variables, pairs)
    if second is None:
        return None
    if where.spec is None:
        most = min(_MOST_PADDED * variables, SparseSpec.most_oscillators - biased)
        return second if _targets(second) <= most else None
    try:
        Placement.on(where.spec, variables, biased=biased, second=second)
    except ProblemError:
        return None
    return second


def _targets(second: npt.NDArray[np.bool_]) -> int:
    """Return how many targets there are when two sets lie on odd and even ones."""
    odd, even = int(second.sum()), int((~second).sum())
    return max(2 * odd, 2 * even - 1)


def _check_room(variables: int, *, biased: bool) -> None:
    """Raise :class:`ProblemError` if no network is large enough for a problem."""
    if variables + biased > MOST_OSCILLATORS:
        raise ProblemError(
            f"the problem needs {variables + biased} oscillators; a network has at most {MOST_OSCILLATORS}: "
            "attractor.solve.decomposing.DecomposingSampler divides it"
        )


def _warnings(
    linear: npt.NDArray[np.float64], pairs: IntegerArray, quadratic: npt.NDArray[np.float64], found: Weights
) -> tuple[str, ...]:
    """Return what rounding did that matters."""
    told = []
    if found.dropped:
        count = np.count_nonzero(linear) + np.count_nonzero(quadratic)
        told.append(
            f"{found.dropped:,} of {count:,} coefficients became 0, so small are they beside the largest: use a "
            "network with wider weights, or lower the problem's penalties"
        )
    if found.max_absolute and 0 < len(linear) <= _FEW:
        states = 1 - 2 * (np.arange(1 << len(linear))[:, None] >> np.arange(len(linear)) & 1)
        rounded = found.values.astype(np.float64)
        exact, seen = (
            states @ biases + (states[:, pairs[:, 0]] * states[:, pairs[:, 1]]) @ couplings
            for biases, couplings in ((linear, quadratic), (rounded[: len(linear)], rounded[len(linear) :]))
        )
        best = seen <= seen.min() + _CLOSE * np.abs(seen).max()
        if exact[best].max() > exact.min() + _CLOSE * np.abs(exact).max():
            told.append(
                "rounding changes which state has the least energy: use a network with wider weights, or coefficients "
                "that are nearer to each other"
            )
    return tuple(told)
