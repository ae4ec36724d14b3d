from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attractor.golden import FelifNetwork
from attractor.train.felif import Trainer, exported, mean_loss, outputs
from attractor.train.felif.music import (
    DEVICE,
    INTEGER,
    LOSS,
    RECIPE,
    RECURRENT_LIF,
    TWIN,
    music_network,
    music_samples,
)


def rolls(count: int, seed: int) -> list[np.ndarray]:
    """Return made-up music: three voices that step up and down around their places."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        quarters = int(rng.integers(20, 30))
        roll = np.zeros((quarters, 54), bool)
        for place in (10, 25, 40):
            voice = place + np.cumsum(rng.choice([-2, -1, 1, 2], quarters)) % 8
            roll[np.arange(quarters), voice] = True
        found.append(roll)
    return found


def test_the_next_chord_is_wanted() -> None:
    music = rolls(3, 0)
    samples = music_samples(music)
    assert [len(frame) for frame in samples.frames] == [len(roll) - 1 for roll in music]
    assert np.array_equal(samples.frames[1][1:], np.asarray(samples.targets[1])[:-1])


@pytest.mark.parametrize(
    ("kind", "forward", "bits"),
    [
        ("felif_a", INTEGER, None),
        ("felif_a", INTEGER, 3),
        ("lif", INTEGER, 4),
        ("lif", TWIN, None),
        (RECURRENT_LIF, INTEGER, 3),
        (RECURRENT_LIF, TWIN, 4),
    ],
)
def test_every_network_learns(kind: str, forward: str, bits: int | None) -> None:
    samples, validation = music_samples(rolls(24, 1)), music_samples(rolls(8, 2))
    network = music_network(kind, forward=forward, bits=bits)
    trainer = Trainer(network, replace(RECIPE, settling=0, rate=0.01), samples, LOSS)
    losses = [mean_loss(network, trainer.parameters, validation, LOSS)]
    for _ in range(2):
        trainer.run_epoch(validation=validation)
        losses.append(mean_loss(network, trainer.parameters, validation, LOSS))
    assert losses[2] < losses[1] < losses[0]
    assert losses[2] < 0.21


def test_the_device_twin_spikes_as_its_integer_form() -> None:
    samples = music_samples(rolls(1, 3))
    frames = samples.padded()
    twin, integer = music_network(DEVICE, forward=TWIN), music_network("felif_b")
    parameters = integer.initial(np.random.default_rng(0), positive=True)
    found, expected = (network.forward(parameters, frames).spikes[0] for network in (integer, twin))
    assert expected.sum() > 50
    assert np.count_nonzero(found != expected) <= 0.01 * expected.size


def test_a_device_foretells_chord_by_chord() -> None:
    """A call for each chord, the states kept in between, gives the outputs of the whole chorale."""
    network = music_network("felif_a", bits=4)
    parameters = network.initial(np.random.default_rng(0), positive=True)
    parameters["bias"] -= 2.5
    samples = music_samples(rolls(1, 4))
    spec, arrays = exported(network, parameters, lanes=10)
    device = FelifNetwork(spec, arrays)
    found = [
        spec.decode_output(device.call(spec.encode_input(frame[None].astype(int), keep=True))).outputs
        for frame in samples.frames[0]
    ]
    expected = outputs(network, parameters, samples)[0]
    assert np.array_equal(np.array(found) / 256, expected)
    assert len(np.unique(expected)) > 100


@pytest.mark.parametrize(
    ("kind", "forward", "message"),
    [
        ("relu", INTEGER, "kind is 'relu'; it must be one of device, felif_a"),
        ("lif", "float", "forward is 'float'; it must be twin or integer"),
        (DEVICE, INTEGER, "forward is 'integer' and kind is 'device'"),
        ("felif_b", TWIN, "forward is 'twin' and kind is 'felif_b'"),
    ],
)
def test_networks_that_do_not_go_together(kind: str, forward: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        music_network(kind, forward=forward)
