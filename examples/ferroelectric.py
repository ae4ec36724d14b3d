"""The pictures of docs/felif.md and docs/bruno.md: a neuron and its integer forms, and networks that learn scales."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from attractor.physics.felif import FelifDevice
from attractor.physics.felif.response import Response
from attractor.plot.bruno import TickSlopes, learning_figure
from attractor.plot.felif import hysteresis_figure, response_figure
from attractor.train.felif import (
    FelifNeurons,
    FullFelifNeurons,
    IntegerFelifNeurons,
    IntegerReadout,
    Readout,
    Recipe,
    Synapses,
    TrainedNetwork,
    Trainer,
    mean_loss,
)
from attractor.train.felif.neurons import TrainedNeurons
from attractor.train.felif.scales import LOSS, NOTES, WITHOUT_MEMORY, scales

PICTURES = Path("docs")
#: Currents in nA, and for how many ticks each flows: to spikes and to stops in between; around and back inside.
DRIVE = (0.45, 42), (-0.3, 12), (0.0, 16), (0.45, 32), (-0.15, 8), (0.33, 50)
SWEEP = (0.3, 44), (-0.3, 50), (0.3, 29), (-0.3, 16), (0.3, 37)
#: Neurons, and Euler steps of a tick of the device where one is trained: enough for 1 ms, and ten times faster.
NEURONS, STEPS = 100, 100
EPOCHS = 30


def currents(stretches: tuple[tuple[float, int], ...]) -> np.ndarray:
    """Return the current of each tick, A."""
    levels, ticks = np.array(stretches).T
    return np.repeat(levels * 1e-9, ticks.astype(int))


def losses(neurons: TrainedNeurons, bits: int | None = None) -> list[float]:
    """Return the validation loss before and after each epoch of a training."""
    synapses = Synapses(bits=bits, by_neuron=True)
    readout = Readout if bits is None else IntegerReadout
    network = TrainedNetwork(NOTES, [(neurons, synapses)], readout(size=NOTES, synapses=synapses))
    trainer = Trainer(network, Recipe(rate=0.02, batch=4, factor=0.8, patience=2), scales(32), LOSS)
    validation = scales(32, seed=1)
    found = [mean_loss(network, trainer.parameters, validation, LOSS)]
    trainer.train(EPOCHS, validation=validation, watch=lambda epoch: found.append(epoch.validation or 0.0))
    return found


device = FelifDevice()
response_figure(Response.of(device, currents(DRIVE))).savefig(PICTURES / "felif-response.png", dpi=110)

swept = Response.of(replace(device, threshold=4.9), currents(SWEEP))
hysteresis_figure(device, swept).savefig(PICTURES / "felif-hysteresis.png", dpi=110)

learner = FelifDevice(threshold=2.0)
trainings: dict[str, tuple[TrainedNeurons, int | None]] = {
    "through every Euler step": (FullFelifNeurons(learner, NEURONS, steps=STEPS), None),
    "BRUNO, device": (FelifNeurons(learner, NEURONS, steps=STEPS), None),
    "BRUNO, integers A": (IntegerFelifNeurons("felif_a", learner, NEURONS), None),
    "the same, weights of 4 bits": (IntegerFelifNeurons("felif_a", learner, NEURONS, bits=4), 4),
}
found = {}
for name, (neurons, bits) in trainings.items():
    found[name] = losses(neurons, bits)
    print(f"{name}: validation loss {found[name][-1]:.3f} after {EPOCHS} epochs")
tick = TickSlopes.of(device, 0.5, -0.5 * 0.22, np.linspace(-4e-9, 4e-9, 161))
learning_figure(tick, found, bound=WITHOUT_MEMORY).savefig(PICTURES / "bruno-learning.png", dpi=110)
