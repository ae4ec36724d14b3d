"""What of the command line is looked up late: nothing of a network is imported for a list of commands."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["LateDefault"]


class LateDefault:
    """A default of an option that is imported when a command runs or shows its help.

    Parameters
    ----------
    place:
        Where it is, ``"module:object"``.
    """

    def __init__(self, place: str) -> None:
        self._module, _, self._name = place.partition(":")

    def __call__(self) -> Any:
        """Return the default: Typer calls what it can."""
        return getattr(import_module(self._module), self._name)

    def __str__(self) -> str:
        return str(self())
