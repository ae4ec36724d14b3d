"""The course of a run: clear, load, then slot after slot until the schedule is over; or clear, load, learn."""

from typing import Any

from amaranth.hdl import Array, Assert, Module, Mux, Signal, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arbiter import StreamArbiter
from attractor.hdl.operations import Operation, OperationKind
from attractor.hdl.oscillator.signatures import OutcomeSignature, ProgressSignature, ScheduleSignature
from attractor.hdl.ports import TaskSignature
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import NOISE_SHIFTS

__all__ = ["RunControl"]


class RunControl(wiring.Component):
    """State machine of a run. The crossbar is its own while it clears, scans and marks, and the placements' otherwise.

    Parameters
    ----------
    spec:
        The network.
    operation:
        Layout of the crossbar's operations.

    Members
    -------
    run: ``In(TaskSignature)``
        The call.
    abort: ``In(1)``
        End it after the slot under way.
    i: ``In(stream of Operation)``
        Operations of placements. They wait while the control's own are issued.
    o: ``Out(stream of Operation)``
        Operations for the crossbar.
    schedule: ``In(ScheduleSignature)``
    progress: ``Out(ProgressSignature)``
    outcome: ``Out(OutcomeSignature)``
    load: ``Out(TaskSignature)``
        Place all oscillators.
    teaching: ``Out(1)``
        The placements of ``load`` teach.
    placed: ``In(1)``
        An oscillator takes on a phase in this cycle.
    moving: ``In(1)``
        Changes of this slot are still being worked on.
    margin: ``In(sum_bits - 1)``
        Learn the pattern that was loaded, where its fields are below this margin, instead of running the schedule; 0
        for not. Only in networks with ``learning``.
    learns: ``In(1)``
        A target takes up the pattern in this cycle.
    read_out: ``Out(TaskSignature)``
        Find the winner.
    """

    run: Any
    abort: Signal
    i: stream.Interface
    o: stream.Interface
    schedule: Any
    progress: Any
    outcome: Any
    load: Any
    teaching: Signal
    placed: Signal
    moving: Signal
    margin: Signal
    learns: Signal
    read_out: Any

    def __init__(self, spec: OscillatorSpec, operation: Operation) -> None:
        self.spec, self.operation = spec, operation
        self.sum_bank = spec.period // 2
        self.field_bank, self.zero_bank = self.sum_bank + 1, self.sum_bank + 2
        super().__init__(
            {
                "run": In(TaskSignature()),
                "abort": In(1),
                "i": In(stream.Signature(operation)),
                "o": Out(stream.Signature(operation)),
                "schedule": In(ScheduleSignature(spec)),
                "progress": Out(ProgressSignature(spec)),
                "outcome": Out(OutcomeSignature()),
                "load": Out(TaskSignature()),
                "teaching": Out(1),
                "placed": In(1),
                "moving": In(1),
                "margin": In(spec.sum_bits - 1),
                "learns": In(1),
                "read_out": Out(TaskSignature()),
            }
        )
        # Who is heard by the crossbar, and what the control itself asks of it.
        self._arbiter = StreamArbiter(operation, 2)
        self._own: Any = self._arbiter.i[0]
        # The bank being cleared; an abort is wanted; the first slot begins.
        self._bank = Signal(range(self.sum_bank + 1))
        self._stopping = Signal()
        self._first_slot = Signal()
        if spec.flips:
            # Noise has been added so many times in this slot.
            self._noises = Signal(range(len(NOISE_SHIFTS)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.arbiter = self._arbiter
        wiring.connect(m, self._arbiter.o, wiring.flipped(self.o))
        self._let_placements_wait(m)
        with m.If(self.abort):
            m.d.sync += self._stopping.eq(1)
        with m.FSM() as fsm:
            m.d.comb += self.run.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.run.start):
                m.d.sync += [self.progress.slot.eq(0), self.progress.odd_period.eq(0)]
                m.d.sync += [self._bank.eq(0), self._stopping.eq(0), self.outcome.aborted.eq(0)]
                m.next = "clear"
            self._clear_and_load(m)
            self._run(m)
            self._find_fields(m)
            if self.spec.learning:
                self._learn(m)
            with m.State("read out"), m.If(~self.read_out.busy):
                m.next = "idle"
        self._watch(m)
        return m

    def _let_placements_wait(self, m: Module) -> None:
        """Hold back placements while an operation of the control's own goes through the groups.

        With many groups, what the first of them decide is there before the last are scanned. The own operations of a
        slot follow each other without a gap and begin when nothing is left to place, so none breaks into a placement.
        """
        placements = self._arbiter.i[1]
        m.d.comb += [
            placements.payload.eq(self.i.payload),
            placements.valid.eq(self.i.valid & ~self._own.valid),
            self.i.ready.eq(placements.ready & ~self._own.valid),
        ]
        standing = Signal()
        m.d.sync += [
            standing.eq(placements.valid & ~placements.ready),
            Assert(~(standing & self._own.valid), "an operation breaks into a placement"),
        ]

    def _watch(self, m: Module) -> None:
        """Tell whether a phase moved in this slot, and whether anything was learnt in this call."""
        # Changes of the first groups are placed while the last ones are still being scanned.
        placed = Signal()
        taught = Signal()
        learnt = Signal()
        m.d.comb += self.progress.moved.eq(placed | self.placed)
        with m.If(self.progress.slot_end | self._first_slot):
            m.d.sync += placed.eq(0)
        with m.Elif(self.placed):
            m.d.sync += placed.eq(1)
        m.d.comb += self.outcome.settled.eq(Mux(taught, ~learnt, self.schedule.settled))
        with m.If(self.run.start):
            m.d.sync += [taught.eq(self.margin != 0), learnt.eq(0)]
        with m.Elif(self.learns):
            m.d.sync += learnt.eq(1)

    def _clear_and_load(self, m: Module) -> None:
        """Set the banks of differences and the sum to 0, and place all oscillators."""
        with m.State("clear"):
            self._push(m, self._bank, self.zero_bank, 0)
            with m.If(self._own.ready):
                m.d.sync += self._bank.eq(self._bank + 1)
                with m.If(self._bank == self.sum_bank):
                    m.d.comb += self.load.start.eq(1)
                    m.next = "load"
        with m.State("load"), m.If(~self.load.busy & ~self.schedule.busy):
            m.d.comb += self._first_slot.eq(1)
            m.next = "period"
            if self.spec.learning:
                with m.If(self.margin != 0):
                    m.next = "mark"

    def _run(self, m: Module) -> None:
        """Go through the slots: find the fields, and wait until all that has to move has moved."""
        progress, schedule = self.progress, self.schedule
        with m.State("period"):
            with m.If(self._stopping | (schedule.over & ~schedule.busy)):
                m.d.sync += self.outcome.aborted.eq(self._stopping)
                m.d.comb += self.read_out.start.eq(1)
                m.next = "read out"
            with m.Elif(~schedule.busy):
                m.next = "scan"
        with m.State("move"), m.If(~self.moving):
            m.d.comb += [progress.slot_end.eq(1), progress.period_end.eq(progress.slot.all())]
            m.d.sync += progress.slot.eq(progress.slot + 1)
            m.d.sync += progress.odd_period.eq(progress.odd_period ^ progress.period_end)
            m.next = "scan"
            with m.If(progress.period_end | self._stopping):
                m.next = "period"

    def _find_fields(self, m: Module) -> None:
        """Bring the sums to this slot, and add noise and lock to them; the last operation decides who has to move."""
        operation, context = self._own.payload, self._own.payload.context
        slot, noise, lock = self.progress.slot, self.schedule.noise, self.schedule.lock
        with m.State("scan"):
            m.d.comb += [
                self._own.valid.eq(1),
                operation.kind.eq(OperationKind.FOLD),
                operation.bank.eq(self.sum_bank),
                operation.addend.eq(slot[:-1]),
                operation.negate.eq(slot[-1]),
                context.decides.eq((noise == 0) & (lock == 0)),
            ]
            with m.If(self._own.ready):
                m.next = "move"
                with m.If(noise != 0):
                    m.next = "noise"
                with m.Elif(lock != 0):
                    m.next = "lock"
        with m.State("noise"):
            if self.spec.flips:
                self._push_noises(m)
            else:
                self._push(m, self.field_bank, self.sum_bank, noise)
                m.d.comb += [context.noisy.eq(1), context.decides.eq(lock == 0)]
                with m.If(self._own.ready):
                    m.next = "move"
                    with m.If(lock != 0):
                        m.next = "lock"
        with m.State("lock"):
            self._push(m, self.field_bank, Mux(noise == 0, self.sum_bank, self.field_bank), lock)
            m.d.comb += [context.locked.eq(1), context.decides.eq(1)]
            with m.If(self._own.ready):
                m.next = "move"

    def _push_noises(self, m: Module) -> None:
        """Add noise once or, where targets flip, as often as it has terms: the first to the sum, the others to that."""
        context, count, flips = self._own.payload.context, self._noises, self.schedule.flips
        noise, lock = self.schedule.noise, self.schedule.lock
        last = ~flips | (count == len(NOISE_SHIFTS) - 1)
        amplitude = Mux(flips, Array(noise >> shift for shift in NOISE_SHIFTS)[count], noise)
        self._push(m, self.field_bank, Mux(count == 0, self.sum_bank, self.field_bank), amplitude)
        m.d.comb += [context.noisy.eq(1), context.decides.eq(last & (lock == 0))]
        with m.If(self._own.ready):
            m.d.sync += count.eq(count + 1)
            with m.If(last):
                m.d.sync += count.eq(0)
                m.next = "move"
                with m.If(lock != 0):
                    m.next = "lock"

    def _learn(self, m: Module) -> None:
        """Mark the targets whose field is below the margin, and load once more to teach them."""
        with m.State("mark"):
            self._push(m, self.field_bank, self.sum_bank, self.margin)
            m.d.comb += self._own.payload.context.marks.eq(1)
            with m.If(self._own.ready):
                m.d.comb += self.load.start.eq(1)
                m.next = "teach"
        with m.State("teach"):
            m.d.comb += self.teaching.eq(1)
            with m.If(~self.load.busy & ~self.schedule.busy):
                m.d.comb += self.read_out.start.eq(1)
                m.next = "read out"

    def _push(self, m: Module, bank: ValueLike, origin: ValueLike, amplitude: ValueLike) -> None:
        operation = self._own.payload
        m.d.comb += [
            self._own.valid.eq(1),
            operation.kind.eq(OperationKind.PUSH),
            operation.bank.eq(bank),
            operation.addend.eq(origin),
            operation.context.amplitude.eq(amplitude),
        ]
