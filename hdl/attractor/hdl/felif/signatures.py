"""The bundles of signals by which the parts of a spiking core are connected."""

from amaranth.hdl import Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec import FelifLayer, FelifSpec

__all__ = ["OutcomeSignature", "ScanSignature", "TurnSignature", "UpdateSignature"]


class ScanSignature(wiring.Signature):
    """The inputs of a call, seen from the part that asks for them.

    Members
    -------
    start: ``Out(1)``
        Begin with the first tick. Only while not ``busy``.
    stop: ``Out(1)``
        The tick under way is the last one.
    limit: ``Out(range(ticks + 1))``
        Ticks to give; 0 stands for 1.
    busy: ``In(1)``
        Not all events were taken.
    stopped: ``In(1)``
        There were fewer ticks than asked for.
    """

    def __init__(self, spec: FelifSpec) -> None:
        limit = Out(range(spec.ticks + 1))
        super().__init__({"start": Out(1), "stop": Out(1), "limit": limit, "busy": In(1), "stopped": In(1)})


class TurnSignature(wiring.Signature):
    """Neurons of a layer, one after another in their order, and what they are given in a tick.

    Members
    -------
    valid: ``Out(1)``
        It is the turn of a neuron; it cannot be held back.
    neuron: ``Out(range(neurons))``
    sum: ``Out(signed(sum_bits))``
        Its weighted sum.
    """

    def __init__(self, spec: FelifSpec, index: int) -> None:
        total = Shape(spec.sum_bits(index), signed=True)
        super().__init__({"valid": Out(1), "neuron": Out(range(spec.layers[index].neurons)), "sum": Out(total)})


class UpdateSignature(wiring.Signature):
    """Neurons of a layer, one after another in their order, and what they are at the end of a tick.

    Members
    -------
    valid: ``Out(1)``
        A neuron has its new state, which is in memory from the next cycle on; it cannot be held back.
    neuron: ``Out(range(neurons))``
    spikes: ``Out(1)``
        It spikes.
    voltage: ``Out(signed(state_bits))``
    done: ``Out(1)``
        It is the last neuron of the layer; only while ``valid``.
    """

    def __init__(self, layer: FelifLayer) -> None:
        voltage = Shape(layer.state_bits, signed=True)
        flags = dict.fromkeys(("valid", "spikes", "done"), Out(1))
        super().__init__({**flags, "neuron": Out(range(layer.neurons)), "voltage": Out(voltage)})


class OutcomeSignature(wiring.Signature):
    """What the last layer has done in a call.

    Members
    -------
    winner: ``Out(range(outputs))``
        The neuron with the greatest output, the lowest one on ties.
    ticks: ``Out(32)``
        Ticks that the layer ended.
    """

    def __init__(self, spec: FelifSpec) -> None:
        super().__init__({"winner": Out(range(spec.outputs)), "ticks": Out(32)})
