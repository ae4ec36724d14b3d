"""Formulas in conjunctive normal form, plain (DIMACS cnf) and weighted (wcnf, with and without a problem line)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attractor.solve.files.lines import MOST_VERTICES, ProblemFileError, check_size, damage, numbered, odd_number
from attractor.solve.files.worded import WordedProblem
from attractor.solve.problems import max_sat
from attractor.solve.problems.clauses import failing

__all__ = ["FORMULAS", "could_be", "looks_like", "read_formula"]

#: Kinds that a problem line names.
FORMULAS = ("cnf", "wcnf")
#: Longest number, in characters; most literals of all clauses.
_MOST_DIGITS, _MOST_LITERALS = 20, 10_000_000
_HARD, _INTEGER = "h", re.compile(r"-?[0-9]+")


def looks_like(text: str) -> bool:
    """Return whether a text without a problem line is a weighted formula: one of its clauses must hold, ``h ... 0``."""
    for _, words in numbered(text, "c"):
        if words[0] == _HARD:
            return words[-1] == "0" and len(words) > 1
        if words[-1] != "0" or not all(map(_INTEGER.fullmatch, words[1:])):
            return False
    return False


def could_be(text: str) -> bool:
    """Return whether a text may be a weighted formula of which no clause has to hold: whole numbers, 0 at the ends."""
    longest = 0
    for _, words in numbered(text, "c"):
        if words[-1] != "0" or not all(map(_INTEGER.fullmatch, words[1:])):
            return False
        longest = max(longest, len(words))
    return longest > 2


def read_formula(path: Path, text: str) -> WordedProblem:
    """Read ``p cnf VARIABLES CLAUSES``, ``p wcnf VARIABLES CLAUSES [TOP]``, or no such line, and clauses that end in 0.

    A clause of ``wcnf`` begins with its weight. One that weighs TOP or more must hold. Without a problem line the
    weight ``h`` stands for that, and the variables are those that occur. As in SATLIB's files a line ``%`` ends one.

    Raises
    ------
    ProblemFileError
        If it is damaged; the message names the line.
    """
    lines = numbered(text, "c")
    number, words = next(lines, (0, []))
    if not words:
        raise ProblemFileError(f"{path} holds nothing but comments; check the name")
    if words[0] != "p":
        return _worded(path, _Clauses(path, weighted=True).read(numbered(text, "c")), None)
    sizes = words[2:]
    most = 3 if words[1] == "wcnf" else 2
    if not 2 <= len(sizes) <= most or not all(re.fullmatch(r"[0-9]{1,20}", size) for size in sizes):
        last = " and perhaps the weight of those that must hold" if most == 3 else ""
        raise damage(path, number, words, f"'p {words[1]}', variables, clauses{last} are expected")
    variables, announced = int(sizes[0]), int(sizes[1])
    check_size(path, number, words, variables)
    top = float(sizes[2]) if len(sizes) == 3 else math.inf
    found = _Clauses(path, weighted=most == 3, variables=variables, top=top).read(lines)
    if len(found.clauses) != announced:
        raise ProblemFileError(
            f"{path} announces {announced} clauses and has {len(found.clauses)}; copy it again, or correct its problem "
            "line"
        )
    return _worded(path, found, variables)


class _Clauses:
    """Clauses as they are read."""

    def __init__(self, path: Path, *, weighted: bool, variables: int | None = None, top: float = math.inf) -> None:
        self.clauses: list[list[int]] = []
        self.weights: list[float] = []
        self._path, self._weighted, self._variables, self._top = path, weighted, variables, top

    def read(self, lines: Iterator[tuple[int, list[str]]]) -> _Clauses:
        """Read lines; a clause may go over several, and a line may have several."""
        clause: list[int] = []
        begun, literals, last = False, 0, (0, [""])
        for last in lines:
            number, words = last
            if words == ["%"]:
                break
            for word in words:
                if self._weighted and not begun:
                    self.weights.append(self._weight(number, words, word))
                    begun = True
                    continue
                literal = self._literal(number, words, word)
                begun, literals = literal != 0, literals + 1
                if literals > _MOST_LITERALS:
                    raise ProblemFileError(
                        f"{self._path} has more than {_MOST_LITERALS:,} literals; divide the formula"
                    )
                if literal:
                    clause.append(literal)
                else:
                    self._end(number, words, clause)
                    clause = []
        if begun:
            raise damage(self._path, *last, "the last clause does not end in 0; the file was cut off")
        return self

    def _end(self, number: int, words: list[str], clause: list[int]) -> None:
        if not self._weighted:
            self.weights.append(1.0)
        if not clause and math.isinf(self.weights[-1]):
            raise damage(self._path, number, words, "a clause without literals must hold, and cannot")
        self.clauses.append(clause)

    def _weight(self, number: int, words: list[str], word: str) -> float:
        if word == _HARD and self._variables is None:
            return math.inf
        try:
            weight = float(word) if len(word) <= _MOST_DIGITS else math.nan
        except ValueError:
            weight = math.nan
        if weight < 0 or odd_number(weight):
            hard = ", or h" if self._variables is None else ""
            raise damage(self._path, number, words, f"a clause begins with its weight, a number of at least 0{hard}")
        return math.inf if weight >= self._top else weight

    def _literal(self, number: int, words: list[str], word: str) -> int:
        literal = int(word) if len(word) <= _MOST_DIGITS and _INTEGER.fullmatch(word) else None
        if literal is None or abs(literal) > (self._variables or MOST_VERTICES):
            raise damage(
                self._path,
                number,
                words,
                f"literals are numbers from 1 to {self._variables or MOST_VERTICES} or their negatives, and 0 ends a "
                "clause",
            )
        return literal


def _worded(path: Path, found: _Clauses, variables: int | None) -> WordedProblem:
    clauses, weights = found.clauses, found.weights
    if not any(clauses):
        raise ProblemFileError(f"{path} has no clause with literals; there is nothing to solve")
    problem = max_sat(clauses, variables, weights=weights)
    count = variables or max(abs(literal) for clause in clauses for literal in clause)
    hard = [math.isinf(weight) for weight in weights]
    soft = [weight for weight in weights if not math.isinf(weight)]
    plain = all(weight == 1 for weight in soft)

    def tell(answer: tuple[bool, ...]) -> dict[str, Any]:
        failed = failing(clauses, answer)
        broken = sum(hard[index] for index in failed)
        lost = sum(weights[index] for index in failed if not hard[index])
        said: dict[str, Any] = {"satisfied": len(clauses) - len(failed)}
        said |= {"unsatisfied": len(failed)} if not plain or any(hard) else {}
        said |= {} if plain else {"satisfied_weight": sum(soft) - lost}
        return said | ({"hard_clauses_broken": broken} if any(hard) else {})

    return WordedProblem(
        problem,
        {
            "problem": "max-sat",
            "variables": count,
            "clauses": len(clauses),
            **({"hard_clauses": sum(hard)} if any(hard) else {}),
        },
        ("unsatisfied" if not any(hard) else "unsatisfied_soft") if plain else "unsatisfied_weight",
        lambda answer: {variable: int(value) for variable, value in enumerate(answer, 1)},
        tell,
        any(hard),
    )
