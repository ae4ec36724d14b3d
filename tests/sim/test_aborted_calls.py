"""A golden model's call that is aborted ends where it was, as that of a core does after the slot or tick under way."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import FelifNetwork, OscillatorNetwork, Stoppable, network
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Region
from attractor.spec.protocol import ATTENTION, CRC32, CallHeader, Command, Reply, Request, Status, crc32
from attractor.trials import trials_of

OSCILLATOR = OscillatorSpec(oscillators=24, inputs=4, labels=3, lanes=7)
FELIF = FelifSpec(inputs=7, layers=(FelifLayer(neurons=6, kind="felif_a", recurrent=True),), ticks=9)


def after(count: int) -> Callable[[], bool]:
    """Return what says to stop when it is asked once more than so many times."""
    asked = itertools.count()
    return lambda: next(asked) >= count


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), slots=st.integers(0, 300))
def test_oscillators_end_after_a_slot(seed: int, slots: int) -> None:
    rng, trials = np.random.default_rng(seed), trials_of(OSCILLATOR)
    golden = OscillatorNetwork(OSCILLATOR, trials.parameters(OSCILLATOR, rng))
    data = trials.inputs(OSCILLATOR, rng)
    found = OSCILLATOR.decode_output(golden.call_until(data, after(slots)))
    given_inputs = OSCILLATOR.decode_input(data)
    state = golden.start(given_inputs.phases[None], given_inputs.clamp, seeds=[given_inputs.seed])
    for _ in range(slots):
        golden.step(state)
    assert found.aborted == state.active[0]
    assert (found.phases == state.phases[0, OSCILLATOR.inputs :]).all()
    assert (found.periods, found.last_change) == (state.periods[0], state.last_change[0])
    assert found.winner == golden.winner(state.phases)[0]
    if not found.aborted:
        assert golden.call(data) == OSCILLATOR.encode_output(found)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), ticks=st.integers(1, 9))
def test_spiking_networks_end_after_a_tick_and_go_on_from_there(seed: int, ticks: int) -> None:
    rng, trials = np.random.default_rng(seed), trials_of(FELIF)
    parameters = trials.parameters(FELIF, rng)
    golden, other = FelifNetwork(FELIF, parameters), FelifNetwork(FELIF, parameters)
    frames = rng.integers(0, 2, (9, 7))
    # It is not asked before the first tick.
    found = FELIF.decode_output(golden.call_until(FELIF.encode_input(frames), after(ticks - 1)))
    expected = FELIF.decode_output(other.call(FELIF.encode_input(frames[:ticks])))
    assert (found.ticks, found.aborted) == (ticks, ticks < 9)
    assert (found.winner, found.spikes) == (expected.winner, expected.spikes)
    assert (found.outputs == expected.outputs).all()
    rest = FELIF.encode_input(frames[::-1], keep=True)
    assert golden.call(rest) == other.call(rest)


def test_a_call_that_is_short_is_not_aborted() -> None:
    spec = EqPropSpec(layers=(9, 5, 4), classes=2, state_high=7)
    parameters = trials_of(spec).parameters(spec, np.random.default_rng(0))
    assert not isinstance(network(spec, parameters), Stoppable)


class Impatient(GoldenBoard):
    """Gets the attention sign in the middle of a call, as from another thread."""

    def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
        self.attention()
        return super()._run(windows, inputs)


@pytest.mark.parametrize("calls", [1, 3])
def test_a_board_ends_the_call_and_what_follows_is_dropped(calls: int) -> None:
    board, seed = Impatient(OSCILLATOR), OSCILLATOR.memory_map["seed"]
    outputs = OSCILLATOR.memory_map.size(Region.OUTPUT)
    parameters = trials_of(OSCILLATOR).parameters(OSCILLATOR, np.random.default_rng(1))
    schedule = np.tile([9, 0, 8, 0, 0], (8, 1))
    windows = OSCILLATOR.encode_parameters(parameters | {"schedule": schedule})
    sequence = itertools.count(5)

    def ask(command: Command, window: str | None = None, payload: bytes = b"", *, word: int = 0) -> list[Reply]:
        number = 0 if window is None else OSCILLATOR.memory_map.number(window)
        board.write(Request(next(sequence), command, number, word, payload).encode())
        return [Reply.decode(frame) for frame in board.read(0).split(b"\0") if frame]

    ask(Command.IDENTIFY)
    for name, data in windows.items():
        size = OSCILLATOR.memory_map[name].word_bytes
        piece = 200 // size * size
        for start in range(0, len(data), piece):
            (reply,) = ask(Command.WRITE, name, data[start : start + piece], word=start // size)
            assert reply.status == Status.OK
    (reply,) = ask(Command.COMMIT, payload=CRC32.pack(crc32(b"".join(windows.values()))))
    assert reply.status == Status.OK
    payload = CallHeader(words=1, bits=8, want=outputs).pack() + bytes(calls)
    (reply,) = ask(Command.CALL, seed.name, payload)
    assert reply.status == Status.ABORTED
    assert ask(Command.CALL, seed.name, payload) == []
    board.write(ATTENTION)
    assert ask(Command.CALL, seed.name, payload) == []
