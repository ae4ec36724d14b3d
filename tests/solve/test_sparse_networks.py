"""Problems on networks with sparse couplings: dealing, fitting, and samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dimod
import numpy as np
import pytest
from scipy import sparse

from attractor.host import Device
from attractor.solve.annealing import Annealing
from attractor.solve.dealing import deal, row_lengths
from attractor.solve.ising import ProblemError
from attractor.solve.sampler import OscillatorSampler, reads_spins
from attractor.spec import SpecError
from attractor.spec.sparse import SparseSpec


def torus(side: int, signs: np.random.Generator | None = None) -> dimod.BinaryQuadraticModel:
    count = side * side
    pairs = [(v, u) for v in range(count) for u in ((v + side) % count, v - v % side + (v + 1) % side)]
    values = np.ones(len(pairs)) if signs is None else signs.choice([-1, 1], len(pairs))
    return dimod.BinaryQuadraticModel({}, dict(zip(pairs, values.tolist(), strict=True)), "SPIN")


def adjacency(bqm: dimod.BinaryQuadraticModel) -> sparse.csr_array:
    pairs = np.array(list(bqm.quadratic))
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return sparse.csr_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(bqm.num_variables,) * 2)


# Dealing


def test_row_lengths_by_hand() -> None:
    couplings = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]])
    # Source 0 reaches targets 1, 2, 3, of the classes 1, 0, 0.
    assert row_lengths(couplings, np.array([0, 1, 0, 0]), 2).tolist() == [2, 2, 1]


@pytest.mark.parametrize("count", [2, 5, 8])
def test_neighbours_spread_over_the_classes(count: int) -> None:
    couplings = adjacency(torus(20))
    room = np.bincount(np.arange(400) % count, minlength=count)
    classes = deal(couplings, room)
    assert np.bincount(classes, minlength=count).tolist() == room.tolist()
    dealt, plain = (row_lengths(couplings, each, count).mean() for each in (classes, np.arange(400) % count))
    assert dealt <= plain
    # Four neighbours need two words of two, and are to need little more than one of five or eight.
    assert dealt <= {2: 2.1, 5: 1.1, 8: 1.01}[count]


def test_kinds_keep_to_their_places() -> None:
    couplings, kinds = adjacency(torus(6)), np.arange(36) % 2
    room = np.array([[18, 0, 2, 0], [0, 9, 0, 9]])
    classes = deal(couplings, room, kinds)
    for kind in (0, 1):
        used = np.bincount(classes[kinds == kind], minlength=4)
        assert (used <= room[kind]).all()
    with pytest.raises(ValueError, match="and room for"):
        deal(couplings, np.array([[18, 0, 2, 0], [0, 9, 0, 8]]), kinds)


# Networks made for a problem


def test_auto_takes_sparse_couplings_where_they_are_few() -> None:
    def kind(bqm: dimod.BinaryQuadraticModel, **levers: Any) -> type:
        sampler = OscillatorSampler(couplings="auto")
        return type(sampler.program(bqm, Annealing(**levers)).placement.spec)

    assert kind(torus(10)) is SparseSpec
    assert kind(torus(10), rule="turn") is not SparseSpec
    assert kind(torus(10), lock=0.5) is not SparseSpec
    assert kind(torus(8)) is not SparseSpec  # 64 variables
    with pytest.raises(ValueError, match="couplings is 'few'; it must be 'auto', 'dense' or 'sparse'"):
        OscillatorSampler(couplings="few")  # type: ignore[arg-type]


def test_a_made_network_is_as_large_as_the_problem() -> None:
    bqm = torus(10, np.random.default_rng(0))
    bqm.add_linear(3, 5)
    program = OscillatorSampler(couplings="sparse").program(bqm, Annealing())
    spec = program.placement.spec
    assert isinstance(spec, SparseSpec)
    assert (spec.oscillators, spec.inputs, spec.binary, spec.couplings) == (101, 1, True, 401)
    # A bias of 5 is one weight, so they have 4 bits. It and four neighbours: 9.
    assert (spec.weight_bits, spec.strength) == (4, 9)
    assert program.model.parameters["schedule"][0, 1] >= 32
    spec.encode_parameters(program.model.parameters)


@pytest.mark.parametrize("biased", [False, True])
def test_samples_are_as_good_as_those_of_dense_networks(biased: bool) -> None:
    rng = np.random.default_rng(3)
    bqm = torus(12, rng)
    if biased:
        bqm.add_linear_from(enumerate(rng.integers(-2, 3, 144).tolist()))
    options: dict[str, Any] = {"num_reads": 24, "seed": 1, "periods": 150}
    dense, few = (
        OscillatorSampler(couplings=kind).sample(bqm, **options).record.energy  # type: ignore[arg-type]
        for kind in ("dense", "sparse")
    )
    assert few.mean() <= 0.98 * dense.mean()
    assert few.min() <= 0.99 * dense.min()


def test_more_variables_than_a_dense_network_holds() -> None:
    bqm = torus(66)  # 4,356 variables
    with pytest.raises(ProblemError, match="at most 4096"):
        OscillatorSampler(couplings="dense").sample(bqm, seed=0)
    found = OscillatorSampler().sample(bqm, seed=0, periods=30)
    assert found.first.energy < -0.9 * bqm.num_interactions


# Devices


SIZES: dict[str, Any] = {"oscillators": 60, "couplings": 240, "strength": 5, "weight_bits": 2, "fraction_bits": 4}
SPEC = SparseSpec(**SIZES, lanes=8, entries=4, row_words=100, schedule_entries=64, flips=True, binary=True)


def test_a_device_with_sparse_couplings() -> None:
    bqm = torus(7, np.random.default_rng(5))
    with Device.open("sim:", SPEC) as device:
        sampler = OscillatorSampler(device)
        found = sampler.sample(bqm, num_reads=6, seed=2, periods=40)
        program = sampler.program(bqm, Annealing(periods=40))
    # Dealt: in order a row of four neighbours takes nearly two words; and all places are different.
    assert len(set(program.placement.places.tolist())) == 49
    memory = SPEC.row_memory
    dealt = memory.lengths(program.model.parameters["starts"], program.model.parameters["targets"])
    assert dealt[program.placement.places].mean() <= 1.4
    best = OscillatorSampler(couplings="sparse").sample(bqm, num_reads=20, seed=0).first.energy
    assert found.first.energy <= 0.9 * best


def test_what_a_device_does_not_hold_is_told_with_all_three_numbers() -> None:
    star = dimod.BinaryQuadraticModel({}, {(0, leaf): 1 for leaf in range(1, 20)}, "SPIN")
    with Device.open("sim:", SPEC) as device:
        sampler = OscillatorSampler(device)
        with pytest.raises(ProblemError, match=r"20 variables, 38 couplings .* 19 in sum .* holds 60, 240 and 5"):
            sampler.sample(star, seed=0)
        with pytest.raises(ProblemError, match=r"64 variables, 256 couplings .* holds 60, 240 and 5"):
            sampler.sample(torus(8), seed=0)
        with pytest.raises(SpecError, match="phases are 0 or half a period"):
            sampler.sample(torus(5), seed=0, rule="turn")
    narrow = SparseSpec(**SIZES, lanes=8, entries=4, row_words=20, schedule_entries=64, flips=True, binary=True)
    with (
        Device.open("sim:", narrow) as device,
        pytest.raises(ProblemError, match=r"take \d+ words of 4 each, and .* has 20: use a network with row_words of"),
    ):
        OscillatorSampler(device).sample(torus(7), seed=0)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(("inputs", "reference", "told"), [(0, 0, True), (2, 0, True), (2, 5, False), (0, 7, True)])
def test_spins_alone_come_back_where_they_say_all(inputs: int, reference: int, told: bool, biased: bool) -> None:
    spec = replace(SPEC, inputs=inputs, reference=reference, strength=6, random_start=True)
    bqm = torus(6, np.random.default_rng(6))
    if biased:
        bqm.add_linear(0, 2)
    with Device.open("sim:", spec) as device:
        asked, beginnings = [], device.network.beginnings
        device.network.beginnings = lambda *given, **options: asked.append(given[2]) or beginnings(*given, **options)
        sampler = OscillatorSampler(device)
        found = sampler.sample(bqm, num_reads=5, seed=3, periods=20)
        placement = sampler.program(bqm, Annealing(periods=20)).placement
    golden = OscillatorSampler(spec=spec).sample(bqm, num_reads=5, seed=3, periods=20)
    assert np.array_equal(found.record.sample, golden.record.sample)
    assert len(np.unique(found.record.sample, axis=0)) > 1
    assert reads_spins(placement) is (told or not biased)
    assert asked == ([spec.spin_bytes] if told or not biased else [])


def test_a_spec_is_for_the_golden_model() -> None:
    with pytest.raises(ValueError, match="spec is for the golden model, and a device has its own"):
        OscillatorSampler("sim:", spec=SPEC)
    assert OscillatorSampler(spec=SPEC).properties["max_variables"] == SPEC.targets
