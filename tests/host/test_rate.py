"""Rates of a line: agreed on, refused, lost half way, measured and remembered."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from attractor.host import Device, Model, PortError, RateError
from attractor.host import rate as rates
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import VirtualClock
from attractor.spec import OscillatorSpec
from attractor.spec.protocol import FALLBACK_SECONDS, BaudError, Command, Request, rate_step

SPEC = OscillatorSpec(oscillators=8, lanes=4, schedule_entries=1)
CLOCK_HZ, START = 24_000_000, 1_000_000


class Board(GoldenBoard):
    """Says that it has a clock, so that rates can be agreed on."""

    def _description(self) -> dict[str, object]:
        return super()._description() | {"clock_hz": CLOCK_HZ, "baud": START}


class Line:
    """Host and device have rates of their own: unless they are the same, what arrives is noise.

    Above ``cleanest`` baud a byte in a thousand is damaged, above ``best`` nothing gets through.
    """

    name = "line"

    def __init__(
        self, *, cleanest: int = 10**9, best: int = 10**9, lose: Callable[[Request], bool] | None = None
    ) -> None:
        self.clock = VirtualClock()
        self.board = Board(SPEC)
        self.host = self.device = START
        self.cleanest, self.best = cleanest, best
        self.lose = lose or (lambda _: False)
        self.changes: list[int] = []
        self._noisy_since: float | None = None
        self._random = random.Random(0)
        self._answers = b""

    def change_rate(self, baud: int) -> None:
        if baud == 12_000_000:
            raise PortError(f"line cannot run at {baud} baud")
        self.host = baud
        self.changes.append(baud)

    def write(self, data: bytes) -> None:
        for frame in filter(None, data.split(b"\0")):
            self._fall_back()
            if self.host != self.device or self.host > self.best:
                self._noisy_since = self._noisy_since if self._noisy_since is not None else self.clock.now
                continue
            self._noisy_since = None
            request = Request.decode(frame)
            self.board.write(self._damaged(frame) + b"\0")
            self._answers += self._damaged(self.board.read(0.0)) * (not self.lose(request))
            if request.command == Command.BAUD:
                self.device = round(int.from_bytes(request.payload, "little") * CLOCK_HZ / (1 << 20), -3)

    def read(self, timeout: float) -> bytes:
        if not self._answers:
            self.clock.advance_to(self.clock.now + timeout)
        self.clock.advance_to(self.clock.now + 10 * len(self._answers) / self.host)
        answers, self._answers = self._answers, b""
        return answers

    def close(self) -> None:
        pass

    def _fall_back(self) -> None:
        if self._noisy_since is not None and self.clock.now - self._noisy_since > FALLBACK_SECONDS:
            self.device, self._noisy_since = START, None

    def _damaged(self, data: bytes) -> bytes:
        if self.host <= self.cleanest:
            return data
        return bytes(byte ^ 64 if byte not in (0, 64) and self._random.random() < 0.001 else byte for byte in data)


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATTRACTOR_CACHE", str(tmp_path))


def opened(line: Line, fastest: int | None = None) -> Device:
    line.host = START  # as a port is that was opened anew
    return Device.open(line, clock=line.clock, fastest=fastest)


def works(device: Device) -> bool:
    source = np.random.default_rng(0)
    model = Model(
        SPEC,
        {"weights": source.integers(-3, 4, (8, 8)), "schedule": SPEC.schedule(1), "settle": np.array(0)},
    )
    device.load(model)
    return device.holds(model)


@pytest.mark.parametrize("baud", [2_000_000, 3_000_000, 6_000_000])
def test_both_sides_change(baud: int) -> None:
    line = Line()
    with opened(line, baud) as device:
        assert (line.host, line.device, device.link.baud) == (baud, baud, baud)
        assert works(device)
        assert device.link.statistics.repeated == 0
    assert line.device == START  # and so the next one need not wait
    again = line.clock.now
    with opened(line):
        assert line.clock.now - again < 0.1


def test_a_rate_that_no_divider_reaches_changes_nothing() -> None:
    line = Line()
    with pytest.raises(
        BaudError, match="cannot make 7000000 baud: a bit takes at least 4 clock cycles; choose at most 6"
    ):
        opened(line, 7_000_000)
    assert line.changes == []
    with pytest.raises(BaudError, match=r"cannot make 1000 baud within 0.5%; choose 954 or 1049"):
        rate_step(100e6, 1000)


def test_a_rate_that_the_port_refuses() -> None:
    line = Line()
    device = opened(line)
    with pytest.raises(
        RateError, match=r"do not understand each other at 12000000 .*cannot run at 12000000 baud.*stays"
    ):
        rates.agree(device.link, 48_000_000, 12_000_000)
    assert device.link.baud == START
    assert works(device)


def test_a_line_that_carries_nothing_at_that_rate() -> None:
    line = Line(best=2_000_000)
    with pytest.raises(RateError, match=r"not clean at 3000000 baud and stays at 1000000|stays at 1000000"):
        opened(line, 3_000_000)
    assert (line.host, line.device) == (START, START)
    assert line.clock.now < 10
    assert works(opened(line))


def test_the_answer_to_the_change_is_lost() -> None:
    """The device runs at the new rate and the host at the old one, until the device has heard only noise for long."""
    lost = []
    line = Line(lose=lambda request: request.command == Command.BAUD and not lost and lost.append(request) is None)
    with pytest.raises(RateError):
        opened(line, 3_000_000)
    assert (line.host, line.device) == (START, START)
    assert works(opened(line))


def test_a_host_that_vanishes_leaves_a_device_that_the_next_one_finds() -> None:
    line = Line()
    opened(line, 3_000_000)  # not closed
    assert works(opened(line))


def test_a_device_that_fell_back_in_between_is_found_again() -> None:
    line = Line()
    device = opened(line, 3_000_000)
    line.device = START
    assert works(device)
    assert device.link.baud == START


class TestMeasuring:
    def test_the_fastest_clean_rate_is_found_and_remembered(self) -> None:
        line = Line(cleanest=2_000_000, best=4_000_000)
        with opened(line) as device:
            rows = rates.measure(device, clock=line.clock)
            assert rates.remember(device, rows) == 2_000_000
        clean = {row.baud: row.clean for row in rows}
        assert clean == {
            1_000_000: True,
            1_500_000: True,
            2_000_000: True,
            3_000_000: False,
            4_000_000: False,
            6_000_000: False,
        }
        good = {row.baud: row for row in rows if row.clean}
        assert all(row.damaged == row.repeated == 0 for row in good.values())
        assert good[2_000_000].bytes_per_second > 1.5 * good[1_000_000].bytes_per_second
        assert all(row.round_trip_ms > 0 for row in good.values())
        with opened(line) as device:
            assert device.link.baud == 2_000_000
            assert works(device)

    def test_a_remembered_rate_that_is_clean_no_more_is_left(self) -> None:
        line = Line()
        with opened(line) as device:
            assert rates.remember(device, rates.measure(device, [3_000_000], clock=line.clock)) == 3_000_000
        line.best = START
        with opened(line) as device:
            assert device.link.baud == START
            assert works(device)

    def test_what_is_remembered_may_be_damaged(self, tmp_path: Path) -> None:
        line = Line()
        with opened(line) as device:
            rates.remember(device, [])
            (file,) = (tmp_path / rates.LINES).iterdir()
            for contents in (b"", b"[]", b'{"baud": "fast"}', b'{"baud": -1}'):
                file.write_bytes(contents)
                assert rates.remembered(device.name, device.spec.fingerprint) is None
