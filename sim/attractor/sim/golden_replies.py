"""What a device sends, as the golden model of the link has it: replies that are numbered, and kept for a while."""

from __future__ import annotations

from attractor.spec import PAYLOAD_BYTES
from attractor.spec.protocol import NUMBERS, Reply, Status

__all__ = ["Ended", "Replies", "ReplyWriter"]


class Ended(Exception):  # noqa: N818
    """A request ends with an error."""

    def __init__(self, status: Status) -> None:
        self.status = status


class Replies:
    """What the device sends: frames one after another, of which the last bytes are kept."""

    def __init__(self, kept_bytes: int) -> None:
        self._kept_bytes = kept_bytes
        self._sent = b""
        self.position = 0
        #: What has to go onto the line.
        self.line = b""

    def send(self, command: int, status: Status, payload: bytes = b"") -> None:
        """Send a reply."""
        frame = Reply(self.position, command & 0x7F, status, payload).encode()
        self.line += frame
        self._sent = (self._sent + frame)[-self._kept_bytes :]
        self.position = (self.position + len(frame)) % NUMBERS

    def send_again(self, position: int) -> bool:
        """Send again all from a position on; return whether it is still kept."""
        count = (self.position - position) % NUMBERS
        if count > len(self._sent):
            return False
        self.line += self._sent[len(self._sent) - count :]
        return True


class ReplyWriter:
    """The reply to one request, which may take several frames."""

    def __init__(self, replies: Replies, command: int) -> None:
        self._replies = replies
        self._command = command
        self._payload = b""

    def read(self, data: bytes) -> None:
        """Give bytes that must fit; what does not ends the request."""
        room = PAYLOAD_BYTES - len(self._payload)
        self._payload += data[:room]
        if len(data) > room:
            raise Ended(Status.BAD_LENGTH)

    def give(self, data: bytes) -> None:
        """Give bytes; where a frame is full, another one begins."""
        while len(self._payload) + len(data) > PAYLOAD_BYTES:
            room = PAYLOAD_BYTES - len(self._payload)
            self._replies.send(self._command, Status.MORE, self._payload + data[:room])
            self._payload, data = b"", data[room:]
        self._payload += data

    def end(self, status: Status) -> None:
        """Send what is left."""
        self._replies.send(self._command, status, self._payload)
