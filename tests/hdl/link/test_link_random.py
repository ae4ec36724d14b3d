from __future__ import annotations

import random
from collections import Counter

import pytest

from attractor.sim.golden_link import GoldenLink
from attractor.spec import Region, Window
from attractor.spec.protocol import ATTENTION, NUMBERS, UNORDERED, Buffers, Command, Reply, Request, Status

from .bench import BUFFERS, SESSION, Host, bench, exchange
from .dummy import NO_PARAMETERS, WIDE_WINDOWS, WINDOWS
from .requests import Requests

#: What must have happened at least once in all random sessions together.
EVENTS = (
    *(f"{command.name} answered" for command in Command),
    *(Status),
    "copy",
    "gap",
    "damaged",
    "cut",
    "attention",
    "another session",
    "session again",
    "sync of another session",
    "bytes sent again",
    "several frames at once",
    "line stalls",
    "sender stalls",
)


class Session:
    """A host that draws what it sends, and counts what came of it."""

    def __init__(self, golden: GoldenLink, seed: int) -> None:
        self.random = random.Random(seed)
        self.golden = golden
        self.requests = Requests(golden, seed, self.random.choice([SESSION, 0, self.random.randrange(NUMBERS)]))
        self.last = b""
        self.position = 0
        self.events: Counter[str | Status] = Counter()

    def draw(self) -> bytes:
        """Return what is sent next."""
        rng, requests = self.random, self.requests
        match rng.randrange(24):
            case 0 if self.last:
                self.events["copy"] += 1
                return self.last
            case 1:
                self.events["gap"] += 1
                skipped = rng.choice([1, 2, 0x7FFE, 0x7FFF, 0x8000])
                return Request((requests.sequence + 1 + skipped) % NUMBERS, rng.choice([2, 3, 8])).encode()
            case 2:
                self.events["damaged"] += 1
                data = bytearray(self.last or Request(1, Command.COUNTERS).encode())
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                return bytes(data) + b"\0"
            case 3:
                self.events["cut"] += 1
                return rng.randbytes(rng.choice([1, 5, 300])).replace(b"\0", b"\1") + b"\0"
            case 4:
                self.events["attention"] += 1
                return ATTENTION + bytes(rng.randrange(2) * 9)
            case 5:
                self.events["another session"] += 1
                return requests.identify(rng.randrange(NUMBERS)).encode()
            case 6:
                self.events["session again"] += 1
                return requests.identify(requests.session).encode()
            case 7:
                self.events["sync of another session"] += 1
                return Request(requests.session ^ 1 << rng.randrange(16), Command.SYNC, 0, 0).encode()
            case 8:
                command = rng.choice(UNORDERED)
                return Request(requests.session, command, rng.randrange(2), 0, bytes(rng.randrange(2))).encode()
            case 9 | 10 | 11:
                return self.sync()
            case 12:
                self.events["several frames at once"] += 1
                return b"".join(self.requests.any().encode() for _ in range(3))
            case _:
                self.last = requests.any().encode()
                return self.last

    def sync(self) -> bytes:
        """Ask for a position that is near the end, at the limit of what is kept, or anywhere."""
        rng, kept = self.random, self.golden._buffers.reply
        position = self.golden._replies.position
        back = rng.choice([0, 1, rng.randrange(kept + 1), kept - 1, kept, kept + 1, -1, rng.randrange(NUMBERS)])
        return self.requests.sync((position - back) % NUMBERS | rng.choice([0, 0x450000])).encode()

    def note(self, answer: bytes) -> None:
        """Count what an answer tells."""
        for frame in answer.split(b"\0")[:-1]:
            try:
                reply = Reply.decode(frame)
            except ValueError:
                # Bytes that are sent again may begin within a frame.
                continue
            self.events[Status(reply.status)] += 1
            if reply.command in list(Command):
                self.events[f"{Command(reply.command).name} answered"] += 1
            if reply.position != self.position:
                self.events["bytes sent again"] += 1
            self.position = reply.end


def run(windows: tuple[Window, ...], buffers: Buffers, seed: int, count: int) -> Counter[str | Status]:
    """Send ``count`` times something in one session; return what happened."""
    device = bench(windows, buffers)
    golden, _ = device.golden()
    session = Session(golden, seed)
    rng = random.Random(seed)
    line_stalls, sender_stalls = rng.random() < 0.3, rng.random() < 0.3

    async def script(host: Host) -> None:
        if line_stalls:
            host.stall = 0.9
        for number in range(count):
            data = session.draw()
            if number == 1:
                data = session.requests.identify(session.requests.session).encode()
            if number == 3 and windows[0].region is not Region.PARAMETERS:
                data = session.requests.commit().encode()
            answer = await exchange(host, golden, data, gap=lambda: rng.choice([0, 40]) if sender_stalls else 0)
            session.note(answer)
            # Skipped numbers are used again, as after a loss.
            session.requests.sequence = (golden._next - 1) % NUMBERS
        assert host.ctx.get(host.link.parameters_valid) == golden.parameters_valid

    device.run(script, seed)
    session.events["line stalls"] += line_stalls
    session.events["sender stalls"] += sender_stalls
    return session.events


CASES: list[tuple[tuple[Window, ...], Buffers]] = [
    (WINDOWS, BUFFERS),
    (WINDOWS, BUFFERS),
    (WIDE_WINDOWS, Buffers(512, 1024)),
    (NO_PARAMETERS, BUFFERS),
    (WINDOWS, Buffers(1024, 2048)),
]


def test_anything_is_answered_as_the_golden_model_does() -> None:
    events: Counter[str | Status] = Counter()
    for seed in range(6):
        events += run(*CASES[seed % len(CASES)], seed, 30)
    # An attention sign during a call cannot be compared with a model that takes no time.
    missing = {event for event in EVENTS if not events[event]} - {Status.ABORTED}
    assert not missing


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_anything_is_answered_for_long(seed: int) -> None:
    run(*CASES[seed % len(CASES)], seed, 120)
