"""The course of a call: the scanner gives all ticks, and the call ends when the last layer has nothing left to do."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.felif.signatures import ScanSignature
from attractor.hdl.ports import TaskSignature
from attractor.spec import FelifSpec

__all__ = ["RunControl"]


class RunControl(wiring.Component):
    """Starts the ticks of a call, and waits until they went through all layers.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    run: ``In(TaskSignature)``
        The call.
    abort: ``In(1)``
        End it after the tick that the scanner is in.
    ticks: ``In(16)``
        Ticks to run, from the window ``ticks``; more than the network can hold are run as these.
    keep: ``In(1)``
        From the window ``keep``: the neurons go on from where the last call ended.
    written: ``In(1)``
        Parameters were written by the link in this cycle: the next call begins anew, whatever ``keep`` says.
    scan: ``Out(ScanSignature)``
    idle: ``In(1)``
        No layer has anything left to do.
    fresh: ``Out(1)``
        The neurons begin with their first states.
    """

    run: Any
    abort: Signal
    ticks: Signal
    keep: Signal
    written: Signal
    scan: Any
    idle: Signal
    fresh: Signal

    def __init__(self, spec: FelifSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "run": In(TaskSignature()),
                **dict.fromkeys(("abort", "keep", "written", "idle"), In(1)),
                "ticks": In(spec.memory_map["ticks"].word_bits),
                "scan": Out(ScanSignature(spec)),
                "fresh": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        most = self.spec.ticks
        stale = Signal(init=1)
        stopping = Signal()
        running = Signal()
        # Registered, for the cycle after the last layer is done: in it the last output is written.
        quiet = Signal()
        with m.If(self.run.start):
            m.d.sync += [running.eq(1), stale.eq(0), stopping.eq(0), quiet.eq(0)]
        with m.Elif(running):
            m.d.sync += [quiet.eq(self.idle & ~self.scan.busy), running.eq(~quiet)]
            with m.If(self.abort):
                m.d.sync += stopping.eq(1)
        with m.If(self.written):
            m.d.sync += stale.eq(1)
        m.d.comb += [
            self.scan.start.eq(self.run.start),
            self.scan.stop.eq(stopping),
            self.scan.limit.eq(Mux(self.ticks > most, most, self.ticks)),
            self.run.busy.eq(running),
            self.fresh.eq(~self.keep | stale),
        ]
        return m
