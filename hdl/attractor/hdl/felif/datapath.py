"""What the datapaths of all kinds of neurons share."""

from abc import abstractmethod
from typing import Any

from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature, port_name
from attractor.hdl.felif.layout import NeuronState
from attractor.hdl.felif.pipeline import Stage
from attractor.hdl.records import record_layout
from attractor.hdl.windows import WindowMemory, WindowRegister
from attractor.spec.felif.layer import FelifLayer
from attractor.spec.fields import FieldMemory

__all__ = ["Datapath", "Work"]


class Work(data.StructLayout):
    """What a datapath is given for a step of a neuron.

    Members
    -------
    state: :class:`NeuronState`
    drive: ``signed(drive_bits)``
    fields: all fields of the neuron's word
    first, last: ``1``
        The step is the first or the last one of its tick; both where a tick is one step.
    """

    def __init__(self, layer: FelifLayer) -> None:
        super().__init__(
            {
                "state": NeuronState(layer),
                "drive": Shape(layer.drive_bits, signed=True),
                "fields": record_layout(layer.record),
                "first": 1,
                "last": 1,
            }
        )


class Datapath(wiring.Component):
    """One step of a neuron, as :mod:`attractor.spec.felif.layer` defines it; a neuron may enter in every cycle.

    Products of two numbers that are not constant are multiplications: a DSP block where the device and its synthesis
    have one, otherwise look-up tables. Registers stand before and behind each.

    Parameters
    ----------
    layer:
        The layer.
    tables:
        Its tables.

    Attributes
    ----------
    latency: int
        Cycles from ``i`` to ``o``.

    Members
    -------
    valid, i: ``In(1)``, ``In(Work)``
    state: ``Out(NeuronState)``
    spikes: ``Out(1)``
        The neuron spikes; holds of the last step of a tick only.
    tables: ``In(one WindowSignature for each table)``
        Not to be used while a neuron is inside.
    """

    latency: int
    valid: Signal
    i: Any
    state: Any
    spikes: Signal
    tables: Any

    def __init__(self, layer: FelifLayer, tables: tuple[FieldMemory, ...]) -> None:
        self.layer = layer
        self._memories = tables
        windows = {port_name(memory.window): Out(WindowSignature(memory.window)) for memory in tables}
        super().__init__(
            {
                "valid": In(1),
                "i": In(Work(layer)),
                "state": Out(NeuronState(layer)),
                "spikes": Out(1),
                "tables": In(wiring.Signature(windows)),
            }
        )

    @abstractmethod
    def elaborate(self, platform: object) -> Module:
        """Build the pipeline, from :meth:`entrance` to :meth:`leave`."""

    def entrance(self, m: Module) -> Stage:
        """Return the first stage: everything of the neuron by its name, and ``valid``."""
        work = self.i
        values: dict[str, Any] = {field.name: work.fields[field.name] for field in self.layer.record}
        values |= {name: work.state[name] for name in NeuronState(self.layer).members}
        values |= {"drive": work.drive, "first": work.first, "last": work.last, "valid": self.valid}
        return Stage(m, values)

    def table(self, m: Module, name: str, read: Value, address: Value) -> Value:
        """Build a table; return its entry, a cycle after ``read``."""
        memory = next(memory for memory in self._memories if name in memory.names)
        table = WindowMemory(memory.window)
        m.submodules[name] = table
        wiring.connect(m, wiring.flipped(getattr(self.tables, port_name(memory.window))), table.window)
        m.d.comb += [table.read.eq(read), table.address.eq(address)]
        return table.word[name]

    def limits(self, m: Module) -> tuple[Value, Value]:
        """Return the reset voltage and the limit of FeLIF neurons: registers, since all neurons share them."""
        memory = next(memory for memory in self._memories if "reset" in memory.names)
        m.submodules.limits = register = WindowRegister(memory.window)
        wiring.connect(m, wiring.flipped(getattr(self.tables, port_name(memory.window))), register.window)
        return register.value.reset, register.value.limit

    def leave(self, m: Module, stage: Stage, spikes: Value, **changes: Value) -> None:
        """Connect what leaves at ``stage``: the state, with what is changed in this very cycle."""
        assert stage.level == self.latency, f"{type(self).__name__} takes {stage.level} cycles"
        for name in NeuronState(self.layer).members:
            m.d.comb += self.state[name].eq(changes[name] if name in changes else getattr(stage, name))
        m.d.comb += self.spikes.eq(spikes)
