from __future__ import annotations

import numpy as np
import pytest

from attractor.train.felif.scales import LOSS, NOTES, WITHOUT_MEMORY, scales


def test_scales_rise_and_fall() -> None:
    samples = scales(40, ticks=33, seed=3)
    assert len(samples.frames) == len(samples.targets) == 40
    starts = set()
    for frame, target in zip(samples.frames, samples.targets, strict=True):
        tune = np.vstack([frame, np.asarray(target)[-1:]])
        assert tune.shape == (34, NOTES)
        assert (tune.sum(axis=1) == 1).all()
        assert np.array_equal(tune[1:], target)
        notes = tune.argmax(axis=1)
        steps = np.diff(notes)
        assert (np.abs(steps) == 1).all()
        # It turns at both ends, and nowhere else.
        turns = np.flatnonzero(steps[1:] != steps[:-1]) + 1
        assert set(notes[turns]) == {0, NOTES - 1}
        assert np.array_equal(turns, np.flatnonzero((notes[1:-1] == 0) | (notes[1:-1] == NOTES - 1)) + 1)
        starts.add((int(notes[0]), int(steps[0])))
    assert len(starts) > 8
    assert [len(frame) for frame in scales(2, ticks=5).frames] == [5, 5]


def test_the_bound_is_reached_by_whoever_knows_how_often_each_note_follows_each() -> None:
    ticks = 4 + 14 * 40
    samples = scales(30, ticks=ticks)
    counts = np.zeros((NOTES, NOTES))
    for frame, target in zip(samples.frames, samples.targets, strict=True):
        counts += np.asarray(frame[4:]).T @ np.asarray(target)[4:]
    shares = np.clip(counts / counts.sum(axis=1, keepdims=True), 1e-12, 1 - 1e-12)
    logits = np.log(shares / (1 - shares))
    outputs = np.stack([np.asarray(frame) @ logits for frame in samples.frames], axis=1)
    assert LOSS(outputs, samples)[0].mean() == pytest.approx(WITHOUT_MEMORY, rel=1e-3)
