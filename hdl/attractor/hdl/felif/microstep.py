"""FeLIF B as a pipeline: one sub-step."""

from amaranth.hdl import Module, Mux

from attractor.hdl.felif.datapath import Datapath
from attractor.hdl.felif.pipeline import at_most_one, clamp, entry, magnitude, toward_zero
from attractor.spec.felif.layer import FELIF_B, FIELD_ENTRIES, FIRST_BIN, LEAK_ENTRIES

__all__ = ["MicroStepDatapath"]


class MicroStepDatapath(Datapath):
    """FeLIF B, a sub-step; see :class:`~attractor.hdl.felif.datapath.Datapath`.

    A neuron that reached its threshold in a sub-step of the tick passes unchanged.
    """

    latency = 8

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        high, last_bin = layer.polarisation_high, FIELD_ENTRIES[FELIF_B] - 1
        reset, limit = self.limits(m)
        s = self.entrance(m)
        leak = self.table(m, "leak", s.valid, entry(s.voltage, layer.fraction_bits - 3, LEAK_ENTRIES))
        field = s.voltage - s.polarisation
        s = s.next(field=field, x=s.voltage + s.drive, frozen=s.reached & ~s.first).beside(leak=leak)
        number = ((magnitude(s.field) - (s.field_offset << 8)) >> 14) - FIRST_BIN
        # Where the field is 0 its bin is below the first, whatever the offset, and nothing moves.
        goal = Mux(s.field < 0, -high, high)
        s = s.next(bin=number, way=goal - s.polarisation, loss=(s.leak * s.leak_scale) >> 6)
        part = self.table(m, "field", s.valid, Mux(s.bin > last_bin, last_bin, s.bin[:6]))
        s = s.next(x=toward_zero(s.x, s.loss), still=s.bin < 0).beside(part=part)
        s = s.next(part=Mux(s.still, 0, at_most_one(s.part)))
        s = s.next(move=((s.way * s.part) >> 20)[: len(s.way)].as_signed())
        # No part is more than 1, so the polarisation never goes beyond its goal and needs no limit.
        moved = (s.polarisation + s.move)[: len(s.polarisation)].as_signed()
        s = s.next(charge=(s.move * s.coupling) >> 8, moved=moved)
        s = s.next(charged=clamp(s.x - s.charge, limit))
        # Neurons that spiked are reset in every sub-step, as what they do before the last one is overwritten anyway.
        s = s.next(
            voltage=Mux(s.spiked, reset, Mux(s.frozen, s.voltage, s.charged)),
            polarisation=Mux(s.spiked, -high, Mux(s.frozen, s.polarisation, s.moved))[
                : len(s.polarisation)
            ].as_signed(),
        )
        reached = s.voltage >= s.threshold
        self.leave(m, s, reached, reached=reached, spiked=Mux(s.last, reached, s.spiked))
        return m
