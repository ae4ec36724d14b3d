from __future__ import annotations

import numpy as np

from attractor.data.chorales import LOWEST_NOTE, NOTES
from attractor.data.psalm import VOICES, old_hundredth


def test_four_lines_of_eight_chords_in_four_voices_end_with_a_hold() -> None:
    roll = old_hundredth()
    assert (roll.shape, roll.dtype) == ((36, NOTES), bool)
    assert (roll.sum(axis=1) == VOICES).all()
    assert (roll[8::9] == roll[7::9]).all()


def test_the_soprano_sings_the_tune() -> None:
    sung = [int(np.flatnonzero(chord)[-1]) + LOWEST_NOTE - 79 for chord in old_hundredth()[:9]]
    assert sung == [0, 0, -1, -3, -5, 0, 2, 4, 4]
