"""What happens to the sums when an oscillator's phase is set: the arithmetic that exists once, not in every lane."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.change_queue import Change
from attractor.hdl.crossbar import Kind, Operation
from attractor.spec import OscillatorSpec


class Placement(data.StructLayout):
    """A phase that an oscillator takes on.

    Members
    -------
    source: ``range(oscillators)``
    free: ``1``
        It is a target: ``group`` and ``lane`` say which.
    group: ``range(groups)``
    lane: ``range(lanes)``
    clamp: ``1``
        It does not move in this call. Read only when placed for the first time.
    first: ``1``
        It had no phase before: ``old`` means nothing.
    old, new: ``phase_bits``
    level: ``1``
        The sums change at once: by its level when placed for the first time, otherwise because its level flips.
    low: ``1``
        They change downward: the level at this slot is -1.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        super().__init__(
            {
                "source": range(spec.oscillators),
                "free": 1,
                "group": range(spec.groups),
                "lane": range(spec.lanes),
                "clamp": 1,
                "first": 1,
                "old": spec.phase_bits,
                "new": spec.phase_bits,
                "level": 1,
                "low": 1,
            }
        )


class Edge(data.StructLayout):
    """What an operation means for the tags of the oscillator that caused it.

    Members
    -------
    free, group, lane, clamp, first:
        Those of the :class:`Placement`.
    present: ``1``
        The oscillator's own edge is now in the bank.
    late: ``1``
        Its phase lies in the second half of the period.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        flags = ("free", "clamp", "first", "present", "late")
        super().__init__({"group": range(spec.groups), "lane": range(spec.lanes), **dict.fromkeys(flags, 1)})


class PhaseMover(wiring.Component):
    """Moves the phases of oscillators whose reference changed.

    The phase goes toward the slot of the change (a rise), or half a period from it (a fall), the shorter way and at
    most ``max_step`` slots; exactly opposite it increases. One change a cycle enters; it leaves one cycle later, or
    vanishes if the phase stays where it is.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    i: ``In(stream of Change)``
        ``flag`` is set if the reference rose.
    o: ``Out(stream of Placement)``
    slot: ``In(phase_bits)``
        Slot of the change. Constant while anything is inside.
    max_step: ``In(8)``
        Likewise.
    address, read, phase: ``Out(range(oscillators))``, ``Out(1)``, ``In(phase_bits)``
        Read port of the phases; ``phase`` follows a cycle after ``read``.
    idle: ``Out(1)``
        Nothing is inside.
    """

    i: stream.Interface
    o: stream.Interface
    slot: Signal
    max_step: Signal
    address: Signal
    read: Signal
    phase: Signal
    idle: Signal

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(Change(spec.groups, spec.lanes))),
                "o": Out(stream.Signature(Placement(spec))),
                "slot": In(spec.phase_bits),
                "max_step": In(8),
                "address": Out(range(spec.oscillators)),
                "read": Out(1),
                "phase": In(spec.phase_bits),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, half = self.spec, self.spec.period // 2
        change, valid, leaves = Signal.like(self.i.payload), Signal(), Signal()
        source = Signal.like(self.address)
        m.d.comb += [
            self.i.ready.eq(~valid | leaves),
            self.read.eq(self.i.valid & self.i.ready),
            self.address.eq(times_constant(self.i.payload.group, spec.lanes) + self.i.payload.lane + spec.inputs),
            self.idle.eq(~valid),
        ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), change.eq(self.i.payload), source.eq(self.address)]

        forward, step = Signal(spec.phase_bits), Signal(spec.phase_bits)
        target, distance = Signal(spec.phase_bits), Signal(spec.phase_bits)
        backward = forward > half
        m.d.comb += [
            target.eq(Mux(change.flag, self.slot, self.slot ^ half)),
            forward.eq(target - self.phase),
            distance.eq(Mux(backward, -forward, forward)),
            step.eq(Mux(distance < self.max_step, distance, self.max_step)),
            self.o.payload.source.eq(source),
            self.o.payload.free.eq(1),
            self.o.payload.group.eq(change.group),
            self.o.payload.lane.eq(change.lane),
            self.o.payload.old.eq(self.phase),
            self.o.payload.new.eq(Mux(backward, self.phase - step, self.phase + step)),
        ]
        was_high, is_high = self._high(self.phase), self._high(self.o.payload.new)
        m.d.comb += [
            self.o.payload.level.eq(was_high ^ is_high),
            self.o.payload.low.eq(~is_high),
            self.o.valid.eq(valid & (step != 0)),
            leaves.eq(self.o.ready | (step == 0)),
        ]
        return m

    def _high(self, phase: Value) -> Value:
        """Level at this slot: high in the half period after the rising edge."""
        return ~(self.slot - phase)[self.spec.phase_bits - 1]


class EdgeSequencer(wiring.Component):
    """Turns a placement into the crossbar operations that keep the sums true.

    Bank b < P/2 holds, for each target, the difference that the edges at slot b make in its sum: a rise adds the
    weight, a fall half a period later subtracts it, so a phase in the second half counts negative. The last bank is
    the sum itself. A placement becomes two or three operations, one each cycle that the crossbar takes one: the old
    edge is removed, the new one added (both at once where they share a bank), and the sum is corrected if the level
    at the present slot changes. A new placement is taken while the last operation of the one before leaves.

    Members
    -------
    i: ``In(stream of Placement)``
    o: ``Out(stream of Operation)``
        With an :class:`Edge` as context.
    idle: ``Out(1)``
        Nothing is inside.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self, spec: OscillatorSpec, operation: Operation) -> None:
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(Placement(spec))),
                "o": Out(stream.Signature(operation)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        half = self.spec.period // 2
        placement, valid = Signal.like(self.i.payload), Signal()
        removes, levels = Signal(init=1), Signal()
        opposite = ~placement.first & (placement.old[:-1] == placement.new[:-1])
        removing = removes & ~placement.first & ~opposite
        last = Mux(levels, 1, ~removing & ~placement.level)
        late = placement.new[-1]
        edge = self.o.payload.context
        m.d.comb += [
            self.o.valid.eq(valid),
            self.idle.eq(~valid),
            self.i.ready.eq(~valid | (self.o.ready & last)),
            self.o.payload.kind.eq(Kind.ADD),
            self.o.payload.source.eq(placement.source),
            edge.free.eq(placement.free),
            edge.group.eq(placement.group),
            edge.lane.eq(placement.lane),
            edge.clamp.eq(placement.clamp),
            edge.first.eq(placement.first),
            edge.present.eq(~removing),
            edge.late.eq(late),
        ]
        with m.If(levels):
            m.d.comb += [
                self.o.payload.bank.eq(half),
                self.o.payload.negate.eq(placement.low),
                self.o.payload.double.eq(~placement.first),
            ]
        with m.Elif(removing):
            m.d.comb += [self.o.payload.bank.eq(placement.old[:-1]), self.o.payload.negate.eq(~placement.old[-1])]
        with m.Else():
            m.d.comb += [
                self.o.payload.bank.eq(placement.new[:-1]),
                self.o.payload.negate.eq(late),
                self.o.payload.double.eq(opposite),
            ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), placement.eq(self.i.payload), removes.eq(1), levels.eq(0)]
        with m.Elif(self.o.ready):
            m.d.sync += [removes.eq(0), levels.eq(~removing)]
        return m
