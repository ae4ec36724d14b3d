"""What a device counts of the line."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec.protocol import Counters

__all__ = ["LineCounters"]

_BITS = 32


class LineCounters(wiring.Component):
    """Counters in rings of bits: a pass through all bits adds what happened since the pass before.

    A pass takes 33 cycles, and of several events of one kind in that time only one is counted. No byte on the line
    takes less than 40.

    Members
    -------
    events: ``In(3)``
        For one cycle each: a frame was good, a frame was damaged, a byte was lost.
    hold: ``In(1)``
        Begin no pass.
    ready: ``Out(1)``
        No pass is under way.
    step: ``In(1)``
        Go to the next bit, while ``hold`` and ``ready``. It takes 96 steps to come back to the first.
    bit: ``Out(1)``
        A bit of :class:`~attractor.spec.protocol.Counters`.
    """

    events: Signal
    hold: Signal
    ready: Signal
    step: Signal
    bit: Signal

    def __init__(self) -> None:
        count = Counters.STRUCT.size * 8 // _BITS
        super().__init__({"events": In(count), "hold": In(1), "ready": Out(1), "step": In(1), "bit": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counters = [Signal(_BITS, name=f"counter_{number}") for number in range(len(self.events))]
        # Events to be added in the next pass; what is to be added to the next bit of each counter.
        pending, carry = Signal.like(self.events), Signal.like(self.events, reset_less=True)
        passing, place = Signal(), Signal(range(_BITS))
        m.d.comb += [self.ready.eq(~passing), self.bit.eq(counters[0][0])]
        with m.If(passing):
            m.d.sync += [pending.eq(pending | self.events), place.eq(place + 1), passing.eq(place != _BITS - 1)]
            m.d.sync += carry.eq(carry & Cat(counter[0] for counter in counters))
        with m.Elif(self.hold):
            m.d.sync += pending.eq(pending | self.events)
        with m.Else():
            m.d.sync += [pending.eq(self.events), carry.eq(pending), passing.eq(pending.any())]
        with m.If(passing | self.step):
            for number, counter in enumerate(counters):
                # The counters follow one another where their bits are shown.
                shown = counters[(number + 1) % len(counters)][0]
                m.d.sync += counter.eq(Cat(counter[1:], Mux(passing, counter[0] ^ carry[number], shown)))
        return m
