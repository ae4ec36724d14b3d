"""Problems with constraints: linear programs with whole variables, and dimod's constrained and quadratic models."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from attractor.intake import IntakeError, refusing
from attractor.solve.dimod_extra import dimod
from attractor.solve.files.guarded import described
from attractor.solve.files.lines import ProblemFileError, checked_model, damage, odd_number
from attractor.solve.files.worded import WordedProblem
from attractor.solve.problems import Problem
from attractor.solve.problems.problem import just_above

__all__ = ["MAGIC", "looks_like", "read_constrained"]

#: First bytes of dimod's files, and what they hold.
MAGIC: dict[bytes, Literal["cqm", "qm"]] = {b"DIMODCQM": "cqm", b"DIMODQM": "qm"}
_WHAT = {"lp": "linear program", "cqm": "constrained quadratic model of dimod", "qm": "quadratic model of dimod"}
_COMMENTS = r"\s*(?:\\[^\n]*\n\s*)*"
_FIRST = re.compile(
    rf"{_COMMENTS}(maximi[sz]e|minimi[sz]e|maximum|minimum|max|min|subject\s+to|such\s+that|s\.?t\.)(?=\s|:|$)",
    re.IGNORECASE,
)
#: Most values of a whole variable, and greatest sum of magnitudes of a row of integers.
_MOST_SPAN, _MOST_ROW = 1 << 16, 1 << 31
#: Greatest denominator of a coefficient in a row, and how near to an integer one is.
_MOST_DENOMINATOR, _CLOSE = 1_000_000, 1e-9
#: How often the greatest coefficient of the objective a broken constraint costs at most, as in dimod.
_TIMES = 10.0
#: What no line of a linear program has.
_NO_PROGRAM = re.compile(r"[^\x20-\x7e\t\u2018\u2019]|[<>=]\s*[<>=]\s*[<>=]|[*/^]\s*[*/]")
#: Linear and quadratic terms with variables by their index, and a constant.
_Terms = tuple[Sequence[tuple[int, float]], Sequence[tuple[int, int, float]], float]


def looks_like(text: str) -> bool:
    """Return whether a text begins as linear programs do."""
    return _FIRST.match(text) is not None


def read_constrained(path: Path, data: bytes, kind: Literal["lp", "cqm", "qm"]) -> WordedProblem:
    """Read a linear program, or a constrained or a quadratic model of dimod, as an energy of bits.

    Variables are binary, spins, or whole with bounds; constraints are linear. dimod turns whole variables into bits and
    inequalities into equations with slack. A broken constraint costs just more than the most by which one bit changes
    the objective, so that no single bit gains by breaking one; and at most ten times the greatest coefficient, as in
    dimod.

    Raises
    ------
    ProblemFileError
        If it is damaged, has other variables or constraints, or a constraint that nothing can keep.
    """
    what, maximise = _WHAT[kind], False
    with refusing(ProblemFileError, path, f"is no intact {what}", "correct it or save it again", Exception):
        if kind == "lp" and (first := _FIRST.match(data.decode())) is not None:
            maximise = first[1].lower().startswith("max")
        found = _described(path, kind, data)
        variables = [_variable(path, *given) for given in found["variables"]]
        count = len(variables)
        objective = _terms(path, "the objective", found["objective"], count)
        rows = [_row(path, count, *given) for given in found["constraints"]]
    with refusing(ProblemFileError, path, f"is no {what} that is read", "change the model", Exception):
        return _worded(path, variables, objective, rows, maximise)


def _described(path: Path, kind: Literal["lp", "cqm", "qm"], data: bytes) -> dict[str, Any]:
    """Return what dimod reads; of linear programs it does not say what it did not understand."""
    try:
        return described(kind, data)
    except IntakeError as error:
        if kind != "lp" or "illegal file format" not in str(error):
            raise
    for number, line in enumerate(data.decode().splitlines(), 1):
        text = line.split("\\")[0]
        if (odd := _NO_PROGRAM.search(text)) is not None:
            raise damage(path, number, text.split(), f"{odd[0]!r} has no meaning in a linear program")
    raise ProblemFileError(
        f"{path} is no linear program that dimod understands; it reads 'Minimize' or 'Maximize', 'Subject To', "
        "'Bounds', 'Binary', 'General' and 'End' with linear constraints 'name: 2 x + 3 y <= 4'; correct it "
        "or save it again"
    )


@dataclass(frozen=True)
class _Variable:
    """A variable: ``least + step * (0 .. span)``."""

    label: Hashable
    least: int
    span: int
    step: int = 1


@dataclass(frozen=True)
class _Row:
    """A constraint: terms, and what their sum is to be."""

    label: Hashable
    terms: _Terms
    sense: str
    right: float

    def holds(self, values: Sequence[int]) -> bool:
        """Return whether values keep it, but for rounding."""
        left = _sum(self.terms, values)
        room = _CLOSE * max(1.0, abs(self.right), *(abs(bias * values[index]) for index, bias in self.terms[0]))
        return {"==": abs(left - self.right) <= room, "<=": left <= self.right + room, ">=": left >= self.right - room}[
            self.sense
        ]


def _label(given: Any) -> Hashable:
    return tuple(map(_label, given)) if isinstance(given, list) else given


def _variable(path: Path, label: Any, vartype: str, least: float, greatest: float) -> _Variable:
    name = _label(label)
    if vartype == "SPIN":
        return _Variable(name, -1, 1, 2)
    if vartype == "REAL":
        raise ProblemFileError(
            f"{path}: variable {name!r} is continuous, and oscillators stand for whole numbers; declare it "
            "as binary or general (integer)"
        )
    if vartype not in ("BINARY", "INTEGER"):
        raise IntakeError(f"variable {name!r} is of type {vartype}")
    if not -1e15 < least <= greatest or not greatest - least < _MOST_SPAN:
        raise ProblemFileError(
            f"{path}: variable {name!r} goes from {least:g} to {greatest:g}; it may have {_MOST_SPAN:,} values: "
            "give it closer bounds"
        )
    low, high = math.ceil(least), math.floor(greatest)
    if high < low:
        raise ProblemFileError(f"{path}: no whole number lies between the bounds of variable {name!r}; correct them")
    return _Variable(name, low, high - low)


def _terms(path: Path, what: str, given: Any, count: int) -> _Terms:
    linear, quadratic, offset = given
    for *places, bias in [*linear, *quadratic, [offset]]:
        if not all(0 <= place < count for place in places):
            raise IntakeError(f"{what} names a variable that is not there")
        if why := odd_number(bias):
            raise ProblemFileError(f"{path}: a coefficient of {what}, {bias:g}, {why}; correct it")
    return [(i, bias) for i, bias in linear if bias], [(i, j, bias) for i, j, bias in quadratic if bias], offset


def _row(path: Path, count: int, label: Any, side: Any, sense: str, right: float, weight: float | None) -> _Row:
    name = _label(label)
    if weight is not None:
        raise ProblemFileError(f"{path}: constraint {name!r} is soft; make it hard, or put its cost into the objective")
    terms = _terms(path, f"constraint {name!r}", side, count)
    if terms[1]:
        raise ProblemFileError(f"{path}: constraint {name!r} is quadratic; only linear ones can be kept")
    if why := odd_number(right):
        raise ProblemFileError(f"{path}: the right side of constraint {name!r}, {right:g}, {why}; correct it")
    return _Row(name, terms, sense, right)


def _sum(terms: _Terms, values: Sequence[int]) -> float:
    linear, quadratic, offset = terms
    total = offset + sum(bias * values[i] for i, bias in linear)
    return total + sum(bias * values[i] * values[j] for i, j, bias in quadratic)


# Energies


def _shifted(terms: _Terms, variables: Sequence[_Variable]) -> dimod.QuadraticModel:
    """Return terms as a model of variables that count from 0, without those that have one value only."""
    qm = _counted(variables, range(len(variables)))
    linear, quadratic, qm.offset = terms

    def add(index: int, bias: float) -> None:
        if variables[index].span:
            qm.add_linear(index, bias * variables[index].step)

    for i, bias in linear:
        qm.offset += bias * variables[i].least
        add(i, bias)
    for i, j, bias in quadratic:
        one, other = variables[i], variables[j]
        qm.offset += bias * one.least * other.least
        add(i, bias * other.least)
        add(j, bias * one.least)
        if i == j and one.span == 1:
            qm.add_linear(i, bias * one.step**2)  # a bit's square is the bit
        elif one.span and other.span:
            qm.add_quadratic(i, j, bias * one.step * other.step)
    return qm


def _counted(variables: Sequence[_Variable], indices: Iterable[int]) -> dimod.QuadraticModel:
    """Return a model of variables that count from 0, without terms."""
    qm = dimod.QuadraticModel()
    for index in indices:
        span = variables[index].span
        if span == 1:
            qm.add_variable("BINARY", index)
        elif span:
            qm.add_variable("INTEGER", index, lower_bound=0, upper_bound=span)
    return qm


def _whole_row(row: _Row, variables: Sequence[_Variable]) -> tuple[list[tuple[int, int]], int] | None:
    """Return a constraint in integers, with variables that count from 0, ``<=`` or ``==``; None if it always holds."""
    sign = -1 if row.sense == ">=" else 1
    room = row.right - row.terms[2] - sum(bias * variables[i].least for i, bias in row.terms[0])
    used = [(i, bias * variables[i].step) for i, bias in row.terms[0] if variables[i].span]
    exact = [Fraction(bias).limit_denominator(_MOST_DENOMINATOR) for _, bias in used]
    right = Fraction(room).limit_denominator(_MOST_DENOMINATOR)
    times = math.lcm(*(part.denominator for part in exact), right.denominator if row.sense == "==" else 1)
    near = all(abs(float(part) - bias) <= _CLOSE * abs(bias) for part, (_, bias) in zip(exact, used, strict=True))
    if not near or times > _MOST_DENOMINATOR or sum(map(abs, exact)) * times > _MOST_ROW:
        raise IntakeError(
            f"the coefficients of constraint {row.label!r} are no multiples of a common value by integers whose sum is "
            f"at most {_MOST_ROW:,}"
        )
    values = [sign * int(part * times) for part in exact]
    common = math.gcd(*values) or 1
    scaled = sign * right * times / common
    terms = [(i, value // common) for (i, _), value in zip(used, values, strict=True)]
    reach = [value * variables[i].span for i, value in terms]
    least, most = sum(min(part, 0) for part in reach), sum(max(part, 0) for part in reach)
    limit = math.floor(scaled + Fraction(_CLOSE))
    if least > limit or (row.sense == "==" and (most < limit or abs(scaled - limit) > _CLOSE)):
        raise IntakeError(f"nothing can keep constraint {row.label!r}")
    always = most <= limit if row.sense != "==" else least == most == limit
    return None if always else (terms, limit)


def _energy(
    objective: _Terms, rows: Sequence[_Row], variables: Sequence[_Variable]
) -> tuple[dimod.BinaryQuadraticModel, Any]:
    """Return the energy of bits, and what turns its samples back."""
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(_shifted(objective, variables))
    penalty = _penalty(dimod.cqm_to_bqm(cqm)[0])
    for row in rows:
        if (whole := _whole_row(row, variables)) is not None:
            side = _counted(variables, [index for index, _ in whole[0]])
            side.add_linear_from(whole[0])
            cqm.add_constraint(side, "==" if row.sense == "==" else "<=", rhs=whole[1])
    return dimod.cqm_to_bqm(cqm, lagrange_multiplier=penalty)


def _penalty(objective: dimod.BinaryQuadraticModel) -> float:
    """Return just more than the most by which one bit changes it, and ten times its greatest term at most."""
    change = {label: abs(bias) for label, bias in objective.linear.items()}
    for (u, v), bias in objective.quadratic.items():
        change[u] += abs(bias)
        change[v] += abs(bias)
    sizes = [abs(bias) for bias in (*objective.linear.values(), *objective.quadratic.values()) if bias]
    if not sizes:
        return 1.0
    return min(_TIMES * max(sizes), just_above(max(change.values()), sizes))


def _worded(
    path: Path, variables: Sequence[_Variable], objective: _Terms, rows: Sequence[_Row], maximise: bool
) -> WordedProblem:
    if not variables:
        raise IntakeError("it has no variables")
    bqm, invert = _energy(objective, rows, variables)

    def decode(sample: Any) -> tuple[int, ...]:
        found = invert(sample)
        return tuple(v.least + v.step * int(found.get(index, 0)) for index, v in enumerate(variables))

    def violated(answer: Sequence[int]) -> int:
        return sum(not row.holds(answer) for row in rows)

    def value(answer: Sequence[int]) -> float:
        return (-1 if maximise else 1) * _sum(objective, answer)

    problem = Problem(
        "constrained",
        checked_model(path, bqm),
        decode,
        lambda answer: not violated(answer),
        value,
        "maximise" if maximise else "minimise",
    )
    return WordedProblem(
        problem,
        {"problem": "constrained" if rows else "quadratic", "variables": len(variables), "constraints": len(rows)},
        "objective",
        lambda answer: {variable.label: value for variable, value in zip(variables, answer, strict=True)},
        lambda answer: {"violated_constraints": violated(answer)} if rows else {},
        bool(rows),
    )
