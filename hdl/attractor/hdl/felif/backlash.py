"""FeLIF A as a pipeline."""

from amaranth.hdl import Module, Mux

from attractor.hdl.felif.datapath import Datapath
from attractor.hdl.felif.pipeline import bit_length, clamp, entry, magnitude, toward_zero, with_sign
from attractor.spec.felif.layer import FELIF_A, FIELD_ENTRIES, LEAK_ENTRIES

__all__ = ["BacklashDatapath"]


class BacklashDatapath(Datapath):
    """FeLIF A, a tick in one step; see :class:`~attractor.hdl.felif.datapath.Datapath`."""

    latency = 12

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        high, longest = layer.polarisation_high, FIELD_ENTRIES[FELIF_A] - 1
        reset, limit = self.limits(m)
        s = self.entrance(m)
        leak = self.table(m, "leak", s.valid, entry(s.voltage, layer.fraction_bits - 3, LEAK_ENTRIES))
        s = s.next(x=s.voltage + s.drive).beside(leak=leak)
        s = s.next(loss=(s.leak * s.leak_scale) >> 6)
        s = s.next(x=toward_zero(s.x, s.loss))
        s = s.next(push=magnitude(s.x - s.voltage), y=s.x - s.polarisation)
        field = self.table(m, "field", s.valid, bit_length(s.push, longest))
        s = s.next().beside(field=field)
        s = s.next(edge=s.field + s.field_offset)
        s = s.next(above=s.y - s.edge, below=-s.y - s.edge)
        # An edge below 0 lets both be greater than 0; then the polarisation rises.
        rises = s.above > 0
        excess = Mux(rises, s.above, Mux(s.below > 0, s.below, 0))[: len(s.above) - 1]
        s = s.next(falls=~rises, excess=excess)
        s = s.next(move=(s.excess * s.inverse) >> 16)
        goal = s.polarisation + with_sign(s.move, s.falls)
        goal = Mux(goal > high, high, Mux(goal < -high, -high, goal))[: len(s.polarisation)].as_signed()
        s = s.next(goal=goal, move=goal - s.polarisation)
        s = s.next(charge=(s.move * s.coupling) >> 8)
        voltage = Mux(s.spiked, reset, clamp(s.x - s.charge, limit))
        s = s.next(voltage=voltage, polarisation=Mux(s.spiked, -high, s.goal)[: len(s.polarisation)].as_signed())
        spikes = s.voltage >= s.threshold
        self.leave(m, s, spikes, spiked=spikes)
        return m
