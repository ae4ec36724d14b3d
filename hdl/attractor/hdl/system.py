"""A core and its link: everything of a design but the board."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link import Link, Receiver, Transmitter
from attractor.spec import Spec
from attractor.spec.description import described_map
from attractor.spec.protocol import (
    DEFAULT_BAUD,
    FALLBACK_SECONDS,
    FULL_BUFFERS,
    Buffers,
    encode_description,
    rate_step,
)

__all__ = ["System"]


class System(wiring.Component):
    """A core behind a serial line.

    Parameters
    ----------
    core:
        Component of ``spec`` with a member ``bus``, ``In(CoreSignature(spec))``.
    spec:
        The network.
    clock_hz:
        Frequency of the ``sync`` domain.
    baud:
        Bits in a second on the line, until the host asks for another rate.
    board:
        Name of the board, for the description.
    buffers:
        What its link keeps.

    Raises
    ------
    BaudError
        If the clock cannot make this rate.

    Members
    -------
    rx: ``In(1)``
        Serial line from the host, asynchronous.
    tx: ``Out(1)``
        Serial line to the host.
    busy: ``Out(1)``
        A call is under way.
    parameters_valid: ``Out(1)``
        Parameters were committed.
    activity: ``Out(1)``
        A byte is on the line, either way.
    """

    rx: Signal
    tx: Signal
    busy: Signal
    parameters_valid: Signal
    activity: Signal

    def __init__(
        self,
        core: wiring.Component,
        spec: Spec,
        *,
        clock_hz: int,
        baud: int = DEFAULT_BAUD,
        board: str,
        buffers: Buffers = FULL_BUFFERS,
    ) -> None:
        self.core: Any = core
        self.spec = spec
        self.rate = rate_step(clock_hz, baud)
        self.fallback_cycles = round(FALLBACK_SECONDS * clock_hz)
        self.buffers = buffers
        self.description = encode_description(
            {
                "spec": spec.to_dict(),
                "gateware": _gateware_version(),
                "board": board,
                "clock_hz": clock_hz,
                "baud": baud,
                "map": described_map(spec.memory_map),
            }
        )
        super().__init__(
            {
                "rx": In(1, init=1),  # pyright: ignore[reportCallIssue]
                "tx": Out(1, init=1),  # pyright: ignore[reportCallIssue]
                "busy": Out(1),
                "parameters_valid": Out(1),
                "activity": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = Receiver()
        m.submodules.link = link = Link(
            self.spec,
            self.description,
            rate=self.rate,
            fallback_cycles=self.fallback_cycles,
            buffers=self.buffers,
        )
        m.submodules.transmitter = transmitter = Transmitter()
        m.submodules.core = self.core
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        wiring.connect(m, link.core.windows, self.core.bus.windows)
        # Registered: cuts the paths from the link's decision, behind its frame memory and its comparison of checksums,
        # to every part of a core that may fill the device; costs one cycle at the start of a call and at an abort.
        start = Signal()
        m.d.sync += [start.eq(link.core.start), self.core.bus.abort.eq(link.core.abort)]
        m.d.comb += [self.core.bus.start.eq(start), link.core.busy.eq(start | self.core.bus.busy)]
        m.d.comb += [
            receiver.rx.eq(self.rx),
            receiver.step.eq(link.rate),
            transmitter.step.eq(link.rate),
            link.sending.eq(transmitter.busy),
            link.lost.eq(receiver.error),
            self.tx.eq(transmitter.tx),
            self.busy.eq(link.calling),
            self.parameters_valid.eq(link.parameters_valid),
            self.activity.eq(receiver.busy | transmitter.busy),
        ]
        return m


def _gateware_version() -> str:
    try:
        return version("attractor")
    except PackageNotFoundError:
        return "unknown"
