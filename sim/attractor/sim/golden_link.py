"""The device's side of the wire protocol in Python: what the gateware's link must answer, byte for byte.

:mod:`attractor.spec.protocol` leaves these questions open. A device answers them so:

- Nothing between two delimiters is no frame: it is neither answered nor counted. Whatever else is no frame counts as
  one damaged frame at its delimiter, however long it is. Bytes after the last delimiter count once theirs arrives.
- IDENTIFY and SYNC that are refused (a payload, or an IDENTIFY with an address) do nothing but answer.
- A request that is taken is checked in this order, and the first that fails decides: the command exists; window and
  first word exist and may be used so (only READ and DIGEST take the description; only WRITE a parameter window; WRITE
  and CALL an input window; commands without an address want window and word 0); the payload's length fits, and so do
  the header of a CALL (``words`` of at least 1, no more ``bits`` than the word has) and the rate of BAUD; the
  parameters of a CALL that runs something are valid. A request that fails here changes nothing.
- Words are then taken or given one by one. Before each the device looks whether it exists (BAD_ADDRESS), and with each
  byte whether the payload ends (BAD_LENGTH), or for READ whether the reply is full (BAD_LENGTH). Words taken before
  stay written, and calls made before have run; a reply carries the whole bytes that were gathered.
- No words is a whole number of words: WRITE, READ, DIGEST and CALL take it, if the first word exists.
- WRITE to a parameter window makes the parameters invalid, even if it writes the same bytes or none.
- COMMIT with another CRC-32 makes parameters invalid that were valid before.
- A call that learns changes parameters, which stay valid. ``want`` may be more than the outputs hold: then all come.
- Bits of a word above ``word_bits`` are dropped when written and read as 0.
- COUNTERS counts its own request, and all other frames that were not damaged.
- A SYNC of another session, and any ordered request before the first, gets NO_SESSION with the session and number that
  the device has, 0 without any. SYNC looks at the 16 lowest bits of the word and at no window.
- After a reset there is no session, position and counters are 0, and parameters are invalid; memories keep their
  contents.
"""

from __future__ import annotations

from collections.abc import Callable

from attractor.sim.golden_replies import Ended, Replies, ReplyWriter
from attractor.spec import Region, Spec, Window
from attractor.spec.packing import pack_words, packed_bytes, unpack_words
from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    DELIMITER,
    DESCRIPTION_WINDOW,
    FRAME_BYTES,
    FULL_BUFFERS,
    LEAST_CYCLES_PER_BIT,
    NUMBERS,
    PROTOCOL_VERSION,
    RATE_CYCLES,
    UNORDERED,
    Buffers,
    CallHeader,
    Command,
    Counters,
    FrameError,
    Identity,
    Request,
    SessionState,
    Status,
    crc32,
)

__all__ = ["GoldenLink", "WindowMemory"]

#: Longest frame on the wire, without its delimiter.
_LONGEST = FRAME_BYTES + 1


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
        self.word_bits = word_bits
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

    A call runs as soon as its frame has ended, so nothing ever waits in the receive buffer. A call under way ends when
    another thread that saw the attention sign calls :meth:`attention`. The line has one rate.

    Parameters
    ----------
    spec:
        The network.
    description:
        Compressed description, as :func:`~attractor.spec.protocol.encode_description` makes it.
    run:
        The core: takes the parameter windows by name and the input region, returns the output region. Where it learns,
        it replaces parameter windows.
    buffers:
        What it keeps. It is never busy, so it takes in all; but it says that it would not.
    """

    def __init__(
        self,
        spec: Spec,
        description: bytes,
        run: Callable[[dict[str, bytes], bytes], bytes],
        *,
        buffers: Buffers = FULL_BUFFERS,
    ) -> None:
        self.spec = spec
        self.memory_map = spec.memory_map
        self._run = run
        self._buffers = buffers
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
        self._session: int | None = None
        self._next = 0
        self._complained = self._halted = False
        self._zeros = 0
        self._frames = 0
        self._damaged = 0
        self._partial = b""
        self._replies = Replies(self._buffers.reply)

    def contents(self, window: Window) -> bytes:
        """Return the bytes of one window of the memory map."""
        return bytes(self._windows[self.memory_map.number(window.name)].data)

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the line, in pieces of any length; return those that the device answers."""
        *frames, partial = (self._partial + data).split(DELIMITER)
        for frame in frames:
            self._zeros = 1 if frame else self._zeros + 1
            if frame:
                self._take(frame)
            elif self._zeros == len(ATTENTION):
                self._halted = True
        if partial:
            self._zeros = 0
        # One byte more than the longest frame is enough to know that this is none.
        self._partial = partial[: _LONGEST + 1]
        answer, self._replies.line = self._replies.line, b""
        return answer

    def attention(self) -> None:
        """End the call under way and drop what follows, as the sign does that is on its way to :meth:`receive`."""
        self._halted = True

    @property
    def halted(self) -> bool:
        """Whether the attention sign has come, and no SYNC or IDENTIFY since."""
        return self._halted

    def _take(self, frame: bytes) -> None:
        try:
            request = Request.decode(frame)
        except FrameError:
            self._damaged += 1
            return
        self._frames += 1
        if request.command in UNORDERED:
            self._answer(request)
        elif self._session is None:
            self._complain(Status.NO_SESSION)
        elif self._halted:
            pass
        elif request.sequence == self._next:
            self._next = (self._next + 1) % NUMBERS
            self._complained = False
            self._answer(request)
        elif (request.sequence - self._next) % NUMBERS < NUMBERS // 2:
            self._complain(Status.OUT_OF_ORDER)

    def _complain(self, status: Status) -> None:
        if not self._complained:
            self._complained = True
            self._replies.send(Command.SYNC, status, self._state())

    def _state(self) -> bytes:
        return SessionState(self._session or 0, self._next).pack()

    def _answer(self, request: Request) -> None:
        reply = ReplyWriter(self._replies, request.command)
        try:
            status = self._execute(request, reply)
        except Ended as end:
            status = end.status
        reply.end(status)

    def _execute(self, request: Request, reply: ReplyWriter) -> Status:
        match request.command:
            case Command.READ:
                return self._read(request, reply)
            case Command.WRITE:
                return self._write(request)
            case Command.DIGEST:
                return self._digest(request, reply)
            case Command.CALL:
                return self._call(request, reply)
            case Command.COMMIT:
                return self._commit(request, reply)
            case Command.IDENTIFY:
                return self._identify(request, reply)
            case Command.SYNC:
                return self._sync(request, reply)
            case Command.COUNTERS:
                self._no_address(request)
                self._length(request, 0)
                reply.read(Counters(self._frames % 2**32, self._damaged % 2**32, 0).pack())
                return Status.OK
            case Command.BAUD:
                self._no_address(request)
                self._length(request, 3)
                if not 1 <= int.from_bytes(request.payload, "little") <= RATE_CYCLES // LEAST_CYCLES_PER_BIT:
                    raise Ended(Status.BAD_LENGTH)
                return Status.OK
        raise Ended(Status.BAD_COMMAND)

    # Checks

    def _window(self, request: Request, *regions: Region | None) -> WindowMemory:
        """Return the window if it is in one of ``regions`` and has the request's first word."""
        window = self._windows.get(request.window)
        if window is None or window.region not in regions or request.word >= window.words:
            raise Ended(Status.BAD_ADDRESS)
        return window

    @staticmethod
    def _no_address(request: Request) -> None:
        if request.window or request.word:
            raise Ended(Status.BAD_ADDRESS)

    @staticmethod
    def _length(request: Request, length: int) -> None:
        if len(request.payload) != length:
            raise Ended(Status.BAD_LENGTH)

    # Commands

    def _read(self, request: Request, reply: ReplyWriter) -> Status:
        window = self._window(request, None, *Region)
        self._length(request, 1)
        for word in range(request.word, request.word + request.payload[0]):
            reply.read(self._word(window, word))
        return Status.OK

    def _digest(self, request: Request, reply: ReplyWriter) -> Status:
        window = self._window(request, None, *Region)
        self._length(request, 3)
        count = int.from_bytes(request.payload, "little")
        if request.word + count > window.words:
            raise Ended(Status.BAD_ADDRESS)
        reply.read(CRC32.pack(crc32(bytes(window.data[window.slice(request.word, count)]))))
        return Status.OK

    @staticmethod
    def _word(window: WindowMemory, word: int) -> bytes:
        if word >= window.words:
            raise Ended(Status.BAD_ADDRESS)
        return bytes(window.data[window.slice(word, 1)])

    def _write(self, request: Request) -> Status:
        window = self._window(request, Region.PARAMETERS, Region.INPUT)
        if window.region is Region.PARAMETERS:
            self.parameters_valid = False
            self.parameter_writes += bool(request.payload)
        words, rest = divmod(len(request.payload), window.word_bytes)
        fitting = min(words, window.words - request.word)
        window.write(request.word, request.payload[: fitting * window.word_bytes])
        if request.word + words + bool(rest) > window.words:
            raise Ended(Status.BAD_ADDRESS)
        if rest:
            raise Ended(Status.BAD_LENGTH)
        return Status.OK

    def _commit(self, request: Request, reply: ReplyWriter) -> Status:
        self._no_address(request)
        self._length(request, CRC32.size)
        digest = CRC32.pack(crc32(self._region(Region.PARAMETERS)))
        self.parameters_valid = request.payload == digest
        reply.read(digest)
        return Status.OK if self.parameters_valid else Status.COMMIT_MISMATCH

    def _call(self, request: Request, reply: ReplyWriter) -> Status:
        window = self._window(request, Region.INPUT)
        if len(request.payload) < CallHeader.STRUCT.size:
            raise Ended(Status.BAD_LENGTH)
        header, packed = CallHeader.unpack(request.payload), request.payload[CallHeader.STRUCT.size :]
        if header.words == 0 or header.bits > window.word_bits:
            raise Ended(Status.BAD_LENGTH)
        if header.want and not self.parameters_valid:
            raise Ended(Status.INVALID_PARAMETERS)
        bits = header.bits or window.word_bits
        size = packed_bytes(header.words, bits)
        for start in range(0, len(packed), size):
            self._take_words(window, request.word, header.words, bits, packed[start : start + size])
            if header.want:
                self._run_core()
                reply.give(self._outputs()[: header.want])
                if self._halted:
                    raise Ended(Status.ABORTED)
        return Status.OK

    @staticmethod
    def _take_words(window: WindowMemory, first: int, words: int, bits: int, packed: bytes) -> None:
        """Write the words of one call."""
        given = min(words, 8 * len(packed) // bits)
        fitting = min(given, window.words - first)
        window.write(first, unpack_words(packed, fitting, window.word_bytes, bits))
        if fitting < words:
            raise Ended(Status.BAD_ADDRESS if first + fitting >= window.words else Status.BAD_LENGTH)

    def _run_core(self) -> None:
        before = {window.name: self.contents(window) for window in self.memory_map.region(Region.PARAMETERS)}
        parameters = dict(before)
        outputs = self.memory_map.split(Region.OUTPUT, self._run(parameters, self._region(Region.INPUT)))
        learnt = {name: data for name, data in parameters.items() if data is not before[name]}
        for name, data in (outputs | learnt).items():
            self._windows[self.memory_map.number(name)].write(0, data)

    def _outputs(self) -> bytes:
        """Return the words of all output windows without the unused bits between them."""
        bits, value = 0, 0
        for window in self.memory_map.region(Region.OUTPUT):
            packed = pack_words(self.contents(window), window.word_bytes, window.word_bits)
            value |= int.from_bytes(packed, "little") << bits
            bits += window.words * window.word_bits
        return value.to_bytes(packed_bytes(1, bits), "little")

    def _identify(self, request: Request, reply: ReplyWriter) -> Status:
        self._no_address(request)
        self._length(request, 0)
        self._halted = self._complained = False
        if request.sequence != self._session:
            self._session, self._next = request.sequence, (request.sequence + 1) % NUMBERS
        identity = Identity(
            protocol=PROTOCOL_VERSION,
            fingerprint=self.spec.fingerprint,
            session=request.sequence,
            receive_buffer=self._buffers.receive,
            reply_buffer=self._buffers.reply,
            description_bytes=self._description_bytes,
            parameters_valid=self.parameters_valid,
        )
        reply.read(identity.pack())
        return Status.OK

    def _sync(self, request: Request, reply: ReplyWriter) -> Status:
        self._length(request, 0)
        reply.read(self._state())
        if request.sequence != self._session:
            return Status.NO_SESSION
        self._halted = self._complained = False
        return Status.OK if self._replies.send_again(request.word % NUMBERS) else Status.LOST

    def _region(self, region: Region) -> bytes:
        return b"".join(self.contents(window) for window in self.memory_map.region(region))
