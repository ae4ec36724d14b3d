"""How many clock cycles a core takes for a call, by the formulas in its documentation."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeVar

from attractor.golden import Network
from attractor.spec import Region, Spec, family_of
from attractor.trials import UNTIMED

__all__ = ["CycleRange", "Timing", "cycles_of", "reported_cycles"]

Golden = TypeVar("Golden", bound=Network, contravariant=True)


class CycleRange(NamedTuple):
    """Clock cycles of a call: the fewest and the most, both included; the same where they are known exactly."""

    least: int
    most: int

    def holds(self, cycles: int) -> bool:
        """Return whether a call may take so many cycles."""
        return self.least <= cycles <= self.most

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


class Timing(Protocol[Golden]):
    """The clock cycles of a family's cores."""

    def __call__(self, golden: Golden, inputs: bytes, /, *, written: bool) -> CycleRange:
        """Return the cycles of a call that is not aborted. The golden model is as before afterwards.

        Parameters
        ----------
        golden:
            Golden model with the parameters that the core holds before the call.
        inputs:
            Input region of the call.
        written:
            Parameters were written since the call before, or there was none.
        """
        ...


def cycles_of(spec: Spec, golden: Network, inputs: bytes, *, written: bool) -> CycleRange | None:
    """Return the cycles of a call that is to be made next, and not aborted; None if the family does not say.

    Arguments are those of a :class:`Timing`.
    """
    timing: Timing[Any] | None = family_of(spec).view("timing")
    return None if timing is None else timing(golden, inputs, written=written)


def reported_cycles(spec: Spec, outputs: bytes) -> int | None:
    """Return the clock cycles that an output region reports; None if it reports none, or the call was aborted."""
    for values in spec.memory_map.decode(Region.OUTPUT, outputs).values():
        if not isinstance(values, bytes) and UNTIMED in values and not values.get("aborted", False):
            return int(values[UNTIMED])
    return None
