"""The frames that an executor is given: any ones in proofs, and some in a scenario."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Mux

from attractor.hdl.link.decoder import PAYLOAD
from attractor.hdl.link.request import CAPTURED
from attractor.hdl.link.words import WindowKind
from attractor.spec.protocol import REQUEST_HEADER, Command

from .harness import Harness

__all__ = ["WINDOW_BITS", "Host", "Request"]

#: Bits of the number of a window.
WINDOW_BITS = 3


class Request:
    """The frame that is there, whose first bytes are known by name.

    Attributes
    ----------
    number, command, window:
        Fields of the header, the window as far as it can be.
    wanted:
        Bytes of outputs that a CALL asks for.
    read:
        Address of the byte that is shown.
    ordered, is_call:
        It is a request that has its turn; and a CALL.
    """

    def __init__(self, h: Harness, dut: Any) -> None:
        frame = dut.frame
        self.content = content = h.free(8 * CAPTURED, "content")
        stays = h.past(frame.valid)
        h.assume(~stays | ((content == h.past(content)) & (frame.end == h.past(frame.end))))
        h.assume(frame.valid == (frame.valid & ~h.past(frame.release) | h.past(frame.valid & ~frame.release)))
        h.assume(frame.end >= PAYLOAD)
        self.read = h.past(frame.address)
        known = (self.read < CAPTURED) & stays
        h.drive(frame.data, Mux(known, content.word_select(self.read[:4], 8), h.free(8, "other_byte")))
        bytes_ = [content[8 * place : 8 * place + 8] for place in range(CAPTURED)]
        self.number, self.command = Cat(bytes_[1:3]), bytes_[3]
        self.window, self.wanted = bytes_[4][:WINDOW_BITS], Cat(bytes_[11:13])
        self.identifies, self.syncs = (self.command == command for command in (Command.IDENTIFY, Command.SYNC))
        self.is_call = self.command == Command.CALL
        self.ordered = ~(self.identifies | self.syncs)


class Host:
    """A scenario: frames that a host sends, good ones and such that must not be carried out."""

    def __init__(self, h: Harness, dut: Any, request: Request) -> None:
        self._h, self._dut, self._content = h, dut, request.content

    async def run(self, ctx: Any) -> None:
        for window, kind in enumerate(WindowKind):
            ctx.set(self._h.input(f"any_kind_of_window_{window}"), kind.value)
            ctx.set(self._h.input(f"any_words_of_window_{window}"), 1)
        dut, call = self._dut, bytes([0, 1, 0, 1, 0])
        for signal in (dut.reply.bits.ready, dut.reply.sent, dut.reply.kept, dut.line_idle, dut.counters_ready):
            ctx.set(signal, 1)
        ctx.set(dut.words.word_bits, 4)
        await self._send(ctx, 0x12FE, Command.IDENTIFY)
        await self._send(ctx, 0x12FF, Command.WRITE, 1, bytes(1))
        await self._send(ctx, 0x1300, Command.COMMIT, payload=bytes(4))
        # It runs; a copy of it; one comes too early.
        for number in (0x1301, 0x1301, 0x1303):
            await self._send(ctx, number, Command.CALL, 2, call)
        await self._attend(ctx)
        await self._send(ctx, 0x1302, Command.CALL, 2, call)
        await self._send(ctx, 0x12FE, Command.SYNC)
        await self._send(ctx, 0x1302, Command.CALL, 2, call)
        # No inputs are there; then parameters are not valid any more, and do not become so.
        await self._send(ctx, 0x1303, Command.CALL, 1, call)
        await self._send(ctx, 0x1304, Command.WRITE, 1, bytes(1))
        await self._send(ctx, 0x1305, Command.CALL, 2, call)
        await self._send(ctx, 0x1306, Command.COMMIT, payload=bytes([1, 0, 0, 0]))
        await self._send(ctx, 0x1307, Command.CALL, 2, call)

    async def _attend(self, ctx: Any) -> None:
        """Give the attention sign between two frames."""
        ctx.set(self._dut.attention, 1)
        await ctx.tick()
        ctx.set(self._dut.attention, 0)
        await ctx.tick()

    async def _send(self, ctx: Any, number: int, command: Command, window: int = 0, payload: bytes = b"") -> None:
        """Give a frame and play the core until it is released."""
        dut = self._dut
        content = bytes(1) + REQUEST_HEADER.pack(number, command, window, 0, 0) + payload
        ctx.set(self._content, int.from_bytes(content, "little"))
        ctx.set(dut.frame.end, len(content) + (command == Command.CALL))
        ctx.set(dut.frame.valid, 1)
        busy = 0
        for _ in range(1000):
            ctx.set(dut.words.exists, ctx.get(dut.words.window) < len(WindowKind))
            _, _, released, started = await ctx.tick().sample(dut.frame.release, dut.start)
            busy = 5 if started else max(0, busy - 1)
            ctx.set(dut.core_busy, busy > 0)
            if released:
                ctx.set(dut.frame.valid, 0)
                await ctx.tick()
                return
        raise RuntimeError(f"{command.name} {number:#x} is not done with")
