"""Equilibrium Propagation with binary weights in floating point, as published: what the integer design is judged by.

Source: Laydevant, Ernoult, Querlioz, Grollier, "Training Dynamical Binary Neural Networks with Equilibrium
Propagation", arXiv 2103.08953; rules and hyperparameters as in the code published with it. Layers and connections are
counted from the input, whereas that code counts them from the output. Nothing here has a counterpart in gateware.
"""

from attractor.physics.eqprop.connection import Connection, Gradient
from attractor.physics.eqprop.convolutional import ConvolutionalNetwork, ConvolutionalState, ConvolutionShape
from attractor.physics.eqprop.dense import DenseNetwork, DenseState
from attractor.physics.eqprop.network import FloatNetwork, Learnt
from attractor.physics.eqprop.rule import FloatArray, Nudge, Rule, class_means, next_potentials, one_hot, sent

__all__ = [
    "Connection",
    "ConvolutionShape",
    "ConvolutionalNetwork",
    "ConvolutionalState",
    "DenseNetwork",
    "DenseState",
    "FloatArray",
    "FloatNetwork",
    "Gradient",
    "Learnt",
    "Nudge",
    "Rule",
    "class_means",
    "next_potentials",
    "one_hot",
    "sent",
]
