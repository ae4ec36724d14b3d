"""Takes the inputs of a call into the network."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.noise import WORD_BITS, high_bits
from attractor.hdl.oscillator.move import Placement
from attractor.hdl.windows import WindowMemory
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import MIXING_WORDS

__all__ = ["StateLoader"]


class StateLoader(wiring.Component):
    """Holds the window ``state``, and places every oscillator once at the phase that it says.

    The first placement is on ``o`` two cycles after ``start``; after it one a cycle, as fast as they are taken. Where
    phases are drawn, a word of the generator passes in each of the first :data:`MIXING_WORDS` cycles after ``start``,
    and the first placement comes so many cycles later; after that a word passes with each drawn phase that is taken, so
    phases do not depend on how long a placement is held back.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    window: ``In(WindowSignature)``
    start: ``In(1)``
        Place all oscillators, the first one first. Only while ``idle``.
    o: ``Out(stream of Placement)``
    idle: ``Out(1)``
        Nothing is left to place.
    random: ``In(1)``
        Draw the phases of targets that are not clamped; constant while not ``idle``. This and what follows only in
        networks with ``random_start``.
    word: ``In(64)``
        The present word of the generator.
    steps: ``Out(1)``
        The next word follows in the next cycle.
    """

    window: Any
    start: Signal
    o: stream.Interface
    idle: Signal
    random: Signal
    word: Signal
    steps: Signal

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        drawing = {"random": In(1), "word": In(WORD_BITS), "steps": Out(1)}
        super().__init__(
            {
                "window": In(WindowSignature(spec.memory_map["state"])),
                "start": In(1),
                "o": Out(stream.Signature(Placement(spec))),
                "idle": Out(1),
            }
            | (drawing if spec.random_start else {})
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        last = self.spec.oscillators - 1
        m.submodules.state = state = WindowMemory(self.spec.memory_map["state"])
        wiring.connect(m, wiring.flipped(self.window), state.window)
        # ``source`` is being read while ``placed`` is on the output.
        source = Signal(range(self.spec.oscillators))
        reading = Signal()
        valid = Signal()
        placed = Signal.like(source)
        advance = Signal()
        may_read = ~valid | self.o.ready
        if self.spec.random_start:
            may_read &= self._mixed(m)
        m.d.comb += [
            advance.eq(reading & may_read),
            state.address.eq(source),
            state.read.eq(advance),
            self.o.valid.eq(valid),
            self.idle.eq(~(reading | valid)),
        ]
        with m.If(self.start):
            m.d.sync += [source.eq(0), reading.eq(1)]
        with m.Elif(advance):
            m.d.sync += [source.eq(source + 1), placed.eq(source), valid.eq(1)]
            with m.If(source == last):
                m.d.sync += reading.eq(0)
        with m.Elif(self.o.ready):
            m.d.sync += valid.eq(0)
        self._place(m, placed, state.word)
        return m

    def _place(self, m: Module, source: Signal, state: data.View) -> None:
        """Show the placement of an oscillator by its state, and count up group and lane of the targets."""
        placement = self.o.payload
        group = Signal(range(self.spec.groups))
        lane = Signal(range(self.spec.lanes))
        with m.If(self.start):
            m.d.sync += [group.eq(0), lane.eq(0)]
        with m.Elif(self.o.valid & self.o.ready & placement.free):
            m.d.sync += lane.eq(lane + 1)
            with m.If(lane == self.spec.lanes - 1):
                m.d.sync += [lane.eq(0), group.eq(group + 1)]
        phase = self._phase(m, state) if self.spec.random_start else state.phase
        m.d.comb += [
            placement.source.eq(source),
            placement.free.eq(source >= self.spec.inputs),
            placement.group.eq(group),
            placement.lane.eq(lane),
            placement.clamp.eq(state.clamp),
            placement.first.eq(1),
            placement.new.eq(phase),
            # In the slot before the first one the level is high if the phase lies in the second half.
            placement.level.eq(1),
            placement.low.eq(~phase[-1]),
        ]

    def _mixed(self, m: Module) -> Value:
        """Let words pass after the start, and return whether enough have."""
        left = Signal(range(MIXING_WORDS + 1))
        with m.If(self.start):
            m.d.sync += left.eq(Mux(self.random, MIXING_WORDS, 0))
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
            m.d.comb += self.steps.eq(1)
        return left == 0

    def _phase(self, m: Module, state: data.View) -> Value:
        """Return the phase that an oscillator is placed at; a word passes with each that is drawn."""
        draws = Signal()
        m.d.comb += draws.eq(self.random & self.o.payload.free & ~state.clamp)
        with m.If(draws & self.o.valid & self.o.ready):
            m.d.comb += self.steps.eq(1)
        return Mux(draws, high_bits(self.word, self.spec.phase_bits), state.phase)
