"""Files that hold problems and their solutions.

Read: graphs as the G-set and rudy have them, and those of DIMACS; QUBO problems as qbsolv and the OR-Library have them;
formulas of DIMACS (cnf, wcnf); matrices of the Matrix Market; tours of TSPLIB; linear programs (LP); and dimod's
models; each of them packed by gzip, too. The readers are in :mod:`attractor.solve.files`.
"""

from __future__ import annotations

from attractor.solve.files.lines import MOST_VERTICES, ProblemFileError
from attractor.solve.files.recognise import MOST_BYTES, Kind, ProblemFile, open_problem, read_problem
from attractor.solve.files.solution import Solution
from attractor.solve.files.worded import WordedProblem

__all__ = [
    "MOST_BYTES",
    "MOST_VERTICES",
    "Kind",
    "ProblemFile",
    "ProblemFileError",
    "Solution",
    "WordedProblem",
    "open_problem",
    "read_problem",
]
