from __future__ import annotations

import random
from typing import Any

from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link.decoder import FrameDecoder
from attractor.hdl.link.encoder import FrameEncoder
from attractor.spec.protocol import FrameError, Reply, Request, crc16

from .streams import count, put, simulate, take, wait_for, wait_until

#: Zeros and the bytes that COBS treats apart are frequent.
payloads = st.lists(st.one_of(st.sampled_from([0, 0, 1, 2, 254, 255]), st.integers(0, 255)), max_size=240).map(bytes)
requests = st.builds(
    Request,
    st.integers(0, 0xFFFF),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 0xFFFFFF),
    st.one_of(payloads, st.binary(min_size=238, max_size=240)),
)


def decode(data: bytes, *, seed: int, stall: float = 0.0, slow: int = 0) -> tuple[list[bytes], int, int]:
    """Return the bodies of the frames that a decoder finds, and how many it calls verified and damaged."""
    decoder = FrameDecoder()
    bodies: list[bytes] = []
    verified: list[int] = []
    damaged: list[int] = []
    rng = random.Random(seed)

    async def drive(ctx: Any) -> None:
        await put(ctx, decoder.i, data, random.Random(seed + 1), stall)
        await ctx.tick().repeat(3)
        await wait_until(ctx, lambda: len(bodies) == len(verified), 2000)

    async def read(ctx: Any) -> None:
        frame = decoder.frame
        while True:
            while not ctx.get(frame.valid):
                await ctx.tick()
            for _ in range(rng.randrange(slow + 1)):
                await ctx.tick()
            body = []
            for index in range(ctx.get(frame.length)):
                ctx.set(frame.address, index)
                await ctx.tick()
                body.append(ctx.get(frame.data))
            ctx.set(frame.release, 1)
            await ctx.tick()
            ctx.set(frame.release, 0)
            bodies.append(bytes(body))

    async def count_verified(ctx: Any) -> None:
        await count(ctx, decoder.verified, verified)

    async def count_damaged(ctx: Any) -> None:
        await count(ctx, decoder.damaged, damaged)

    simulate(decoder, drive, read, count_verified, count_damaged)
    return bodies, len(verified), len(damaged)


def expected(data: bytes) -> tuple[list[bytes], int, int]:
    """Return what :func:`decode` must, by way of the protocol's Python side."""
    bodies: list[bytes] = []
    damaged = 0
    for frame in filter(None, data.split(b"\0")[:-1]):
        try:
            Request.decode(frame)
        except FrameError:
            damaged += 1
        else:
            bodies.append(cobs.decode(frame)[:-2])
    return bodies, len(bodies), damaged


def spoil(frame: bytes, rng: random.Random) -> bytes:
    """Damage a frame as a line would: flip, lose, double or insert bytes, cut it, or lose its end."""
    data = bytearray(frame)
    place = rng.randrange(len(data))
    kind = rng.randrange(6)
    if kind == 0:
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[place]
    elif kind == 2:
        data.insert(place, data[place])
    elif kind == 3:
        data[place:place] = rng.randbytes(rng.randrange(300))
    elif kind == 4:
        data[place:] = b"\0"
    else:
        del data[-1:]
    return bytes(data)


@settings(max_examples=8, deadline=None)
@given(frames=st.lists(requests, min_size=1, max_size=4), stall=st.sampled_from([0.0, 0.5]), seed=st.integers(0, 999))
def test_good_frames_are_decoded(frames: list[Request], stall: float, seed: int) -> None:
    data = b"".join(frame.encode() for frame in frames)
    bodies, verified, damaged = decode(data, seed=seed, stall=stall, slow=30)
    assert (verified, damaged) == (len(frames), 0)
    assert (bodies, verified, damaged) == expected(data)


@settings(max_examples=15, deadline=None)
@given(frames=st.lists(requests, min_size=2, max_size=5), seed=st.integers(0, 9999))
def test_damaged_frames_are_counted_and_the_others_decoded(frames: list[Request], seed: int) -> None:
    rng = random.Random(seed)
    data = b"".join(
        spoil(frame.encode(), rng) if rng.random() < 0.6 else frame.encode() + bytes(rng.randrange(3))
        for frame in frames
    )
    assert decode(data, seed=seed, stall=0.1, slow=10) == expected(data)


def test_any_single_bit_error_is_found() -> None:
    frame = Request(0x1234, 3, 2, 0x010203, b"\0\1\0\0\xff").encode()
    data = b""
    for bit in range(8 * (len(frame) - 1)):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        data += bytes(flipped)
    bodies, verified, damaged = decode(data + frame, seed=0)
    assert (bodies, verified, damaged) == expected(data + frame)
    assert bodies == [cobs.decode(frame[:-1])[:-2]]


def test_lengths_at_the_limits() -> None:
    def frame(body: bytes) -> bytes:
        return cobs.encode(body + crc16(body).to_bytes(2, "little")) + b"\0"

    # Long ones wrap an eight-bit count; a run of nonzero bytes needs a second COBS block.
    lengths = [0, 1, 5, 6, 7, 246, 247, 248, 249, 252, 253, 254, 255, 256, 260, 263, 511, 520]
    data = b"".join(frame(bytes(length)) + frame(bytes([3]) * length) for length in lengths)
    bodies, verified, damaged = decode(data, seed=0)
    assert [len(body) for body in bodies] == [7, 7, 246, 246, 247, 247]
    assert verified == 6
    assert damaged == 2 * (len(lengths) - 3)
    assert (bodies, verified, damaged) == expected(data)


def test_delimiters_alone_are_nothing() -> None:
    assert decode(bytes(20), seed=0) == ([], 0, 0)


def encode(
    bodies: list[bytes], *, seed: int, stall: float = 0.0, line_stall: float = 0.0, discards: bool = False
) -> tuple[bytes, list[int]]:
    """Return what an encoder sends for these bodies, and how many frames were sent when each body was taken in."""
    encoder = FrameEncoder()
    reply = encoder.reply
    rng = random.Random(seed)
    sent: list[int] = []
    progress: list[int] = []

    async def drive(ctx: Any) -> None:
        for body in bodies:
            if discards:
                await put(ctx, reply.bytes, rng.randbytes(rng.randrange(1, 244)), rng, stall)
                ctx.set(reply.discard, 1)
                await ctx.tick()
                ctx.set(reply.discard, 0)
            await put(ctx, reply.bytes, body, rng, stall)
            progress.append(sent.count(0))
            assert ctx.get(reply.full) == (len(body) == 244)
            ctx.set(reply.finish, 1)
            await wait_for(ctx, reply.bytes.ready, 9000)
            ctx.set(reply.finish, 0)
        await wait_until(ctx, lambda: sent.count(0) == len(bodies), 9000)

    async def collect(ctx: Any) -> None:
        await take(ctx, encoder.o, sent, random.Random(seed + 1), line_stall)

    simulate(encoder, drive, collect)
    return bytes(sent), progress


@settings(max_examples=12, deadline=None)
@given(
    replies=st.lists(
        st.builds(Reply, st.integers(0, 0xFFFF), st.integers(0, 127), st.integers(0, 255), payloads),
        min_size=1,
        max_size=4,
    ),
    stall=st.sampled_from([0.0, 0.4]),
    line_stall=st.sampled_from([0.0, 0.4]),
    discards=st.booleans(),
    seed=st.integers(0, 999),
)
def test_encoder_sends_what_the_protocol_says(
    replies: list[Reply], stall: float, line_stall: float, discards: bool, seed: int
) -> None:
    wire = b"".join(reply.encode() for reply in replies)
    bodies = [cobs.decode(frame)[:-2] for frame in wire.split(b"\0")[:-1]]
    assert encode(bodies, seed=seed, stall=stall, line_stall=line_stall, discards=discards)[0] == wire


def test_one_reply_is_written_while_another_is_sent() -> None:
    bodies = [bytes([value]) * 244 for value in (1, 2, 3)]
    wire, progress = encode(bodies, seed=1, line_stall=0.8)
    assert [cobs.decode(frame)[:-2] for frame in wire.split(b"\0")[:-1]] == bodies
    assert progress == [0, 0, 1]
