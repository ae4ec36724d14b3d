"""The wire protocol between host and device, version 2, declared once for both sides.

A link is 8N1 serial. Both directions carry *frames*: COBS-encoded, ended by ``0x00``. Fields are little-endian::

    request   | sequence 2 | command 1 | window 1 | word 3 | payload 0..240 | CRC-32 4 |
    reply     | position 2 | command 1 |                     payload 0..240 | status 1 | CRC-32 4 |

The CRC-32 is that of zlib, over everything before it. A frame means something only after its CRC was found right; a
damaged one is counted and dropped.

**Both directions are numbered, and the receiver of each takes only the next number.** That is the whole rule by which
every request is carried out exactly once and in order, whatever the line loses, doubles, reorders or damages:

- A host numbers its requests, modulo 2**16. The device carries out a request only if its sequence number is ``next``,
  and then counts ``next`` up. An earlier number is a copy: it is dropped without a word. A later number tells of a
  loss: it is dropped too, and the device says so, once until it has taken another request, by a SYNC reply that nobody
  asked for, with the status OUT_OF_ORDER. The host then sends again from ``next`` on.
- A device numbers the bytes that it sends, delimiters included, modulo 2**16: the *position* of a reply is that of its
  first byte. The host takes a reply only if it begins where the one before ended. It asks by SYNC for all bytes from
  there on if it sees a later position, or nothing at all. The device keeps what it sent last, as many bytes as
  :attr:`Identity.reply_buffer` says; a host never has more replies outstanding than fit.

::

    device   idle --IDENTIFY, new number--> next = number + 1
             frame with the number next ----> carried out, next + 1, replies
             earlier number ----------------> dropped
             later number ------------------> dropped; OUT_OF_ORDER once
             SYNC --------------------------> sends what it still has to, then again from the position that is asked for
             8 x 0x00 ----------------------> ends the call under way; drops every frame until SYNC or IDENTIFY

    host     reply at the position expected -> belongs to the oldest request; expected = its end
             earlier position -------------> dropped
             later position, or silence ---> SYNC from the position expected
             SYNC reply, OUT_OF_ORDER -----> sends again from next on

========== ========= ================================== ==========================================================
command    window/   payload of the request             payload of the reply
           word
========== ========= ================================== ==========================================================
IDENTIFY   0         none                               :class:`Identity`; a session begins
SYNC       0/        none                               :class:`SessionState`, after the bytes that are sent again;
           position                                     its sequence number is that of the session
READ       first     number of words, 1 byte            the words
WRITE      first     whole words                        none; a parameter window becomes invalid
DIGEST     first     number of words, 3 bytes           CRC-32 of the bytes of these words
COMMIT     0         CRC-32 of all parameters           CRC-32 that the device computed; valid if they agree
CALL       first     :class:`CallHeader`, then inputs   results of each call, one after the other
COUNTERS   0         none                               :class:`Counters`
BAUD       0         :func:`rate_step`, 3 bytes         none; afterwards both directions run at this rate
========== ========= ================================== ==========================================================

IDENTIFY and SYNC are outside of the order. IDENTIFY begins a *session*, numbered by its sequence number; the first
request of the session has the following number. An IDENTIFY that repeats the number of the session only answers. Before
the first session, and after a reset, every other request is dropped, and the device says NO_SESSION once.

CALL runs the core on packed inputs, as many times as the frame holds them. For each call, ``words`` input words from
the given one on are taken from the payload, ``bits`` bits of each, lowest first, one after another without gaps; bits
above are written as 0. Each call begins with a byte of its own. All other input words stay as they are. Then the core
runs, and the first ``want`` bytes of its outputs are its result: the words of all output windows in order, each as many
bits as it has, lowest first, without gaps. Results follow one another; where a reply is full, its status is MORE and
the next reply goes on. With ``want`` = 0 the words are written and nothing runs, so that inputs which do not fit one
frame go into several.

Eight zero bytes in a row, which no frame contains, are the *attention* sign. It is seen at once, before what waits in
the receive buffer: a call under way ends as after a short run, the rest of its frame is not run (status ABORTED), and
all frames are dropped until the next SYNC or IDENTIFY. The reply to that tells what was carried out.

A device starts at the rate in its description. BAUD asks for another one, of at least :data:`LEAST_CYCLES_PER_BIT`
clock cycles a bit; the reply still comes at the old rate. When something has come and no good frame has for
:data:`FALLBACK_SECONDS`, the device goes back to the rate at which it started: whoever opens the line next finds it
there, and so does a host whose request to change it got lost half way. Calls and replies under way are good frames.

An error reply carries what was gathered before the error, which means nothing.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cobs import cobs

from attractor.intake.documents import parsed_json
from attractor.intake.errors import DAMAGE, told
from attractor.intake.files import unpacked
from attractor.spec.description import DICTIONARY
from attractor.spec.memory_map import PAYLOAD_BYTES

__all__ = [
    "ATTENTION",
    "CRC32",
    "DEFAULT_BAUD",
    "DELIMITER",
    "DESCRIPTION_BYTES",
    "DESCRIPTION_WINDOW",
    "FALLBACK_SECONDS",
    "FRAME_BYTES",
    "FULL_BUFFERS",
    "GREATEST_RATE_ERROR",
    "LEAST_BUFFER_BYTES",
    "LEAST_CYCLES_PER_BIT",
    "NUMBERS",
    "PROTOCOL_VERSION",
    "RATE_CYCLES",
    "RECEIVE_BUFFER_BYTES",
    "REPLY_BIT",
    "REPLY_BUFFER_BYTES",
    "REPLY_HEADER",
    "REQUEST_HEADER",
    "UNORDERED",
    "BaudError",
    "Buffers",
    "CallHeader",
    "Command",
    "Counters",
    "FrameError",
    "Identity",
    "Reply",
    "Request",
    "SessionState",
    "Status",
    "crc32",
    "decode_description",
    "encode_description",
    "rate_step",
]

#: Raised when the meaning of any frame changes.
PROTOCOL_VERSION = 2
#: Rate of a line unless another one is agreed on, in bits a second.
DEFAULT_BAUD = 1_000_000
#: Number of the window that holds the compressed description; one byte a word.
DESCRIPTION_WINDOW = 0
#: Most bytes, and most values, of a description once it is unpacked.
DESCRIPTION_BYTES, _DESCRIPTION_VALUES = 1 << 20, 50_000
#: Bytes that a device takes in while a command keeps it busy, before it loses any, and that it keeps of what it sent
#: last, unless block RAM is short. A latency timer of 16 ms at 1 Mbaud are 1,600 bytes.
RECEIVE_BUFFER_BYTES = 2048
REPLY_BUFFER_BYTES = 2048
#: Least bytes of either: a frame with its delimiters.
LEAST_BUFFER_BYTES = 256
#: Sequence numbers and positions before they start anew.
NUMBERS = 1 << 16
DELIMITER = b"\0"
#: Time without a good frame, once something came, after which a device goes back to the rate at which it started.
FALLBACK_SECONDS = 1.0
#: A rate is given in bits for this many clock cycles.
RATE_CYCLES = 1 << 20
#: Fewest clock cycles of a bit: the receiver must find its middle.
LEAST_CYCLES_PER_BIT = 4
#: Greatest difference of a rate from the one that was asked for.
GREATEST_RATE_ERROR = 0.005
#: Ends a call under way and all that waits behind it.
ATTENTION = 8 * DELIMITER

REQUEST_HEADER = struct.Struct("<HBBHB")
REPLY_HEADER = struct.Struct("<HB")
CRC32 = struct.Struct("<I")
REPLY_BIT = 0x80
#: Longest frame between two delimiters before COBS: one COBS block holds it, so encoding adds one byte.
FRAME_BYTES = REQUEST_HEADER.size + PAYLOAD_BYTES + CRC32.size


class Command(IntEnum):
    """What a request asks for."""

    IDENTIFY = 1
    READ = 2
    WRITE = 3
    DIGEST = 4
    COMMIT = 5
    CALL = 6
    SYNC = 7
    COUNTERS = 8
    BAUD = 9


#: Commands that are carried out whatever their sequence number.
UNORDERED = (Command.IDENTIFY, Command.SYNC)


class Status(IntEnum):
    """How a request ended. The payload of a reply means something only with OK, MORE, ABORTED and COMMIT_MISMATCH."""

    OK = 0
    #: No such command.
    BAD_COMMAND = 1
    #: No such window or word, or a write to one that is read-only.
    BAD_ADDRESS = 2
    #: The payload is no whole number of words or inputs, or not what the command takes.
    BAD_LENGTH = 3
    #: A call before the parameters were committed.
    INVALID_PARAMETERS = 4
    #: The parameters' CRC-32 is another; they stay invalid.
    COMMIT_MISMATCH = 5
    #: The call was ended by the attention sign; its outputs are those at that moment, and the last ones.
    ABORTED = 6
    #: Another reply to the same request follows.
    MORE = 7
    #: A request has a later number than the next.
    OUT_OF_ORDER = 8
    #: No session has begun since the reset, or SYNC is of another one.
    NO_SESSION = 9
    #: SYNC asks for a position that is no longer kept, or not yet sent.
    LOST = 10


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

    position: int
    command: int
    status: int
    payload: bytes = b""

    #: Bytes of a reply on the line, delimiter included, without those of its payload.
    OVERHEAD = REPLY_HEADER.size + 1 + CRC32.size + 2

    @property
    def end(self) -> int:
        """Position of the reply that follows."""
        return (self.position + self.OVERHEAD + len(self.payload)) % NUMBERS

    def encode(self) -> bytes:
        """Return the frame with its delimiter."""
        header = REPLY_HEADER.pack(self.position, self.command | REPLY_BIT)
        return _encode(header + self.payload + bytes([self.status]))

    @classmethod
    def decode(cls, frame: bytes) -> Reply:
        """Read a frame without its delimiter; raise :class:`FrameError` if it is damaged."""
        body = _decode(frame, REPLY_HEADER.size + 1)
        position, command = REPLY_HEADER.unpack_from(body)
        if not command & REPLY_BIT:
            raise FrameError(f"command {command:#04x} is not a reply's")
        return cls(position, command & ~REPLY_BIT, body[-1], body[REPLY_HEADER.size : -1])


@dataclass(frozen=True)
class CallHeader:
    """Begins the payload of a CALL.

    Parameters
    ----------
    bits:
        Bits of each word in the payload, 1 to those that the word has; 0 stands for all that it has.
    words:
        Words of each call, at least 1.
    want:
        Bytes of the outputs that each call answers with, at most :data:`PAYLOAD_BYTES` times 255; 0 to run nothing.
    """

    bits: int
    words: int
    want: int

    STRUCT = struct.Struct("<BHH")

    def pack(self) -> bytes:
        """Return the bytes."""
        return self.STRUCT.pack(self.bits, self.words, self.want)

    @classmethod
    def unpack(cls, payload: bytes) -> CallHeader:
        """Read the start of a payload; raise :class:`FrameError` if it is shorter."""
        if len(payload) < cls.STRUCT.size:
            raise FrameError(f"a call of {len(payload)} bytes")
        return cls(*cls.STRUCT.unpack_from(payload))


@dataclass(frozen=True)
class Buffers:
    """What a device's link keeps, in bytes: powers of two, 512 to 8192.

    Parameters
    ----------
    receive:
        Bytes that wait while a request is carried out.
    reply:
        Bytes that it sent last.
    """

    receive: int = RECEIVE_BUFFER_BYTES
    reply: int = REPLY_BUFFER_BYTES


#: What a link keeps where block RAM is not short.
FULL_BUFFERS = Buffers()


@dataclass(frozen=True)
class Identity:
    """Reply to IDENTIFY: enough to read the description and to know whether a model fits."""

    protocol: int
    fingerprint: bytes
    session: int
    receive_buffer: int
    reply_buffer: int
    description_bytes: int
    parameters_valid: bool

    STRUCT = struct.Struct("<B8sHHHHB")

    def pack(self) -> bytes:
        """Return the payload."""
        return self.STRUCT.pack(*vars(self).values())

    @classmethod
    def unpack(cls, payload: bytes) -> Identity:
        """Read the payload; raise :class:`FrameError` if it has another length, or buffers too small for a frame."""
        if len(payload) != cls.STRUCT.size:
            raise FrameError(f"an identity has {cls.STRUCT.size} bytes, not {len(payload)}")
        protocol, fingerprint, session, *sizes, valid = cls.STRUCT.unpack(payload)
        receive_buffer, reply_buffer, description_bytes = sizes
        if protocol == PROTOCOL_VERSION and min(receive_buffer, reply_buffer) < LEAST_BUFFER_BYTES:
            raise FrameError(
                f"buffers have {receive_buffer} and {reply_buffer} bytes; at least {LEAST_BUFFER_BYTES} are needed"
            )
        return cls(protocol, fingerprint, session, receive_buffer, reply_buffer, description_bytes, bool(valid))


@dataclass(frozen=True)
class SessionState:
    """Reply to SYNC, and what a device says unasked when a request is missing."""

    #: Number of the session; 0 if there is none.
    session: int
    #: Sequence number of the request that the device takes next.
    next: int

    STRUCT = struct.Struct("<HH")

    def pack(self) -> bytes:
        """Return the payload."""
        return self.STRUCT.pack(self.session, self.next)

    @classmethod
    def unpack(cls, payload: bytes) -> SessionState:
        """Read the payload; raise :class:`FrameError` if it has another length."""
        if len(payload) != cls.STRUCT.size:
            raise FrameError(f"a session's state has {cls.STRUCT.size} bytes, not {len(payload)}")
        return cls(*cls.STRUCT.unpack(payload))


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


class BaudError(ValueError):
    """A clock cannot be divided to a baud rate."""


def rate_step(clock_hz: float, baud: float) -> int:
    """Return the rate of a line in bits for :data:`RATE_CYCLES` clock cycles.

    Parameters
    ----------
    clock_hz, baud:
        Clock frequency and bits in a second, both in Hz.

    Raises
    ------
    BaudError
        If a bit would have fewer than :data:`LEAST_CYCLES_PER_BIT` clock cycles, or the nearest rate is off by more
        than :data:`GREATEST_RATE_ERROR`; the message names the nearest rates that the clock can make.
    """
    if clock_hz <= 0 or baud <= 0:
        raise BaudError(f"a clock of {clock_hz} Hz cannot make {baud} baud; both must be greater than 0")
    highest = RATE_CYCLES // LEAST_CYCLES_PER_BIT
    step = round(baud * RATE_CYCLES / clock_hz)
    if 1 <= step <= highest and abs(step * clock_hz / RATE_CYCLES / baud - 1) <= GREATEST_RATE_ERROR:
        return step
    if step > highest or baud > clock_hz / LEAST_CYCLES_PER_BIT:
        raise BaudError(
            f"a clock of {clock_hz:.0f} Hz cannot make {baud:.0f} baud: a bit takes at least {LEAST_CYCLES_PER_BIT} "
            f"clock cycles; choose at most {clock_hz / LEAST_CYCLES_PER_BIT:.0f} baud"
        )
    below = max(1, int(baud * RATE_CYCLES / clock_hz))
    rates = " or ".join(f"{number * clock_hz / RATE_CYCLES:.0f}" for number in (below, below + 1))
    raise BaudError(
        f"a clock of {clock_hz:.0f} Hz cannot make {baud:.0f} baud within {GREATEST_RATE_ERROR:.1%}; choose {rates}"
    )


def encode_description(description: dict[str, Any]) -> bytes:
    """Compress a device's description: ``spec``, ``gateware`` version, ``board``, ``clock_hz``, ``baud``, ``map``.

    ``map`` is the memory map as :mod:`attractor.spec.description` writes it. Fixed codes cost nothing behind the
    dictionary, and are easy to read.
    """
    compressor = zlib.compressobj(9, strategy=zlib.Z_FIXED, zdict=DICTIONARY)
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return compressor.compress(text.encode()) + compressor.flush()


def decode_description(data: bytes) -> dict[str, Any]:
    """Inverse of :func:`encode_description`; raise :class:`FrameError` if the bytes are no description.

    Earlier devices compressed theirs without a dictionary, and said nothing of their memory map.
    """
    try:
        description = parsed_json(
            unpacked(data, DESCRIPTION_BYTES, dictionary=DICTIONARY), most_values=_DESCRIPTION_VALUES
        )
    except DAMAGE as error:
        raise FrameError(f"the device's description cannot be read: {told(error)}") from error
    if not isinstance(description, dict):
        raise FrameError(f"the device's description is a {type(description).__name__}, not an object")
    return description


def crc32(data: bytes) -> int:
    """CRC-32 of ``data``, as in zlib."""
    return zlib.crc32(data)


def _encode(body: bytes) -> bytes:
    return cobs.encode(body + CRC32.pack(crc32(body))) + DELIMITER


def _decode(frame: bytes, least: int) -> bytes:
    try:
        data = cobs.decode(frame)
    except cobs.DecodeError as error:
        raise FrameError(f"not COBS: {error}") from error
    if not least + CRC32.size <= len(data) <= FRAME_BYTES:
        raise FrameError(f"a frame of {len(data)} bytes")
    body = data[: -CRC32.size]
    (expected,) = CRC32.unpack(data[-CRC32.size :])
    if crc32(body) != expected:
        raise FrameError(f"CRC-32 is {crc32(body):#010x}, the frame says {expected:#010x}")
    return body
