from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attractor.physics.felif import FelifDevice, FelifTwin
from attractor.physics.felif.fidelity import integer_raster
from attractor.physics.felif.response import SHOWN_STEP, Response

DEVICE = FelifDevice()
CURRENTS = np.repeat([3.0, -0.6, 1.2, 0.0, 1.5], [6, 4, 8, 2, 10]) * 1e-9
RESPONSE = Response.of(DEVICE, CURRENTS)


def test_the_device_is_the_twin_and_what_lies_between_its_ticks() -> None:
    run, course = FelifTwin(DEVICE).run(CURRENTS[:, None, None]), RESPONSE.device
    in_a_tick = 1000 // SHOWN_STEP
    assert len(course.time) == len(course.voltage) == len(course.polarisation) == 30 * in_a_tick + 1
    assert course.voltage[in_a_tick::in_a_tick] == pytest.approx(run.voltage[:, 0, 0])
    assert course.polarisation[in_a_tick::in_a_tick] == pytest.approx(run.polarisation[:, 0, 0] / 0.22)
    assert course.time[:: in_a_tick * 10].tolist() == [0, 10, 20, 30]
    assert np.array_equal(course.spikes, run.spikes[:, 0, 0])
    assert course.spikes.sum() >= 2
    assert (course.voltage[0], course.polarisation[0]) == (0, -1)


@pytest.mark.parametrize(("kind", "one"), [("felif_a", 1 << 12), ("felif_b", 1 << 20)])
def test_integers_are_those_of_the_golden_neurons(kind: str, one: int) -> None:
    course = RESPONSE.a if kind == "felif_a" else RESPONSE.b
    assert np.array_equal(course.spikes, integer_raster(kind, DEVICE, CURRENTS[:, None])[:, 0])
    assert course.time.tolist() == list(range(31))
    for values in (course.voltage * float(DEVICE.per_volt), course.polarisation):
        assert values * one == pytest.approx(np.rint(values * one), abs=1e-6)
        assert len(values) == 31
    # A spike is followed by the reset a tick later.
    first = int(course.spikes.argmax())
    assert course.voltage[first + 1] >= 2.499
    assert course.voltage[first + 2] == pytest.approx(-1.5, abs=1e-3)
    assert course.polarisation[first + 2] == -1


def test_all_three_are_near_each_other() -> None:
    at_ticks = RESPONSE.device.polarisation[:: 1000 // SHOWN_STEP]
    assert RESPONSE.b.polarisation == pytest.approx(at_ticks, abs=0.02)
    assert not np.array_equal(RESPONSE.a.polarisation, RESPONSE.b.polarisation)
    assert RESPONSE.threshold == 2.5


def test_one_neuron_only() -> None:
    with pytest.raises(ValueError, match="the neurons differ from each other"):
        Response.of(replace(DEVICE, area=np.array([2e-11, 3e-11])), CURRENTS)
