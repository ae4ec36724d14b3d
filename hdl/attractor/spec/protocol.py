"""The wire protocol between host and device, declared once for both sides.

A link is 8N1 serial. Both directions carry *frames*: COBS-encoded, ended by ``0x00``. Fields are little-endian::

    request   | sequence 2 | command 1 | window 1 | word 3 | payload 0..240 | CRC-16 2 |
    reply     | sequence 2 | command 1 | status 1 |          payload 0..240 | CRC-16 2 |

A reply repeats the sequence number of its request, and its command with the highest bit set. The CRC is
CRC-16/IBM-3740 (polynomial 0x1021, start 0xFFFF) over everything before it. A request acts only after its CRC was
found right; a damaged frame gets no answer and is counted, so the host's time limit ends every loss.

========== ========= ============================= ===============================================================
command    window/   payload of the request        payload of the reply
           word
========== ========= ============================= ===============================================================
IDENTIFY   0         none                          :class:`Identity`; forgets the last call
READ       first     number of words, 1 byte       the words
WRITE      first     whole words                   none; a parameter window becomes invalid
DIGEST     first     number of words, 3 bytes      CRC-32 of the bytes of these words
COMMIT     0         CRC-32 of all parameters      CRC-32 that the device computed; valid if they agree
CALL       first     CRC-32 of all inputs, then    all outputs in order, cut at 240 bytes
                     whole input words
ABORT      0         none                          none; a call under way ends and answers ABORTED
COUNTERS   0         none                          :class:`Counters`
========== ========= ============================= ===============================================================

CALL first writes its input words, then compares the CRC-32 of the whole input region (all windows, in order), then
runs the core once. A CALL with the sequence number of the last call is not run again: its results are sent once more.
So a lost reply can never run a call twice, and a host must not use one number for two calls in a row.

Every other command may be repeated freely: none does more the second time. CRC-32 is the one of zlib.
"""

from __future__ import annotations

import binascii
import json
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cobs import cobs

from attractor.spec.memory_map import PAYLOAD_BYTES

__all__ = [
    "CRC16_BYTES",
    "CRC32",
    "DEFAULT_BAUD",
    "DELIMITER",
    "DESCRIPTION_WINDOW",
    "FRAME_BYTES",
    "PROTOCOL_VERSION",
    "RECEIVE_BUFFER_BYTES",
    "REPLY_BIT",
    "REPLY_HEADER",
    "REQUEST_HEADER",
    "Command",
    "Counters",
    "FrameError",
    "Identity",
    "Reply",
    "Request",
    "Status",
    "crc16",
    "crc32",
    "decode_description",
    "encode_description",
]

#: Raised when the meaning of any frame changes.
PROTOCOL_VERSION = 1
DEFAULT_BAUD = 1_000_000
#: Number of the window that holds the compressed description; one byte a word.
DESCRIPTION_WINDOW = 0
#: Bytes that a device takes in while a command keeps it busy, before it loses any.
RECEIVE_BUFFER_BYTES = 512
DELIMITER = b"\0"

REQUEST_HEADER = struct.Struct("<HBBHB")
REPLY_HEADER = struct.Struct("<HBB")
CRC16_BYTES = 2
CRC32 = struct.Struct("<I")
REPLY_BIT = 0x80
#: Longest frame between two delimiters before COBS: one COBS block holds it, so encoding adds one byte.
FRAME_BYTES = REQUEST_HEADER.size + PAYLOAD_BYTES + CRC16_BYTES


class Command(IntEnum):
    """What a request asks for."""

    IDENTIFY = 1
    READ = 2
    WRITE = 3
    DIGEST = 4
    COMMIT = 5
    CALL = 6
    ABORT = 7
    COUNTERS = 8


class Status(IntEnum):
    """How a request ended."""

    OK = 0
    #: No such command.
    BAD_COMMAND = 1
    #: No such window or word, or a write to one that is read-only.
    BAD_ADDRESS = 2
    #: The payload is no whole number of words, or not what the command takes.
    BAD_LENGTH = 3
    #: A call before the parameters were committed.
    INVALID_PARAMETERS = 4
    #: The parameters' CRC-32 is another; they stay invalid.
    COMMIT_MISMATCH = 5
    #: The inputs' CRC-32 is another; nothing was run.
    INPUT_MISMATCH = 6
    #: The call was ended by ABORT; the outputs are those at that moment.
    ABORTED = 7


class FrameError(ValueError):
    """Bytes between two delimiters are no frame."""


@dataclass(frozen=True)
class Request:
    """A frame from the host."""

    sequence: int
    command: int
    window: int = 0
    word: int = 0
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the frame with its delimiter."""
        word = self.word
        header = REQUEST_HEADER.pack(self.sequence, self.command, self.window, word & 0xFFFF, word >> 16)
        return _encode(header + self.payload)

    @classmethod
    def decode(cls, frame: bytes) -> Request:
        """Read a frame without its delimiter; raise :class:`FrameError` if it is damaged."""
        body = _decode(frame, REQUEST_HEADER.size)
        sequence, command, window, low, high = REQUEST_HEADER.unpack_from(body)
        return cls(sequence, command, window, low | high << 16, body[REQUEST_HEADER.size :])


@dataclass(frozen=True)
class Reply:
    """A frame from the device."""

    sequence: int
    command: int
    status: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the frame with its delimiter."""
        return _encode(REPLY_HEADER.pack(self.sequence, self.command | REPLY_BIT, self.status) + self.payload)

    @classmethod
    def decode(cls, frame: bytes) -> Reply:
        """Read a frame without its delimiter; raise :class:`FrameError` if it is damaged."""
        body = _decode(frame, REPLY_HEADER.size)
        sequence, command, status = REPLY_HEADER.unpack_from(body)
        if not command & REPLY_BIT:
            raise FrameError(f"command {command:#04x} is not a reply's")
        return cls(sequence, command & ~REPLY_BIT, status, body[REPLY_HEADER.size :])


@dataclass(frozen=True)
class Identity:
    """Reply to IDENTIFY: enough to read the description and to know whether a model fits."""

    protocol: int
    fingerprint: bytes
    receive_buffer: int
    description_bytes: int
    parameters_valid: bool

    STRUCT = struct.Struct("<B8sHHB")

    def pack(self) -> bytes:
        """Return the payload."""
        fields = (self.protocol, self.fingerprint, self.receive_buffer, self.description_bytes, self.parameters_valid)
        return self.STRUCT.pack(*fields)

    @classmethod
    def unpack(cls, payload: bytes) -> Identity:
        """Read the payload; raise :class:`FrameError` if it has another length."""
        if len(payload) != cls.STRUCT.size:
            raise FrameError(f"an identity has {cls.STRUCT.size} bytes, not {len(payload)}")
        protocol, fingerprint, receive_buffer, description_bytes, valid = cls.STRUCT.unpack(payload)
        return cls(protocol, fingerprint, receive_buffer, description_bytes, bool(valid))


@dataclass(frozen=True)
class Counters:
    """Reply to COUNTERS: what the device saw since its reset, modulo 2**32."""

    #: Frames whose CRC was right.
    frames: int
    #: Frames that were damaged, cut off or too long.
    damaged: int
    #: Bytes lost because the receive buffer was full, or because their stop bit was missing.
    overruns: int

    STRUCT = struct.Struct("<III")

    def pack(self) -> bytes:
        """Return the payload."""
        return self.STRUCT.pack(self.frames, self.damaged, self.overruns)

    @classmethod
    def unpack(cls, payload: bytes) -> Counters:
        """Read the payload; raise :class:`FrameError` if it has another length."""
        if len(payload) != cls.STRUCT.size:
            raise FrameError(f"counters have {cls.STRUCT.size} bytes, not {len(payload)}")
        return cls(*cls.STRUCT.unpack(payload))


def encode_description(description: dict[str, Any]) -> bytes:
    """Compress a device's description: ``spec``, ``gateware`` version, ``board``, ``clock_hz``, ``baud``."""
    return zlib.compress(json.dumps(description, sort_keys=True, separators=(",", ":")).encode(), 9)


def decode_description(data: bytes) -> dict[str, Any]:
    """Inverse of :func:`encode_description`; raise :class:`FrameError` if the bytes are no description."""
    try:
        description = json.loads(zlib.decompress(data))
    except (zlib.error, ValueError) as error:
        raise FrameError(f"the device's description cannot be read: {error}") from error
    if not isinstance(description, dict):
        raise FrameError(f"the device's description is a {type(description).__name__}, not an object")
    return description


def crc16(data: bytes) -> int:
    """CRC-16/IBM-3740 of ``data``."""
    return binascii.crc_hqx(data, 0xFFFF)


def crc32(data: bytes) -> int:
    """CRC-32 of ``data``, as in zlib."""
    return zlib.crc32(data)


def _encode(body: bytes) -> bytes:
    return cobs.encode(body + crc16(body).to_bytes(CRC16_BYTES, "little")) + DELIMITER


def _decode(frame: bytes, header: int) -> bytes:
    try:
        data = cobs.decode(frame)
    except cobs.DecodeError as error:
        raise FrameError(f"not COBS: {error}") from error
    if not header + CRC16_BYTES <= len(data) <= FRAME_BYTES:
        raise FrameError(f"a frame of {len(data)} bytes")
    body, crc = data[:-CRC16_BYTES], int.from_bytes(data[-CRC16_BYTES:], "little")
    if crc16(body) != crc:
        raise FrameError(f"CRC-16 is {crc16(body):#06x}, the frame says {crc:#06x}")
    return body
