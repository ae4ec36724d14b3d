"""The network families behind the commands: the one place where a command finds what differs between them."""

from __future__ import annotations

from enum import StrEnum

from attractor.cli.families.base import Demo, Outcome
from attractor.cli.families.eqprop_demo import EqPropDemo
from attractor.cli.families.oscillator_demo import OscillatorDemo

__all__ = ["DEMOS", "Demo", "FamilyName", "Outcome"]


class FamilyName(StrEnum):
    """Families, as users name them."""

    OSCILLATOR = "oscillator"
    EQPROP = "eqprop"


#: The demo of each family.
DEMOS: dict[FamilyName, type[Demo]] = {FamilyName.OSCILLATOR: OscillatorDemo, FamilyName.EQPROP: EqPropDemo}
