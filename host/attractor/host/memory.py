"""Windows of a device's memory through a link: whole words, one frame at a time, many frames in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attractor.host.errors import WrongReport
from attractor.host.flight import Ask
from attractor.host.link import LinkClient, accept
from attractor.spec import MemoryMap, Window
from attractor.spec.protocol import CRC32, Command, crc32

__all__ = ["DIGEST_RATE", "Piece", "differing", "digests", "read", "whole", "write_asks"]

#: Bytes each second that any device reads at least for a CRC-32: ten clock cycles for each.
DIGEST_RATE = 1e6


@dataclass(frozen=True)
class Piece:
    """Successive words of one window.

    Parameters
    ----------
    number:
        Number of the window on the link.
    window:
        The window.
    word, count:
        First word and number of words.
    """

    number: int
    window: Window
    word: int
    count: int

    @property
    def size(self) -> int:
        """Bytes of these words."""
        return self.count * self.window.word_bytes

    def of(self, contents: bytes) -> bytes:
        """Return the part of the window's contents that these words are."""
        start = self.word * self.window.word_bytes
        return contents[start : start + self.size]

    def split(self) -> list[Piece]:
        """Return pieces that fit one frame each."""
        step, end = self.window.words_per_frame, self.word + self.count
        return [Piece(self.number, self.window, word, min(step, end - word)) for word in range(self.word, end, step)]


def whole(memory_map: MemoryMap, window: Window) -> Piece:
    """Return all words of a window."""
    return Piece(memory_map.number(window.name), window, 0, window.words)


def read(link: LinkClient, piece: Piece) -> bytes:
    """Read words.

    Raises
    ------
    LinkError
        If the device refuses, does not answer, or answers with another number of bytes.
    """
    parts = piece.split()
    asks = [Ask(Command.READ, part.number, part.word, bytes([part.count]), part.size) for part in parts]
    data = [accept(answer).payload for answer in link.exchange(asks)]
    for part, answer in zip(parts, data, strict=True):
        if len(answer) != part.size:
            raise WrongReport(
                f"{link.port.name}: {len(answer)} bytes came back for {part.size} bytes of window {part.window.name}; "
                "the gateware does not fit its description: build it again"
            )
    return b"".join(data)


def write_asks(pieces: Sequence[Piece], contents: dict[str, bytes]) -> list[Ask]:
    """Return the requests that write ``pieces``, which fit one frame each, from the windows' contents by name."""
    return [Ask(Command.WRITE, piece.number, piece.word, piece.of(contents[piece.window.name])) for piece in pieces]


def digests(link: LinkClient, pieces: Sequence[Piece]) -> list[int]:
    """Return the CRC-32 that the device computes of each piece.

    Raises
    ------
    LinkError
        If the device refuses or does not answer.
    """
    asks = [
        Ask(
            Command.DIGEST,
            piece.number,
            piece.word,
            piece.count.to_bytes(3, "little"),
            CRC32.size,
            piece.size / DIGEST_RATE,
        )
        for piece in pieces
    ]
    found = [accept(answer).payload for answer in link.exchange(asks)]
    for piece, answer in zip(pieces, found, strict=True):
        if len(answer) != CRC32.size:
            raise WrongReport(
                f"{link.port.name}: {len(answer)} bytes came back for the CRC-32 of window {piece.window.name}; "
                "the gateware does not fit its description: build it again"
            )
    return [CRC32.unpack(answer)[0] for answer in found]


def differing(link: LinkClient, pieces: Sequence[Piece], contents: dict[str, bytes]) -> list[Piece]:
    """Return the pieces whose words in the device are not those in ``contents``; errors as in :func:`digests`."""
    found = digests(link, pieces)
    return [
        piece
        for piece, digest in zip(pieces, found, strict=True)
        if digest != crc32(piece.of(contents[piece.window.name]))
    ]
