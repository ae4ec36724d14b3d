"""Holds the inputs of a call, and turns those of each tick into events."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.core import WindowSignature
from attractor.hdl.felif.layout import Token, TokenKind
from attractor.hdl.felif.signatures import ScanSignature
from attractor.hdl.lane_walker import LaneWalker
from attractor.hdl.windows import WindowMemory
from attractor.spec import FelifSpec

__all__ = ["InputScanner"]


class InputScanner(wiring.Component):
    """Gives the inputs tick by tick: an event for each that is on, and the end of the tick.

    Values of several bits are given bit by bit, the sign first, with a token in between that doubles the sums: what
    comes out is the sum of weights times values, without a multiplication. A word of ``frames`` in which no bit is set
    costs one cycle, others one for each that is.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    window: ``In(WindowSignature)``
        The frames.
    scan: ``In(ScanSignature)``
        Give the inputs of a call.
    o: ``Out(stream of Token)``
    """

    window: Any
    scan: Any
    o: stream.Interface

    def __init__(self, spec: FelifSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "window": In(WindowSignature(spec.memory_map["frames"])),
                "scan": In(ScanSignature(spec)),
                "o": Out(stream.Signature(Token(spec.inputs))),
            }
        )
        # The bit that is given, the word that is read next, the first word of the tick, and the tick.
        self._plane = Signal(range(spec.input_bits))
        self._word = Signal(range(spec.frame_words))
        self._base = Signal(range(spec.ticks * spec.frame_words))
        self._tick = Signal(range(spec.ticks))
        self._begin = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, o = self.spec, self.o.payload
        m.submodules.walker = walker = LaneWalker(spec.frame_words, spec.inputs_per_word)
        reading = self._read(m, walker)
        sign = spec.input_bits - 1
        with m.FSM() as fsm:
            m.d.comb += self.scan.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.scan.start):
                m.d.sync += [self._plane.eq(sign), self._tick.eq(0), self._base.eq(0), self.scan.stopped.eq(0)]
                m.next = "plane"
            with m.State("plane"):
                m.d.comb += [self.o.valid.eq(self._plane != sign), o.kind.eq(TokenKind.DOUBLE)]
                with m.If(~self.o.valid | self.o.ready):
                    m.d.comb += self._begin.eq(1)
                    m.next = "words"
            with m.State("words"):
                place = walker.o.payload
                m.d.comb += [
                    self.o.valid.eq(walker.o.valid),
                    o.kind.eq(TokenKind.EVENT),
                    o.negate.eq((self._plane == sign) if sign else 0),
                    o.source.eq(times_constant(place.group, spec.inputs_per_word) + place.lane),
                    walker.o.ready.eq(self.o.ready),
                ]
                with m.If(~reading & walker.idle):
                    m.d.sync += self._plane.eq(self._plane - 1)
                    m.next = "plane"
                    with m.If(self._plane == 0):
                        m.d.sync += self._plane.eq(sign)
                        m.next = "end"
            with m.State("end"):
                m.d.comb += [self.o.valid.eq(1), o.kind.eq(TokenKind.END)]
                with m.If(self.o.ready):
                    last = self._tick + 1 >= self.scan.limit
                    m.d.sync += [self._tick.eq(self._tick + 1), self._base.eq(self._base + spec.frame_words)]
                    m.next = "plane"
                    with m.If(last | self.scan.stop):
                        m.d.sync += self.scan.stopped.eq(~last)
                        m.next = "idle"
        return m

    def _read(self, m: Module, walker: LaneWalker) -> Value:
        """Give the walker the words of the tick, with one bit of each input; return whether there are more."""
        spec = self.spec
        m.submodules.frames = frames = WindowMemory(spec.memory_map["frames"])
        wiring.connect(m, wiring.flipped(self.window), frames.window)
        reading = Signal()
        valid = Signal()
        advance = Signal()
        walked = Signal.like(self._word)
        width, in_last = spec.inputs_per_word, spec.inputs - (spec.frame_words - 1) * spec.inputs_per_word
        bits = Cat(
            Array(Value.cast(frames.word.input[number])[bit] for bit in range(spec.input_bits))[self._plane]
            for number in range(width)
        )
        m.d.comb += [
            advance.eq(reading & (~valid | walker.i.ready)),
            frames.read.eq(advance),
            frames.address.eq(self._base + self._word),
            walker.i.valid.eq(valid),
            walker.i.payload.group.eq(walked),
            # Unused bits of the last word may be anything.
            walker.i.payload.mask.eq(bits & Mux(walked == spec.frame_words - 1, (1 << in_last) - 1, (1 << width) - 1)),
        ]
        with m.If(self._begin):
            m.d.sync += [self._word.eq(0), reading.eq(1)]
        with m.Elif(advance):
            m.d.sync += [self._word.eq(self._word + 1), walked.eq(self._word), valid.eq(1)]
            with m.If(self._word == spec.frame_words - 1):
                m.d.sync += reading.eq(0)
        with m.Elif(walker.i.ready):
            m.d.sync += valid.eq(0)
        return reading
