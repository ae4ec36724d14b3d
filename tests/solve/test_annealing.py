"""Schedules chosen from a problem, and what its coefficients become."""

from __future__ import annotations

import itertools

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.solve.annealing import Annealing, freedom, mean_field, repulsion, stable_share
from attractor.solve.ising import Placement, ProblemError, quantise, telling_biases
from attractor.solve.sampler import OscillatorSampler
from attractor.spec import OscillatorSpec, SpecError
from attractor.spec.oscillator import FLIP_SHARES

SPEC = OscillatorSpec(oscillators=40, weight_bits=6, schedule_entries=8, flips=True)


def complete(count: int, weight: int = -1) -> np.ndarray:
    return weight * (np.ones((count, count), np.int64) - np.eye(count, dtype=np.int64))


class TestFreedom:
    def test_without_biases_all_is_free(self) -> None:
        assert freedom(complete(10), np.zeros(10, np.int64)) == 1.0
        assert freedom(np.zeros((3, 3), np.int64), np.ones(3, np.int64)) == 1.0
        assert Annealing().chosen(SPEC, complete(40), np.zeros(40, np.int64)).noise == 0.8

    def test_biases_that_decide_all_leave_nothing(self) -> None:
        assert freedom(complete(10), np.full(10, 9)) == freedom(complete(10), np.full(10, -20)) == 0.0

    def test_each_neighbour_counts_by_its_own_bias(self) -> None:
        # Of two pairs one is held by 3/5 of its coupling: it keeps 4/5 of its field.
        couplings = np.zeros((4, 4), np.int64)
        couplings[0, 1] = couplings[1, 0] = 5
        couplings[2, 3] = couplings[3, 2] = -5
        assert freedom(couplings, np.array([3, -3, 0, 0])) == pytest.approx((4 + 4 + 5 + 5) / 20)
        # Whose neighbour is held, not who is held itself.
        assert freedom(couplings, np.array([0, 5, 0, 0])) == pytest.approx((0 + 5 + 5 + 5) / 20)

    def test_the_default_noise_is_what_is_left_and_info_says_so(self) -> None:
        # One of six is to be 1: as spins, biases of 4 beside couplings of 1 to five others.
        bqm = dimod.BinaryQuadraticModel.from_qubo(
            {**{(i, i): -4 for i in range(6)}, **{(i, j): 8 for i in range(6) for j in range(i)}}
        )
        info = OscillatorSampler().sample(bqm, seed=0).info["annealing"]
        assert info["noise"] == pytest.approx(0.8 * 0.6**1.5, abs=1e-3)
        assert "biases that leave 0.6 of the field free" in info["why"]
        assert OscillatorSampler().sample(bqm, seed=0, noise=0.8).info["annealing"]["noise"] == 0.8


class TestShare:
    def test_repulsion_of_a_complete_graph(self) -> None:
        # Its least eigenvalue is -(n - 1), each field the root of n - 1.
        for count in (10, 101):
            assert repulsion(complete(count)) == pytest.approx((count - 1) ** 0.5, abs=0.01)

    def test_repulsion_of_random_signs(self) -> None:
        # Wigner's semicircle ends at twice the root of the degree.
        rng = np.random.default_rng(0)
        upper = np.triu(rng.choice([-1, 1], (300, 300)), 1)
        assert repulsion(upper + upper.T) == pytest.approx(2, abs=0.15)

    def test_repulsion_knows_no_scale(self) -> None:
        couplings = complete(30)
        assert repulsion(5 * couplings) == repulsion(couplings)
        assert repulsion(np.zeros((5, 5), np.int64)) == 0

    def test_uneven_degrees(self) -> None:
        # A star of n leaves: eigenvalue root of n, fields root of n in the middle and 1 at the ends.
        star = np.zeros((26, 26), np.int64)
        star[0, 1:] = star[1:, 0] = -1
        assert repulsion(star) == pytest.approx(25**0.5 / 25**0.25, abs=0.01)

    def test_what_repels_more_flips_less(self) -> None:
        shares = [stable_share(each) for each in np.linspace(0, 70, 300)]
        assert shares == sorted(shares, reverse=True)
        assert (shares[0], shares[-1]) == (1.0, FLIP_SHARES[-2])

    def test_graphs_that_swing_with_too_large_a_share(self) -> None:
        rng = np.random.default_rng(0)
        pairs = {pair: 1 for pair in itertools.combinations(range(100), 2) if rng.random() < 0.5}
        sampler = OscillatorSampler()
        stable, swinging = (
            sampler.sample_ising({}, pairs, num_reads=8, seed=1, share=share) for share in (None, FLIP_SHARES[4])
        )
        assert stable.record.energy.mean() < 0.98 * stable.record.energy.min()
        assert swinging.record.energy.mean() > 0


class TestRows:
    def test_the_rule_follows_network_and_levers(self) -> None:
        turning = OscillatorSpec(oscillators=40)
        couplings = complete(40)
        assert Annealing().chosen(turning, couplings).rule == "turn"
        chosen = Annealing().chosen(SPEC, couplings)
        assert (chosen.rule, chosen.noise, chosen.share) == ("flip", 0.8, stable_share(repulsion(couplings)))
        assert Annealing(max_step=1).chosen(SPEC, couplings).rule == "turn"
        assert Annealing(lock=0.5).chosen(SPEC, couplings).rule == "turn"
        assert Annealing(lock=0.5, share=0.25).chosen(SPEC, couplings).rule == "flip"
        for asked in (Annealing(rule="flip"), Annealing(share=0.25)):
            with pytest.raises(SpecError, match="do not flip: it needs a spec with flips, or the rule 'turn'"):
                asked.chosen(turning, couplings)

    def test_columns(self) -> None:
        rows = Annealing(periods=16, share=0.25, noise=1.0, final_noise=0.5).rows(SPEC, complete(40)).astype(int)
        field = mean_field(complete(40))
        assert rows[:, 0].tolist() == [2] * 8
        assert rows[[0, -1], 1].tolist() == [round(field), round(field / 2)]
        assert (rows[:, 5] == FLIP_SHARES.index(0.25) + 1).all()
        assert (Annealing(rule="turn").rows(SPEC, complete(40))[:, 5] == 0).all()

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"share": 0.3}, "share is 0.3; it must be one of 1, 0.875"),
            ({"rule": "jump"}, "rule is 'jump'; it must be 'flip' or 'turn'"),
            ({"rule": "turn", "share": 0.25}, "share is 0.25, but oscillators turn"),
            ({"final_noise": -1.0}, "final_noise is -1.0; it must be at least 0"),
        ],
    )
    def test_refused(self, given: dict, why: str) -> None:
        with pytest.raises(SpecError, match=why):
            Annealing(**given)


class TestBiases:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 10**6))
    def test_cut_biases_decide_the_same(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, 8))
        linear = rng.integers(-60, 61, count).astype(float)
        pairs = np.array(list(itertools.combinations(range(count), 2)), np.intp).reshape(-1, 2)
        pairs = pairs[rng.random(len(pairs)) < 0.6]
        quadratic = rng.integers(-5, 6, len(pairs)).astype(float)
        cut = telling_biases(linear, pairs, quadratic)
        assert (np.abs(cut) <= np.abs(linear)).all()
        states = np.array(list(itertools.product((-1, 1), repeat=count)))
        interaction = (states[:, pairs[:, 0]] * states[:, pairs[:, 1]]) @ quadratic
        before, after = states @ linear + interaction, states @ cut + interaction
        np.testing.assert_array_equal(before == before.min(), after == after.min())

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 9))
    def test_shares_of_a_bias_add_up(self, seed: int, references: int) -> None:
        rng = np.random.default_rng(seed)
        spec = OscillatorSpec(oscillators=20, inputs=int(rng.integers(0, 10)), weight_bits=8)
        placement = Placement.on(spec, 6, biased=True, references=references)
        limit = 127 * len(placement.references)
        linear = rng.integers(-limit, limit + 1, 6)
        weights = placement.weights(linear, np.zeros((0, 2), np.intp), np.zeros(0, np.int64))
        rows = weights[placement.places - spec.inputs]
        np.testing.assert_array_equal(rows.sum(axis=1), -linear)
        assert np.abs(rows).max(initial=0) <= 127
        assert placement.clamp[list(placement.references)].all()
        assert not placement.couplings(weights).any()

    def test_a_bias_need_not_fit_a_weight(self) -> None:
        couplings = dict.fromkeys(itertools.combinations("abcdefgh", 2), 1.0)
        sampler = OscillatorSampler(weight_bits=4)
        found = sampler.sample_ising({"a": 7.0, "b": -5.0}, couplings, num_reads=20, seed=0)
        exact = dimod.ExactSolver().sample_ising({"a": 7.0, "b": -5.0}, couplings)
        assert found.first.energy == exact.first.energy
        # Couplings keep all of their 3 bits; the bias of 7 times as much takes as many oscillators.
        assert found.info["references"] == 7
        assert found.info["scale"] == 7

    def test_a_device_shares_biases_among_what_is_left(self) -> None:
        spec = OscillatorSpec(oscillators=12, weight_bits=4, flips=True)
        with OscillatorSampler("sim:") as sampler:
            assert sampler.program(dimod.BQM({"a": 40.0}, {("a", "b"): 1.0}, "SPIN"), Annealing()).placement.references
        placement = Placement.on(spec, 3, biased=True, references=Placement.most_references(spec, 3))
        assert len(placement.references) == 9
        assert not set(placement.references) & set(placement.places.tolist())


class TestRounding:
    def test_numbers_beyond_reason(self) -> None:
        for huge in (1e308, -1e300, 1e-300):
            with pytest.raises(ProblemError, match=r"nothing can be computed with them: divide all by a common number"):
                quantise(np.array([1.0, huge]), 127, "auto")

    def test_dropped_coefficients_are_told(self) -> None:
        bqm = dimod.BQM({}, {("a", "b"): 1000.0, ("b", "c"): 0.1}, "SPIN")
        info = OscillatorSampler().sample(bqm, scale="auto", seed=0).info
        assert info["quantisation"]["dropped"] == 1
        assert any("1 of 2 coefficients became 0" in line for line in info["warnings"])

    def test_another_ground_state_is_told(self) -> None:
        # The weakest side of the triangle is the one to give up; with weights of 1 any may be.
        triangle = {("a", "b"): 1.0, ("b", "c"): 0.9, ("a", "c"): 0.6}
        told = "rounding changes which state has the least energy"
        for weight_bits, times in ((2, 1), (8, 0)):
            found = OscillatorSampler(weight_bits=weight_bits).sample_ising({}, triangle, scale="auto", seed=0)
            assert sum(told in line for line in found.info["warnings"]) == times


def test_info_says_what_was_chosen_and_why() -> None:
    found = OscillatorSampler().sample_ising({}, dict.fromkeys(itertools.combinations(range(20), 2), 1), seed=0)
    chosen = found.info["annealing"]
    assert (chosen["rule"], chosen["noise"], chosen["periods"]) == ("flip", 0.8, 300)
    assert chosen["why"] == f"share by a repulsion of {19**0.5:.3f} fields"
    assert chosen["share"] == stable_share(19**0.5)
