from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.gateware import pll
from attractor.gateware.boards import BOARDS, Board
from attractor.gateware.pll import ECP5, ICE40, ClockError, Pll

#: What the vendor allows in MHz, and the dividers, written a second time: input, detector, oscillator, output.
LIMITS = {
    ICE40: ((10, 133), (10, 133), (533, 1066), (16, 275), (16, 128, {2, 4, 8, 16, 32, 64})),
    ECP5: ((8, 400), (10, 400), (400, 800), (3.125, 400), (128, 128, set(range(1, 129)))),
}
INPUTS = st.sampled_from([10, 12, 16, 25, 27, 48]).map(lambda mhz: mhz * 1_000_000)
KINDS = st.sampled_from([ICE40, ECP5])


@cache
def reachable(kind: Pll, input_hz: int) -> set[Fraction]:
    """Every output by the definition, in plain loops."""
    _, detector, oscillator, output, (most_r, most_n, divisors) = LIMITS[kind]
    found = set()
    for r in range(1, most_r + 1):
        compared = Fraction(input_hz, 1_000_000 * r)
        for n in range(1, most_n + 1):
            swinging = compared * n
            if detector[0] <= compared <= detector[1] and oscillator[0] <= swinging <= oscillator[1]:
                found |= {swinging / q for q in divisors if output[0] <= swinging / q <= output[1]}
    return {mhz * 1_000_000 for mhz in found}


@pytest.mark.parametrize("kind", LIMITS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("input_hz", [12_000_000, 25_000_000, 48_000_000, 50_000_000])
def test_settings_are_all_that_can_be_reached(kind: Pll, input_hz: int) -> None:
    outputs = [setting.output_hz for setting in pll.settings(kind, input_hz)]
    assert outputs == sorted(reachable(kind, input_hz))


@settings(deadline=None)
@given(KINDS, INPUTS)
def test_every_setting_is_within_the_ranges_of_the_vendor(kind: Pll, input_hz: int) -> None:
    taken, detector, oscillator, output, (most_r, most_n, divisors) = LIMITS[kind]
    assert taken[0] <= input_hz / 1e6 <= taken[1]
    for setting in pll.settings(kind, input_hz):
        r, n, q = setting.input_divider, setting.feedback_divider, setting.output_divider
        assert 1 <= r <= most_r
        assert 1 <= n <= most_n
        assert q in divisors
        assert detector[0] <= input_hz / r / 1e6 <= detector[1]
        assert oscillator[0] <= input_hz / r * n / 1e6 <= oscillator[1] * (1 + 1e-12)
        assert output[0] <= input_hz / r * n / q / 1e6 <= output[1] * (1 + 1e-12)
        assert setting.output_hz == Fraction(input_hz * n, r * q)
        assert abs(setting.hz - setting.output_hz) <= Fraction(1, 2)


@settings(deadline=None)
@given(KINDS, INPUTS, st.integers(3_000_000, 420_000_000))
def test_the_fastest_is_the_greatest_below_the_limit(kind: Pll, input_hz: int, limit_hz: int) -> None:
    below = [hz for hz in reachable(kind, input_hz) if hz <= limit_hz]
    found = pll.fastest(kind, input_hz, limit_hz)
    assert (found and found.output_hz) == max(below, default=None)


def test_the_fastest_that_suits_is_sought_below() -> None:
    found = pll.fastest(ICE40, 12_000_000, 21_500_000, lambda hz: hz % 1_000_000 == 0)
    assert found is not None
    assert found.hz == 21_000_000
    assert pll.fastest(ICE40, 12_000_000, 21_500_000, lambda _: False) is None


@settings(deadline=None)
@given(KINDS, INPUTS, st.integers(3_000_000, 420_000_000))
def test_the_nearest_is_nearest_or_an_error_with_its_neighbours(kind: Pll, input_hz: int, wanted_hz: int) -> None:
    outputs = sorted(reachable(kind, input_hz))
    distance = min(abs(hz - wanted_hz) for hz in outputs)
    if distance <= Fraction(str(pll.TOLERANCE)) * wanted_hz:
        assert abs(pll.nearest(kind, input_hz, wanted_hz).output_hz - wanted_hz) == distance
        return
    with pytest.raises(ClockError, match="the nearest it makes") as caught:
        pll.nearest(kind, input_hz, wanted_hz)
    beside = [max((hz for hz in outputs if hz <= wanted_hz), default=None)]
    beside += [min((hz for hz in outputs if hz > wanted_hz), default=None)]
    for hz in filter(None, beside):
        assert f"{float(hz) / 1e6:.6g} MHz" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "input_hz", "wanted_hz", "dividers"),
    [
        # As icepll has them: 12 MHz to 60, 48 and 16.125 MHz; DIVR and DIVF are one less, DIVQ is the exponent.
        (ICE40, 12_000_000, 60_000_000, (1, 80, 16)),
        (ICE40, 12_000_000, 48_000_000, (1, 64, 16)),
        (ICE40, 12_000_000, 16_125_000, (1, 86, 64)),
        # Of several settings, the one that compares most often.
        (ICE40, 100_000_000, 25_000_000, (1, 8, 32)),
        (ECP5, 25_000_000, 62_500_000, (1, 30, 12)),
    ],
)
def test_known_settings(kind: Pll, input_hz: int, wanted_hz: int, dividers: tuple[int, int, int]) -> None:
    found = pll.nearest(kind, input_hz, wanted_hz)
    assert found.output_hz == wanted_hz
    assert (found.input_divider, found.feedback_divider, found.output_divider) == dividers


def test_an_unreachable_frequency_names_the_nearest() -> None:
    message = (
        "no PLL setting of iCE40 makes 17.06 MHz of 12 MHz within 1%; the nearest it makes: 16.875 MHz and 17.25 MHz"
    )
    with pytest.raises(ClockError, match=re.escape(message)):
        pll.nearest(ICE40, 12_000_000, 17_060_000)
    with pytest.raises(ClockError, match=r"the nearest it makes: 16\.125 MHz$"):
        pll.nearest(ICE40, 12_000_000, 1_000_000)
    with pytest.raises(ClockError, match=r"the nearest it makes: 270 MHz$"):
        pll.nearest(ICE40, 12_000_000, 400_000_000)


@pytest.mark.parametrize(("kind", "input_hz"), [(ICE40, 9_999_999), (ICE40, 133_000_001), (ECP5, 7_999_999)])
def test_an_input_out_of_range_is_refused(kind: Pll, input_hz: int) -> None:
    with pytest.raises(ClockError, match=rf"a PLL of {kind.name} takes .* to .* MHz, not"):
        pll.settings(kind, input_hz)


@pytest.mark.parametrize("board", [board for board in BOARDS.values() if board.pll], ids=lambda board: board.name)
def test_steps_between_clocks_are_fine_enough(board: Board) -> None:
    """From 16.2 MHz on, so that what the fastest setting leaves over is little."""
    assert board.pll is not None
    outputs = [setting.hz for setting in pll.settings(board.pll.kind, board.clock_hz) if 16_100_000 < setting.hz < 1e8]
    assert max(after / before for before, after in pairwise(outputs)) < 1.025
