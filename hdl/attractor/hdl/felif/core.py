"""The spiking network core: one call runs a sequence of ticks."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import CoreSignature
from attractor.hdl.felif.layer import Layer
from attractor.hdl.felif.readout import OutputReadout, RunRecord
from attractor.hdl.felif.scanner import InputScanner
from attractor.hdl.windows import WindowRegister
from attractor.spec import FelifSpec

__all__ = ["FelifCore"]


class FelifCore(wiring.Component):
    """A spiking network: a chain of layers, each with its crossbar and its neurons on one datapath.

    ::

        frames -> scanner -> layer 0 -> layer 1 -> ... -> outputs

    Layers work at the same time, each in a tick of its own, so that a call takes as long as its slowest layer in every
    tick and the others once. With ``G`` groups, ``L`` lanes and ``N`` neurons a layer takes in a tick, in clock cycles:

    ============== ================================================================================================
    event          ``G``, and 2 if ``G`` is 1
    doubling       of layer 0, for each of the ``input_bits`` but one: ``2 G + 1`` and what it takes to read the frame
    neurons        ``N + G``, and ``2 N + G`` with a single lane
    datapath       17 for FeLIF A and 11 for plain neurons; ``63 max(N, 10) + N + 14`` for FeLIF B
    ============== ================================================================================================

    A frame is read while the neurons are still in the tick before.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    bus: ``In(CoreSignature(spec))``
        Parameters, inputs and outputs.
    tick_ends: ``Out(layers)``
        Layers in which a tick ended in the last cycle: until the layer visits its neurons again, its states in memory
        are what the golden model holds after that tick.
    leaves, spikes: ``Out(layers)``
        Layers in which a neuron has its new state, one after another in their order, and those in which it spikes.
    """

    bus: Any
    tick_ends: Signal
    leaves: Signal
    spikes: Signal

    def __init__(self, spec: FelifSpec) -> None:
        self.spec = spec
        self.layers = [Layer(spec, index) for index in range(len(spec.layers))]
        watched = dict.fromkeys(("tick_ends", "leaves", "spikes"), Out(len(spec.layers)))
        super().__init__({"bus": In(CoreSignature(spec)), **watched})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, windows = self.spec, self.bus.windows
        m.submodules.scanner = scanner = InputScanner(spec)
        wiring.connect(m, wiring.flipped(windows.frames), scanner.window)
        below: Any = scanner
        parameters = []
        for index, layer in enumerate(self.layers):
            m.submodules[f"layer_{index}"] = layer
            wiring.connect(m, below.o, layer.i)
            for name in layer.windows.signature.members:
                wiring.connect(m, wiring.flipped(getattr(windows, name)), getattr(layer.windows, name))
                parameters.append(getattr(windows, name).write)
            below = layer
        m.submodules.outputs = outputs = OutputReadout(spec)
        wiring.connect(m, wiring.flipped(windows.outputs), outputs.window)
        m.d.sync += self.tick_ends.eq(Cat(layer.done for layer in self.layers))
        m.d.comb += [
            self.leaves.eq(Cat(layer.valid for layer in self.layers)),
            self.spikes.eq(Cat(layer.valid & layer.spikes for layer in self.layers)),
            outputs.start.eq(self.bus.start),
            outputs.valid.eq(below.valid),
            outputs.neuron.eq(below.neuron),
            outputs.spikes.eq(below.spikes),
            outputs.voltage.eq(below.voltage),
            outputs.done.eq(below.done),
        ]
        self._run(m, scanner, outputs, Cat(parameters).any())
        return m

    def _run(self, m: Module, scanner: InputScanner, outputs: OutputReadout, written: Value) -> None:
        """Run a call: the scanner gives all ticks, and the call ends when the last layer has nothing left to do."""
        spec, windows = self.spec, self.bus.windows
        stale, stopping, running = Signal(init=1), Signal(), Signal()
        m.submodules.ticks = ticks_register = WindowRegister(spec.memory_map["ticks"])
        m.submodules.keep = keep_register = WindowRegister(spec.memory_map["keep"])
        wiring.connect(m, wiring.flipped(windows.ticks), ticks_register.window)
        wiring.connect(m, wiring.flipped(windows.keep), keep_register.window)
        ticks, keep = ticks_register.value.ticks, keep_register.value.keep
        idle = Cat(layer.idle for layer in self.layers).all() & ~scanner.busy
        # The last output is written a cycle after the last layer is done.
        quiet = Signal()
        with m.If(self.bus.start):
            m.d.sync += [running.eq(1), stale.eq(0), stopping.eq(0), quiet.eq(0)]
        with m.Elif(running):
            m.d.sync += [quiet.eq(idle), running.eq(~quiet)]
            with m.If(self.bus.abort):
                m.d.sync += stopping.eq(1)
        with m.If(written):
            m.d.sync += stale.eq(1)
        m.submodules.record = record = RunRecord(spec)
        wiring.connect(m, wiring.flipped(windows.result), record.window)
        m.d.comb += [
            scanner.start.eq(self.bus.start),
            scanner.stop.eq(stopping),
            scanner.limit.eq(Mux(ticks > spec.ticks, spec.ticks, ticks)),
            self.bus.busy.eq(running),
            record.start.eq(self.bus.start),
            record.running.eq(running),
            record.spikes.eq(self.spikes),
            record.aborted.eq(scanner.stopped),
            record.winner.eq(outputs.winner),
            record.ticks.eq(outputs.ticks),
        ]
        for layer in self.layers:
            m.d.comb += [layer.start.eq(self.bus.start), layer.fresh.eq(~keep | stale)]
