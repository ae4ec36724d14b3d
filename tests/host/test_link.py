"""The link client: what is in flight, what is sent again, when it gives up, and what a new session ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import pytest

from attractor.host import DeviceError, LinkClient, LinkTimeout
from attractor.host.errors import LinkError, NotADevice, PortError, SessionLost
from attractor.host.flight import Answer, Ask, Flight, Window
from attractor.host.link import SENDS, WIRE_BYTES, accept
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import PacedLine, VirtualClock
from attractor.spec import OscillatorSpec
from attractor.spec.protocol import (
    ATTENTION,
    DELIMITER,
    NUMBERS,
    RECEIVE_BUFFER_BYTES,
    REPLY_BUFFER_BYTES,
    CallHeader,
    Command,
    Counters,
    Identity,
    Reply,
    Request,
    SessionState,
    Status,
)

from .lines import frames_of

SPEC = OscillatorSpec(oscillators=100, lanes=48, schedule_entries=1)
WEIGHTS, STATE = SPEC.memory_map.number("weights.0"), SPEC.memory_map.number("state")
SESSION = 65_530
WRITE_BYTES = len(Request(1, Command.WRITE, 1, 1, b"\1" * 240).encode())


def arrives(_: Request | Reply) -> Iterable[bytes] | None:
    """The fate of a frame to which nothing happens."""
    return None


class Recorder:
    """A paced line that keeps what is written, knows what is in flight, and lets functions decide on frames."""

    name = "line"

    def __init__(self, latency: float = 0.016) -> None:
        self.clock = VirtualClock()
        self.board = GoldenBoard(SPEC)
        self.line = PacedLine(self.board, self.clock, latency=latency)
        self.requests: list[Request] = []
        self.writes: list[bytes] = []
        self.times: list[float] = []
        self.unanswered: dict[int, int] = {}
        self.most_in_flight = 0
        #: What arrives of a frame; None for itself.
        self.outward: Callable[[Request], Iterable[bytes] | None] = arrives
        self.inward: Callable[[Reply], Iterable[bytes] | None] = arrives

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.times.append(self.clock.now)
        for frame in frames_of(data):
            if frame == DELIMITER:
                self.line.write(frame)
                continue
            request = Request.decode(frame[:-1])
            self.requests.append(request)
            if request.command not in (Command.SYNC, Command.IDENTIFY):
                self.unanswered[request.sequence] = len(frame)
                self.most_in_flight = max(self.most_in_flight, sum(self.unanswered.values()))
            fate = self.outward(request)
            self.line.write(frame if fate is None else b"".join(fate))

    def read(self, timeout: float) -> bytes:
        end, found = self.clock.now + timeout, b""
        while not found and (data := self.line.read(max(0.0, end - self.clock.now))):
            for frame in frames_of(data):
                reply = Reply.decode(frame[:-1])
                if reply.command not in (Command.SYNC, Command.IDENTIFY) and self.unanswered:
                    self.unanswered.pop(next(iter(self.unanswered)))
                fate = self.inward(reply)
                found += frame if fate is None else b"".join(fate)
        return found

    def close(self) -> None:
        pass

    def sent(self, command: Command) -> list[Request]:
        return [request for request in self.requests if request.command == command]


@pytest.fixture
def line() -> Recorder:
    return Recorder()


@pytest.fixture
def client(line: Recorder) -> LinkClient:
    """Return a client whose session has begun."""
    opened = LinkClient(line, clock=line.clock, session=SESSION)
    opened.begin()
    line.requests.clear()
    line.writes.clear()
    line.times.clear()
    return opened


def writes(count: int, *, start: int = 0) -> list[Ask]:
    """Return requests that each write another word of the state."""
    return [Ask(Command.WRITE, STATE, 0, bytes([index % 256]) * 100) for index in range(start, start + count)]


def reads(count: int, size: int = 100) -> list[Ask]:
    return [Ask(Command.READ, STATE, 0, bytes([size]), size) for _ in range(count)]


def calls(count: int, size: int = 1) -> list[Ask]:
    """Return calls that are refused, because there are no parameters."""
    payload = CallHeader(0, 1, 4).pack() + b"\1" * size
    return [Ask(Command.CALL, STATE, 0, payload, 4, 1.0, 1) for _ in range(count)]


def first_time(choose: Callable[[Request | Reply], bool]) -> Callable[[Request | Reply], Iterable[bytes] | None]:
    """Return the fate of frames of which each that is chosen is lost once."""
    lost: set[object] = set()

    def fate(frame: Request | Reply) -> Iterable[bytes] | None:
        key = frame.sequence if isinstance(frame, Request) else frame.position
        if not choose(frame) or key in lost:
            return None
        lost.add(key)
        return []

    return fate


class TestInFlight:
    """How much is sent before answers come."""

    def test_what_keeps_nobody_busy_fills_the_line(self, line: Recorder, client: LinkClient) -> None:
        begun, asks = line.clock.now, [Ask(Command.WRITE, WEIGHTS, 0, b"\1" * 240)] * 200
        assert {answer.status for answer in client.exchange(asks)} == {Status.OK}
        assert client.window.most - WRITE_BYTES < line.most_in_flight <= client.window.most
        assert line.clock.now - begun == pytest.approx(200 * WRITE_BYTES * 1e-5 + 0.016, abs=0.001)
        assert client.statistics.repeated == 0

    def test_replies_keep_to_the_reply_buffer(self, line: Recorder, client: LinkClient) -> None:
        most, outstanding = 0, Counter[str]()

        def sent(request: Request) -> None:
            nonlocal most
            outstanding["bytes"] += 109 * (request.command == Command.READ)
            most = max(most, outstanding["bytes"])

        def came(reply: Reply) -> None:
            outstanding["bytes"] -= 109 * (reply.command == Command.READ)

        line.outward, line.inward = sent, came
        client.exchange(reads(100))
        assert REPLY_BUFFER_BYTES - 64 - 109 < most <= REPLY_BUFFER_BYTES - 64

    def test_calls_begin_with_what_a_busy_device_takes_in(self, line: Recorder, client: LinkClient) -> None:
        stream = client.stream(calls(200, 100))
        next(stream)
        assert RECEIVE_BUFFER_BYTES - 125 < line.most_in_flight <= RECEIVE_BUFFER_BYTES
        assert len(list(stream)) == 199
        assert line.most_in_flight > 3 / 2 * RECEIVE_BUFFER_BYTES  # none was lost, so it grew to what the line holds

    def test_asks_are_taken_only_when_there_is_room(self, client: LinkClient) -> None:
        taken = 0

        def source() -> Iterator[Ask]:
            nonlocal taken
            for ask in calls(1000):
                taken += 1
                yield ask

        stream = client.stream(source())
        next(stream)
        assert 50 < taken < 130
        stream.close()

    def test_one_request_goes_out_however_long_its_reply(self, client: LinkClient) -> None:
        (answer,) = client.stream([Ask(Command.READ, STATE, 0, bytes([100]), 60_000)])
        assert len(answer.payload) == 100


class TestWindow:
    """How many bytes may be unanswered."""

    def test_it_doubles_each_round_trip_up_to_what_the_line_holds(self) -> None:
        window = Window(4000, 512)
        sizes = []
        for _ in range(6):
            sizes.append(window.bytes(calls=True))
            assert window.bytes(calls=False) == 4000
            window.answered(window.bytes(calls=True), calls=True)
            window.begin()  # nothing was lost: the next batch goes on with it
        assert sizes == [512, 1024, 2048, 4000, 4000, 4000]

    def test_what_are_no_calls_says_nothing_about_them(self) -> None:
        window = Window(4000, 512)
        window.answered(10_000, calls=False)
        assert (window.bytes(calls=True), window.bytes(calls=False)) == (512, 4000)

    def test_after_losses_it_grows_to_just_below_what_was_too_much_and_then_slowly(self) -> None:
        window = Window(12_000, 512)
        for _ in range(5):
            window.answered(window.bytes(calls=True), calls=True)
        window.lost(1000)  # in a burst: it tells nothing
        window.lost(3000)
        window.lost(None)  # it had been sent before: nor does this
        sizes = []
        for _ in range(8):
            sizes.append(window.bytes(calls=True))
            window.answered(window.bytes(calls=True), calls=True)
        assert sizes[:5] == [512, 1024, 1536, 2048, 2560]
        assert all(0 < later - earlier <= 512 for earlier, later in pairwise(sizes[4:6]))
        assert all(0 < later - earlier < 10 for earlier, later in pairwise(sizes[6:]))
        window.begin()
        assert window.bytes(calls=True) == 512

    def test_a_loss_halves_what_else_may_be_unanswered(self) -> None:
        window = Window(4000, 512)
        window.lost(100)
        assert window.bytes(calls=False) == 2000
        for _ in range(5):
            window.lost(100)
        assert window.bytes(calls=False) == 512
        for _ in range(50):
            window.answered(4000, calls=False)
        assert window.bytes(calls=False) == 4000

    def test_a_slow_line_holds_no_less_than_the_device_takes(self) -> None:
        assert Window(100, 512).most == 512


class TestLosses:
    """What is sent again."""

    def test_after_a_lost_request_the_rest_is_sent_again_without_waiting(
        self, line: Recorder, client: LinkClient
    ) -> None:
        begun = line.clock.now
        lost = (SESSION + 41) % NUMBERS
        line.outward = first_time(lambda request: request.sequence == lost)  # type: ignore[union-attr]
        answers = client.exchange(writes(100))
        assert [answer.ask.payload[0] for answer in answers] == list(range(100))
        assert line.clock.now - begun < 0.25  # no time limit has passed
        assert not line.sent(Command.SYNC)
        order = [request.sequence for request in line.requests]
        second = len(order) - 1 - order[::-1].index(lost)
        assert order[second:] == [(lost + index) % NUMBERS for index in range(60)]  # it, and all behind it
        assert next(data for data in line.writes[::-1] if line.requests[second].encode() in data).startswith(DELIMITER)
        assert line.board.link.contents(SPEC.memory_map["state"]) == bytes([99]) * 100

    def test_a_lost_last_request_costs_one_time_limit(self, line: Recorder, client: LinkClient) -> None:
        begun = line.clock.now
        line.outward = first_time(lambda request: request.sequence == (SESSION + 10) % NUMBERS)  # type: ignore[union-attr]
        client.exchange(writes(10))
        assert 0.25 < line.clock.now - begun < 0.5
        assert len(line.sent(Command.SYNC)) == 1
        assert len(line.sent(Command.WRITE)) == 11

    def test_a_lost_reply_is_asked_for_as_soon_as_a_later_one_comes(self, line: Recorder, client: LinkClient) -> None:
        begun, count = line.clock.now, Counter[int]()

        def fate(reply: Reply) -> Iterable[bytes] | None:
            count[reply.command] += 1
            return [] if count[Command.WRITE] == 7 and reply.command == Command.WRITE else None

        line.inward = fate
        answers = client.exchange(writes(60))
        assert [answer.ask.payload[0] for answer in answers] == list(range(60))
        assert line.clock.now - begun < 0.25
        assert len(line.sent(Command.SYNC)) == 1
        assert len(line.sent(Command.WRITE)) == 60  # nothing is carried out again

    def test_all_copies_and_late_replies_are_dropped(self, line: Recorder, client: LinkClient) -> None:
        late: list[bytes] = []

        def fate(reply: Reply) -> Iterable[bytes]:
            late.append(reply.encode())
            return [reply.encode(), *late[-5:-3], reply.encode()]

        line.inward = fate
        answers = client.exchange([Ask(Command.READ, STATE, word, b"\1", 1) for word in range(100)])
        assert [answer.ask.word for answer in answers] == list(range(100))
        assert client.statistics.stale > 150
        assert len(line.sent(Command.READ)) == 100

    def test_noise_is_counted_and_nothing_else(self, line: Recorder, client: LinkClient) -> None:
        line.inward = lambda reply: [b"\0noise\0" + b"\xff" * 2000 + b"\0", reply.encode()]
        assert client.ask(Command.COUNTERS)
        assert client.statistics.damaged == 2


class TestNumbers:
    """Sequence numbers, positions and sessions."""

    def test_sequence_numbers_wrap(self, line: Recorder, client: LinkClient) -> None:
        for _ in range(10):
            client.ask(Command.COUNTERS)
        assert [request.sequence for request in line.requests] == [65_531, 65_532, 65_533, 65_534, 65_535, *range(5)]

    def test_positions_wrap_in_the_middle_of_losses(self, line: Recorder) -> None:
        client = LinkClient(line, clock=line.clock, session=SESSION)
        line.board.link._replies.position = NUMBERS - 700
        client.begin()
        count = Counter[bool]()

        def fate(_: Reply) -> Iterable[bytes] | None:
            count[True] += 1
            return [] if count[True] % 6 == 0 else None

        line.inward = fate
        for index in range(80):
            line.board.link._windows[STATE].data[0] = index
            assert client.ask(Command.READ, STATE, 0, b"\1", 1) == bytes([index])
        assert 0 < line.board.link._replies.position < 2000

    def test_more_requests_than_numbers(self) -> None:
        board = GoldenBoard(OscillatorSpec(oscillators=2))
        client = LinkClient(board, session=5)
        client.begin()
        window, count = board.spec.memory_map.number("state"), NUMBERS + 300
        asks = (Ask(Command.WRITE, window, index % 2, bytes([index % 251])) for index in range(count))
        assert sum(answer.status == Status.OK for answer in client.stream(asks)) == count
        assert board.link._frames == count + 1

    def test_connections_begin_at_random_numbers_and_no_session_has_that_of_the_last(self, line: Recorder) -> None:
        sessions = []
        for _ in range(20):
            client = LinkClient(line, clock=line.clock)
            sessions.append(client.begin().session)
        assert len(set(sessions)) > 10

    def test_a_new_session_has_another_number(self, client: LinkClient) -> None:
        client._random.randrange = lambda start, _: start  # type: ignore[method-assign]
        assert [client.begin().session for _ in range(2)] == [SESSION + 1, SESSION + 2]
        client._number = NUMBERS - 1
        assert client.begin().session == 1, "a device without a session says that it has number 0"
        client._random.randrange = lambda _, stop: stop - 1  # type: ignore[method-assign]
        assert [client.begin().session for _ in range(2)] == [NUMBERS - 1, NUMBERS - 2]

    def test_late_identities_of_other_sessions_are_no_answer(self, line: Recorder, client: LinkClient) -> None:
        before = Identity(2, SPEC.fingerprint, 9, 512, 2048, 0, True)
        line.inward = lambda reply: [Reply(77, Command.IDENTIFY, Status.OK, before.pack()).encode(), reply.encode()]
        identity = client.begin()
        assert identity.session != 9
        assert not identity.parameters_valid

    @pytest.mark.parametrize("status", [Status.NO_SESSION, Status.LOST])
    def test_late_ends_of_other_sessions_end_nothing(self, line: Recorder, client: LinkClient, status: Status) -> None:
        session = SESSION if status == Status.NO_SESSION else 9
        stray = Reply(40_000, Command.SYNC, status, SessionState(session, 5).pack()).encode()
        line.inward = lambda reply: [stray, reply.encode()]
        assert len(client.exchange(writes(5))) == 5

    def test_a_reset_ends_the_session(self, line: Recorder, client: LinkClient) -> None:
        stream = client.stream(writes(100))
        next(stream)
        line.board.reset()
        with pytest.raises(SessionLost, match="line: the device was reset, or another program talks to it; reconnect"):
            list(stream)
        assert client.ask(Command.COUNTERS)  # in a new one

    def test_another_program_ends_the_session(self, line: Recorder, client: LinkClient) -> None:
        client.ask(Command.COUNTERS)
        line.board.write(Request(9, Command.IDENTIFY).encode())
        line.board.read(0.0)
        with pytest.raises(SessionLost):
            client.ask(Command.COUNTERS)

    def test_another_session_that_misses_a_number_of_ours(self, line: Recorder, client: LinkClient) -> None:
        """It says OUT_OF_ORDER where the next reply of ours would be, and its number is in flight here."""

        def take_over(request: Request) -> None:
            if request.sequence == (SESSION + 2) % NUMBERS:
                line.outward = arrives
                line.board.link._session = 9
                line.board.link._next = (SESSION + 1) % NUMBERS

        line.outward = take_over
        with pytest.raises(SessionLost):
            client.exchange(writes(5))

    def test_an_answer_that_went_by_ends_the_session(self, line: Recorder, client: LinkClient) -> None:
        """As after a reset between two IDENTIFY, if the host takes the position of the earlier answer."""
        client._session.expected += Reply.OVERHEAD + Counters.STRUCT.size
        start = line.clock.now
        with pytest.raises(SessionLost, match="the device was reset, or another program"):
            client.ask(Command.COUNTERS, reply_bytes=Counters.STRUCT.size)
        assert line.clock.now - start < 1.0
        client.ask(Command.COUNTERS, reply_bytes=Counters.STRUCT.size)

    def test_what_is_no_longer_kept_ends_the_session(self, line: Recorder, client: LinkClient) -> None:
        client.ask(Command.COUNTERS)

        def forget(_: Reply) -> Iterable[bytes]:
            line.board.link._replies._sent = b""
            line.inward = arrives
            return []

        line.inward = forget
        with pytest.raises(
            SessionLost, match="replies were lost that the device no longer keeps; the line is too noisy"
        ):
            client.ask(Command.COUNTERS)


class TestLimits:
    """When it gives up."""

    def test_one_request_that_never_gets_through(self, line: Recorder, client: LinkClient) -> None:
        number = (SESSION + 5) % NUMBERS
        line.outward = lambda request: [] if request.sequence == number else None
        message = "line: (WRITE was sent|no answer to WRITE after)"
        begun = line.clock.now
        with pytest.raises(LinkTimeout, match=message):
            client.exchange(writes(2000))
        assert 5 < sum(request.sequence == number for request in line.requests) <= SENDS
        assert line.clock.now - begun < SENDS

    def test_waits_double_and_end(self, line: Recorder, client: LinkClient) -> None:
        begun = line.clock.now
        line.outward = lambda _: []
        with pytest.raises(LinkTimeout, match="line: no answer to COUNTERS after 6 repeats; check power and cable"):
            client.ask(Command.COUNTERS)
        waits = [(later - earlier) / (line.times[1] - line.times[0]) for earlier, later in pairwise(line.times)]
        assert [round(wait) for wait in waits] == [1, 2, 4, 4, 4, 4]
        assert line.clock.now - begun < 7.0
        assert [request.command for request in line.requests] == [Command.COUNTERS] + [Command.SYNC] * 6

    def test_a_long_call_is_asked_about_ever_more_rarely_and_then_ended(
        self, line: Recorder, client: LinkClient
    ) -> None:
        begun = line.clock.now
        line.outward = lambda request: [] if request.command == Command.CALL else None
        line.inward = lambda reply: [] if reply.command == Command.SYNC else None
        ask = Ask(Command.CALL, STATE, 0, CallHeader(0, 1, 4).pack() + b"\1", 4, 20.0, 1)
        with pytest.raises(
            LinkTimeout, match="gave no results within 20 s and was aborted; give it a longer time limit"
        ):
            list(client.stream([ask]))
        assert 20.0 <= line.clock.now - begun < 22.0
        assert len(line.sent(Command.SYNC)) < 10
        assert client.unanswered_calls == 1
        assert line.writes[-2:] == [ATTENTION, line.requests[-1].encode()]
        assert line.requests[-1].command == Command.IDENTIFY

    def test_a_dead_line_is_no_longer_than_seconds(self, line: Recorder, client: LinkClient) -> None:
        line.outward = lambda _: []
        begun = line.clock.now
        with pytest.raises(LinkTimeout):
            client.begin()
        assert line.clock.now - begun < 7.0

    @pytest.mark.parametrize(
        ("payload", "message"),
        [
            (b"\1and more", "speaks protocol version 1, this program 2; build its gateware with this version, or"),
            (b"\3", "speaks protocol version 3, this program 2"),
        ],
    )
    def test_identities_of_other_versions(
        self, line: Recorder, client: LinkClient, payload: bytes, message: str
    ) -> None:
        line.inward = lambda reply: [Reply(reply.position, reply.command, 0, payload).encode()]
        with pytest.raises(NotADevice, match=message):
            client.begin()

    def test_refusals_are_explained(self, client: LinkClient) -> None:
        message = "READ was refused with BAD_ADDRESS: the device has no such window or word"
        with pytest.raises(DeviceError, match=message):
            client.ask(Command.READ, 99)
        assert "unknown status 77; was the gateware built by a newer version?" in str(DeviceError(Command.READ, 77))
        assert accept(Answer(Ask(Command.COMMIT), Status.COMMIT_MISMATCH, b"x"), Status.COMMIT_MISMATCH).payload == b"x"


class TestEnds:
    """Streams that end before their last answer."""

    @pytest.fixture
    def seen(self, line: Recorder) -> list[int]:
        """Return the first byte of each write, as the device carries them out."""
        found: list[int] = []
        execute = line.board.link._execute

        def kept(request: Request, reply: object) -> Status:
            if request.command == Command.WRITE:
                found.append(request.payload[0])
            return execute(request, reply)  # type: ignore[arg-type]

        line.board.link._execute = kept  # type: ignore[method-assign]
        return found

    def test_an_interrupt_begins_a_session_and_stays_an_interrupt(
        self, line: Recorder, client: LinkClient, seen: list[int]
    ) -> None:
        read, count = line.read, Counter[str]()

        def interrupted(timeout: float) -> bytes:
            count["reads"] += 1
            if count["reads"] == 2:
                raise KeyboardInterrupt
            return read(timeout)

        line.read = interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            client.exchange(writes(300))
        assert line.requests[-1].command == Command.IDENTIFY
        assert ATTENTION in line.writes
        assert client.sessions == 2
        carried_out = list(seen)
        assert client.ask(Command.COUNTERS)
        assert seen == carried_out == [index % 256 for index in range(len(seen))]

    def test_an_interrupt_on_a_dead_line_stays_an_interrupt(self, line: Recorder, client: LinkClient) -> None:
        line.outward = lambda _: []
        read, count = line.read, Counter[str]()

        def interrupted(timeout: float) -> bytes:
            count["reads"] += 1
            if count["reads"] == 1:
                raise KeyboardInterrupt
            return read(timeout)

        line.read = interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            client.ask(Command.COUNTERS)
        line.outward = arrives
        assert client.ask(Command.COUNTERS)
        assert client.sessions == 2

    def test_a_caller_that_stops_begins_a_session_and_nothing_of_it_acts_later(
        self, line: Recorder, client: LinkClient, seen: list[int]
    ) -> None:
        stream = client.stream(writes(100, start=1))
        assert [next(stream).ask.payload[0] for _ in range(3)] == [1, 2, 3]
        late = [data for data in line.writes if data]
        stream.close()
        assert client.sessions == 2
        before = list(seen)
        line.board.write(b"".join(late))  # copies of the old stream
        line.board.read(0.0)
        client.exchange(writes(2, start=200))
        assert seen == [*before, 200, 201]

    def test_a_caller_that_took_all_answers_begins_none(self, client: LinkClient) -> None:
        list(client.stream(writes(3)))
        stream = client.stream(writes(1))
        next(stream)
        stream.close()
        assert client.sessions == 1

    def test_other_requests_end_a_stream_and_it_says_so(self, client: LinkClient) -> None:
        stream = client.stream(calls(100))
        next(stream)
        assert client.ask(Command.COUNTERS)
        with pytest.raises(LinkError, match="line: other requests were made before the answers to these had come"):
            list(stream)
        assert client.unanswered_calls > 10
        assert client.sessions == 2
        assert client.ask(Command.COUNTERS)
        assert client.sessions == 2, "the old stream has ended nothing of the new one"

    def test_requests_made_by_the_source_of_others(self, client: LinkClient) -> None:
        def source() -> Iterator[Ask]:
            yield from writes(3)
            client.ask(Command.COUNTERS)
            yield from writes(3)

        with pytest.raises(LinkError, match="other requests were made"):
            list(client.stream(source()))

    def test_requests_between_streams_that_are_answered_end_nothing(self, client: LinkClient) -> None:
        for _ in client.stream(writes(1)):
            assert client.ask(Command.COUNTERS)
        assert client.sessions == 1

    def test_a_source_that_fails_ends_the_stream(self, line: Recorder, client: LinkClient) -> None:
        def source() -> Iterator[Ask]:
            yield from writes(3)
            raise ValueError("of the source")

        with pytest.raises(ValueError, match="of the source"):
            list(client.stream(source()))
        assert line.requests[-1].command == Command.IDENTIFY

    def test_a_port_that_breaks_down_leaves_calls_open(self, line: Recorder, client: LinkClient) -> None:
        def broken(_: float) -> bytes:
            raise PortError("line broke down")

        line.read = broken  # type: ignore[method-assign]
        with pytest.raises(PortError):
            client.exchange(calls(7))
        assert client.unanswered_calls == 7


class TestFlight:
    """Requests in the order of their numbers."""

    def test_a_number_that_was_never_sent_is_refused(self) -> None:
        flight = Flight(65_535)
        for ask in writes(3):
            flight.add(ask)
            assert flight.sendable(Window(10_000))
        assert [flight.missing(number % NUMBERS).sequence for number in (65_535, 65_536, 65_537)] == [65_535, 0, 1]  # type: ignore[union-attr]
        assert flight.missing(2) is None
        for number in (3, 65_534, 30_000):
            with pytest.raises(ValueError, match=f"takes number {number} next, which was never sent"):
                flight.missing(number)

    def test_going_back_keeps_the_order(self) -> None:
        flight, window = Flight(0), Window(10_000)
        for ask in writes(5):
            flight.add(ask)
        sent = [flight.sendable(window) for _ in range(4)]
        assert sent[1] is not None
        flight.go_back(sent[1])
        assert len(flight) == 5
        again = []
        while (found := flight.sendable(window)) is not None:
            again.append(found.sequence)
        assert again == [1, 2, 3, 4]

    def test_room_is_given_back(self) -> None:
        flight, window = Flight(0), Window(WIRE_BYTES)
        for ask in writes(100):
            flight.add(ask)
            while flight.sendable(window) is not None:
                pass
            while len(flight) > 2:
                flight.replied(Reply(0, Command.WRITE, Status.OK))
        assert flight._sent_bytes <= RECEIVE_BUFFER_BYTES
