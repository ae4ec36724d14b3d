"""What is drawn at random fits its spec, and reaches everything that a network of its family can do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import network
from attractor.spec import (
    EqPropSpec,
    FelifLayer,
    FelifSpec,
    Field,
    MemoryMap,
    OscillatorResult,
    OscillatorSpec,
    ParameterSpec,
    Record,
    Region,
    Spec,
    Window,
    spec_from_dict,
)
from attractor.spec.memory_map import record_window
from attractor.spec.records import unused
from attractor.spec.sparse import SparseSpec
from attractor.trials import Trials, first_unequal, output_fields, random_parameter, trials_of, with_unused_bits
from attractor.trials.eqprop import NO_CLASS

from ..outside import adder_installed  # noqa: TID252

OSCILLATOR = OscillatorSpec(oscillators=24, inputs=4, labels=3, learning=True, random_start=True, flips=True)
EQPROP = EqPropSpec(layers=(20, 12, 7, 6), classes=3, state_high=(7, 5, 6), counter_bits=5, learning=True)
FELIF = FelifSpec(
    inputs=19,
    input_bits=5,
    layers=(FelifLayer(neurons=6, kind="felif_a", recurrent=True), FelifLayer(neurons=4, kind="readout")),
    ticks=5,
)
SPARSE = SparseSpec(
    oscillators=24,
    inputs=4,
    labels=3,
    couplings=60,
    strength=9,
    lanes=8,
    entries=4,
    row_words=70,
    weight_bits=3,
    fraction_bits=2,
    random_start=True,
    flips=True,
    binary=True,
)
SPECS = [
    *(SPARSE, replace(SPARSE, binary=False, flips=False, random_start=False)),
    *(OSCILLATOR, replace(OSCILLATOR, schedule_entries=1, learning=False, random_start=False, flips=False)),
    *(EQPROP, replace(EQPROP, learning=False), FELIF),
]


def named(spec: Spec) -> str:
    return f"{spec.family}-{spec.fingerprint.hex()[:4]}"


@settings(max_examples=60, deadline=None)
@given(spec=st.sampled_from(SPECS), own=st.booleans(), seed=st.integers(0, 999))
def test_all_that_is_drawn_fits(spec: Spec, own: bool, seed: int) -> None:
    # Couplings drawn from all that each number alone may be are no graph.
    own |= isinstance(spec, SparseSpec)
    rng, trials = np.random.default_rng(seed), trials_of(spec) if own else Trials()
    parameters = spec.check_parameters(trials.parameters(spec, rng))
    windows = spec.encode_parameters(parameters)
    assert all((array == parameters[name]).all() for name, array in spec.decode_parameters(windows).items())
    inputs = trials.inputs(spec, rng)
    spec.decode_input(inputs)
    for window in spec.memory_map.region(Region.INPUT):
        contents = spec.memory_map.split(Region.INPUT, inputs)[window.name]
        words = np.frombuffer(contents, np.uint8).reshape(window.words, -1)
        assert not (words[:, -1] >> (window.word_bits - 8 * (window.word_bytes - 1))).any()


@pytest.mark.parametrize("spec", SPECS, ids=named)
def test_the_same_seed_draws_the_same(spec: Spec) -> None:
    both = []
    for _ in range(2):
        rng, trials = np.random.default_rng(5), trials_of(spec)
        both.append((spec.encode_parameters(trials.parameters(spec, rng)), trials.inputs(spec, rng)))
    assert both[0] == both[1]


def test_parameters_reach_both_ends_of_their_range() -> None:
    rng = np.random.default_rng(0)
    plain = ParameterSpec("a", (400,), np.dtype(np.int8), -3, 2)
    assert set(random_parameter(plain, rng).tolist()) == {-3, -2, -1, 0, 1, 2}
    values = random_parameter(replace(plain, nonzero=True), rng)
    numbers, counts = np.unique(values, return_counts=True)
    assert numbers.tolist() == [-3, -2, -1, 1, 2]
    assert counts.min() > 50
    assert set(random_parameter(replace(plain, low=1, nonzero=True), rng).tolist()) == {1, 2}
    columns = ParameterSpec("b", (200, 3), np.dtype(np.uint16), (0, 5, 0), (1, 5, 0xFFFF), ("x", "y", "z"))
    drawn = random_parameter(columns, rng)
    assert drawn.dtype == np.uint16
    assert columns.check(drawn)[:, :2].max(axis=0).tolist() == [1, 5]
    assert drawn[:, 2].max() > 0xF000


WORD = Record((unused(2), Field("small", 5, high=16), Field("signed", 4, signed=True), unused(1, 1)))
HEADER = Record((Field("first", 3), unused(2), Field("rest", 3, count=4, high=6)))


@dataclass(frozen=True, kw_only=True)
class AnyWindows(OscillatorSpec):
    """A network with inputs of all kinds: records of a word and of a window, and words that nothing is known of."""

    @property
    def memory_map(self) -> MemoryMap:
        words = Window("words", Region.INPUT, 200, WORD.bits, WORD)
        return MemoryMap((words, record_window("header", Region.INPUT, HEADER), Window("bits", Region.INPUT, 50, 11)))


def test_inputs_of_any_family_fill_all_bits_that_a_device_keeps() -> None:
    memory_map, rng = AnyWindows(oscillators=2).memory_map, np.random.default_rng(1)
    ever = {window.name: np.zeros(window.word_bytes, np.uint8) for window in memory_map.windows}
    for _ in range(40):
        data = Trials().inputs(AnyWindows(oscillators=2), rng)
        values = memory_map.decode(Region.INPUT, data)
        assert set(values["words"]["small"].tolist()) == set(range(17))
        assert set(values["words"]["signed"].tolist()) == set(range(-8, 8))
        assert values["header"]["rest"].max() <= 6
        for name, contents in memory_map.split(Region.INPUT, data).items():
            ever[name] |= np.bitwise_or.reduce(np.frombuffer(contents, np.uint8).reshape(-1, len(ever[name])))
    assert {name: bits.tolist() for name, bits in ever.items()} == {
        "words": [0xFF, 0x0F],
        "header": [0xFF],
        "bits": [0xFF, 0x07],
    }


def test_unused_bits_are_random_and_all_others_stay() -> None:
    memory_map, rng = AnyWindows(oscillators=2).memory_map, np.random.default_rng(2)
    data = memory_map.join(Region.INPUT, {window.name: bytes(window.size) for window in memory_map.windows})
    found = memory_map.split(Region.INPUT, with_unused_bits(memory_map, Region.INPUT, data, rng))
    words = np.frombuffer(found["words"], np.uint8).reshape(-1, 2)
    assert np.bitwise_or.reduce(words).tolist() == [0b11, 0b1000]
    assert len(np.unique(words, axis=0)) == 8
    assert not found["header"][0] & 0b111
    assert not any(found["bits"])
    kept = with_unused_bits(memory_map, Region.INPUT, b"\xff" * len(data), rng)
    assert kept == b"\xff" * len(data)


def test_a_family_without_trials_gets_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with adder_installed(tmp_path, monkeypatch):
        assert type(trials_of(spec_from_dict({"family": "adder"}))) is Trials
    assert {type(trials_of(spec)).__name__ for spec in SPECS} == {
        "OscillatorTrials",
        "SparseTrials",
        "EqPropTrials",
        "FelifTrials",
    }


# What is drawn is worth it


def drawn(spec: Spec, networks: int = 8, calls: int = 8) -> tuple[list[Any], list[Any], list[Any]]:
    """Return parameters, inputs and results of 64 calls."""
    parameters, inputs, results = [], [], []
    for seed in range(networks):
        rng, trials = np.random.default_rng([0, seed]), trials_of(spec)
        parameters.append(trials.parameters(spec, rng))
        golden = network(spec, parameters[-1])
        for _ in range(calls):
            data = trials.inputs(spec, rng)
            inputs.append(spec.decode_input(data))
            results.append(spec.decode_output(golden.call(data)))
    return parameters, inputs, results


def test_oscillators_do_all_that_they_can() -> None:
    parameters, inputs, results = drawn(OSCILLATOR)
    columns = dict(
        zip(OSCILLATOR.schedule_columns, np.concatenate([each["schedule"] for each in parameters]).T, strict=True)
    )
    in_force = columns["periods"] > 0
    for column in ("noise", "lock", "alternate", "flips"):
        assert 10 < (columns[column][in_force] > 0).sum() < in_force.sum() - 10, column
    assert set(columns["max_step"][in_force]) > {0, 1, OSCILLATOR.period // 2}
    assert len({int(each["settle"]) for each in parameters}) > 2
    assert 10 < sum(given.clamp[OSCILLATOR.inputs :].any() for given in inputs) < 54
    assert len({given.seed for given in inputs}) == 64
    assert 10 < sum(given.margin == 0 for given in inputs) < 54
    assert {given.margin for given in inputs} > {1, OSCILLATOR.margin_high}
    drawn_starts = [(given.random_start, given.margin > 0) for given in inputs]
    assert min(drawn_starts.count((random, learns)) for random in (False, True) for learns in (False, True)) > 5
    ran = [result for result, given in zip(results, inputs, strict=True) if not given.margin]
    assert {result.settled for result in ran} == {False, True}
    assert len({result.periods for result in ran}) > 3
    assert sum(result.last_change > 0 for result in ran) > 10


@pytest.mark.parametrize("binary", [True, False])
def test_graphs_are_of_all_kinds(binary: bool) -> None:
    """Each thing is so of several; but for so few couplings, which leave some oscillator without any, not of all."""
    spec, graphs = replace(SPARSE, binary=binary), []
    for seed in range(40):
        rng, trials = np.random.default_rng([1, seed]), trials_of(spec)
        parameters = spec.check_parameters(trials.parameters(spec, rng))
        spec.encode_parameters(parameters)
        inputs = trials.inputs(spec, rng)
        found = trials.features(spec, parameters, inputs, network(spec, parameters).call(inputs))
        graphs.append({name: had for name, had in found.items() if name.startswith("couplings ")})
    assert len(graphs[0]) == 6
    for name in graphs[0]:
        assert 2 < sum(graph[name] for graph in graphs) < 40 + ("without" in name), name


def test_a_graph_that_cannot_be_is_no_feature() -> None:
    spec = replace(SPARSE, couplings=3, strength=100, row_words=2)
    rng, trials = np.random.default_rng(0), trials_of(spec)
    parameters, inputs = spec.check_parameters(trials.parameters(spec, rng)), trials.inputs(spec, rng)
    found = trials.features(spec, parameters, inputs, network(spec, parameters).call(inputs))
    assert {name for name in found if name.startswith("couplings ")} == {
        "couplings to itself",
        "couplings an oscillator without any",
    }


def test_bits_of_phases_that_a_network_ignores_are_drawn() -> None:
    rng = np.random.default_rng(0)
    state = SPARSE.memory_map.split(Region.INPUT, trials_of(SPARSE).inputs(SPARSE, rng))["state"]
    assert (np.frombuffer(state, np.uint8) & 7).any()


@pytest.mark.parametrize("entries", [1, 2])
def test_short_schedules_give_oscillators_time(entries: int) -> None:
    _, _, results = drawn(replace(OSCILLATOR, schedule_entries=entries, learning=False))
    assert max(result.periods for result in results) > 6


def test_arrays_do_all_that_they_can() -> None:
    parameters, inputs, results = drawn(EQPROP)
    assert {given.sigma for given in inputs} == {-1, 0, 1}
    assert {given.label for given in inputs} == {0, 1, 2, NO_CLASS}
    assert max(given.thresholds.max() for given in inputs) > EQPROP.counter_high
    assert {0, 20} < {int(given.bits.sum()) for given in inputs}
    assert {int(each["steps"].min()) for each in parameters} > {1}
    assert any((np.abs(each["counters_0"]) == EQPROP.counter_high).any() for each in parameters)
    lessons = [result for result in results if result.learnt]
    assert 20 < len(lessons) < 60
    assert sum(result.touched > 0 for result in lessons) > len(lessons) / 4
    assert sum(result.flips > 0 for result in lessons) > len(lessons) / 8
    assert {result.settled for result in results} == {False, True}


def test_spiking_networks_do_all_that_they_can() -> None:
    _, inputs, results = drawn(FELIF)
    assert {given.keep for given in inputs} == {False, True}
    assert {len(given.frames) for given in inputs} == {1, 2, 3, 4, 5}
    values = np.concatenate([given.frames for given in inputs])
    assert (values.min(), values.max()) == FELIF.input_range
    assert sum(result.spikes > 0 for result in results) > 20


def test_numbers_of_ticks_that_a_device_reads_as_others_are_drawn() -> None:
    rng, windows = np.random.default_rng(0), FELIF.memory_map
    parts = [windows.split(Region.INPUT, trials_of(FELIF).inputs(FELIF, rng)) for _ in range(64)]
    ticks = {int.from_bytes(part["ticks"], "little") for part in parts}
    assert 0 in ticks
    assert max(ticks) > FELIF.ticks


# What is counted


def test_features_are_what_a_call_did() -> None:
    """Entries that a call did not reach, clamps of inputs and labels of which there is one count for nothing."""
    spec = OscillatorSpec(oscillators=6, inputs=2, labels=1, schedule_entries=3, learning=True)
    schedule = np.array([[2, 0, 8, 0, 0], [0, 9, 8, 9, 1], [3, 9, 8, 9, 1]])
    parameters = {"weights": np.zeros((4, 6), int), "schedule": schedule, "settle": np.array(0)}
    golden, trials = network(spec, parameters), trials_of(spec)
    clamp = np.arange(6) < 2

    def features(margin: int, clamped: np.ndarray) -> dict[str, bool]:
        inputs = spec.encode_input(np.zeros(6, int), clamped, 0, margin)
        return trials.features(spec, golden.parameters, inputs, golden.call(inputs))

    found = features(0, clamp)
    assert found["parameter schedule.periods"]
    assert not any(found[f"parameter schedule.{name}"] for name in ("noise", "lock", "alternate"))
    assert not found["input state.clamp"]
    assert not found["input margin.margin"]
    assert "result result.winner" not in found
    assert not any("cycles" in name or "aborted" in name for name in found)
    lesson = features(5, ~clamp)
    assert lesson["input state.clamp"]
    assert lesson["input margin.margin"]
    assert not lesson["parameter schedule.periods"]
    assert found.keys() == lesson.keys()


@pytest.mark.parametrize("spec", SPECS, ids=named)
def test_whatever_a_network_declares_is_a_feature(spec: Spec) -> None:
    rng, trials = np.random.default_rng(0), trials_of(spec)
    golden = network(spec, trials.parameters(spec, rng))
    inputs = trials.inputs(spec, rng)
    found = trials.features(spec, dict(golden.parameters), inputs, golden.call(inputs))
    declared = {
        f"{what} {window.name}.{field.name}"
        for what, region in (("input", Region.INPUT), ("result", Region.OUTPUT))
        for window in spec.memory_map.region(region)
        if window.record is not None
        for field in window.record.used
        if field.name not in ("cycles", "aborted")
    }
    lessons = {f"result result.{name}" for name in ("learnt", "nudged_steps", "touched", "flips")}
    never = lessons if isinstance(spec, EqPropSpec) and not spec.learning else set()
    assert declared - never == {name for name in found if not name.startswith("parameter") and name in declared}
    assert {name.split()[1].split(".")[0] for name in found if name.startswith("parameter")} == set(spec.parameters)


# What is compared


def test_all_that_is_reported_is_compared_but_the_cycles() -> None:
    spins = np.where(np.arange(20) < 7, 1, -1).astype(np.int8)
    result = OscillatorResult(np.arange(20, dtype=np.uint8) % 16, 2, True, 5, 77, cycles=1234, spins=spins)
    fields = output_fields(OSCILLATOR, OSCILLATOR.encode_output(result))
    single = {name: int(value) for name, value in fields.items() if value.ndim == 0}
    assert single == {
        "window result, field settled": 1,
        "window result, field aborted": 0,
        "window result, field winner": 2,
        "window result, field periods": 5,
        "window result, field last_change": 77,
    }
    assert fields["window phases, field phase"].tolist() == result.phases.tolist()
    assert fields["window spins, field spin"].tolist() == [1] * 7 + [0] * 13
    assert len(fields) == 7


def test_windows_of_which_nothing_is_known_are_compared_byte_by_byte() -> None:
    class Plain(OscillatorSpec):
        @property
        def memory_map(self) -> MemoryMap:
            return MemoryMap((Window("out", Region.OUTPUT, 2, 9),))

    fields = output_fields(Plain(oscillators=2), bytes([1, 0, 255, 1]))
    assert {name: value.tolist() for name, value in fields.items()} == {"window out, byte": [1, 0, 255, 1]}


def test_the_first_difference_is_told_with_its_place() -> None:
    expected = {"a": np.array(3), "b": np.arange(6).reshape(2, 3)}
    assert first_unequal(expected, expected) is None
    assert first_unequal(expected, expected | {"a": np.array(4)}) == ("a", 3, 4)
    assert first_unequal(expected, expected | {"b": np.array([[0, 1, 2], [3, 7, 8]])}) == ("b[1, 1]", 4, 7)
