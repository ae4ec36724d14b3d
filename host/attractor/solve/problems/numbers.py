"""Problems with numbers: partitioning, knapsack, and integer programming.

The formulations are those of A. Lucas, "Ising formulations of many NP problems", Frontiers in Physics 2 (2014) 5;
inequalities have a slack in binary here, which needs fewer variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from attractor.solve.dimod_extra import dimod
from attractor.solve.problems.problem import Problem, check_penalty, chosen, slack_bits

__all__ = ["integer_programming", "knapsack", "number_partitioning"]


def number_partitioning(numbers: Sequence[float]) -> Problem[frozenset[int]]:
    """Divide numbers into two parts whose sums differ least.

    Answer: the indices of one part; its objective is the square of the difference. Spins; energy
    ``(sum n_i s_i)**2``, so every number couples to every other with their product: large numbers need wide weights.
    """
    values = np.asarray(numbers, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"the numbers have shape {values.shape} or are not finite; a list of finite numbers is needed")
    bqm = dimod.BinaryQuadraticModel(dict.fromkeys(range(len(values)), 0.0), {}, 0.0, dimod.SPIN)
    if len(values):
        bqm.add_linear_equality_constraint(list(enumerate(values.tolist())), 1.0, 0.0)

    def difference(part: frozenset[int]) -> float:
        return float((values.sum() - 2 * values[list(part)].sum()) ** 2)

    return Problem("number partitioning", bqm, chosen, lambda _: True, difference)


def knapsack(
    weights: Sequence[int], values: Sequence[float], capacity: int, *, penalty: float | None = None
) -> Problem[frozenset[int]]:
    """Choose the most valuable items that are not too heavy together.

    Answer: the indices of the items. Energy ``-sum c_i x_i + A (capacity - sum w_i x_i - slack)**2``, where slack
    counts in binary from 0 to the capacity. Items that are e too heavy together cost A e**2, and at most e of them
    have to go, so ``penalty`` A > the greatest value; default 1 more.

    Raises
    ------
    ValueError
        If a weight or the capacity is negative or no integer, a value is negative, or the lists differ in length.
    """
    heavy = _integers("weights", weights)
    worth = np.asarray(values, np.float64)
    if heavy.shape != worth.shape or heavy.ndim != 1 or not np.isfinite(worth).all():
        raise ValueError(f"weights and values have shapes {heavy.shape} and {worth.shape}; two equal lists are needed")
    if capacity != int(capacity) or capacity < 0 or (heavy < 0).any() or (worth < 0).any():
        raise ValueError(f"the capacity {capacity}, a weight or a value is negative or no integer; all must be >= 0")
    best = float(worth.max(initial=0))
    factor = check_penalty("a knapsack", penalty, best, best + 1)
    bqm = dimod.BinaryQuadraticModel(dict(enumerate((-worth).tolist())), {}, 0.0, dimod.BINARY)
    slack = [(("slack", bit), value) for bit, value in enumerate(slack_bits(int(capacity)))]
    bqm.add_linear_equality_constraint([*enumerate(heavy.tolist()), *slack], factor, -int(capacity))

    def feasible(items: frozenset[int]) -> bool:
        return heavy[list(items)].sum() <= capacity

    return Problem("knapsack", bqm, chosen, feasible, lambda items: float(worth[list(items)].sum()), "maximise")


def integer_programming(
    objective: Sequence[float],
    matrix: npt.ArrayLike,
    bounds: Sequence[int],
    *,
    relation: Literal["==", "<="] = "==",
    penalty: float | None = None,
) -> Problem[frozenset[int]]:
    """Maximise a linear objective of bits under linear constraints.

    Answer: the indices of the bits that are 1. Energy ``-c.x + A sum over rows (b - S x - slack)**2``; ``penalty``
    A > sum of \\|c_i\\|, default 1 more.

    Parameters
    ----------
    objective:
        c, shape (bits,).
    matrix:
        S, integers, shape (rows, bits).
    bounds:
        b, integers, shape (rows,).
    relation:
        ``"=="`` for S x = b, without slack; ``"<="`` for S x <= b, with a slack in binary for each row.

    Raises
    ------
    ValueError
        If shapes do not fit, numbers are no integers, or no bits obey a row.
    """
    gains = np.asarray(objective, np.float64)
    rows, limits = _integers("matrix", matrix), _integers("bounds", bounds)
    if rows.shape != (len(limits), len(gains)):
        raise ValueError(f"matrix has shape {rows.shape}; {len(limits)} bounds and {len(gains)} bits need another")
    if relation not in ("==", "<="):
        raise ValueError(f"relation is {relation!r}; it must be '==' or '<='")
    total = float(np.abs(gains).sum())
    factor = check_penalty("integer programming", penalty, total, total + 1)
    bqm = dimod.BinaryQuadraticModel(dict(enumerate((-gains).tolist())), {}, 0.0, dimod.BINARY)
    for index, (row, limit) in enumerate(zip(rows, limits.tolist(), strict=True)):
        spare = limit - int(row[row < 0].sum())
        if spare < 0:
            raise ValueError(f"row {index} is at least {limit - spare}, more than its bound {limit}; nothing obeys it")
        bits = slack_bits(spare) if relation == "<=" else []
        slack = [(("slack", index, bit), value) for bit, value in enumerate(bits)]
        terms = [(bit, value) for bit, value in enumerate(row.tolist()) if value]
        bqm.add_linear_equality_constraint([*terms, *slack], factor, -limit)

    def feasible(ones: frozenset[int]) -> bool:
        sums = rows[:, list(ones)].sum(axis=1)
        return bool((sums == limits if relation == "==" else sums <= limits).all())

    return Problem(
        "0-1 integer programming", bqm, chosen, feasible, lambda ones: float(gains[list(ones)].sum()), "maximise"
    )


def _integers(name: str, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    array = np.asarray(values)
    if array.size and not (np.issubdtype(array.dtype, np.number) and (array == np.round(array)).all()):
        raise ValueError(f"{name} are not all integers; multiply them until they are")
    return array.astype(np.int64)
