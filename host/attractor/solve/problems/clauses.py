"""Satisfiability: clauses as energies of few bits with small coefficients."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import combinations

from attractor.solve.dimod_extra import dimod
from attractor.solve.problems.problem import Problem, Sample, just_above

__all__ = ["ClauseSum", "failing", "max_sat", "three_sat"]

#: Most literals of a clause that is not divided: more would need coefficients above half of what a clause counts.
_PIECE = 4
#: A literal's failure as ``constant + sign * variable``.
_Failure = tuple[int, int, Hashable]


class ClauseSum:
    """An energy that counts the weights of the clauses that fail, once its helpers are at their best.

    With S1 the number of a clause's literals that fail, S2 the number of pairs of them, and w a helper, a clause of one
    literal is S1, of two S2, of three ``S2 - w (S1 - 1)``, of four ``S2 - w (2 S1 - 3)``: 1 if all fail, else 0 with w
    at its best (H. Ishikawa, "Transformation of general binary MRF minimization to the first-order case", IEEE TPAMI
    33 (2011) 1234). As spins all couplings and biases of three literals have one magnitude, a quarter of what the
    clause counts, and those of four at most twice that. Longer clauses are divided as a chain, ``(a b c y) (-y d e z)
    (-z f g)``: y and z can be chosen so that at most one piece fails, and none if the clause holds.

    Parameters
    ----------
    variables:
        Number of variables; their labels are the numbers from 1.
    """

    def __init__(self, variables: int) -> None:
        self._linear: dict[Hashable, float] = dict.fromkeys(range(1, variables + 1), 0.0)
        self._quadratic: dict[tuple[Hashable, Hashable], float] = defaultdict(float)
        self._offset = 0.0

    def add(self, literals: Sequence[int], weight: float, index: int) -> None:
        """Add a clause, which costs ``weight`` if it fails; ``index`` names its helpers, tuples ``("clause", ...)``."""
        given = list(dict.fromkeys(literals))
        if any(-literal in given for literal in given):
            return  # it always holds
        fails: list[_Failure] = [(int(literal > 0), -1 if literal > 0 else 1, abs(literal)) for literal in given]
        part = 0
        while len(fails) > _PIECE:
            link = ("clause", index, "link", part)
            self._piece([*fails[: _PIECE - 1], (1, -1, link)], weight, ("clause", index, part))
            fails = [(0, 1, link), *fails[_PIECE - 1 :]]
            part += 1
        self._piece(fails, weight, ("clause", index, part))

    def _piece(self, fails: list[_Failure], weight: float, helper: Hashable) -> None:
        if not fails:
            self._offset += weight
        elif len(fails) == 1:
            self._product(weight, fails[0], (1, 0, None))
        else:
            for one, other in combinations(fails, 2):
                self._product(weight, one, other)
        if len(fails) > 2:
            w, factor = (0, 1, helper), len(fails) - 2
            for one in fails:
                self._product(-factor * weight, one, w)
            self._linear[helper] += weight * (2 * factor - 1)

    def _product(self, weight: float, one: _Failure, other: _Failure) -> None:
        """Add ``weight`` times the product of two."""
        (a, s, x), (b, t, y) = one, other
        self._offset += weight * a * b
        for variable, slope in ((x, s * b), (y, t * a)):
            if variable is not None:
                self._linear[variable] = self._linear.get(variable, 0.0) + weight * slope
        if s and t:
            pair = (x, y) if (y, x) not in self._quadratic else (y, x)
            self._quadratic[pair] += weight * s * t

    @property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        """The energy, of bits."""
        return dimod.BinaryQuadraticModel(self._linear, self._quadratic, self._offset, dimod.BINARY)


def failing(clauses: Sequence[Sequence[int]], answer: Sequence[bool]) -> list[int]:
    """Return the indices of the clauses that fail where variable k has the value ``answer[k - 1]``."""
    return [
        index
        for index, clause in enumerate(clauses)
        if not any(answer[abs(literal) - 1] == (literal > 0) for literal in clause)
    ]


def three_sat(clauses: Sequence[Sequence[int]], variables: int | None = None) -> Problem[tuple[bool, ...]]:
    """Give variables values so that every clause holds.

    Answer: the value of each variable. The energy is the number of clauses that fail, with a helper variable for each
    clause of three; see :class:`ClauseSum`.

    Parameters
    ----------
    clauses:
        1 to 3 literals each: k for variable k, counted from 1, and -k for its negation, as in DIMACS files.
    variables:
        Number of variables; None for the greatest in the clauses.

    Raises
    ------
    ValueError
        If a clause is empty, longer than three literals, or has a literal that is none; the message has its index.
    """
    count = _variables(clauses, variables)
    total = ClauseSum(count)
    for index, clause in enumerate(clauses):
        if not 1 <= len(set(clause)) <= 3 or not all(1 <= abs(literal) <= count for literal in clause):
            raise ValueError(
                f"clause {index} is {list(clause)}; 1 to 3 literals from 1 to {count} or their negatives are needed"
            )
        total.add(clause, 1.0, index)

    def failures(answer: tuple[bool, ...]) -> int:
        return len(failing(clauses, answer))

    return Problem(
        "3-SAT", total.bqm, lambda sample: _values(sample, count), lambda answer: not failures(answer), failures
    )


def max_sat(
    clauses: Sequence[Sequence[int]],
    variables: int | None = None,
    *,
    weights: Sequence[float] | None = None,
    penalty: float | None = None,
) -> Problem[tuple[bool, ...]]:
    """Give variables values so that the clauses that fail weigh least.

    Answer: the value of each variable. Energy: the weights of the clauses that fail; see
    :class:`ClauseSum` for helpers.

    Parameters
    ----------
    clauses:
        Any number of literals each: k for variable k, counted from 1, and -k for its negation, as in DIMACS files.
    variables:
        Number of variables; None for the greatest in the clauses.
    weights:
        Weight of each clause, at least 0, or infinity for one that must hold; None for 1.
    penalty:
        What a clause that must hold costs if it fails. Default 1 more than the weights of the others in which any one
        variable occurs, or a tenth more if they are no integers: no single change of a variable that mends such a
        clause then costs more than it gains. That keeps coefficients small; for a proof take more than the sum of all
        other weights.

    Raises
    ------
    ValueError
        If a literal or a weight is none; the message has the index of its clause.
    """
    count = _variables(clauses, variables)
    costs = [1.0] * len(clauses) if weights is None else list(map(float, weights))
    _check(clauses, costs, count)
    factor = _hard_cost(clauses, costs) if penalty is None else penalty
    total = ClauseSum(count)
    for index, (clause, cost) in enumerate(zip(clauses, costs, strict=True)):
        if cost:
            total.add(clause, factor if math.isinf(cost) else cost, index)
    return Problem(
        "MAX-SAT",
        total.bqm,
        lambda sample: _values(sample, count),
        lambda answer: not any(math.isinf(costs[index]) for index in failing(clauses, answer)),
        lambda answer: sum(costs[index] for index in failing(clauses, answer) if not math.isinf(costs[index])),
    )


def _check(clauses: Sequence[Sequence[int]], costs: list[float], count: int) -> None:
    if len(costs) != len(clauses):
        raise ValueError(f"there are {len(costs)} weights for {len(clauses)} clauses; give one for each")
    for index, (clause, cost) in enumerate(zip(clauses, costs, strict=True)):
        if not all(1 <= abs(literal) <= count for literal in clause):
            raise ValueError(
                f"clause {index} is {list(clause)}; literals from 1 to {count} or -1 to -{count} are needed"
            )
        if not cost >= 0:
            raise ValueError(f"clause {index} weighs {cost}; a weight is at least 0, or infinite")


def _variables(clauses: Sequence[Sequence[int]], variables: int | None) -> int:
    if variables is not None:
        return variables
    return max((abs(literal) for clause in clauses for literal in clause), default=0)


def _values(sample: Sample, count: int) -> tuple[bool, ...]:
    return tuple(bool(sample[variable] > 0) for variable in range(1, count + 1))


def _hard_cost(clauses: Sequence[Sequence[int]], costs: list[float]) -> float:
    """Return just more than the weights of the soft clauses in which any one variable occurs."""
    loads = defaultdict[int, float](float)
    for clause, cost in zip(clauses, costs, strict=True):
        for variable in {abs(literal) for literal in clause} if not math.isinf(cost) else ():
            loads[variable] += cost
    return just_above(max(loads.values(), default=0.0), (cost for cost in costs if not math.isinf(cost)))
