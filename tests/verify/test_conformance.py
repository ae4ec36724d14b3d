"""The checks of devices: the golden board keeps every rule, and each rule is broken by a board made for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from attractor.host import Device, Model
from attractor.host.errors import NotADevice
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.sim.golden_replies import Ended, Replies, ReplyWriter
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Region, Spec
from attractor.spec.protocol import (
    FULL_BUFFERS,
    NUMBERS,
    CallHeader,
    Command,
    FrameError,
    Identity,
    Request,
    Status,
    encode_description,
)
from attractor.trials import trials_of
from attractor.verify.conformance import check_device
from attractor.verify.conformance.bench import RULES

OSCILLATORS = OscillatorSpec(
    oscillators=11,
    inputs=4,
    labels=3,
    reference=1,
    lanes=3,
    schedule_entries=3,
    learning=True,
    random_start=True,
    flips=True,
)
SPECS: tuple[Spec, ...] = (
    OSCILLATORS,
    EqPropSpec(layers=(9, 6, 4), classes=2, state_high=3, counter_bits=4, learning=True),
    FelifSpec(inputs=6, layers=(FelifLayer(neurons=5, kind="felif_b"), FelifLayer(neurons=2, kind="readout")), ticks=8),
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.family)
@pytest.mark.parametrize("seed", range(3))
def test_the_golden_board_keeps_every_rule(spec: Spec, seed: int) -> None:
    calls: list[tuple[int, int]] = []
    found = check_device(GoldenBoard(spec), seed=seed, progress=lambda *done: calls.append(done))
    assert found.holds, [finding for finding in found.findings if not finding.holds]
    assert found.parameters == "none"
    assert calls[-1] == (len(RULES), len(RULES))


def test_rules_have_names_of_their_own_and_say_what_they_mean() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.meaning.endswith(".") for rule in RULES)


def test_the_device_holds_afterwards_what_it_held() -> None:
    board = GoldenBoard(OSCILLATORS)
    model = Model(OSCILLATORS, trials_of(OSCILLATORS).parameters(OSCILLATORS, np.random.default_rng(0)))
    with Device.open(board) as device:
        device.load(model)
    held = board.parameter_windows()
    assert check_device(board).parameters == "restored"
    assert board.parameters_valid
    assert board.parameter_windows() == held


def test_an_interrupted_check_leaves_what_was_there() -> None:
    def interrupt(done: int, _: int) -> None:
        if done == len(RULES) - 3:
            raise KeyboardInterrupt

    board = GoldenBoard(OSCILLATORS)
    model = Model(OSCILLATORS, trials_of(OSCILLATORS).parameters(OSCILLATORS, np.random.default_rng(1)))
    with Device.open(board) as device:
        device.load(model)
    held = board.parameter_windows()
    with pytest.raises(KeyboardInterrupt):
        check_device(board, progress=interrupt)
    assert board.parameters_valid
    assert board.parameter_windows() == held


def test_a_device_of_before_without_a_map() -> None:
    class Older(GoldenBoard):
        def _description(self) -> dict[str, object]:
            return {name: value for name, value in super()._description().items() if name != "map"}

    assert check_device(Older(OSCILLATORS)).holds


def test_nobody_answers() -> None:
    class Silent(GoldenBoard):
        def read(self, timeout: float) -> bytes:  # noqa: ARG002
            return b""

    with pytest.raises(NotADevice, match=r"no device that could be checked: no answer; check port"):
        check_device(Silent(OSCILLATORS))


# Boards that break one rule each


class AnswersDamage(GoldenLink):
    def _take(self, frame: bytes) -> None:
        try:
            Request.decode(frame)
        except FrameError:
            self._replies.send(Command.SYNC, Status.BAD_LENGTH, self._state())
        super()._take(frame)


class ForgetsDamage(GoldenLink):
    def _take(self, frame: bytes) -> None:
        before = self._damaged
        super()._take(frame)
        self._damaged = before


class CountsTwice(GoldenLink):
    def _take(self, frame: bytes) -> None:
        before = self._damaged
        super()._take(frame)
        self._damaged += self._damaged - before


class AnswersEmptyFrames(GoldenLink):
    """Takes seven zeros for the attention sign."""

    def receive(self, data: bytes) -> bytes:
        answer = super().receive(data)
        self._halted |= self._zeros >= 7
        return answer


class RepeatsItself(GoldenLink):
    def _take(self, frame: bytes) -> None:
        try:
            request = Request.decode(frame)
        except FrameError:
            request = None
        if request is not None and request.sequence == (self._next - 1) % NUMBERS and request.command != Command.SYNC:
            self._next = request.sequence
        super()._take(frame)


class Complains(GoldenLink):
    def _complain(self, status: Status) -> None:
        self._complained = False
        super()._complain(status)


class Hushed(GoldenLink):
    def _complain(self, status: Status) -> None:
        pass


class TakesLaterNumbers(GoldenLink):
    def _complain(self, status: Status) -> None:
        self._next = (self._next + 1) % NUMBERS
        super()._complain(status)


class NumbersEnd(GoldenLink):
    def _take(self, frame: bytes) -> None:
        super()._take(frame)
        self._next = self._next or 1


class BeginsAgain(GoldenLink):
    def _identify(self, request: Request, reply: ReplyWriter) -> Status:
        status = super()._identify(request, reply)
        self._next = (request.sequence + 1) % NUMBERS
        return status


class BeginsAnyway(GoldenLink):
    def _identify(self, request: Request, reply: ReplyWriter) -> Status:
        if request.payload or request.window or request.word:
            self._session, self._next = request.sequence, (request.sequence + 1) % NUMBERS
        return super()._identify(request, reply)


class OtherVersion(GoldenLink):
    def _identify(self, request: Request, reply: ReplyWriter) -> Status:
        own = ReplyWriter(self._replies, request.command)
        status = super()._identify(request, own)
        identity = Identity.unpack(own._payload)
        reply.read(Identity(**vars(identity) | {"protocol": 3}).pack())
        return status


class NothingAgain(Replies):
    def send_again(self, position: int) -> bool:  # noqa: ARG002
        return True


class NeverLost(Replies):
    def send_again(self, position: int) -> bool:
        super().send_again(position)
        return True


class LatestOnly(GoldenLink):
    """Keeps fewer replies than it says."""

    def reset(self) -> None:
        super().reset()
        self._replies = Replies(1000)


class Amnesia(GoldenLink):
    def reset(self) -> None:
        super().reset()
        self._replies = NothingAgain(FULL_BUFFERS.reply)


class Eternal(GoldenLink):
    def reset(self) -> None:
        super().reset()
        self._replies = NeverLost(FULL_BUFFERS.reply)


class AnyoneSyncs(GoldenLink):
    def _sync(self, request: Request, reply: ReplyWriter) -> Status:
        mine = Request(self._session or 0, request.command, 0, request.word, request.payload)
        return super()._sync(mine, reply)


class WidePositions(GoldenLink):
    def _sync(self, request: Request, reply: ReplyWriter) -> Status:
        status = super()._sync(request, reply)
        return Status.LOST if request.word >= NUMBERS else status


class Unstoppable(GoldenLink):
    def receive(self, data: bytes) -> bytes:
        answer = super().receive(data)
        self._halted = False
        return answer


class ForeignersWake(GoldenLink):
    def _sync(self, request: Request, reply: ReplyWriter) -> Status:
        self._halted = False
        return super()._sync(request, reply)


class LengthFirst(GoldenLink):
    def _execute(self, request: Request, reply: ReplyWriter) -> Status:
        if request.command in (Command.COMMIT, Command.COUNTERS, Command.READ, Command.DIGEST):
            self._length(request, {5: 4, 8: 0, 2: 1, 4: 3}[request.command])
        return super()._execute(request, reply)


class ParametersFirst(GoldenLink):
    def _call(self, request: Request, reply: ReplyWriter) -> Status:
        if not self.parameters_valid and request.payload[3:5] not in (b"", b"\0\0"):
            raise Ended(Status.INVALID_PARAMETERS)
        return super()._call(request, reply)


class UnknownLength(GoldenLink):
    def _execute(self, request: Request, reply: ReplyWriter) -> Status:
        if request.payload and request.command not in {*Command}:
            raise Ended(Status.BAD_LENGTH)
        return super()._execute(request, reply)


class ReadsOn(GoldenLink):
    """Reads zeros behind the last word."""

    @staticmethod
    def _word(window: object, word: int) -> bytes:
        return GoldenLink._word(window, word) if word < window.words else bytes(window.word_bytes)  # type: ignore


class WritesOutputs(GoldenLink):
    def _window(self, request: Request, *regions: Region | None):
        return super()._window(request, *regions, *((Region.OUTPUT,) if request.command == Command.WRITE else ()))


class KeepsAllBits(GoldenLink):
    def _write(self, request: Request) -> Status:
        status = super()._write(request)
        window = self._windows[request.window]
        window.data[window.slice(request.word, 1)] = (
            request.payload[: window.word_bytes].ljust(window.word_bytes, b"\0")
            if request.payload
            else window.data[window.slice(request.word, 1)]
        )
        return status


class StaysValid(GoldenLink):
    def _write(self, request: Request) -> Status:
        before = self.parameters_valid
        try:
            return super()._write(request)
        finally:
            self.parameters_valid |= before and not request.payload


class Trusting(GoldenLink):
    def _commit(self, request: Request, reply: ReplyWriter) -> Status:
        super()._commit(request, reply)
        self.parameters_valid = True
        return Status.OK


class DigestsAll(GoldenLink):
    def _digest(self, request: Request, reply: ReplyWriter) -> Status:
        window = self._window(request, None, *Region)
        self._length(request, 3)
        count = min(int.from_bytes(request.payload, "little"), window.words - request.word)
        same = Request(request.sequence, request.command, request.window, request.word, count.to_bytes(3, "little"))
        return super()._digest(same, reply)


class RunsAnything(GoldenLink):
    def _call(self, request: Request, reply: ReplyWriter) -> Status:
        before, self.parameters_valid = self.parameters_valid, True
        try:
            return super()._call(request, reply)
        finally:
            self.parameters_valid = before


class NoWordsAreFine(GoldenLink):
    def _call(self, request: Request, reply: ReplyWriter) -> Status:
        self._window(request, Region.INPUT)
        if len(request.payload) >= CallHeader.STRUCT.size and not CallHeader.unpack(request.payload).words:
            return Status.OK
        return super()._call(request, reply)


class AddsInputs(GoldenLink):
    """Bits above those that a call gives stay as they were."""

    def _take_words(self, window, first: int, words: int, bits: int, packed: bytes) -> None:  # type: ignore
        before = bytes(window.data)
        super()._take_words(window, first, words, bits, packed)
        if bits < window.word_bits:
            window.data[:] = bytes(old | new for old, new in zip(before, window.data, strict=True))


class Unpacked(GoldenLink):
    def _outputs(self) -> bytes:
        return b"".join(self.contents(window) for window in self.memory_map.region(Region.OUTPUT))


class HasNoMore(GoldenLink):
    def reset(self) -> None:
        super().reset()
        send = self._replies.send

        def plain(command: int, status: Status, payload: bytes = b"") -> None:
            send(command, Status.OK if status == Status.MORE else status, payload)

        self._replies.send = plain


class AnyRate(GoldenLink):
    def _execute(self, request: Request, reply: ReplyWriter) -> Status:
        if request.command == Command.BAUD and len(request.payload) == 3 and not request.window + request.word:
            return Status.OK
        return super()._execute(request, reply)


class CountsOthers(GoldenLink):
    def _sync(self, request: Request, reply: ReplyWriter) -> Status:
        self._frames -= 1
        return super()._sync(request, reply)


BROKEN: list[tuple[type[GoldenLink], str]] = [
    (AnswersDamage, "damaged frames"),
    (ForgetsDamage, "damaged frames"),
    (CountsTwice, "damaged frames"),
    (AnswersEmptyFrames, "empty frames"),
    (RepeatsItself, "copies"),
    (Complains, "later numbers"),
    (Hushed, "later numbers"),
    (TakesLaterNumbers, "later numbers"),
    (NumbersEnd, "numbers wrap"),
    (BeginsAgain, "sessions"),
    (BeginsAnyway, "refused IDENTIFY"),
    (OtherVersion, "identity"),
    (LatestOnly, "kept replies"),
    (Amnesia, "SYNC"),
    (Eternal, "kept replies"),
    (AnyoneSyncs, "SYNC of another session"),
    (WidePositions, "SYNC looks at 16 bits"),
    (Unstoppable, "attention"),
    (ForeignersWake, "attention"),
    (LengthFirst, "order of checks"),
    (ParametersFirst, "order of checks"),
    (UnknownLength, "unknown commands"),
    (ReadsOn, "READ"),
    (WritesOutputs, "addresses"),
    (KeepsAllBits, "WRITE"),
    (StaysValid, "COMMIT"),
    (Trusting, "COMMIT"),
    (DigestsAll, "DIGEST"),
    (RunsAnything, "invalid parameters"),
    (NoWordsAreFine, "lengths"),
    (AddsInputs, "inputs of a call"),
    (Unpacked, "results of a call"),
    (HasNoMore, "several calls in a frame"),
    (AnyRate, "BAUD"),
    (CountsOthers, "COUNTERS"),
]


def broken(kind: Callable[..., GoldenLink]) -> GoldenBoard:
    """Return a board with a link that breaks a rule."""
    board = GoldenBoard(OSCILLATORS)
    board.link = kind(OSCILLATORS, encode_description(board._description()), board._run)
    return board


@pytest.mark.parametrize(("kind", "rule"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_board_that_breaks_a_rule(kind: type[GoldenLink], rule: str) -> None:
    found = check_device(broken(kind))
    assert rule in found.broken, found.broken
    (finding,) = [finding for finding in found.findings if finding.rule == rule]
    assert finding.found


def test_rules_that_no_broken_board_breaks() -> None:
    """Few rules are left: the description is what the checks need to begin, and two others are about many requests."""
    left = {rule.name for rule in RULES} - {rule for _, rule in BROKEN}
    assert left == {"description", "SYNC within a reply", "many at once"}
