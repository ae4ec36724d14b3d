"""What a network answers: its winning label and the numbers of the run."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.oscillator.signatures import OutcomeSignature, ProgressSignature
from attractor.hdl.ports import ReadSignature, TaskSignature
from attractor.hdl.windows import RecordReadout
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import NO_WINNER

__all__ = ["LabelReadout", "RunRecord"]


class LabelReadout(wiring.Component):
    """Finds the label oscillator closest in phase to the reference, the lowest one on ties.

    Reads the reference, then one label a cycle: the task is busy for ``labels + 2`` cycles after its start.

    Parameters
    ----------
    spec:
        The network; it has labels.

    Members
    -------
    task: ``In(TaskSignature)``
        Find the winner.
    winner: ``Out(16)``
        Constant after the task.
    phases: ``Out(ReadSignature)``
    """

    task: Any
    winner: Signal
    phases: Any

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "task": In(TaskSignature()),
                "winner": Out(16, init=NO_WINNER),  # pyright: ignore[reportCallIssue]
                "phases": Out(ReadSignature(spec.oscillators, spec.phase_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        first_label = spec.oscillators - spec.labels
        # Label whose phase is being read, and whose phase has arrived; the reference comes before label 0.
        asked = Signal(range(spec.labels + 1))
        arrived = Signal(range(spec.labels + 1))
        asking = Signal()
        arriving = Signal()
        asks_reference = Signal()
        is_reference = Signal()
        reference = Signal(spec.phase_bits)
        forward = Signal(spec.phase_bits)
        distance = Signal(spec.phase_bits)
        least = Signal(spec.phase_bits)
        m.d.comb += [
            self.task.busy.eq(asking | arriving),
            self.phases.read.eq(asking),
            self.phases.address.eq(Mux(asks_reference, spec.reference, first_label + asked)),
            forward.eq(self.phases.data - reference),
            distance.eq(Mux(forward[-1], -forward, forward)),
        ]
        m.d.sync += [arriving.eq(asking), arrived.eq(asked), is_reference.eq(asks_reference)]
        with m.If(self.task.start):
            m.d.sync += [asking.eq(1), asks_reference.eq(1), asked.eq(0), least.eq(~0)]
        with m.Elif(asking):
            m.d.sync += asks_reference.eq(0)
            with m.If(~asks_reference):
                m.d.sync += asked.eq(asked + 1)
                with m.If(asked == spec.labels - 1):
                    m.d.sync += asking.eq(0)
        with m.If(arriving & is_reference):
            m.d.sync += reference.eq(self.phases.data)
        with m.Elif(arriving & (distance < least)):
            m.d.sync += [least.eq(distance), self.winner.eq(arrived)]
        return m


class RunRecord(wiring.Component):
    """Counts a run, and shows the counts as the bytes of the window ``result``.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    start: ``In(1)``
        Forget the last run.
    running: ``In(1)``
        Count clock cycles.
    progress: ``In(ProgressSignature)``
    outcome: ``In(OutcomeSignature)``
    winner: ``In(16)``
    window: ``In(WindowSignature)``
        The bytes.
    """

    start: Signal
    running: Signal
    progress: Any
    outcome: Any
    winner: Signal
    window: Any

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "start": In(1),
                "running": In(1),
                "progress": In(ProgressSignature(spec)),
                "outcome": In(OutcomeSignature()),
                "winner": In(16),
                "window": In(WindowSignature(spec.memory_map["result"])),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        periods = Signal(32)
        last_change = Signal(32)
        slots = Signal(32)
        cycles = Signal(32)
        next_slot = Signal(32)
        m.d.comb += next_slot.eq(slots + 1)
        with m.If(self.running):
            m.d.sync += cycles.eq(cycles + 1)
        # Registered: cuts the path from the phase arithmetic, which tells last whether anything moved, to the enables
        # of all counters; they are read long after the run.
        slot_end = Signal()
        moved = Signal()
        period_end = Signal()
        m.d.sync += [
            slot_end.eq(self.progress.slot_end & ~self.start),
            moved.eq(self.progress.moved),
            period_end.eq(self.progress.period_end),
        ]
        with m.If(slot_end):
            m.d.sync += slots.eq(next_slot)
            with m.If(moved):
                m.d.sync += last_change.eq(next_slot)
            with m.If(period_end):
                m.d.sync += periods.eq(periods + 1)
        with m.If(self.start):
            m.d.sync += [periods.eq(0), last_change.eq(0), slots.eq(0), cycles.eq(0)]
        m.submodules.readout = readout = RecordReadout(self.spec.memory_map["result"])
        wiring.connect(m, wiring.flipped(self.window), readout.window)
        values = readout.values
        m.d.comb += [
            values.settled.eq(self.outcome.settled),
            values.aborted.eq(self.outcome.aborted),
            values.winner.eq(self.winner),
            values.periods.eq(periods),
            values.last_change.eq(last_change),
            values.cycles.eq(cycles),
        ]
        return m
