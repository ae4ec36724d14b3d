"""What a board would do: its cycles are those of the simulated gateware, its frames those that a client sends."""

from __future__ import annotations

from dataclasses import replace

import dimod
import numpy as np
import pytest

from attractor.golden import OscillatorNetwork
from attractor.host import Device
from attractor.sim.golden_board import GoldenBoard
from attractor.solve.annealing import Annealing
from attractor.solve.ising import ProblemError, starts
from attractor.solve.program import Program
from attractor.solve.projection import counted_cycles, line_load, project, weight_widths
from attractor.solve.sampler import OscillatorSampler
from attractor.spec.oscillator import NOISE_SHIFTS, RESULT
from attractor.spec.protocol import CallHeader, Command, Reply, Request
from attractor.timing import cycles_of

READS, PERIODS, SEED = 3, 10, 4
CLOCK, BAUD = 25e6, 1_000_000
SHORT = Annealing(periods=PERIODS)


def ring(size: int, *, biased: bool = False) -> dimod.BinaryQuadraticModel:
    couplings = {(v, (v + 1) % size): 1.0 for v in range(size)}
    return dimod.BinaryQuadraticModel({0: 2.0} if biased else {}, couplings, 0.0, "SPIN")


def made(bqm: dimod.BinaryQuadraticModel, **sizes: int) -> Program:
    return OscillatorSampler(**sizes).program(bqm, SHORT)  # pyright: ignore


@pytest.mark.parametrize(
    ("bqm", "lanes", "draws"),
    [(ring(7), 0, False), (ring(7), 0, True), (ring(9, biased=True), 5, False)],
    ids=["one group", "draws its starts", "two groups and biases"],
)
def test_cycles_are_those_of_the_gateware(bqm: dimod.BinaryQuadraticModel, lanes: int, draws: bool) -> None:
    options = {"weight_bits": 5, "lanes": lanes, "random_start": draws}
    with OscillatorSampler("rtl:", **options) as board:
        samples = board.sample(bqm, num_reads=READS, seed=SEED, periods=PERIODS)
        program = board.program(bqm, SHORT)
    found = project(program, SEED, clock_hz=CLOCK, baud=BAUD, reads=READS)
    assert sum(found.cycles) == samples.info["timing"]["cycles"]
    assert found.cycles_a_read * READS == pytest.approx(sum(found.cycles))
    assert found.periods == PERIODS
    assert found.cycles_a_period * PERIODS == pytest.approx(found.cycles_a_read)
    assert found.computing_seconds == found.cycles_a_read / CLOCK


def test_cycles_of_a_quiet_pair_by_hand() -> None:
    """Two oscillators that are where they want to be: nothing moves, and every part has its number of cycles."""
    bqm = dimod.BinaryQuadraticModel({}, {("a", "b"): 1.0}, 0.0, "SPIN")
    program = OscillatorSampler(weight_bits=3).program(bqm, Annealing(periods=2, noise=0.0))
    spec = program.placement.spec
    assert (spec.groups, spec.period, spec.oscillators) == (1, 16, 2)
    # Phases are loaded: 9 rows of sums are cleared, 2 oscillators placed in 2 cycles each, with 2 and 1 cycles around
    # them; and one to begin. A slot has 2 cycles to scan and 3 until it is over; a period ends in 1; an entry of the
    # schedule after the first is fetched in 2, the second one and the empty one behind it; and 1 for the results.
    loading = 9 + 2 + 2 * 2 + 1 + 1
    expected = loading + 2 * 16 * (2 + 3) + 2 * 1 + 2 * 2 + 1
    network = OscillatorNetwork(spec, program.model.parameters)
    quiet = spec.encode_input(np.array([0, 8]), seed=0)
    counted = cycles_of(spec, network, quiet, written=False)
    assert counted is not None
    assert (counted.least, counted.most) == (expected, expected)
    first = next(seed for seed in range(50) if sorted(starts(program.placement, seed, 1, spins=True)[0][0]) == [0, 8])
    assert list(counted_cycles(program, first, 1)) == [expected]


@pytest.mark.parametrize("size", [12, 600])
def test_bytes_are_those_that_a_client_sends(size: int) -> None:
    program = OscillatorSampler().program(ring(size), Annealing(periods=1))
    spec, reads = program.placement.spec, 40
    board = Counted(spec)
    phases, seeds = starts(program.placement, SEED, 2 * reads, spins=True)
    inputs = [spec.encode_input(start, seed=int(own)) for start, own in zip(phases, seeds, strict=True)]
    with Device.open(board) as device:
        device.load(program.model)
        list(device.calls(inputs[:reads]))
        sent, received = board.sent, board.received
        list(device.calls(inputs[reads:]))
    found = line_load(program, SEED, baud=BAUD, seconds=0.02)
    assert found.request_bytes == pytest.approx((board.sent - sent) / reads, rel=0.01)
    assert found.reply_bytes == pytest.approx((board.received - received) / reads, rel=0.01)


def test_a_seed_is_all_that_a_read_with_drawn_starts_needs() -> None:
    program, bits = made(ring(40)), 63
    alone = line_load(program, SEED, baud=BAUD, seconds=1.0, draws=True, spins=True)
    payload = CallHeader(bits, 1, 1).pack() + bytes(8)
    assert alone.request_bytes == len(Request(0, Command.CALL, 0, 0, payload).encode())
    assert alone.reply_bytes == RESULT.size + 40 / 8 + Reply.OVERHEAD
    together = line_load(program, SEED, baud=3_000_000, seconds=1e-4, draws=True, spins=True)
    assert together.request_bytes < alone.request_bytes
    assert together.reply_bytes < alone.reply_bytes
    assert together.request_bytes > 63 / 8


class Counted(GoldenBoard):
    """A simulated board that counts the bytes of both directions."""

    sent = received = 0

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        super().write(data)

    def read(self, *arguments: object, **options: object) -> bytes:
        data = super().read(*arguments, **options)  # pyright: ignore
        self.received += len(data)
        return data


def test_the_slower_one_decides() -> None:
    program = made(ring(8), weight_bits=4)
    fast = project(program, 0, clock_hz=1e9, baud=9600, reads=1)
    slow = project(program, 0, clock_hz=1e3, baud=3_000_000, reads=1)
    assert fast.line_decides
    assert not slow.line_decides
    assert (
        fast.seconds_a_read
        == fast.line.seconds_a_read
        == 10 * max(fast.line.request_bytes, fast.line.reply_bytes) / 9600
    )
    assert slow.seconds_a_read == slow.computing_seconds
    assert fast.spins.reply_bytes < fast.random_start.reply_bytes
    assert fast.random_start.request_bytes < fast.line.request_bytes


def test_starts_that_are_drawn_are_told_once_they_are() -> None:
    program = OscillatorSampler(random_start=True).program(ring(8), SHORT)
    found = project(program, 0, clock_hz=CLOCK, baud=BAUD, reads=1)
    assert found.line == found.random_start


# Widths


def test_the_narrowest_width_that_loses_nothing() -> None:
    # A field is that of two couplings, so noise is 0.8 times the root of 2 in weights: it needs weights of 7.
    widths = weight_widths(ring(8), SHORT, "refuse")
    assert widths == tuple(range(widths[0], 1, -1))
    program = made(ring(8), weight_bits=widths[0])
    noise = int(program.model.parameters["schedule"][0, 1])
    narrower = made(ring(8), weight_bits=widths[0] - 1)
    least = 1 << max(NOISE_SHIFTS)
    assert int(narrower.model.parameters["schedule"][0, 1]) < least <= noise
    assert weight_widths(ring(8), Annealing(periods=5, noise=0.0), "refuse") == (2,)


def test_coefficients_count() -> None:
    bqm = dimod.BinaryQuadraticModel({}, {(0, 1): 63.0, (1, 2): 1.0}, 0.0, "SPIN")
    assert weight_widths(bqm, SHORT, "refuse") == (7,)
    assert weight_widths(bqm, SHORT, "auto") == (7, 6, 5, 4, 3, 2)


def test_where_no_width_keeps_the_coefficients() -> None:
    bqm = dimod.BinaryQuadraticModel({}, {(0, 1): 0.731, (1, 2): 1.0, (0, 2): 0.0137}, 0.0, "SPIN")
    assert weight_widths(bqm, SHORT, "auto") == tuple(range(12, 1, -1))
    with pytest.raises(ProblemError, match="scale='auto' scales and rounds them"):
        weight_widths(bqm, SHORT, "refuse")


# Bad input


def test_what_cannot_be() -> None:
    program = made(ring(4))
    for options in ({"reads": 0}, {"clock_hz": 0}, {"baud": 0}):
        with pytest.raises(ValueError, match="greater than 0"):
            project(program, 0, **{"clock_hz": CLOCK, "baud": BAUD} | options)  # pyright: ignore
    with pytest.raises(ValueError, match="set draws"):
        line_load(program, 0, baud=BAUD, seconds=1.0, spins=True)


def test_lanes_that_are_too_many() -> None:
    with pytest.raises(ValueError, match="lanes"):
        made(ring(4), lanes=5)
    assert replace(made(ring(4), lanes=2).placement.spec, lanes=4) == made(ring(4)).placement.spec
