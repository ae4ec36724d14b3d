"""The sampler by dimod's own tests, against exact minima, on several boards, and on what does not fit."""

from __future__ import annotations

import json
import re
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any

import dimod
import dimod.testing
import numpy as np
import pytest

from attractor.golden import OscillatorNetwork
from attractor.host import Device
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.verilator import has_compiler
from attractor.solve.annealing import Annealing
from attractor.solve.ising import Placement, ProblemError, measured_spec, quantise
from attractor.solve.sampler import OscillatorSampler
from attractor.spec import OscillatorSpec, Region


class QuickSampler(OscillatorSampler):
    """Short runs, for tests about anything but the quality of samples."""

    def sample(self, bqm: dimod.BinaryQuadraticModel, **options: Any) -> dimod.SampleSet:
        return super().sample(bqm, **{"periods": 8} | options)


def simulated() -> OscillatorSampler:
    return QuickSampler("sim:")


@dimod.testing.load_sampler_bqm_tests(QuickSampler)
@dimod.testing.load_sampler_bqm_tests(simulated)
class TestDimod(unittest.TestCase):
    """Tests that dimod has for every sampler."""

    def test_interface(self) -> None:
        for sampler in (OscillatorSampler(), simulated()):
            dimod.testing.assert_sampler_api(sampler)


def random_bqm(seed: int, variables: int, *, vartype: Any = "SPIN", high: int = 5) -> dimod.BinaryQuadraticModel:
    random = np.random.default_rng(seed)
    bqm = dimod.BinaryQuadraticModel(vartype)
    for v in range(variables):
        bqm.add_linear(f"v{v}", int(random.integers(-high, high + 1)))
        for u in range(v):
            bqm.add_quadratic(f"v{u}", f"v{v}", int(random.integers(-high, high + 1)))
    bqm.offset = 7
    return bqm


def spec_file(folder: Path, spec: OscillatorSpec) -> str:
    path = folder / "network.json"
    path.write_text(spec.to_json())
    return f"sim:{path}"


# Quality


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
@pytest.mark.parametrize("seed", range(3))
def test_finds_the_minimum_of_small_problems(seed: int, vartype: str) -> None:
    bqm = random_bqm(seed, 10, vartype=vartype)
    found = OscillatorSampler().sample(bqm, num_reads=20, seed=seed, periods=100)
    assert found.first.energy == dimod.ExactSolver().sample(bqm).first.energy


def test_signs_of_biases_and_couplings() -> None:
    found = OscillatorSampler().sample_ising({"up": -1, "down": 2}, {}, num_reads=10, seed=0, periods=50)
    assert all(sample["up"] == 1 and sample["down"] == -1 for sample in found.samples())
    pulls = {("a", "b"): -1, ("b", "c"): 1}
    found = OscillatorSampler().sample_ising({}, pulls, num_reads=10, seed=0, periods=50)
    assert all(sample["a"] == sample["b"] != sample["c"] for sample in found.samples())


def test_longer_runs_find_lower_energies() -> None:
    random = np.random.default_rng(0)
    pairs = {(u, v): 1 for u in range(60) for v in range(u) if random.random() < 0.2}
    sampler = OscillatorSampler()
    short, long = (sampler.sample_ising({}, pairs, num_reads=32, seed=0, periods=n) for n in (2, 200))
    assert long.record.energy.mean() < short.record.energy.mean() - 10
    assert long.record.energy.mean() < 0.98 * min(long.record.energy.min(), short.record.energy.min())


# What comes back


def test_energies_are_those_of_the_problem_as_given() -> None:
    bqm = random_bqm(0, 8)
    bqm.add_linear("v0", 0.123456)
    found = QuickSampler().sample(bqm, num_reads=5, seed=0, scale="auto")
    np.testing.assert_allclose(found.record.energy, bqm.energies((found.record.sample, found.variables)))
    assert found.info["quantisation"]["max_absolute"] > 0
    assert json.loads(json.dumps(found.info))["timing"]["cycles"] is None


def test_every_board_gives_the_same_samples(tmp_path: Path) -> None:
    bqm = random_bqm(1, 9)
    golden = QuickSampler().sample(bqm, num_reads=6, seed=3)
    spec = measured_spec(9, biased=True, weight_bits=8, phase_bits=4)
    with Device.open(GoldenBoard(spec)) as device:
        for board in ("sim:", spec_file(tmp_path, spec), device):
            with QuickSampler(board) as sampler:
                found = sampler.sample(bqm, num_reads=6, seed=3)
            assert (found.record.sample == golden.record.sample).all()
            assert found.info["timing"]["upload"] >= 0
            assert found.info["schedule"] == golden.info["schedule"]


def test_seeds() -> None:
    bqm, sampler = random_bqm(2, 30), QuickSampler()
    first = sampler.sample(bqm, num_reads=40, seed=5).record.sample
    assert (sampler.sample(bqm, num_reads=40, seed=5).record.sample == first).all()
    assert (sampler.sample(bqm, num_reads=3, seed=5).record.sample == first[:3]).all()  # reads do not affect others
    assert (sampler.sample(bqm, num_reads=40, seed=6).record.sample != first).any()
    fresh = sampler.sample(bqm, num_reads=40)
    again = sampler.sample(bqm, num_reads=40, seed=fresh.info["seed"])
    assert (again.record.sample == fresh.record.sample).all()


def test_initial_states_are_where_reads_start() -> None:
    ring = {(index, (index + 1) % 12): -1 for index in range(12)}
    domains = {index: 1 if index < 6 else -1 for index in range(12)}  # two walls, stable without noise
    sampler = OscillatorSampler()
    still = {"noise": 0.0, "periods": 5, "seed": 0}
    found = sampler.sample_ising({}, ring, initial_states=domains, **still)
    assert len(found) == 1
    assert dict(found.first.sample) in (domains, {index: -spin for index, spin in domains.items()})
    tiled = sampler.sample_ising(
        {}, ring, initial_states=domains, initial_states_generator="tile", num_reads=3, **still
    )
    assert set(tiled.record.energy) == {-8}
    mixed = sampler.sample_ising({}, ring, initial_states=domains, num_reads=6, **still)
    assert mixed.record.energy[0] == -8
    assert len({tuple(row * row[0]) for row in mixed.record.sample}) > 1
    with pytest.raises(ValueError, match="insufficient number of initial states"):
        sampler.sample_ising({}, ring, initial_states=domains, initial_states_generator="none", num_reads=2)


def test_initial_states_in_another_order_and_of_bits() -> None:
    bqm = dimod.BinaryQuadraticModel({"a": 0, "b": 0, "c": 0}, {"ab": -1, "bc": -1, "ac": 2}, 0.0, "BINARY")
    program = OscillatorSampler().program(bqm, Annealing())
    state = ([[1, 0, 1]], ["c", "b", "a"])
    found = OscillatorSampler().sample(bqm, initial_states=state, noise=0.0, periods=1, seed=0)
    assert len(found) == 1
    phases = program.placement.phases_of([1, -1, 1])
    assert phases[program.placement.places].tolist() == [0, 8, 0]


def test_cycles_become_seconds_of_the_boards_clock() -> None:
    class ClockedBoard(GoldenBoard):
        def _description(self) -> dict[str, object]:
            return super()._description() | {"clock_hz": 10**12}

        def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
            return replace(self.spec.decode_output(super()._run(windows, inputs)), cycles=500).encode()

    bqm = random_bqm(4, 5)
    with Device.open(ClockedBoard(measured_spec(5, biased=True, weight_bits=8, phase_bits=4))) as device:
        timing = QuickSampler(device).sample(bqm, num_reads=4, seed=0).info["timing"]
    assert timing["cycles"] == 2000
    assert timing["anneal"] == pytest.approx(2e-9)
    assert timing["download"] > timing["anneal"]


def test_no_variables() -> None:
    bqm = dimod.BinaryQuadraticModel({}, {}, 2.5, "BINARY")
    found = OscillatorSampler().sample(bqm, num_reads=3)
    assert found.record.energy.tolist() == [2.5] * 3
    assert len(found.variables) == 0


# Starts that the network draws


def test_networks_draw_their_starts_if_asked_for() -> None:
    bqm = random_bqm(0, 10)
    sampler, drawing = OscillatorSampler(), OscillatorSampler(random_start=True)
    assert not sampler.program(bqm, Annealing()).placement.spec.random_start
    assert drawing.program(bqm, Annealing()).placement.spec.random_start
    assert drawing.properties["random_start"]
    short = {"num_reads": 40, "seed": 5, "periods": 1, "noise": 0.0}
    found, other = (each.sample(bqm, **short).record for each in (drawing, sampler))
    assert len(np.unique(found.sample, axis=0)) > 10
    assert (found.sample != other.sample).any()
    assert (
        drawing.sample(bqm, num_reads=20, seed=0, periods=100).first.energy
        == dimod.ExactSolver().sample(bqm).first.energy
    )


def test_every_board_draws_the_same_starts(tmp_path: Path) -> None:
    bqm = random_bqm(1, 9)
    golden = QuickSampler(random_start=True).sample(bqm, num_reads=6, seed=3)
    own = spec_file(tmp_path, measured_spec(9, biased=True, weight_bits=8, phase_bits=4, random_start=True))
    for board, made in (("sim:", True), (own, False)):
        with QuickSampler(board, random_start=made) as sampler:
            found = sampler.sample(bqm, num_reads=6, seed=3)
        assert (found.record.sample == golden.record.sample).all()


def test_given_states_are_not_drawn(tmp_path: Path) -> None:
    ring = {(index, (index + 1) % 12): -1 for index in range(12)}
    domains = {index: 1 if index < 6 else -1 for index in range(12)}  # two walls, stable without noise
    spec = OscillatorSpec(oscillators=14, inputs=1, weight_bits=8, random_start=True)
    still = {"noise": 0.0, "periods": 5, "seed": 0, "num_reads": 6}
    with OscillatorSampler(spec_file(tmp_path, spec)) as sampler:
        found = sampler.sample_ising({}, ring, initial_states=domains, **still)
        assert found.record.energy[0] == -8
        assert len({tuple(row * row[0]) for row in found.record.sample}) > 1
        assert len({tuple(row * row[0]) for row in sampler.sample_ising({}, ring, **still).record.sample}) > 1


def test_reads_that_draw_send_no_phases() -> None:
    """A call brings along the words that changed: of all windows only that of the seed."""
    spec = OscillatorSpec(oscillators=40, weight_bits=8, random_start=True)
    inputs: list[bytes] = []

    class Watched(GoldenBoard):
        def _run(self, windows: dict[str, bytes], given: bytes) -> bytes:
            inputs.append(given)
            return super()._run(windows, given)

    with Device.open(Watched(spec)) as device:
        QuickSampler(device).sample(random_bqm(2, 20), num_reads=5, seed=0)
    parts = [spec.memory_map.split(Region.INPUT, given) for given in inputs]
    changing = {name for name in parts[0] if len({part[name] for part in parts}) > 1}
    assert (len(parts), changing) == (5, {"seed"})


# Networks that are not made for the problem


@pytest.mark.parametrize(
    "spec",
    [
        OscillatorSpec(oscillators=14, weight_bits=8),
        OscillatorSpec(oscillators=14, weight_bits=8, reference=6, lanes=3, schedule_entries=2),
        OscillatorSpec(oscillators=14, weight_bits=8, inputs=3, labels=2, reference=9),
        OscillatorSpec(oscillators=14, weight_bits=8, inputs=3, reference=9, random_start=True),
        OscillatorSpec(oscillators=14, weight_bits=8, inputs=3, reference=2, phase_bits=3),
    ],
)
def test_small_problems_on_larger_networks(tmp_path: Path, spec: OscillatorSpec) -> None:
    for bqm in (random_bqm(5, 8), dimod.BinaryQuadraticModel({}, random_bqm(5, 8).quadratic, "SPIN")):
        with OscillatorSampler(spec_file(tmp_path, spec)) as sampler:
            assert sampler.properties["oscillators"] == 14
            found = sampler.sample(bqm, num_reads=10, seed=0, periods=20)
            program = sampler.program(bqm, Annealing())
        assert found.first.energy == dimod.ExactSolver().sample(bqm).first.energy
        placement, weights = program.placement, program.model.parameters["weights"]
        idle = np.setdiff1d(np.arange(14), placement.places)
        assert placement.clamp[idle].all()
        assert not placement.clamp[placement.places].any()
        unused = idle[idle != placement.reference]
        assert not weights[:, unused].any()
        assert not weights[unused[unused >= spec.inputs] - spec.inputs].any()


def test_the_network_is_the_problem() -> None:
    """With phases of 0 and half a period, the weighted sums are the slopes of the energy."""
    bqm = random_bqm(6, 6)
    program = OscillatorSampler().program(bqm, Annealing())
    placement, random = program.placement, np.random.default_rng(0)
    spins = random.choice([-1, 1], 6)
    network = OscillatorNetwork(placement.spec, program.model.parameters)
    state = network.start(placement.phases_of(spins)[None], placement.clamp)
    network.step(state)
    for index, variable in enumerate(bqm.variables):
        others = bqm.linear[variable] + sum(
            bias * spins[list(bqm.variables).index(other)] for other, bias in bqm.iter_neighborhood(variable)
        )
        target = placement.places[index] - placement.spec.inputs
        assert state.sums[0, target] == -others * program.quantisation.factor


def test_readings_of_phases() -> None:
    spec = measured_spec(3, biased=False, weight_bits=4, phase_bits=3)
    spins = Placement.on(spec, 3, biased=False).spins(np.array([[0, 3, 4]], np.uint8))
    assert spins.tolist() == [[[1, -1, -1], [1, -1, -1], [1, -1, -1], [1, 1, -1]]]
    spec = measured_spec(2, biased=True, weight_bits=4, phase_bits=3)
    spins = Placement.on(spec, 2, biased=True).spins(np.array([[0, 3, 4]], np.uint8))
    assert spins.tolist() == [[[-1, -1], [-1, -1], [-1, -1], [1, -1]]]


# What does not fit


def test_problems_that_are_too_large(tmp_path: Path) -> None:
    with OscillatorSampler(spec_file(tmp_path, OscillatorSpec(oscillators=8))) as sampler:
        with pytest.raises(ProblemError, match=r"the problem has 9 variables; sim:.* has room for 8: use a larger"):
            sampler.sample_ising({}, {(index, index + 1): 1 for index in range(8)})
        with pytest.raises(ProblemError, match=r"has 8 variables with biases; sim:.* has room for 7"):
            sampler.sample_ising(dict.fromkeys(range(8), 1), {})
    with pytest.raises(ProblemError, match=r"needs 4097 oscillators; a network has at most 4096: .*DecomposingS"):
        OscillatorSampler(couplings="dense").sample_ising(dict.fromkeys(range(4096), 1), {})


def test_exact_scaling() -> None:
    for coefficients, expected in (
        ([0.1, 0.3, -0.2], [1, 3, -2]),
        ([1 / 3, 0.5], [2, 3]),
        ([1e9, -3e9], [1, -3]),
        ([7.0, 0.0], [1, 0]),
        ([0.0], [0]),
        ([], []),
    ):
        found = quantise(np.array(coefficients), 7, "refuse")
        assert found.values.tolist() == expected
        assert (found.max_absolute, found.max_relative) == (0.0, 0.0)
    refused = (
        "magnitude 0.1 to 0.8, are no multiples of a common value by integers up to 7, the greatest weight; scale="
    )
    with pytest.raises(ProblemError, match=re.escape(refused)):
        quantise(np.array([0.1, 0.8]), 7, "refuse")
    with pytest.raises(ProblemError, match="a coefficient is not a finite number"):
        quantise(np.array([0.1, np.inf]), 7, "auto")


def test_rounded_scaling_reports_its_errors() -> None:
    random = np.random.default_rng(0)
    coefficients = random.normal(size=50)
    for limit in (7, 127):
        found = quantise(coefficients, limit, "auto")
        assert np.abs(found.values).max() == limit
        errors = np.abs(found.values / found.factor - coefficients)
        assert found.max_absolute == pytest.approx(errors.max())
        assert found.max_absolute <= 0.5 / found.factor + 1e-12
        assert found.max_relative == pytest.approx((errors / np.abs(coefficients)).max())


def test_the_largest_weight_is_reached_on_both_sides() -> None:
    bqm = dimod.BinaryQuadraticModel({}, {"ab": -127, "bc": 127, "cd": 1}, "SPIN")
    weights = OscillatorSampler().program(bqm, Annealing()).model.parameters["weights"]
    assert (weights.min(), weights.max()) == (-127, 127)
    with pytest.raises(ProblemError, match="2048"):
        OscillatorSampler().sample_ising({}, {"ab": -2048, "bc": 1})
    for width, largest in ((8, 128), (None, 2048)):
        sampler = OscillatorSampler(weight_bits=width)
        assert sampler.sample_ising({}, {"ab": -largest, "bc": 1}, scale="auto", seed=0).info["scale"] < 1


def test_weights_are_as_wide_as_the_coefficients_need() -> None:
    def width(couplings: dict[Any, float]) -> int:
        program = OscillatorSampler().program(
            dimod.BinaryQuadraticModel({}, couplings, "SPIN"), Annealing(), scale="auto"
        )
        return program.placement.spec.weight_bits

    assert [width({"ab": 1, "bc": largest}) for largest in (1, 127, 128, 2047, 2048, 0.3)] == [8, 8, 12, 12, 12, 8]
    assert width({"ab": 1, "bc": 3**0.5}) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed is -1; it must be an integer of at least 0"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"num_reads": 0}, "'num_reads' should be a positive integer"),
        ({"periods": 0}, "periods is 0; a run takes a whole number of periods"),
        ({"periods": 5_000_000}, "schedule[0, 'periods'] is 78125; it must lie between 0 and 65535"),
        ({"noise": -1.0}, "noise is -1.0; it must be at least 0"),
        ({"lock": float("nan")}, "lock is nan"),
        ({"max_step": 9}, "schedule[0, 'max_step'] is 9; it must lie between 0 and 8"),
        ({"scale": "round"}, "scale is 'round'; it must be 'refuse' or 'auto'"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        OscillatorSampler().sample_ising({}, {"ab": 1}, **options)


def test_unknown_arguments_are_named() -> None:
    with pytest.warns(dimod.exceptions.SamplerUnknownArgWarning, match="annealing_time"):
        QuickSampler().sample_ising({}, {"ab": 1}, annealing_time=20)


# Schedules


def test_schedule_falls_to_zero_and_fits_the_device() -> None:
    spec = OscillatorSpec(oscillators=40, weight_bits=6, schedule_entries=8)
    weights = np.ones((40, 40), np.int64)
    rows = Annealing(periods=101, noise=2.0, max_step=3, lock=0.5, alternate=True).rows(spec, weights).astype(int)
    assert rows[:, 0].sum() == 101
    assert np.ptp(rows[:, 0]) <= 1
    assert (np.diff(rows[:, 1]) < 0).all()
    assert (rows[0, 1], rows[-1, 1]) == (round(2 * 40**0.5), 0)
    assert (rows[:, 2:] == (3, round(0.5 * 40**0.5), 1)).all()
    assert (Annealing().rows(spec, weights)[:, 2:] == (1, 0, 0)).all()
    assert (Annealing(max_step=0).rows(spec, weights)[:, 2] == spec.period // 4).all()
    ends = Annealing(noise=2.0, final_noise=1.0).rows(spec, weights).astype(int)[[0, -1], 1]
    assert ends.tolist() == [round(2 * 40**0.5), round(40**0.5)]
    short = Annealing(periods=3).rows(spec, weights)
    assert short[:, 0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    strong = Annealing(noise=1e6, lock=1e6).rows(spec, weights)
    assert strong[:, 1].max() == strong[:, 3].max() == spec.largest_amplitude


def test_magnified_weights_still_fit() -> None:
    spec = OscillatorSpec(oscillators=40, weight_bits=8)
    for count in (1, 2, 39):
        weights = np.zeros((40, 40), np.int64)
        weights[0, :count] = 2
        annealing = Annealing(noise=3.0)
        times = annealing.magnification(spec, weights)
        assert times * 2 <= spec.weight_high
        for factor, fits in ((times, True), (times + 1, False)):
            room = factor * 2 <= spec.weight_high
            amplitude = 3.0 * factor * 2 * count**0.5
            assert (room and amplitude <= spec.largest_amplitude) == fits
    assert Annealing().magnification(spec, np.zeros((40, 40), np.int64)) == 1


# Gateware


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler for simulated gateware")
@pytest.mark.parametrize("random_start", [False, True])
def test_gateware_gives_the_samples_of_the_golden_model(random_start: bool) -> None:
    bqm = random_bqm(7, 6)
    made = {"weight_bits": 6, "random_start": random_start}
    golden = QuickSampler(**made).sample(bqm, num_reads=4, seed=2, scale="auto")
    found = QuickSampler("rtl:", **made).sample(bqm, num_reads=4, seed=2, scale="auto")
    assert (found.record.sample == golden.record.sample).all()
    assert found.info["timing"]["cycles"] > 4 * 8 * 16  # reads, periods, slots
    assert found.info["timing"]["anneal"] > 0
