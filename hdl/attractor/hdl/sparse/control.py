"""The course of a run: clear, load, then slot after slot until the schedule is over."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.oscillator.signatures import OutcomeSignature, ProgressSignature, ScheduleSignature
from attractor.hdl.ports import TaskSignature
from attractor.hdl.sparse.layouts import groups_of
from attractor.spec.sparse import SparseSpec

__all__ = ["RunControl"]


class RunControl(wiring.Component):
    """State machine of a run.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    run: ``In(TaskSignature)``
        The call.
    abort: ``In(1)``
        End it after the slot under way.
    schedule: ``In(ScheduleSignature)``
    progress: ``Out(ProgressSignature)``
    outcome: ``Out(OutcomeSignature)``
    clear, scan: ``Out(1)``
        Clear, or scan, a group.
    group: ``Out(range(groups))``
        This one.
    load: ``Out(TaskSignature)``
        Place all oscillators.
    moves: ``In(1)``
        The phase of a target changes in this slot.
    moving: ``In(1)``
        Changes of this slot are still being worked on, or may yet be found.
    read_out: ``Out(TaskSignature)``
        Find the winner.
    """

    run: Any
    abort: Signal
    schedule: Any
    progress: Any
    outcome: Any
    clear: Signal
    scan: Signal
    group: Signal
    load: Any
    moves: Signal
    moving: Signal
    read_out: Any

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "run": In(TaskSignature()),
                "abort": In(1),
                "schedule": In(ScheduleSignature(spec)),
                "progress": Out(ProgressSignature(spec)),
                "outcome": Out(OutcomeSignature()),
                "clear": Out(1),
                "scan": Out(1),
                "group": Out(range(groups_of(spec))),
                "load": Out(TaskSignature()),
                "moves": In(1),
                "moving": In(1),
                "read_out": Out(TaskSignature()),
            }
        )
        # An abort is wanted; the last group is being cleared, or scanned.
        self._stopping = Signal()
        self._last = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        progress = self.progress
        m.d.comb += [self._last.eq(self.group == self.spec.groups - 1), self.outcome.settled.eq(self.schedule.settled)]
        with m.If(self.clear | self.scan):
            m.d.sync += self.group.eq(self.group + 1)
            with m.If(self._last):
                m.d.sync += self.group.eq(0)
        with m.If(self.abort):
            m.d.sync += self._stopping.eq(1)
        with m.If(progress.slot_end):
            m.d.sync += progress.moved.eq(0)
        with m.Elif(self.moves):
            m.d.sync += progress.moved.eq(1)
        with m.FSM() as fsm:
            m.d.comb += self.run.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.run.start):
                m.d.sync += [progress.slot.eq(0), progress.odd_period.eq(0)]
                m.d.sync += [self._stopping.eq(0), self.outcome.aborted.eq(0)]
                m.next = "clear"
            self._begin(m)
            self._run(m)
            with m.State("read out"), m.If(~self.read_out.busy):
                m.next = "idle"
        return m

    def _begin(self, m: Module) -> None:
        """Set the sums to 0, and place all oscillators."""
        with m.State("clear"):
            m.d.comb += self.clear.eq(1)
            with m.If(self._last):
                m.d.comb += self.load.start.eq(1)
                m.next = "load"
        with m.State("load"), m.If(~self.load.busy & ~self.schedule.busy):
            m.next = "period"

    def _run(self, m: Module) -> None:
        """Go through the slots: scan all groups, and wait until all that changes is in the sums."""
        progress, schedule = self.progress, self.schedule
        with m.State("period"):
            with m.If(self._stopping | (schedule.over & ~schedule.busy)):
                m.d.sync += self.outcome.aborted.eq(self._stopping)
                m.d.comb += self.read_out.start.eq(1)
                m.next = "read out"
            with m.Elif(~schedule.busy):
                m.next = "scan"
        with m.State("scan"):
            m.d.comb += self.scan.eq(1)
            with m.If(self._last):
                m.next = "move"
        with m.State("move"), m.If(~self.moving):
            m.d.comb += [progress.slot_end.eq(1), progress.period_end.eq(progress.slot.all())]
            m.d.sync += progress.slot.eq(progress.slot + 1)
            m.d.sync += progress.odd_period.eq(progress.odd_period ^ progress.period_end)
            m.next = "scan"
            with m.If(progress.period_end | self._stopping):
                m.next = "period"
