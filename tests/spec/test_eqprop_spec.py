from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.spec import (
    PAYLOAD_BYTES,
    EqPropResult,
    EqPropSpec,
    Region,
    SpecError,
    spec_from_dict,
    spec_from_json,
)
from attractor.spec.eqprop import MOST_LANES

SMALL = EqPropSpec(layers=(9, 5, 4), classes=2, state_high=(50, 20), lanes=3, counter_bits=5, learning=True)


@st.composite
def specs(draw: Any, *, largest: int = 12) -> EqPropSpec:
    hidden = draw(st.lists(st.integers(1, largest), min_size=1, max_size=3))
    classes, replicas = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    layers = (draw(st.integers(1, 2 * largest)), *hidden, classes * replicas)
    high = draw(st.integers(1, 255) | st.tuples(*[st.integers(1, 255)] * (len(layers) - 1)))
    return EqPropSpec(
        layers=layers,
        classes=classes,
        state_high=high,
        nudge_shift=draw(st.integers(0, 4)),
        counter_bits=draw(st.integers(2, 12)),
        lanes=draw(st.integers(0, max(layers[1:]))),
        learning=draw(st.booleans()),
    )


def draw_parameters(spec: EqPropSpec, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    parameters: dict[str, np.ndarray] = {"steps": rng.choice([1, 2, 8, 255], 2)}
    for connection in range(spec.connections):
        shape = (spec.layers[connection + 1], spec.layers[connection])
        parameters[f"weights_{connection}"] = rng.choice([-1, 1], shape)
        if spec.learning:
            parameters[f"counters_{connection}"] = rng.integers(-spec.counter_high, spec.counter_high + 1, shape)
    return parameters


# Identity


def test_canonical_json() -> None:
    assert SMALL.to_json() == (
        '{"classes":2,"counter_bits":5,"family":"eqprop","lanes":3,"layers":[9,5,4],"learning":true,"nudge_shift":1,'
        '"state_high":[50,20]}'
    )


def test_fingerprint_is_stable() -> None:
    """Models and boards of earlier versions carry it."""
    assert SMALL.fingerprint.hex() == "7b9b5c29ebb7bcc9"


@given(specs())
def test_json_round_trip(spec: EqPropSpec) -> None:
    again = spec_from_json(json.dumps(json.loads(spec.to_json()), indent=2))
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.fingerprint == spec.fingerprint
    assert spec_from_dict(spec.to_dict()) == spec
    assert not spec.differences(again)


def test_one_greatest_state_for_all_layers() -> None:
    spec = EqPropSpec(layers=(3, 4, 5, 6), classes=3, state_high=50)
    assert spec == EqPropSpec(layers=(3, 4, 5, 6), classes=3, state_high=(50, 50, 50))
    assert dataclasses.replace(spec, state_high=(1, 2, 3)).differences(spec) == ["state_high: (1, 2, 3), (50, 50, 50)"]


def test_no_lanes_means_the_largest_layer_that_has_neurons() -> None:
    assert EqPropSpec(layers=(900, 7, 10), state_high=50).lanes == 10
    assert EqPropSpec(layers=(10, 4000, 10), state_high=50).lanes == MOST_LANES


@given(specs())
def test_derived_sizes(spec: EqPropSpec) -> None:
    neurons = spec.layers[1:]
    assert spec.targets == sum(neurons)
    assert spec.replicas * spec.classes == neurons[-1]
    assert [spec.groups_of(layer + 1) for layer in range(len(neurons))] == [-(-n // spec.lanes) for n in neurons]
    firsts = [spec.first_group(layer) for layer in range(1, len(neurons) + 1)]
    assert firsts == [sum(-(-n // spec.lanes) for n in neurons[:index]) for index in range(len(neurons))]
    assert spec.groups == sum(-(-n // spec.lanes) for n in neurons)
    assert max(spec.high_of(layer) for layer in range(1, len(spec.layers))) < 1 << spec.state_bits
    sums = [spec.layers[i - 1] + sum(spec.layers[i + 1 : i + 2]) for i in range(1, len(spec.layers))]
    assert spec.largest_sum == max(sums) < 1 << (spec.sum_bits - 1) <= 2 * max(sums)
    assert spec.counter_high == 2 ** (spec.counter_bits - 1) - 1


# Errors name the value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": 5}, "layers must be the sizes of all layers, not 5"),
        ({"layers": (9, 4)}, "layers has 2 entries"),
        ({"layers": (0, 5, 4)}, r"layers\[0\] is 0; .*1 and 16384"),
        ({"layers": (16385, 5, 4)}, r"layers\[0\] is 16385"),
        ({"layers": (9, 4097, 4)}, r"layers\[1\] is 4097; .*1 and 4096"),
        ({"layers": (9, 5.0, 4)}, r"layers\[1\] must be an integer, not 5\.0"),
        ({"layers": (9, 5, 5)}, "layers ends in 5 outputs; it must be a multiple of 2 classes"),
        ({"classes": 1}, "classes is 1; .*2 and 256"),
        ({"classes": 257}, "classes is 257"),
        ({"state_high": 0}, r"state_high\[0\] is 0; .*1 and 255"),
        ({"state_high": (50, 256)}, r"state_high\[1\] is 256"),
        ({"state_high": (50, 50, 50)}, "state_high has 3 entries; 2 layers have states"),
        ({"state_high": "50"}, r"state_high\[0\] must be an integer, not '50'"),
        ({"layers": (9, 5, 4096), "state_high": 32}, "state_high ends in 32; a score of 2048 replicas then .* 65536"),
        ({"nudge_shift": 5}, "nudge_shift is 5; .*0 and 4"),
        ({"counter_bits": 1}, "counter_bits is 1; .*2 and 12"),
        ({"counter_bits": 13}, "counter_bits is 13"),
        ({"lanes": 6}, "lanes is 6; .*0 and 5"),
        ({"layers": (9, 4096, 4), "lanes": 2049}, "lanes is 2049; .*0 and 2048"),
        ({"lanes": -1}, "lanes is -1"),
        ({"layers": (4096, 4096, 2), "lanes": 1}, "lanes is 1; these layers then need 16785408 rows of weights"),
        ({"layers": (1, 4096, 4096), "lanes": 1, "state_high": 1}, "then need 16781312 rows of weights"),
    ],
)
def test_fields_out_of_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        EqPropSpec(**{"layers": (9, 5, 4), "classes": 2, "state_high": 50} | fields)


def changed(name: str, index: tuple[int, ...], value: int) -> dict[str, Any]:
    """Return parameters of SMALL, one of which is not as it should be."""
    parameters = draw_parameters(SMALL, 0)
    parameters[name][index] = value
    return parameters


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("weights_0", (4, 8), 0, r"weights_0\[4, 8\] is 0; it must lie between -1 and 1, without 0"),
        ("weights_1", (0, 3), 2, r"weights_1\[0, 3\] is 2"),
        ("counters_0", (1, 2), 16, r"counters_0\[1, 2\] is 16; it must lie between -15 and 15"),
        ("counters_1", (3, 0), -16, r"counters_1\[3, 0\] is -16"),
        ("steps", (1,), 0, r"steps\['nudged'\] is 0; it must lie between 1 and 255"),
        ("steps", (0,), 256, r"steps\['free'\] is 256"),
    ],
)
def test_parameters_out_of_range(name: str, index: tuple[int, ...], value: int, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        SMALL.encode_parameters(changed(name, index, value))


def test_parameters_that_are_not_those_of_the_spec() -> None:
    parameters = draw_parameters(SMALL, 0)
    with pytest.raises(SpecError, match=r"weights_1 has shape \(5, 4\); this spec needs \(4, 5\)"):
        SMALL.check_parameters(parameters | {"weights_1": parameters["weights_1"].T})
    with pytest.raises(SpecError, match="weights_0 has type float64"):
        SMALL.check_parameters(parameters | {"weights_0": parameters["weights_0"] * 1.0})
    with pytest.raises(SpecError, match=r"unknown \['counters_0', 'counters_1'\]"):
        dataclasses.replace(SMALL, learning=False).check_parameters(parameters)
    checked = SMALL.check_parameters(parameters)
    types = {name: array.dtype.name for name, array in checked.items()}
    assert types == {
        "weights_0": "int8",
        "counters_0": "int16",
        "weights_1": "int8",
        "counters_1": "int16",
        "steps": "uint8",
    }


# Layout of parameters


def word(contents: dict[str, bytes], spec: EqPropSpec, memory: str, index: int) -> int:
    """Return a word for all lanes, put together from its windows."""
    kind = spec.up_memory if memory == "up" else spec.down_memory
    value = 0
    for name, lanes in zip(kind.names, kind.segments, strict=True):
        size = spec.memory_map[name].word_bytes
        part = int.from_bytes(contents[name][index * size : (index + 1) * size], "little")
        assert part < 1 << (lanes.stop - lanes.start) * kind.lane_bits
        value |= part << lanes.start * kind.lane_bits
    return value


def words_by_definition(spec: EqPropSpec, parameters: dict[str, np.ndarray]) -> tuple[list[int], list[int]]:
    """Return the words of ``up`` and ``down`` in order, weight by weight."""
    up, down = [], []
    for connection in range(spec.connections):
        weights = parameters[f"weights_{connection}"]
        above, below = weights.shape
        for j in range(below):
            for group in range(-(-above // spec.lanes)):
                value = 0
                for lane, i in enumerate(range(group * spec.lanes, min((group + 1) * spec.lanes, above))):
                    bits = int(weights[i, j] < 0)
                    if spec.learning:
                        counter = int(parameters[f"counters_{connection}"][i, j])
                        bits |= (counter & (1 << spec.counter_bits) - 1) << 1
                    value |= bits << lane * (1 + spec.counter_bits * spec.learning)
                up.append(value)
        for i in range(above if connection else 0):
            for group in range(-(-below // spec.lanes)):
                lanes = range(group * spec.lanes, min((group + 1) * spec.lanes, below))
                down.append(sum(int(weights[i, j] < 0) << lane for lane, j in enumerate(lanes)))
    return up, down


@settings(max_examples=60, deadline=None)
@given(specs(), st.integers(0, 2**32))
def test_parameters_as_bytes(spec: EqPropSpec, seed: int) -> None:
    parameters = draw_parameters(spec, seed)
    contents = spec.encode_parameters(parameters)
    assert {name: len(data) for name, data in contents.items()} == {
        window.name: window.size for window in spec.memory_map.region(Region.PARAMETERS)
    }
    up, down = words_by_definition(spec, parameters)
    assert [word(contents, spec, "up", index) for index in range(spec.up_memory.words)] == up
    assert [word(contents, spec, "down", index) for index in range(spec.down_memory.words)] == down
    assert contents["steps"] == bytes(parameters["steps"].tolist())
    decoded = spec.decode_parameters(contents)
    assert decoded.keys() == spec.parameters.keys()
    for name, array in decoded.items():
        assert array.dtype == spec.parameters[name].dtype
        assert (array == parameters[name]).all()


def test_a_word_bit_by_bit() -> None:
    parameters = draw_parameters(SMALL, 3)
    # Neurons 3 and 4 of layer 1 are lanes 0 and 1 of its second group; input 2 is the source.
    parameters["weights_0"][[3, 4], 2] = -1, 1
    parameters["counters_0"][[3, 4], 2] = -3, 5
    contents = SMALL.encode_parameters(parameters)
    assert word(contents, SMALL, "up", 2 * 2 + 1) == 0b00101_0_11101_1
    # Of layer 2, neuron 3 is alone in the second group. Words of connection 1 come after 9 * 2 of connection 0.
    parameters["weights_1"][3, 4] = -1
    parameters["counters_1"][3, 4] = 15
    contents = SMALL.encode_parameters(parameters)
    assert word(contents, SMALL, "up", 9 * 2 + 4 * 2 + 1) == 0b01111_1
    assert word(contents, SMALL, "down", 3 * 2 + 1) & 0b10
    assert contents["steps"] == bytes(parameters["steps"].tolist())


@pytest.mark.parametrize(("counter_bits", "learning"), [(2, True), (8, True), (12, True), (8, False)])
@pytest.mark.parametrize("lanes", [240, 1873, 0])
def test_wide_rows_are_cut_into_windows_that_fill_block_ram(counter_bits: int, learning: bool, lanes: int) -> None:
    spec = EqPropSpec(
        layers=(2, 2000, 4), classes=2, state_high=50, counter_bits=counter_bits, lanes=lanes, learning=learning
    )
    for memory in (spec.up_memory, spec.down_memory):
        assert [lane for part in memory.segments for lane in range(part.start, part.stop)] == list(range(spec.lanes))
        widths = [part.stop - part.start for part in memory.segments]
        assert len(set(widths[:-1])) <= 1
        assert widths[-1] <= widths[0]
        assert all(width % 72 == 0 for width in widths[:-1])
        assert all(spec.memory_map[name].word_bytes <= PAYLOAD_BYTES for name in memory.names)
    parameters = draw_parameters(spec, 1)
    decoded = spec.decode_parameters(spec.encode_parameters(parameters))
    assert all((decoded[name] == parameters[name]).all() for name in parameters)


@settings(max_examples=100, deadline=None)
@given(specs(), st.integers(0, 2**32))
def test_changes_leave_all_other_bits(spec: EqPropSpec, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = spec.check_parameters(draw_parameters(spec, seed))
    fresh = spec.check_parameters(draw_parameters(spec, seed + 1))
    # Few of the parameters change, in some connections none.
    after = {}
    for name, array in before.items():
        chosen = rng.random(array.shape) < rng.choice([0.0, 0.05, 0.5])
        after[name] = array if name == "steps" else np.where(chosen, fresh[name], array)
    # Lanes without a target hold anything.
    windows = {
        window.name: bytes(rng.integers(0, 256, window.size, np.uint8))
        for window in spec.memory_map.region(Region.PARAMETERS)
    }
    old, new = spec.encode_parameters(before), spec.encode_parameters(after)
    found = spec.encode_changes(windows, before, after)
    assert found.keys() == windows.keys()
    for name, data in windows.items():
        arrays = [np.frombuffer(part, np.uint8) for part in (data, old[name], new[name])]
        assert found[name] == (arrays[0] ^ arrays[1] ^ arrays[2]).tobytes()


# Inputs and results


@given(specs(), st.integers(0, 2**32), st.integers(-1, 1), st.integers(0, 255))
def test_input_round_trip(spec: EqPropSpec, seed: int, sigma: int, label: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, spec.layers[0])
    thresholds = rng.integers(0, 1 << spec.counter_bits, spec.connections)
    packed = np.packbits(bits, bitorder="little").tobytes()
    if not spec.learning:
        assert spec.encode_input(bits) == packed
        found = spec.decode_input(packed)
        assert (found.bits == bits).all()
        assert (found.sigma, found.thresholds.tolist()) == (0, [0] * spec.connections)
        return
    data = spec.encode_input(bits, sigma=sigma, label=label, thresholds=thresholds)
    words = b"".join(int(threshold).to_bytes(2, "little") for threshold in thresholds)
    assert data == words + bytes([{0: 0, 1: 1, -1: 3}[sigma], label]) + packed
    assert len(data) == spec.memory_map["sample"].size
    unused = int.from_bytes(data, "little") | 0xFC << 16 * spec.connections
    for connection in range(spec.connections):
        unused |= (0xFFFF << spec.counter_bits & 0xFFFF) << 16 * connection
    unused |= 0xFF << spec.layers[0] % 8 + 8 * (len(data) - 1) if spec.layers[0] % 8 else 0
    unused &= (1 << 8 * len(data)) - 1
    for region in (data, unused.to_bytes(len(data), "little")):
        found = spec.decode_input(region)
        assert (found.bits == bits).all()
        assert (found.sigma, found.label, found.thresholds.tolist()) == (sigma, label, thresholds.tolist())


def test_a_sample_without_learning_needs_no_thresholds() -> None:
    data = SMALL.encode_input([0, 1, 0, 0, 0, 0, 0, 0, 1])
    assert data == bytes(6) + b"\2\1"
    assert SMALL.decode_input(b"\2" + data[1:]).sigma == 0


def test_a_call_is_one_frame() -> None:
    spec = EqPropSpec(layers=(784, 512, 100), state_high=50, learning=True)
    assert spec.memory_map["sample"].size == 104


@pytest.mark.parametrize(
    ("bits", "options", "message"),
    [
        ([0] * 8, {}, r"shape \(8,\); the last axis must have 9"),
        (0, {}, r"shape \(\)"),
        ([0] * 8 + [2], {}, "an input bit is 2; it must be 0 or 1"),
        ([0.5] * 9, {}, r"an input bit is 0\.5"),
        ([[0] * 9] * 2, {}, r"shape \(2, 9\); a call takes those of one sample"),
        ([0] * 9, {"sigma": 2}, "sigma is 2; .*-1 and 1"),
        ([0] * 9, {"label": 256}, "label is 256; .*0 and 255"),
        ([0] * 9, {"sigma": 1}, "sigma is 1, but there are no thresholds"),
        ([0] * 9, {"sigma": 1, "thresholds": [1]}, r"thresholds has shape \(1,\); this spec needs \(2,\)"),
        ([0] * 9, {"sigma": 1, "thresholds": [1, 32]}, r"thresholds\[1\] is 32; .*0 and 31"),
    ],
)
def test_inputs_that_do_not_fit(bits: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        SMALL.encode_input(bits, **options)


def test_learning_needs_a_network_that_learns() -> None:
    spec = dataclasses.replace(SMALL, learning=False)
    with pytest.raises(SpecError, match="sigma is -1, but this network cannot learn: it needs a spec with learning"):
        spec.encode_input([0] * 9, sigma=-1, thresholds=[1, 1])


@given(
    scores=st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=256),
    winner=st.integers(0, 255),
    flags=st.tuples(*[st.booleans()] * 3),
    steps=st.tuples(*[st.integers(0, 255)] * 2),
    numbers=st.tuples(*[st.integers(0, 2**32 - 1)] * 3),
)
def test_result_round_trip(
    scores: list[int],
    winner: int,
    flags: tuple[bool, bool, bool],
    steps: tuple[int, int],
    numbers: tuple[int, int, int],
) -> None:
    settled, aborted, learnt = flags
    touched, flips, cycles = numbers
    result = EqPropResult(
        winner=winner,
        scores=np.array(scores, np.uint16),
        settled=settled,
        free_steps=steps[0],
        nudged_steps=steps[1],
        learnt=learnt,
        touched=touched,
        flips=flips,
        cycles=cycles,
        aborted=aborted,
    )
    data = result.encode()
    head = bytes([settled + 2 * aborted + 4 * learnt, 0]) + winner.to_bytes(2, "little") + bytes(steps)
    assert data[:6] == head
    assert data[6:18] == b"".join(number.to_bytes(4, "little") for number in numbers)
    assert len(data) == 18 + 2 * len(scores)
    found = SMALL.decode_output(data)
    assert found.scores.tolist() == scores
    assert dataclasses.replace(found, scores=result.scores) == result
