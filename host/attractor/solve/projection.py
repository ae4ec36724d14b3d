"""What a board would do with a problem that none is attached for: clock cycles of its reads, and bytes on its line.

Cycles are counted by :mod:`attractor.timing` from what the golden model does in a few reads, and are those that the
gateware takes for these reads, to the cycle. Bytes are those of the frames that
:class:`~attractor.host.inputs.CallWriter` makes of the reads' inputs, and of the replies to them. Reads are on their
way together while earlier ones run, so the slowest of computing and the two directions of the line decides; how late
replies are seen, and pauses between groups of reads, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from attractor.golden import network
from attractor.host.flight import Answer
from attractor.host.inputs import CallWriter, Pace
from attractor.host.link import CALL_SECONDS
from attractor.solve.annealing import Annealing
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import ProblemError, Scale, starts
from attractor.solve.program import Program, Where, program
from attractor.solve.sampler import reads_spins
from attractor.spec import OscillatorSpec, Region
from attractor.spec.oscillator import MOST_WEIGHT_BITS, NOISE_SHIFTS
from attractor.spec.protocol import Request, Status
from attractor.timing import cycles_of

__all__ = ["COUNTED_READS", "LineLoad", "Projection", "counted_cycles", "line_load", "project", "weight_widths"]

#: Reads whose clock cycles are counted, unless others are asked for.
COUNTED_READS = 3
#: Widths of weights, the narrowest first.
_WIDTHS = range(2, MOST_WEIGHT_BITS + 1)
#: Noise from this amplitude on is as it is meant: the smallest of the signs that it is made of is not 0.
_WHOLE_NOISE = 1 << max(NOISE_SHIFTS)
#: Bits that a byte takes on the line.
_LINE_BITS = 10
#: Reads whose frames are counted, after as many others: frames have more calls in the course of time.
_FRAMED_READS = 64


@dataclass(frozen=True)
class LineLoad:
    """What a read takes of the line, in the mean over many.

    Parameters
    ----------
    baud:
        Bits a second in each direction.
    request_bytes, reply_bytes:
        Bytes to the device and from it, with all that frames add.
    """

    baud: int
    request_bytes: float
    reply_bytes: float

    @property
    def seconds_a_read(self) -> float:
        """Seconds that the fuller direction needs for a read."""
        return _LINE_BITS * max(self.request_bytes, self.reply_bytes) / self.baud


@dataclass(frozen=True)
class Projection:
    """What a board would do with a problem.

    Parameters
    ----------
    spec:
        Network and build.
    clock_hz:
        Clock of the board, in Hz.
    cycles:
        Clock cycles of each of the first reads, from the start of the call to its end.
    periods:
        Periods of a read.
    line:
        The line where reads are made as samplers make them: phases come back, and start phases are sent unless the
        network draws them; of a binary network that does, spins alone come back.
    random_start:
        The same with a network that draws its start phases.
    spins:
        The line of such a network where spins alone come back, as with
        :meth:`attractor.host.oscillator.OscillatorCalls.anneal`.
    """

    spec: OscillatorSpec
    clock_hz: float
    cycles: tuple[int, ...]
    periods: int
    line: LineLoad
    random_start: LineLoad
    spins: LineLoad

    @property
    def cycles_a_read(self) -> float:
        """Clock cycles of a read, in the mean over the reads that were counted."""
        return sum(self.cycles) / len(self.cycles)

    @property
    def cycles_a_period(self) -> float:
        """Clock cycles of a read, shared out among its periods: loading and reading out included."""
        return self.cycles_a_read / self.periods

    @property
    def computing_seconds(self) -> float:
        """Seconds in which the board computes a read."""
        return self.cycles_a_read / self.clock_hz

    @property
    def seconds_a_read(self) -> float:
        """Seconds from one read to the next: the longer of computing and the line."""
        return self.seconds_with(self.line)

    @property
    def line_decides(self) -> bool:
        """Whether the line, and not computing, says how many reads there are in a second."""
        return self.line.seconds_a_read > self.computing_seconds

    def seconds_with(self, line: LineLoad) -> float:
        """Return the seconds from one read to the next over one of the lines."""
        return max(self.computing_seconds, line.seconds_a_read)


def project(
    made: Program,
    seed: int,
    *,
    clock_hz: float,
    baud: int,
    reads: int = COUNTED_READS,
    progress: Callable[[int, int], None] | None = None,
) -> Projection:
    """Foretell what a board does with a problem.

    Parameters
    ----------
    made:
        The problem made ready, see :meth:`attractor.solve.sampler.OscillatorSampler.program`; its spec is that of the
        network with the lanes of the build.
    seed:
        Seed of the reads, as samplers take it.
    clock_hz:
        Clock of the board, in Hz.
    baud:
        Bits a second on its line.
    reads:
        Reads whose cycles are counted, at least 1: some seconds each where there are hundreds of oscillators.
    progress:
        Called with the number of reads that were counted and of all.

    Raises
    ------
    ValueError
        If there are no reads, or clock or baud are not greater than 0.
    """
    if reads < 1 or clock_hz <= 0 or baud <= 0:
        raise ValueError(f"reads {reads}, clock_hz {clock_hz}, baud {baud}: all must be greater than 0")
    cycles: list[int] = []
    for count in counted_cycles(made, seed, reads):
        cycles.append(count)
        if progress is not None:
            progress(len(cycles), reads)
    spec, periods = made.placement.spec, int(made.model.parameters["schedule"][:, 0].sum())
    line_of = partial(line_load, made, seed, baud=baud, seconds=float(np.mean(cycles)) / clock_hz)
    own = line_of(draws=spec.random_start, spins=spec.random_start and reads_spins(made.placement))
    lines = own, line_of(draws=True), line_of(draws=True, spins=True)
    return Projection(spec, clock_hz, tuple(cycles), periods, *lines)


def counted_cycles(made: Program, seed: int, reads: int) -> Iterator[int]:
    """Yield the clock cycles of each of the first reads of a sampler with this seed."""
    spec = made.placement.spec
    golden = network(spec, made.model.parameters)
    for inputs in _inputs(made, spec, seed, reads, draws=spec.random_start):
        counted = cycles_of(spec, golden, inputs, written=False)
        assert counted is not None
        assert counted.least == counted.most
        yield counted.least


def line_load(
    made: Program, seed: int, *, baud: int, seconds: float, draws: bool = False, spins: bool = False
) -> LineLoad:
    """Return what reads take of the line.

    Parameters
    ----------
    made, seed, baud:
        As for :func:`project`.
    seconds:
        Seconds in which the board computes a read: short calls share frames.
    draws:
        The network draws its start phases.
    spins:
        Spins alone come back, and not all outputs. Only with ``draws``.

    Raises
    ------
    ValueError
        If spins are to come back from a network that draws no start phases, which reports none.
    """
    if spins and not draws:
        raise ValueError("a network reports spins only if it draws its start phases; set draws")
    spec = replace(made.placement.spec, random_start=draws)
    memory_map, pace = spec.memory_map, Pace()
    want = spec.spin_bytes if spins else memory_map.packed_size(Region.OUTPUT)
    inputs = _inputs(made, spec, seed, 2 * _FRAMED_READS, draws=draws)
    calls, before, sent, received = 0, 0, 0, 0
    for ask in CallWriter(memory_map).asks(inputs, want, CALL_SECONDS, pace):
        frame = len(Request(0, ask.command, ask.window, ask.word, ask.payload).encode())
        reply = ask.line_bytes_of_reply
        spent = ask.calls * seconds + _LINE_BITS * (frame + reply) / baud
        pace.answered(Answer(ask, Status.OK, b"", spent))
        if before:
            sent, received = sent + frame, received + reply
        calls += ask.calls
        if not before and calls >= _FRAMED_READS:
            before = calls
    return LineLoad(baud, sent / (calls - before), received / (calls - before))


def weight_widths(
    bqm: dimod.BinaryQuadraticModel, annealing: Annealing, scale: Scale, *, phase_bits: int = 4
) -> tuple[int, ...]:
    """Return the widths of weights with which a network for a problem may be built, the best choice first.

    That is the narrowest with which rounding loses nothing: neither a coefficient, nor a part of the noise at the
    start, whose least sign must not become 0. Where no width is fine enough for the noise it is the widest. Narrower
    ones follow, the widest first: those that keep the coefficients, or with ``"auto"`` all. Where no width keeps the
    coefficients these are all there are.

    Raises
    ------
    ProblemError
        If no network is large enough, or coefficients may not be rounded and no width keeps them.
    SpecError
        If the annealing asks for what the network has not.
    """
    exact: list[tuple[int, bool]] = []
    for bits in _WIDTHS:
        where = Where(None, "the network", {"weight_bits": bits, "phase_bits": phase_bits})
        try:
            made = program(bqm, annealing, where, "refuse")
        except ProblemError:
            if bits == _WIDTHS[-1] and not exact and scale == "refuse":
                raise
            continue
        noise = int(made.model.parameters["schedule"][0, 1])
        exact.append((bits, noise >= _WHOLE_NOISE or made.annealing.noise == 0))
        if exact[-1][1]:
            break
    best = exact[-1][0] if exact else _WIDTHS[-1] + 1
    narrower = _WIDTHS if scale == "auto" else [bits for bits, _ in exact]
    return (*([best] if exact else []), *(bits for bits in reversed(narrower) if bits < best))


def _inputs(made: Program, spec: OscillatorSpec, seed: int, reads: int, *, draws: bool) -> Iterator[bytes]:
    """Yield the input region of each read, as samplers make it."""
    flips = made.annealing.rule == "flip"
    phases, seeds = starts(made.placement, seed, reads, drawn=draws, spins=flips)
    for start, own in zip(phases, seeds, strict=True):
        yield spec.encode_input(start, made.placement.clamp, int(own), random_start=draws)
