"""The neuron behind each accumulator: its next state, what it adds to its field, and whether it is marked."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import exceeds, one_hot
from attractor.hdl.change_queue import Marks
from attractor.hdl.eqprop.layout import NeuronState, Store, layer_flags
from attractor.hdl.eqprop.signatures import ProbeSignature, TouchSignature
from attractor.hdl.operations import Beat, NeuronSignature, OperationKind
from attractor.spec import EqPropSpec

__all__ = ["Neurons"]


class Neurons(wiring.Component):
    """Answers the beats of the crossbar: what to write and to add. Marks the neurons that others have to learn of.

    The new state is half of the sum in the beat, rounded down, within 0 and the greatest state of the layer. A lane
    that has no neuron in a group stays at 0, so that it never sends and never learns. The answer to a beat comes in the
    same cycle; marks come a cycle later.

    Parameters
    ----------
    spec:
        The network.
    beat:
        Layout of the crossbar's beats, with a :class:`~attractor.hdl.eqprop.layout.Context`.

    Members
    -------
    crossbar: ``In(NeuronSignature)``
    touches: ``Out(TouchSignature)``
        Counters that learn in this beat.
    marks: ``Out(stream of Marks, always ready)``
        The marked neurons of the last beat, if it ``loads``, and their bits.
    probe: ``Out(ProbeSignature)``
        Whether there are any, if it ``probes``.
    moved: ``Out(1)``
        The last beat ``loads``, and a new state in it was not the old one.
    """

    crossbar: Any
    touches: Any
    marks: stream.Interface
    probe: Any
    moved: Signal

    def __init__(self, spec: EqPropSpec, beat: Beat) -> None:
        self.spec, self.state = spec, NeuronState(spec)
        super().__init__(
            {
                "crossbar": In(NeuronSignature(beat)),
                "touches": Out(TouchSignature(spec)),
                "marks": Out(stream.Signature(Marks(spec.groups, spec.lanes), always_ready=True)),
                "probe": Out(ProbeSignature()),
                "moved": Out(1),
            }
        )
        self._beat = self.crossbar.beat
        self._in_layer = layer_flags(spec, self._beat.group)
        self._high = Signal(spec.state_bits)
        self._exists = Signal(spec.lanes)
        self._takes_part = Signal(spec.lanes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, beat, context, valid = self.spec, self._beat, self._beat.context, self.crossbar.valid
        changes = Signal(spec.lanes)
        marks = self.marks.payload
        m.d.comb += [
            self._high.eq(self._greatest()),
            self._exists.eq(self._existing()),
            self._takes_part.eq(~0),
            self.crossbar.keep_states.eq(~context.sets),
            self.moved.eq(self.marks.valid & changes.any()),
        ]
        # Registered, as are the marks of each lane: cuts the path from the sum of a lane through its new state to the
        # list of changes; costs a cycle between a group and the events that it causes.
        m.d.sync += [marks.group.eq(beat.group), self.marks.valid.eq(valid & context.loads)]
        if spec.learning:
            m.d.sync += self.probe.answered.eq(valid & context.probes)
            m.d.comb += [
                self._takes_part.eq(one_hot(context.lane, spec.lanes) | (~context.alone).replicate(spec.lanes)),
                self.probe.differs.eq(marks.mask.any()),
                self.touches.valid.eq(valid & (beat.kind == OperationKind.LEARN) & (beat.store == Store.UP)),
            ]
        # Read once, and not by each lane: Amaranth goes through all that such a view holds each time.
        for lane, (before, total) in enumerate(zip(beat.states, beat.sums, strict=True)):
            m.d.sync += changes[lane].eq(self._lane(m, lane, data.View(self.state, before), Value.cast(total)))
        return m

    def _lane(self, m: Module, lane: int, state: data.View, total: Value) -> Value:
        """Build the neuron of a lane; return whether its state changes."""
        context, marks = self._beat.context, self.marks.payload
        level, bit = self._next(m, lane, total)
        old_bit = self._exceeds(state.level, lambda high: (high - 1) // 2)
        amplitude = Mux(context.adds_state, state.level, 0) | Mux(self._takes_part[lane], context.amplitude, 0)
        m.d.comb += self.crossbar.amplitudes[lane].eq(amplitude)
        if self.spec.learning:
            self._learn(m, lane, state, old_bit, level, bit)
        else:
            m.d.comb += self.crossbar.states[lane].eq(level)
            m.d.sync += [marks.mask[lane].eq(bit ^ old_bit), marks.flags[lane].eq(bit)]
        return level != state.level

    def _next(self, m: Module, lane: int, total: Value) -> tuple[Value, Value]:
        """Return the new state of a lane and its bit."""
        context, half = self._beat.context, total[1:-1]
        low = Signal(name=f"low_{lane}")
        level = Signal(self.spec.state_bits, name=f"level_{lane}")
        bit = Signal()
        over = context.high | self._exceeds(half, lambda high: high)
        m.d.comb += [
            low.eq(~self._exists[lane] | context.low | (total[-1] & ~context.high)),
            level.eq(Mux(low, 0, Mux(over, self._high, half[: len(level)]))),
            bit.eq(~low & (context.high | self._exceeds(half, lambda high: (high - 1) // 2))),
        ]
        return level, bit

    def _learn(self, m: Module, lane: int, state: data.View, old_bit: Value, level: Value, bit: Value) -> None:
        """Keep the bits of the free phase, compare them with those of the other, and say which counters count."""
        context, crossbar, marks = self._beat.context, self.crossbar, self.marks.payload
        following = Signal(self.state, name=f"following_{lane}")
        shown = Mux(bit, state.free & old_bit, state.free ^ old_bit)
        touched = (old_bit & context.nudged) ^ (state.free & context.free)
        m.d.comb += [
            following.level.eq(level),
            following.free.eq(Mux(context.holds, state.free, bit)),
            crossbar.states[lane].eq(following),
            self.touches.mask[lane].eq(touched),
            crossbar.learns[lane].eq(Mux(context.alone, self._takes_part[lane], touched)),
            # It was on with the source in the free phase, and is not now.
            crossbar.signs[lane].eq(state.free & context.free),
        ]
        m.d.sync += [
            marks.mask[lane].eq(Mux(context.shows, shown, bit ^ old_bit)),
            marks.flags[lane].eq(Mux(context.shows, old_bit, bit)),
        ]

    def _greatest(self) -> Value:
        """Return the greatest state of this beat's layer."""
        return reduce(
            or_, (Mux(here, high, 0) for here, high in zip(self._in_layer, self.spec.state_highs, strict=True))
        )

    def _exceeds(self, number: Value, limit: Callable[[int], int]) -> Value:
        """Return whether a number exceeds a limit that depends on the greatest state of this beat's layer."""
        highs = self.spec.state_highs
        if len(set(highs)) == 1:
            return exceeds(number, limit(highs[0]))
        layers = zip(self._in_layer, highs, strict=True)
        return reduce(or_, (here & exceeds(number, limit(high)) for here, high in layers))

    def _existing(self) -> Value:
        """Return the lanes that have a neuron in this beat: all but some of the last group of a layer."""
        spec = self.spec
        missing: Value = Const(0, spec.lanes)
        for layer in range(1, spec.connections + 1):
            last = self._beat.group == spec.first_group(layer + 1) - 1
            neurons = spec.layers[layer] - (spec.groups_of(layer) - 1) * spec.lanes
            missing = missing | Mux(last, (1 << spec.lanes) - (1 << neurons), 0)
        return ~missing
