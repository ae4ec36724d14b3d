from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import Crossbar, OscillatorNetwork
from attractor.golden.crossbar import CountingWeights, IntegerWeights, SignWeights
from attractor.spec import OscillatorSpec


def wrapped(value: int, bits: int) -> int:
    """What a signed register of that width holds, bit by bit."""
    pattern = format(value % 2**bits, f"0{bits}b")
    return int(pattern[1:], 2) - (2 ** (bits - 1) if pattern[0] == "1" else 0)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_random_operations(data: st.DataObject) -> None:
    sources, targets, banks = (data.draw(st.integers(1, high)) for high in (5, 4, 3))
    bits, weight_bits, shift = (data.draw(st.integers(low, high)) for low, high in ((2, 12), (1, 8), (0, 2)))
    low, high = -(2 ** (weight_bits - 1)), 2 ** (weight_bits - 1) - 1
    weights = [[data.draw(st.integers(low, high)) for _ in range(targets)] for _ in range(sources)]
    rows = IntegerWeights(weights, weight_bits)
    crossbar = Crossbar([rows], targets, banks, bits, fold_shift=shift)
    expected = [[0] * targets for _ in range(banks)]
    for _ in range(data.draw(st.integers(1, 20))):
        bank, addend = data.draw(st.integers(0, banks - 1)), data.draw(st.integers(0, banks - 1))
        source, amplitude = data.draw(st.integers(0, sources - 1)), data.draw(st.integers(-5000, 5000))
        one_for_all = data.draw(st.booleans())
        signs = data.draw(st.lists(st.sampled_from([-1, 1]), min_size=targets, max_size=targets))
        if one_for_all:
            signs = signs[:1] * targets
        increments = signs[0] if one_for_all else signs
        learns = data.draw(st.lists(st.booleans(), min_size=targets, max_size=targets))
        before = [list(row) for row in expected]
        kind = data.draw(st.sampled_from(["add", "fold", "push", "learn"]))
        match kind:
            case "add":
                crossbar.add(source, bank, increments)
            case "fold":
                crossbar.fold(addend, bank, increments)
            case "push":
                crossbar.push(addend, bank, amplitude, increments)
            case _:
                crossbar.learn(source, learns, increments)
        for i in range(targets):
            match kind:
                case "add":
                    expected[bank][i] = wrapped(before[bank][i] + signs[i] * weights[source][i], bits)
                case "fold":
                    expected[bank][i] = wrapped(before[bank][i] + signs[i] * before[addend][i] * 2**shift, bits)
                case "push":
                    expected[bank][i] = wrapped(before[addend][i] + signs[i] * amplitude, bits)
                case _:
                    if learns[i] and low <= weights[source][i] + signs[i] <= high:
                        weights[source][i] += signs[i]
        assert crossbar.sums.tolist() == expected
        assert rows.weights.tolist() == weights


def test_edges_in_half_a_period_give_the_sums_of_every_slot() -> None:
    # What the gateware relies on: a rise adds twice the row in its slot, and half a period later it falls.
    spec = OscillatorSpec(oscillators=7, inputs=6, phase_bits=3, schedule_entries=1)
    generator = np.random.default_rng(3)
    weights, phases = generator.integers(-16, 16, (1, 7)), generator.integers(0, 8, 7)
    half, accumulator = spec.period // 2, spec.period // 2
    crossbar = Crossbar([IntegerWeights(weights.T, spec.weight_bits)], 1, half + 1, spec.sum_bits, fold_shift=1)
    for source, phase in enumerate(phases.tolist()):
        crossbar.add(source, phase % half, 1 if phase < half else -1)
        crossbar.add(source, accumulator, 1 if phase >= half else -1)
    model = OscillatorNetwork(spec, {"weights": weights, "schedule": spec.schedule(1), "settle": 0})
    state = model.start(phases[None], np.ones(7, bool))
    for slot in range(spec.period):
        crossbar.fold(slot % half, accumulator, 1 if slot < half else -1)
        model.step(state)
        assert crossbar.sums[accumulator].tolist() == state.sums[0].tolist()


def test_copies_and_noise_do_not_touch_the_origin() -> None:
    crossbar = Crossbar([IntegerWeights([[3, -4]])], 2, 3, 8)
    crossbar.add(0, 0, [1, -1])
    crossbar.push(0, 1, 0)
    crossbar.push(1, 2, 100, [1, -1])
    assert crossbar.sums.tolist() == [[3, 4], [3, 4], [103, -96]]


def test_only_the_targets_named_are_visited() -> None:
    crossbar = Crossbar([IntegerWeights([[3, -4]])], 4, 2, 8, fold_shift=1)
    crossbar.add(0, 0, targets=slice(1, 3))
    crossbar.push(0, 1, [5, 6, 7], [1, -1, 1], targets=slice(0, 3))
    crossbar.fold(0, 1, -1, targets=slice(2, 4))
    assert crossbar.sums.tolist() == [[0, 3, -4, 0], [5, -3, 3 + 8, 0]]


def test_a_weight_at_the_end_of_its_range_stays() -> None:
    weights = IntegerWeights([[-4, 3, 3, -4, 0], [0, 0, 0, 0, 0]], 3)
    crossbar = Crossbar([weights], 5, 1, 8)
    assert not crossbar.learn(0, [True, True, True, True, False], [-1, 1, -1, 1, 1]).any()
    assert weights.weights.tolist() == [[-4, 3, 2, -3, 0], [0, 0, 0, 0, 0]]
    assert not crossbar.sums.any()


def test_weights_of_one_bit_are_signs_of_amplitudes() -> None:
    integers, signs = IntegerWeights([[7, 7]]), SignWeights([[1, -1], [-1, -1]])
    crossbar = Crossbar([integers, signs], 2, 1, 8)
    crossbar.add(0, 0, [1, -1], store=1, amplitudes=[2, 5])
    assert crossbar.sums.tolist() == [[2, 5]]
    assert crossbar.learn(1, [True, False], store=1).tolist() == [True, False]
    crossbar.add(1, 0, store=1)
    assert crossbar.sums.tolist() == [[3, 4]]
    assert signs.weights.tolist() == [[1, -1], [1, -1]]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(2, 5),
    st.sampled_from([-1, 1]),
    st.integers(-15, 15),
    st.booleans(),
    st.sampled_from([-1, 1]),
    st.data(),
)
def test_a_counter_that_speaks_against_its_weight_flips_it(
    bits: int, weight: int, counter: int, learns: bool, increment: int, data: st.DataObject
) -> None:
    high = 2 ** (bits - 1) - 1
    counter, threshold = max(-high, min(high, counter)), data.draw(st.integers(0, 2 * high + 1))
    weights = CountingWeights([[weight]], [[counter]], bits)
    flips = Crossbar([weights], 1, 1, 8).learn(0, [learns], increment, threshold=threshold)
    counted = counter if not learns or abs(counter + increment) > high else counter + increment
    expected = learns and (counted <= -threshold if weight > 0 else counted >= threshold)
    assert weights.counters.tolist() == [[counted]]
    assert flips.tolist() == [expected]
    assert weights.weights.tolist() == [[-weight if expected else weight]]


def test_what_does_not_fit_is_named() -> None:
    weights = IntegerWeights([[1, 2]])
    crossbar = Crossbar([weights], 2, 2, 8)
    with pytest.raises(ValueError, match="increment is 0"):
        crossbar.add(0, 0, 0)
    with pytest.raises(ValueError, match="increment is 2"):
        crossbar.learn(0, [True, True], [1, 2])
    with pytest.raises(ValueError, match=r"increments have shape \(3,\)"):
        crossbar.push(0, 0, 1, [1, 1, 1])
    with pytest.raises(ValueError, match=r"amplitudes have shape \(3,\)"):
        crossbar.push(0, 0, [1, 1, 1])
    with pytest.raises(ValueError, match=r"learns has shape \(1,\)"):
        crossbar.learn(0, [True])
    with pytest.raises(ValueError, match="a row has 2 weights; 1 targets"):
        crossbar.add(0, 0, targets=slice(0, 1))
    with pytest.raises(ValueError, match="row is 1"):
        crossbar.add(1, 0, 1)
    with pytest.raises(ValueError, match="row is -1"):
        crossbar.learn(-1, [True, True])
    with pytest.raises(ValueError, match="bank is 2"):
        crossbar.push(0, 2, 0)
    with pytest.raises(ValueError, match="bank is -1"):
        crossbar.fold(-1, 0, 1)
    assert weights.weights.tolist() == [[1, 2]]
    assert not crossbar.sums.any()


def test_sizes_that_do_not_fit_are_named() -> None:
    rows = [IntegerWeights([[1]])]
    with pytest.raises(ValueError, match="sum_bits is 1"):
        Crossbar(rows, 1, 1, 1)
    with pytest.raises(ValueError, match="banks is 0"):
        Crossbar(rows, 1, 0, 8)
    with pytest.raises(ValueError, match="fold_shift is 9"):
        Crossbar(rows, 1, 1, 8, fold_shift=9)
    with pytest.raises(ValueError, match="bits is 33"):
        IntegerWeights([[1]], 33)
    with pytest.raises(ValueError, match="a weight is 4"):
        IntegerWeights([[3, 4]], 3)
    with pytest.raises(ValueError, match="integers of shape"):
        IntegerWeights([[0.5]])
    with pytest.raises(ValueError, match="a weight is 0"):
        SignWeights([[0, 1]])
    with pytest.raises(ValueError, match="at most 3 either way"):
        CountingWeights([[1]], [[-4]], 3)
