"""Random networks and calls, the same for benches in a simulator and for the acceptance of a device."""

from attractor.trials.base import Trials, random_parameter, random_record, trials_of, with_unused_bits
from attractor.trials.comparison import UNTIMED, first_unequal, output_fields
from attractor.trials.features import Features, features_of

__all__ = [
    "UNTIMED",
    "Features",
    "Trials",
    "features_of",
    "first_unequal",
    "output_fields",
    "random_parameter",
    "random_record",
    "trials_of",
    "with_unused_bits",
]
