"""The network families behind the commands: the one place where a command finds what differs between them."""

from __future__ import annotations

from enum import StrEnum

from attractor.cli.families.base import Demo, Family, Outcome, Trained
from attractor.cli.families.eqprop import EqPropFamily
from attractor.cli.families.felif import FelifFamily
from attractor.cli.families.oscillator import OscillatorFamily
from attractor.spec import Spec

__all__ = ["FAMILIES", "Demo", "Family", "FamilyName", "Outcome", "Trained", "family_of"]


class FamilyName(StrEnum):
    """Families, as specs and users name them."""

    OSCILLATOR = "oscillator"
    EQPROP = "eqprop"
    FELIF = "felif"


#: What each family does in the commands.
FAMILIES: dict[str, Family] = {
    FamilyName.OSCILLATOR: OscillatorFamily(),
    FamilyName.EQPROP: EqPropFamily(),
    FamilyName.FELIF: FelifFamily(),
}


def family_of(spec: Spec) -> Family:
    """Return the family of a network; raise :class:`ValueError` if the commands do not know it."""
    if spec.family not in FAMILIES:
        raise ValueError(f"this command is for {', '.join(FAMILIES)}, and the network is of family {spec.family!r}")
    return FAMILIES[spec.family]
