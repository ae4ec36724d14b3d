"""The device that checks its client: our own host keeps all rules, and clients made to break one are found out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from attractor.host import Device, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import OscillatorSpec
from attractor.spec.protocol import ATTENTION, NUMBERS, Command, FrameError, Identity, Reply, Request, SessionState
from attractor.trials import trials_of
from attractor.verify.conformance import CLIENT_RULES, CheckingLine

SPEC = OscillatorSpec(oscillators=11, inputs=4, labels=3, reference=1, lanes=3, schedule_entries=3, learning=True)
#: Requests of a client.
REQUESTS = 300


@pytest.mark.parametrize("seed", range(5))
def test_our_own_host_keeps_all_rules_and_gets_the_right_results(seed: int) -> None:
    rng, trials = np.random.default_rng(seed), trials_of(SPEC)
    model = Model(SPEC, trials.parameters(SPEC, rng))
    inputs = [trials.inputs(SPEC, rng) for _ in range(100)]
    line = CheckingLine(GoldenBoard(SPEC), seed=seed)
    with Device.open(line) as device, Device.open(GoldenBoard(SPEC)) as plain:
        results = []
        for each in (device, plain):
            each.load(model)
            results.append(list(each.calls(inputs, repeatable=False)))
    assert results[0] == results[1]
    found = line.report()
    assert found.holds, [finding for finding in found.findings if not finding.holds]
    assert [finding.rule for finding in found.findings] == list(CLIENT_RULES)
    assert sum(line.happened.values()) > 2


class Client:
    """A simple client, one request at a time, whose methods can be replaced by worse ones."""

    def __init__(self, line: CheckingLine) -> None:
        self.line = line
        self.session, self.next, self.expected = 77, 78, 0

    def begin(self) -> None:
        self.line.write(ATTENTION)
        for _ in range(50):
            self.line.write(Request(self.session, Command.IDENTIFY).encode())
            for reply in self.replies():
                if reply.command == Command.IDENTIFY:
                    self.expected = reply.end
                    assert Identity.unpack(reply.payload).session == self.session
                    return
        raise AssertionError("no answer")

    def replies(self) -> list[Reply]:
        data = b"".join(self.line.read(0.0) for _ in range(10))
        found = []
        for frame in data.split(b"\0"):
            try:
                found.append(Reply.decode(frame))
            except FrameError:
                continue
        return found

    def frame(self, command: Command, payload: bytes, sends: int) -> bytes:  # noqa: ARG002
        return Request(self.next, command, 0, 0, payload).encode()

    def sync(self) -> None:
        self.line.write(b"\0" + Request(self.session, Command.SYNC, 0, self.expected).encode())

    def take(self, reply: Reply) -> bool:
        """Return whether a reply is the next one."""
        if reply.position != self.expected:
            return False
        self.expected = reply.end
        return True

    def ask(self, command: Command, payload: bytes = b"") -> None:
        self.line.write(self.frame(command, payload, 0))
        for sends in range(1, 50):
            for reply in self.replies():
                if not self.take(reply):
                    continue
                if reply.command == command:
                    self.next = (self.next + 1) % NUMBERS
                    return
                state = SessionState.unpack(reply.payload) if reply.command == Command.SYNC else None
                if state is not None and state.next == self.next:
                    self.line.write(self.frame(command, payload, sends))
            self.sync()
        raise AssertionError("no answer")


def checked(kind: type[Client], **options: Any) -> list[str]:
    """Return the rules that a client breaks."""
    line = CheckingLine(GoldenBoard(SPEC), **options)
    client = kind(line)
    try:
        client.begin()
        for _ in range(REQUESTS):
            client.ask(Command.READ, b"\x20")
    except AssertionError:
        pass  # a client that does not get on
    return line.report().broken


@pytest.mark.parametrize("seed", range(6))
def test_a_simple_client_keeps_all_rules(seed: int) -> None:
    assert checked(Client, seed=seed) == []


class WrongCrc(Client):
    def frame(self, command: Command, payload: bytes, sends: int) -> bytes:
        frame = super().frame(command, payload, sends)
        return frame if sends else frame[:-2] + bytes([frame[-2] ^ 3 or 1]) + frame[-1:]


class Hasty(Client):
    def begin(self) -> None:
        pass


class NewNumbers(Client):
    """What is sent again gets a number of its own."""

    def frame(self, command: Command, payload: bytes, sends: int) -> bytes:
        self.next = (self.next + (sends > 0)) % NUMBERS
        return super().frame(command, payload, sends)


class SkipsNumbers(Client):
    def ask(self, command: Command, payload: bytes = b"") -> None:
        super().ask(command, payload)
        self.next = (self.next + 1) % NUMBERS


class OtherBytes(Client):
    def frame(self, command: Command, payload: bytes, sends: int) -> bytes:
        return super().frame(command, payload[:-1] + bytes([payload[-1] + sends]), sends)


class TakesAnything(Client):
    """Has four requests under way, and takes replies as they come."""

    def ask(self, command: Command, payload: bytes = b"") -> None:
        for _ in range(4):
            self.line.write(self.frame(command, payload, 0))
            self.next = (self.next + 1) % NUMBERS
        left = 4
        for _ in range(50):
            for reply in self.replies():
                self.expected = reply.end
                left -= reply.command == command
            if left <= 0:
                return
            self.sync()


class Skips(Client):
    """Goes on behind a reply that was lost."""

    def sync(self) -> None:
        self.expected = (self.expected + 1) % NUMBERS
        super().sync()


class GivesUp(Client):
    """Sends nothing again."""

    def ask(self, command: Command, payload: bytes = b"") -> None:
        self.line.write(self.frame(command, payload, 0))
        for reply in self.replies():
            self.take(reply)
        self.next = (self.next + 1) % NUMBERS


class Deaf(Client):
    """Never looks at what comes."""

    def ask(self, command: Command, payload: bytes = b"") -> None:
        self.line.write(self.frame(command, b"\xc8"[: len(payload)], 0))
        self.next = (self.next + 1) % NUMBERS


class OtherSession(Client):
    def sync(self) -> None:
        self.line.write(Request(self.session + 1, Command.SYNC, 0, self.expected).encode())


class WrongRequests(Client):
    def ask(self, command: Command, payload: bytes = b"") -> None:
        super().ask(command, payload * 2)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (WrongCrc, "frames"),
        (Hasty, "begins by IDENTIFY"),
        (NewNumbers, "sends again"),
        (SkipsNumbers, "numbers"),
        (OtherBytes, "numbers"),
        (TakesAnything, "takes in order"),
        (Skips, "takes in order"),
        (GivesUp, "sends again"),
        (OtherSession, "takes in order"),
        (WrongRequests, "requests fit"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_client_that_breaks_a_rule(kind: type[Client], rule: str) -> None:
    assert any(rule in checked(kind, seed=seed) for seed in range(6))


def test_a_client_that_asks_for_more_than_is_kept() -> None:
    """A device with short replies on a line that brings none of them."""
    line = CheckingLine(GoldenBoard(SPEC), faults={"lose": 0.0})
    client = Client(line)
    client.begin()
    line._faults = {"delay": 1.0}
    for _ in range(100):
        Deaf.ask(client, Command.READ, b"\x20")  # type: ignore[arg-type]
    assert {"replies fit", "asks for lost replies"} <= {*line.report().broken}


def test_no_client_at_all() -> None:
    assert CheckingLine(GoldenBoard(SPEC)).report().broken == ["begins by IDENTIFY"]
