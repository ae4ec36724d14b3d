"""The acceptance test passes devices that are right, finds what is wrong, and leaves them as they were."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import network
from attractor.host import Device, LinkError, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec, spec_from_dict
from attractor.train.eqprop import initial_parameters
from attractor.trials import trials_of
from attractor.verify import Agreement, accept, compare_arrays, compare_calls

from ..outside import adder_installed  # noqa: TID252

OSCILLATOR = OscillatorSpec(oscillators=24, inputs=4, labels=3, lanes=7, learning=True, random_start=True, flips=True)
EQPROP = EqPropSpec(layers=(20, 12, 7, 6), classes=3, state_high=(7, 5, 6), lanes=5, learning=True)
FELIF = FelifSpec(
    inputs=7,
    layers=(FelifLayer(neurons=6, kind="felif_a", recurrent=True), FelifLayer(neurons=4, kind="readout")),
    ticks=5,
)


def random_model(spec: Spec, seed: int = 0) -> Model:
    return Model(spec, trials_of(spec).parameters(spec, np.random.default_rng(seed)))


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
    assert 10 <= found.calls <= 40
    assert found.ratio == 1.0
    assert found.values > 10


@pytest.mark.parametrize("spec", [OSCILLATOR, EQPROP, FELIF], ids=lambda spec: spec.family)
def test_what_was_there_is_there_again(spec: Spec) -> None:
    told: list[tuple[int, int]] = []
    kept = random_model(spec)
    with Device.open(GoldenBoard(spec)) as device:
        device.load(kept)
        assert accept(device, models=3, calls=4, progress=lambda *done: told.append(done)).exact
        assert device.holds(kept)
    assert 3 <= len(told) <= 12
    assert told == [(number, max(number, 3)) for number in range(1, len(told) + 1)]


def test_a_device_that_fails_gets_back_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Model(EQPROP, initial_parameters(EQPROP))
    with Device.open(GoldenBoard(EQPROP)) as device:
        device.load(kept)
        monkeypatch.setattr(Device, "calls", lambda *_, **__: (_ for _ in ()).throw(LinkError("cut")))
        with pytest.raises(LinkError, match="cut"):
            accept(device)
        assert device.holds(kept)


def test_an_oscillator_network_is_asked_for_all_that_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    schedules: list[np.ndarray] = []
    inputs: list[Any] = []
    load, calls = Device.load, Device.calls

    def loaded(device: Device, model: Model) -> None:
        schedules.append(model.parameters["schedule"])
        load(device, model)

    def called(device: Device, given: list[bytes], **options: Any) -> Iterator[bytes]:
        inputs.extend(map(OSCILLATOR.decode_input, given))
        return calls(device, given, **options)

    monkeypatch.setattr(Device, "load", loaded)
    monkeypatch.setattr(Device, "calls", called)
    with Device.open(GoldenBoard(OSCILLATOR)) as device:
        assert accept(device).exact
    _, noise, max_step, lock, alternate, flips = np.concatenate([each[each[:, 0] > 0] for each in schedules]).T
    assert (len(schedules), len(inputs)) == (4, 64)
    assert len(noise) > 12
    assert all((column > 0).any() and (column == 0).any() for column in (noise, lock, alternate, flips))
    assert len(set(max_step.tolist())) > 2
    free = [given.clamp[OSCILLATOR.inputs :].any() for given in inputs]
    lessons = [given.margin > 0 for given in inputs]
    drawn = [given.random_start and not given.margin for given in inputs]
    assert 10 < sum(free) < 54
    assert 10 < sum(lessons) < 54
    assert 10 < sum(drawn) < 54
    assert len({given.seed for given in inputs}) == 64


def answering(change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all devices report something else than they do."""
    whole = Device.calls
    monkeypatch.setattr(Device, "calls", lambda *arguments, **options: map(change, whole(*arguments, **options)))


@pytest.mark.parametrize(
    ("spec", "changed", "says"),
    [
        (OSCILLATOR, {"winner": 1}, r"window result, field winner is 1, expected [02]"),
        (OSCILLATOR, {"last_change": 9999}, r"window result, field last_change is 9999, expected \d+"),
        (OSCILLATOR, {"phases": np.full(20, 77)}, r"window phases, field phase\[0\] is 13, expected \d+"),
        (EQPROP, {"winner": 1}, r"window result, field winner is 1, expected [02]"),
        (EQPROP, {"touched": 5000}, r"window result, field touched is 5000, expected \d+"),
        (EQPROP, {"free_steps": 40}, r"window result, field free_steps is 40, expected \d+"),
        (EQPROP, {"scores": np.array([1, 2, 400], np.uint16)}, r"window scores, field score\[\d\] is \d+, expected"),
        (FELIF, {"ticks": 77}, r"window result, field ticks is 77, expected [1-5]$"),
        (FELIF, {"aborted": True}, r"window result, field aborted is 1, expected 0"),
        (FELIF, {"outputs": np.arange(4)}, r"window outputs, field output\[\d\] is [0-3], expected -?\d+"),
    ],
)
def test_wrong_answers_are_found(
    spec: Spec, changed: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(lambda data: spec.encode_output(replace(spec.decode_output(data), **changed)), monkeypatch)
    with Device.open(GoldenBoard(spec)) as device:
        found = accept(device, models=3)
    assert not found.exact
    assert re.fullmatch(rf"model \d, call \d+, {says}.*", found.first_difference or ""), found.first_difference
    assert (found.ratio < 1) == (not changed.keys().isdisjoint({"phases", "scores", "outputs"}))
    assert (found.equal_results < found.calls) == (found.ratio == 1)


def recounted(spec: Spec, cycles: int) -> Callable[[bytes], bytes]:
    """Return what changes the clock cycles that a call reports."""
    return lambda data: spec.encode_output(replace(spec.decode_output(data), cycles=cycles))


def test_a_device_without_a_clock_counts_no_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(recounted(EQPROP, 77), monkeypatch)
    with Device.open(GoldenBoard(EQPROP)) as device:
        found = accept(device, models=1)
    assert (found.exact, found.timed) == (True, 0)


@pytest.mark.parametrize("spec", [OSCILLATOR, EQPROP, FELIF], ids=lambda spec: spec.family)
def test_wrong_clock_cycles_are_found(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(recounted(spec, 7), monkeypatch)
    with Device.open(GoldenBoard(spec)) as device:
        monkeypatch.setitem(device.description, "clock_hz", 12_000_000)
        found = accept(device, models=1)
    assert (found.timed, found.equal_results, found.ratio) == (found.calls, 0, 1.0)
    assert re.fullmatch(r"model 0, call 0, cycles is 7, expected \d+( to \d+)?", found.first_difference or "")


@pytest.mark.parametrize("spec", [OSCILLATOR, EQPROP, FELIF], ids=lambda spec: spec.family)
def test_each_feature_is_drawn_and_counted(spec: Spec) -> None:
    with Device.open(GoldenBoard(spec)) as device:
        found = accept(device)
    assert 64 <= found.calls <= 256
    assert min(found.features.values()) > 0, found.features
    assert max(found.features.values()) <= found.calls
    assert len(found.features) >= 20


def test_more_is_drawn_while_something_was_not() -> None:
    with Device.open(GoldenBoard(OSCILLATOR)) as device:
        few, more = (accept(device, models=1, calls=calls, seed=2) for calls in (1, 20))
    assert few.calls == 4  # at most four times as many models
    assert few.features.keys() == more.features.keys()
    assert 0 in few.features.values()


def test_weights_that_were_not_learnt_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = GoldenBoard._run

    def forgetful(board: GoldenBoard, windows: dict[str, bytes], inputs: bytes) -> bytes:
        return run(board, dict(windows), inputs)

    monkeypatch.setattr(GoldenBoard, "_run", forgetful)
    with Device.open(GoldenBoard(OSCILLATOR)) as device:
        found = accept(device, models=2)
    assert found.equal_values < found.values
    assert re.fullmatch(r"model 0, weights\[\d+, \d+\] is -?\d+, expected -?\d+", found.first_difference or "")


@pytest.mark.parametrize(
    ("window", "says"),
    [("up.0", r"(weights|counters)_0\[\d, \d\] is "), ("down.0", "window down.0 has another CRC-32, though")],
)
def test_parameters_that_no_call_changed_are_compared(window: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    board = GoldenBoard(EQPROP)
    run = board._run

    def damaging(windows: dict[str, bytes], inputs: bytes) -> bytes:
        outputs = run(windows, inputs)
        windows[window] = bytes([windows[window][0] ^ 1]) + windows[window][1:]
        return outputs

    monkeypatch.setattr(board.link, "_run", damaging)
    with Device.open(board) as device:
        found = accept(device, models=1, calls=1)
    assert found.values - found.equal_values == 1
    assert found.equal_results == found.calls == 1
    assert re.match(f"model 0, {says}", found.first_difference or ""), found.first_difference


def test_calls_of_the_past_are_compared() -> None:
    rng, trials = np.random.default_rng(1), trials_of(EQPROP)
    model = random_model(EQPROP)
    inputs = [trials.inputs(EQPROP, rng) for _ in range(6)]
    with Device.open(GoldenBoard(EQPROP)) as device:
        device.load(model)
        outputs = [device.call(data) for data in inputs]
    golden = network(EQPROP, model.parameters)
    assert compare_calls(EQPROP, golden, inputs, outputs) == Agreement(6, 18, 18, 6)
    # It has learnt what they taught; so the same calls end otherwise now.
    assert not compare_calls(EQPROP, golden, inputs, outputs).exact
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        compare_calls(EQPROP, golden, inputs, outputs[:-1])


def test_agreements_add_up() -> None:
    arrays = {"a": np.arange(4), "b": np.zeros((2, 2), int)}
    other = {"a": np.array([0, 1, 7, 3]), "b": np.eye(2, dtype=int)}
    found = compare_arrays(arrays, other)
    assert (found.values, found.equal_values, found.first_difference) == (8, 5, "a[2] is 7, expected 2")
    assert Agreement().exact
    both = Agreement(calls=1, equal_results=1) + found + compare_arrays(arrays, arrays)
    assert (both.calls, both.values, both.equal_values, both.exact) == (1, 16, 13, False)
    assert both.first_difference == "a[2] is 7, expected 2"


def test_a_family_from_outside_is_accepted_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with adder_installed(tmp_path, monkeypatch):
        spec = spec_from_dict({"family": "adder", "bits": 8})
        with Device.open("sim:", spec) as device:
            found = accept(device)
            assert found.exact
            assert (found.calls, found.values) == (64, 4)  # the sums are single numbers; each model ends with another
            answering(lambda data: data[:1] + bytes([data[1] ^ 0x80]) + data[2:], monkeypatch)
            says = accept(device).first_difference or ""
    assert re.fullmatch(r"model 0, call 0, window result, field sum is -?\d+, expected -?\d+", says)
