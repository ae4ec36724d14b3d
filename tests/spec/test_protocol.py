from __future__ import annotations

import binascii
from collections.abc import Callable

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.spec.memory_map import PAYLOAD_BYTES
from attractor.spec.protocol import (
    DELIMITER,
    FRAME_BYTES,
    Command,
    Counters,
    FrameError,
    Identity,
    Reply,
    Request,
    Status,
    crc16,
    crc32,
    decode_description,
    encode_description,
)

BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
PAYLOADS = st.binary(max_size=PAYLOAD_BYTES)
REQUESTS = st.builds(Request, WORD, BYTE, BYTE, st.integers(0, (1 << 24) - 1), PAYLOADS)
REPLIES = st.builds(Reply, WORD, st.integers(0, 0x7F), BYTE, PAYLOADS)


def test_frames_byte_by_byte() -> None:
    request = Request(0x1234, Command.WRITE, 2, 0xABCDEF, b"\x05\x06")
    body = bytes.fromhex("3412 03 02 efcdab 0506")
    assert cobs.decode(request.encode()[:-1]) == body + crc16(body).to_bytes(2, "little")
    reply = Reply(0x1234, Command.CALL, Status.ABORTED, b"\x07")
    body = bytes.fromhex("3412 86 07 07")
    assert cobs.decode(reply.encode()[:-1]) == body + crc16(body).to_bytes(2, "little")


def test_check_values_of_the_crcs() -> None:
    """As in the catalogue of parametrised CRC algorithms."""
    assert crc16(b"123456789") == 0x29B1
    assert crc32(b"123456789") == 0xCBF43926


@given(REQUESTS)
def test_request_round_trip(request: Request) -> None:
    frame = request.encode()
    assert frame.endswith(DELIMITER)
    assert frame.count(DELIMITER) == 1
    assert len(frame) <= FRAME_BYTES + 2
    assert Request.decode(frame[:-1]) == request


@given(REPLIES)
def test_reply_round_trip(reply: Reply) -> None:
    frame = reply.encode()
    assert frame.count(DELIMITER) == 1
    assert Reply.decode(frame[:-1]) == reply


@given(request=REQUESTS, position=st.integers(0), flip=st.integers(1, 0xFF))
def test_a_changed_byte_is_found(request: Request, position: int, flip: int) -> None:
    """CRC-16 finds every burst of up to 16 bits."""
    body = cobs.decode(request.encode()[:-1])
    position %= len(body)
    damaged = body[:position] + bytes([body[position] ^ flip]) + body[position + 1 :]
    with pytest.raises(FrameError, match="CRC-16"):
        Request.decode(cobs.encode(damaged))


@settings(derandomize=True)  # a flip that moves zeros is found with chance 1 - 2**-16 only
@given(reply=REPLIES, bit=st.integers(0))
def test_a_changed_bit_on_the_line_is_found(reply: Reply, bit: int) -> None:
    frame = bytearray(reply.encode()[:-1])
    frame[bit // 8 % len(frame)] ^= 1 << bit % 8
    for part in bytes(frame).split(DELIMITER):
        try:
            found = Reply.decode(part)
        except FrameError:
            continue
        assert found == reply


@pytest.mark.parametrize("decode", [Request.decode, Reply.decode])
@given(data=st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_is_raised(decode: Callable[[bytes], object], data: bytes) -> None:
    for part in data.split(DELIMITER):
        try:
            decode(part)
        except FrameError:
            continue
        body = cobs.decode(part)
        assert crc16(body[:-2]) == int.from_bytes(body[-2:], "little")


@pytest.mark.parametrize("decode", [Request.decode, Reply.decode])
def test_frames_of_impossible_length(decode: Callable[[bytes], object]) -> None:
    for body in (b"", b"\x01", b"\x01\x02\x03"):
        with pytest.raises(FrameError, match=f"a frame of {len(body) + 2} bytes"):
            decode(with_crc(body))
    with pytest.raises(FrameError, match=f"a frame of {FRAME_BYTES + 1} bytes"):
        decode(with_crc(bytes(FRAME_BYTES - 1)))
    with pytest.raises(FrameError, match="not COBS"):
        decode(b"\x09\x01")


def with_crc(body: bytes) -> bytes:
    return cobs.encode(body + binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "little"))


def test_a_request_is_no_reply() -> None:
    with pytest.raises(FrameError, match="command 0x02"):
        Reply.decode(Request(1, Command.READ).encode()[:-1])


@given(st.builds(Identity, BYTE, st.binary(min_size=8, max_size=8), WORD, WORD, st.booleans()))
def test_identity_round_trip(identity: Identity) -> None:
    assert Identity.unpack(identity.pack()) == identity


@given(st.builds(Counters, *[st.integers(0, 2**32 - 1)] * 3))
def test_counters_round_trip(counters: Counters) -> None:
    assert Counters.unpack(counters.pack()) == counters


@pytest.mark.parametrize(("kind", "size"), [(Identity, 14), (Counters, 12)])
def test_payloads_of_another_length(kind: type[Identity] | type[Counters], size: int) -> None:
    for length in (0, size - 1, size + 1):
        with pytest.raises(FrameError, match=rf"{size} bytes, not {length}"):
            kind.unpack(bytes(length))


def test_description_round_trip() -> None:
    description = {"board": "icebreaker", "clock_hz": 12_000_000, "spec": {"family": "oscillator"}}
    data = encode_description(description)
    assert decode_description(data) == description
    assert encode_description(dict(reversed(description.items()))) == data


@pytest.mark.parametrize("data", [b"", b"no zlib", encode_description({"a": 1})[:-1]])
def test_damaged_description(data: bytes) -> None:
    with pytest.raises(FrameError, match="description cannot be read"):
        decode_description(data)


def test_description_that_is_no_object() -> None:
    with pytest.raises(FrameError, match="is a list, not an object"):
        decode_description(encode_description([1]))  # pyright: ignore[reportArgumentType]
