"""A layer: a crossbar, the neurons behind it, and the spikes that they send."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature, port_name
from attractor.hdl.crossbar import Crossbar
from attractor.hdl.felif.layout import Token
from attractor.hdl.felif.neurons import NeuronArray
from attractor.hdl.felif.sequencer import Bank, LayerSequencer
from attractor.hdl.felif.spikes import SpikeList
from attractor.hdl.synapse import IntegerSynapse
from attractor.hdl.weights import WeightStore
from attractor.spec import FelifSpec

__all__ = ["Layer"]


class Layer(wiring.Component):
    """Takes the events of a tick, updates its neurons, and gives out their spikes as the events of the layer above.

    Layers are a chain: while one updates its neurons in a tick, the one below may be in the next. A layer begins to
    update its neurons only when its spikes of the tick before were all taken.

    Parameters
    ----------
    spec:
        The network.
    index:
        Number of the layer.

    Members
    -------
    i: ``In(stream of Token)``
        From below.
    o: ``Out(stream of Token)``
        To the layer above; not of the last one.
    start, fresh: ``In(1)``
        A call begins; the neurons begin with their first states. Only while ``idle``.
    windows: ``In(one WindowSignature for each parameter window of the layer)``
        Only while ``idle``.
    valid, neuron, spikes, voltage: ``Out``
        A neuron at the end of a tick.
    done: ``Out(1)``
        It is the last one.
    idle: ``Out(1)``
        Between two ticks, nothing comes from below, and all spikes were taken.
    """

    i: stream.Interface
    o: stream.Interface
    start: Signal
    fresh: Signal
    windows: Any
    valid: Signal
    neuron: Signal
    spikes: Signal
    voltage: Signal
    done: Signal
    idle: Signal

    def __init__(self, spec: FelifSpec, index: int) -> None:
        self.spec, self.index, self.layer = spec, index, spec.layers[index]
        self.last = index == len(spec.layers) - 1
        self.neurons = NeuronArray(spec, index)
        memories = [*spec.weight_memory(index).windows, *(memory.window for memory in spec.field_memories(index))]
        super().__init__(
            {
                "i": In(stream.Signature(Token(spec.below(index)))),
                "o": Out(stream.Signature(Token(self.layer.neurons))),
                "start": In(1),
                "fresh": In(1),
                "windows": In(wiring.Signature({port_name(w): Out(WindowSignature(w)) for w in memories})),
                "valid": Out(1),
                "neuron": Out(range(self.layer.neurons)),
                "spikes": Out(1),
                "voltage": Out(self.neurons.o_voltage.shape()),
                "done": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, index, neurons = self.spec, self.index, self.neurons
        m.submodules.crossbar = crossbar = Crossbar(
            [WeightStore(spec.weight_memory(index), IntegerSynapse(self.layer.weight_bits))],
            groups=spec.groups_of(index),
            lanes=spec.lanes_of(index),
            sum_bits=spec.sum_bits(index),
            banks=len(Bank),
            parts=spec.groups_of(index) > 1,
            fold_shift=0 if index == 0 and spec.input_bits > 1 else None,
        )
        m.submodules.sequencer = sequencer = LayerSequencer(spec, index, crossbar.operation)
        m.submodules.neurons = neurons
        for part in (crossbar.weights, neurons.windows):
            for name in part.signature.members:
                wiring.connect(m, wiring.flipped(getattr(self.windows, name)), getattr(part, name))
        wiring.connect(m, sequencer.o, crossbar.i)
        wiring.connect(m, wiring.flipped(self.i), sequencer.i)
        fresh = Signal()
        with m.If(self.start):
            m.d.sync += fresh.eq(self.fresh)
        with m.Elif(neurons.done):
            m.d.sync += fresh.eq(0)
        m.d.comb += [
            neurons.valid.eq(sequencer.valid),
            neurons.neuron.eq(sequencer.neuron),
            neurons.sum.eq(sequencer.sum),
            neurons.fresh.eq(fresh),
            sequencer.sums.eq(crossbar.neurons.beat.sums),
            sequencer.done.eq(neurons.done),
            sequencer.clear.eq(self.start & self.fresh),
            self.valid.eq(neurons.o_valid),
            self.neuron.eq(neurons.o_neuron),
            self.spikes.eq(neurons.o_spikes),
            self.voltage.eq(neurons.o_voltage),
            self.done.eq(neurons.done),
        ]
        self._send(m, sequencer)
        return m

    def _send(self, m: Module, sequencer: LayerSequencer) -> None:
        """Bring the spikes to the layer above, and to the layer itself."""
        room: Value = Const(1, 1)
        load = self.valid & self.spikes
        if not self.last:
            m.submodules.upward = upward = SpikeList(self.layer.neurons)
            wiring.connect(m, upward.o, wiring.flipped(self.o))
            m.d.comb += [upward.load.eq(load), upward.neuron.eq(self.neuron), upward.close.eq(self.done)]
            room = upward.empty
        m.d.comb += [sequencer.room.eq(room), self.idle.eq(sequencer.idle & room), sequencer.own_empty.eq(1)]
        if self.layer.recurrent:
            m.submodules.own = own = SpikeList(self.layer.neurons)
            wiring.connect(m, own.o, sequencer.own)
            m.d.comb += [
                own.load.eq(load),
                own.neuron.eq(self.neuron),
                own.clear.eq(self.start & self.fresh),
                sequencer.own_empty.eq(own.empty),
            ]
