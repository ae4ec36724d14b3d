"""Loading a device: parameters written, committed by their CRC-32, and repaired where they differ."""

from __future__ import annotations

from dataclasses import replace

from attractor.host import memory
from attractor.host.errors import LoadError, SessionLost
from attractor.host.flight import Ask
from attractor.host.link import LinkClient, Progress, accept
from attractor.spec import MemoryMap, Region
from attractor.spec.protocol import CRC32, Command, Identity, Status, crc32

__all__ = ["REPAIRS", "RESETS", "Loader", "parameter_pieces"]

#: Times that a device whose parameters differ after a load is repaired before the load fails.
REPAIRS = 5
#: Resets in the middle of a load after which it fails.
RESETS = 20


def parameter_pieces(memory_map: MemoryMap) -> list[memory.Piece]:
    """Return all words of every parameter window."""
    return [memory.whole(memory_map, window) for window in memory_map.region(Region.PARAMETERS)]


class Loader:
    """Brings parameters into a device and makes them valid there.

    Parameters
    ----------
    link:
        Client of the device.
    memory_map:
        Windows of its network.
    contents:
        Bytes of every parameter window by name.
    identity:
        As the device gave it last; it is kept up to date.
    """

    def __init__(self, link: LinkClient, memory_map: MemoryMap, contents: dict[str, bytes], identity: Identity) -> None:
        self.identity = identity
        self._link = link
        self._all = parameter_pieces(memory_map)
        self._contents = contents
        self._whole = memory_map.join(Region.PARAMETERS, contents)

    def load(self, progress: Progress | None, *, verify: bool) -> None:
        """Write everything, and then what differs; raise :class:`LoadError` if it does again and again."""
        pieces: list[memory.Piece] | None = [part for piece in self._all for part in piece.split()]
        repairs = resets = 0
        while repairs < REPAIRS and resets < RESETS:
            try:
                if pieces is None:
                    pieces = self._damaged()
                if self._write(pieces, progress) and (not verify or self._confirm()):
                    return
                pieces, repairs = None, repairs + 1
            except SessionLost:  # it was reset: perhaps it keeps what was written before
                self.identity = self._link.begin()
                pieces, resets = None, resets + 1
        raise LoadError(
            f"{self._link.port.name}: the parameters still differ after {repairs} repairs and {resets} resets, so the "
            "device holds no valid ones and refuses calls; its memory is faulty, or its supply lets it reset: try "
            "another cable and board"
        )

    def _damaged(self) -> list[memory.Piece]:
        """Return the words that differ in the device, in pieces of a frame."""
        damaged = memory.differing(self._link, self._all, self._contents)
        parts = [part for piece in damaged for part in piece.split()]
        return memory.differing(self._link, parts, self._contents)

    def _write(self, pieces: list[memory.Piece], progress: Progress | None) -> bool:
        """Write some words; return whether all parameters in the device are then the right ones, and valid."""
        commit = Ask(
            Command.COMMIT,
            payload=CRC32.pack(crc32(self._whole)),
            reply_bytes=CRC32.size,
            seconds=len(self._whole) / memory.DIGEST_RATE,
        )

        def report(done: int, _: int) -> None:
            if progress is not None and done <= len(pieces):
                progress(done, len(pieces))

        answers = self._link.exchange([*memory.write_asks(pieces, self._contents), commit], report=report)
        for answer in answers:
            accept(answer, Status.COMMIT_MISMATCH)
        valid = answers[-1].status == Status.OK
        self.identity = replace(self.identity, parameters_valid=valid)
        return valid

    def _confirm(self) -> bool:
        """Return whether the device says itself that its parameters are valid."""
        self.identity = self._link.begin()
        return self.identity.parameters_valid
