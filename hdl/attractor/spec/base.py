"""What every network family shares: validated specs, integer parameters, JSON and fingerprints."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from attractor.spec.memory_map import MemoryMap, Region

__all__ = [
    "CHUNK_LANES",
    "IntegerArray",
    "ParameterSpec",
    "Parameters",
    "Spec",
    "SpecError",
    "added_field",
    "build_field",
    "ceil_div",
    "check_range",
    "fields_from_dict",
    "fields_to_dict",
]

#: Targets that share one find-first step of a core; small enough for one short path, large enough to keep chunks few.
CHUNK_LANES = 16

IntegerArray = npt.NDArray[np.integer[Any]]
Parameters = Mapping[str, IntegerArray]


class SpecError(ValueError):
    """A network cannot be described so, or data do not fit its description."""


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient rounded up."""
    return -(-numerator // denominator)


def check_range(name: str, value: Any, low: int, high: int) -> None:
    """Raise :class:`SpecError` unless ``value`` is an integer in ``[low, high]``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpecError(f"{name} must be an integer, not {value!r}")
    if not low <= value <= high:
        raise SpecError(f"{name} is {value}; it must lie between {low} and {high}")


@dataclass(frozen=True)
class ParameterSpec:
    """Shape, storage type and range of one named integer parameter.

    Parameters
    ----------
    name:
        Name of the parameter.
    shape:
        Exact shape of the array.
    dtype:
        NumPy integer type in which the array is kept and saved.
    low, high:
        Least and greatest allowed value: a number, or one number for each index of the last axis.
    columns:
        Names of the last axis, for error messages; empty if it has none.
    nonzero:
        Whether 0 is refused.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    low: int | tuple[int, ...]
    high: int | tuple[int, ...]
    columns: tuple[str, ...] = ()
    nonzero: bool = False

    def check(self, values: npt.ArrayLike) -> IntegerArray:
        """Return ``values`` as an array of the right shape and type; raise :class:`SpecError` with the culprit."""
        array = np.asarray(values)
        if array.shape != self.shape:
            raise SpecError(f"{self.name} has shape {array.shape}; this spec needs {self.shape}")
        if not np.issubdtype(array.dtype, np.integer):
            raise SpecError(f"{self.name} has type {array.dtype}; parameters are integers, so round them first")
        low, high = np.broadcast_to(self.low, self.shape), np.broadcast_to(self.high, self.shape)
        outside = (array < low) | (array > high)
        if outside.any():
            index = self._first(outside)
            raise SpecError(
                f"{self._element(index)} is {array[index]}; it must lie between {low[index]} and {high[index]}"
            )
        if self.nonzero and not array.all():
            index = self._first(array == 0)
            raise SpecError(
                f"{self._element(index)} is 0; it must lie between {low[index]} and {high[index]}, without 0"
            )
        return array.astype(self.dtype)

    @staticmethod
    def _first(mask: npt.NDArray[np.bool_]) -> tuple[int, ...]:
        return tuple(int(i) for i in np.argwhere(mask)[0])

    def _element(self, index: tuple[int, ...]) -> str:
        where = list(map(str, index))
        if self.columns:
            where[-1] = repr(self.columns[index[-1]])
        return f"{self.name}[{', '.join(where)}]"


def build_field(default: Any) -> Any:
    """Return a field of a spec that says how a network is built, not what it is: results do not depend on it."""
    return dataclasses.field(default=default, metadata={"build": True})


def added_field(default: Any) -> Any:
    """Return a field of a spec that an earlier version had not.

    A network that keeps the default is the network that it was: it has the same JSON and the same fingerprint.
    """
    return dataclasses.field(default=default, metadata={"added": True})


def fields_from_dict(kind: type[Any], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the arguments of a dataclass that JSON holds; what is missing keeps its default.

    Raises
    ------
    SpecError
        If a field is unknown, as one of a newer version is, or missing without a default.
    """
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    unknown, missing = sorted(given.keys() - fields.keys()), sorted(required - given.keys())
    if unknown or missing:
        raise SpecError(
            f"{what} is not complete: unknown fields {unknown}, missing fields {missing}; was it written by a newer "
            "version? Install that one, or mend the file"
        )
    return dict(given)


def fields_to_dict(described: Any) -> dict[str, Any]:
    """Return the fields of a dataclass for JSON, without those added later that keep their default."""
    kept = {}
    for field in dataclasses.fields(described):
        value = getattr(described, field.name)
        if field.init and not (field.metadata.get("added") and value == field.default):
            kept[field.name] = _to_json(value)
    return kept


def _added_fields(described: Any) -> dict[str, Any]:
    fields = [field for field in dataclasses.fields(described) if field.metadata.get("added")]
    return {field.name: _to_json(getattr(described, field.name)) for field in fields}


def _to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return fields_to_dict(value)
    return tuple(map(_to_json, value)) if isinstance(value, tuple) else value


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):
    """Description of a network, and how it is folded: all that gateware, golden model, trainer and host agree on.

    A subclass is a frozen dataclass whose fields are integers, checked in ``__post_init__``. Most fields are of the
    *network*: what is learnt, and what results depend on. Those made with :func:`build_field`, such as ``lanes``, are
    of the *build*: how the network is laid out in a device. A model belongs to a network and runs in every build of it.
    The subclass says how parameters, inputs and outputs become the bytes of its memory map; nothing else in the project
    knows that layout.
    """

    family: ClassVar[str]

    # Identity

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the family, ready for JSON."""
        return {"family": self.family, **fields_to_dict(self)}

    def to_json(self) -> str:
        """Return the canonical JSON: sorted keys, no white space."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Build a spec of this family from :meth:`to_dict`'s result; fields that are missing keep their default.

        Raises
        ------
        SpecError
            If it is of another family, has an unknown field, or lacks one that has no default.
        """
        family = fields.get("family")
        if family != cls.family:
            raise SpecError(f"this spec is of family {family!r}, not {cls.family!r}")
        given = {key: value for key, value in fields.items() if key != "family"}
        return cls(**fields_from_dict(cls, given, f"this {cls.family} spec"))

    @property
    def fingerprint(self) -> bytes:
        """First 8 bytes of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).digest()[:8]

    def differences(self, other: Spec) -> list[str]:
        """Return one line for each field in which ``other`` differs, as ``"field: ours, theirs"``."""
        # Fields added later are not in a dict if they keep their default.
        ours, theirs = (_added_fields(spec) | spec.to_dict() for spec in (self, other))
        return [
            f"{key}: {ours.get(key, 'absent')}, {theirs.get(key, 'absent')}"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key)
        ]

    # Network and build

    @classmethod
    def build_fields(cls) -> tuple[str, ...]:
        """Names of the fields that say how a network is built."""
        return tuple(field.name for field in dataclasses.fields(cls) if field.metadata.get("build"))

    @property
    def network(self) -> Self:
        """The network alone: this spec in the folding that is used unless another is asked for."""
        defaults = {field.name: field.default for field in dataclasses.fields(self) if field.metadata.get("build")}
        return dataclasses.replace(self, **defaults)

    def network_to_dict(self) -> dict[str, Any]:
        """Return the family and the fields of the network, ready for JSON."""
        return {key: value for key, value in self.to_dict().items() if key not in self.build_fields()}

    def build_to_dict(self) -> dict[str, Any]:
        """Return the fields of the build, ready for JSON."""
        return {key: value for key, value in self.to_dict().items() if key in self.build_fields()}

    def same_network(self, other: Spec) -> bool:
        """Return whether ``other`` describes the same network, however it is built."""
        return self.network_to_dict() == other.network_to_dict()

    def network_differences(self, other: Spec) -> list[str]:
        """Return the lines of :meth:`differences` that are about the network."""
        build = tuple(f"{name}:" for name in self.build_fields())
        return [line for line in self.differences(other) if not line.startswith(build)]

    # Parameters

    @property
    @abstractmethod
    def parameters(self) -> dict[str, ParameterSpec]:
        """The integer arrays that make a model of this spec."""

    def check_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, IntegerArray]:
        """Return all parameters, checked and in their storage types; raise :class:`SpecError` otherwise."""
        expected = self.parameters
        unknown, missing = sorted(parameters.keys() - expected.keys()), sorted(expected.keys() - parameters.keys())
        if unknown or missing:
            raise SpecError(f"parameters do not fit a {self.family} spec: unknown {unknown}, missing {missing}")
        return {name: spec.check(parameters[name]) for name, spec in expected.items()}

    # Bytes: the only place that knows the layout of a device's memory

    @property
    @abstractmethod
    def memory_map(self) -> MemoryMap:
        """The windows through which a device's memories are seen."""

    @abstractmethod
    def encode_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, bytes]:
        """Return the bytes of every parameter window."""

    @abstractmethod
    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        """Inverse of :meth:`encode_parameters`."""

    # Inputs and results of a call

    def decode_input(self, data: bytes) -> Any:
        """Return what an input region says, as a device reads it: unused bits are ignored.

        By default the fields of each window by its name, see :meth:`MemoryMap.decode`.
        """
        return self.memory_map.decode(Region.INPUT, data)

    def encode_output(self, result: Any) -> bytes:
        """Return the output region that reports ``result``, as :meth:`decode_output` returns it."""
        return self.memory_map.encode(Region.OUTPUT, result)

    def decode_output(self, data: bytes) -> Any:
        """Return what an output region reports; by default the fields of each window by its name."""
        return self.memory_map.decode(Region.OUTPUT, data)

    @property
    def winners(self) -> int | None:
        """Number of those of which a result names one as the winner; None in a family that does not say."""
        return None

    def check_winner(self, winner: int) -> None:
        """Raise :class:`SpecError` if a result cannot name this winner."""
        if self.winners is not None:
            check_range("the winner", winner, 0, self.winners - 1)

    def check_result(self, result: Any) -> None:  # noqa: B027 - a family need not say
        """Raise :class:`SpecError` if :meth:`decode_output` returned what no device of this network can report."""

    def encode_changes(self, windows: Mapping[str, bytes], before: Parameters, after: Parameters) -> dict[str, bytes]:
        """Return what parameter windows hold once a device has changed its parameters by itself.

        Bits in which the parameters before and after do not differ stay, those of lanes without a target included.
        """
        old, new = self.encode_parameters(before), self.encode_parameters(after)
        changed = {}
        for name, data in windows.items():
            changes = np.frombuffer(old[name], np.uint8) ^ np.frombuffer(new[name], np.uint8)
            changed[name] = (np.frombuffer(data, np.uint8) ^ changes).tobytes()
        return changed
