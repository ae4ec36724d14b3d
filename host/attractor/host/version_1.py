"""Devices of protocol version 1, which hear nothing of version 2: they are told apart from silence, and no more.

Their requests are framed as those of version 2 are, but for a CRC-16 (IBM-3740) in place of the CRC-32. A reply repeats
the number of its request, and has its status before the payload.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable

from cobs import cobs

from attractor.host.port import Port
from attractor.intake.text import printable
from attractor.spec.protocol import DELIMITER, FrameError, decode_description

__all__ = ["built_by"]

_REQUEST, _REPLY, _CRC = struct.Struct("<HBBHB"), struct.Struct("<HBB"), struct.Struct("<H")
#: Version, fingerprint, receive buffer, bytes of the description, whether parameters are valid.
_IDENTITY = struct.Struct("<B8sHHB")
_IDENTIFY, _READ, _REPLY_BIT, _OK = 1, 2, 0x80, 0
#: Most bytes of the description that one reply carries.
_PIECE = 240
#: Most bytes that arrive without the end of a frame, and longest version, in characters.
_MOST_PARTIAL, _MOST_TEXT = 1024, 80


def built_by(port: Port, seconds: float, clock: Callable[[], float]) -> str | None:
    """Ask once who is there, in the frames of version 1.

    Parameters
    ----------
    port:
        The line.
    seconds:
        Time limit of each answer.
    clock:
        Time in seconds.

    Returns
    -------
    str or None
        Version of attractor that built the device's gateware, "unknown" if it does not say; None if nothing answers.
    """
    identity = _ask(port, seconds, clock, 1, _IDENTIFY)
    if identity is None or len(identity) != _IDENTITY.size or identity[0] != 1:
        return None
    size, description = _IDENTITY.unpack(identity)[3], b""
    while len(description) < size:
        count = min(_PIECE, size - len(description))
        number = 2 + len(description) // _PIECE
        piece = _ask(port, seconds, clock, number, _READ, len(description), bytes([count]))
        if piece is None or len(piece) != count:
            return "unknown"
        description += piece
    try:
        return printable(str(decode_description(description).get("gateware", "unknown")), _MOST_TEXT)
    except FrameError:
        return "unknown"


def _ask(
    port: Port, seconds: float, clock: Callable[[], float], number: int, command: int, word: int = 0, data: bytes = b""
) -> bytes | None:
    """Return the payload of the answer to a request; None if none comes."""
    body = _REQUEST.pack(number, command, 0, word & 0xFFFF, word >> 16) + data
    port.write(DELIMITER + cobs.encode(body + _CRC.pack(_crc16(body))) + DELIMITER)
    start, deadline, received = _REPLY.pack(number, command | _REPLY_BIT, _OK), clock() + seconds, b""
    while (left := deadline - clock()) > 0 and (came := port.read(left)):
        *frames, received = (received[-_MOST_PARTIAL:] + came).split(DELIMITER)
        for frame in frames:
            reply = _decode(frame)
            if reply.startswith(start):
                return reply[len(start) :]
    return None


def _decode(frame: bytes) -> bytes:
    """Return a frame without its CRC; nothing if it is damaged."""
    try:
        data = cobs.decode(frame)
    except cobs.DecodeError:
        return b""
    body, crc = data[: -_CRC.size], data[-_CRC.size :]
    return body if len(crc) == _CRC.size and _CRC.pack(_crc16(body)) == crc else b""


def _crc16(data: bytes) -> int:
    return binascii.crc_hqx(data, 0xFFFF)
