"""Training of binary Equilibrium Propagation arrays."""

from attractor.train.eqprop.trainer import (
    RUN,
    STEPS,
    Bits,
    Epoch,
    Lessons,
    Recipe,
    Trainer,
    Training,
    accuracy,
    binary_bits,
    check_samples,
    initial_parameters,
    scores,
    varying_inputs,
    winners,
    without_learning,
)

__all__ = [
    "RUN",
    "STEPS",
    "Bits",
    "Epoch",
    "Lessons",
    "Recipe",
    "Trainer",
    "Training",
    "accuracy",
    "binary_bits",
    "check_samples",
    "initial_parameters",
    "scores",
    "varying_inputs",
    "winners",
    "without_learning",
]
