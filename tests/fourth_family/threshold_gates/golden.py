"""What the gates must equal bit for bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from attractor.spec import IntegerArray
from threshold_gates.spec import ThresholdSpec

__all__ = ["ThresholdNetwork"]


class ThresholdNetwork:
    """Golden model of a layer of threshold gates."""

    def __init__(self, spec: ThresholdSpec, parameters: Mapping[str, npt.ArrayLike]) -> None:
        self.spec = spec
        self.parameters: dict[str, IntegerArray] = spec.check_parameters(parameters)

    def call(self, input_bytes: bytes) -> bytes:
        """Run once on the bytes of a device's input region; return those of its output region."""
        bits = self.spec.decode_input(input_bytes)["sample"]["bit"]
        on = self.parameters["weights"].astype(np.int64) @ bits >= self.parameters["thresholds"]
        result = {"on": int(on.sum()), "aborted": 0, "cycles": 0}
        return self.spec.encode_output({"result": result, "outputs": {"on": on}})
