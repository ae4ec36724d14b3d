"""How long a call runs, and how far a phase may move."""

from typing import Any

from amaranth.hdl import Assert, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.records import record_layout
from attractor.hdl.windows import WindowRegister
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import SCHEDULE_ENTRY

__all__ = ["Schedule"]


class Schedule(wiring.Component):
    """Walks through the schedule table and watches for settling.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    window: ``In(WindowSignature)``
        The table.
    settle_window: ``In(WindowSignature)``
        Quiet periods after which a run stops; 0 for never.
    start: ``In(1)``
        Begin with the first entry.
    slot_end, moved, period_end: ``In(1)``
        A slot ends; a phase moved in it; it was the last of its period.
    busy: ``Out(1)``
        The next entry is being read, for two cycles after ``start`` or ``period_end``.
    over: ``Out(1)``
        The run has to stop. Meaningful while not ``busy``.
    settled: ``Out(1)``
        The last ``max(settle, 1)`` whole periods were quiet.
    max_step: ``Out(8)``
    noise, lock: ``Out(range(largest_amplitude + 1))``
    alternate: ``Out(1)``
        Of the present entry.
    """

    window: Any
    settle_window: Any
    start: Signal
    slot_end: Signal
    moved: Signal
    period_end: Signal
    busy: Signal
    over: Signal
    settled: Signal
    max_step: Signal
    noise: Signal
    lock: Signal
    alternate: Signal

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "window": In(WindowSignature(spec.memory_map["schedule"])),
                "settle_window": In(WindowSignature(spec.memory_map["settle"])),
                "start": In(1),
                "slot_end": In(1),
                "moved": In(1),
                "period_end": In(1),
                "busy": Out(1),
                "over": Out(1),
                "settled": Out(1),
                "max_step": Out(8),
                "noise": Out(range(spec.largest_amplitude + 1)),
                "lock": Out(range(spec.largest_amplitude + 1)),
                "alternate": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entries = self.spec.schedule_entries
        m.submodules.table = table = memory.Memory(shape=record_layout(SCHEDULE_ENTRY), depth=entries, init=[])
        read, write = table.read_port(), table.write_port()
        index, fetching, arriving = Signal(range(entries)), Signal(), Signal()
        m.d.comb += [
            read.addr.eq(Mux(self.window.read, self.window.address, index)),
            read.en.eq(self.window.read | fetching),
            self.window.read_data.eq(read.data),
            write.addr.eq(self.window.address),
            write.en.eq(self.window.write),
            write.data.eq(self.window.write_data),
            self.busy.eq(fetching | arriving),
        ]
        m.d.sync += Assert(~(read.en & write.en), "schedule read while written")

        periods, ended = Signal(16), Signal()
        m.d.sync += [fetching.eq(0), arriving.eq(fetching)]
        with m.If(self.start):
            m.d.sync += [index.eq(0), fetching.eq(1), ended.eq(0)]
        with m.Elif(arriving):
            m.d.sync += [periods.eq(read.data.periods), self.max_step.eq(read.data.max_step)]
            m.d.sync += [ended.eq(read.data.periods == 0), self.alternate.eq(read.data.alternate.any())]
            m.d.sync += [self.noise.eq(self._limited(read.data.noise)), self.lock.eq(self._limited(read.data.lock))]
        with m.Elif(self.period_end):
            m.d.sync += periods.eq(periods - 1)
            with m.If(periods == 1):
                m.d.sync += [index.eq(index + 1), fetching.eq(index != entries - 1), ended.eq(index == entries - 1)]

        quiet, still = Signal(16), Signal(init=1)
        m.submodules.settle = register = WindowRegister(self.spec.memory_map["settle"])
        wiring.connect(m, wiring.flipped(self.settle_window), register.window)
        settle = register.value.settle
        m.d.comb += [
            self.settled.eq((quiet >= settle) & (quiet != 0)),
            self.over.eq(ended | ((settle != 0) & self.settled)),
        ]
        with m.If(self.start):
            m.d.sync += [quiet.eq(0), still.eq(1)]
        with m.Elif(self.period_end):
            m.d.sync += still.eq(1)
            with m.If(~still | self.moved):
                m.d.sync += quiet.eq(0)
            with m.Elif(~quiet.all()):
                m.d.sync += quiet.eq(quiet + 1)
        with m.Elif(self.slot_end & self.moved):
            m.d.sync += still.eq(0)
        return m

    def _limited(self, amplitude: Value) -> Value:
        """Return an amplitude that no sum overflows with; the link does not check what it writes."""
        largest = self.spec.largest_amplitude
        return Mux(amplitude > largest, largest, amplitude)
