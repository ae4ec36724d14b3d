"""The pictures of docs/eqprop.md: an array learns the 8x8 digits, and settles on some that it has never seen.

Its board is the golden model behind the same link as gateware; "rtl:FILE" instead of it gives the same pictures.
"""

from pathlib import Path

import numpy as np

from attractor.data.digits import digits
from attractor.golden import EqPropNetwork
from attractor.host import Device, Model
from attractor.host.eqprop import SampleLearning
from attractor.plot.eqprop import LearningCurve, Relaxation, learning_figure, relaxation_figure
from attractor.sim.golden_board import GoldenBoard
from attractor.train.eqprop import accuracy, initial_parameters, winners
from attractor.train.eqprop.digits import EPOCHS, RECIPE, SPEC, STEPS, digits_code

#: Digits in the picture, besides the first one that is misread.
SHOWN = (0, 2, 4, 7)
PICTURES = Path("docs")

data, code = digits(), digits_code()
bits, test_bits = code.bits(data.train_images), code.bits(data.test_images)


def held_out_accuracy(device: Device) -> float:
    """Return the part of the held-out images that the weights in a device recognise."""
    return accuracy(SPEC, device.read_parameters(), test_bits, data.test_labels)


with Device.open(GoldenBoard(SPEC)) as device:
    device.load(Model(SPEC, initial_parameters(SPEC, steps=STEPS)))
    found, samples, learnt = [held_out_accuracy(device)], [0], []
    for epoch in range(EPOCHS):
        order, sigmas, thresholds = RECIPE.lessons(SPEC, len(bits), epoch)
        learnt.append(device.network.learn_samples(bits[order], data.train_labels[order], thresholds, sigmas=sigmas))
        found.append(held_out_accuracy(device))
        samples.append(samples[-1] + len(order))
        print("epoch", epoch + 1, "accuracy", found[-1])
    network = EqPropNetwork(SPEC, device.read_parameters())

learning = SampleLearning.joined(learnt)
curve = LearningCurve(np.array(samples), np.array(found), learning.flips, learning.touched)
learning_figure(curve).savefig(PICTURES / "eqprop-learning.png", dpi=110)

wrong = winners(SPEC, network.parameters, test_bits) != data.test_labels
first = [np.flatnonzero((data.test_labels == digit) & ~wrong)[0] for digit in SHOWN]
settled = [
    Relaxation.of(network, data.test_images[index], test_bits[index], int(data.test_labels[index]))
    for index in (*first, np.flatnonzero(wrong)[0])
]
relaxation_figure(SPEC, settled).savefig(PICTURES / "eqprop-settling.png", dpi=110)
