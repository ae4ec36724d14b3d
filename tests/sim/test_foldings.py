"""A model runs on every build of its network: its results do not depend on the lanes, unless chance takes part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attractor.golden import network
from attractor.host import Device, Model
from attractor.spec import OscillatorSpec, Spec
from attractor.trials import first_unequal, output_fields, trials_of

from ..host.test_felif_device import COUNTING  # noqa: TID252
from .requests import SMALL
from .test_eqprop_rtl_board import SPEC as ARRAY

pytestmark = pytest.mark.usefixtures("tools")

#: A network of each family, folded as its model is; and the foldings of devices, the first of which is built for other
#: tests as well: one lane, lanes that do not fill the last group, and as many as there are neurons.
CASES: dict[str, tuple[Spec, tuple[int, int, int]]] = {
    "oscillator": (replace(SMALL, lanes=5), (3, 1, 7)),
    "eqprop": (replace(ARRAY, lanes=7), (4, 1, 12)),
    "felif": (replace(COUNTING, lanes=2), (3, 1, 7)),
}
CALLS = 12
PATIENCE = 60.0


def drawn(spec: Spec, *, noise: int = 0, flips: int = 1) -> tuple[Model, list[bytes]]:
    """Return a random model, and inputs of calls that run, teach, or go on from the one before.

    In every other entry targets flip; all may, unless ``flips`` is the number of another share: who may is drawn lane
    by lane.
    """
    rng, trials = np.random.default_rng(2), trials_of(spec)
    parameters = trials.parameters(spec, rng)
    if isinstance(spec, OscillatorSpec):
        columns = dict(zip(spec.schedule_columns, parameters["schedule"].T, strict=True))
        columns["noise"][:] = noise
        columns["flips"][:] = np.arange(spec.schedule_entries) % 2 * flips
        columns["periods"][:] += columns["periods"] == 0
    return Model(spec, parameters), [trials.inputs(spec, rng) for _ in range(CALLS)]


def reported(spec: Spec, answers: Sequence[bytes]) -> dict[str, Any]:
    """Return all that calls reported but the clock cycles."""
    fields = [output_fields(spec, answer) for answer in answers]
    return {name: np.stack([each[name] for each in fields]) for name in fields[0]}


def see_that_it_runs(address: str, family: str, which: int) -> None:
    spec, foldings = CASES[family]
    model, inputs = drawn(spec)
    golden = network(spec, model.parameters)
    expected = reported(spec, [golden.call(data) for data in inputs])
    assert any(len(np.unique(values, axis=0)) > 3 for values in expected.values())
    learnt = {name: array for name, array in golden.parameters.items() if (array != model.parameters[name]).any()}
    assert bool(learnt) == (family != "felif")
    with Device.open(address, replace(spec, lanes=foldings[which]), timeout=PATIENCE) as device:
        assert device.build.lanes == foldings[which] != model.spec.build_to_dict()["lanes"]
        device.load(model)
        found = reported(spec, [device.call(data) for data in inputs])
        assert first_unequal(expected, found) is None
        assert device.holds(Model(spec, golden.parameters))


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("family", list(CASES))
def test_a_model_of_any_folding_runs_on_all_others(family: str, which: int) -> None:
    see_that_it_runs("sim:", family, which)


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("family", list(CASES))
def test_it_runs_on_the_gateware_of_all_others(family: str, which: int) -> None:
    see_that_it_runs("rtl:", family, which)


@pytest.mark.parametrize("chance", [{"noise": 20}, {"flips": 4}])
def test_the_golden_model_draws_as_the_device_is_folded(chance: dict[str, int]) -> None:
    spec, foldings = CASES["oscillator"]
    model, inputs = drawn(spec, **chance)
    results = []
    for lanes in foldings:
        folded = replace(spec, lanes=lanes)
        golden = network(folded, model.parameters)
        results.append(reported(spec, [golden.call(data) for data in inputs]))
        for address in ("sim:", "rtl:")[: 1 + (lanes == foldings[0])]:
            with Device.open(address, folded, timeout=PATIENCE) as device:
                device.load(model)
                found = reported(spec, [device.call(data) for data in inputs])
                assert first_unequal(results[-1], found) is None
                assert device.holds(Model(folded, golden.parameters))
    assert all(first_unequal(results[0], other) is not None for other in results[1:])
