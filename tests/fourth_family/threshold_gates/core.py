"""The gates as gateware."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from attractor.hdl.arithmetic import count_ones
from attractor.hdl.core import CoreSignature
from attractor.hdl.synapse import IntegerSynapse
from attractor.hdl.weights import WeightStore
from attractor.hdl.windows import RecordReadout, WindowMemory
from threshold_gates.spec import ThresholdSpec

__all__ = ["ThresholdCore"]


class ThresholdCore(wiring.Component):
    """Adds up the weights of the inputs that are on, group by group: ``groups * (2 * inputs + 3)`` cycles a call.

    Members
    -------
    bus: ``In(CoreSignature(spec))``
        Parameters, inputs and outputs.
    """

    bus: Any

    def __init__(self, spec: ThresholdSpec) -> None:
        self.spec = spec
        self.weights = WeightStore(spec.weight_memory, IntegerSynapse(spec.weight_bits))
        self.thresholds = WeightStore(spec.threshold_memory, IntegerSynapse(spec.sum_bits))
        self.sample = WindowMemory(spec.memory_map["sample"])
        self.result = RecordReadout(spec.memory_map["result"])
        self.outputs = RecordReadout(spec.memory_map["outputs"])
        super().__init__({"bus": In(CoreSignature(spec))})

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002
        m = Module()
        spec, windows = self.spec, self.bus.windows
        for store in (self.weights, self.thresholds):
            m.submodules[store.layout.name] = store
            for name in store.windows.signature.members:
                wiring.connect(m, wiring.flipped(getattr(windows, name)), getattr(store.windows, name))
        for name in ("sample", "result", "outputs"):
            m.submodules[name] = part = getattr(self, name)
            wiring.connect(m, wiring.flipped(getattr(windows, name)), part.window)
        gates, cycles, stopping = Signal(spec.groups * spec.lanes), Signal(32), Signal()
        m.d.comb += [
            self.result.values.on.eq(count_ones(gates[: spec.gates])),
            self.result.values.cycles.eq(cycles),
            self.outputs.values.on.eq(gates[: spec.gates]),
        ]
        with m.If(self.bus.abort):
            m.d.sync += stopping.eq(1)
        with m.Elif(self.bus.start):
            m.d.sync += [cycles.eq(0), gates.eq(0), stopping.eq(0)]
        with m.If(self.bus.busy):
            m.d.sync += cycles.eq(cycles + 1)
        self._run(m, gates, stopping)
        return m

    def _run(self, m: Module, gates: Signal, stopping: Signal) -> None:
        """Go through the groups; each adds up its inputs, then compares with its thresholds."""
        spec, weights, thresholds, sample = self.spec, self.weights, self.thresholds, self.sample
        group, row, number = Signal(range(spec.groups)), Signal(range(weights.layout.words)), Signal(range(spec.inputs))
        sums = [Signal(signed(spec.sum_bits), name=f"sum_{lane}") for lane in range(spec.lanes)]
        aborted = self.result.values.aborted
        stopped = Signal()
        m.d.comb += [sample.address.eq(number >> 3), weights.row.eq(row), thresholds.row.eq(group), aborted.eq(stopped)]
        with m.FSM() as fsm:
            m.d.comb += self.bus.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"), m.If(self.bus.start):
                m.d.sync += [group.eq(0), stopped.eq(0)]
                m.next = "begin"
            with m.State("begin"):
                m.d.sync += [number.eq(0), row.eq(group), *(total.eq(0) for total in sums)]
                m.next = "read"
            with m.State("read"):
                m.d.comb += [sample.read.eq(1), weights.read.eq(1)]
                m.next = "add"
            with m.State("add"):
                with m.If(sample.word.bit_select(number[:3], 1)):
                    m.d.sync += [total.eq(total + weights.word[lane].as_signed()) for lane, total in enumerate(sums)]
                m.d.sync += [number.eq(number + 1), row.eq(row + spec.groups)]
                m.next = "read"
                with m.If(number == spec.inputs - 1):
                    m.next = "threshold"
            with m.State("threshold"):
                m.d.comb += thresholds.read.eq(1)
                m.next = "compare"
            with m.State("compare"):
                reached = [total >= thresholds.word[lane].as_signed() for lane, total in enumerate(sums)]
                m.d.sync += [gates.word_select(group, spec.lanes).eq(Cat(reached)), group.eq(group + 1)]
                m.next = "begin"
                with m.If(stopping | (group == spec.groups - 1)):
                    m.d.sync += stopped.eq(group != spec.groups - 1)
                    m.next = "idle"
