"""What estimators of oscillator networks share: the spec, and a run on the golden model or a device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attractor.estimators.base import Estimator, connected
from attractor.golden import OscillatorNetwork
from attractor.host.oscillator import Progress
from attractor.spec import IntegerArray, OscillatorSpec

__all__ = ["OscillatorEstimator"]


class OscillatorEstimator(Estimator):
    """A fitted oscillator network, and where it runs."""

    @property
    def spec_(self) -> OscillatorSpec:
        """Spec of the fitted network."""
        spec = self.model_.spec
        assert isinstance(spec, OscillatorSpec)
        return spec

    def _run(self, phases: npt.NDArray[np.uint8], progress: Progress | None) -> IntegerArray:
        """Return the last phases of all oscillators, shape (batch, oscillators)."""
        if self.device is None:
            return OscillatorNetwork(self.spec_, self.model_.parameters).run(phases).phases
        with connected(self.device, self.model_) as device:
            results = device.network.recall(phases, progress=progress)
        last = phases.copy()
        last[:, self.spec_.inputs :] = [result.phases for result in results]
        return last
