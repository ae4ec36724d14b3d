"""An Equilibrium Propagation array that learns the 8x8 digits by itself, one image after the other.

64 inputs, 48 hidden neurons and two outputs for each class fit into the block RAM of an iCE40UP5K with a 6-bit counter
behind each weight. Levels, states, steps and thresholds were chosen by a search with the images of
:attr:`Digits.train_images <attractor.data.digits.Digits>`, a fifth of them held back: ten passes over the others, and
the mean accuracy over several divisions of them. The test images were not looked at.
"""

from __future__ import annotations

from attractor.data.digits import digits
from attractor.spec import EqPropSpec
from attractor.train.eqprop import Recipe
from attractor.train.pixels import PixelCode

__all__ = ["EPOCHS", "LEVELS", "RECIPE", "SPEC", "STEPS", "digits_code"]

#: Brightness that pixels are compared with; of these comparisons :data:`SPEC` has an input for the most even ones.
LEVELS = (0.25, 0.75)
#: Most steps of the free and of the nudged phase.
STEPS = (8, 8)
#: Passes over the training images.
EPOCHS = 10

SPEC = EqPropSpec(layers=(64, 48, 20), state_high=(3, 14), counter_bits=6, lanes=8, learning=True)
#: The rule of a device; every image is learnt twice in a row, nudged toward its class and away from it.
RECIPE = Recipe(thresholds=(18, 6), batch=1, both_signs=True)


def digits_code() -> PixelCode:
    """Return how pixels become input bits; the training images decide."""
    return PixelCode.of_images(digits().train_images, LEVELS, most=SPEC.layers[0])
