from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden.noise import NoiseGenerator
from attractor.spec import SpecError
from attractor.spec.oscillator import FLIP_BITS, FLIP_MASKS, FLIP_SHARES, MOST_LANES, SEED_BITS

from .reference_oscillator import may_flip, random_sign, words

SEEDS = st.integers(0, 2**SEED_BITS - 1)


def draws(generator: NoiseGenerator, count: int) -> np.ndarray:
    """The next bits, shape (count, batch, lanes)."""
    return np.stack([generator.draw() for _ in range(count)])


@settings(max_examples=50, deadline=None)
@given(seeds=st.lists(SEEDS, min_size=1, max_size=4), lanes=st.integers(1, 200))
def test_bits_equal_the_definition(seeds: list[int], lanes: int) -> None:
    found = draws(NoiseGenerator(seeds, lanes), 5)
    for index, seed in enumerate(seeds):
        stream = words(seed)
        for step in range(5):
            word = next(stream)
            expected = [random_sign(word, lane) < 0 for lane in range(lanes)]
            assert found[step, index].tolist() == expected


def lanes_of(word: int, count: int) -> list[bool]:
    """The bits of lanes by their docstring, in another way: the word rotated and xored with itself."""
    bits = [bool(word >> place & 1) for place in range(64)]
    result = list(bits)
    for distance in range(1, 32):
        result += [bits[place] ^ bits[(place + distance) % 64] for place in range(64)]
    return result[:count]


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_all_lanes(seed: int) -> None:
    assert NoiseGenerator([seed], MOST_LANES).draw()[0].tolist() == lanes_of(2 * seed + 1, MOST_LANES)


def test_the_first_word_is_twice_the_seed_plus_one() -> None:
    seed = 0x2468_ACE0_1357_9BDF
    word = sum(int(bit) << lane for lane, bit in enumerate(NoiseGenerator([seed], 64).draw()[0]))
    assert word == 2 * seed + 1


def test_seed_0_by_hand() -> None:
    # 1, then 1 ^ 1 << 13; the shift by 7 adds bit 6, and that by 17 adds bits 17, 23 and 30.
    bits = draws(NoiseGenerator([0], 64), 2)[:, 0]
    assert [np.flatnonzero(row).tolist() for row in bits] == [[0], [0, 6, 13, 17, 23, 30]]


def test_no_two_lanes_are_alike() -> None:
    # A lane is a sum of bits of the word; words that are single bits tell which.
    columns = np.array([lanes_of(1 << place, MOST_LANES) for place in range(64)])
    assert len(np.unique(columns, axis=1).T) == MOST_LANES
    # And so they are in fact: over 256 words no two lanes agree always, or differ always.
    bits = draws(NoiseGenerator([2**62 + 12345], MOST_LANES), 256)[:, 0]
    assert len(np.unique(np.concatenate([bits, ~bits], axis=1), axis=1).T) == 2 * MOST_LANES


def test_bits_are_balanced_and_lanes_and_words_uncorrelated() -> None:
    count, lanes = 8192, 256
    signs = np.where(draws(NoiseGenerator([0x1234_5678_9ABC_DEF0 >> 1], lanes), count)[:, 0], -1.0, 1.0)
    # Sums of so many random signs: six standard deviations, where 200,000 of them are looked at.
    assert np.abs(signs.sum(axis=0)).max() < 6 * np.sqrt(count)
    products = signs.T @ signs
    np.fill_diagonal(products, 0)
    assert np.abs(products).max() < 6 * np.sqrt(count)
    for delay in (1, 2, 3, 64):
        assert np.abs((signs[delay:] * signs[:-delay]).sum(axis=0)).max() < 6 * np.sqrt(count)


def test_words_do_not_come_back_and_are_never_zero() -> None:
    bits = draws(NoiseGenerator([0, 7], 64), 4096)
    packed = np.packbits(bits, axis=2)
    assert bits.any(axis=2).all()
    for index in range(2):
        assert len(np.unique(packed[:, index], axis=0)) == len(packed)


def test_networks_of_a_batch_do_not_share_a_word() -> None:
    seeds = [3, 2**40, 3, 2**SEED_BITS - 1]
    together = draws(NoiseGenerator(seeds, 70), 6)
    for index, seed in enumerate(seeds):
        assert (together[:, index] == draws(NoiseGenerator([seed], 70), 6)[:, 0]).all()
    assert (draws(NoiseGenerator(5, 70), 1) == draws(NoiseGenerator([5], 70), 1)).all()


def test_what_is_out_of_range_is_named() -> None:
    with pytest.raises(SpecError, match="seed is -1"):
        NoiseGenerator([0, -1], 4)
    with pytest.raises(SpecError, match="seed is 9223372036854775808"):
        NoiseGenerator([2**63], 4)
    with pytest.raises(SpecError, match=r"seed must be an integer, not 0\.5"):
        NoiseGenerator([0.5], 4)
    with pytest.raises(SpecError, match="lanes is 0"):
        NoiseGenerator([0], 0)
    with pytest.raises(SpecError, match="lanes is 2049"):
        NoiseGenerator([0], 2049)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, lanes=st.sampled_from([1, 63, 65, 200, MOST_LANES]), flips=st.integers(1, len(FLIP_SHARES)))
def test_who_may_flip_equals_the_definition(seed: int, lanes: int, flips: int) -> None:
    generator, stream = NoiseGenerator([seed], lanes), words(seed)
    for _ in range(3):
        word = next(stream)
        assert generator.may_flip(flips)[0].tolist() == [may_flip(word, lane, flips) for lane in range(lanes)]
        generator.draw()


@pytest.mark.parametrize("flips", range(2, len(FLIP_SHARES) + 1))
def test_so_many_may_flip_and_no_two_always_together(flips: int) -> None:
    lanes, words_drawn, share = 130, 20_000, FLIP_SHARES[flips - 1]
    generator = NoiseGenerator(np.random.default_rng(0).integers(1 << 62, size=words_drawn), lanes)
    generator.skip(8)
    may = generator.may_flip(flips)
    assert np.abs(may.mean(axis=0) - share).max() <= 5 * np.sqrt(share * (1 - share) / words_drawn)
    # Lanes that share one of their two masks are not independent, and none share both.
    passes = [2.0**-rule if rule >= 0 else 1 - 2.0**rule for rule in FLIP_MASKS[flips - 1]]
    shared = [(own * other**2 - share**2) / (share - share**2) for own, other in (passes, passes[::-1])]
    expected = max(shared) if min(passes) < max(passes) < 1 or passes[0] == passes[1] else 1.0
    assert (np.corrcoef(may.T) - np.eye(lanes)).max() < expected + 0.1


def test_no_two_places_of_a_lane_are_the_same() -> None:
    for block in range(MOST_LANES // 64):
        places = {(offset + stride * block) % 64 for stride, offsets in FLIP_BITS for offset in offsets}
        assert len(places) == 6
