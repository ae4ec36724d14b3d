"""Everything between the bytes on the line and a core."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.core import CoreSignature
from attractor.hdl.link.attention import AttentionDetector
from attractor.hdl.link.buffer import ReceiveBuffer
from attractor.hdl.link.counters import LineCounters
from attractor.hdl.link.decoder import CONSTANTS, DESCRIPTION, IDENTITY, FrameDecoder
from attractor.hdl.link.encoder import FrameEncoder
from attractor.hdl.link.executor import Executor
from attractor.hdl.link.rate import STEP_BITS, LineRate
from attractor.hdl.link.words import Words
from attractor.spec import Region, Spec
from attractor.spec.packing import packed_bytes
from attractor.spec.protocol import FULL_BUFFERS, PROTOCOL_VERSION, Buffers, Identity

__all__ = ["Link"]


class Link(wiring.Component):
    """Answers the requests of a host and drives a core::

        i -+-> ReceiveBuffer -> FrameDecoder -> Executor -> FrameEncoder -> o
           |                                     |  |
           +-> AttentionDetector ----------------+ Words -> windows of the core

    Bytes that come in while the buffer is full are lost and counted, one in 33 cycles. ``o`` may be held back as long
    as one likes; the link then stops when the ring of replies is full, and the buffer fills up.

    Parameters
    ----------
    spec:
        The network; it gives the memory map and the fingerprint.
    description:
        What :func:`~attractor.spec.protocol.encode_description` returns.
    rate:
        Rate of the line after a reset, as :func:`~attractor.spec.protocol.rate_step` returns it.
    fallback_cycles:
        Clock cycles after something came, without a good frame, after which the line goes back to this rate.
    buffers:
        Sizes of the receive buffer and the ring of replies.

    Members
    -------
    i: ``In(stream of 8 bits, always ready)``
        Bytes from the host.
    lost: ``In(1)``
        For one cycle: a byte was lost before it came here. Not together with a byte.
    o: ``Out(stream of 8 bits)``
        Bytes to the host.
    sending: ``In(1)``
        A byte that was taken from ``o`` has not left yet, in the cycle after it was taken already.
    rate: ``Out(19)``
        The rate of the line in both directions.
    core: ``Out(CoreSignature)``
    calling: ``Out(1)``
        A call is under way.
    parameters_valid: ``Out(1)``
        Parameters were committed; calls are taken.
    """

    i: stream.Interface
    lost: Signal
    o: stream.Interface
    sending: Signal
    rate: Signal
    core: Any
    calling: Signal
    parameters_valid: Signal

    def __init__(
        self,
        spec: Spec,
        description: bytes,
        *,
        rate: int,
        fallback_cycles: int,
        buffers: Buffers = FULL_BUFFERS,
    ) -> None:
        self.spec = spec
        self.description = description
        self.buffers = buffers
        self._rate = LineRate(rate, fallback_cycles)
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "lost": In(1),
                "o": Out(stream.Signature(8)),
                "sending": In(1),
                "rate": Out(STEP_BITS),
                "core": Out(CoreSignature(spec)),
                "calling": Out(1),
                "parameters_valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        outputs = self.spec.memory_map.region(Region.OUTPUT)
        output_bytes = packed_bytes(1, sum(window.words * window.word_bits for window in outputs))
        m.submodules.attention = attention = AttentionDetector()
        m.submodules.buffer = buffer = ReceiveBuffer(self.buffers.receive)
        m.submodules.decoder = decoder = FrameDecoder(self._constants())
        m.submodules.words = words = Words(self.spec.memory_map, len(self.description))
        m.submodules.executor = executor = Executor(decoder.frame.signature, words.words.signature.flip(), output_bytes)
        m.submodules.encoder = encoder = FrameEncoder(self.buffers.reply)
        m.submodules.counters = counters = LineCounters()
        m.submodules.rate = rate = self._rate
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        wiring.connect(m, buffer.o, decoder.i)
        wiring.connect(m, decoder.frame, executor.frame)
        wiring.connect(m, executor.words, words.words)
        wiring.connect(m, executor.reply, encoder.reply)
        wiring.connect(m, encoder.o, wiring.flipped(self.o))
        wiring.connect(m, words.windows, wiring.flipped(self.core.windows))
        m.d.comb += [
            attention.i.valid.eq(self.i.valid),
            attention.i.payload.eq(self.i.payload),
            executor.attention.eq(attention.seen),
            counters.events.eq(Cat(decoder.verified, decoder.damaged, buffer.overrun | self.lost)),
            counters.hold.eq(executor.counters_hold),
            counters.step.eq(executor.counters_step),
            executor.counters.eq(counters.bit),
            executor.counters_ready.eq(counters.ready),
            executor.line_idle.eq(encoder.reply.sent & ~encoder.o.valid & ~self.sending),
            words.description.eq(decoder.frame.data),
            rate.data.eq(decoder.frame.data),
            rate.take.eq(executor.rate_take),
            rate.heard.eq(self.i.valid | self.lost),
            rate.keep.eq(decoder.verified | executor.calling | self.sending),
            self.rate.eq(rate.step),
            self.core.start.eq(executor.start),
            self.core.abort.eq(executor.abort),
            executor.core_busy.eq(self.core.busy),
            self.calling.eq(executor.calling),
            self.parameters_valid.eq(executor.parameters_valid),
        ]
        return m

    def _constants(self) -> bytes:
        """Return what lies in memory behind a frame: the identity as far as it never changes, and the description."""
        identity = Identity(
            protocol=PROTOCOL_VERSION,
            fingerprint=self.spec.fingerprint,
            session=0,
            receive_buffer=self.buffers.receive,
            reply_buffer=self.buffers.reply,
            description_bytes=len(self.description),
            parameters_valid=False,
        )
        before = bytes(IDENTITY - CONSTANTS) + identity.pack()
        return before.ljust(DESCRIPTION - CONSTANTS, b"\0") + self.description
