"""LIF neurons and read-outs as a pipeline."""

from amaranth.hdl import Const, Module, Mux, Value

from attractor.hdl.felif.datapath import Datapath
from attractor.hdl.felif.pipeline import Stage, at_most_one, magnitude, saturate, with_sign
from attractor.spec.felif.layer import LIF

__all__ = ["PlainDatapath"]


class PlainDatapath(Datapath):
    """LIF neurons and read-outs, a tick in one step; see :class:`~attractor.hdl.felif.datapath.Datapath`."""

    latency = 6

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer, bits = self.layer, self.layer.state_bits
        s = self.entrance(m)
        faded = {"voltage": "decay"} | ({"synapse": "synapse_decay"} if layer.synapse else {})
        s = s.next(**{f"{name}_size": magnitude(getattr(s, name)) for name in faded})
        s = s.next(
            **{
                f"{name}_size": (getattr(s, f"{name}_size") * at_most_one(getattr(s, decay))) >> 15
                for name, decay in faded.items()
            }
        )
        current = s.drive
        if layer.synapse:
            current = saturate(with_sign(s.synapse_size, s.synapse[-1]) + s.drive, bits)
        s = s.next(current=current)
        s = s.next(voltage=saturate(with_sign(s.voltage_size, s.voltage[-1]) + s.current, bits))
        spikes: Value = Const(0, 1)
        if layer.kind == LIF:
            spikes = s.voltage > s.threshold if layer.strict else s.voltage >= s.threshold
        s = s.next(spikes=spikes)
        s = s.next(voltage=self._reset(s))
        self.leave(m, s, s.spikes, **({"synapse": s.current} if layer.synapse else {}))
        return m

    def _reset(self, s: Stage) -> Value:
        """Return what the voltage becomes."""
        if self.layer.kind != LIF:
            return s.voltage
        match self.layer.reset:
            case "zero":
                after: Value = Const(0)
            case "value":
                after = s.reset
            case _:
                after = saturate(s.voltage - s.threshold, self.layer.state_bits)
        return Mux(s.spikes, after, s.voltage)
