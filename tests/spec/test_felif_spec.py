from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.spec import (
    FelifLayer,
    FelifResult,
    FelifSpec,
    MemoryMap,
    Region,
    SpecError,
    spec_from_dict,
    spec_from_json,
)
from attractor.spec.felif import MOST_LANES
from attractor.spec.felif.layer import KINDS, RESETS

SMALL = FelifSpec(
    inputs=5,
    input_bits=3,
    layers=(
        FelifLayer(neurons=3, kind="felif_a", weight_bits=3, recurrent=True),
        FelifLayer(neurons=2, kind="readout", weight_bits=4, state_bits=20),
    ),
    ticks=4,
    lanes=2,
)


@st.composite
def layers(draw: Any, *, last: bool) -> FelifLayer:
    kind = draw(st.sampled_from(KINDS if last else KINDS[:-1]))
    free: dict[str, Any] = {"state_bits": draw(st.just(0) | st.integers(8, 32))} if kind in ("lif", "readout") else {}
    if kind == "lif":
        free |= {"synapse": draw(st.booleans()), "strict": draw(st.booleans()), "reset": draw(st.sampled_from(RESETS))}
    return FelifLayer(
        neurons=draw(st.integers(1, 9)),
        kind=kind,
        weight_bits=draw(st.integers(2, 8)),
        recurrent=kind != "readout" and draw(st.booleans()),
        scale_bits=draw(st.integers(1, 16)),
        scale_shift=draw(st.integers(0, 24)),
        **free,
    )


@st.composite
def specs(draw: Any) -> FelifSpec:
    count = draw(st.integers(1, 3))
    chosen = tuple(draw(layers(last=index == count - 1)) for index in range(count))
    return FelifSpec(
        inputs=draw(st.integers(1, 40)),
        input_bits=draw(st.integers(1, 8)),
        layers=chosen,
        ticks=draw(st.integers(1, 12)),
        lanes=draw(st.integers(0, max(layer.neurons for layer in chosen))),
    )


def draw_parameters(spec: FelifSpec, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    parameters = {}
    for name, parameter in spec.parameters.items():
        array = rng.integers(parameter.low, np.asarray(parameter.high) + 1, parameter.shape)
        ends = rng.choice([parameter.low, parameter.high], parameter.shape)
        parameters[name] = np.where(rng.random(parameter.shape) < 0.2, ends, array)
    return parameters


# Identity


def test_fingerprint_is_stable() -> None:
    """Models and boards of earlier versions carry it."""
    assert SMALL.fingerprint.hex() == "c55995597fc6ad0a"


@given(specs())
def test_json_round_trip(spec: FelifSpec) -> None:
    again = spec_from_json(json.dumps(json.loads(spec.to_json()), indent=2))
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.fingerprint == spec.fingerprint
    assert spec_from_dict(spec.to_dict()) == spec
    assert not spec.differences(again)


def test_defaults_are_written_out() -> None:
    spec = FelifSpec(inputs=3, layers=(FelifLayer(neurons=70, kind="lif"), FelifLayer(neurons=2, kind="readout")))
    assert spec.lanes == 70
    assert [layer.state_bits for layer in spec.layers] == [18, 24]
    wide = FelifSpec(inputs=3, layers=(FelifLayer(neurons=4096, kind="felif_b"),))
    assert wide.lanes == MOST_LANES


@given(specs())
def test_derived_sizes(spec: FelifSpec) -> None:
    below = [spec.inputs, *(layer.neurons for layer in spec.layers)]
    for index, layer in enumerate(spec.layers):
        own = layer.neurons if layer.recurrent else 0
        assert spec.sources(index) == below[index] + own
        assert spec.lanes_of(index) * spec.groups_of(index) >= layer.neurons
        largest_value = max(map(abs, spec.input_range)) if index == 0 else 1
        largest_sum = (below[index] * largest_value + own) * 2 ** (layer.weight_bits - 1)
        assert spec.largest_sum(index) == largest_sum < 1 << (spec.sum_bits(index) - 1)
    assert spec.frame_words * spec.inputs_per_word >= spec.inputs
    assert spec.inputs_per_word * spec.input_bits <= 16


# Errors name the value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inputs": 0}, "inputs is 0; .*1 and 4096"),
        ({"input_bits": 9}, "input_bits is 9; .*1 and 8"),
        ({"layers": ()}, "layers has 0 entries; it must have 1 to 8"),
        ({"layers": SMALL.layers[:1] * 9}, "layers has 9 entries"),
        ({"layers": 3}, "layers must be a list of layers, not 3"),
        ({"layers": (3,)}, r"layers\[0\] must be a layer, not 3"),
        ({"layers": ({"neurons": 3, "kin": "lif"},)}, r"layers\[0\] is not complete: unknown fields \['kin'\]"),
        (
            {"layers": (dataclasses.asdict(SMALL.layers[0]) | {"neurons": 0},)},
            r"layers\[0\]: neurons is 0; .*1 and 4096",
        ),
        ({"layers": SMALL.layers[::-1]}, r"layers\[0\] is a read-out; only the last"),
        ({"ticks": 0}, "ticks is 0; .*1 and 65535"),
        ({"ticks": 65536}, "ticks is 65536"),
        ({"lanes": 4}, "lanes is 4; .*0 and 3"),
        ({"inputs": 4096, "ticks": 65535, "input_bits": 8}, "ticks is 65535; the inputs then need 134215680 words"),
        (
            {"inputs": 4096, "layers": (FelifLayer(neurons=4096, kind="lif", recurrent=True),), "lanes": 1},
            "lanes is 1; 4096 neurons then need 33554432 rows of weights",
        ),
    ],
)
def test_fields_out_of_range(fields: dict[str, Any], message: str) -> None:
    given_fields = {field.name: getattr(SMALL, field.name) for field in dataclasses.fields(SMALL)}
    with pytest.raises(SpecError, match=message):
        FelifSpec(**given_fields | fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "felif"}, "kind is 'felif'; it must be one of felif_a, felif_b, lif, readout"),
        ({"reset": "none"}, "reset is 'none'; it must be one of zero, value, subtract"),
        ({"weight_bits": 1}, "weight_bits is 1; .*2 and 8"),
        ({"weight_bits": 9}, "weight_bits is 9"),
        ({"scale_bits": 17}, "scale_bits is 17; .*1 and 16"),
        ({"scale_shift": 25}, "scale_shift is 25; .*0 and 24"),
        ({"state_bits": 7}, "state_bits is 7; .*8 and 32"),
        ({"kind": "felif_a", "state_bits": 18}, "state_bits is 18; .*16 and 16"),
        ({"kind": "felif_b", "state_bits": 16}, "state_bits is 16; .*24 and 24"),
        ({"recurrent": 1}, "recurrent must be true or false, not 1"),
        ({"kind": "readout", "recurrent": True}, "recurrent is true, but a read-out sends nothing"),
        ({"kind": "felif_a", "synapse": True}, "synapse is True; only lif neurons have it, not felif_a"),
        ({"kind": "felif_b", "reset": "value"}, "reset is 'value'; only lif neurons have it, not felif_b"),
        ({"kind": "readout", "strict": True}, "strict is True; only lif neurons have it, not readout"),
    ],
)
def test_fields_of_a_layer_out_of_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        FelifLayer(**{"neurons": 4, "kind": "lif"} | fields)


def test_parameters_out_of_range() -> None:
    parameters = draw_parameters(SMALL, 0)
    with pytest.raises(SpecError, match=r"weights_0 has shape \(8, 3\); this spec needs \(3, 8\)"):
        SMALL.check_parameters(parameters | {"weights_0": parameters["weights_0"].T})
    for name, value, message in [
        ("weights_0", 4, r"weights_0\[0, 0\] is 4; it must lie between -4 and 3"),
        ("decay_1", 32769, r"decay_1\[0\] is 32769; it must lie between 0 and 32768"),
        ("bias_0", 65536, r"bias_0\[0\] is 65536; it must lie between -65536 and 65535"),
        ("limit_0", -1, r"limit_0\[0\] is -1; it must lie between 0 and 32767"),
        ("field_offset_0", -2049, r"field_offset_0\[0\] is -2049"),
    ]:
        changed = parameters[name].copy()
        changed.flat[0] = value
        with pytest.raises(SpecError, match=message):
            SMALL.check_parameters(parameters | {name: changed})


def test_parameters_of_each_kind() -> None:
    def names(**fields: Any) -> set[str]:
        layer = FelifLayer(neurons=2, **fields)
        return {name.removesuffix("_0") for name in FelifSpec(inputs=1, layers=(layer,)).parameters}

    shared = {"weights", "scale", "bias"}
    ferroelectric = {"threshold", "leak_scale", "field_offset", "coupling", "leak", "field", "reset", "limit"}
    assert names(kind="felif_b") == shared | ferroelectric
    assert names(kind="felif_a") == shared | ferroelectric | {"inverse"}
    assert names(kind="readout") == shared | {"decay"}
    assert names(kind="lif") == shared | {"decay", "threshold"}
    assert names(kind="lif", synapse=True, reset="value") == shared | {"decay", "threshold", "synapse_decay", "reset"}


# Layout


def word(contents: dict[str, bytes], memory_map: MemoryMap, name: str, index: int) -> int:
    window = memory_map[name]
    value = int.from_bytes(contents[name][index * window.word_bytes : (index + 1) * window.word_bytes], "little")
    assert value < 1 << window.word_bits
    return value


@settings(max_examples=60, deadline=None)
@given(specs(), st.integers(0, 2**32))
def test_parameters_as_bytes(spec: FelifSpec, seed: int) -> None:
    parameters = draw_parameters(spec, seed)
    contents = spec.encode_parameters(parameters)
    assert {name: len(data) for name, data in contents.items()} == {
        window.name: window.size for window in spec.memory_map.region(Region.PARAMETERS)
    }
    for index, layer in enumerate(spec.layers):
        lanes, weights = min(spec.lanes, layer.neurons), parameters[f"weights_{index}"]
        groups = -(-layer.neurons // lanes)
        for source in range(weights.shape[1]):
            for group in range(groups):
                expected = 0
                for lane, neuron in enumerate(range(group * lanes, min((group + 1) * lanes, layer.neurons))):
                    mask = (1 << layer.weight_bits) - 1
                    expected |= (int(weights[neuron, source]) & mask) << lane * layer.weight_bits
                assert word(contents, spec.memory_map, f"weights_{index}.0", source * groups + group) == expected
    decoded = spec.decode_parameters(contents)
    assert decoded.keys() == spec.parameters.keys()
    for name, array in decoded.items():
        assert array.dtype == spec.parameters[name].dtype
        assert (array == parameters[name]).all()


def test_words_of_neurons_and_tables_bit_by_bit() -> None:
    parameters = draw_parameters(SMALL, 3)
    for name, value in {
        "scale": 0xABCD,
        "bias": -2,
        "threshold": 9891,
        "leak_scale": 64,
        "field_offset": -1,
        "coupling": 2374,
        "inverse": 6379,
    }.items():
        parameters[f"{name}_0"][1] = value
    parameters["reset_0"][0], parameters["limit_0"][0], parameters["field_0"][16] = -5935, 19782, 4999
    parameters["scale_1"][1], parameters["bias_1"][1], parameters["decay_1"][1] = 1, 0, 32768
    contents = SMALL.encode_parameters(parameters)
    fields = [
        f"{6379:016b}",
        f"{2374:012b}",
        "1" * 12,
        f"{64:08b}",
        f"{9891:016b}",
        "1" * 16 + "0",
        f"{0xABCD:016b}",
    ]
    assert word(contents, SMALL.memory_map, "neurons_0", 1) == int("".join(fields), 2)
    assert word(contents, SMALL.memory_map, "limits_0", 0) == 19782 << 16 | 2**16 - 5935
    assert word(contents, SMALL.memory_map, "field_0", 16) == 4999
    assert word(contents, SMALL.memory_map, "neurons_1", 1) == 32768 << 36 | 1


# Inputs and results


@settings(max_examples=100, deadline=None)
@given(specs(), st.integers(0, 2**32), st.booleans(), st.data())
def test_inputs_as_bytes(spec: FelifSpec, seed: int, keep: bool, data: st.DataObject) -> None:
    ticks = data.draw(st.integers(1, spec.ticks))
    low, high = spec.input_range
    frames = np.random.default_rng(seed).integers(low, high + 1, (ticks, spec.inputs))
    encoded = spec.encode_input(frames, keep=keep)
    found = spec.decode_input(encoded)
    assert found.frames.tolist() == frames.tolist()
    assert found.keep is keep
    windows = spec.memory_map.split(Region.INPUT, encoded)
    tick, index = ticks - 1, spec.inputs - 1
    at = tick * spec.frame_words + index // spec.inputs_per_word
    bits = word(windows, spec.memory_map, "frames", at) >> index % spec.inputs_per_word * spec.input_bits
    assert bits & (1 << spec.input_bits) - 1 == int(frames[tick, index]) & (1 << spec.input_bits) - 1


def test_ticks_out_of_range_are_read_as_the_nearest() -> None:
    encoded = SMALL.encode_input(np.zeros((2, 5), int))
    assert len(SMALL.decode_input(b"\0\0" + encoded[2:]).frames) == 1
    assert len(SMALL.decode_input(b"\xff\xff" + encoded[2:]).frames) == 4


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((2, 4), int), r"shape \(2, 4\); the last axis must have 5 entries"),
        (np.zeros(5, int), r"shape \(5,\); a call takes those of 1 to 4 ticks"),
        (np.zeros((5, 5), int), r"shape \(5, 5\); a call takes those of 1 to 4 ticks"),
        (np.zeros((0, 5), int), r"shape \(0, 5\)"),
        (np.zeros((1, 5)), "type float64"),
        (np.full((1, 5), 4), "an input value is 4; it must lie between -4 and 3"),
        (np.full((1, 5), -5), "an input value is -5"),
    ],
)
def test_inputs_that_do_not_fit(frames: np.ndarray, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        SMALL.encode_input(frames)


def test_spikes_as_inputs_are_bits() -> None:
    spec = dataclasses.replace(SMALL, input_bits=1)
    with pytest.raises(SpecError, match="an input value is -1; it must lie between 0 and 1"):
        spec.encode_input(np.full((1, 5), -1))
    assert spec.decode_input(spec.encode_input(np.ones((1, 5), bool))).frames.tolist() == [[1] * 5]


@settings(max_examples=100, deadline=None)
@given(specs(), st.integers(0, 2**32), st.booleans())
def test_results_as_bytes(spec: FelifSpec, seed: int, aborted: bool) -> None:
    rng = np.random.default_rng(seed)
    last = spec.layers[-1]
    low, high = (0, spec.ticks) if last.spikes else (-(1 << last.state_bits - 1), (1 << last.state_bits - 1) - 1)
    outputs = rng.choice([low, high, *rng.integers(low, high + 1, 3)], last.neurons)
    result = FelifResult(
        winner=int(outputs.argmax()), outputs=outputs, ticks=7, spikes=2**31, cycles=2**32 - 1, aborted=aborted
    )
    encoded = spec.encode_output(result)
    assert len(encoded) == spec.memory_map.size(Region.OUTPUT)
    found = spec.decode_output(encoded)
    assert found.outputs.tolist() == outputs.tolist()
    assert dataclasses.replace(found, outputs=outputs) == result
