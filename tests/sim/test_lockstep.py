from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import attractor.hdl.crossbar
import attractor.hdl.oscillator.core
import attractor.hdl.oscillator.lanes
import attractor.hdl.oscillator.loader
import attractor.hdl.oscillator.move
from attractor.hdl.arithmetic import add_or_subtract, one_hot
from attractor.hdl.change_queue import ChangeQueue
from attractor.hdl.noise import may_flip, spread
from attractor.hdl.synapse import IntegerSynapse
from attractor.sim.lockstep import LockstepError, Regression, simulators
from attractor.spec import OscillatorSpec

#: What differs: inputs, labels, groups that lanes do not fill, odd and even numbers of lanes, a single lane or target,
#: narrow and wide weights and phases, lock phases, learning with one group and with several, start phases drawn,
#: targets that flip in one group, in groups of odd numbers of lanes, and in those of even ones.
SPECS = {
    "all lanes": OscillatorSpec(oscillators=6, phase_bits=3, weight_bits=4, learning=True, flips=True),
    "folded": OscillatorSpec(
        oscillators=11,
        inputs=3,
        labels=3,
        reference=4,
        lanes=3,
        schedule_entries=3,
        lock_phases=3,
        learning=True,
        random_start=True,
        flips=True,
    ),
    "even lanes": OscillatorSpec(
        oscillators=9, inputs=2, weight_bits=3, lanes=4, schedule_entries=2, lock_phases=8, flips=True
    ),
    "one lane": OscillatorSpec(
        oscillators=5, inputs=1, labels=4, lanes=1, weight_bits=2, phase_bits=3, lock_phases=4, learning=True
    ),
    # What the first groups decide is there long before the last are scanned.
    "many groups": OscillatorSpec(
        oscillators=26, inputs=2, labels=3, lanes=1, phase_bits=3, schedule_entries=2, learning=True
    ),
    "one target": OscillatorSpec(
        oscillators=3, inputs=2, weight_bits=8, phase_bits=4, schedule_entries=1, random_start=True
    ),
}
#: More lanes than the random word has bits, an odd number of them in two groups.
WIDE_SPEC = OscillatorSpec(
    oscillators=135, inputs=1, weight_bits=8, phase_bits=3, lanes=67, schedule_entries=4, lock_phases=3, flips=True
)
#: Small: it is built often.
BROKEN_SPEC = OscillatorSpec(oscillators=4, phase_bits=3, weight_bits=3)

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
needs_compiler = pytest.mark.usefixtures("tools")


@pytest.mark.parametrize("name", ["folded", "many groups"])
@needs_compiler
def test_in_verilator(name: str, tmp_path: Path) -> None:
    Regression(SPECS[name], "verilator", tmp_path).run(seed=1, calls=range(40))


@pytest.mark.parametrize("name", list(SPECS))
@needs_icarus
def test_in_icarus(name: str, tmp_path: Path) -> None:
    Regression(SPECS[name], "icarus", tmp_path).run(seed=0, calls=range(4))


@pytest.mark.slow
@needs_compiler
def test_more_lanes_than_a_word_has_bits(tmp_path: Path) -> None:
    Regression(WIDE_SPEC, "verilator", tmp_path).run(seed=0, calls=range(20))


def never_subtracts(value: Value, addend: Value, negate: Value) -> Value:  # noqa: ARG001
    return add_or_subtract(value, addend, 0)


def one_lane_further(index: Value, width: int) -> Value:
    return one_hot(index, width).rotate_left(1)


def one_bit_further(word: Value, lanes: int) -> Value:
    return spread(word.rotate_left(1), lanes)


def others_may_flip(masks: list[Value], lanes: int) -> Value:
    return may_flip([masks[0].rotate_left(1), masks[1]], lanes)


def learns_upwards(_synapse: IntegerSynapse, word: Value, learns: Value, *_rest: Value) -> tuple[Value, Value]:
    return Mux(learns, word + 1, word), Const(0, 1)


def no_lock(spec: OscillatorSpec, phase: Value) -> Value:  # noqa: ARG001
    return Const(0)


def low_bits(word: Value, bits: int) -> Value:
    return word[:bits]


#: Where and what is broken, what the network can do for it to be seen, and what the bench finds first.
BREAKS: dict[str, tuple[Any, str, Callable[..., Any], str | None, str]] = {
    "sums": (attractor.hdl.crossbar, "add_or_subtract", never_subtracts, None, "sum"),
    "states": (attractor.hdl.oscillator.lanes, "one_hot", one_lane_further, None, "clamp"),
    "noise": (attractor.hdl.oscillator.lanes, "spread", one_bit_further, None, "reference|phase"),
    "lock": (attractor.hdl.oscillator.move, "lock_index", no_lock, None, "lock phase"),
    "learning": (IntegerSynapse, "learn", learns_upwards, "learning", r"weight from \d"),
    "starts": (attractor.hdl.oscillator.loader, "high_bits", low_bits, "random_start", "reference|phase"),
    "flips": (attractor.hdl.oscillator.lanes, "may_flip", others_may_flip, "flips", "phase"),
}


def check_report(message: str, place: str) -> None:
    """See that a message names slot, place, expected and found."""
    found = re.search(
        r"call \d+: after slot \d+: (?:target|oscillator) \d+, (.+) is (-?\d+), expected (-?\d+);", message
    )
    assert found is not None, message
    assert re.search(f"(?:{place})$", found[1]), message
    assert found[2] != found[3]


def broken(kind: str, simulator: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Build a core with a broken component and return what the bench says about it."""
    owner, name, replacement, can, _ = BREAKS[kind]
    monkeypatch.setattr(owner, name, replacement)
    regression = Regression(replace(BROKEN_SPEC, **({can: True} if can else {})), simulator, folder)
    with pytest.raises(LockstepError) as caught:
        regression.run(seed=0, calls=range(5))
    return str(caught.value)


@needs_compiler
def test_a_broken_core_is_found_and_its_waves_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    message = broken("sums", "verilator", tmp_path, monkeypatch)
    check_report(message, "sum")
    waves = re.search(r"waves of this call: (.+)$", message)
    assert waves is not None
    assert Path(waves[1]).parent.parent == tmp_path
    assert Path(waves[1]).read_text().startswith("$")
    assert dict(os.environ) == before


@pytest.mark.parametrize("kind", list(BREAKS))
@needs_icarus
def test_a_broken_core_is_found_in_icarus(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_report(broken(kind, "icarus", tmp_path, monkeypatch), BREAKS[kind][-1])


class LateQueue(wiring.Component):
    """A queue of changes that says a cycle later that it is empty: all results stay right, and each slot is slower."""

    def __init__(self, groups: int, lanes: int) -> None:
        self._queue = ChangeQueue(groups, lanes)
        super().__init__(self._queue.signature)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = self._queue
        before = Signal()
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.sync += before.eq(queue.empty)
        m.d.comb += self.empty.eq(queue.empty & before)
        return m


@needs_icarus
def test_a_core_that_is_right_and_slow_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attractor.hdl.oscillator.core, "ChangeQueue", LateQueue)
    with pytest.raises(LockstepError) as caught:
        Regression(BROKEN_SPEC, "icarus", tmp_path).run(seed=0, calls=range(5))
    found = re.search(r"after slot (\d+): reported cycles is (\d+), expected (\d+);", str(caught.value))
    assert found is not None, caught.value
    slots, cycles, expected = map(int, found.groups())
    assert 0 < cycles - expected <= slots + 1


@needs_icarus
def test_a_bench_that_compares_nothing_is_no_success(tmp_path: Path) -> None:
    regression = Regression(BROKEN_SPEC, "icarus", tmp_path)
    source = tmp_path / "core.v"
    source.write_text(source.read_text().replace("bus__start", "renamed"))
    with pytest.raises(LockstepError, match="before a comparison"):
        regression.run(seed=0, calls=[0])


@st.composite
def random_specs(draw: Callable[..., int]) -> OscillatorSpec:
    oscillators = draw(st.integers(2, 24))
    inputs = draw(st.integers(0, oscillators - 1))
    targets, phase_bits = oscillators - inputs, draw(st.integers(3, 6))
    return OscillatorSpec(
        oscillators=oscillators,
        inputs=inputs,
        labels=draw(st.integers(0, targets)),
        reference=draw(st.integers(0, oscillators - 1)),
        weight_bits=draw(st.integers(2, 12)),
        phase_bits=phase_bits,
        lanes=draw(st.integers(0, targets)),
        schedule_entries=draw(st.integers(1, 9)),
        lock_phases=draw(st.integers(2, min(8, 1 << phase_bits - 1))),
        learning=bool(draw(st.integers(0, 1))),
        random_start=bool(draw(st.integers(0, 1))),
        flips=bool(draw(st.integers(0, 1))),
    )


@pytest.mark.slow
@pytest.mark.parametrize("simulator", simulators())
@needs_compiler
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=random_specs(), seed=st.integers(0, 2**32))
def test_random_specs(simulator: str, spec: OscillatorSpec, seed: int) -> None:
    with TemporaryDirectory() as folder:
        Regression(spec, simulator, Path(folder)).run(seed=seed, calls=range(40 if simulator == "verilator" else 4))
