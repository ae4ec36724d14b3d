"""The rule of the wire protocol alone, with all that a line can do: every state of a small model is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

#: Numbers before they start anew, requests of a host, those that it has unanswered, and frames that a channel holds.
NUMBERS, REQUESTS, WINDOW, HELD = 8, 11, 2, 2


@dataclass(frozen=True)
class State:
    """Both sides, and the frames on their way, of which the line delivers any, or loses it, or delivers it twice."""

    #: Requests that were sent at least once, and answers that were taken.
    sent: int = 0
    answered: int = 0
    #: Requests that were carried out, in order, each by its true number.
    carried_out: tuple[int, ...] = ()
    outward: tuple[int, ...] = ()
    inward: tuple[int, ...] = ()
    #: Deliveries that may still be out of turn.
    faults: int = 3


def delivered(frames: tuple[int, ...], faults: int) -> Iterator[tuple[int | None, tuple[int, ...], int]]:
    """Yield what the line may do next: a frame that arrives or is lost, those that are left, and faults left."""
    if frames:
        yield frames[0], frames[1:], faults
    if not faults:
        return
    for place in range(len(frames)):
        rest = frames[:place] + frames[place + 1 :]
        yield None, rest, faults - 1
        yield frames[place], frames, faults - 1
        if place:
            yield frames[place], rest, faults - 1


def successors(state: State, *, checked: bool) -> Iterator[State]:
    """Yield all states that may follow; ``checked`` if both sides take only the next number."""
    # The host sends a new request, or one again that was not answered; the device an answer again.
    last = min(REQUESTS, state.answered + WINDOW, state.sent + 1)
    if len(state.outward) < HELD:
        for number in range(state.answered, last):
            yield replace(state, sent=max(state.sent, number + 1), outward=(*state.outward, number))
    if len(state.inward) < HELD:
        for number in range(state.answered, len(state.carried_out)):
            yield replace(state, inward=(*state.inward, number))
    for frame, rest, faults in delivered(state.outward, state.faults):
        after = replace(state, outward=rest, faults=faults)
        if frame is not None and (not checked or frame % NUMBERS == len(state.carried_out) % NUMBERS):
            after = replace(after, carried_out=(*state.carried_out, frame))
        yield after
    for frame, rest, faults in delivered(state.inward, state.faults):
        after = replace(state, inward=rest, faults=faults)
        if frame is not None and (not checked or frame % NUMBERS == state.answered % NUMBERS):
            # The host takes it for the answer to its oldest request.
            assert frame == state.answered
            after = replace(after, answered=state.answered + 1)
        yield after


def look_at_all(*, checked: bool) -> tuple[int, int]:
    """Return how many states there are, and in how many of them all requests were answered."""
    seen, waiting, ends = {State()}, deque([State()]), 0
    while waiting:
        state = waiting.popleft()
        assert state.carried_out == tuple(range(len(state.carried_out)))
        assert state.answered <= len(state.carried_out) <= state.sent
        ends += state.answered == REQUESTS
        for after in successors(state, checked=checked):
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return len(seen), ends


def test_taking_only_the_next_number_is_exactly_once_and_in_order() -> None:
    states, ends = look_at_all(checked=True)
    assert states > 1000
    assert ends > 0


def test_without_the_rule_the_same_line_breaks_it() -> None:
    with pytest.raises(AssertionError):
        look_at_all(checked=False)
