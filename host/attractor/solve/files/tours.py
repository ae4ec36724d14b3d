"""Tours as TSPLIB has them: places and their distances.

The formulas are those of G. Reinelt, "TSPLIB 95" (1995), with its own value of pi.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.solve.files.lines import ProblemFileError, damage, numbers, odd_number
from attractor.solve.files.worded import WordedProblem
from attractor.solve.ising import MOST_OSCILLATORS
from attractor.solve.problems import travelling_salesman

__all__ = ["looks_like", "read_tour"]

#: Most places: one is fixed, and each other one needs an oscillator for each place in the order.
_MOST_PLACES = math.isqrt(MOST_OSCILLATORS) + 1
_KEYS = (
    "NAME",
    "TYPE",
    "COMMENT",
    "DIMENSION",
    "CAPACITY",
    "EDGE_WEIGHT_TYPE",
    "EDGE_WEIGHT_FORMAT",
    "EDGE_DATA_FORMAT",
    "NODE_COORD_TYPE",
    "DISPLAY_DATA_TYPE",
)
_PLACES, _DISTANCES, _DISPLAY = "NODE_COORD_SECTION", "EDGE_WEIGHT_SECTION", "DISPLAY_DATA_SECTION"
_KEY = re.compile(r"\s*([A-Z_]+)\s*:?\s*(.*?)\s*$")
_FIRST = re.compile(rf"\s*(?:{'|'.join(_KEYS)})\s*:|\s*(?:{_PLACES}|{_DISTANCES})\b")
#: Radius of the earth in km, and pi, as TSPLIB has them.
_RADIUS, _PI = 6378.388, 3.141592
_Place = tuple[float, float]


def looks_like(text: str) -> bool:
    """Return whether a text begins as TSPLIB's files do."""
    return _FIRST.match(text) is not None


def read_tour(path: Path, text: str) -> WordedProblem:
    """Read a problem of type TSP or ATSP with distances EUC_2D, CEIL_2D, GEO, ATT or EXPLICIT.

    Places are numbered from 1, distances are whole numbers or, if they are explicit, any of at least 0.

    Raises
    ------
    ProblemFileError
        If it is damaged, too large, or of a type that is not read; the message names the line.
    """
    fields, sections = _parts(path, text)
    kind = fields.get("TYPE", "TSP").split(None, 1)[0] if fields.get("TYPE", "TSP") else ""
    if kind not in ("TSP", "ATSP"):
        raise ProblemFileError(f"{path} is a problem of TSPLIB of type {kind[:20]!r}; TSP and ATSP are read")
    size = fields.get("DIMENSION", "")
    if not re.fullmatch(r"[0-9]{1,9}", size):
        raise ProblemFileError(f"{path}: DIMENSION is {size[:20]!r}; it must be a number of places")
    places = int(size)
    if not 2 <= places <= _MOST_PLACES:
        raise ProblemFileError(
            f"{path} has {places:,} places, which need {max(places - 1, 0) ** 2:,} oscillators; a network has at most "
            f"{MOST_OSCILLATORS}: take 2 to {_MOST_PLACES} places"
        )
    weights = fields.get("EDGE_WEIGHT_TYPE", "")
    if weights == "EXPLICIT":
        distances = _explicit(path, fields.get("EDGE_WEIGHT_FORMAT", ""), sections.get(_DISTANCES, []), places)
    elif weights in _MEASURES:
        distances = _measured(path, _MEASURES[weights], sections.get(_PLACES, []), places)
    else:
        known = ", ".join(_MEASURES)
        raise ProblemFileError(f"{path}: EDGE_WEIGHT_TYPE {weights[:20]!r} is not read; {known} and EXPLICIT are")
    return _worded(distances)


_Lines = list[tuple[int, list[str]]]


def _parts(path: Path, text: str) -> tuple[dict[str, str], dict[str, _Lines]]:
    """Return the fields of a file, and the lines of its sections."""
    fields, sections = dict[str, str](), dict[str, _Lines]()
    current: _Lines | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = _KEY.match(line) if line.lstrip()[0].isalpha() else None
        if found is None:
            if current is None:
                raise damage(path, number, line.split(), "a field, 'NAME: value', is expected")
            current.append((number, line.split()))
        elif found[1] == "EOF":
            break
        elif found[1] in (_PLACES, _DISTANCES, _DISPLAY):
            if found[1] in sections:
                raise damage(path, number, line.split(), "there is such a section already")
            current = sections[found[1]] = []
        elif found[1] in _KEYS:
            fields[found[1]], current = found[2], None
        else:
            raise damage(path, number, line.split(), "TSPLIB has no such field, or it is one that is not read")
    return fields, sections


# Distances


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def _euclidean(one: _Place, other: _Place) -> int:
    return _round(math.dist(one, other))


def _ceiling(one: _Place, other: _Place) -> int:
    return math.ceil(math.dist(one, other))


def _pseudo_euclidean(one: _Place, other: _Place) -> int:
    exact = math.dist(one, other) / math.sqrt(10)
    return _round(exact) + (_round(exact) < exact)


def _geographic(one: _Place, other: _Place) -> int:
    (north, east), (north_2, east_2) = (tuple(map(_radians, place)) for place in (one, other))
    q1, q2, q3 = math.cos(east - east_2), math.cos(north - north_2), math.cos(north + north_2)
    cosine = 0.5 * ((1 + q1) * q2 - (1 - q1) * q3)
    return int(_RADIUS * math.acos(max(-1.0, min(1.0, cosine))) + 1)


def _radians(degrees: float) -> float:
    """Turn degrees, with minutes behind the point, into radians."""
    whole = math.trunc(degrees)
    return _PI * (whole + 5 * (degrees - whole) / 3) / 180


_MEASURES: dict[str, Callable[[_Place, _Place], int]] = {
    "EUC_2D": _euclidean,
    "CEIL_2D": _ceiling,
    "GEO": _geographic,
    "ATT": _pseudo_euclidean,
}


def _measured(path: Path, measure: Callable[[_Place, _Place], int], lines: _Lines, places: int) -> npt.NDArray[Any]:
    found = dict[int, _Place]()
    for number, words in lines:
        place, x, y = numbers(path, number, words, (3,), "a place and its two coordinates", whole=1)
        if not 1 <= place <= places:
            raise damage(path, number, words, f"places are numbered from 1 to {places}")
        if int(place) in found:
            raise damage(path, number, words, "there is this place already")
        found[int(place)] = (x, y)
    if len(found) < places:
        raise ProblemFileError(f"{path} has {places} places and tells where {len(found)} are; copy it again")
    order = [found[place] for place in range(1, places + 1)]
    return np.array([[0 if one is other else measure(one, other) for other in order] for one in order], np.float64)


#: Places of a matrix that a format gives, row by row.
_FORMS: dict[str, Callable[[int], Iterator[tuple[int, int]]]] = {
    "FULL_MATRIX": lambda n: ((i, j) for i in range(n) for j in range(n)),
    "UPPER_ROW": lambda n: ((i, j) for i in range(n) for j in range(i + 1, n)),
    "LOWER_ROW": lambda n: ((i, j) for i in range(n) for j in range(i)),
    "UPPER_DIAG_ROW": lambda n: ((i, j) for i in range(n) for j in range(i, n)),
    "LOWER_DIAG_ROW": lambda n: ((i, j) for i in range(n) for j in range(i + 1)),
}


def _explicit(path: Path, form: str, lines: _Lines, places: int) -> npt.NDArray[np.float64]:
    if form not in _FORMS:
        raise ProblemFileError(f"{path}: EDGE_WEIGHT_FORMAT {form[:20]!r} is not read; {', '.join(_FORMS)} are")
    values = []
    for number, words in lines:
        for word in words:
            try:
                values.append(float(word))
            except ValueError:
                raise damage(path, number, words, "distances are expected, as numbers") from None
            if values[-1] < 0 or odd_number(values[-1]):
                raise damage(path, number, words, f"a distance {odd_number(values[-1]) or 'is negative'}")
    ends = list(_FORMS[form](places))
    if len(values) != len(ends):
        raise ProblemFileError(
            f"{path}: {places} places have {len(ends)} distances as {form}, and there are {len(values)}; copy it again"
        )
    matrix = np.zeros((places, places))
    for (i, j), value in zip(ends, values, strict=True):
        matrix[i, j] = value
        if form != "FULL_MATRIX":
            matrix[j, i] = value
    return matrix


def _worded(distances: npt.NDArray[np.float64]) -> WordedProblem:
    places = len(distances)

    def tour(answer: tuple[int, ...] | None) -> list[int] | None:
        return None if answer is None else [place + 1 for place in answer]

    return WordedProblem(
        travelling_salesman(distances, penalty="small"),
        {"problem": "tour", "places": places},
        "length",
        lambda answer: {place: position for position, place in enumerate(tour(answer) or [], 1)},
        lambda answer: {"tour": tour(answer)},
        constrained=True,
    )
