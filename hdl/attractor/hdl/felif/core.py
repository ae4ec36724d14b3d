"""The spiking network core: one call runs a sequence of ticks."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import CoreSignature, connect_windows
from attractor.hdl.felif.control import RunControl
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
        watched = dict.fromkeys(("tick_ends", "leaves", "spikes"), Out(len(spec.layers)))
        super().__init__({"bus": In(CoreSignature(spec)), **watched})
        self.layers = [Layer(spec, index) for index in range(len(spec.layers))]
        self._scanner, self._control = InputScanner(spec), RunControl(spec)
        self._outputs, self._record = OutputReadout(spec), RunRecord(spec)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.scanner = self._scanner
        for index, layer in enumerate(self.layers):
            m.submodules[f"layer_{index}"] = layer
        m.submodules.outputs = self._outputs
        self._connect_windows(m)
        for below, above in zip((self._scanner, *self.layers), self.layers, strict=False):
            wiring.connect(m, below.o, above.i)
        updates = [layer.updates for layer in self.layers]
        wiring.connect(m, updates[-1], self._outputs.updates)
        m.d.sync += self.tick_ends.eq(Cat(update.done for update in updates))
        m.d.comb += [
            self.leaves.eq(Cat(update.valid for update in updates)),
            self.spikes.eq(Cat(update.valid & update.spikes for update in updates)),
        ]
        self._run(m)
        return m

    def _connect_windows(self, m: Module) -> None:
        windows = self.bus.windows
        for layer in self.layers:
            connect_windows(m, windows, layer.windows)
        for window, part in (
            (windows.frames, self._scanner),
            (windows.outputs, self._outputs),
            (windows.result, self._record),
        ):
            wiring.connect(m, wiring.flipped(window), part.window)
        for name, member in (("ticks", self._control.ticks), ("keep", self._control.keep)):
            m.submodules[name] = register = WindowRegister(self.spec.memory_map[name])
            wiring.connect(m, wiring.flipped(getattr(windows, name)), register.window)
            m.d.comb += member.eq(register.value)
        parameters = [getattr(windows, name) for layer in self.layers for name in layer.windows.signature.members]
        m.d.comb += self._control.written.eq(Cat(window.write for window in parameters).any())

    def _run(self, m: Module) -> None:
        """Connect what runs a call, and what reports about it."""
        m.submodules.control, m.submodules.record = control, record = self._control, self._record
        wiring.connect(m, control.scan, self._scanner.scan)
        wiring.connect(m, self._outputs.outcome, record.outcome)
        m.d.comb += [
            control.run.start.eq(self.bus.start),
            control.abort.eq(self.bus.abort),
            control.idle.eq(Cat(layer.idle for layer in self.layers).all()),
            self.bus.busy.eq(control.run.busy),
            self._outputs.start.eq(self.bus.start),
            record.start.eq(self.bus.start),
            record.running.eq(control.run.busy),
            record.spikes.eq(self.spikes),
            record.aborted.eq(control.scan.stopped),
        ]
        for layer in self.layers:
            m.d.comb += [layer.start.eq(self.bus.start), layer.fresh.eq(control.fresh)]
