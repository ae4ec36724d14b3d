"""The network families behind the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attractor.cli.family import Demo, FamilyCommands, Outcome, Trained
from attractor.cli.output import output

if TYPE_CHECKING:
    from attractor.spec import Spec

__all__ = ["Demo", "FamilyCommands", "Outcome", "Trained", "all_commands", "commands_of"]

#: A package, too: modules of version 0.1 that were below this one are found by their old names.
__path__: list[str] = []


def commands_of(family: str | Spec) -> FamilyCommands:
    """Return what the commands do for a family, or for that of a spec.

    Raises
    ------
    SpecError
        If there is no such family.
    ValueError
        If the family brings nothing for the commands.
    """
    from attractor.spec import find_family

    found = find_family(family if isinstance(family, str) else family.family)
    commands = found.view("commands")
    if commands is None:
        raise ValueError(
            f"the family {found.name!r} brings nothing for this command; use its Python package, or info, load, test, "
            "board and build, which serve every family"
        )
    return commands()


def all_commands() -> dict[str, FamilyCommands]:
    """Return what every family brings, by the family's name; one that cannot be imported is told of and left out."""
    from attractor.spec.family import FAMILIES

    found: dict[str, FamilyCommands] = {}
    for name in FAMILIES:
        try:
            if (commands := FAMILIES[name].view("commands")) is not None:
                found[name] = commands()
        except (ValueError, ImportError) as error:
            output.log(f"family {name} is left out: {error}")
    return found
