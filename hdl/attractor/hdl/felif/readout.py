"""What a network answers: the outputs of its last layer, the winner, and the numbers of the run."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Shape, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import count_ones
from attractor.hdl.core import WindowSignature
from attractor.hdl.felif.signatures import OutcomeSignature, UpdateSignature
from attractor.hdl.windows import RecordReadout
from attractor.spec import FelifSpec

__all__ = ["OutputReadout", "RunRecord"]


class OutputReadout(wiring.Component):
    """Keeps the output of each neuron of the last layer, and finds the greatest, the lowest neuron on ties.

    Everything holds a cycle after the last neuron of a tick was shown.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    start: ``In(1)``
        A call begins: count from 0.
    updates: ``In(UpdateSignature)``
        Of the last layer.
    outcome: ``Out(OutcomeSignature)``
    window: ``In(WindowSignature)``
        The outputs.
    """

    start: Signal
    updates: Any
    outcome: Any
    window: Any

    def __init__(self, spec: FelifSpec) -> None:
        self.spec = spec
        self.output = Shape(spec.output_bits, signed=not spec.layers[-1].spikes)
        super().__init__(
            {
                "start": In(1),
                "updates": In(UpdateSignature(spec.layers[-1])),
                "outcome": Out(OutcomeSignature(spec)),
                "window": In(WindowSignature(spec.memory_map["outputs"])),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.outputs = outputs = memory.Memory(shape=self.output, depth=self.spec.outputs, init=[])
        read, write = outputs.read_port(), outputs.write_port()
        update, outcome, counts = self.updates, self.outcome, self.spec.layers[-1].spikes
        valid = Signal()
        neuron = Signal.like(update.neuron)
        spikes = Signal()
        voltage = Signal.like(update.voltage)
        value = Signal(self.output)
        most = Signal(self.output)
        first = Signal()
        # The count of a neuron is read while the neuron comes; what else is known of it waits a cycle for the count.
        m.d.sync += [
            valid.eq(update.valid),
            neuron.eq(update.neuron),
            spikes.eq(update.spikes),
            voltage.eq(update.voltage),
            outcome.ticks.eq(Mux(self.start, 0, outcome.ticks + update.done)),
        ]
        with m.If(update.valid):
            m.d.sync += first.eq(outcome.ticks == 0)
        m.d.comb += [
            read.addr.eq(Mux(self.window.read, self.window.address, update.neuron)),
            read.en.eq(self.window.read | (update.valid if counts else 0)),
            self.window.read_data.eq(read.data),
            value.eq(Mux(first, 0, read.data) + spikes if counts else voltage),
            write.en.eq(valid),
            write.addr.eq(neuron),
            write.data.eq(value),
        ]
        with m.If(valid & ((neuron == 0) | (value > most))):
            m.d.sync += [most.eq(value), outcome.winner.eq(neuron)]
        m.d.sync += Assert(~(read.en & write.en & (read.addr == write.addr)), "an output is read while it is written")
        return m


class RunRecord(wiring.Component):
    """Counts a run, and shows the counts as the bytes of the window ``result``.

    Members
    -------
    start: ``In(1)``
        Forget the last run.
    running: ``In(1)``
        Count clock cycles.
    spikes: ``In(layers)``
        A neuron of a layer spikes.
    aborted: ``In(1)``
    outcome: ``In(OutcomeSignature)``
    window: ``In(WindowSignature)``
        The bytes.
    """

    start: Signal
    running: Signal
    spikes: Signal
    aborted: Signal
    outcome: Any
    window: Any

    def __init__(self, spec: FelifSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                **dict.fromkeys(("start", "running", "aborted"), In(1)),
                "spikes": In(len(spec.layers)),
                "outcome": In(OutcomeSignature(spec)),
                "window": In(WindowSignature(spec.memory_map["result"])),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cycles = Signal(32)
        spikes = Signal(32)
        with m.If(self.running):
            m.d.sync += cycles.eq(cycles + 1)
        m.d.sync += spikes.eq(spikes + count_ones(self.spikes))
        with m.If(self.start):
            m.d.sync += [cycles.eq(0), spikes.eq(0)]
        m.submodules.readout = readout = RecordReadout(self.spec.memory_map["result"])
        wiring.connect(m, wiring.flipped(self.window), readout.window)
        values = readout.values
        m.d.comb += [
            values.aborted.eq(self.aborted),
            values.winner.eq(self.outcome.winner),
            values.ticks.eq(self.outcome.ticks),
            values.spikes.eq(spikes),
            values.cycles.eq(cycles),
        ]
        return m
