"""The network families behind the commands."""

from __future__ import annotations

from attractor.cli.family import Demo, FamilyCommands, Outcome, Trained
from attractor.spec import Spec, find_family

__all__ = ["Demo", "FamilyCommands", "Outcome", "Trained", "commands_of"]


def commands_of(family: str | Spec) -> FamilyCommands:
    """Return what the commands do for a family, or for that of a spec; raise :class:`ValueError` if they cannot."""
    found = find_family(family if isinstance(family, str) else family.family)
    commands = found.view("commands")
    if commands is None:
        raise ValueError(f"the family {found.name!r} brings nothing for this command; see its package's documentation")
    return commands()
