"""Network families: one object says where everything of a family is, and one entry point makes it known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from attractor.spec.base import Spec, SpecError

__all__ = ["ENTRY_POINTS", "FAMILIES", "Family", "family_of", "find_family", "forget", "spec_from_dict"]

#: Entry points ``name = module:FAMILY``, by which families are found.
ENTRY_POINTS = "attractor.families"


@dataclass(frozen=True)
class Family:
    """A family of networks, and where each layer finds its view of it.

    A view is named as entry points are, ``"module:object"``, and imported when it is needed first: who describes a
    network needs no gateware, and who builds gateware needs no trainer. What is None has a default, or is not there.

    Parameters
    ----------
    name:
        Name of the family, that of its specs.
    spec:
        Class of its specs.
    golden:
        Golden model: a class that takes a spec and parameters, with the method ``call`` of
        :class:`attractor.golden.Network`.
    core:
        Core: a component that takes a spec, with a member ``bus`` of :class:`attractor.hdl.core.CoreSignature`.
    costs:
        What its cores cost, a :class:`attractor.gateware.costs.CostModel`; None for one that fits any core, roughly.
    trials:
        Random parameters and inputs, a :class:`attractor.trials.Trials`; None for uniform ones.
    timing:
        Clock cycles of its cores, an :class:`attractor.timing.Timing`; None where nothing is said about them.
    bench:
        Module of a cocotb bench that compares states; None for one that compares results and parameters.
    calls:
        Methods of a device, a subclass of :class:`attractor.host.calls.Calls`; None for plain calls.
    classifier:
        Estimator that a model of this family becomes, an :class:`attractor.estimators.ImageClassifier`.
    commands:
        What ``attractor train``, ``bench`` and ``demo`` do, a :class:`attractor.cli.family.FamilyCommands`.
    """

    name: str
    spec: type[Spec]
    golden: str
    core: str
    costs: str | None = None
    trials: str | None = None
    timing: str | None = None
    bench: str | None = None
    calls: str | None = None
    classifier: str | None = None
    commands: str | None = None

    def view(self, name: str) -> Any:
        """Return what the field ``name`` names; None if it is None.

        Raises
        ------
        SpecError
            If it names nothing. A package that is not installed is left to the caller, who knows what brings it.
        """
        place = getattr(self, name)
        if place is None:
            return None
        module, colon, attribute = place.partition(":")
        found = import_module(module)
        if not colon:
            return found
        try:
            return getattr(found, attribute)
        except AttributeError as error:
            raise SpecError(
                f"the family {self.name!r} says that its {name} is {place}, but {module} has no {attribute!r}; "
                "correct the family's declaration"
            ) from error


class _Families(Mapping[str, Family]):
    """All families by name; each is imported when it is asked for."""

    def __getitem__(self, name: str) -> Family:
        return _load(_entries()[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_entries())

    def __len__(self) -> int:
        return len(_entries())


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)}


@cache
def _load(entry: EntryPoint) -> Family:
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        raise SpecError(
            f"the family {entry.name!r} cannot be imported from {entry.value}: {error}; "
            "install its package again, or correct its entry point"
        ) from error
    if not isinstance(found, Family) or found.name != entry.name or found.spec.family != entry.name:
        raise SpecError(
            f"the entry point {entry.name!r} of {ENTRY_POINTS} leads to {entry.value}, which is not the Family of "
            "that name; correct the entry point, or the names of Family and spec"
        )
    return found


def forget() -> None:
    """Look for families anew when one is asked for next: after a package was installed, or put on the path."""
    _entries.cache_clear()
    _load.cache_clear()


#: The network families that are installed, by name.
FAMILIES: Mapping[str, Family] = _Families()


def find_family(name: object) -> Family:
    """Return the family of a name; raise :class:`SpecError` with those that there are."""
    if isinstance(name, str) and name in FAMILIES:
        return FAMILIES[name]
    near = get_close_matches(str(name), list(FAMILIES), 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise SpecError(f"unknown network family {name!r}; this version knows {', '.join(FAMILIES)}{meant}")


def family_of(spec: Spec) -> Family:
    """Return the family of a spec."""
    return find_family(spec.family)


def spec_from_dict(fields: Mapping[str, Any]) -> Spec:
    """Build the spec of whatever family ``fields`` name; raise :class:`SpecError` if there is none."""
    return find_family(fields.get("family")).spec.from_dict(fields)
