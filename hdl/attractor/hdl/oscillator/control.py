"""The course of a run: clear, load, then slot after slot until the schedule is over."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.crossbar import Kind, Operation
from attractor.spec import OscillatorSpec


class RunControl(wiring.Component):
    """State machine of a run; it owns the crossbar while it clears and scans, and lends it to the moves otherwise.

    Parameters
    ----------
    spec:
        The network.
    operation:
        Layout of the crossbar's operations.

    Members
    -------
    start, abort, busy: ``In(1)``, ``In(1)``, ``Out(1)``
        As in :class:`~attractor.hdl.core.CoreSignature`. An abort takes effect at the end of a slot.
    aborted: ``Out(1)``
        The last run was ended by an abort.
    i: ``In(stream of Operation)``
        Operations of placements.
    o: ``Out(stream of Operation)``
        Operations for the crossbar.
    load, loading: ``Out(1)``, ``In(1)``
        Place all oscillators; high until that is done.
    moving: ``In(1)``
        Changes of this slot are still being worked on.
    placed: ``In(1)``
        An oscillator takes on a phase in this cycle.
    slot: ``Out(phase_bits)``
    slot_end, period_end, moved: ``Out(1)``
        A slot ends in this cycle; it is the last of its period; a phase changed in it.
    schedule_busy, over: ``In(1)``
        From the schedule.
    read_out, reading_out: ``Out(1)``, ``In(1)``
        Find the winner; high until it is found.
    """

    start: Signal
    abort: Signal
    busy: Signal
    aborted: Signal
    i: stream.Interface
    o: stream.Interface
    load: Signal
    loading: Signal
    moving: Signal
    placed: Signal
    slot: Signal
    slot_end: Signal
    period_end: Signal
    moved: Signal
    schedule_busy: Signal
    over: Signal
    read_out: Signal
    reading_out: Signal

    def __init__(self, spec: OscillatorSpec, operation: Operation) -> None:
        self.spec = spec
        super().__init__(
            {
                "start": In(1),
                "abort": In(1),
                "busy": Out(1),
                "aborted": Out(1),
                "i": In(stream.Signature(operation)),
                "o": Out(stream.Signature(operation)),
                "load": Out(1),
                "loading": In(1),
                "moving": In(1),
                "placed": In(1),
                "slot": Out(spec.phase_bits),
                "slot_end": Out(1),
                "period_end": Out(1),
                "moved": Out(1),
                "schedule_busy": In(1),
                "over": In(1),
                "read_out": Out(1),
                "reading_out": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        half = self.spec.period // 2
        bank, stopping, placed, starts = Signal(range(half + 1)), Signal(), Signal(), Signal()
        operation = self.o.payload
        m.d.comb += self.moved.eq(placed | self.placed)
        with m.If(self.abort):
            m.d.sync += stopping.eq(1)

        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.start):
                m.d.sync += [bank.eq(0), self.slot.eq(0), stopping.eq(0), self.aborted.eq(0)]
                m.next = "clear"
            with m.State("clear"):
                m.d.comb += [self.o.valid.eq(1), operation.kind.eq(Kind.CLEAR), operation.bank.eq(bank)]
                with m.If(self.o.ready):
                    m.d.sync += bank.eq(bank + 1)
                    with m.If(bank == half):
                        m.d.comb += self.load.eq(1)
                        m.next = "load"
            with m.State("load"):
                wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
                with m.If(~self.loading & ~self.schedule_busy):
                    m.d.comb += starts.eq(1)
                    m.next = "period"
            with m.State("period"):
                with m.If(stopping | (self.over & ~self.schedule_busy)):
                    m.d.sync += self.aborted.eq(stopping)
                    m.d.comb += self.read_out.eq(1)
                    m.next = "read out"
                with m.Elif(~self.schedule_busy):
                    m.next = "scan"
            with m.State("scan"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    operation.kind.eq(Kind.FOLD),
                    operation.bank.eq(half),
                    operation.addend.eq(self.slot[:-1]),
                    operation.negate.eq(self.slot[-1]),
                ]
                with m.If(self.o.ready):
                    m.next = "move"
            with m.State("move"):
                wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
                with m.If(~self.moving):
                    m.d.comb += [self.slot_end.eq(1), self.period_end.eq(self.slot.all())]
                    m.d.sync += self.slot.eq(self.slot + 1)
                    m.next = "scan"
                    with m.If(self.period_end | stopping):
                        m.next = "period"
            with m.State("read out"), m.If(~self.reading_out):
                m.next = "idle"

        # Changes of the first groups are placed while the last ones are still being scanned.
        with m.If(self.slot_end | starts):
            m.d.sync += placed.eq(0)
        with m.Elif(self.placed):
            m.d.sync += placed.eq(1)
        return m
