"""Problems that have words of their own for their answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from attractor.solve.dimod_extra import dimod
from attractor.solve.problems import Problem

__all__ = ["WordedProblem"]


@dataclass(frozen=True)
class WordedProblem:
    """A problem of a file, and how its answers are told.

    Parameters
    ----------
    problem:
        Energy, way back, and check.
    about:
        What is said of the problem: ``problem``, its kind, and its sizes; ready for JSON.
    measure:
        Name of its objective.
    values:
        Turns an answer into the value of each variable as the file names them; empty for an answer that is none.
    tell:
        Turns an answer into what is said of it beside the objective; ready for JSON.
    constrained:
        Whether there are answers that are not feasible.
    """

    problem: Problem[Any]
    about: Mapping[str, Any]
    measure: str
    values: Callable[[Any], Mapping[Hashable, int]]
    tell: Callable[[Any], Mapping[str, Any]] = field(default=lambda _: {})
    constrained: bool = False

    @property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        """The energy to minimise."""
        return self.problem.bqm
