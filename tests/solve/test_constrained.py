"""Linear programs and dimod's constrained models: what they mean as energies, and how damage is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import dimod
import numpy as np
import pytest

from attractor.intake import IntakeError
from attractor.intake.child import Gone
from attractor.solve.files import guarded
from attractor.solve.problem_files import ProblemFileError, WordedProblem, open_problem, read_problem

PROGRAM = r"""\ a knapsack
Maximize
 gain: 3 x + 4 y + 5 z + 2 n
Subject To
 weight: 2 x + 3 y + 4 z + n <= 8
 one: x + y = 1
 least: 0.5 z + 0.25 n >= 0.5
Bounds
 1 <= n <= 3
Binary
 x y z
General
 n
End
"""


def read(path: Path) -> WordedProblem:
    found = read_problem(path)
    assert isinstance(found, WordedProblem)
    return found


def saved(model: Any) -> bytes:
    with model.to_file() as file:
        return file.read()


def exact(found: WordedProblem) -> tuple[float, set[Any]]:
    """Return the least energy, and the answers that have it."""
    labels = list(found.bqm.variables)
    bits = (np.arange(1 << len(labels))[:, None] >> np.arange(len(labels)) & 1).astype(np.int8)
    energies = found.bqm.energies((bits, labels))
    rows = bits[np.isclose(energies, energies.min())].tolist()
    return float(energies.min()), {found.problem.decode(dict(zip(labels, row, strict=True))) for row in rows}


def best(found: WordedProblem, candidates: Iterable[tuple[int, ...]]) -> tuple[float, set[Any]]:
    """Return the best objective of feasible candidates, as an energy, and those that have it."""
    sign = -1 if found.problem.sense == "maximise" else 1
    kept = {answer: sign * found.problem.objective(answer) for answer in candidates if found.problem.feasible(answer)}
    return min(kept.values()), {answer for answer, value in kept.items() if value == min(kept.values())}


@pytest.mark.parametrize("packed", [False, True])
def test_a_linear_program(write: Callable, packed: bool) -> None:
    path = write(PROGRAM, packed=packed)
    found = read(path)
    assert open_problem(path).kinds == ()
    assert found.about == {"problem": "constrained", "variables": 4, "constraints": 3}
    assert (found.measure, found.constrained, found.problem.sense) == ("objective", True, "maximise")
    candidates = list(product((0, 1), (0, 1), (0, 1), (1, 2, 3)))
    for x, y, z, n in candidates:
        kept = [2 * x + 3 * y + 4 * z + n <= 8, x + y == 1, 0.5 * z + 0.25 * n >= 0.5]
        assert found.problem.feasible((x, y, z, n)) == all(kept)
        assert found.tell((x, y, z, n)) == {"violated_constraints": 3 - sum(kept)}
        assert found.problem.objective((x, y, z, n)) == 3 * x + 4 * y + 5 * z + 2 * n
    energy, answers = exact(found)
    assert (energy, answers) == best(found, candidates) == (-12, {(1, 0, 1, 2)})
    assert found.values((1, 0, 1, 2)) == {"x": 1, "y": 0, "z": 1, "n": 2}
    with pytest.raises(ProblemFileError, match="is nothing to take as cut; leave that out, for it is one thing only"):
        read_problem(path, "cut")


def constrained(minimise: bool = True) -> dimod.ConstrainedQuadraticModel:
    cqm = dimod.ConstrainedQuadraticModel()
    s, b = dimod.Spin("s"), dimod.Binary(("b", 1))
    i, f = dimod.Integer("i", lower_bound=-2, upper_bound=3), dimod.Integer("f", lower_bound=4, upper_bound=4)
    cqm.set_objective((1 if minimise else -1) * (s * b + 3 * i * b - 2 * i + i * i + f * i - s * f + 7))
    cqm.add_constraint(2 * s + i - b >= -1, label="first")
    cqm.add_constraint(2 * i + 4 * b + 6 * f <= 27, label=("c", 2))
    cqm.add_constraint(i + f <= 100, label="always")
    return cqm


@pytest.mark.parametrize("minimise", [True, False])
def test_constrained_models_of_dimod(write: Callable, minimise: bool) -> None:
    """With spins, bits, whole numbers from below 0, and one that has one value only."""
    cqm = constrained(minimise)
    found = read(write(saved(cqm)))
    assert found.about == {"problem": "constrained", "variables": 4, "constraints": 3}
    order = list(cqm.variables)
    values = {"s": (-1, 1), ("b", 1): (0, 1), "i": range(-2, 4), "f": (4,)}
    candidates = list(product(*(values[label] for label in order)))
    for answer in candidates:
        sample = dict(zip(order, answer, strict=True))
        assert found.problem.objective(answer) == pytest.approx(cqm.objective.energy(sample))
        assert found.problem.feasible(answer) == cqm.check_feasible(sample)
        assert found.values(answer) == sample
    energy, answers = exact(found)
    assert (pytest.approx(energy), answers) == best(found, candidates)


def test_quadratic_models_of_dimod(write: Callable) -> None:
    i, b = dimod.Integer("i", lower_bound=-1, upper_bound=2), dimod.Binary("b")
    qm = i * i * 2 - 3 * i * b + b - 1
    found = read(write(saved(qm)))
    assert found.about == {"problem": "quadratic", "variables": 2, "constraints": 0}
    assert found.constrained is False
    order = [label for label in ("i", "b") if label in found.values((0, 0))]
    assert list(found.values((0, 1))) == list(qm.variables) != []
    assert sorted(order) == ["b", "i"]
    energy, answers = exact(found)
    least = min(
        (float(qm.energy({"i": x, "b": y})), tuple({"i": x, "b": y}[label] for label in qm.variables))
        for x, y in product(range(-1, 3), (0, 1))
    )
    assert energy == pytest.approx(least[0])
    assert least[1] in answers


def test_penalties_are_small(write: Callable) -> None:
    """Just more than what one bit changes, and not ten times the greatest coefficient."""
    found = read(write("Minimize\n o: 3 x + 5 y\nSubject To\n c: x + y = 1\nBinary\n x y\nEnd\n"))
    assert found.bqm.energy({0: 0, 1: 0}) == 6
    assert read(write("Subject To\n c: x + y = 1\nBinary\n x y\nEnd\n")).bqm.energy({0: 0, 1: 0}) == 1


def program(constraint: str = "c: x + y <= 1", objective: str = "x + y", bounds: str = "", general: str = "") -> str:
    bounds = f"Bounds\n {bounds}\nBinary\n x y\nGeneral\n {general}\nEnd\n"
    return f"Minimize\n o: {objective}\nSubject To\n {constraint}\n{bounds}"


def soft() -> bytes:
    cqm = constrained()
    cqm.add_constraint(dimod.Spin("s") + dimod.Binary(("b", 1)) <= 1, label="d", weight=2.0)
    return saved(cqm)


def quadratic() -> bytes:
    cqm = constrained()
    cqm.add_constraint(dimod.Spin("s") * dimod.Binary(("b", 1)) <= 1, label="d")
    return saved(cqm)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "Minimize\n o: x + y\nEnd\n",
            "variable 'x' is continuous, and oscillators stand for whole numbers; declare it",
        ),
        (
            program(objective="n", general="n"),
            "variable 'n' goes from 0 to 9.0072e+15; it may have 65,536 values: give",
        ),
        (
            program(objective="n", bounds="n <= 70000", general="n"),
            "variable 'n' goes from 0 to 70000; it may have 65,",
        ),
        (program(objective="n", bounds="1.2 <= n <= 1.8", general="n"), "no whole number lies between the bounds of "),
        (program("c: x + y >= 3"), "is no linear program that is read: nothing can keep constraint 'c'; change the mo"),
        (program("c: 2 x + 4 y = 3"), "nothing can keep constraint 'c'"),
        (
            program("c: 0.123456789123 x + y <= 1"),
            "the coefficients of constraint 'c' are no multiples of a common value",
        ),
        (
            program("c: 1e308 x + y <= 1"),
            "a coefficient of constraint 'c', 1e+308, is beyond 1e+100, where sums overfl",
        ),
        (program(objective="1e308 x + 1e308 y"), "a coefficient of the objective, 1e+308, is beyond 1e+100"),
        (program("c: x + y <= 1e200"), "the right side of constraint 'c', 1e+200, is beyond"),
        (program("c: [ x * y ] <= 1"), "constraint 'c' is quadratic; only linear ones can be kept"),
        (program("c: x + y ≤ 1"), "line 4: 'c: x + y ≤ 1': '≤' has no meaning in a linear program; correct the line"),
        (program("c: x y <= 1 <= 2 <"), "is no linear program that dimod understands; it reads 'Minimize'"),
        ("Minimize\n", "is no"),
        (soft(), "constraint 'd' is soft; make it hard, or put its cost into the objective"),
        (quadratic(), "constraint 'd' is quadratic; only linear ones can be kept"),
        (saved(constrained())[:400], "is no intact constrained quadratic model of dimod: "),
        (b"DIMODQM\2\0\xff\xff\xff\x7f", "is no intact quadratic model of dimod: "),
    ],
)
def test_damage(write: Callable, content: str | bytes, message: str) -> None:
    path = write(content)
    with pytest.raises(ProblemFileError, match=re.escape(message)) as caught:
        read_problem(path)
    assert str(path) in str(caught.value)


# The process that reads


def test_a_reader_that_breaks_down_is_started_again(write: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(PROGRAM)
    read_problem(path)
    process = guarded._CHILD._process
    assert process is not None
    process.kill()
    process.wait()
    read_problem(path)
    monkeypatch.setattr(guarded, "_answer", _gone)
    with pytest.raises(
        ProblemFileError, match=r"dimod's reader breaks down on it, or needs more memory .*; correct it or"
    ):
        read_problem(path)
    monkeypatch.undo()
    guarded._CHILD.stop()
    assert read(path).about["variables"] == 4


def _gone() -> bytes:
    raise Gone


def test_a_reader_that_does_not_come_back_is_ended(
    write: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, hangs = write(PROGRAM), tmp_path / "hangs.py"
    hangs.write_text("import sys, time\nprint('ready', flush=True)\nsys.stdin.readline()\ntime.sleep(1000)\n")
    guarded._CHILD.stop()
    monkeypatch.setattr(guarded._CHILD, "program", hangs)
    monkeypatch.setattr(guarded, "_SECONDS", 0.2)
    with pytest.raises(ProblemFileError, match="dimod's reader does not finish within 0 s"):
        read_problem(path)
    monkeypatch.undo()
    assert read(path).about["variables"] == 4


def test_files_that_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "_MOST_BYTES", 3)
    with pytest.raises(IntakeError, match="it has 4 bytes; such a file may have 3"):
        guarded.described("lp", b"abcd")


def test_too_many_variables(write: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "_MOST_VARIABLES", 3)
    with pytest.raises(ProblemFileError, match="it has 4 variables; it may have 3"):
        read_problem(write(PROGRAM))
