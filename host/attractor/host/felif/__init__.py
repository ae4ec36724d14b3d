"""What a device of the felif family does."""

from attractor.host.felif.calls import FelifCalls, Frames, joined_results
from attractor.host.felif.interface import NeuronOutputs, NoteLogits, PianoRoll, Ticks

__all__ = [
    "FelifCalls",
    "Frames",
    "NeuronOutputs",
    "NoteLogits",
    "PianoRoll",
    "Ticks",
    "joined_results",
]
