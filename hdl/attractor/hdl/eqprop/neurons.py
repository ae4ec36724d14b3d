"""The neuron behind each accumulator: its next state, what it adds to its field, and whether it has to be heard."""

from collections.abc import Callable
from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import exceeds, one_hot
from attractor.hdl.crossbar import Beat
from attractor.hdl.eqprop.layout import NeuronState, layer_flags, sum_bits
from attractor.spec import EqPropSpec

__all__ = ["Neurons"]


class Neurons(wiring.Component):
    """Watches the beats of the crossbar, and says what to write and to add.

    The new state is half of the sum in the beat, rounded down, within 0 and the greatest state of the layer. A lane
    that has no neuron in a group stays at 0, so that it never sends and never learns. What neurons have to say to
    others, their ``marks``, is put into registers first: it is out a cycle after the beat.

    Parameters
    ----------
    spec:
        The network.
    beat:
        Layout of the crossbar's beats, with a :class:`Context`.

    Members
    -------
    beat, valid: ``In(Beat)``, ``In(1)``
    states: ``Out(lanes times NeuronState)``
    keep_states: ``Out(1)``
    amplitudes: ``Out(lanes times sum_bits)``
    signs: ``Out(lanes)``
    learns: ``Out(lanes)``
        As in :class:`~attractor.hdl.crossbar.Crossbar`.
    touched: ``Out(lanes)``
        Counters that the source touches, if this is a LEARN into :attr:`Store.UP`.
    group, mask, flags: ``Out(range(groups))``, ``Out(lanes)``, ``Out(lanes)``
        The marked neurons of the last beat, and their bits.
    loads, probes: ``Out(1)``
        Of its context, if there was a beat.
    moved: ``Out(1)``
        A new state in it was not the old one.
    """

    beat: data.View
    valid: Signal
    states: data.View
    keep_states: Signal
    amplitudes: data.View
    signs: Signal
    learns: Signal
    touched: Signal
    group: Signal
    mask: Signal
    flags: Signal
    loads: Signal
    probes: Signal
    moved: Signal

    def __init__(self, spec: EqPropSpec, beat: Beat) -> None:
        self.spec, self.state = spec, NeuronState(spec)
        super().__init__(
            {
                "beat": In(beat),
                "valid": In(1),
                "states": Out(data.ArrayLayout(self.state.size, spec.lanes)),
                "keep_states": Out(1),
                "amplitudes": Out(data.ArrayLayout(sum_bits(spec), spec.lanes)),
                "signs": Out(spec.lanes),
                "learns": Out(spec.lanes),
                "touched": Out(spec.lanes),
                "group": Out(range(spec.groups)),
                "mask": Out(spec.lanes),
                "flags": Out(spec.lanes),
                "loads": Out(1),
                "probes": Out(1),
                "moved": Out(1),
            }
        )
        self._in_layer = layer_flags(spec, self.beat.group)
        self._high, self._exists = Signal(spec.state_bits), Signal(spec.lanes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, context = self.spec, self.beat.context
        moves = Signal(spec.lanes)
        m.d.comb += [self.keep_states.eq(~context.sets), self.moved.eq(moves.any())]
        m.d.sync += [self.group.eq(self.beat.group), self.loads.eq(self.valid & context.loads)]
        if spec.learning:
            m.d.sync += self.probes.eq(self.valid & context.probes)
        m.d.comb += [self._high.eq(self._greatest()), self._exists.eq(self._existing())]
        taking_part = Signal(spec.lanes)
        m.d.comb += taking_part.eq(~0)
        if spec.learning:
            m.d.comb += taking_part.eq(one_hot(context.lane, spec.lanes) | (~context.alone).replicate(spec.lanes))
        for lane in range(spec.lanes):
            state = data.View(self.state, self.beat.states[lane])
            level, bit = self._next(m, lane)
            old_bit = self._exceeds(state.level, lambda high: (high - 1) // 2)
            m.d.comb += self.amplitudes[lane].eq(
                Mux(context.adds_state, state.level, 0) | Mux(taking_part[lane], context.amplitude, 0)
            )
            m.d.sync += moves[lane].eq(level != state.level)
            if spec.learning:
                self._learn(m, lane, state, old_bit, level, bit, taking_part[lane])
            else:
                m.d.comb += self.states[lane].eq(level)
                m.d.sync += [self.mask[lane].eq(bit ^ old_bit), self.flags[lane].eq(bit)]
        return m

    def _next(self, m: Module, lane: int) -> tuple[Value, Value]:
        """Return the new state of a lane and its bit."""
        context, total = self.beat.context, Value.cast(self.beat.sums[lane])
        half = total[1:-1]
        low, level, bit = Signal(name=f"low_{lane}"), Signal(self.spec.state_bits, name=f"level_{lane}"), Signal()
        over = context.high | self._exceeds(half, lambda high: high)
        m.d.comb += [
            low.eq(~self._exists[lane] | context.low | (total[-1] & ~context.high)),
            level.eq(Mux(low, 0, Mux(over, self._high, half[: len(level)]))),
            bit.eq(~low & (context.high | self._exceeds(half, lambda high: (high - 1) // 2))),
        ]
        return level, bit

    def _learn(
        self, m: Module, lane: int, state: data.View, old_bit: Value, level: Value, bit: Value, takes_part: Value
    ) -> None:
        """Keep the bits of the free phase, compare them with those of the other, and say which counters count."""
        context = self.beat.context
        following = Signal(self.state, name=f"following_{lane}")
        shown = Mux(bit, state.free & old_bit, state.free ^ old_bit)
        touched = (old_bit & context.nudged) ^ (state.free & context.free)
        m.d.comb += [
            following.level.eq(level),
            following.free.eq(Mux(context.holds, state.free, bit)),
            self.states[lane].eq(following),
            self.touched[lane].eq(touched),
            self.learns[lane].eq(Mux(context.alone, takes_part, touched)),
            # It was on with the source in the free phase, and is not now.
            self.signs[lane].eq(state.free & context.free),
        ]
        m.d.sync += [
            self.mask[lane].eq(Mux(context.shows, shown, bit ^ old_bit)),
            self.flags[lane].eq(Mux(context.shows, old_bit, bit)),
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
            last = self.beat.group == spec.first_group(layer + 1) - 1
            neurons = spec.layers[layer] - (spec.groups_of(layer) - 1) * spec.lanes
            missing = missing | Mux(last, (1 << spec.lanes) - (1 << neurons), 0)
        return ~missing
