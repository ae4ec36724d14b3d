"""The targets of a sparse core: each slot scans them, and those that change become visits."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.change_list import ChangeList
from attractor.hdl.noise import WORD_BITS
from attractor.hdl.oscillator.move import Placement
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.hdl.ports import ReadSignature
from attractor.hdl.sparse.lane_phases import LanePhases
from attractor.hdl.sparse.layouts import Visit, groups_of
from attractor.hdl.sparse.mover import VisitMover
from attractor.hdl.sparse.phase_scanner import PhaseScanner
from attractor.hdl.sparse.scanner import SideScanner
from attractor.hdl.sparse.sides import Sides
from attractor.spec.sparse import SparseSpec

__all__ = ["Targets", "effect_of"]


class Targets(wiring.Component):
    """Scans the targets group by group, lists those that change, and makes visits of them.

    Where phases are 0 or half a period, a listed target flips. Otherwise its phase is looked up and moved on the way.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    placed, placement: ``In(1)``, ``In(Placement)``
        An oscillator is placed for the first time; they come in rising order.
    scan, group: ``In(1)``, ``In(range(groups))``
        Scan a group.
    word: ``In(64)``
        The random word of this group.
    sums: ``In(lanes times accumulator_bits)``
        As :class:`~attractor.hdl.sparse.sums.Sums` gives them.
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
    visits: ``Out(stream of Visit)``
    moved: ``Out(1)``
        A target changes in this slot.
    idle: ``Out(1)``
        Nothing is inside.
    phases: ``Out(ReadSignature)``
        Only with full phases.
    """

    placed: Signal
    placement: Any
    scan: Signal
    group: Signal
    word: Signal
    sums: Signal
    schedule: Any
    progress: Any
    visits: stream.Interface
    moved: Signal
    idle: Signal
    phases: Any

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "placed": In(1),
                "placement": In(Placement(spec)),
                "scan": In(1),
                "group": In(range(groups_of(spec))),
                "word": In(WORD_BITS),
                "sums": In(spec.lanes * spec.accumulator_bits),
                "schedule": In(ScheduleSignature(spec)),
                "progress": In(ProgressSignature(spec)),
                "visits": Out(stream.Signature(Visit(spec))),
                "moved": Out(1),
                "idle": Out(1),
            }
            | ({} if spec.binary else {"phases": Out(ReadSignature(spec.oscillators, spec.phase_bits))})
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.scanner = scanner = (SideScanner if spec.binary else PhaseScanner)(spec)
        m.submodules.side_memory = sides = Sides(spec)
        # All lanes are one chunk: a change leaves in each cycle, whatever groups they are in.
        m.submodules.changes = changes = ChangeList(groups_of(spec), spec.lanes, chunk_lanes=spec.lanes)
        wiring.connect(m, wiring.flipped(self.schedule), scanner.schedule)
        wiring.connect(m, wiring.flipped(self.progress), scanner.progress)
        wiring.connect(m, scanner.changes, changes.i)
        m.d.comb += [
            sides.placed.eq(self.placed),
            sides.placement.eq(self.placement),
            sides.read.eq(self.scan),
            sides.group.eq(self.group),
            sides.write.eq(scanner.write),
            sides.written_group.eq(scanner.written_group),
            sides.written.eq(scanner.written),
            scanner.issue.eq(self.scan),
            scanner.group.eq(self.group),
            scanner.word.eq(self.word),
            scanner.sums.eq(self.sums),
            scanner.sides.eq(sides.sides),
        ]
        if isinstance(scanner, SideScanner):
            self._flip(m, scanner, changes)
        else:
            self._move(m, scanner, changes)
        return m

    def _flip(self, m: Module, scanner: SideScanner, changes: ChangeList) -> None:
        """Visits say on which side a target now is."""
        change, visit = changes.o.payload, self.visits.payload
        m.d.comb += [
            self.visits.valid.eq(changes.o.valid),
            visit.source.eq(times_constant(change.group, self.spec.lanes) + change.lane + self.spec.inputs),
            visit.effect.up.eq(change.flag),
            changes.o.ready.eq(self.visits.ready),
            self.moved.eq(scanner.changes.valid & scanner.changes.payload.mask.any()),
            self.idle.eq(scanner.idle & changes.empty),
        ]

    def _move(self, m: Module, scanner: PhaseScanner, changes: ChangeList) -> None:
        """Visits say which phases a target had and has; the new one is kept for the scans of the slots after."""
        m.submodules.mover = mover = VisitMover(self.spec)
        m.submodules.lane_phases = lanes = LanePhases(self.spec)
        wiring.connect(m, wiring.flipped(self.schedule), mover.schedule)
        wiring.connect(m, wiring.flipped(self.progress), mover.progress)
        wiring.connect(m, changes.o, mover.i)
        wiring.connect(m, mover.o, wiring.flipped(self.visits))
        wiring.connect(m, mover.phases, wiring.flipped(self.phases))
        moves = mover.o.valid & self.visits.ready
        m.d.comb += [
            lanes.read.eq(self.scan),
            lanes.group.eq(self.group),
            # An input is placed where the first target will be.
            lanes.placed.eq(self.placed | moves),
            lanes.placed_group.eq(Mux(self.placed, self.placement.group, mover.moved.group)),
            lanes.lane.eq(Mux(self.placed, self.placement.lane, mover.moved.lane)),
            lanes.phase.eq(Mux(self.placed, self.placement.new, mover.o.payload.effect.new)),
            scanner.phases.eq(lanes.phases),
            self.moved.eq(moves),
            self.idle.eq(scanner.idle & changes.empty & mover.idle),
        ]


def effect_of(m: Module, spec: SparseSpec, placement: data.View, effect: data.View) -> None:
    """Say what the first visit of an oscillator means for the sums."""
    m.d.comb += effect.first.eq(1)
    if spec.binary:
        m.d.comb += effect.up.eq(~placement.new[-1])
    else:
        m.d.comb += [effect.new.eq(placement.new), effect.level.eq(placement.level), effect.low.eq(placement.low)]
