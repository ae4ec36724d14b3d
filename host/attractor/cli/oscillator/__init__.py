"""The family in the commands."""

from attractor.cli.oscillator.commands import OscillatorCommands

__all__ = ["OscillatorCommands"]
