from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attractor.spec import (
    PAYLOAD_BYTES,
    OscillatorResult,
    OscillatorSpec,
    ParameterSpec,
    Region,
    SpecError,
    spec_from_dict,
    spec_from_json,
)
from attractor.spec.base import ceil_div
from attractor.spec.oscillator import FLIP_SHARES, MOST_LANES

SMALL = OscillatorSpec(oscillators=5, inputs=2, labels=2, lanes=2, schedule_entries=3)


@st.composite
def specs(draw: Any, largest: int = 40) -> OscillatorSpec:
    oscillators = draw(st.integers(2, largest))
    inputs = draw(st.integers(0, oscillators - 1))
    return OscillatorSpec(
        oscillators=oscillators,
        inputs=inputs,
        labels=draw(st.integers(0, oscillators - inputs)),
        reference=draw(st.integers(0, oscillators - 1)),
        weight_bits=draw(st.integers(2, 12)),
        phase_bits=draw(st.integers(3, 6)),
        lanes=draw(st.integers(0, min(oscillators - inputs, MOST_LANES))),
        schedule_entries=draw(st.integers(1, 64)),
        lock_phases=draw(st.integers(2, 4)),
        learning=draw(st.booleans()),
        random_start=draw(st.booleans()),
        flips=draw(st.booleans()),
    )


def draw_parameters(spec: OscillatorSpec, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    entries = spec.schedule_entries
    schedule = np.zeros((entries, len(spec.schedule_columns)), int)
    schedule[:, 0] = rng.choice([0, 0xFFFF, 1, 300], entries)
    schedule[:, 1] = rng.integers(0, spec.largest_amplitude + 1, entries)
    schedule[:, 2] = rng.integers(0, spec.period // 2 + 1, entries)
    schedule[:, 3] = rng.integers(0, spec.largest_amplitude + 1, entries)
    schedule[:, 4] = rng.integers(0, 2, entries)
    schedule[:, 5:] = rng.integers(0, len(FLIP_SHARES) + 1, (entries, 1))
    return {
        "weights": rng.integers(spec.weight_low, spec.weight_high + 1, (spec.targets, spec.oscillators)),
        "schedule": schedule,
        "settle": np.array(rng.integers(0, 1 << 16)),
    }


# Identity


def test_canonical_json_is_sorted_and_without_white_space() -> None:
    assert SMALL.to_json() == (
        '{"family":"oscillator","inputs":2,"labels":2,"lanes":2,"learning":false,"lock_phases":2,"oscillators":5,'
        '"phase_bits":4,"reference":0,"schedule_entries":3,"weight_bits":5}'
    )


def test_fingerprint_is_stable() -> None:
    """Models and boards of earlier versions carry it."""
    assert SMALL.fingerprint.hex() == "0f042fedca4ddd46"
    assert json.loads(replace(SMALL, random_start=True).to_json()) == SMALL.to_dict() | {"random_start": True}
    assert SMALL.fingerprint == hashlib.sha256(SMALL.to_json().encode()).digest()[:8]


@given(specs(4096))
def test_json_round_trip(spec: OscillatorSpec) -> None:
    again = spec_from_json(json.dumps(json.loads(spec.to_json()), indent=2))
    assert again == spec
    assert again.fingerprint == spec.fingerprint
    assert spec_from_dict(spec.to_dict()) == spec


@given(specs(), specs())
def test_fingerprint_and_differences_tell_specs_apart(first: OscillatorSpec, second: OscillatorSpec) -> None:
    assume(first != second)
    assert first.fingerprint != second.fingerprint
    differing = {
        field.name for field in dataclasses.fields(first) if getattr(first, field.name) != getattr(second, field.name)
    }
    lines = first.differences(second)
    assert {line.split(":")[0] for line in lines} == differing
    for line in lines:
        name = line.split(":")[0]
        assert line == f"{name}: {getattr(first, name)}, {getattr(second, name)}"


def test_no_lanes_means_all_of_them() -> None:
    assert OscillatorSpec(oscillators=7, inputs=3) == OscillatorSpec(oscillators=7, inputs=3, lanes=4)
    assert OscillatorSpec(oscillators=4000).lanes == MOST_LANES


@given(specs())
def test_lock_phases_lie_nearest_to_their_own_slots(spec: OscillatorSpec) -> None:
    slots = np.array(spec.lock_slots)
    assert (spec.lock_index(slots) == np.arange(spec.lock_phases)).all()
    phases = np.arange(spec.period)
    around = (phases[:, None] - slots) % spec.period
    distances = np.minimum(around, spec.period - around)
    # A lock phase is rounded to a slot by at most half of one, so the nearest by slots is at most one slot nearer.
    assert (distances[phases, spec.lock_index(phases)] <= distances.min(axis=1) + 1).all()


@given(specs())
def test_derived_sizes(spec: OscillatorSpec) -> None:
    assert spec.targets == spec.oscillators - spec.inputs
    assert (spec.groups - 1) * spec.lanes < spec.targets <= spec.groups * spec.lanes
    greatest = max(-spec.weight_low, spec.weight_high) * spec.oscillators
    assert spec.largest_sum == greatest
    disturbed = greatest + 2 * spec.largest_amplitude + spec.largest_amplitude  # noise is less than twice its amplitude
    assert disturbed < 1 << spec.sum_bits - 1  # both signs: a level is -1 or +1
    assert disturbed >= 1 << spec.sum_bits - 4


# Errors name the value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"oscillators": 1}, r"oscillators is 1; .*2 and 4096"),
        ({"oscillators": 4097}, r"oscillators is 4097"),
        ({"inputs": -1}, r"inputs is -1; .*0 and 4"),
        ({"inputs": 5}, r"inputs is 5; .*0 and 4"),
        ({"inputs": 2, "labels": 4}, r"labels is 4; .*0 and 3"),
        ({"reference": 5}, r"reference is 5; .*0 and 4"),
        ({"weight_bits": 1}, r"weight_bits is 1; .*2 and 12"),
        ({"weight_bits": 13}, r"weight_bits is 13"),
        ({"phase_bits": 2}, r"phase_bits is 2; .*3 and 6"),
        ({"phase_bits": 7}, r"phase_bits is 7"),
        ({"inputs": 2, "lanes": 4}, r"lanes is 4; .*0 and 3"),
        ({"lanes": -1}, r"lanes is -1"),
        ({"schedule_entries": 0}, r"schedule_entries is 0; .*1 and 64"),
        ({"schedule_entries": 65}, r"schedule_entries is 65"),
        ({"oscillators": 5.0}, r"oscillators must be an integer, not 5\.0"),
        ({"lanes": True}, r"lanes must be an integer, not True"),
        ({"phase_bits": "4"}, r"phase_bits must be an integer, not '4'"),
        ({"random_start": 1}, r"random_start must be true or false, not 1"),
        ({"flips": 7}, r"flips must be true or false, not 7"),
    ],
)
def test_fields_out_of_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        OscillatorSpec(**{"oscillators": 5} | fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be JSON"),
        ("[1]", "object, not list"),
        ('{"family":"spin"}', "'spin'; this version knows eqprop, felif, oscillator"),
        ("{}", "None; this version knows eqprop, felif, oscillator"),
        (SMALL.to_json().replace("lanes", "tracks"), r"unknown fields \['tracks'\], missing fields \[\]"),
        (SMALL.to_json().replace(":4,", ":40,"), "phase_bits is 40"),
    ],
)
def test_damaged_json(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec_from_json(text)


def test_spec_of_another_family() -> None:
    with pytest.raises(SpecError, match="family 'spin', not 'oscillator'"):
        OscillatorSpec.from_dict({**SMALL.to_dict(), "family": "spin"})


def changed(name: str, value: Any) -> dict[str, Any]:
    """Return parameters of SMALL, one of which is not as it should be."""
    good = {"weights": np.zeros((3, 5), int), "schedule": SMALL.schedule(2), "settle": np.array(1)}
    return good | {name: value}


def put(array: Any, index: tuple[int, ...], value: int) -> Any:
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weights", np.zeros((5, 5), int), r"weights has shape \(5, 5\); this spec needs \(3, 5\)"),
        ("weights", np.zeros((3, 5)), "weights has type float64"),
        ("weights", put(np.zeros((3, 5), int), (2, 1), 16), r"weights\[2, 1\] is 16; .*-16 and 15"),
        ("weights", put(np.zeros((3, 5), int), (0, 4), -17), r"weights\[0, 4\] is -17"),
        ("schedule", put(np.zeros((3, 5), int), (1, 0), 65536), r"schedule\[1, 'periods'\] is 65536; .*0 and 65535"),
        ("schedule", put(np.zeros((3, 5), int), (1, 1), 21), r"schedule\[1, 'noise'\] is 21; .*0 and 20"),
        ("schedule", put(np.zeros((3, 5), int), (2, 2), 9), r"schedule\[2, 'max_step'\] is 9; .*0 and 8"),
        ("schedule", put(np.zeros((3, 5), int), (0, 3), 21), r"schedule\[0, 'lock'\] is 21"),
        ("schedule", put(np.zeros((3, 5), int), (0, 4), 2), r"schedule\[0, 'alternate'\] is 2; .*0 and 1"),
        ("settle", np.array([1]), r"settle has shape \(1,\); this spec needs \(\)"),
        ("settle", np.array(-1), r"settle\[\] is -1"),
        ("bias", np.array(0), r"unknown \['bias'\], missing \[\]"),
    ],
)
def test_parameters_that_do_not_fit(name: str, value: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        SMALL.encode_parameters(changed(name, value))


def test_missing_parameters() -> None:
    with pytest.raises(SpecError, match=r"missing \['schedule', 'settle'\]"):
        SMALL.check_parameters({"weights": np.zeros((3, 5), int)})


def test_checked_parameters_have_their_storage_types() -> None:
    checked = SMALL.check_parameters(changed("settle", np.array(7, np.int64)))
    assert {name: array.dtype.name for name, array in checked.items()} == {
        "weights": "int8",
        "schedule": "uint16",
        "settle": "uint16",
    }


def test_parameter_with_one_range_for_all() -> None:
    spec = ParameterSpec("bias", (2,), np.dtype(np.int8), -1, 1)
    with pytest.raises(SpecError, match=r"bias\[1\] is 2; it must lie between -1 and 1"):
        spec.check([0, 2])


def test_schedule_of_one_stretch() -> None:
    assert SMALL.schedule(7).tolist() == [[7, 0, 8, 0, 0], [0] * 5, [0] * 5]
    assert SMALL.schedule(7, max_step=1)[0, 2] == 1
    with pytest.raises(SpecError, match="65536"):
        SMALL.schedule(65536)


# Layout


def word_of(spec: OscillatorSpec, weights: np.ndarray, source: int, group: int, lanes: slice) -> int:
    """Return a weight word by definition: the lowest lane in the lowest bits, zero where there is no target."""
    word = 0
    for place, lane in enumerate(range(lanes.start, lanes.stop)):
        target = group * spec.lanes + lane
        if target < spec.targets:
            word |= (int(weights[target, source]) & ((1 << spec.weight_bits) - 1)) << place * spec.weight_bits
    return word


@settings(max_examples=40, deadline=None)
@given(specs(), st.integers(0, 2**32))
def test_parameters_as_bytes(spec: OscillatorSpec, seed: int) -> None:
    parameters = draw_parameters(spec, seed)
    windows = spec.encode_parameters(parameters)
    assert {name: len(data) for name, data in windows.items()} == {
        window.name: window.size for window in spec.memory_map.region(Region.PARAMETERS)
    }
    for name, lanes in zip(spec.weight_windows, spec.segments, strict=True):
        size = spec.memory_map[name].word_bytes
        for source in range(spec.oscillators):
            for group in range(spec.groups):
                start = (source * spec.groups + group) * size
                word = int.from_bytes(windows[name][start : start + size], "little")
                assert word == word_of(spec, parameters["weights"], source, group, lanes)
    for name, array in spec.decode_parameters(windows).items():
        assert array.dtype == spec.parameters[name].dtype
        assert (array == parameters[name]).all()


def test_schedule_and_settle_as_bytes() -> None:
    schedule = np.array([[0x1234, 7, 8, 0, 1], [2, 0, 1, 20, 0], [0, 0, 0, 0, 0]])
    windows = SMALL.encode_parameters(changed("schedule", schedule) | {"settle": np.array(0xABCD)})
    assert windows["schedule"].hex() == "3412070008000001" + "0200000001140000" + "00" * 8
    assert windows["settle"].hex() == "cdab"


@pytest.mark.parametrize("weight_bits", range(2, 13))
@pytest.mark.parametrize("lanes", [1, 240, 385, 0])
def test_wide_rows_are_cut_into_memories_that_fill_block_ram(weight_bits: int, lanes: int) -> None:
    spec = OscillatorSpec(oscillators=1000, weight_bits=weight_bits, lanes=lanes, phase_bits=3)
    segments = spec.segments
    assert [lane for part in segments for lane in range(part.start, part.stop)] == list(range(spec.lanes))
    widths = [part.stop - part.start for part in segments]
    assert len(set(widths[:-1])) <= 1
    assert widths[-1] <= widths[0]
    assert all(width % 72 == 0 for width in widths[:-1])
    assert all(spec.memory_map[name].word_bytes <= PAYLOAD_BYTES for name in spec.weight_windows)
    assert len(segments) >= ceil_div(spec.lanes * weight_bits, 8 * PAYLOAD_BYTES)
    parameters = draw_parameters(spec, weight_bits)
    decoded = spec.decode_parameters(spec.encode_parameters(parameters))
    assert all((decoded[name] == parameters[name]).all() for name in parameters)


# Inputs and results


@given(specs(), st.integers(0, 2**32))
def test_input_round_trip(spec: OscillatorSpec, seed: int) -> None:
    rng = np.random.default_rng(seed)
    phases, clamp = rng.integers(0, spec.period, spec.oscillators), rng.random(spec.oscillators) < 0.5
    noise_seed = int(rng.integers(0, 2**63))
    margin = int(rng.integers(0, spec.margin_high + 1)) if spec.learning else 0
    draws = spec.random_start and not margin and bool(rng.integers(2))
    data = spec.encode_input(phases, clamp, noise_seed, margin, random_start=draws)
    states, words = data[-spec.oscillators :], data[: -spec.oscillators]
    assert words[:8] == noise_seed.to_bytes(8, "little")
    margin_end = 8 + (spec.memory_map["margin"].size if spec.learning else 0)
    assert int.from_bytes(words[8:margin_end], "little") == margin
    assert list(words[margin_end:]) == [draws] * spec.random_start
    assert list(states) == [phase | 0x80 * held for phase, held in zip(phases, clamp, strict=True)]
    rest = words[8:margin_end] + bytes(word | 0xFE for word in words[margin_end:])
    unused = words[:7] + bytes([words[7] | 0x80]) + rest + bytes(byte | 0x7F & -spec.period for byte in states)
    for region in (data, unused):
        found = spec.decode_input(region)
        assert (found.phases == phases).all()
        assert (found.clamp == clamp).all()
        assert (found.seed, found.margin, found.random_start) == (noise_seed, margin, draws)
    default = spec.decode_input(spec.encode_input(phases))
    assert not default.clamp.any()
    assert (default.seed, default.margin, default.random_start) == (0, 0, False)


def test_a_margin_needs_a_network_that_learns() -> None:
    with pytest.raises(SpecError, match="margin is 3, but this network cannot learn: it needs a spec with learning"):
        SMALL.encode_input([0] * 5, margin=3)
    learning = OscillatorSpec(oscillators=5, learning=True)
    with pytest.raises(SpecError, match="margin is 82; it must lie between 0 and 81"):
        learning.encode_input([0] * 5, margin=82)


def test_random_starts_need_a_network_that_draws_and_no_lesson() -> None:
    with pytest.raises(SpecError, match="draws no start phases: it needs a spec with random_start"):
        SMALL.encode_input([0] * 5, random_start=True)
    both = OscillatorSpec(oscillators=5, learning=True, random_start=True)
    with pytest.raises(SpecError, match="margin is 3, so the call learns the given phases; leave out random_start"):
        both.encode_input([0] * 5, margin=3, random_start=True)


@pytest.mark.parametrize(
    ("phases", "clamp", "message"),
    [
        (np.zeros(4, int), None, r"shape \(4,\); the last axis must have 5"),
        (np.array(3), None, r"shape \(\)"),
        (np.zeros(5), None, "type float64"),
        ([0, 0, 16, 0, 0], None, "a phase is 16; it must lie between 0 and 15"),
        ([0, 0, 0, 0, -1], None, "a phase is -1"),
        ([0] * 5, [True] * 4, r"clamp mask has shape \(4,\); it needs \(5,\)"),
    ],
)
def test_inputs_that_do_not_fit(phases: Any, clamp: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        SMALL.encode_input(phases, clamp)


@given(
    phases=st.lists(st.integers(0, 63), min_size=1, max_size=20),
    winner=st.none() | st.integers(0, 4095),
    flags=st.tuples(st.booleans(), st.booleans()),
    numbers=st.tuples(*[st.integers(0, 2**32 - 1)] * 3),
)
def test_result_round_trip(
    phases: list[int], winner: int | None, flags: tuple[bool, bool], numbers: tuple[int, int, int]
) -> None:
    settled, aborted = flags
    periods, last_change, cycles = numbers
    result = OscillatorResult(np.array(phases, np.uint8), winner, settled, periods, last_change, cycles, aborted)
    data = result.encode()
    assert len(data) == 16 + len(phases)
    found = SMALL.decode_output(data)
    assert found.phases.tolist() == phases
    assert dataclasses.replace(found, phases=result.phases) == result
    # With spins they lie before the phases.
    spec = OscillatorSpec(oscillators=len(phases) + 1, inputs=1, phase_bits=6, random_start=True)
    spins = spec.spins(np.array([0, *phases]))
    with_spins = spec.encode_output(dataclasses.replace(result, spins=spins))
    assert with_spins == data[:16] + bytes(spin > 0 for spin in spins.tolist()) + data[16:]
    again = spec.decode_output(with_spins)
    assert again.spins is not None
    assert (again.spins.tolist(), again.phases.tolist()) == (spins.tolist(), phases)
    assert dataclasses.replace(again, phases=result.phases, spins=None) == result


@pytest.mark.parametrize("random_start", [False, True])
def test_results_have_spins_where_the_network_reports_them(random_start: bool) -> None:
    spec = replace(SMALL, random_start=random_start)
    spins = None if random_start else np.ones(3, np.int8)
    with pytest.raises(SpecError, match=f"random_start is {random_start}, so a result has (no )?spins; this one's are"):
        spec.encode_output(OscillatorResult(np.zeros(3, np.uint8), None, True, 0, 0, spins=spins))


def test_spins_are_sides_of_the_reference() -> None:
    spec = OscillatorSpec(oscillators=9, inputs=1, reference=0, phase_bits=3)
    for reference in range(8):
        phases = np.array([[reference, *((reference + ahead) % 8 for ahead in range(8))]])
        assert spec.spins(phases).tolist() == [[1, 1, -1, -1, -1, -1, 1, 1]]


def test_too_few_lanes_name_the_rows() -> None:
    with pytest.raises(SpecError, match="lanes is 1; 4096 oscillators then need 16777216 rows of weights"):
        OscillatorSpec(oscillators=4096, lanes=1)
