"""What the reads of a problem are judged by, in the problem's own words: a cut, a length, clauses, an energy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.solve.dimod_extra import dimod
from attractor.solve.files.worded import WordedProblem
from attractor.solve.problems import Graph, max_cut

__all__ = ["Measure"]

#: Values that differ by less, relative to the target or to 1, are equal: floating point is not exact.
_CLOSE = 1e-9


@dataclass(frozen=True)
class Measure:
    """What tells how good a sample of a problem is.

    Parameters
    ----------
    name:
        As answers call it, such as ``cut``.
    maximise:
        Whether more is better.
    bqm:
        The energy whose samples are measured.
    of:
        Returns the value of each sample of a set, shape (samples,); NaN for one that breaks a constraint.
    """

    name: str
    maximise: bool
    bqm: dimod.BinaryQuadraticModel
    of: Callable[[dimod.SampleSet], npt.NDArray[np.float64]]

    @classmethod
    def for_problem(cls, problem: Graph | dimod.BinaryQuadraticModel | WordedProblem) -> Measure:
        """Return the measure of a problem as it is read from a file; a graph is cut."""
        if isinstance(problem, Graph):
            return cls("cut", True, max_cut(problem).bqm, lambda samples: -samples.record.energy.astype(np.float64))
        if isinstance(problem, WordedProblem):
            maximise = problem.problem.sense == "maximise"
            return cls(problem.measure, maximise, problem.bqm, lambda samples: _worded(problem, samples))
        return cls("energy", False, problem, lambda samples: samples.record.energy.astype(np.float64))

    def best(self, values: npt.NDArray[np.float64]) -> float | None:
        """Return the best of some values; None if there is none that counts."""
        kept = values[np.isfinite(values)]
        if not kept.size:
            return None
        return float(kept.max() if self.maximise else kept.min())

    def reached(self, values: npt.NDArray[np.float64], target: float) -> npt.NDArray[np.bool_]:
        """Return which values are as good as a target, or better; shape as that of ``values``."""
        close = _CLOSE * max(1.0, abs(target))
        # Comparisons with NaN are false, as is right for what breaks a constraint.
        return values >= target - close if self.maximise else values <= target + close


def _worded(worded: WordedProblem, samples: dimod.SampleSet) -> npt.NDArray[np.float64]:
    problem, labels = worded.problem, list(samples.variables)
    values = np.full(len(samples), np.nan)
    for index, row in enumerate(samples.record.sample.tolist()):
        answer = problem.decode(dict(zip(labels, row, strict=True)))
        if problem.feasible(answer):
            values[index] = problem.objective(answer)
    return values
