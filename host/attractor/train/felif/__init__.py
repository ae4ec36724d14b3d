"""Training of ferroelectric and plain spiking networks by BRUNO and by surrogate gradients."""

from attractor.train.felif.export import exported
from attractor.train.felif.full import FullFelifNeurons
from attractor.train.felif.integer import IntegerFelifNeurons, IntegerLifNeurons
from attractor.train.felif.losses import Classes, NextFrame, Samples
from attractor.train.felif.network import Pass, TrainedNetwork
from attractor.train.felif.neurons import FelifNeurons, LifNeurons
from attractor.train.felif.quantise import Weights, quantised
from attractor.train.felif.readout import OUTPUT_ONE, IntegerReadout, Readout, Synapses
from attractor.train.felif.trainer import Epoch, Recipe, Trainer, Training, mean_loss, outputs

__all__ = [
    "OUTPUT_ONE",
    "Classes",
    "Epoch",
    "FelifNeurons",
    "FullFelifNeurons",
    "IntegerFelifNeurons",
    "IntegerLifNeurons",
    "IntegerReadout",
    "LifNeurons",
    "NextFrame",
    "Pass",
    "Readout",
    "Recipe",
    "Samples",
    "Synapses",
    "TrainedNetwork",
    "Trainer",
    "Training",
    "Weights",
    "exported",
    "mean_loss",
    "outputs",
    "quantised",
]
