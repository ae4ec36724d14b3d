"""Formulas: what they mean as energies, how they are read, and how damage is told."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import dimod
import numpy as np
import pytest

from attractor.solve.problem_files import Kind, ProblemFileError, WordedProblem, open_problem, read_problem
from attractor.solve.problems import max_sat, three_sat

CNF = "c two\np cnf 4 3\n1 -2 3\n4 0 -1 0\n-3 -4\n0\n%\n0\n"


def failing(clauses: Sequence[Sequence[int]], values: dict[Any, int]) -> list[int]:
    return [i for i, c in enumerate(clauses) if not any(bool(values[abs(k)]) == (k > 0) for k in c)]


def read(path: Any, kind: Kind | None = None) -> WordedProblem:
    found = read_problem(path, kind)
    assert isinstance(found, WordedProblem)
    return found


# Energies


@pytest.mark.parametrize("length", range(8))
@pytest.mark.parametrize("negated", [0, 1, 5, 127])
def test_a_clause_counts_once_if_it_fails(least: Callable, length: int, negated: int) -> None:
    clause = [-k if negated >> (k - 1) & 1 else k for k in range(1, length + 1)]
    bqm = max_sat([clause], max(length, 1)).bqm
    for values, energy in least(bqm, list(range(1, max(length, 1) + 1))):
        assert energy == len(failing([clause], values))


@pytest.mark.parametrize("length", range(1, 12))
def test_coefficients_of_a_clause_are_small(length: int) -> None:
    """As spins: in units of a quarter of what the clause counts, 1 for up to 3 literals, and 2 for more."""
    bqm = max_sat([list(range(1, length + 1))]).bqm
    spins = bqm.spin
    sizes = 4 * np.abs([*spins.linear.values(), *spins.quadratic.values()])
    assert sizes.max() <= (2 if length != 2 and length != 3 else 1)
    assert np.array_equal(sizes, np.round(sizes))
    assert bqm.num_variables - length == max(0, length - 3 + length % 2)


@pytest.mark.parametrize("seed", range(4))
def test_formulas_count_what_fails(least: Callable, seed: int) -> None:
    random = np.random.default_rng(seed)
    clauses = [
        (random.choice([-1, 1], size) * random.choice(np.arange(1, 6), size)).tolist()  # repeated and opposite, too
        for size in random.choice([1, 2, 3, 4, 5], 5)
    ]
    weights = random.integers(0, 4, 5).tolist()
    problem = max_sat(clauses, 5, weights=weights)
    for values, energy in least(problem.bqm, [1, 2, 3, 4, 5]):
        lost = sum(weights[index] for index in failing(clauses, values))
        assert energy == pytest.approx(lost)
        assert problem.objective(tuple(bool(value) for value in values.values())) == lost


def test_clauses_that_must_hold(least: Callable) -> None:
    clauses, weights = [(1, 2), (-1,), (-2,), (-1, -2)], [math.inf, 3, 2, 4]
    problem = max_sat(clauses, weights=weights)
    energies = {tuple(values.values()): energy for values, energy in least(problem.bqm, [1, 2])}
    assert energies == {(0, 0): 8, (1, 0): 3, (0, 1): 2, (1, 1): 9}  # 8 is 1 more than 3 + 4, those of variable 1
    assert [problem.feasible(answer) for answer in product((False, True), repeat=2)] == [False, True, True, True]
    assert max_sat(clauses, weights=weights, penalty=100).bqm.energy({1: 0, 2: 0}) == 100
    small = max_sat([(1,), (-1,)], weights=[math.inf, 0.001])
    assert small.bqm.energy({1: 0}) == pytest.approx(0.0011)


def test_three_literals_are_those_of_the_smallest_form() -> None:
    spins = three_sat([(1, 2, 3)]).bqm.spin
    assert set(map(abs, [*spins.linear.values(), *spins.quadratic.values()])) == {0.25}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: max_sat([(1, 0)]), "clause 0 is [1, 0]; literals from 1 to 1"),
        (lambda: max_sat([(1, 3)], 2), "clause 0 is [1, 3]; literals from 1 to 2"),
        (lambda: max_sat([(1,)], weights=[-1]), "clause 0 weighs -1"),
        (lambda: max_sat([(1,)], weights=[math.nan]), "clause 0 weighs nan"),
        (lambda: max_sat([(1,)], weights=[]), "there are 0 weights for 1 clauses"),
    ],
)
def test_no_formula(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


# Files


@pytest.mark.parametrize("packed", [False, True])
def test_a_formula_of_dimacs(write: Callable, least: Callable, packed: bool) -> None:
    path = write(CNF, packed=packed)
    found = read(path)
    assert open_problem(path).kinds == ("sat",)
    assert found.about == {"problem": "max-sat", "variables": 4, "clauses": 3}
    clauses = [[1, -2, 3, 4], [-1], [-3, -4]]
    for values, energy in least(found.bqm, [1, 2, 3, 4]):
        assert energy == len(failing(clauses, values))
    assert (found.measure, found.constrained) == ("unsatisfied", False)
    answer = (True, True, False, True)
    assert found.problem.objective(answer) == 1
    assert found.tell(answer) == {"satisfied": 2}
    assert found.values(answer) == {1: 1, 2: 1, 3: 0, 4: 1}


OLD = "c old\np wcnf 3 4 10\n10 1 2 0\n3 -1 0\n4 -2 0\n2 3 0\n"
NEW = "c new\nh 1 2 0\n3 -1 0\n4 -2 0\n2 3 0\n"


@pytest.mark.parametrize("text", [OLD, NEW, "3 -1 0\nh 1 2 0\n4 -2 0\n2 3 0\n"])
def test_weighted_formulas(write: Callable, least: Callable, text: str) -> None:
    found = read(write(text))
    assert found.about == {"problem": "max-sat", "variables": 3, "clauses": 4, "hard_clauses": 1}
    assert (found.measure, found.constrained) == ("unsatisfied_weight", True)
    energies = {tuple(values.values()): energy for values, energy in least(found.bqm, [1, 2, 3])}
    assert energies[1, 0, 1] == 3
    assert energies[0, 1, 0] == 6
    assert energies[0, 0, 1] == 5
    assert found.tell((False, False, True)) == {
        "satisfied": 3,
        "unsatisfied": 1,
        "satisfied_weight": 9,
        "hard_clauses_broken": 1,
    }
    assert not found.problem.feasible((False, False, True))
    assert found.problem.objective((True, False, True)) == 3


def test_soft_clauses_alone_have_to_be_asked_for(write: Callable) -> None:
    path = write("3 -1 0\n4 1 2 0\n1 2 -1 0\n")
    with pytest.raises(ProblemFileError, match=r"could be a formula with weights, a graph .* say --as sat"):
        read_problem(path)
    assert read(path, "sat").about["clauses"] == 3
    assert read(write("p wcnf 2 1\n2 1 -2 0\n")).constrained is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p cnf 3\n", "line 1: 'p cnf 3': 'p cnf', variables, clauses are expected"),
        ("p cnf 3 1 4\n1 0\n", "'p cnf', variables, clauses are expected"),
        ("p wcnf 3 1 x\n1 1 0\n", "clauses and perhaps the weight of those that must hold are expected"),
        ("p cnf 0 0\n", "there must be one vertex or variable"),
        ("p cnf 99999999999 1\n1 0\n", "there must be one vertex or variable"),
        ("p cnf 3 1\n1 4 0\n", "line 2: '1 4 0': literals are numbers from 1 to 3 or their negatives, and 0 ends a"),
        ("p cnf 3 1\n1 x 0\n", "line 2: '1 x 0': literals are numbers"),
        ("p cnf 3 1\n1 2\n", "line 2: '1 2': the last clause does not end in 0; the file was cut off"),
        ("p cnf 3 2\n1 2 0\n", "announces 2 clauses and has 1; copy it again"),
        ("p cnf 3 1\n1 0 2 0\n", "announces 1 clauses and has 2"),
        ("p cnf 3 1\n0\n", "has no clause with literals"),
        ("p cnf 3 0\n", "has no clause with literals"),
        ("p wcnf 3 1 9\n-1 2 0\n", "line 2: '-1 2 0': a clause begins with its weight, a number of at least 0;"),
        ("p wcnf 3 1 9\nh 2 0\n", "a clause begins with its weight"),
        ("p wcnf 3 1 9\n1e308 2 0\n", "a clause begins with its weight"),
        ("p wcnf 3 1 9\n9 0\n", "a clause without literals must hold, and cannot"),
        ("h 1 0\nx 1 0\n", "line 2: 'x 1 0': a clause begins with its weight, a number of at least 0, or h;"),
        ("p sat 3\n", "a formula that is in no normal form (DIMACS sat), and such files are not read"),
    ],
)
def test_damage(write: Callable, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path)
    assert str(path) in str(caught.value)


def test_a_formula_that_was_published(published: Callable) -> None:
    found = read(published("uf20-01.cnf"))
    assert found.about == {"problem": "max-sat", "variables": 20, "clauses": 91}
    assert found.bqm.num_variables == 20 + 91
    assert isinstance(found.bqm, dimod.BinaryQuadraticModel)
    assert max(map(abs, found.bqm.spin.quadratic.values())) == 1.25  # in units of a quarter, 5
