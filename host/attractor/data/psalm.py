"""A chorale that needs no file: the psalm tune "Old Hundredth" (Genevan Psalter, 1551) in four voices of our own."""

from __future__ import annotations

import numpy as np

from attractor.data.chorales import LOWEST_NOTE, NOTES, Roll

__all__ = ["VOICES", "old_hundredth"]

#: Notes of a chord.
VOICES = 4
#: Soprano, alto, tenor and bass in each quarter, as MIDI numbers, an octave above what is sung as in the data set of
#: the chorales; the last chord of a line is held for two quarters.
_LINES = (
    "79.74.71.67 79.74.71.67 78.74.69.62 76.71.67.64 74.71.66.59 79.72.67.60 81.74.66.62 83.74.67.55",
    "83.79.74.67 83.79.74.67 83.79.74.71 81.78.74.62 79.76.71.64 84.76.72.69 83.74.71.67 81.78.69.62",
    "79.74.71.67 81.74.69.66 83.74.71.67 81.78.69.62 79.76.71.64 76.72.69.57 78.74.69.62 79.74.71.55",
    "86.79.71.67 83.79.74.67 79.76.71.64 81.78.69.62 84.76.69.57 83.74.67.59 81.72.66.62 79.71.67.55",
)


def old_hundredth() -> Roll:
    """Return the piano roll, shape (36, 54), as those of :func:`attractor.data.chorales.chorales`."""
    lines = [line.split() for line in _LINES]
    chords = [chord for line in lines for chord in (*line, line[-1])]
    roll = np.zeros((len(chords), NOTES), bool)
    for quarter, chord in enumerate(chords):
        roll[quarter, [int(note) - LOWEST_NOTE for note in chord.split(".")]] = True
    return roll
