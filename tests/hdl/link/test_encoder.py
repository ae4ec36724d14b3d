# amaranth: UnusedElaboratable=no
from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from amaranth.hdl import Signal
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link.encoder import FrameEncoder
from attractor.spec import PAYLOAD_BYTES
from attractor.spec.protocol import CRC32, NUMBERS, Reply

from .streams import Pin, simulate, take, wait_for, wait_until

#: Zeros and the bytes that COBS treats apart are frequent.
payloads = st.lists(st.one_of(st.sampled_from([0, 0, 1, 2, 254, 255]), st.integers(0, 255)), max_size=240).map(bytes)


class Writer:
    """Whoever writes replies, in one simulation."""

    def __init__(self, ctx: Any, encoder: FrameEncoder, rng: random.Random, stall: float) -> None:
        self.ctx = ctx
        self.reply = encoder.reply
        self.random = rng
        self.stall = stall
        self.valid, self.payload = Pin(ctx, self.reply.bits.valid), Pin(ctx, self.reply.bits.payload)

    async def write(self, frame: bytes) -> None:
        """Write the frame whose bytes on the line are given."""
        body = cobs.decode(frame[:-1])[2 : -CRC32.size]
        ctx, reply = self.ctx, self.reply
        ctx.set(reply.begin, 1)
        await wait_for(ctx, reply.bits.ready, 20_000)
        ctx.set(reply.begin, 0)
        for number, byte in enumerate(body):
            assert ctx.get(reply.full) == (number == PAYLOAD_BYTES + 1)
            for place in range(8):
                while self.random.random() < self.stall:
                    self.valid.set(0)
                    await ctx.tick()
                self.payload.set(byte >> place & 1)
                self.valid.set(1)
                await ctx.tick()
        self.valid.set(0)
        ctx.set(reply.finish, 1)
        await ctx.tick()
        ctx.set(reply.finish, 0)

    async def kept(self, position: int) -> bool:
        """Tell the encoder a position and return whether it is kept."""
        await self._position(self.reply.compare, position)
        return bool(self.ctx.get(self.reply.kept))

    async def seek(self, position: int) -> None:
        await self._position(self.reply.seek, position)

    async def sent(self) -> None:
        if not self.ctx.get(self.reply.sent):
            async for _ in self.ctx.tick():
                if self.ctx.get(self.reply.sent):
                    break

    async def _position(self, strobe: Any, position: int) -> None:
        ctx = self.ctx
        ctx.set(strobe, 1)
        for place in range(16):
            self.payload.set(position >> place & 1)
            await ctx.tick()
        ctx.set(strobe, 0)


def wire_of(contents: list[tuple[int, int, bytes]], start: int = 0) -> list[bytes]:
    """Return the frames of replies one after another."""
    frames, position = [], start
    for command, status, payload in contents:
        frames.append(Reply(position, command, status, payload).encode())
        position = (position + len(frames[-1])) % NUMBERS
    return frames


@settings(max_examples=12, deadline=None)
@given(
    contents=st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255), payloads), min_size=1, max_size=5),
    stall=st.sampled_from([0.0, 0.4]),
    line_stall=st.sampled_from([0.0, 0.9]),
    seed=st.integers(0, 999),
)
def test_encoder_sends_what_the_protocol_says(
    contents: list[tuple[int, int, bytes]], stall: float, line_stall: float, seed: int
) -> None:
    encoder, sent, frames = FrameEncoder(512), list[int](), wire_of(contents)

    async def drive(ctx: Any) -> None:
        writer = Writer(ctx, encoder, random.Random(seed), stall)
        for frame in frames:
            await writer.write(frame)
        await wait_until(ctx, lambda: len(sent) >= sum(map(len, frames)), 20_000)

    async def collect(ctx: Any) -> None:
        await take(ctx, encoder.o, sent, random.Random(seed + 1), line_stall)

    simulate(encoder, drive, collect)
    assert bytes(sent) == b"".join(frames)


def test_replies_wait_for_room_and_no_longer() -> None:
    encoder, sent = FrameEncoder(512), list[int]()
    frames = wire_of([(1, 0, bytes([value]) * 240) for value in (1, 2, 3)])
    holding = True

    async def drive(ctx: Any) -> None:
        writer = Writer(ctx, encoder, random.Random(0), 0.0)
        await writer.write(frames[0])
        await ctx.tick().repeat(50)
        # There is room for this one, and none after it.
        await writer.write(frames[1])
        await ctx.tick().repeat(50)
        ctx.set(encoder.reply.begin, 1)
        for _ in range(300):
            assert not ctx.get(encoder.reply.bits.ready)
            await ctx.tick()
        ctx.set(encoder.reply.begin, 0)
        nonlocal holding
        holding = False
        await writer.write(frames[2])
        await wait_until(ctx, lambda: len(sent) >= sum(map(len, frames)), 3000)

    async def collect(ctx: Any) -> None:
        while True:
            ctx.set(encoder.o.ready, not holding)
            _, _, valid, ready, byte = await ctx.tick().sample(encoder.o.valid, encoder.o.ready, encoder.o.payload)
            if valid and ready:
                sent.append(byte)

    simulate(encoder, drive, collect)
    assert bytes(sent) == b"".join(frames)


def encoder_at(depth: int, position: int) -> FrameEncoder:
    """Return an encoder that has sent bytes up to ``position``, and more than it keeps if that is not 0."""
    encoder = FrameEncoder(depth)
    encoder._head = Signal(16, init=position)
    encoder._tail = Signal(len(encoder._tail), init=position % (2 * depth))
    encoder._wrapped = Signal(init=position > 0)
    return encoder


@pytest.mark.parametrize(("depth", "start"), [(512, 0), (512, NUMBERS - 900), (1024, NUMBERS - 1100)])
def test_any_position_that_is_kept_is_sent_again(depth: int, start: int) -> None:
    """Positions near the end, at the limits of what is kept and anywhere, also after the numbers began anew."""
    rng = random.Random(depth + start)
    encoder, sent, expected, history = encoder_at(depth, start), list[int](), bytearray(), bytearray()
    drawn: Counter[str] = Counter()

    async def drive(ctx: Any) -> None:
        writer = Writer(ctx, encoder, rng, 0.0)
        for _ in range(25):
            (frame,) = wire_of([(3, 0, rng.randbytes(rng.choice([0, 20, 70, 240])))], (start + len(history)) % NUMBERS)
            await writer.write(frame)
            await writer.sent()
            expected.extend(frame)
            history.extend(frame)
            position = (start + len(history)) % NUMBERS
            # What was sent before the start of the simulation cannot be compared.
            kept = depth if start else min(len(history), depth)
            for back in (0, 1, kept - 1, kept, kept + 1, -1, rng.randrange(kept + 1), rng.randrange(NUMBERS)):
                assert await writer.kept((position - back) % NUMBERS) == (0 <= back % NUMBERS <= kept)
                drawn["kept" if back % NUMBERS <= kept else "lost"] += 1
            back = min(rng.choice([0, kept, kept, rng.randrange(kept + 1)]), len(history))
            drawn["all kept" if back == depth else "part"] += 1
            await writer.seek((position - back) % NUMBERS)
            await writer.sent()
            expected.extend(history[len(history) - back :])
        await wait_until(ctx, lambda: len(sent) >= len(expected), 3000)

    async def collect(ctx: Any) -> None:
        await take(ctx, encoder.o, sent, rng, 0.0)

    simulate(encoder, drive, collect)
    assert bytes(sent) == bytes(expected)
    assert min(drawn[event] for event in ("kept", "lost", "all kept", "part")) > 2


@pytest.mark.parametrize("depth", [256, 600, 16384])
def test_ring_of_another_size_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"{depth} bytes"):
        FrameEncoder(depth)
