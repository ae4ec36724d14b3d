"""The device's side of the wire protocol in Python: what the gateware's link must answer, byte for byte.

:mod:`attractor.spec.protocol` leaves these questions open. A device answers them so:

- Nothing between two delimiters is no frame: it is neither answered nor counted. Whatever else is no frame counts as
  one damaged frame at its delimiter, however long it is. Bytes after the last delimiter count once theirs arrives.
- Checks run in this order, and the first that fails decides: the command exists; window and first word exist and may
  be used so (only READ and DIGEST take the description; only WRITE a parameter window; WRITE and CALL an input
  window; commands without an address want window and word 0); the payload's length fits; for READ the words fit one
  frame; the last word exists (else BAD_ADDRESS). Only CALL then looks at the validity of the parameters.
- A refused request changes nothing but the count of frames, and its reply is empty. COMMIT_MISMATCH and ABORTED
  are no refusals: their replies carry the device's CRC-32 and the outputs.
- No words is a whole number of words: WRITE, READ, DIGEST and CALL take it, if the first word exists.
- WRITE to a parameter window makes the parameters invalid, even if it writes the same bytes or none.
- COMMIT with another CRC-32 makes parameters invalid that were valid before.
- CALL keeps the input words that it wrote when it ends in INPUT_MISMATCH, and writes none when parameters are
  invalid. The *last call* is the last one that ran the core. Its number is looked at after the checks of address and
  length and before that of validity, so its results can be fetched again while a model is being loaded.
- A call that learns changes parameters, which stay valid.
- ABORT without a call under way is OK and does nothing. An ABORTED call sent again answers ABORTED again.
- Bits of a word above ``word_bits`` are dropped when written and read as 0.
- COUNTERS counts its own request. IDENTIFY forgets the last call and leaves the counters alone.
- After a reset parameters are invalid, there is no last call and the counters are 0; memories keep their contents.
"""

from __future__ import annotations

from collections.abc import Callable

from attractor.spec import PAYLOAD_BYTES, Region, Spec, Window
from attractor.spec.protocol import (
    CRC32,
    DELIMITER,
    DESCRIPTION_WINDOW,
    FRAME_BYTES,
    PROTOCOL_VERSION,
    RECEIVE_BUFFER_BYTES,
    Command,
    Counters,
    FrameError,
    Identity,
    Reply,
    Request,
    Status,
    crc32,
)

__all__ = ["GoldenLink", "WindowMemory"]

#: Longest frame on the wire, without its delimiter.
_LONGEST = FRAME_BYTES + 1


class _Refusal(Exception):  # noqa: N818
    def __init__(self, status: Status) -> None:
        self.status = status


class WindowMemory:
    """Words of one window.

    Parameters
    ----------
    words, word_bits:
        As in :class:`Window`.
    region:
        What the window is for; None for the description.
    """

    def __init__(self, words: int, word_bits: int, region: Region | None) -> None:
        self.words = words
        self.region = region
        self.word_bytes = (word_bits + 7) // 8
        self.data = bytearray(words * self.word_bytes)
        kept = (1 << (word_bits - 8 * (self.word_bytes - 1))) - 1
        self._top_byte = bytes(value & kept for value in range(256))

    def slice(self, word: int, count: int) -> slice:
        """Return where ``count`` words from ``word`` lie in ``data``."""
        return slice(word * self.word_bytes, (word + count) * self.word_bytes)

    def write(self, word: int, data: bytes) -> None:
        """Write whole words; bits that the window does not keep are dropped."""
        kept = bytearray(data)
        top = slice(self.word_bytes - 1, None, self.word_bytes)
        kept[top] = kept[top].translate(self._top_byte)
        self.data[self.slice(word, len(data) // self.word_bytes)] = kept


class GoldenLink:
    """Everything between the serial line and a core.

    A call runs as soon as its frame has ended, so nothing ever waits in the receive buffer and there is never a call
    under way that ABORT could end.

    Parameters
    ----------
    spec:
        The network.
    description:
        Compressed description, as :func:`~attractor.spec.protocol.encode_description` makes it.
    run:
        The core: takes the parameter windows by name and the input region, returns the output region. Where it learns,
        it replaces parameter windows.
    """

    def __init__(self, spec: Spec, description: bytes, run: Callable[[dict[str, bytes], bytes], bytes]) -> None:
        self.spec = spec
        self.memory_map = spec.memory_map
        self._run = run
        self._description_bytes = len(description)
        rom = WindowMemory(len(description), 8, None)
        rom.write(0, description)
        self._windows = {DESCRIPTION_WINDOW: rom}
        #: Requests so far that wrote words of parameter windows.
        self.parameter_writes = 0
        for window in self.memory_map.windows:
            memory = WindowMemory(window.words, window.word_bits, window.region)
            self._windows[self.memory_map.number(window.name)] = memory
        self.reset()

    def reset(self) -> None:
        """Do what the device's reset does."""
        self.parameters_valid = False
        self._last_call: int | None = None
        self._frames = 0
        self._damaged = 0
        self._partial = b""

    def contents(self, window: Window) -> bytes:
        """Return the bytes of one window of the memory map."""
        return bytes(self._windows[self.memory_map.number(window.name)].data)

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the line, in pieces of any length; return those that the device answers."""
        *frames, partial = (self._partial + data).split(DELIMITER)
        # One byte more than the longest frame is enough to know that this is none.
        self._partial = partial[: _LONGEST + 1]
        return b"".join(self._answer(frame) for frame in frames if frame)

    def _answer(self, frame: bytes) -> bytes:
        try:
            request = Request.decode(frame)
        except FrameError:
            self._damaged += 1
            return b""
        self._frames += 1
        try:
            status, payload = self._execute(request)
        except _Refusal as refusal:
            status, payload = refusal.status, b""
        # A request may carry any number as its command; a reply sets the highest bit.
        return Reply(request.sequence, request.command, status, payload).encode()

    def _execute(self, request: Request) -> tuple[Status, bytes]:
        match request.command:
            case Command.READ:
                return self._read(request)
            case Command.WRITE:
                return self._write(request)
            case Command.DIGEST:
                return self._digest(request)
            case Command.CALL:
                return self._call(request)
            case Command.COMMIT:
                return self._commit(request)
            case Command.IDENTIFY | Command.ABORT | Command.COUNTERS:
                return self._report(request)
        raise _Refusal(Status.BAD_COMMAND)

    # Checks

    def _window(self, request: Request, *regions: Region | None) -> WindowMemory:
        """Return the window if it is in one of ``regions`` and has the request's first word."""
        window = self._windows.get(request.window)
        if window is None or window.region not in regions or request.word >= window.words:
            raise _Refusal(Status.BAD_ADDRESS)
        return window

    @staticmethod
    def _no_address(request: Request) -> None:
        if request.window or request.word:
            raise _Refusal(Status.BAD_ADDRESS)

    @staticmethod
    def _length(request: Request, length: int) -> None:
        if len(request.payload) != length:
            raise _Refusal(Status.BAD_LENGTH)

    @staticmethod
    def _whole_words(window: WindowMemory, word: int, data: bytes) -> None:
        if len(data) % window.word_bytes:
            raise _Refusal(Status.BAD_LENGTH)
        if word + len(data) // window.word_bytes > window.words:
            raise _Refusal(Status.BAD_ADDRESS)

    # Commands

    def _read(self, request: Request) -> tuple[Status, bytes]:
        window = self._window(request, None, *Region)
        self._length(request, 1)
        count = request.payload[0]
        if count * window.word_bytes > PAYLOAD_BYTES:
            raise _Refusal(Status.BAD_LENGTH)
        return Status.OK, self._words(window, request.word, count)

    def _digest(self, request: Request) -> tuple[Status, bytes]:
        window = self._window(request, None, *Region)
        self._length(request, 3)
        count = int.from_bytes(request.payload, "little")
        return Status.OK, CRC32.pack(crc32(self._words(window, request.word, count)))

    @staticmethod
    def _words(window: WindowMemory, word: int, count: int) -> bytes:
        if word + count > window.words:
            raise _Refusal(Status.BAD_ADDRESS)
        return bytes(window.data[window.slice(word, count)])

    def _write(self, request: Request) -> tuple[Status, bytes]:
        window = self._window(request, Region.PARAMETERS, Region.INPUT)
        self._whole_words(window, request.word, request.payload)
        if window.region is Region.PARAMETERS:
            self.parameters_valid = False
            self.parameter_writes += bool(request.payload)
        window.write(request.word, request.payload)
        return Status.OK, b""

    def _commit(self, request: Request) -> tuple[Status, bytes]:
        self._no_address(request)
        self._length(request, CRC32.size)
        digest = crc32(self._region(Region.PARAMETERS))
        self.parameters_valid = request.payload == CRC32.pack(digest)
        return Status.OK if self.parameters_valid else Status.COMMIT_MISMATCH, CRC32.pack(digest)

    def _call(self, request: Request) -> tuple[Status, bytes]:
        window = self._window(request, Region.INPUT)
        if len(request.payload) < CRC32.size:
            raise _Refusal(Status.BAD_LENGTH)
        expected, words = request.payload[: CRC32.size], request.payload[CRC32.size :]
        self._whole_words(window, request.word, words)
        if request.sequence != self._last_call:
            if not self.parameters_valid:
                raise _Refusal(Status.INVALID_PARAMETERS)
            window.write(request.word, words)
            inputs = self._region(Region.INPUT)
            if CRC32.pack(crc32(inputs)) != expected:
                raise _Refusal(Status.INPUT_MISMATCH)
            self._run_core(inputs)
            self._last_call = request.sequence
        return Status.OK, self._region(Region.OUTPUT)[:PAYLOAD_BYTES]

    def _run_core(self, inputs: bytes) -> None:
        before = {window.name: self.contents(window) for window in self.memory_map.region(Region.PARAMETERS)}
        parameters = dict(before)
        outputs = self.memory_map.split(Region.OUTPUT, self._run(parameters, inputs))
        learnt = {name: data for name, data in parameters.items() if data is not before[name]}
        for name, data in (outputs | learnt).items():
            self._windows[self.memory_map.number(name)].write(0, data)

    def _report(self, request: Request) -> tuple[Status, bytes]:
        """Serve the commands that take neither address nor payload."""
        self._no_address(request)
        self._length(request, 0)
        if request.command == Command.ABORT:
            return Status.OK, b""
        if request.command == Command.COUNTERS:
            return Status.OK, Counters(self._frames % 2**32, self._damaged % 2**32, 0).pack()
        self._last_call = None
        identity = Identity(
            protocol=PROTOCOL_VERSION,
            fingerprint=self.spec.fingerprint,
            receive_buffer=RECEIVE_BUFFER_BYTES,
            description_bytes=self._description_bytes,
            parameters_valid=self.parameters_valid,
        )
        return Status.OK, identity.pack()

    def _region(self, region: Region) -> bytes:
        return b"".join(self.contents(window) for window in self.memory_map.region(region))
