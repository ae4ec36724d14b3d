"""Learning on a device: rules, margins, weights read back, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.golden import OscillatorNetwork
from attractor.host import Device, LinkError, Model
from attractor.host.oscillator.learning import default_margin, taught_phases
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import OscillatorSpec, SpecError

#: A network in which nothing is a round number.
SMALL = OscillatorSpec(
    oscillators=11, inputs=4, labels=3, reference=1, lanes=3, schedule_entries=3, lock_phases=3, learning=True
)
SPEC = OscillatorSpec(oscillators=20, lanes=7, learning=True, schedule_entries=2)


def random_patterns(count: int, oscillators: int = SPEC.oscillators, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([-1, 1]), (count, oscillators))


def blank(spec: OscillatorSpec) -> Model:
    weights = np.zeros((spec.targets, spec.oscillators), np.int64)
    return Model(spec, {"weights": weights, "schedule": spec.schedule(24), "settle": np.array(2)})


def fields(weights: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Return ``s_i h_i`` of every pattern and target."""
    return patterns * (patterns @ weights.astype(int).T)


@pytest.fixture
def device() -> Iterator[Device]:
    with Device.open(GoldenBoard(SPEC)) as opened:
        opened.load(blank(SPEC))
        yield opened


class TestRules:
    def test_hebb_adds_the_products_of_all_patterns_once(self, device: Device) -> None:
        patterns = random_patterns(4)
        learning = device.network.learn(patterns, rule="hebb")
        expected = patterns.T @ patterns
        np.fill_diagonal(expected, 0)
        np.testing.assert_array_equal(learning.model.parameters["weights"], expected)
        assert (learning.epochs, learning.calls, learning.held) == (1, 4, None)
        assert learning.margin == SPEC.margin_high

    def test_hebb_stops_at_the_ends_of_the_range(self, device: Device) -> None:
        pattern = random_patterns(1)
        learning = device.network.learn(np.repeat(pattern, 40, axis=0), rule="hebb")
        expected = np.where(pattern.T @ pattern > 0, SPEC.weight_high, SPEC.weight_low)
        np.fill_diagonal(expected, 0)
        np.testing.assert_array_equal(learning.model.parameters["weights"], expected)

    @pytest.mark.parametrize("margin", [1, 17, None])
    def test_diederich_opper_ends_when_all_patterns_are_held_by_the_margin(
        self, device: Device, margin: int | None
    ) -> None:
        patterns = random_patterns(4)
        learning = device.network.learn(patterns, margin=margin)
        assert learning.held is True
        assert learning.margin == (default_margin(SPEC) if margin is None else margin)
        assert fields(learning.model.parameters["weights"], patterns).min() >= learning.margin
        assert learning.cycles.shape == (learning.epochs, 4)
        assert device.network.learn(patterns, margin=margin).epochs == 1, "what is held is not learnt again"

    def test_learning_equals_the_golden_models_calls_in_the_same_order(self, device: Device) -> None:
        patterns = random_patterns(5, seed=3)
        learning = device.network.learn(patterns, margin=25)
        network = OscillatorNetwork(SPEC, blank(SPEC).parameters)
        for _ in range(learning.epochs):
            for phases in taught_phases(SPEC, patterns):
                network.learn(phases, 25)
        assert learning.epochs > 2
        np.testing.assert_array_equal(learning.model.parameters["weights"], network.parameters["weights"])

    def test_too_large_a_margin_is_told(self, device: Device) -> None:
        told: list[tuple[int, int]] = []
        learning = device.network.learn(
            random_patterns(3), margin=SPEC.largest_sum, max_epochs=4, progress=lambda *done: told.append(done)
        )
        assert (learning.held, learning.epochs) == (False, 4)
        assert told == [(call, 12) for call in range(1, 13)]

    def test_clamped_oscillators_do_not_learn(self, device: Device) -> None:
        clamp = np.arange(SPEC.oscillators) < 8
        weights = device.network.learn(random_patterns(2), rule="hebb", clamp=clamp).model.parameters["weights"]
        assert not weights[:8].any()
        assert weights[8:].any(axis=1).all()

    def test_phases_and_levels_and_negatives_are_learnt_alike(self, device: Device) -> None:
        patterns = random_patterns(3)
        found = []
        for shown in (patterns, -patterns, np.where(patterns > 0, 0, SPEC.period // 2)):
            device.load(blank(SPEC))
            found.append(device.network.learn(shown).model.parameters["weights"])
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])


def test_what_was_learnt_is_recalled_saved_and_loaded(device: Device, tmp_path: Path) -> None:
    patterns = random_patterns(2)
    learning = device.network.learn(patterns)
    damaged = patterns.copy()
    damaged[:, 5] *= -1
    starts = np.where(damaged > 0, 0, SPEC.period // 2)
    expected = np.where(patterns > 0, 0, SPEC.period // 2)
    recalled = np.array([result.phases for result in device.network.recall(starts)])
    np.testing.assert_array_equal((recalled - recalled[:, :1]) % SPEC.period, (expected - expected[:, :1]) % 16)
    learning.model.save(tmp_path / "learnt.safetensors")
    saved = Model.load(tmp_path / "learnt.safetensors")
    assert device.holds(saved)
    assert dict(saved.provenance) == {
        "rule": "diederich-opper",
        "margin": 20,
        "epochs": learning.epochs,
        "held": True,
        "patterns": 2,
    }


def test_the_default_margin_is_the_same_share_of_every_range() -> None:
    for bits, margin in ((8, 160), (5, 20), (4, 10), (2, 2)):
        assert default_margin(dataclasses.replace(SPEC, weight_bits=bits)) == margin
    assert default_margin(OscillatorSpec(oscillators=2, weight_bits=2, learning=True)) == 1


def test_the_pages_example_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "learning.md").read_text(encoding="utf-8")
    example, printed = re.search(r"```python\n(.*?)```.*?```text\n(.*?)```", page, re.DOTALL).groups()  # type: ignore
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert capsys.readouterr().out == printed
    assert Model.load("learnt.safetensors").provenance["held"] is True


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"patterns": np.ones((2, 19), int)}, "must have 20 entries"),
            ({"patterns": np.full((1, 20), 16)}, "a phase is 16"),
            ({"patterns": np.full((1, 20), -2)}, "a pattern holds -2"),
            ({"patterns": np.zeros((0, 20), int)}, "patterns have shape"),
            ({"rule": "storkey"}, "rule is 'storkey'; known: hebb, diederich-opper"),
            ({"rule": "hebb", "margin": 5}, "Hebb's rule has none"),
            ({"margin": 0}, "margin is 0"),
            ({"margin": SPEC.margin_high + 1}, "margin is 322"),
            ({"max_epochs": 0}, "max_epochs is 0"),
            ({"clamp": np.zeros(19, bool)}, "clamp mask has shape"),
        ],
    )
    def test_bad_arguments_name_the_value_and_teach_nothing(
        self, device: Device, arguments: dict[str, Any], message: str
    ) -> None:
        given: dict[str, Any] = {"patterns": random_patterns(2)} | arguments
        with pytest.raises(SpecError, match=message):
            device.network.learn(**given)
        assert not device.read_parameters()["weights"].any()

    def test_a_network_without_learning_says_what_to_build(self) -> None:
        spec = dataclasses.replace(SPEC, learning=False)
        with Device.open(GoldenBoard(spec)) as device:
            device.load(blank(spec))
            with pytest.raises(SpecError, match="learning=True"):
                device.network.learn(random_patterns(2))

    def test_a_device_without_valid_parameters_refuses(self) -> None:
        with Device.open(GoldenBoard(SPEC)) as device, pytest.raises(LinkError):
            device.network.learn(random_patterns(2))


def test_the_gateware_learns_what_the_golden_board_learns() -> None:
    patterns = random_patterns(3, SMALL.oscillators, seed=1)
    learnt = []
    for board in (GoldenBoard(SMALL), RtlBoard(SMALL)):
        with Device.open(board, timeout=60) as device:
            device.load(blank(SMALL))
            learnt.append(
                [device.network.learn(patterns, margin=6, max_epochs=8), device.network.learn(patterns, rule="hebb")]
            )
    for golden, gateware in zip(*learnt, strict=True):
        np.testing.assert_array_equal(golden.model.parameters["weights"], gateware.model.parameters["weights"])
        assert (golden.epochs, golden.held) == (gateware.epochs, gateware.held)
        assert gateware.cycles.min() > 0
    assert learnt[0][0].epochs > 1
