"""The neuron behind each accumulator: reference bits, own edges, and who has to move."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import one_hot
from attractor.hdl.crossbar import Beat, Kind
from attractor.spec import OscillatorSpec

#: Tags in the bank of the sum.
SUM_TAGS = data.StructLayout({"reference": 1, "clamp": 1})
#: Tags in the banks of the differences: the target's own edge is in this bank, and its phase is in the second half.
EDGE_TAGS = data.StructLayout({"present": 1, "late": 1})
TAG_BITS = 2


class Lanes(wiring.Component):
    """Combinational: watches the beats of the crossbar, gives the tags to write and the mask of targets to move.

    When the difference of a slot is folded into the sums, the sign of a sum is the target's new reference; a zero sum
    keeps the old one. A target has to move if its reference changed, it is not clamped, and its own edge of the same
    direction is not in this very slot already.

    Parameters
    ----------
    spec:
        The network.
    beat:
        Layout of the crossbar's beats.

    Members
    -------
    beat: ``In(Beat)``
    late_slot: ``In(1)``
        The slot lies in the second half of the period.
    tags: ``Out(lanes times 2)``
        :data:`SUM_TAGS` or :data:`EDGE_TAGS`, whichever the bank has.
    moving: ``Out(lanes)``
        Targets that have to move, if the beat is a fold.
    rising: ``Out(lanes)``
        New references.
    """

    beat: data.View
    late_slot: Signal
    tags: data.View
    moving: Signal
    rising: Signal

    def __init__(self, spec: OscillatorSpec, beat: Beat) -> None:
        self.spec = spec
        super().__init__(
            {
                "beat": In(beat),
                "late_slot": In(1),
                "tags": Out(data.ArrayLayout(TAG_BITS, spec.lanes)),
                "moving": Out(spec.lanes),
                "rising": Out(spec.lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, beat = self.spec, self.beat
        edge = beat.context
        folds = beat.kind == Kind.FOLD
        is_sum = beat.bank == spec.period // 2
        selected = Mux(edge.free & ~folds & (beat.group == edge.group), one_hot(edge.lane, spec.lanes), 0)
        starts = Signal(spec.lanes)
        turns = Signal(spec.lanes)
        m.d.comb += [
            starts.eq(Mux(is_sum & edge.first, selected, 0)),
            turns.eq(Mux(is_sum, 0, selected)),
        ]
        last_lanes = spec.targets - (spec.groups - 1) * spec.lanes
        for lane in range(spec.lanes):
            total: Value = beat.sums[lane]
            sum_tags = data.View(SUM_TAGS, beat.tags[lane])
            own_edge = data.View(EDGE_TAGS, beat.addend_tags[lane])
            rises = Mux(total == 0, sum_tags.reference, total >= 0)
            in_place = own_edge.present & (own_edge.late == (self.late_slot ^ ~rises))
            exists = 1 if lane < last_lanes else beat.group != spec.groups - 1
            m.d.comb += [
                self.rising[lane].eq(rises),
                self.moving[lane].eq((rises ^ sum_tags.reference) & ~sum_tags.clamp & ~in_place & exists),
            ]
            with m.If(folds):
                m.d.comb += self.tags[lane].eq(Cat(rises, sum_tags.clamp))
            with m.Elif(starts[lane]):
                m.d.comb += self.tags[lane].eq(Cat(edge.late, edge.clamp))
            with m.Elif(turns[lane]):
                m.d.comb += self.tags[lane].eq(Cat(edge.present, edge.late))
            with m.Else():
                m.d.comb += self.tags[lane].eq(beat.tags[lane])
        return m
