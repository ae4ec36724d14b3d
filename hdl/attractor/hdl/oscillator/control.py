"""The course of a run: clear, load, then slot after slot until the schedule is over; or clear, load, learn."""

from amaranth.hdl import Module, Mux, Signal, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.crossbar import Operation, OperationKind
from attractor.spec import OscillatorSpec

__all__ = ["RunControl"]


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
    noise, lock: ``In(range(largest_amplitude + 1))``
        From the schedule.
    margin: ``In(sum_bits - 1)``
        Learn the pattern that was loaded, where its fields are below this margin, instead of running the schedule; 0
        for not. Only in networks with ``learning``.
    teaching: ``Out(1)``
        The placements of ``load`` teach.
    moving: ``In(1)``
        Changes of this slot are still being worked on.
    placed: ``In(1)``
        An oscillator takes on a phase in this cycle.
    slot: ``Out(phase_bits)``
    odd_period: ``Out(1)``
        The number of periods run is odd.
    slot_end, period_end, moved: ``Out(1)``
        A slot ends in this cycle; it is the last of its period; a phase changed in it.
    schedule_busy, over, quiet: ``In(1)``
        From the schedule; ``quiet`` is its ``settled``.
    learns: ``In(1)``
        A target takes up the pattern in this cycle.
    settled: ``Out(1)``
        How the last call ended: quiet, or, where it was to learn, nothing was left to learn.
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
    noise: Signal
    lock: Signal
    margin: Signal
    teaching: Signal
    moving: Signal
    placed: Signal
    slot: Signal
    odd_period: Signal
    slot_end: Signal
    period_end: Signal
    moved: Signal
    schedule_busy: Signal
    over: Signal
    quiet: Signal
    learns: Signal
    settled: Signal
    read_out: Signal
    reading_out: Signal

    def __init__(self, spec: OscillatorSpec, operation: Operation) -> None:
        self.spec = spec
        self.sum_bank = spec.period // 2
        self.field_bank, self.zero_bank = self.sum_bank + 1, self.sum_bank + 2
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
                "noise": In(range(spec.largest_amplitude + 1)),
                "lock": In(range(spec.largest_amplitude + 1)),
                "margin": In(spec.sum_bits - 1),
                "teaching": Out(1),
                "moving": In(1),
                "placed": In(1),
                "slot": Out(spec.phase_bits),
                "odd_period": Out(1),
                "slot_end": Out(1),
                "period_end": Out(1),
                "moved": Out(1),
                "schedule_busy": In(1),
                "over": In(1),
                "quiet": In(1),
                "learns": In(1),
                "settled": Out(1),
                "read_out": Out(1),
                "reading_out": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bank, stopping, placed, starts = Signal(range(self.sum_bank + 1)), Signal(), Signal(), Signal()
        operation, context = self.o.payload, self.o.payload.context
        m.d.comb += self.moved.eq(placed | self.placed)
        with m.If(self.abort):
            m.d.sync += stopping.eq(1)
        taught, learnt = Signal(), Signal()
        m.d.comb += self.settled.eq(Mux(taught, ~learnt, self.quiet))
        with m.If(self.start):
            m.d.sync += [taught.eq(self.margin != 0), learnt.eq(0)]
        with m.Elif(self.learns):
            m.d.sync += learnt.eq(1)

        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.start):
                m.d.sync += [bank.eq(0), self.slot.eq(0), self.odd_period.eq(0), stopping.eq(0), self.aborted.eq(0)]
                m.next = "clear"
            with m.State("clear"):
                self._push(m, bank, self.zero_bank, 0)
                with m.If(self.o.ready):
                    m.d.sync += bank.eq(bank + 1)
                    with m.If(bank == self.sum_bank):
                        m.d.comb += self.load.eq(1)
                        m.next = "load"
            with m.State("load"):
                wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
                with m.If(~self.loading & ~self.schedule_busy):
                    m.d.comb += starts.eq(1)
                    m.next = "period"
                    if self.spec.learning:
                        with m.If(self.margin != 0):
                            m.next = "mark"
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
                    operation.kind.eq(OperationKind.FOLD),
                    operation.bank.eq(self.sum_bank),
                    operation.addend.eq(self.slot[:-1]),
                    operation.negate.eq(self.slot[-1]),
                    context.decides.eq((self.noise == 0) & (self.lock == 0)),
                ]
                with m.If(self.o.ready):
                    m.next = "move"
                    with m.If(self.noise != 0):
                        m.next = "noise"
                    with m.Elif(self.lock != 0):
                        m.next = "lock"
            with m.State("noise"):
                self._push(m, self.field_bank, self.sum_bank, self.noise)
                m.d.comb += [context.noisy.eq(1), context.decides.eq(self.lock == 0)]
                with m.If(self.o.ready):
                    m.next = "move"
                    with m.If(self.lock != 0):
                        m.next = "lock"
            with m.State("lock"):
                self._push(m, self.field_bank, Mux(self.noise == 0, self.sum_bank, self.field_bank), self.lock)
                m.d.comb += [context.locked.eq(1), context.decides.eq(1)]
                with m.If(self.o.ready):
                    m.next = "move"
            with m.State("move"):
                wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
                with m.If(~self.moving):
                    m.d.comb += [self.slot_end.eq(1), self.period_end.eq(self.slot.all())]
                    m.d.sync += [self.slot.eq(self.slot + 1), self.odd_period.eq(self.odd_period ^ self.period_end)]
                    m.next = "scan"
                    with m.If(self.period_end | stopping):
                        m.next = "period"
            if self.spec.learning:
                with m.State("mark"):
                    self._push(m, self.field_bank, self.sum_bank, self.margin)
                    m.d.comb += context.marks.eq(1)
                    with m.If(self.o.ready):
                        m.d.comb += self.load.eq(1)
                        m.next = "teach"
                with m.State("teach"):
                    m.d.comb += self.teaching.eq(1)
                    wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
                    with m.If(~self.loading & ~self.schedule_busy):
                        m.d.comb += self.read_out.eq(1)
                        m.next = "read out"
            with m.State("read out"), m.If(~self.reading_out):
                m.next = "idle"

        # Changes of the first groups are placed while the last ones are still being scanned.
        with m.If(self.slot_end | starts):
            m.d.sync += placed.eq(0)
        with m.Elif(self.placed):
            m.d.sync += placed.eq(1)
        return m

    def _push(self, m: Module, bank: ValueLike, origin: ValueLike, amplitude: ValueLike) -> None:
        operation = self.o.payload
        m.d.comb += [
            self.o.valid.eq(1),
            operation.kind.eq(OperationKind.PUSH),
            operation.bank.eq(bank),
            operation.addend.eq(origin),
            operation.context.amplitude.eq(amplitude),
        ]
