"""How a device compares with the golden model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from attractor.golden import Network
from attractor.host.device import Device
from attractor.spec import IntegerArray, Region, Spec
from attractor.spec.protocol import crc32
from attractor.timing import cycles_of, reported_cycles
from attractor.trials import first_unequal, output_fields, trials_of

__all__ = ["Agreement", "compare_arrays", "compare_calls", "compare_parameters"]


@dataclass(frozen=True)
class Agreement:
    """How a device compares with the golden model; two of them add up.

    Parameters
    ----------
    calls:
        Calls made.
    values, equal_values:
        Numbers of arrays, such as phases, scores or weights, and those that were equal.
    equal_results:
        Calls of which everything else that was reported was equal, too: the single numbers, such as the winner.
    first_difference:
        What differed first; None if nothing did.
    timed:
        Calls of which the clock cycles were compared.
    features:
        Calls that had each feature of the network, by the name of the feature, as
        :meth:`attractor.trials.Trials.features` says; 0 for those that none had.
    """

    calls: int = 0
    values: int = 0
    equal_values: int = 0
    equal_results: int = 0
    first_difference: str | None = None
    timed: int = 0
    features: Counter[str] = field(default_factory=Counter, compare=False)

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
            self.timed + other.timed,
            _sum(self.features, other.features),
        )

    def named(self, place: str) -> Agreement:
        """Return the same with the place before the difference, if there is one."""
        return replace(self, first_difference=self.first_difference and f"{place}, {self.first_difference}")


def compare_arrays(expected: Mapping[str, IntegerArray], found: Mapping[str, IntegerArray]) -> Agreement:
    """Compare arrays of the golden model with those of a device by name, such as parameters after both have learnt."""
    values = sum(array.size for array in expected.values())
    equal = sum(int((array == found[name]).sum()) for name, array in expected.items())
    return Agreement(values=values, equal_values=equal, first_difference=_told(first_unequal(expected, found)))


def compare_calls(
    spec: Spec, golden: Network, inputs: Iterable[bytes], outputs: Iterable[bytes], *, timed: bool = False
) -> Agreement:
    """Make the calls that a device has answered to the golden model as well, and compare all that they report.

    Parameters
    ----------
    spec:
        The network.
    golden:
        Golden model with the parameters that the device held before the calls; it learns what they teach.
    inputs, outputs:
        Input and output regions of all calls, in their order. :meth:`Spec.encode_output` makes the latter of a result.
    timed:
        The device counts clock cycles, and its parameters were written right before the calls: compare the cycles, too,
        with those that :mod:`attractor.timing` counts.
    """
    total = Agreement()
    for index, (given, reported) in enumerate(zip(inputs, outputs, strict=True)):
        cycles = cycles_of(spec, golden, given, written=index == 0) if timed else None
        parameters, answer = dict(golden.parameters), golden.call(given)
        expected, found = output_fields(spec, answer), output_fields(spec, reported)
        numbers = {name: value for name, value in expected.items() if value.ndim == 0}
        single = compare_arrays(numbers, found)
        several = compare_arrays({name: value for name, value in expected.items() if value.ndim}, found)
        counted = None if cycles is None else reported_cycles(spec, reported)
        wrong = cycles is not None and counted is not None and not cycles.holds(counted)
        made = Agreement(
            calls=1,
            values=several.values,
            equal_values=several.equal_values,
            equal_results=int(single.exact and not wrong),
            first_difference=_told(first_unequal(expected, found))
            or (f"cycles is {counted}, expected {cycles}" if wrong else None),
            timed=int(counted is not None),
            features=Counter(trials_of(spec).features(spec, parameters, given, answer)),
        )
        total += made.named(f"call {index}")
    return total


def compare_parameters(device: Device, golden: Network, before: Mapping[str, IntegerArray]) -> Agreement:
    """Compare what a device holds with what the golden model does: all its bytes, by their CRC-32.

    Parameters that no call has changed are read only from a device that differs, and count as nothing if they are
    equal.

    Parameters
    ----------
    device:
        The device, after calls.
    golden:
        The golden model after the same calls.
    before:
        Parameters of both before them.
    """
    spec = device.spec
    changed = {name: array for name, array in golden.parameters.items() if (array != before[name]).any()}
    contents = spec.encode_parameters(golden.parameters)
    windows = [window.name for window in spec.memory_map.region(Region.PARAMETERS)]
    differing = [name for name in windows if device.digest(name) != crc32(contents[name])]
    if not differing:
        count = sum(array.size for array in changed.values())
        return Agreement(values=count, equal_values=count)
    found = compare_arrays(golden.parameters, device.read_parameters())
    if not found.exact:
        return found
    # What differs is read by nobody but the core, such as a copy of some weights.
    first = f"window {differing[0]} has another CRC-32, though the parameters read from the device are right"
    return found + Agreement(values=1, first_difference=first)


def _told(difference: tuple[str, int, int] | None) -> str | None:
    if difference is None:
        return None
    place, expected, found = difference
    return f"{place} is {found}, expected {expected}"


def _sum(one: Counter[str], other: Counter[str]) -> Counter[str]:
    """Return the sum; unlike that of the operator it keeps what is 0."""
    total = Counter(one)
    total.update(other)
    return total
