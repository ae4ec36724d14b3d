"""The family in the commands."""

from attractor.cli.felif.commands import FelifCommands

__all__ = ["FelifCommands"]
