from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import Crossbar, OscillatorNetwork
from attractor.spec import OscillatorSpec


def wrapped(value: int, bits: int) -> int:
    """What a signed register of that width holds, bit by bit."""
    pattern = format(value % 2**bits, f"0{bits}b")
    return int(pattern[1:], 2) - (2 ** (bits - 1) if pattern[0] == "1" else 0)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_random_operations(data: st.DataObject) -> None:
    sources, targets, banks = (data.draw(st.integers(1, high)) for high in (5, 4, 3))
    bits = data.draw(st.integers(2, 12))
    weights = [[data.draw(st.integers(-128, 127)) for _ in range(targets)] for _ in range(sources)]
    crossbar = Crossbar(weights, banks, bits)
    expected = [[0] * targets for _ in range(banks)]
    for _ in range(data.draw(st.integers(1, 20))):
        bank, increment = data.draw(st.integers(0, banks - 1)), data.draw(st.sampled_from([-2, -1, 1, 2]))
        match data.draw(st.sampled_from(["clear", "add", "fold"])):
            case "clear":
                crossbar.clear(bank)
                expected[bank] = [0] * targets
            case "add":
                source = data.draw(st.integers(0, sources - 1))
                crossbar.add(source, bank, increment)
                for i in range(targets):
                    expected[bank][i] = wrapped(expected[bank][i] + increment * weights[source][i], bits)
            case _:
                other = data.draw(st.integers(0, banks - 1))
                crossbar.fold(other, bank, increment)
                addend = list(expected[other])
                for i in range(targets):
                    expected[bank][i] = wrapped(expected[bank][i] + increment * addend[i], bits)
        assert crossbar.sums.tolist() == expected


def test_edges_in_half_a_period_give_the_sums_of_every_slot() -> None:
    # What the gateware relies on: a rise adds twice the row in its slot, and half a period later it falls.
    spec = OscillatorSpec(oscillators=7, inputs=6, phase_bits=3, schedule_entries=1)
    generator = np.random.default_rng(3)
    weights, phases = generator.integers(-16, 16, (1, 7)), generator.integers(0, 8, 7)
    half, accumulator = spec.period // 2, spec.period // 2
    crossbar = Crossbar(weights.T, half + 1, spec.sum_bits)
    for source, phase in enumerate(phases.tolist()):
        crossbar.add(source, phase % half, 2 if phase < half else -2)
        crossbar.add(source, accumulator, 1 if phase >= half else -1)
    model = OscillatorNetwork(spec, {"weights": weights, "schedule": spec.schedule(1), "settle": 0})
    state = model.start(phases[None], np.ones(7, bool))
    for slot in range(spec.period):
        crossbar.fold(slot % half, accumulator, 1 if slot < half else -1)
        model.step(state)
        assert crossbar.sums[accumulator].tolist() == state.sums[0].tolist()


def test_what_does_not_fit_is_named() -> None:
    crossbar = Crossbar([[1, 2]], 2, 8)
    with pytest.raises(ValueError, match="increment is 0"):
        crossbar.add(0, 0, 0)
    with pytest.raises(ValueError, match="source is 1"):
        crossbar.add(1, 0, 1)
    with pytest.raises(ValueError, match="bank is 2"):
        crossbar.clear(2)
    with pytest.raises(ValueError, match="bank is -1"):
        crossbar.fold(-1, 0, 1)
    with pytest.raises(ValueError, match="sum_bits is 1"):
        Crossbar([[1]], 1, 1)
    with pytest.raises(ValueError, match="banks is 0"):
        Crossbar([[1]], 0, 8)
    with pytest.raises(ValueError, match="integers of shape"):
        Crossbar([[0.5]], 1, 8)
