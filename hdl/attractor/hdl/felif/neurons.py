"""The neurons of a layer: they share one datapath, and their states are in memory."""

from typing import Any

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Shape, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature, connect_windows, port_name
from attractor.hdl.felif.backlash import BacklashDatapath
from attractor.hdl.felif.datapath import Datapath
from attractor.hdl.felif.layout import NeuronState
from attractor.hdl.felif.microstep import MicroStepDatapath
from attractor.hdl.felif.pipeline import Stage, saturate
from attractor.hdl.felif.plain import PlainDatapath
from attractor.hdl.felif.signatures import TurnSignature, UpdateSignature
from attractor.hdl.windows import WindowMemory
from attractor.spec import FelifSpec
from attractor.spec.felif.layer import FELIF_A, FELIF_B, SUBSTEPS

__all__ = ["NeuronArray", "datapath_of"]

_DATAPATHS: dict[str, type[Datapath]] = {FELIF_A: BacklashDatapath, FELIF_B: MicroStepDatapath}
#: Cycles from a sum to its drive.
_DRIVE_LATENCY = 3


def datapath_of(kind: str) -> type[Datapath]:
    """Return the datapath of a kind of neurons."""
    return _DATAPATHS.get(kind, PlainDatapath)


class NeuronArray(wiring.Component):
    """Makes the new states of a layer's neurons from their weighted sums, one neuron a cycle.

    Sums come in the order of the neurons, with or without gaps. A FeLIF B layer first makes all drives and then visits
    its neurons :data:`~attractor.spec.felif.layer.SUBSTEPS` times, in laps no shorter than the datapath, so that a
    neuron has left it before it enters again. Results leave in the order of the neurons.

    Parameters
    ----------
    spec:
        The network.
    index:
        Number of the layer.

    Members
    -------
    turns: ``In(TurnSignature)``
    fresh: ``In(1)``
        The neurons begin with their first states. Constant while they are visited.
    windows: ``In(one WindowSignature for the neurons and each table)``
        Not to be used from the first sum to the last result.
    updates: ``Out(UpdateSignature)``
    """

    turns: Any
    fresh: Signal
    windows: Any
    updates: Any

    def __init__(self, spec: FelifSpec, index: int) -> None:
        self.layer = spec.layers[index]
        self._fields, *tables = spec.field_memories(index)
        self._datapath = datapath_of(self.layer.kind)(self.layer, tuple(tables))
        self._state = NeuronState(self.layer)
        #: Cycles of a lap, in which every neuron makes one step.
        self.lap = max(self.layer.neurons, self._datapath.latency + 2)
        windows = (self._fields.window, *(memory.window for memory in tables))
        super().__init__(
            {
                "turns": In(TurnSignature(spec, index)),
                "fresh": In(1),
                "windows": In(wiring.Signature({port_name(w): Out(WindowSignature(w)) for w in windows})),
                "updates": Out(UpdateSignature(self.layer)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        m.submodules.datapath = self._datapath
        connect_windows(m, self.windows, self._datapath.tables)
        m.submodules.fields = fields = WindowMemory(self._fields.window)
        wiring.connect(m, wiring.flipped(getattr(self.windows, port_name(self._fields.window))), fields.window)

        s = Stage(m, {"valid": self.turns.valid, "neuron": self.turns.neuron, "sum": self.turns.sum})
        m.d.comb += [fields.read.eq(s.valid), fields.address.eq(s.neuron)]
        s = s.next().beside(**{name: fields.word[name] for name in self._fields.names})
        s = s.next(scaled=(s.sum * s.scale) >> layer.scale_shift)
        asks = s
        s = s.next(drive=saturate(s.scaled + s.bias, layer.drive_bits))
        assert s.level == _DRIVE_LATENCY
        if layer.kind == FELIF_B:
            asks, s = self._laps(m, s, fields)
        else:
            s = s.beside(first=Const(1), last=Const(1))
        self._step(m, asks, s)
        return m

    def _laps(self, m: Module, drives: Stage, fields: WindowMemory) -> tuple[Stage, Stage]:
        """Keep the drives and then visit all neurons many times; return what asks for states, and what enters."""
        neurons = self.layer.neurons
        m.submodules.drives = storage = memory.Memory(
            shape=Shape(self.layer.drive_bits, signed=True), depth=neurons, init=[]
        )
        read, write = storage.read_port(), storage.write_port()
        running = Signal()
        lap = Signal(range(SUBSTEPS))
        place = Signal(range(self.lap))
        asks = Stage(
            m,
            {
                "valid": running & (place < neurons),
                "neuron": place[: len(self.turns.neuron)],
                "first": lap == 0,
                "last": lap == SUBSTEPS - 1,
            },
        )
        m.d.comb += [
            write.addr.eq(drives.neuron),
            write.data.eq(drives.drive),
            write.en.eq(drives.valid),
            read.addr.eq(asks.neuron),
            read.en.eq(asks.valid),
        ]
        with m.If(drives.valid & (drives.neuron == neurons - 1)):
            m.d.sync += running.eq(1)
        with m.If(running):
            m.d.comb += [fields.read.eq(asks.valid), fields.address.eq(asks.neuron)]
            m.d.sync += place.eq(place + 1)
            with m.If(place == self.lap - 1):
                m.d.sync += [place.eq(0), lap.eq(lap + 1)]
                with m.If(asks.last):
                    m.d.sync += running.eq(0)
        m.d.sync += Assert(~(running & (self.turns.valid | drives.valid)), "a sum comes while the neurons are visited")
        words = {name: fields.word[name] for name in self._fields.names}
        return asks, asks.next().beside(drive=read.data, **words)

    def _step(self, m: Module, asks: Stage, s: Stage) -> None:
        """Read the state of the neuron that enters a cycle later, send it through the datapath, and write it back."""
        layer, datapath, updates = self.layer, self._datapath, self.updates
        m.submodules.states = states = memory.Memory(shape=self._state, depth=layer.neurons, init=[])
        read, write = states.read_port(), states.write_port()
        first_state: dict[int | str, Any] = {"polarisation": -layer.polarisation_high} if layer.ferroelectric else {}
        work = datapath.i
        m.d.comb += [
            read.addr.eq(asks.neuron),
            read.en.eq(asks.valid),
            datapath.valid.eq(s.valid),
            work.state.eq(Mux(self.fresh & s.first, self._state.const(first_state).as_value(), read.data.as_value())),
            work.drive.eq(s.drive),
            work.fields.eq(Cat(getattr(s, name) for name in self._fields.names)),
            work.first.eq(s.first),
            work.last.eq(s.last),
        ]
        end = s.after(datapath.latency)
        m.d.comb += [
            write.addr.eq(end.neuron),
            write.en.eq(end.valid),
            write.data.eq(datapath.state),
            updates.valid.eq(end.valid & end.last),
            updates.neuron.eq(end.neuron),
            updates.spikes.eq(datapath.spikes),
            updates.voltage.eq(datapath.state.voltage),
            updates.done.eq(updates.valid & (end.neuron == layer.neurons - 1)),
        ]
        m.d.sync += Assert(~(read.en & write.en & (read.addr == write.addr)), "a state is read while it is written")
