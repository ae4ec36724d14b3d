"""The family in the commands."""

from attractor.cli.eqprop.commands import EqPropCommands

__all__ = ["EqPropCommands"]
