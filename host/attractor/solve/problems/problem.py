"""What every problem offers: an energy to minimise, and the way back to an answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from attractor.solve.dimod_extra import dimod

__all__ = ["Problem", "S", "Sample", "add_one_hot", "check_penalty", "chosen", "just_above", "slack_bits"]

#: Value of each variable of a problem, by its label.
Sample = Mapping[Any, Any]
#: What a problem asks for.
S = TypeVar("S")


@dataclass(frozen=True)
class Problem(Generic[S]):
    """A problem as an energy, and what its samples mean.

    The energy of a sample that breaks no constraint is the objective (its negative if the objective is maximised),
    once helper variables are at their best. Broken constraints cost more than any objective gains. So the samples of
    least energy are exactly the optimal answers, or, if no answer is feasible, decode to none.

    Parameters
    ----------
    name:
        Name of the problem.
    bqm:
        The energy; any dimod sampler minimises it.
    decode:
        Turns a sample, ``{label: value}``, into an answer.
    feasible:
        Whether an answer obeys all constraints, checked on the answer itself and not on the energy.
    objective:
        Value of an answer. Where an answer only has to be found, it counts what is wrong with it.
    sense:
        Whether the objective is to be small or large.
    """

    name: str
    bqm: dimod.BinaryQuadraticModel
    decode: Callable[[Sample], S]
    feasible: Callable[[S], bool]
    objective: Callable[[S], float]
    sense: Literal["minimise", "maximise"] = "minimise"

    def best(self, samples: dimod.SampleSet) -> S:
        """Return the answer of the sample of least energy that is feasible.

        Raises
        ------
        ValueError
            If no sample is.
        """
        for sample in samples.samples(sorted_by="energy"):
            answer = self.decode(sample)
            if self.feasible(answer):
                return answer
        raise ValueError(
            f"none of {len(samples)} samples is a feasible answer to {self.name}; take more reads or longer ones"
        )


def chosen(sample: Sample) -> frozenset[Any]:
    """Return the labels of the variables at 1 that are no helpers, which have tuples for labels."""
    return frozenset(label for label, value in sample.items() if value > 0 and not isinstance(label, tuple))


def add_one_hot(bqm: dimod.BinaryQuadraticModel, labels: list[Hashable], penalty: float) -> None:
    """Add ``penalty * (1 - sum of the labels)**2``; the labels become variables if they are none."""
    bqm.add_linear_equality_constraint([(label, 1) for label in labels], penalty, -1)


def slack_bits(largest: int) -> list[int]:
    """Return coefficients of bits whose sums are exactly the integers from 0 to ``largest``."""
    bits = []
    while largest > 0:
        bits.append(min(1 << len(bits), largest))
        largest -= bits[-1]
    return bits


def check_penalty(name: str, penalty: float | None, bound: float, default: float) -> float:
    """Return ``penalty``, or ``default`` for None; raise :class:`ValueError` unless it is greater than ``bound``."""
    if penalty is None:
        return default
    if not penalty > bound:
        raise ValueError(
            f"penalty is {penalty}; {name} needs more than {bound:g}, or breaking a constraint pays: leave it out for "
            f"{default:g}"
        )
    return penalty


def just_above(bound: float, values: Iterable[float]) -> float:
    """Return 1 more than a bound if all values that it comes from are integers, else a tenth more."""
    return bound + 1 if all(float(value).is_integer() for value in values) else 1.1 * bound
