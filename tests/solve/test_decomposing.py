"""Large problems in parts: parts are exact, merges never worsen, planted states larger than the child are found."""

from __future__ import annotations

import json
import signal
import time
import unittest
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import dimod
import dimod.testing
import numpy as np
import pytest
from dwave.samplers import SimulatedAnnealingSampler
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.host import Device
from attractor.host.errors import LinkTimeout
from attractor.host.pool import DevicePool
from attractor.sim.golden_board import GoldenBoard
from attractor.solve.decomposing import DEFAULT_SIZE, DecomposingSampler, room
from attractor.solve.division import TRAVERSALS, Part, Traversal, Whole, apart, regions
from attractor.solve.sampler import OscillatorSampler
from attractor.spec import OscillatorSpec

SPIN = dimod.SPIN


def quick(child: dimod.Sampler | None = None, size: int = 12, **options: Any) -> DecomposingSampler:
    return DecomposingSampler(child or SimulatedAnnealingSampler(), size, **options)


@dimod.testing.load_sampler_bqm_tests(quick)
class TestDimod(unittest.TestCase):
    """Tests that dimod has for every sampler."""

    def test_interface(self) -> None:
        dimod.testing.assert_sampler_api(quick())
        dimod.testing.assert_composite_api(quick())


def random_whole(seed: int, size: int = 30, *, integers: bool = False) -> Whole:
    generator = np.random.default_rng(seed)
    u, v = np.triu_indices(size, 1)
    kept = generator.random(len(u)) < 0.2
    u, v = u[kept], v[kept]
    values = generator.normal(scale=2, size=size + len(u))
    values = np.rint(values) if integers else values
    return Whole(values[:size], u, v, values[size:], generator.integers(-1, 2, size))


def energy(whole: Whole, spins: Any) -> float:
    values = np.asarray(spins, np.float64)
    return float(values @ whole.linear + 0.5 * values @ (whole.couplings @ values))


def planted(seed: int, side: int) -> tuple[dimod.BinaryQuadraticModel, float]:
    """Return a torus whose couplings a random state satisfies all, and its least energy."""
    spins = np.random.default_rng(seed).choice([-1, 1], (side, side))
    bqm = dimod.BinaryQuadraticModel(SPIN)
    for row in range(side):
        for column in range(side):
            for other in ((row + 1) % side, column), (row, (column + 1) % side):
                bqm.add_quadratic((row, column), other, -int(spins[row, column] * spins[other]))
    return bqm, -2.0 * side * side


# Parts


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 1.0))
def test_energies_of_parts_are_exact(seed: int, share: float) -> None:
    whole, generator = random_whole(seed), np.random.default_rng(seed)
    chosen = np.flatnonzero(generator.random(len(whole)) < share)
    part, samples = whole.part(chosen), generator.choice([-1, 0, 1], (5, len(chosen)))
    wholes = np.tile(whole.spins, (5, 1))
    wholes[:, chosen] = samples
    constant = whole.energy - part.energies(part.start)[0]
    np.testing.assert_allclose(part.energies(samples) + constant, [energy(whole, each) for each in wholes], atol=1e-9)
    u, v, values = part.pairs
    expected = samples @ part.linear + (samples[:, u] * samples[:, v]) @ values
    np.testing.assert_allclose(part.energies(samples), expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), integers=st.booleans())
def test_what_biases_decide_is_right(seed: int, integers: bool) -> None:
    whole, generator = random_whole(seed, integers=integers), np.random.default_rng(seed)
    part = whole.part(generator.choice(len(whole), 9, replace=False))
    core, decided = part.core()
    left = np.flatnonzero(decided == 0)
    assert (core.indices == part.indices[left]).all()
    assert (np.abs(core.linear) <= abs(core.couplings).sum(axis=1) + 1e-12).all()
    states = np.array(np.meshgrid(*[[-1, 1]] * 9)).reshape(9, -1).T
    energies = part.energies(states)
    agreeing = (states == decided)[:, decided != 0].all(axis=1)
    assert energies[agreeing].min() == pytest.approx(energies.min())
    # And the core differs from the part by a constant.
    np.testing.assert_allclose(np.ptp(energies[agreeing] - core.energies(states[agreeing][:, left])), 0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_merges_never_worsen_and_keep_fields(seed: int) -> None:
    whole, generator = random_whole(seed), np.random.default_rng(seed)
    for _ in range(10):
        chosen, before = generator.choice(len(whole), 8, replace=False), whole.energy
        gained = whole.merge(chosen, generator.choice(np.array([-1, 1], np.int8), (3, 8)))
        assert whole.energy <= before
        assert gained == (whole.energy < before)
    whole.decide()
    kept, fields = whole.energy, whole.fields.copy()
    whole.refresh()
    assert kept == pytest.approx(whole.energy) == pytest.approx(energy(whole, whole.spins))
    np.testing.assert_allclose(fields, whole.fields, atol=1e-9)
    assert set(whole.spins.tolist()) <= {-1, 1}


@pytest.mark.parametrize("traversal", TRAVERSALS)
@pytest.mark.parametrize("size", [1, 7, 40])
def test_regions_hold_each_variable_once(traversal: Traversal, size: int) -> None:
    whole = random_whole(1, 40)
    found = regions(whole, size, np.random.default_rng(0), traversal)
    assert sorted(np.concatenate(found).tolist()) == list(range(40))
    assert [len(each) for each in found[:-1]] == [size] * (len(found) - 1)
    assert 1 <= len(found[-1]) <= size


def test_neighbours_are_those_of_the_couplings() -> None:
    whole = random_whole(3, 40)
    for count in (0, 1, 7):
        chosen = np.random.default_rng(count).choice(40, count, replace=False)
        assert (whole.neighbours(chosen) == whole.couplings[chosen].indices).all()


def test_regions_hang_together() -> None:
    size = 400
    ring = Whole(np.zeros(size), np.arange(size), (np.arange(size) + 1) % size, np.ones(size))
    for traversal in ("breadth", "priority"):
        region = regions(ring, 50, np.random.default_rng(0), traversal)[0]
        assert len(ring.part(region).pairs[0]) == 49


def test_regions_that_are_searched_at_once_do_not_touch() -> None:
    size = 400
    ring = Whole(np.zeros(size), np.arange(size), (np.arange(size) + 1) % size, np.ones(size))
    found = [np.arange(start, start + 50) for start in range(0, size, 50)]
    groups = apart(ring, found, 4)
    assert [len(group) for group in groups] == [4, 4]
    for group in groups:
        chosen = np.concatenate(group)
        assert len(ring.part(chosen).pairs[0]) == 4 * 49
    assert len(apart(ring, found, 8)[0]) == 8  # where it cannot be helped, they do


# Samples


@pytest.mark.parametrize("traversal", ["breadth", "priority"])
def test_finds_planted_states_larger_than_the_child(traversal: Traversal) -> None:
    bqm, least = planted(0, 12)
    found = quick(size=60, traversal=traversal).sample(bqm, num_reads=2, seed=1, rounds=40)
    assert found.first.energy == least
    assert found.info["sub_problems"] > found.info["rounds"] >= 2
    for energies, last in zip(found.info["energies"], found.record.energy, strict=True):
        assert (np.diff(energies) <= 0).all()
        assert energies[-1] == last
    json.dumps(found.info)


def test_oscillators_find_planted_states_larger_than_they_are() -> None:
    bqm, least = planted(1, 6)
    sampler = quick(OscillatorSampler(), size=24, child_reads=4)
    assert sampler.sample(bqm, seed=0, rounds=30, child_options={"periods": 40}).first.energy == least


def test_bits_and_labels() -> None:
    bqm, least = planted(2, 6)
    bits = bqm.change_vartype("BINARY", inplace=False)
    bits.offset += 5
    found = quick(size=20).sample(bits, seed=0, rounds=40)
    assert found.vartype is dimod.BINARY
    assert found.first.energy == least + 5 == found.info["energies"][0][-1]


def test_problems_that_the_child_holds_whole_are_one_part() -> None:
    bqm, least = planted(3, 5)
    found = quick(size=25).sample(bqm, seed=0, rounds=1)
    assert (found.first.energy, found.info["sub_problems"]) == (least, 1)


def test_seeds_decide() -> None:
    bqm = dimod.generators.ran_r(1, [(u, v) for u in range(80) for v in range(u) if (7 * u + 5 * v) % 9 == 0], seed=1)
    sampler = quick(size=15)
    one, other = (sampler.sample(bqm, num_reads=2, seed=7, rounds=1) for _ in range(2))
    assert (one.record.sample == other.record.sample).all()
    assert (one.record.sample[0] != one.record.sample[1]).any()
    assert (one.record.sample != sampler.sample(bqm, num_reads=2, seed=8, rounds=1).record.sample).any()
    fresh = sampler.sample(bqm, rounds=1)
    again = sampler.sample(bqm, seed=fresh.info["seed"], rounds=1)
    assert (again.record.sample == fresh.record.sample).all()


def test_initial_states_are_where_reads_start() -> None:
    bqm, least = planted(4, 6)
    state = quick(size=30).sample(bqm, seed=0, rounds=40).first
    assert state.energy == least
    sampler = quick(size=10, from_present=True)
    found = sampler.sample(bqm, initial_states=dict(state.sample), seed=1, rounds=1)
    assert found.record.energy.tolist() == [least]


def test_rounds_end_when_nothing_is_gained() -> None:
    bqm, _ = planted(5, 5)
    assert quick(size=25).sample(bqm, seed=0, rounds=100).info["rounds"] < 10


# Sizes


def test_sizes_are_those_of_the_child() -> None:
    assert quick(size=5).properties["size"] == 5
    assert DecomposingSampler(SimulatedAnnealingSampler()).size == DEFAULT_SIZE
    for spec, biased in ((OscillatorSpec(oscillators=14), 13), (OscillatorSpec(oscillators=14, inputs=2), 12)):
        with Device.open(GoldenBoard(spec)) as device:
            child = OscillatorSampler(device)
            assert DecomposingSampler(child).size == room(child, biased=True) == biased
            assert room(child, biased=False) == spec.targets
    assert room(SimulatedAnnealingSampler(), biased=True) is None
    assert room(OscillatorSampler(), biased=True) == 4095


def test_large_pulls_from_outside_fit_small_weights() -> None:
    """A star: the pull of all leaves at once exceeds the greatest weight, but the part needs no such bias."""
    bqm = dimod.BinaryQuadraticModel({}, {("hub", leaf): -1 for leaf in range(300)}, SPIN)
    found = quick(OscillatorSampler(), size=50).sample(bqm, seed=0, child_options={"periods": 20, "scale": "refuse"})
    assert found.first.energy == -300


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size is 0"),
        ({"child_reads": 0}, "child_reads is 0"),
        ({"together": 0}, "together is 0"),
        ({"traversal": "depth"}, "traversal is 'depth'"),
        ({"child": []}, "no child"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DecomposingSampler(options.pop("child", SimulatedAnnealingSampler()), **options)
    with pytest.raises(ValueError, match="rounds is 0"):
        quick().sample_ising({}, {(0, 1): 1}, rounds=0)


# Ends before their time


class Slow(SimulatedAnnealingSampler):
    """Takes its time."""

    def sample(self, bqm: dimod.BinaryQuadraticModel, **options: Any) -> dimod.SampleSet:
        time.sleep(0.02)
        return super().sample(bqm, **options)


def test_a_time_limit_keeps_the_state() -> None:
    bqm, _ = planted(6, 20)
    began = time.monotonic()
    found = quick(Slow(), size=10).sample(bqm, num_reads=5, seed=0, time_limit=0.2)
    assert time.monotonic() - began < 1.0
    assert len(found) == 1
    assert found.first.energy < 0
    assert set(np.unique(found.record.sample)) == {-1, 1}
    assert len(quick().sample(bqm, num_reads=5, seed=0, time_limit=0.0)) == 1


def test_an_interrupt_keeps_the_state() -> None:
    class Interrupted(SimulatedAnnealingSampler):
        calls = 0

        def sample(self, bqm: dimod.BinaryQuadraticModel, **options: Any) -> dimod.SampleSet:
            self.calls += 1
            if self.calls == 30:
                signal.raise_signal(signal.SIGINT)
            return super().sample(bqm, **options)

    bqm, _ = planted(7, 12)
    with pytest.raises(KeyboardInterrupt):
        quick(Interrupted()).sample(bqm, seed=0)
    found = quick(Interrupted(), keep_interrupted=True).sample(bqm, num_reads=3, seed=0)
    assert (len(found), found.info["interrupted"], found.info["rounds"]) == (1, True, 2)
    assert found.first.energy < 0


# Several at once


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2) as executor:
        yield executor


def test_executors_change_nothing(processes: Executor) -> None:
    bqm, _ = planted(8, 12)
    here = quick(together=3).sample(bqm, seed=3, rounds=3)
    with ThreadPoolExecutor(2) as threads:
        for executor in (threads, processes):
            found = quick(together=3, executor=executor).sample(bqm, seed=3, rounds=3)
            assert (found.record.sample == here.record.sample).all()


def boards(*kinds: type[GoldenBoard]) -> DevicePool:
    spec = OscillatorSpec(oscillators=40, weight_bits=8)
    return DevicePool([Device.open(kind(spec, name=f"board {index}")) for index, kind in enumerate(kinds)])


class Counting(GoldenBoard):
    """Counts its reads."""

    reads = 0

    def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
        self.reads += 1
        return super()._run(windows, inputs)


def test_the_boards_of_a_pool_share_the_parts() -> None:
    bqm, _ = planted(9, 10)
    options = {"seed": 0, "rounds": 3, "child_options": {"periods": 15}}
    with boards(Counting, Counting) as pool:
        sampler = DecomposingSampler.on_pool(pool)
        assert (sampler.size, len(sampler.children)) == (39, 2)
        found = sampler.sample(bqm, **options)
        ports: list[Any] = [device.link.port for device in pool.devices]
        assert all(port.reads > 1 for port in ports)
        again = DecomposingSampler(OscillatorSampler(pool.devices[0]), together=2).sample(bqm, **options)
    assert (found.record.sample == again.record.sample).all()
    assert found.info["timing"]["child"]["anneal"] > 0


def test_a_board_that_fails_is_left_out() -> None:
    class Failing(OscillatorSampler):
        def sample(self, bqm: dimod.BinaryQuadraticModel, **_: Any) -> dimod.SampleSet:
            raise LinkTimeout(f"no answer to {bqm.num_variables} variables")

    bqm, _ = planted(10, 8)
    whole = [OscillatorSampler(), OscillatorSampler()]
    options = {"seed": 0, "rounds": 2, "child_options": {"periods": 15}}
    found = DecomposingSampler([Failing(), whole[0]], 30).sample(bqm, **options)
    right = DecomposingSampler(whole, 30).sample(bqm, **options)
    assert (found.record.sample == right.record.sample).all()
    with pytest.raises(LinkTimeout):
        DecomposingSampler([Failing(), Failing()], 30).sample(bqm, **options)


def test_samplers_that_take_arrays_are_given_arrays() -> None:
    class Arrays(SimulatedAnnealingSampler):
        """Turns every spin against its bias."""

        def solve_part(self, part: Part, *, reads: int, seed: int, start: Any) -> Any:
            assert (seed >= 0, start) == (True, None)
            return np.tile(np.where(part.linear > 0, -1, 1).astype(np.int8), (reads, 1))

    bqm = dimod.BinaryQuadraticModel({0: 1, 1: 1, 2: -1}, {(0, 1): 2, (1, 2): 2}, SPIN)
    assert len(quick(Arrays(), child_reads=3).sample(bqm, seed=0)) == 1
