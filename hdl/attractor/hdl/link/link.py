"""Everything between the bytes on the line and a core."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import CoreSignature
from attractor.hdl.link.buffer import ReceiveBuffer
from attractor.hdl.link.decoder import FrameDecoder
from attractor.hdl.link.encoder import FrameEncoder
from attractor.hdl.link.executor import Executor
from attractor.hdl.link.words import Words
from attractor.spec import Spec
from attractor.spec.protocol import PROTOCOL_VERSION, RECEIVE_BUFFER_BYTES, Identity

__all__ = ["Link"]


class Link(wiring.Component):
    """Answers the requests of a host and drives a core::

        i -> ReceiveBuffer -> FrameDecoder -> Executor -> FrameEncoder -> o
                                                 |
                                               Words -> windows of the core

    Bytes that come in while the buffer is full are lost and counted; of those within a dozen cycles only one is counted
    while the count is being sent, so bytes should come no faster than that. ``o`` may be held back as long as one
    likes; the link then stops after at most two replies, and the buffer fills up.

    Parameters
    ----------
    spec:
        The network; it gives the memory map and the fingerprint.
    description:
        What :func:`~attractor.spec.protocol.encode_description` returns.

    Members
    -------
    i: ``In(stream of 8 bits, always ready)``
        Bytes from the host.
    lost: ``In(1)``
        For one cycle: a byte was lost before it came here. Not together with a byte.
    o: ``Out(stream of 8 bits)``
        Bytes to the host.
    core: ``Out(CoreSignature)``
    calling: ``Out(1)``
        A call is under way.
    parameters_valid: ``Out(1)``
        Parameters were committed; calls are taken.
    """

    i: stream.Interface
    lost: Signal
    o: stream.Interface
    core: Any
    calling: Signal
    parameters_valid: Signal

    def __init__(self, spec: Spec, description: bytes) -> None:
        self.spec = spec
        self.description = description
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "lost": In(1),
                "o": Out(stream.Signature(8)),
                "core": Out(CoreSignature(spec)),
                "calling": Out(1),
                "parameters_valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        identity = Identity(
            protocol=PROTOCOL_VERSION,
            fingerprint=self.spec.fingerprint,
            receive_buffer=RECEIVE_BUFFER_BYTES,
            description_bytes=len(self.description),
            parameters_valid=False,
        )
        m.submodules.buffer = buffer = ReceiveBuffer(RECEIVE_BUFFER_BYTES)
        m.submodules.decoder = decoder = FrameDecoder()
        m.submodules.words = words = Words(self.spec.memory_map, self.description)
        m.submodules.executor = executor = Executor(words.words.signature.flip(), identity)
        m.submodules.encoder = encoder = FrameEncoder()
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        wiring.connect(m, buffer.o, decoder.i)
        wiring.connect(m, decoder.frame, executor.frame)
        wiring.connect(m, executor.words, words.words)
        wiring.connect(m, executor.reply, encoder.reply)
        wiring.connect(m, encoder.o, wiring.flipped(self.o))
        wiring.connect(m, words.windows, wiring.flipped(self.core.windows))
        m.d.comb += [
            self.core.start.eq(executor.start),
            self.core.abort.eq(executor.abort),
            executor.core_busy.eq(self.core.busy),
            self.calling.eq(executor.calling),
            self.parameters_valid.eq(executor.parameters_valid),
        ]
        self._count(m, executor, decoder, buffer.overrun | self.lost)
        return m

    def _count(self, m: Module, executor: Executor, decoder: FrameDecoder, lost: Value) -> None:
        frames, damaged, overruns = Signal(32), Signal(32), Signal(32)
        # Frames end only between requests, but a byte may be lost while the number of lost ones is being sent.
        pending = Signal()
        m.d.sync += [frames.eq(frames + decoder.verified), damaged.eq(damaged + decoder.damaged)]
        with m.If(executor.reporting):
            m.d.sync += pending.eq(pending | lost)
        with m.Else():
            m.d.sync += [overruns.eq(overruns + (pending | lost)), pending.eq(pending & lost)]
        m.d.comb += executor.counters.eq(Cat(frames, damaged, overruns))
