"""How long a call runs, and how far a phase may move."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import WindowSignature
from attractor.hdl.noise import mask_kinds
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.hdl.windows import WindowMemory, WindowRegister
from attractor.spec import OscillatorSpec

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
    progress: ``In(ProgressSignature)``
    now: ``Out(ScheduleSignature)``
        Busy for two cycles after ``start`` or the end of the last period of an entry.
    """

    window: Any
    settle_window: Any
    start: Signal
    progress: Any
    now: Any

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "window": In(WindowSignature(spec.memory_map["schedule"])),
                "settle_window": In(WindowSignature(spec.memory_map["settle"])),
                "start": In(1),
                "progress": In(ProgressSignature(spec)),
                "now": Out(ScheduleSignature(spec)),
            }
        )
        # The table is at its end.
        self._ended = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._walk(m)
        self._watch(m)
        return m

    def _walk(self, m: Module) -> None:
        """Read an entry at the start, and the next one when the periods of the one before are over."""
        last, now = self.spec.schedule_entries - 1, self.now
        m.submodules.table = table = WindowMemory(self.spec.memory_map["schedule"])
        wiring.connect(m, wiring.flipped(self.window), table.window)
        entry: Any = table.word
        index = Signal(range(last + 1))
        fetching = Signal()
        arriving = Signal()
        periods = Signal(16)
        m.d.comb += [table.address.eq(index), table.read.eq(fetching), now.busy.eq(fetching | arriving)]
        m.d.sync += [fetching.eq(0), arriving.eq(fetching)]
        with m.If(self.start):
            m.d.sync += [index.eq(0), fetching.eq(1), self._ended.eq(0)]
        with m.Elif(arriving):
            m.d.sync += [
                periods.eq(entry.periods),
                self._ended.eq(entry.periods == 0),
                now.max_step.eq(entry.max_step),
                now.noise.eq(self._limited(entry.noise)),
                now.lock.eq(self._limited(entry.lock)),
                now.alternate.eq(entry.alternate.any()),
            ]
            if self.spec.flips:
                m.d.sync += now.flips.eq(entry.flips != 0)
                m.d.sync += [now.mask_kinds[mask].eq(kind) for mask, kind in enumerate(mask_kinds(entry.flips))]
                with m.If(entry.flips != 0):
                    # A flip goes all the way, whatever the entry says.
                    m.d.sync += now.max_step.eq(self.spec.period // 2)
        with m.Elif(self.progress.period_end):
            m.d.sync += periods.eq(periods - 1)
            with m.If(periods == 1):
                m.d.sync += [index.eq(index + 1), fetching.eq(index != last), self._ended.eq(index == last)]

    def _watch(self, m: Module) -> None:
        """Count the quiet periods, and tell whether they are enough."""
        m.submodules.settle = register = WindowRegister(self.spec.memory_map["settle"])
        wiring.connect(m, wiring.flipped(self.settle_window), register.window)
        settle = register.value.settle
        # Whole periods without a move until now; none moved in this period so far.
        quiet = Signal(16)
        still = Signal(init=1)
        m.d.comb += [
            self.now.settled.eq((quiet >= settle) & (quiet != 0)),
            self.now.over.eq(self._ended | ((settle != 0) & self.now.settled)),
        ]
        with m.If(self.start):
            m.d.sync += [quiet.eq(0), still.eq(1)]
        with m.Elif(self.progress.period_end):
            m.d.sync += still.eq(1)
            with m.If(~still | self.progress.moved):
                m.d.sync += quiet.eq(0)
            with m.Elif(~quiet.all()):
                m.d.sync += quiet.eq(quiet + 1)
        with m.Elif(self.progress.slot_end & self.progress.moved):
            m.d.sync += still.eq(0)

    def _limited(self, amplitude: Value) -> Value:
        """Return an amplitude that no sum overflows with; the link does not check what it writes."""
        largest = self.spec.largest_amplitude
        return Mux(amplitude > largest, largest, amplitude)
