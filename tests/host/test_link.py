"""The link client: what is in flight, what is repeated, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from attractor.host import DeviceError, LinkClient, LinkTimeout, link
from attractor.host.link import SENDS
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import PacedLine, VirtualClock
from attractor.spec import OscillatorSpec
from attractor.spec.protocol import DELIMITER, RECEIVE_BUFFER_BYTES, Command, Reply, Request, Status


class Recorder:
    """A paced line that keeps what is written, knows what is in flight, and can lose frames."""

    name = "line"

    def __init__(self, latency: float = 0.016) -> None:
        self.clock = VirtualClock()
        self.line = PacedLine(GoldenBoard(OscillatorSpec(oscillators=100, lanes=48)), self.clock, latency=latency)
        self.requests: list[Request] = []
        self.writes: list[bytes] = []
        self.under_way: dict[int, int] = {}
        self.most_in_flight = 0
        self.lose: Callable[[Request], bool] = lambda _: False

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        for frame in data.split(DELIMITER)[:-1]:
            if frame:
                request = Request.decode(frame)
                self.requests.append(request)
                self.under_way[request.sequence] = len(frame) + 1
                self.most_in_flight = max(self.most_in_flight, sum(self.under_way.values()))
                if self.lose(request):
                    continue
            self.line.write(frame + DELIMITER)

    def read(self, timeout: float) -> bytes:
        data = self.line.read(timeout)
        for frame in data.split(DELIMITER)[:-1]:
            self.under_way.pop(Reply.decode(frame).sequence, None)
        return data

    def close(self) -> None:
        pass


@pytest.fixture
def line() -> Recorder:
    return Recorder()


@pytest.fixture
def client(line: Recorder) -> LinkClient:
    return LinkClient(line, clock=line.clock, session=65_530)


def reads(client: LinkClient, count: int) -> list[Request]:
    return [
        client.request(Command.READ, 3, index % 100, bytes([8 if index % 100 <= 92 else 1])) for index in range(count)
    ]


def writes(client: LinkClient, count: int) -> list[Request]:
    return [client.request(Command.WRITE, 3, index % 90, bytes([index % 256]) * 240) for index in range(count)]


def test_writes_fill_the_line_and_keep_to_the_window(line: Recorder, client: LinkClient) -> None:
    replies = client.exchange(writes(client, 200), in_flight=client.window_bytes)
    assert {reply.status for reply in replies} == {Status.OK}
    size = len(Request(1, Command.WRITE, 3, 0, bytes(240)).encode())
    assert client.window_bytes - size < line.most_in_flight <= client.window_bytes
    assert line.clock.now == pytest.approx(200 * size * 1e-5 + 0.016, abs=0.001)
    assert client.statistics.repeated == 0


def test_reads_keep_to_the_receive_buffer(line: Recorder, client: LinkClient) -> None:
    replies = client.exchange(reads(client, 150))
    assert {reply.status for reply in replies} == {Status.OK}
    assert RECEIVE_BUFFER_BYTES - 20 < line.most_in_flight <= RECEIVE_BUFFER_BYTES


def test_a_lost_request_alone_is_repeated_and_without_waiting(line: Recorder, client: LinkClient) -> None:
    requests = writes(client, 100)
    lost = [requests[40], requests[41]]
    line.lose = lambda request: lost.remove(request) is None if request in lost else False
    replies = client.exchange(requests, in_flight=client.window_bytes)
    assert [reply.sequence for reply in replies] == [request.sequence for request in requests]
    assert client.statistics.repeated == 2
    assert line.clock.now < 0.3  # no time limit has passed
    repeats = [data for data in line.writes if requests[40].encode() in data][-1]
    assert repeats == DELIMITER + requests[40].encode() + requests[41].encode()


def test_a_lost_last_reply_costs_one_time_limit(line: Recorder, client: LinkClient) -> None:
    requests = writes(client, 10)
    lost = requests[-3:]
    line.lose = lambda request: lost.remove(request) is None if request in lost else False
    client.exchange(requests, in_flight=client.window_bytes)
    assert client.statistics.repeated == 3
    assert 0.25 < line.clock.now < 0.5


def test_one_request_that_never_gets_through(line: Recorder, client: LinkClient) -> None:
    requests = writes(client, 2000)
    line.lose = lambda request: request == requests[5]
    with pytest.raises(LinkTimeout, match=f"line: WRITE was sent {SENDS} times without an answer while others were"):
        client.exchange(requests, in_flight=client.window_bytes)
    assert line.requests.count(requests[5]) == SENDS


def test_waits_double_and_end(line: Recorder, client: LinkClient) -> None:
    line.lose = lambda _: True
    times: list[float] = []
    write = line.write
    line.write = lambda data: (times.append(line.clock.now), write(data))[1]  # type: ignore[method-assign]
    with pytest.raises(LinkTimeout, match="line: no answer to COUNTERS after 6 repeats; check power and cable"):
        client.ask(Command.COUNTERS)
    waits = [round((later - earlier) / times[1]) for earlier, later in pairwise(times)]
    assert waits == [1, 2, 4, 4, 4, 4]
    assert line.clock.now < 7.0


def test_sequence_numbers_wrap(line: Recorder, client: LinkClient) -> None:
    for _ in range(10):
        client.ask(Command.COUNTERS)
    assert [request.sequence for request in line.requests] == [
        65_530,
        65_531,
        65_532,
        65_533,
        65_534,
        65_535,
        0,
        1,
        2,
        3,
    ]


def test_an_exchange_longer_than_the_sequence_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "SEQUENCES", 500)
    board = GoldenBoard(OscillatorSpec(oscillators=2))
    client = LinkClient(board, session=0)
    window = board.spec.memory_map.number("state")
    requests = [client.request(Command.WRITE, window, index % 2, bytes([index % 251])) for index in range(1200)]
    replies = client.exchange(requests, in_flight=client.window_bytes)
    assert [reply.sequence for reply in replies] == [index % 500 for index in range(1200)]
    assert board.link._frames == 1200


def test_no_number_is_used_for_two_calls_in_a_row(client: LinkClient) -> None:
    first = client.request(Command.CALL)
    for _ in range(65_535):
        client.request(Command.WRITE)
    assert client.request(Command.CALL).sequence != first.sequence


def test_connections_start_at_random_numbers(line: Recorder) -> None:
    starts = {LinkClient(line).request(Command.ABORT).sequence for _ in range(20)}
    assert len(starts) > 10


def test_foreign_replies_are_ignored(line: Recorder, client: LinkClient) -> None:
    read = line.line.read
    strangers = [
        Reply(65_529, Command.COUNTERS, Status.BAD_LENGTH).encode(),
        Reply(65_530, Command.DIGEST, Status.BAD_LENGTH).encode(),
        b"\0noise\0" + b"\xff" * 2000,
        b"\0",
    ]
    line.read = lambda timeout: strangers.pop(0) if strangers else read(timeout)  # type: ignore[method-assign]
    assert client.ask(Command.COUNTERS)
    assert (client.statistics.stale, client.statistics.damaged) == (2, 2)


def test_refusals_are_explained(client: LinkClient) -> None:
    with pytest.raises(DeviceError, match="READ was refused with BAD_ADDRESS: the device has no such window or word"):
        client.ask(Command.READ, 99)
    assert "unknown status 77; was the gateware built by a newer version?" in str(DeviceError(Command.READ, 77))


def test_an_interrupted_call_is_aborted(line: Recorder, client: LinkClient) -> None:
    def interrupt(_: float) -> bytes:
        raise KeyboardInterrupt

    line.read = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        client.call(client.request(Command.CALL, 4, 0, bytes(4)))
    assert line.requests[-1].command == Command.ABORT


def test_a_call_is_repeated_without_its_inputs(line: Recorder, client: LinkClient) -> None:
    lost: list[Request] = []
    line.lose = lambda request: not lost and not lost.append(request)
    reply = client.call(client.request(Command.CALL, 4, 0, bytes(104)))
    assert reply.status == Status.INVALID_PARAMETERS
    first, second = line.requests
    assert second == Request(first.sequence, Command.CALL, 4, 0, bytes(4))
