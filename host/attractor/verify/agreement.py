"""How a device compares with the golden model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attractor.spec import IntegerArray

__all__ = ["Agreement", "compare_arrays", "compare_results"]


@dataclass(frozen=True)
class Agreement:
    """How a device compares with the golden model; two of them add up.

    Parameters
    ----------
    calls:
        Calls made.
    values, equal_values:
        Numbers compared one by one, such as phases, scores or counters, and those that were equal.
    equal_results:
        Calls of which everything else that was reported was equal, too.
    first_difference:
        What differed first; None if nothing did.
    """

    calls: int = 0
    values: int = 0
    equal_values: int = 0
    equal_results: int = 0
    first_difference: str | None = None

    @property
    def exact(self) -> bool:
        """Everything was equal."""
        return self.equal_values == self.values and self.equal_results == self.calls

    @property
    def ratio(self) -> float:
        """Share of the values that were equal."""
        return self.equal_values / self.values if self.values else 1.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.calls + other.calls,
            self.values + other.values,
            self.equal_values + other.equal_values,
            self.equal_results + other.equal_results,
            self.first_difference or other.first_difference,
        )

    def named(self, place: str) -> Agreement:
        """Return the same with the place before the difference, if there is one."""
        first = self.first_difference and f"{place}, {self.first_difference}"
        return Agreement(self.calls, self.values, self.equal_values, self.equal_results, first)


def compare_arrays(expected: Mapping[str, IntegerArray], found: Mapping[str, IntegerArray]) -> Agreement:
    """Compare arrays of the golden model with those of a device by name, such as parameters after both have learnt."""
    values = equal = 0
    first = None
    for name, array in expected.items():
        differs = array != found[name]
        values += array.size
        equal += array.size - int(differs.sum())
        if first is None and differs.any():
            place = tuple(int(index[0]) for index in differs.nonzero())
            first = f"{name}{list(place)} is {found[name][place]}, expected {array[place]}"
    return Agreement(values=values, equal_values=equal, first_difference=first)


def compare_results(
    expected: Sequence[Any], found: Sequence[Any], numbers: str, encode: Callable[[Any], bytes]
) -> Agreement:
    """Compare what a device reported of calls with what the golden model did.

    Cycles are not compared: the golden model has none.

    Parameters
    ----------
    expected, found:
        Results of the same calls, dataclasses of one type with a field ``cycles``.
    numbers:
        Name of the field whose numbers are compared one by one.
    encode:
        Returns all that a result says, as bytes.
    """
    equal = same = values = 0
    first = None
    for index, (golden, device) in enumerate(zip(expected, found, strict=True)):
        result = replace(device, cycles=golden.cycles)
        wanted, got = getattr(golden, numbers), getattr(result, numbers)
        values += wanted.size
        equal += int((got == wanted).sum())
        if encode(result) == encode(golden):
            same += 1
        elif first is None:
            first = f"call {index}: {_told(result, numbers)}, expected {_told(golden, numbers)}"
    return Agreement(len(found), values, equal, same, first)


def _told(result: Any, numbers: str) -> str:
    fields = ", ".join(f"{name} {value}" for name, value in vars(result).items() if name not in (numbers, "cycles"))
    return f"{numbers} {getattr(result, numbers).tolist()}, {fields}"
