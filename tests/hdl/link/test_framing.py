from __future__ import annotations

import random
from typing import Any

from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link.decoder import CONSTANTS, HEADER, FrameDecoder
from attractor.spec.protocol import CRC32, FRAME_BYTES, FrameError, Request, crc32

from .streams import count, put, simulate, wait_until

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
    decoder = FrameDecoder(b"constants")
    bodies: list[bytes] = []
    verified: list[int] = []
    damaged: list[int] = []
    rng = random.Random(seed)

    async def drive(ctx: Any) -> None:
        await put(ctx, decoder.i, data, random.Random(seed + 1), stall)
        await ctx.tick().repeat(12)
        await wait_until(ctx, lambda: len(bodies) == len(verified), 2000)

    async def byte_at(ctx: Any, address: int) -> int:
        ctx.set(decoder.frame.address, address)
        await ctx.tick()
        return ctx.get(decoder.frame.data)

    async def read(ctx: Any) -> None:
        frame = decoder.frame
        while True:
            if not ctx.get(frame.valid):
                async for _ in ctx.tick():
                    if ctx.get(frame.valid):
                        break
            for _ in range(rng.randrange(slow + 1)):
                await ctx.tick()
            body = [await byte_at(ctx, HEADER + index) for index in range(ctx.get(frame.end) - HEADER)]
            # Whoever has the frame may use the CRC-32 for something else.
            part = bytes(body[:20])
            assert await borrowed_crc(ctx, decoder, part) == crc32(part)
            assert await byte_at(ctx, CONSTANTS + 2) == ord("n")
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


async def borrowed_crc(ctx: Any, decoder: FrameDecoder, data: bytes) -> int:
    crc = decoder.frame.crc
    ctx.set(crc.restart, 1)
    await ctx.tick()
    ctx.set(crc.restart, 0)
    ctx.set(crc.step, 1)
    for byte in data:
        for place in range(8):
            ctx.set(crc.bit, byte >> place & 1)
            await ctx.tick()
    ctx.set(crc.drain, 1)
    result = 0
    for place in range(32):
        result |= ctx.get(crc.result) << place
        await ctx.tick()
    ctx.set(crc.step, 0)
    ctx.set(crc.drain, 0)
    return result


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
            bodies.append(cobs.decode(frame)[: -CRC32.size])
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
    assert bodies == [cobs.decode(frame[:-1])[: -CRC32.size]]


def test_lengths_at_the_limits() -> None:
    def frame(body: bytes) -> bytes:
        return cobs.encode(body + CRC32.pack(crc32(body))) + b"\0"

    # Long ones wrap an eight-bit count; a run of nonzero bytes needs a second COBS block.
    most = FRAME_BYTES - CRC32.size
    lengths = [0, 1, 5, 6, 7, most - 1, most, most + 1, most + 2, 250, 251, 252, 253, 254, 255, 256, 260, 263, 511, 520]
    data = b"".join(frame(bytes(length)) + frame(bytes([3]) * length) for length in lengths)
    bodies, verified, damaged = decode(data, seed=0)
    assert [len(body) for body in bodies] == [7, 7, most - 1, most - 1, most, most]
    assert verified == 6
    assert damaged == 2 * (len(lengths) - 3)
    assert (bodies, verified, damaged) == expected(data)


def test_delimiters_alone_are_nothing() -> None:
    assert decode(bytes(20), seed=0) == ([], 0, 0)
