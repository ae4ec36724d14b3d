from __future__ import annotations

import numpy as np
import pytest

from attractor.golden import OscillatorNetwork
from attractor.spec import SpecError
from attractor.train.oscillator.hidden import broadcast_delta
from attractor.train.oscillator.layered import (
    binary_levels,
    layered_parameters,
    layered_phases,
    layered_spec,
    ramp_step,
    train_layered,
)


def test_order_of_the_oscillators() -> None:
    spec = layered_spec(4, 3, 2)
    assert (spec.oscillators, spec.inputs, spec.reference, spec.labels, spec.targets) == (17, 12, 4, 2, 5)
    phases = layered_phases(spec, [[1, -1, -1, 1]])
    assert phases.tolist() == [[0, 8, 8, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 4, 4]]


def test_hidden_oscillators_take_the_sign_of_their_field() -> None:
    generator = np.random.default_rng(7)
    # Few couplings, so that fields of 0 occur; they count as positive.
    spec = layered_spec(12, 40, 3)
    hidden = generator.integers(-1, 2, (40, 13))
    levels = generator.choice([-1, 1], (50, 12))
    network = OscillatorNetwork(spec, layered_parameters(spec, generator.integers(-9, 10, (3, 41)), hidden))
    run = network.run(layered_phases(spec, levels))
    field = np.c_[levels, np.ones(50, int)] @ hidden.T
    assert (field == 0).any()
    assert (run.phases[:, spec.inputs : spec.inputs + 40] == np.where(field >= 0, 0, 8)).all()
    assert run.settled.all()


@pytest.mark.parametrize("phase_bits", [3, 4, 5])
def test_the_ramp_puts_fields_in_order(phase_bits: int) -> None:
    # One label, which sees one pixel: its field is the bias.
    spec = layered_spec(1, 0, 1, weight_bits=8, phase_bits=phase_bits)
    half = spec.period // 2
    step, own = 4, 102
    for bias in range(-half * step, half * step + 1, 2 * step):
        network = OscillatorNetwork(spec, layered_parameters(spec, [[0, bias]], ramp=step))
        weights = network.parameters["weights"].copy()
        assert weights[0, -1] == own
        weights[0, -1] = 0
        bare = OscillatorNetwork(spec, network.parameters | {"weights": weights})
        run = bare.run(layered_phases(spec, [[1]]))
        away = int(run.phases[0, -1])
        added = [step * (2 * slot - half + 1) for slot in range(half)]
        assert min(away, spec.period - away) == sum(bias + extra <= 0 for extra in added)
        assert run.settled.all()


def test_labels_rank_by_their_fields() -> None:
    generator = np.random.default_rng(7)
    spec = layered_spec(40, 0, 6, weight_bits=6)
    weights = generator.integers(-9, 10, (6, 41))
    levels = generator.choice([-1, 1], (300, 40))
    fields = np.c_[levels, np.ones(300, int)] @ weights.T
    ranked = np.sort(fields, axis=1)
    # The ramp reaches from -56 to 56 in steps of 16, and labels hold themselves: small gaps may be lost.
    clear = (ranked[:, -1] - ranked[:, -2] > 40) & (ranked[:, -2] < 40) & (ranked[:, -1] > -40)
    assert clear.sum() > 20
    run = OscillatorNetwork(spec, layered_parameters(spec, weights, ramp=8)).run(layered_phases(spec, levels))
    assert (run.winner == fields.argmax(axis=1))[clear].all()
    flat = OscillatorNetwork(spec, layered_parameters(spec, weights, ramp=0)).run(layered_phases(spec, levels))
    assert (run.winner == fields.argmax(axis=1)).mean() > (flat.winner == fields.argmax(axis=1)).mean() + 0.1


def test_couplings_are_where_they_belong() -> None:
    spec = layered_spec(2, 2, 2)
    weights = layered_parameters(spec, [[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]], ramp=20)["weights"]
    expected = [
        [7, 8, 9] + [0] * 7 + [0, 0, 0, 0],
        [10, 11, 12] + [0] * 7 + [0, 0, 0, 0],
        [0, 0, 3] + [20] * 7 + [1, 2, 25, -4],
        [0, 0, 6] + [20] * 7 + [4, 5, -4, 25],
    ]
    assert weights.tolist() == expected


def test_ramp_step_fits_the_weights() -> None:
    spec = layered_spec(784, 300, 10)
    assert ramp_step(spec, 301) == round(1.2 * 31 * 301**0.5 / 4 / 7)
    assert ramp_step(spec, 100_000) == 31
    assert ramp_step(spec, 0) == 1


def test_bad_input_is_named() -> None:
    spec = layered_spec(4, 3, 2)
    with pytest.raises(ValueError, match=r"shape \(1, 5\); this classifier needs \(samples, 4\)"):
        layered_phases(spec, [[1, 1, 1, 1, 1]])
    with pytest.raises(ValueError, match="a pixel is 0"):
        layered_phases(spec, [[1, 0, 1, 1]])
    with pytest.raises(ValueError, match=r"\(0, 5\) to hidden oscillators and \(2, 4\) to labels"):
        layered_parameters(spec, np.zeros((2, 4), int))
    with pytest.raises(SpecError, match="40"):
        layered_parameters(spec, np.full((2, 4), 40), np.zeros((3, 5), int))


def test_grey_images_are_cut_at_one_half() -> None:
    images = np.array([[0.0, 0.49, 0.5, 1.0]] * 8)
    labels = np.array([0, 1] * 4)
    assert binary_levels(images[:1]).tolist() == [[-1, -1, 1, 1]]
    spec, parameters = train_layered(images, labels, classes=2, hidden=3, weight_bits=4, phase_bits=3, epochs=2)
    assert (spec.targets, spec.labels, spec.weight_bits, spec.period) == (5, 2, 4, 8)
    weights = broadcast_delta(binary_levels(images), labels, classes=2, hidden=3, weight_bits=4, epochs=2)
    assert (parameters["weights"] == layered_parameters(spec, weights.labels, weights.hidden)["weights"]).all()
