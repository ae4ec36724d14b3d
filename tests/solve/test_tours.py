"""Tours: distances as TSPLIB computes them, their energies, and how damage is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from attractor.solve.problem_files import ProblemFileError, WordedProblem, open_problem, read_problem
from attractor.solve.problems import travelling_salesman

MATRIX = np.array([[0, 3, 8, 6], [3, 0, 5, 7], [8, 5, 0, 1], [6, 7, 1, 0]])


def text(kind: str, section: str, *, places: int = 4, more: str = "") -> str:
    return f"NAME: x\nTYPE : TSP\nCOMMENT: a: b\nDIMENSION: {places}\nEDGE_WEIGHT_TYPE: {kind}\n{more}{section}EOF\n"


def explicit(form: str, matrix: np.ndarray = MATRIX) -> str:
    n = len(matrix)
    rows = {
        "FULL_MATRIX": matrix.tolist(),
        "UPPER_ROW": [matrix[i, i + 1 :].tolist() for i in range(n)],
        "LOWER_ROW": [matrix[i, :i].tolist() for i in range(n)],
        "UPPER_DIAG_ROW": [matrix[i, i:].tolist() for i in range(n)],
        "LOWER_DIAG_ROW": [matrix[i, : i + 1].tolist() for i in range(n)],
    }[form]
    lines = "\n".join(" ".join(map(str, row)) for row in rows)
    return text(
        "EXPLICIT",
        f"EDGE_WEIGHT_SECTION\n{lines}\n",
        places=n,
        more=f"EDGE_WEIGHT_FORMAT: {form}\nNODE_COORD_TYPE: x\n",
    )


def coordinates(kind: str, *places: tuple[float, float]) -> str:
    lines = "".join(f" {i}  {x} {y:e}\n" for i, (x, y) in enumerate(places, 1))
    return text(kind, f"NODE_COORD_SECTION\n{lines}", places=len(places))


def read(path: Any) -> WordedProblem:
    found = read_problem(path)
    assert isinstance(found, WordedProblem)
    return found


def sample(order: tuple[int, ...]) -> dict[Any, int]:
    others = range(1, len(order))
    return {(vertex, place): int(order[place] == vertex) for vertex in others for place in others}


@pytest.mark.parametrize("form", ["FULL_MATRIX", "UPPER_ROW", "LOWER_ROW", "UPPER_DIAG_ROW", "LOWER_DIAG_ROW"])
def test_the_energy_of_every_tour_is_its_length(write: Callable, form: str) -> None:
    found = read(write(explicit(form), packed=form == "UPPER_ROW"))
    assert found.about == {"problem": "tour", "places": 4}
    assert (found.measure, found.constrained, found.bqm.num_variables) == ("length", True, 9)
    for rest in permutations(range(1, 4)):
        order = (0, *rest)
        length = sum(MATRIX[order[i - 1], order[i]] for i in range(4))
        assert found.bqm.energy(sample(order)) == pytest.approx(length)
        assert found.problem.decode(sample(order)) == order
        assert found.problem.objective(order) == length
        assert found.tell(order) == {"tour": [place + 1 for place in order]}
        assert found.values(order)[order[2] + 1] == 3
    assert found.tell(None) == {"tour": None}
    assert found.values(None) == {}
    assert not found.problem.feasible(None)


@pytest.mark.parametrize("seed", range(3))
def test_a_small_penalty_keeps_the_shortest_tour(seed: int) -> None:
    """No sample at all, tour or not, has less energy, for places at random in a square."""
    places = np.random.default_rng(seed).uniform(0, 100, (5, 2))
    distances = np.rint(np.linalg.norm(places[:, None] - places, axis=-1))
    problem = travelling_salesman(distances, penalty="small")
    labels = list(problem.bqm.variables)
    bits = (np.arange(1 << 16)[:, None] >> np.arange(16) & 1).astype(np.int8)
    energies = problem.bqm.energies((bits, labels))
    best = dict(zip(labels, bits[energies.argmin()].tolist(), strict=True))
    order = problem.decode(best)
    assert order is not None
    shortest = min(
        sum(distances[order[i - 1], order[i]] for i in range(5))
        for order in ((0, *rest) for rest in permutations(range(1, 5)))
    )
    assert energies.min() == pytest.approx(shortest)
    plain = travelling_salesman(distances)
    assert max(map(abs, problem.bqm.quadratic.values())) <= max(map(abs, plain.bqm.quadratic.values()))


def test_what_places_have_in_common_is_taken_away() -> None:
    """What every tour pays, whatever its order, costs no coefficient."""
    problem = travelling_salesman(MATRIX + 1000)
    assert max(map(abs, problem.bqm.quadratic.values())) <= 2 * (MATRIX.max() + 1)
    assert problem.bqm.energy(sample((0, 1, 2, 3))) == 4015


@pytest.mark.parametrize(
    ("kind", "places", "expected"),
    [
        ("EUC_2D", [(0, 0), (3, 4), (1, 1)], [5, 4, 1]),  # 5, 3.61, 1.41
        ("CEIL_2D", [(0, 0), (3, 4), (1, 1)], [5, 4, 2]),
        ("ATT", [(0, 0), (3, 4), (10, 0)], [2, 3, 4]),  # 1.58, 2.55 and 3.16, which rounds to 3 and so counts 4
        ("GEO", [(16.47, 96.10), (16.47, 94.44), (20.09, 92.54)], [153, 422, 510]),
    ],
)
def test_distances(write: Callable, kind: str, places: list[tuple[float, float]], expected: list[int]) -> None:
    found = read(write(coordinates(kind, *places)))
    # A tour of three places has one length; with a fourth far away each pair of distances shows.
    assert found.problem.objective((0, 1, 2)) == sum(sorted(expected))


def test_distances_need_not_be_symmetric(write: Callable) -> None:
    matrix = np.array([[0, 1, 9], [9, 0, 1], [1, 9, 0]])
    found = read(write(explicit("FULL_MATRIX", matrix).replace("TYPE : TSP", "TYPE: ATSP")))
    assert [found.problem.objective(order) for order in ((0, 1, 2), (0, 2, 1))] == [3, 27]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text("EUC_3D", ""), "EDGE_WEIGHT_TYPE 'EUC_3D' is not read; EUC_2D, CEIL_2D, GEO, ATT and EXPLICIT are"),
        (text("EUC_2D", "").replace("TSP", "CVRP"), "is a problem of TSPLIB of type 'CVRP'; TSP and ATSP are read"),
        (text("EUC_2D", "").replace(": 4", ": four"), "DIMENSION is 'four'; it must be a number of places"),
        (text("EUC_2D", "").replace("DIMENSION: 4\n", ""), "DIMENSION is ''"),
        (
            text("EUC_2D", "", places=66),
            "has 66 places, which need 4,225 oscillators; a network has at most 4096: take",
        ),
        (text("EUC_2D", "", places=1), "has 1 places"),
        (text("EUC_2D", "NODE_COORD_SECTION\n1 0 0\n2 1 1\n"), "has 4 places and tells where 2 are; copy it again"),
        (text("EUC_2D", "NODE_COORD_SECTION\n1 0 0\n1 1 1\n"), "line 8: '1 1 1': there is this place already"),
        (text("EUC_2D", "NODE_COORD_SECTION\n5 0 0\n"), "line 7: '5 0 0': places are numbered from 1 to 4"),
        (text("EUC_2D", "NODE_COORD_SECTION\n1 0\n"), "line 7: '1 0': a place and its two coordinates are expected"),
        (text("EUC_2D", "NODE_COORD_SECTION\n1 0 nan\n"), "line 7: '1 0 nan': a number is not finite"),
        (text("EUC_2D", "NODE_COORD_SECTION\n1 0 1e308\n"), "line 7: '1 0 1e308': a number is beyond 1e+100"),
        (text("EUC_2D", "NODE_COORD_SECTION\nNODE_COORD_SECTION\n"), "line 7: 'NODE_COORD_SECTION': there is such a"),
        (text("EUC_2D", "FIXED_EDGES_SECTION\n1 2\n"), "line 6: 'FIXED_EDGES_SECTION': TSPLIB has no such field, or"),
        (text("EUC_2D", "").replace("NAME: x", "NAME: x\n3 4"), "line 2: '3 4': a field, 'NAME: value', is expected"),
        (text("EXPLICIT", ""), "EDGE_WEIGHT_FORMAT '' is not read; FULL_MATRIX, UPPER_ROW"),
        (explicit("UPPER_ROW").replace("5 7", "5"), "4 places have 6 distances as UPPER_ROW, and there are 5; copy it"),
        (explicit("UPPER_ROW").replace("5 7", "5 x"), "line 10: '5 x': distances are expected, as numbers"),
        (explicit("UPPER_ROW").replace("5 7", "5 -7"), "line 10: '5 -7': a distance is negative"),
        (explicit("UPPER_ROW").replace("5 7", "5 1e308"), "line 10: '5 1e308': a distance is beyond 1e+100"),
    ],
)
def test_damage(write: Callable, content: str, message: str) -> None:
    path = write(content)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path)
    assert str(path) in str(caught.value)


def test_a_tour_that_was_published(published: Callable) -> None:
    """The optimum of burma14 is 3323."""
    found = read(published("burma14.tsp"))
    assert open_problem(published("burma14.tsp")).kinds == ("tour",)
    assert (found.about["places"], found.bqm.num_variables) == (14, 169)
    order = tuple(place - 1 for place in (1, 2, 14, 3, 4, 5, 6, 12, 7, 13, 8, 11, 9, 10))
    assert found.problem.objective(order) == 3323
    assert found.bqm.energy(sample(order)) == pytest.approx(3323)
