"""Frames of the wire protocol, byte by byte, and what is refused of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.spec.memory_map import PAYLOAD_BYTES
from attractor.spec.protocol import (
    ATTENTION,
    DELIMITER,
    FRAME_BYTES,
    GREATEST_RATE_ERROR,
    LEAST_CYCLES_PER_BIT,
    NUMBERS,
    PROTOCOL_VERSION,
    RATE_CYCLES,
    BaudError,
    CallHeader,
    Command,
    Counters,
    FrameError,
    Identity,
    Reply,
    Request,
    SessionState,
    Status,
    crc32,
    decode_description,
    encode_description,
    rate_step,
)

BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
PAYLOADS = st.binary(max_size=PAYLOAD_BYTES)
REQUESTS = st.builds(Request, WORD, BYTE, BYTE, st.integers(0, (1 << 24) - 1), PAYLOADS)
REPLIES = st.builds(Reply, WORD, st.integers(0, 0x7F), BYTE, PAYLOADS)


def test_frames_byte_by_byte() -> None:
    request = Request(0x1234, Command.WRITE, 2, 0xABCDEF, b"\x05\x06")
    body = bytes.fromhex("3412 03 02 efcdab 0506")
    assert cobs.decode(request.encode()[:-1]) == body + crc32(body).to_bytes(4, "little")
    reply = Reply(0x1234, Command.CALL, Status.ABORTED, b"\x07")
    body = bytes.fromhex("3412 86 07 06")
    assert cobs.decode(reply.encode()[:-1]) == body + crc32(body).to_bytes(4, "little")


def test_numbers_of_the_wire() -> None:
    """They are what gateware was built with: none may change without another protocol version."""
    assert {command.name: command.value for command in Command} == {
        "IDENTIFY": 1,
        "READ": 2,
        "WRITE": 3,
        "DIGEST": 4,
        "COMMIT": 5,
        "CALL": 6,
        "SYNC": 7,
        "COUNTERS": 8,
        "BAUD": 9,
    }
    assert [status.name for status in sorted(Status)] == [
        "OK",
        "BAD_COMMAND",
        "BAD_ADDRESS",
        "BAD_LENGTH",
        "INVALID_PARAMETERS",
        "COMMIT_MISMATCH",
        "ABORTED",
        "MORE",
        "OUT_OF_ORDER",
        "NO_SESSION",
        "LOST",
    ]
    assert (2, bytes(8), 1 << 16) == (PROTOCOL_VERSION, ATTENTION, NUMBERS)


def test_check_value_of_the_crc() -> None:
    """As in the catalogue of parametrised CRC algorithms."""
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


@given(REPLIES)
def test_a_reply_ends_where_the_next_begins(reply: Reply) -> None:
    assert reply.end == (reply.position + len(reply.encode())) % NUMBERS


@given(st.one_of(REQUESTS, REPLIES))
def test_no_frame_holds_the_attention_sign(frame: Request | Reply) -> None:
    assert ATTENTION not in frame.encode() + frame.encode()


@given(request=REQUESTS, position=st.integers(0), flip=st.integers(1, 0xFF))
def test_a_changed_byte_is_found(request: Request, position: int, flip: int) -> None:
    """CRC-32 finds every burst of up to 32 bits."""
    body = cobs.decode(request.encode()[:-1])
    position %= len(body)
    damaged = body[:position] + bytes([body[position] ^ flip]) + body[position + 1 :]
    with pytest.raises(FrameError, match="CRC-32"):
        Request.decode(cobs.encode(damaged))


@settings(derandomize=True)  # a flip that moves zeros is found with chance 1 - 2**-32 only
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
        assert crc32(body[:-4]) == int.from_bytes(body[-4:], "little")


@pytest.mark.parametrize("decode", [Request.decode, Reply.decode])
def test_frames_of_impossible_length(decode: Callable[[bytes], object]) -> None:
    for body in (b"", b"\x01", b"\x01\x02\x03"):
        with pytest.raises(FrameError, match=f"a frame of {len(body) + 4} bytes"):
            decode(with_crc(body))
    with pytest.raises(FrameError, match=f"a frame of {FRAME_BYTES + 1} bytes"):
        decode(with_crc(bytes(FRAME_BYTES - 3)))
    with pytest.raises(FrameError, match="not COBS"):
        decode(b"\x09\x01")


def with_crc(body: bytes) -> bytes:
    return cobs.encode(body + crc32(body).to_bytes(4, "little"))


def test_a_request_is_no_reply() -> None:
    with pytest.raises(FrameError, match="command 0x02"):
        Reply.decode(Request(1, Command.READ).encode()[:-1])


IDENTITIES = st.builds(Identity, BYTE, st.binary(min_size=8, max_size=8), WORD, WORD, WORD, WORD, st.booleans())
PAYLOAD_KINDS = {
    Identity: IDENTITIES,
    SessionState: st.builds(SessionState, WORD, WORD),
    Counters: st.builds(Counters, *[st.integers(0, 2**32 - 1)] * 3),
    CallHeader: st.builds(CallHeader, BYTE, WORD, WORD),
}


@pytest.mark.parametrize("kind", PAYLOAD_KINDS)
@given(data=st.data())
def test_payload_round_trip(kind: type[Any], data: st.DataObject) -> None:
    payload = data.draw(PAYLOAD_KINDS[kind])
    assert kind.unpack(payload.pack()) == payload


@pytest.mark.parametrize(("kind", "size"), [(Identity, 18), (SessionState, 4), (Counters, 12)])
def test_payloads_of_another_length(kind: type[Any], size: int) -> None:
    for length in (0, size - 1, size + 1):
        with pytest.raises(FrameError, match=rf"{size} bytes, not {length}"):
            kind.unpack(bytes(length))


def test_the_header_of_a_call_begins_its_payload() -> None:
    assert CallHeader.unpack(bytes.fromhex("04 0201 3000 aabb")) == CallHeader(bits=4, words=0x0102, want=0x30)
    for length in range(5):
        with pytest.raises(FrameError, match=f"a call of {length} bytes"):
            CallHeader.unpack(bytes(length))


# Rates


@given(clock_hz=st.floats(1e5, 1e9), baud=st.floats(1.0, 1e9))
def test_a_rate_is_near_enough_or_refused(clock_hz: float, baud: float) -> None:
    try:
        step = rate_step(clock_hz, baud)
    except BaudError as error:
        near = abs(round(baud * RATE_CYCLES / clock_hz) * clock_hz / RATE_CYCLES / baud - 1) < GREATEST_RATE_ERROR
        too_fast = baud * LEAST_CYCLES_PER_BIT > clock_hz * (1 - GREATEST_RATE_ERROR)
        assert too_fast or not near
        assert "choose" in str(error)  # noqa: PT017
        return
    assert 1 <= step <= RATE_CYCLES // LEAST_CYCLES_PER_BIT
    assert abs(step * clock_hz / RATE_CYCLES / baud - 1) <= GREATEST_RATE_ERROR


@pytest.mark.parametrize(
    ("clock_hz", "baud", "step"), [(12e6, 1e6, 87_381), (48e6, 12e6, RATE_CYCLES // 4), (RATE_CYCLES, 1, 1)]
)
def test_rates_of_some_clocks(clock_hz: float, baud: float, step: int) -> None:
    assert rate_step(clock_hz, baud) == step


@pytest.mark.parametrize(
    ("clock_hz", "baud", "message"),
    [
        (12e6, 4e6, "a clock of 12000000 Hz cannot make 4000000 baud: a bit takes at least 4 clock cycles; .* 3000000"),
        (100e6, 147, r"cannot make 147 baud within 0.5%; choose 95 or 191"),
        (0, 1e6, "both must be greater than 0"),
        (12e6, -1, "both must be greater than 0"),
    ],
)
def test_rates_that_a_clock_cannot_make(clock_hz: float, baud: float, message: str) -> None:
    with pytest.raises(BaudError, match=message):
        rate_step(clock_hz, baud)


# Descriptions


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
