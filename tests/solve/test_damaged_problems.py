"""Problem files with any damage: they are refused by their own error, or are still problems."""

from __future__ import annotations

from pathlib import Path

import dimod
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attractor.solve.files import guarded
from attractor.solve.problem_files import Kind, ProblemFileError, WordedProblem, read_problem
from attractor.solve.problems import Graph

#: An intact file of each format, and what it is taken as.
INTACT: list[tuple[str, Kind | None]] = [
    ("4 3\n1 2 1\n4 3 -2\n1 3\n", "cut"),
    ("1 2 1\n4 3 -2\n", "qubo"),
    ("p edge 4 3\ne 1 2\ne 2 3\nn 1 7\ne 3 4\n", None),
    ("p qubo 0 4 2 2\n0 0 3.4\n3 3 -2\n0 1 2.2\n1 3 -0.5\n", None),
    ("# vartype=SPIN\n0 1 1\n1 1 -2.5\n", None),
    ("p cnf 5 3\n1 -2 3 0 4 5\n-1 2 3 0\n-5 0\n%\n0\n", None),
    ("p wcnf 3 3 10\n10 1 2 0\n3 -1 0\n2.5 2 -3 0\n", None),
    ("h 1 2 0\n3 -1 0\n4 -2 3 0\n", None),
    ("2\n2 1\n1 1 5\n3 2\n1 2 2\n3 3 -1\n", None),
    ("%%MatrixMarket matrix coordinate real symmetric\n% x\n4 4 3\n2 1 1.5\n3 2 -1\n4 1 1e3\n", "cut"),
    ("%%MatrixMarket matrix array integer general\n2 2\n0\n3\n3\n0\n", "ising"),
    (
        "NAME: x\nTYPE: TSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: GEO\nNODE_COORD_SECTION\n1 0 0\n2 1.5 3\n3 -4 1e1\nEOF\n",
        None,
    ),
    (
        "DIMENSION: 3\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: UPPER_ROW\nEDGE_WEIGHT_SECTION\n1 2\n3\n",
        None,
    ),
    ("Maximize\n o: 3 x + 2 n\nSubject To\n w: 2 x + n <= 4\nBounds\n n <= 3\nBinary\n x\nGeneral\n n\nEnd\n", None),
]
#: What damage puts into a file.
PARTS = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "7",
        "1e308",
        "-inf",
        "nan",
        "1e-320",
        "9" * 30,
        "99999999",
        "x",
        "h",
        "%",
        "\0",
        "\n",
        " ",
        "é",
        ":",
        "<=",
    ]
)


@pytest.mark.parametrize("index", range(len(INTACT)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_refused_or_leaves_a_problem(tmp_path: Path, index: int, data: st.DataObject) -> None:
    text, kind = INTACT[index]
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = min(len(text), begin + data.draw(st.integers(0, 12)))
        text = text[:begin] + data.draw(PARTS) + text[end:]
    if data.draw(st.integers(0, 4)) == 0:
        text = text[: data.draw(st.integers(0, len(text)))]
    path = tmp_path / "problem"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guarded, "_SECONDS", 0.5)  # dimod does not come back from some damaged programs
        for taken in {kind, None}:
            told = outcome(path, taken)
            assert told.isprintable()
            assert not told or str(path) in told


def outcome(path: Path, kind: Kind | None) -> str:
    """Return why a file is refused; nothing if it is a problem."""
    try:
        found = read_problem(path, kind)
    except ProblemFileError as error:
        return str(error)
    assert isinstance(found, Graph | dimod.BinaryQuadraticModel | WordedProblem)
    return ""


@pytest.mark.parametrize("index", range(len(INTACT)))
def test_intact_files_are_read(tmp_path: Path, index: int) -> None:
    text, kind = INTACT[index]
    path = tmp_path / "problem"
    path.write_bytes(text.encode())
    number = 2 if text.startswith("2\n") else None
    assert isinstance(read_problem(path, kind, number), Graph | dimod.BinaryQuadraticModel | WordedProblem)
