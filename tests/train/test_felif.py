"""Quantised weights, integer forward passes equal to the golden model, losses, epochs and checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.golden import FelifNetwork
from attractor.physics.felif import FelifDevice
from attractor.train.checkpoints import CheckpointError
from attractor.train.felif import (
    OUTPUT_ONE,
    Classes,
    FelifNeurons,
    IntegerFelifNeurons,
    IntegerLifNeurons,
    IntegerReadout,
    LifNeurons,
    NextFrame,
    Readout,
    Recipe,
    Samples,
    Synapses,
    TrainedNetwork,
    Trainer,
    exported,
    mean_loss,
    outputs,
    quantised,
)
from attractor.train.felif.neurons import TrainedNeurons
from attractor.train.optimiser import Adamax, Plateau

DEVICE = FelifDevice(threshold=2.0)


# Quantised weights


@given(st.integers(2, 8), st.booleans(), st.integers(0, 2**32 - 1))
def test_levels(bits: int, by_neuron: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((5, 7)) * rng.uniform(0.1, 3, (5, 1))
    high = 2 ** (bits - 1) - 1
    largest = np.abs(weights).max(axis=1, keepdims=True) if by_neuron else np.full((5, 1), np.abs(weights).max())
    for generator in (None, rng):
        found = quantised(weights, bits, by_neuron=by_neuron, generator=generator)
        assert found.levels is not None
        assert found.step is not None
        assert (found.levels == np.rint(found.levels)).all()
        assert np.abs(found.levels).max() == high
        assert found.step == pytest.approx(largest / (high + 0.5))
        assert np.array_equal(found.values, found.levels * found.step)
        # Half a step to the nearest level, a whole one where chance decides or the end of the range cuts.
        assert (np.abs(found.values - weights) <= found.step * 1.0000001).all()
        if generator is None:
            inner = np.abs(weights) < found.step * high
            assert (np.abs(found.values - weights) <= np.where(inner, found.step / 2, found.step) * 1.0000001).all()


def test_rounding_at_random_is_right_on_average() -> None:
    weights = np.array([[0.37, -0.81, 1.0, 0.0]])
    rng = np.random.default_rng(0)
    mean = np.mean([quantised(weights, 3, generator=rng).values for _ in range(4000)], axis=0)
    assert mean[0, [0, 1, 3]] == pytest.approx(weights[0, [0, 1, 3]], abs=0.02)
    # The greatest weight is cut to the last level, 3 of 3.5.
    assert mean[0, 2] == pytest.approx(3 / 3.5)


def test_float_weights_and_weights_of_zero() -> None:
    weights = np.ones((2, 2))
    assert quantised(weights, None).values is weights
    assert quantised(weights, None).levels is None
    assert not quantised(np.zeros((2, 2)), 4, by_neuron=True).values.any()


# Integer forward


def random_network(kind: str, bits: int, recurrent: bool, seed: int) -> tuple[TrainedNetwork, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    by_neuron = bool(rng.integers(0, 2))
    synapses = Synapses(bits=bits, by_neuron=by_neuron, recurrent=recurrent)
    neurons: TrainedNeurons
    if kind == "lif":
        synapse_decay = rng.choice([None, 0.6])
        neurons = IntegerLifNeurons(6, decay=0.9, synapse_decay=synapse_decay, bits=bits, recurrent=recurrent)
        hidden = IntegerLifNeurons(5, decay=0.5, bits=bits)
    else:
        neurons = IntegerFelifNeurons(kind, DEVICE, 6, bits=bits, recurrent=recurrent)
        hidden = IntegerFelifNeurons(kind, DEVICE.varied(5, 0.05, rng), 5, bits=bits, nominal=DEVICE)
    readout = IntegerReadout(size=4, decay=float(rng.choice([0, 0.75, 1])), synapses=replace(synapses, recurrent=False))
    network = TrainedNetwork(8, [(neurons, synapses), (hidden, replace(synapses, recurrent=False))], readout)
    parameters = network.initial(rng, positive=bool(rng.integers(0, 2)))
    parameters["bias"] = rng.standard_normal(4)
    return network, parameters


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["felif_a", "felif_b", "lif"]), st.sampled_from([2, 3, 4, 8]), st.booleans(), st.integers(0, 2**32)
)
def test_what_is_trained_is_what_the_golden_model_computes(kind: str, bits: int, recurrent: bool, seed: int) -> None:
    network, parameters = random_network(kind, bits, recurrent, seed)
    frames = np.random.default_rng(seed).integers(0, 2, (10, 3, 8))
    run = network.forward(parameters, frames.astype(float))
    spec, arrays = exported(network, parameters, ticks=10, lanes=3)
    golden = FelifNetwork(spec, arrays).run(frames.transpose(1, 0, 2), trace=True)
    assert golden.traces is not None
    for spikes, trace in zip(run.spikes, golden.traces, strict=False):
        assert np.array_equal(spikes, trace.spikes)
    assert np.array_equal(run.outputs * OUTPUT_ONE, golden.traces[-1].voltage)
    felif = network.layers[0][0]
    for tick, record in enumerate(run.records[0]):
        if isinstance(felif, IntegerFelifNeurons):
            one = 2.0**felif.layer.fraction_bits
            before = golden.traces[0].voltage[tick - 1] / one if tick else np.zeros((3, 6))
            assert np.array_equal(record.u, before)  # pyright: ignore[reportAttributeAccessIssue]
            assert np.array_equal(record.after, golden.traces[0].voltage[tick] / one)  # pyright: ignore[reportAttributeAccessIssue]


def test_networks_that_can_not_be_exported() -> None:
    network, parameters = random_network("felif_a", 4, False, 0)
    neurons = network.layers[0][0]
    floats = TrainedNetwork(8, [(neurons, Synapses())])
    with pytest.raises(ValueError, match="layer 0 has no integer neurons with weights of a few bits"):
        exported(floats, parameters)
    mixed = TrainedNetwork(8, network.layers, Readout(size=4, synapses=Synapses(bits=4)))
    with pytest.raises(ValueError, match="the read-out is no integer read-out"):
        exported(mixed, parameters)


def test_a_network_without_readout_counts_spikes() -> None:
    neurons = IntegerFelifNeurons("felif_a", DEVICE, 5, bits=4)
    network = TrainedNetwork(8, [(neurons, Synapses(bits=4))])
    parameters = network.initial(np.random.default_rng(0), positive=True)
    frames = np.random.default_rng(1).integers(0, 2, (20, 3, 8))
    run = network.forward(parameters, frames.astype(float))
    golden = FelifNetwork(*exported(network, parameters, ticks=20)).run(frames.transpose(1, 0, 2))
    assert np.array_equal(run.outputs.sum(axis=0), golden.outputs)
    assert golden.outputs.any()


def test_float_weights_give_the_integer_neurons_rounded_currents() -> None:
    fine = FelifNeurons(DEVICE, 30)
    integer = IntegerFelifNeurons("felif_b", DEVICE, 30)
    rng = np.random.default_rng(0)
    parameters = {"weights_0": rng.uniform(0, 0.08, (30, 10))}
    frames = (rng.random((25, 2, 10)) < 0.3).astype(float)
    a, b = (TrainedNetwork(10, [(n, Synapses())]).forward(parameters, frames).spikes[0] for n in (fine, integer))
    assert a.sum() > 100
    assert np.count_nonzero(a != b) <= 0.01 * a.size


@pytest.mark.parametrize("kind", [LifNeurons, IntegerLifNeurons])
def test_a_gain_of_lif_neurons_is_a_factor_of_their_weights(kind: type[LifNeurons]) -> None:
    rng = np.random.default_rng(5)
    weights, frames = rng.normal(size=(6, 4)), rng.integers(0, 16, (12, 3, 4)).astype(float)
    by_outputs = rng.normal(size=(12, 3, 6))
    found = []
    for gain in (1.0, 0.25):
        network = TrainedNetwork(4, [(kind(6, decay=0.9, gain=gain), Synapses())])
        run = network.forward({"weights_0": weights * 0.25 / gain}, frames)
        found.append((run.outputs, network.backward(run, by_outputs)["weights_0"] / gain))
    assert 30 < found[0][0].sum() < 186
    for one, quarter in zip(*found, strict=True):
        assert np.array_equal(one, quarter)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"gain": 0.0}, "gain is 0.0; it must be positive"), ({"decay": 1.5}, "decay is 1.5; it must lie between 0 and")],
)
def test_lif_neurons_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LifNeurons(2, **({"decay": 0.9} | options))


# Losses


@pytest.mark.parametrize("loss", [NextFrame(2), Classes(), Classes(summed=True, scale=0.3)])
def test_gradients_of_losses(loss: NextFrame | Classes) -> None:
    rng = np.random.default_rng(0)
    lengths = (6, 4, 5) if isinstance(loss, NextFrame) else (6, 6, 6)
    frames = [rng.integers(0, 2, (length, 4)) for length in lengths]
    targets = frames if isinstance(loss, NextFrame) else [2, 0, 1]
    samples = Samples(frames, targets)
    given_outputs = rng.standard_normal((6, 3, 4)) * 2
    losses, gradient = loss(given_outputs, samples)
    assert losses.shape == (3,)
    for index in np.ndindex(*given_outputs.shape):
        nudge = np.zeros_like(given_outputs)
        nudge[index] = 1e-6
        change = loss(given_outputs + nudge, samples)[0].mean() - loss(given_outputs - nudge, samples)[0].mean()
        assert gradient[index] == pytest.approx(change / 2e-6, abs=1e-7)


def test_the_next_frame_by_hand() -> None:
    losses, _ = NextFrame(1)(np.zeros((3, 1, 2)), Samples([np.ones((3, 2))], [np.array([[1, 0], [1, 1], [0, 0]])]))
    assert losses.tolist() == pytest.approx([np.log(2)])
    confident = np.array([[[0, 0]], [[900, -900]], [[-900, 900]]], float)
    assert NextFrame(0)(confident, Samples([np.ones((3, 2))], [np.array([[1, 0]] * 3)]))[0] == pytest.approx(
        [(2 * np.log(2) + 1800) / 6]
    )


# Optimiser


def test_adamax_by_hand() -> None:
    optimiser, parameters = Adamax(0.1, memory=0.5), {"w": np.array([1.0, 2.0])}
    optimiser.step(parameters, {"w": np.array([4.0, -1.0])})
    # The first step has the length of the rate, whatever the gradient.
    assert parameters["w"] == pytest.approx([0.9, 2.1])
    optimiser.step(parameters, {"w": np.array([1.0, 0.0])})
    # Means 0.46 and -0.09; norms 2 and 0.5; the rate is 0.1 / (1 - 0.81).
    assert parameters["w"] == pytest.approx([0.9 - 0.1 / 0.19 * 0.46 / 2, 2.1 + 0.1 / 0.19 * 0.09 / 0.5])


def test_a_plateau_lowers_the_rate() -> None:
    plateau = Plateau(factor=0.5, patience=1)
    rates = [rate := 1.0]
    rates += [rate := plateau.rate(rate, loss) for loss in (3.0, 2.0, 2.0, 2.5, 1.9, 1.95, 2.0)]
    assert rates == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]


# Epochs


def toy() -> tuple[TrainedNetwork, Samples, Samples]:
    """Return a network that must foretell which of four notes follows which."""
    rng = np.random.default_rng(4)
    follows = np.eye(4, dtype=int)[[1, 2, 3, 0]]

    def rolls(count: int) -> Samples:
        starts = rng.integers(0, 4, count)
        chosen = [np.eye(4, dtype=int)[(start + np.arange(13)) % 4] for start in starts]
        assert (chosen[0][1:] == chosen[0][:-1] @ follows).all()
        return Samples([roll[:-1] for roll in chosen], [roll[1:] for roll in chosen])

    neurons = IntegerFelifNeurons("felif_a", DEVICE, 24, bits=4)
    synapses = Synapses(bits=4, by_neuron=True)
    network = TrainedNetwork(4, [(neurons, synapses)], IntegerReadout(size=4, synapses=synapses))
    return network, rolls(16), rolls(8)


RECIPE = Recipe(rate=0.02, batch=4, factor=0.7, patience=3, settling=3, seed=1)


def test_a_network_learns() -> None:
    network, samples, validation = toy()
    trainer = Trainer(network, RECIPE, samples, NextFrame(2))
    before = mean_loss(network, trainer.parameters, validation, NextFrame(2))
    seen: list[tuple[int, int]] = []
    training = trainer.train(30, validation=validation, progress=lambda done, total: seen.append((done, total)))
    after = mean_loss(network, training.parameters, validation, NextFrame(2))
    assert after < before / 2
    assert seen == [(epoch, 30) for epoch in range(1, 31)]
    assert after == min(epoch.validation for epoch in training.history if epoch.validation is not None)
    assert training.history[0].rate == 0.02
    found = outputs(network, training.parameters, validation)
    assert [output.shape for output in found] == [(12, 4)] * 8


def test_a_checkpoint_goes_on_as_without_a_break(tmp_path: Path) -> None:
    network, samples, validation = toy()

    def trainer() -> Trainer:
        return Trainer(network, RECIPE, samples, NextFrame(2))

    whole = trainer().train(6, validation=validation)
    path = tmp_path / "half.npz"

    class Stopped(Exception):  # noqa: N818
        pass

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        trainer().train(6, validation=validation, checkpoint=path, progress=stop)
    resumed = trainer().train(6, validation=validation, checkpoint=path)
    assert resumed.history == whole.history
    assert all(np.array_equal(resumed.parameters[name], array) for name, array in whole.parameters.items())
    other = Trainer(network, replace(RECIPE, rate=0.5), samples, NextFrame(2))
    with pytest.raises(CheckpointError, match=r"recipe.rate is 0\.02 there and 0\.5 here"):
        other.train(6, validation=validation, checkpoint=path)
    with pytest.raises(CheckpointError, match="validation is"):
        trainer().train(6, checkpoint=path)


def test_settled_epochs_round_to_the_nearest_level() -> None:
    """Two trainings that differ in nothing but their seed's draws are equal without any draw."""
    network, samples, _ = toy()
    start = network.initial(np.random.default_rng(0))
    order = replace(RECIPE, batch=16)
    settled, drawn = [], []
    for found, flag in ((settled, True), (drawn, False)):
        for seed in (1, 2):
            trainer = Trainer(network, replace(order, seed=seed), samples, NextFrame(2), parameters=start)
            trainer.run_epoch(settled=flag)
            found.append(trainer.parameters["weights_0"])
    assert settled[0] == pytest.approx(settled[1], abs=1e-9)
    assert not np.allclose(*drawn)


def test_a_recurrent_lif_baseline_learns() -> None:
    _, samples, validation = toy()
    layer = LifNeurons(16, decay=0.8), Synapses(recurrent=True)
    network = TrainedNetwork(4, [layer], Readout(size=4))
    trainer = Trainer(network, replace(RECIPE, settling=0), samples, NextFrame(2))
    before = mean_loss(network, trainer.parameters, validation, NextFrame(2))
    training = trainer.train(20, validation=validation)
    assert mean_loss(network, training.parameters, validation, NextFrame(2)) < before / 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rate": 0.0}, "rate is 0.0; it must be positive"),
        ({"batch": 0}, "batch is 0"),
        ({"factor": 1.5}, "factor is 1.5"),
    ],
)
def test_recipes_out_of_range(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **fields)


def test_samples_need_targets() -> None:
    network, samples, _ = toy()
    with pytest.raises(ValueError, match="there are 16 sequences and 3 targets"):
        Trainer(network, RECIPE, Samples(samples.frames, samples.targets[:3]), NextFrame())
