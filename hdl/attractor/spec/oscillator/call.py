"""What an oscillator network is given for a call, what it reports, and the records of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from warnings import warn

import numpy as np
import numpy.typing as npt

from attractor.spec.base import IntegerArray
from attractor.spec.records import Field, Record, unused

__all__ = [
    "FLIP_BITS",
    "FLIP_MASKS",
    "FLIP_SHARES",
    "MIXING_WORDS",
    "NOISE_SHIFTS",
    "NO_WINNER",
    "RESULT",
    "SCHEDULE_COLUMNS",
    "SCHEDULE_ENTRY",
    "SEED_BITS",
    "OscillatorInput",
    "OscillatorResult",
    "decoded_result",
    "schedule_entry",
    "signs",
    "state_record",
]

#: Width of the seed of a call; every value is a seed.
SEED_BITS = 63
#: Words of the generator that pass before the first start phase is drawn: those of small seeds are alike.
MIXING_WORDS = 8
#: Reported as the winner by a network without labels.
NO_WINNER = 0xFFFF

#: A word of the window ``schedule``.
SCHEDULE_ENTRY = Record(
    (
        Field("periods", 16, meaning="periods of the entry; 0 ends the schedule"),
        Field("noise", 16, meaning="amplitude of the noise"),
        Field("max_step", 8, meaning="most slots by which a phase moves in a slot"),
        Field("lock", 16, meaning="strength of the harmonic lock"),
        Field("alternate", 8, meaning="not 0: every other oscillator moves in a slot"),
    )
)
#: Columns of the schedule.
SCHEDULE_COLUMNS = tuple(field.name for field in SCHEDULE_ENTRY)

#: Who may flip is the and of two masks, each made of up to three bits of a random word. For the values of the column
#: ``flips`` from 1 on, how each of the two masks is made: 0 for all lanes, k if the first k bits are set, -k if one of
#: the first k is.
FLIP_MASKS = (
    (0, 0),
    (-3, 0),
    (-3, -3),
    (-3, -2),
    (-2, -2),
    (-3, 1),
    (-2, 1),
    (1, 1),
    (-3, 2),
    (-2, 2),
    (2, 1),
    (-2, 3),
    (2, 2),
    (2, 3),
    (3, 3),
)
#: The bits of each mask: a stride and three offsets. Lane l, of the block b = l // 64, reads the bits at
#: ``(l + offset + stride * b) % 64``. The two masks never read the same bit, and no two lanes read the same two masks.
FLIP_BITS = ((1, (5, 23, 47)), (3, (38, 14, 50)))
#: Of all targets, those that may flip in a slot, at random; by the values of the column ``flips`` from 1 on.
FLIP_SHARES = (
    *(1.0, 7 / 8, 49 / 64, 21 / 32, 9 / 16, 7 / 16, 3 / 8),
    *(1 / 4, 7 / 32, 3 / 16, 1 / 8, 3 / 32, 1 / 16, 1 / 32, 1 / 64),
)
#: The noise of targets that flip is a sum of random signs, each times the amplitude shifted right by so many bits:
#: almost a normal distribution, with tails up to 2.25 standard deviations, each 0.94 of the amplitude. The signs are
#: added one after the other, so that a lane needs no table.
NOISE_SHIFTS = (1, 1, 1, 2, 2, 3)


def schedule_entry(*, flips: bool) -> Record:
    """Return a word of the window ``schedule``; with ``flips`` that of networks whose targets can flip."""
    if not flips:
        return SCHEDULE_ENTRY
    kept = tuple(field for field in SCHEDULE_ENTRY.fields if field.name != "alternate")
    return Record(
        (
            *kept,
            Field("alternate", 1, meaning="every other oscillator moves in a slot"),
            Field("flips", 4, meaning="not 0: targets flip, and at random a share may, from all (1) to 1/64 (15)"),
            unused(3),
        )
    )


#: The window ``result``.
RESULT = Record(
    (
        Field("settled", 1, meaning="no phase changed in the last whole periods; after learning, no target learnt"),
        Field("aborted", 1, meaning="ended by an abort"),
        unused(14),
        Field("winner", 16, meaning="label closest in phase to the reference; 65,535 without labels"),
        Field("periods", 32, meaning="whole periods that were run"),
        Field("last_change", 32, meaning="slots until the last phase change, with its own; 0 for none"),
        Field("cycles", 32, meaning="clock cycles from start to end"),
    )
)


def state_record(phase_bits: int) -> Record:
    """Return a word of the window ``state``."""
    return Record(
        (
            Field("phase", phase_bits, meaning="start phase in slots"),
            unused(7 - phase_bits),
            Field("clamp", 1, meaning="the oscillator does not move in this call"),
        )
    )


class OscillatorInput(NamedTuple):
    """What a device is given for a call.

    Parameters
    ----------
    phases:
        Start phase of every oscillator in slots, shape (oscillators,), uint8; with ``random_start`` those of targets
        that are not clamped mean nothing.
    clamp:
        True where an oscillator does not move or learn, shape (oscillators,).
    seed:
        Seed of the noise.
    margin:
        0 to run the schedule; otherwise targets learn whose field is below it.
    random_start:
        Targets that are not clamped start at random phases. A call that learns takes the given ones, whatever it says.
    """

    phases: IntegerArray
    clamp: npt.NDArray[np.bool_]
    seed: int
    margin: int
    random_start: bool = False


@dataclass(frozen=True)
class OscillatorResult:
    """What a device reports after a call.

    Parameters
    ----------
    phases:
        Phases of the targets in slots, shape (targets,), uint8.
    winner:
        Label whose phase is closest to the reference, the lowest one on ties; None without labels.
    settled:
        True if no phase changed in the last ``max(settle, 1)`` whole periods; after learning, if no target learnt.
    periods:
        Whole periods that were run.
    last_change:
        Slots from the start until the last phase change, the changing slot included; 0 if none changed.
    cycles:
        Clock cycles from start to end; 0 on a board that does not model them.
    aborted:
        True if the call was ended by an abort.
    spins:
        +1 where a target is on the reference oscillator's side, otherwise -1, see :meth:`OscillatorSpec.spins`. Shape
        (targets,), int8; None where the spec has no ``random_start``.
    """

    phases: IntegerArray
    winner: int | None
    settled: bool
    periods: int
    last_change: int
    cycles: int = 0
    aborted: bool = False
    spins: npt.NDArray[np.int8] | None = None

    def encode(self) -> bytes:
        """Return the output region; :meth:`OscillatorSpec.encode_output` calls it."""
        winner = NO_WINNER if self.winner is None else self.winner
        spins = b"" if self.spins is None else (self.spins > 0).tobytes()
        return RESULT.encode(vars(self) | {"winner": winner}) + spins + self.phases.astype(np.uint8).tobytes()

    @classmethod
    def decode(cls, data: bytes) -> OscillatorResult:
        """Use :meth:`OscillatorSpec.decode_output` instead."""
        warn(
            "OscillatorResult.decode(data) is now spec.decode_output(data); the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        return decoded_result(data)


def decoded_result(data: bytes, spins: int = 0) -> OscillatorResult:
    """Return what an output region reports, in which so many spins come before the phases."""
    values: dict[str, Any] = RESULT.decode(data[: RESULT.size])
    values |= {name: bool(values[name]) for name in ("settled", "aborted")}
    if values["winner"] == NO_WINNER:
        values["winner"] = None
    if spins:
        bits = np.frombuffer(data, np.uint8, spins, RESULT.size)
        values["spins"] = signs(bits)
    return OscillatorResult(phases=np.frombuffer(data, np.uint8, offset=RESULT.size + spins), **values)


def signs(bits: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """Return the spins that bits stand for: +1 for a bit that is set, otherwise -1; any shape."""
    return np.where(bits, np.int8(1), np.int8(-1))
