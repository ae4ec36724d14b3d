"""What a model means to its user: how inputs are made and how outputs are read, typed, as model files keep it.

The kinds that any family can use are here; those of one family are declared where its calls are, such as
:mod:`attractor.host.oscillator.interface`. Training sets, rules and metrics are no meaning but provenance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from attractor.spec import SpecError
from attractor.spec.base import fields_from_dict, fields_to_dict

__all__ = ["AnyPart", "ClassName", "Classes", "Interface", "Part", "check_number", "chosen_from"]

AnyPart = TypeVar("AnyPart", bound="Part")
#: What a class can be called: all that JSON tells apart and brings back as it was.
ClassName = int | float | str | bool

_KINDS: dict[str, type[Part]] = {}


class Part:
    """A piece of an interface. Subclasses are frozen dataclasses whose fields JSON can hold, checked when made.

    A subclass says its kind, ``class Degrees(Part, kind="degrees")``, by which files name it; nothing of Python is
    saved. Fields that a later version adds have defaults, so that the files of an earlier one can still be read.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, *, kind: str, **options: Any) -> None:
        super().__init_subclass__(**options)
        before = _KINDS.get(kind)
        if before is not None and (before.__module__, before.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"{cls.__module__}.{cls.__qualname__} cannot be of kind {kind!r}, as {before} is already")
        cls.kind = kind
        _KINDS[kind] = cls

    def to_dict(self) -> dict[str, Any]:
        """Return kind and fields, ready for JSON."""
        return {"kind": self.kind, **fields_to_dict(self)}

    @staticmethod
    def from_dict(fields: Any) -> Part:
        """Return the part of whatever kind ``fields`` name.

        Raises
        ------
        SpecError
            If they name no kind that has been imported, or do not fit it.
        """
        kind = fields.get("kind") if isinstance(fields, Mapping) else None
        found = _KINDS.get(kind) if isinstance(kind, str) else None
        if found is None:
            raise SpecError(
                f"inputs or outputs are of an unknown kind, {kind!r}; this version knows {', '.join(sorted(_KINDS))}: "
                "install the version, or the package, that wrote the file"
            )
        given = {key: value for key, value in fields.items() if key != "kind"}
        try:
            return found(**fields_from_dict(found, given, f"the description {kind!r}"))
        except TypeError as error:
            raise SpecError(f"the description {kind!r} is damaged: {error}; save the model again") from error


@dataclass(frozen=True)
class Classes(Part, kind="classes"):
    """Outputs that name a class.

    Parameters
    ----------
    names:
        The classes, in the order of the outputs: all different, each an integer, a finite float, a string or a boolean,
        which it still is when it comes back from a file.
    by:
        What names one: ``"phases"``, the label closest in phase to the reference, or ``"scores"``, the greatest score.
    """

    names: tuple[ClassName, ...]
    by: str = "scores"

    def __post_init__(self) -> None:
        names = tuple(name.item() if isinstance(name, np.generic) else name for name in self.names)
        for name in names:
            if not isinstance(name, ClassName) or (isinstance(name, float) and not math.isfinite(name)):
                raise SpecError(
                    f"a class is {name!r}; models keep classes that are integers, finite numbers, strings or booleans"
                )
        if not names or len({*names}) < len(names):
            raise SpecError(f"classes are {list(names)}; there must be one at least, and all of them different")
        chosen_from("by", self.by, ("phases", "scores"))
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Interface:
    """What a model means to its user. What is None is not known.

    Parameters
    ----------
    inputs:
        How the inputs of a call are made, for instance from grey pixels.
    outputs:
        How its outputs are read, for instance :class:`Classes`.
    learning:
        What a device has to be told to go on learning.
    """

    inputs: Part | None = None
    outputs: Part | None = None
    learning: Part | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is known, ready for JSON."""
        parts = {"inputs": self.inputs, "outputs": self.outputs, "learning": self.learning}
        return {name: part.to_dict() for name, part in parts.items() if part is not None}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`; raise :class:`SpecError` if a field or a kind is unknown or damaged."""
        given = fields_from_dict(cls, fields, "the description of inputs and outputs")
        return cls(**{name: Part.from_dict(part) for name, part in given.items()})


def check_number(name: str, value: Any) -> float:
    """Return ``value`` as a float; raise :class:`SpecError` unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise SpecError(f"{name} is {value!r}; it must be a finite number")
    return float(value)


def chosen_from(name: str, value: Any, known: tuple[str, ...]) -> str:
    """Return ``value``; raise :class:`SpecError` unless it is one of ``known``."""
    if value not in known:
        raise SpecError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
    return value
