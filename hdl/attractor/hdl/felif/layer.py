"""A layer: a crossbar, the neurons behind it, and the spikes that they send."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature, connect_windows, port_name
from attractor.hdl.crossbar import Crossbar
from attractor.hdl.felif.layout import FelifBank, Token
from attractor.hdl.felif.neurons import NeuronArray
from attractor.hdl.felif.sequencer import LayerSequencer
from attractor.hdl.felif.signatures import UpdateSignature
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
    updates: ``Out(UpdateSignature)``
    idle: ``Out(1)``
        Between two ticks, nothing comes from below, and all spikes were taken.
    """

    i: stream.Interface
    o: stream.Interface
    start: Signal
    fresh: Signal
    windows: Any
    updates: Any
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
                "updates": Out(UpdateSignature(self.layer)),
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
            banks=len(FelifBank),
            parts=spec.groups_of(index) > 1,
            fold_shift=0 if index == 0 and spec.input_bits > 1 else None,
        )
        m.submodules.sequencer = sequencer = LayerSequencer(spec, index, crossbar.operation)
        m.submodules.neurons = neurons
        connect_windows(m, self.windows, crossbar.weights)
        connect_windows(m, self.windows, neurons.windows)
        wiring.connect(m, wiring.flipped(self.i), sequencer.i)
        wiring.connect(m, sequencer.o, crossbar.i)
        wiring.connect(m, sequencer.turns, neurons.turns)
        wiring.connect(m, neurons.updates, wiring.flipped(self.updates))
        fresh = Signal()
        with m.If(self.start):
            m.d.sync += fresh.eq(self.fresh)
        with m.Elif(neurons.updates.done):
            m.d.sync += fresh.eq(0)
        m.d.comb += [
            neurons.fresh.eq(fresh),
            sequencer.sums.eq(crossbar.neurons.beat.sums),
            sequencer.done.eq(neurons.updates.done),
            sequencer.clear.eq(self.start & self.fresh),
        ]
        self._send(m, sequencer)
        return m

    def _send(self, m: Module, sequencer: LayerSequencer) -> None:
        """Bring the spikes to the layer above, and to the layer itself."""
        room: Value = Const(1, 1)
        if not self.last:
            m.submodules.upward = upward = SpikeList(self.layer, ends=True)
            wiring.connect(m, self.neurons.updates, upward.updates)
            wiring.connect(m, upward.o, wiring.flipped(self.o))
            room = upward.empty
        m.d.comb += [sequencer.room.eq(room), self.idle.eq(sequencer.idle & room), sequencer.own_empty.eq(1)]
        if self.layer.recurrent:
            m.submodules.own = own = SpikeList(self.layer, ends=False)
            wiring.connect(m, self.neurons.updates, own.updates)
            wiring.connect(m, own.o, sequencer.own)
            m.d.comb += [own.clear.eq(self.start & self.fresh), sequencer.own_empty.eq(own.empty)]
