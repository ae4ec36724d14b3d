"""The network families behind the commands: the one place where a command finds what differs between them."""

from __future__ import annotations

from enum import StrEnum

from attractor.cli.families.base import Demo, Family, Outcome, Trained
from attractor.cli.families.eqprop import EqPropFamily
from attractor.cli.families.oscillator import OscillatorFamily

__all__ = ["FAMILIES", "Demo", "Family", "FamilyName", "Outcome", "Trained"]


class FamilyName(StrEnum):
    """Families, as specs and users name them."""

    OSCILLATOR = "oscillator"
    EQPROP = "eqprop"


#: What each family does in the commands.
FAMILIES: dict[str, Family] = {FamilyName.OSCILLATOR: OscillatorFamily(), FamilyName.EQPROP: EqPropFamily()}
