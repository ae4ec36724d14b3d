"""The acceptance test passes devices that are right, finds what is wrong, and leaves them as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.host import Device, LinkError, Model, ModelMismatch
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec
from attractor.train.eqprop import initial_parameters
from attractor.verify import Agreement, accept, compare_arrays

OSCILLATOR = OscillatorSpec(oscillators=24, inputs=4, labels=3, lanes=7)
EQPROP = EqPropSpec(layers=(20, 12, 7, 6), classes=3, state_high=(7, 5, 6), lanes=5, learning=True)
FELIF = FelifSpec(
    inputs=7,
    layers=(FelifLayer(neurons=6, kind="felif_a", recurrent=True), FelifLayer(neurons=4, kind="readout")),
    ticks=5,
)


@settings(max_examples=20, deadline=None)
@given(
    spec=st.one_of(
        st.sampled_from([OSCILLATOR, FELIF]),
        st.builds(
            EqPropSpec,
            layers=st.sampled_from([(9, 5, 4), (20, 12, 7, 6), (3, 1, 2)]),
            classes=st.just(2),
            state_high=st.integers(1, 20),
            counter_bits=st.integers(2, 8),
            learning=st.booleans(),
        ),
    ),
    seed=st.integers(0, 99),
)
def test_the_golden_model_agrees_with_itself(spec: Spec, seed: int) -> None:
    with Device.open(GoldenBoard(spec)) as device:
        found = accept(device, models=2, calls=5, seed=seed)
    assert found.exact
    assert (found.calls, found.ratio) == (10, 1.0)
    assert found.values > 10


@pytest.mark.parametrize("spec", [OSCILLATOR, EQPROP])
def test_what_was_there_is_there_again(spec: Spec, random_model: Callable[..., Model]) -> None:
    told: list[tuple[int, int]] = []
    kept = Model(spec, initial_parameters(spec)) if isinstance(spec, EqPropSpec) else random_model(spec)
    with Device.open(GoldenBoard(spec)) as device:
        device.load(kept)
        assert accept(device, models=3, calls=4, progress=lambda *done: told.append(done)).exact
        assert device.holds(kept)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_device_that_fails_gets_back_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Model(EQPROP, initial_parameters(EQPROP))
    with Device.open(GoldenBoard(EQPROP)) as device:
        device.load(kept)
        monkeypatch.setattr(Device, "call", lambda *_, **__: (_ for _ in ()).throw(LinkError("cut")))
        with pytest.raises(LinkError, match="cut"):
            accept(device)
        assert device.holds(kept)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"winner": 1}, "winner 1, "),
        ({"touched": 5000}, "touched 5000, "),
        ({"free_steps": 40}, "free_steps 40, "),
        ({"scores": np.array([1, 2, 400], np.uint16)}, "scores [1, 2, 400], "),
    ],
)
def test_wrong_answers_are_found(monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], says: str) -> None:
    whole = Device.call

    def wrong(*arguments: Any, **options: Any) -> bytes:
        return replace(EQPROP.decode_output(whole(*arguments, **options)), **changed).encode()

    with Device.open(GoldenBoard(EQPROP)) as device:
        monkeypatch.setattr(Device, "call", wrong)
        found = accept(device, models=1)
    assert not found.exact
    assert found.first_difference is not None
    assert found.first_difference.startswith("model 0, call ")
    assert says in found.first_difference
    assert (found.ratio < 1) == ("scores" in changed)


@pytest.mark.parametrize(
    ("changed", "says"), [({"ticks": 77}, "ticks 77, "), ({"outputs": np.arange(4)}, "outputs [0, 1, 2, 3], ")]
)
def test_wrong_answers_of_spiking_networks_are_found(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], says: str
) -> None:
    whole = Device.call

    def wrong(*arguments: Any, **options: Any) -> bytes:
        return FELIF.encode_output(replace(FELIF.decode_output(whole(*arguments, **options)), **changed))

    with Device.open(GoldenBoard(FELIF)) as device:
        monkeypatch.setattr(Device, "call", wrong)
        found = accept(device, models=1)
    assert not found.exact
    assert (found.first_difference or "").startswith("model 0, call 0: outputs ")
    assert says in (found.first_difference or "")
    assert (found.ratio < 1) == ("outputs" in changed)


def test_wrong_weights_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Device.read_parameters

    def wrong(device: Device) -> dict[str, Any]:
        found = whole(device)
        found["weights_1"][3, 2] *= -1
        return found

    with Device.open(GoldenBoard(EQPROP)) as device:
        monkeypatch.setattr(Device, "read_parameters", wrong)
        found = accept(device, models=2)
    assert found.values - found.equal_values == 2
    assert found.equal_results == found.calls
    assert not found.exact
    assert (found.first_difference or "").startswith("model 0, weights_1[3, 2] is ")


def test_agreements_add_up() -> None:
    arrays = {"a": np.arange(4), "b": np.zeros((2, 2), int)}
    other = {"a": np.array([0, 1, 7, 3]), "b": np.eye(2, dtype=int)}
    found = compare_arrays(arrays, other)
    assert (found.values, found.equal_values, found.first_difference) == (8, 5, "a[2] is 7, expected 2")
    assert Agreement().exact
    both = Agreement(calls=1, equal_results=1) + found + compare_arrays(arrays, arrays)
    assert (both.calls, both.values, both.equal_values, both.exact) == (1, 16, 13, False)
    assert both.first_difference == "a[2] is 7, expected 2"


def test_a_family_without_a_test_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with Device.open(GoldenBoard(EQPROP)) as device:
        monkeypatch.delitem(accept.__globals__["TRIALS"], "eqprop")
        with pytest.raises(ModelMismatch, match="family 'eqprop'; only felif, oscillator have a test"):
            accept(device)
