"""Networks with sparse couplings: what is refused, and how couplings lie in a memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden.sparse import coupling_matrix, couplings_of
from attractor.spec import SpecError
from attractor.spec.sparse import RowMemory, SparseSpec

SMALL = SparseSpec(oscillators=6, inputs=1, couplings=8, strength=7, weight_bits=4, lanes=4, entries=2)
#: Targets by source: 0 reaches 1 and 4, 2 reaches 0 and 2 (both of class 0), all others none.
MATRIX = np.zeros((5, 6), int)
MATRIX[[1, 4], 0], MATRIX[[0, 2], 2] = (3, -2), (1, -7)


def parameters(spec: SparseSpec, weights: np.ndarray) -> dict[str, np.ndarray]:
    schedule = np.zeros((spec.schedule_entries, len(spec.schedule_columns)), int)
    return {**couplings_of(spec, weights), "schedule": schedule, "settle": np.array(0)}


@st.composite
def networks(draw: st.DrawFn) -> tuple[SparseSpec, np.ndarray]:
    oscillators = draw(st.integers(2, 80))
    inputs = draw(st.integers(0, oscillators - 1))
    targets = oscillators - inputs
    lanes = draw(st.integers(1, min(64, targets)))
    entries = lanes // draw(st.sampled_from([share for share in (1, 2, 4, 8, 16, 32, 64) if lanes % share == 0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bits = draw(st.integers(2, 12))
    high = (1 << bits - 1) - 1
    weights = rng.integers(-high - 1, high + 1, (targets, oscillators))
    weights *= rng.random(weights.shape) < draw(st.sampled_from([0.0, 0.02, 0.2, 1.0]))
    spec = SparseSpec(
        oscillators=oscillators,
        inputs=inputs,
        weight_bits=bits,
        lanes=lanes,
        entries=entries,
        couplings=max(int(np.count_nonzero(weights)), 1) + draw(st.integers(0, 3)),
        strength=max(int(np.abs(weights).sum(axis=1).max()), 1),
        row_words=2 + int(np.count_nonzero(weights)),
    )
    return spec, weights


@settings(max_examples=150, deadline=None)
@given(networks())
def test_couplings_come_back_from_the_windows(network: tuple[SparseSpec, np.ndarray]) -> None:
    spec, weights = network
    given = parameters(spec, weights)
    checked = spec.check_parameters(given)
    np.testing.assert_array_equal(coupling_matrix(spec, checked).toarray(), weights)
    decoded = spec.decode_parameters(spec.encode_parameters(given))
    for name, values in checked.items():
        np.testing.assert_array_equal(decoded[name], values, name)
        assert decoded[name].dtype == values.dtype


def test_words_by_hand() -> None:
    memory = SMALL.row_memory
    assert memory == RowMemory(SMALL.row_words, 2, 2, 4)
    checked = SMALL.check_parameters(parameters(SMALL, MATRIX))
    first, bits = memory.pack(checked["starts"], checked["targets"], checked["weights"])
    words = [sum(int(bit) << place for place, bit in enumerate(word)) for word in bits]
    # A slot is two bits of the place and four of the weight; bit 12 ends a row. Source 0 reaches place 2 of class 0
    # with -2 and place 0 of class 1 with 3; source 2 place 0 and then place 1 of class 0.
    assert first.tolist() == [1, 0, 2, 0, 0, 0]
    assert words[:4] == [1 << 12, 1 << 12 | 3 << 8 | 0 << 6 | 14 << 2 | 2, 1 << 2 | 0, 1 << 12 | 9 << 2 | 1]
    assert not any(words[4:])
    assert memory.lengths(checked["starts"], checked["targets"]).tolist() == [1, 0, 2, 0, 0, 0]


def test_a_row_ends_with_the_memory() -> None:
    memory = RowMemory(2, 1, 1, 2)
    bits = np.array([[0, 0, 0, 1], [1, 1, 0, 0]], bool)  # the second word has place 1, weight 1, and no end
    starts, targets, weights = memory.unpack(np.array([1, 0]), bits)
    assert (starts.tolist(), targets.tolist(), weights.tolist()) == ([0, 1, 1], [1], [1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"oscillators": 65537}, r"oscillators is 65537; it must lie between 2 and 65536"),
        ({"couplings": 0}, r"couplings is 0; it must lie between 1"),
        ({"strength": 0}, r"strength is 0"),
        ({"fraction_bits": 9}, r"fraction_bits is 9"),
        ({"lanes": 65, "oscillators": 100}, r"lanes is 65; it must lie between 0 and 64"),
        ({"entries": 3}, r"entries is 3, and lanes is 4; .* entries may be 4, 2, 1"),
        ({"row_words": 1}, r"row_words is 1; it must lie between 2"),
        ({"binary": True}, r"binary is true, but flips is false"),
        ({"learning": True}, r"learning is true; only dense networks learn"),
    ],
)
def test_what_is_no_network(changes: dict[str, int], message: str) -> None:
    sizes = {"oscillators": 6, "inputs": 1, "couplings": 8, "strength": 7, "lanes": 4}
    with pytest.raises(SpecError, match=message):
        SparseSpec(**sizes | changes)  # type: ignore[arg-type]


def broken(**changes: object) -> dict[str, object]:
    return {**parameters(SMALL, MATRIX), **changes}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (broken(starts=[1, 2, 2, 4, 4, 4, 4]), "starts must begin with 0"),
        (broken(starts=[0, 2, 1, 4, 4, 4, 4]), "never fall"),
        (broken(starts=[0, 2, 2, 3, 3, 3, 3]), "starts ends with 3, but there are targets or weights after"),
        (broken(weights=[3, 0, 1, -7, 0, 0, 0, 0]), r"weights\[1\] is 0; leave that coupling out"),
        (broken(targets=[4, 1, 0, 2, 0, 0, 0, 0]), "oscillator 0 is coupled to target 1 after target 4"),
        (broken(targets=[1, 4, 2, 2, 0, 0, 0, 0]), "oscillator 2 is coupled to target 2 after target 2"),
        (broken(targets=[1, 5, 0, 2, 0, 0, 0, 0]), r"targets\[1\] is 5; it must lie between 0 and 4"),
        (broken(targets=[1, 2, 0, 2, 0, 0, 0, 0]), "magnitudes that sum to 9, .* hold 7: use one with a strength of 9"),
    ],
)
def test_couplings_that_are_none(given: dict[str, np.ndarray], message: str) -> None:
    given = {name: np.asarray(value) for name, value in given.items()}
    with pytest.raises(SpecError, match=message):
        SMALL.check_parameters(given)


def test_rows_that_exceed_the_build() -> None:
    exact = SparseSpec(oscillators=6, inputs=1, couplings=8, strength=7, weight_bits=4, lanes=4, entries=2, row_words=4)
    exact.encode_parameters(parameters(exact, MATRIX))
    small = SparseSpec(oscillators=6, inputs=1, couplings=8, strength=7, weight_bits=4, lanes=4, entries=2, row_words=3)
    with pytest.raises(
        SpecError, match=r"4 couplings take 4 words of 2 couplings, and this build has 3: .*row_words of 4"
    ):
        small.encode_parameters(parameters(small, MATRIX))
    with pytest.raises(SpecError, match="there are 30 couplings, and this network holds 8"):
        couplings_of(SMALL, np.ones((5, 6), int))


def test_binary_networks() -> None:
    spec = SparseSpec(
        oscillators=4, couplings=4, strength=4, lanes=2, flips=True, binary=True, random_start=True, schedule_entries=2
    )
    phases = np.array([0, 8, 8, 0])
    assert spec.decode_input(spec.encode_input(phases)).phases.tolist() == [0, 8, 8, 0]
    with pytest.raises(SpecError, match="a phase is 3; in this network it must be 0 or 8"):
        spec.encode_input(np.array([0, 8, 3, 0]))
    given = parameters(spec, np.zeros((4, 4), int))
    for row, message in (([1, 0, 0, 0, 0, 0], "'flips'"), ([1, 0, 0, 2, 0, 1], "'lock'")):
        schedule = np.array([[2, 0, 0, 0, 0, 3], row])
        with pytest.raises(SpecError, match=rf"schedule\[1, {message}\] is {0 if 'flips' in message else 2}"):
            spec.check_parameters(given | {"schedule": schedule})
