"""Published settings of binary Equilibrium Propagation, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from attractor.physics.eqprop import ConvolutionalNetwork, ConvolutionShape, DenseNetwork, FloatNetwork, Rule

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One published experiment (arXiv 2103.08953, commands in the README of the published code).

    Parameters
    ----------
    shape:
        Neurons of each fully connected layer from the input, or the sizes of a convolutional network.
    rule:
        Hyperparameters from the input, with fixed scaling factors.
    learnt_scale_rates:
        Their rates where they are learnt.
    replicas:
        Outputs for each class.
    epochs, batch:
        Length of the published training and size of its mini-batches.
    """

    shape: tuple[int, ...] | ConvolutionShape
    rule: Rule
    learnt_scale_rates: tuple[float, ...]
    replicas: int = 1
    epochs: int
    batch: int = 64

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.shape.image if isinstance(self.shape, ConvolutionShape) else self.shape[:1]

    def network(self, *, seed: int = 0, learn_scales: bool = False, **options: Any) -> FloatNetwork[Any]:
        """Return the network; ``options`` are ``dtype`` and ``xp``."""
        rule = replace(self.rule, scale_rates=self.learnt_scale_rates) if learn_scales else self.rule
        if isinstance(self.shape, ConvolutionShape):
            return ConvolutionalNetwork(self.shape, rule, seed=seed, **options)
        return DenseNetwork(self.shape, rule, seed=seed, **options)


#: Activations that are real ("real") or bits, then the number of hidden layers or that layers are convolutional.
#: In the published commands each of these tuples is reversed.
PRESETS = {
    "mnist-real-1": Preset(
        shape=(784, 4096, 10),
        rule=Rule(
            binary_activations=False,
            free_steps=50,
            nudged_steps=10,
            beta=0.3,
            momentum_rates=(1e-4, 1e-5),
            flip_thresholds=(5e-7, 5e-7),
            bias_rates=(0.05, 0.025),
        ),
        learnt_scale_rates=(1e-4, 1e-4),
        epochs=50,
    ),
    "mnist-real-2": Preset(
        shape=(784, 4096, 4096, 10),
        rule=Rule(
            binary_activations=False,
            free_steps=250,
            nudged_steps=10,
            beta=0.3,
            momentum_rates=(2e-5, 2e-5, 5e-6),
            flip_thresholds=(5e-7, 5e-7, 5e-7),
            bias_rates=(0.1, 0.05, 0.025),
        ),
        learnt_scale_rates=(1e-2, 1e-2, 1e-2),
        epochs=50,
    ),
    "mnist-real-convolutional": Preset(
        shape=ConvolutionShape(image=(28, 28, 1), channels=(32, 64), outputs=10),
        rule=Rule(
            binary_activations=False,
            free_steps=150,
            nudged_steps=10,
            beta=0.3,
            momentum_rates=(5e-8, 5e-8, 5e-8),
            flip_thresholds=(1e-8, 1e-8, 1e-8),
            bias_rates=(0.1, 0.05, 0.025),
        ),
        learnt_scale_rates=(1e-3, 1e-3, 1e-3),
        epochs=50,
    ),
    "cifar10-real-convolutional": Preset(
        shape=ConvolutionShape(image=(32, 32, 3), channels=(64, 128, 256, 256), outputs=10),
        rule=Rule(
            binary_activations=False,
            free_steps=150,
            nudged_steps=10,
            beta=0.3,
            momentum_rates=(2e-7, 2e-7, 2e-7, 2e-7, 2e-7),
            flip_thresholds=(1e-8, 1e-8, 1e-8, 1e-8, 1e-8),
            bias_rates=(0.4, 0.2, 0.1, 0.05, 0.025),
        ),
        learnt_scale_rates=(1e-2, 1e-2, 1e-2, 1e-2, 1e-4),
        epochs=500,
    ),
    "mnist-bits-1": Preset(
        shape=(784, 8192, 100),
        rule=Rule(
            binary_activations=True,
            free_steps=20,
            nudged_steps=10,
            beta=2.0,
            momentum_rates=(2e-6, 2e-6),
            flip_thresholds=(2e-7, 2.5e-7),
            bias_rates=(1e-7, 1e-7),
        ),
        learnt_scale_rates=(1e-6, 1e-6),
        replicas=10,
        epochs=100,
    ),
    "mnist-bits-2": Preset(
        shape=(784, 8192, 8192, 6000),
        rule=Rule(
            binary_activations=True,
            free_steps=30,
            nudged_steps=10,
            beta=2.0,
            random_sign=False,
            momentum_rates=(1e-6, 1e-6, 1e-6),
            flip_thresholds=(5e-8, 1e-8, 2e-8),
            bias_rates=(1e-6, 1e-6, 1e-6),
        ),
        learnt_scale_rates=(1e-8, 1e-8, 1e-8),
        replicas=600,
        epochs=100,
    ),
    "mnist-bits-convolutional": Preset(
        shape=ConvolutionShape(image=(28, 28, 1), channels=(256, 512), outputs=700, padding=1, pool=3),
        rule=Rule(
            binary_activations=True,
            free_steps=100,
            nudged_steps=50,
            beta=1.0,
            momentum_rates=(5e-8, 5e-8, 5e-8),
            flip_thresholds=(2e-7, 8e-8, 8e-8),
            bias_rates=(1e-5, 5e-6, 2e-6),
        ),
        learnt_scale_rates=(1e-3, 1e-3, 1e-5),
        replicas=70,
        epochs=50,
    ),
}
