"""What inputs and outputs of spiking networks mean: ticks of some length, voltages and spikes, notes."""

from __future__ import annotations

from dataclasses import dataclass

from attractor.host.interface import Part, check_number, chosen_from
from attractor.spec import SpecError
from attractor.spec.base import check_range

__all__ = ["NeuronOutputs", "NoteLogits", "PianoRoll", "Ticks"]

#: Greatest MIDI number of a note.
_HIGHEST_NOTE = 127


@dataclass(frozen=True)
class Ticks(Part, kind="ticks"):
    """Inputs tick by tick, of a network that stands for one in continuous time.

    Parameters
    ----------
    dt:
        Length of a tick, in the unit of the network's time constants, usually seconds.
    discretisation:
        Decay of a tick: ``"euler"``, ``1 - dt / tau``, or ``"exponential"``, ``exp(-dt / tau)``.
    scale:
        What an input value of 1 stands for.
    """

    dt: float
    discretisation: str = "euler"
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("dt", "scale"):
            object.__setattr__(self, name, _positive(name, getattr(self, name)))
        chosen_from("discretisation", self.discretisation, ("euler", "exponential"))


@dataclass(frozen=True)
class NeuronOutputs(Part, kind="neuron-outputs"):
    """What the last layer's neurons did in a call.

    Parameters
    ----------
    by:
        ``"spikes"``, how often each spiked, or ``"voltages"``, what each held in the end.
    steps_per_volt:
        Integer voltage that stands for 1, for each layer.
    """

    by: str
    steps_per_volt: tuple[float, ...]

    def __post_init__(self) -> None:
        chosen_from("by", self.by, ("spikes", "voltages"))
        object.__setattr__(
            self, "steps_per_volt", tuple(_positive("steps_per_volt", steps) for steps in self.steps_per_volt)
        )


@dataclass(frozen=True)
class PianoRoll(Part, kind="piano-roll"):
    """Chords, one a tick: for each note from the lowest on, whether it sounds.

    Parameters
    ----------
    lowest:
        MIDI number of the first input.
    """

    lowest: int

    def __post_init__(self) -> None:
        check_range("lowest", self.lowest, 0, _HIGHEST_NOTE)


@dataclass(frozen=True)
class NoteLogits(Part, kind="note-logits"):
    """Which notes sound in the next chord: a logit for each note from the lowest on.

    Parameters
    ----------
    lowest:
        MIDI number of the first output.
    one:
        Output that stands for a logit of 1.
    """

    lowest: int
    one: float = 1.0

    def __post_init__(self) -> None:
        check_range("lowest", self.lowest, 0, _HIGHEST_NOTE)
        object.__setattr__(self, "one", _positive("one", self.one))


def _positive(name: str, value: float) -> float:
    number = check_number(name, value)
    if number <= 0:
        raise SpecError(f"{name} is {value!r}; it must be positive")
    return number
