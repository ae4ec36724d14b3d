"""Integer arrays of binary Equilibrium Propagation that learn well one sample after the other, by data set.

Each entry holds arguments of :class:`attractor.host.estimators.EqPropClassifier`, chosen on a part of the training
images that was not learnt.
"""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    # 8x8 digits on a network that the smallest board holds with its counters.
    "digits": {
        "hidden": 48,
        "replicas": 2,
        "inputs": 64,
        "levels": (0.3, 0.8),
        "state_high": (4, 14),
        "counter_bits": 6,
        "lanes": 8,
        "thresholds": (11, 4),
        "doubling": 8,
        "both_signs": True,
    },
}
