"""BRUNO: values of the fine model forward, slopes of one coarse Euler step backward (arXiv 2505.17791).

Everything is in units of the field of full polarisation: u for the voltage, p from -1 to 1. One coarse step of a tick
is, with the rate ``r = min(tick / tau(u - p), 1)``::

    q  = (sign(u - p) - p) r
    u' = clip(u + i - leak(u) sign(u) - coupling q)        p' = p + q

Written from the equations as read in the authors' public code. There the rate is not limited and p is clipped; with
the limit p never leaves its range, and the slopes stay finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from attractor.physics.felif import FelifDevice

__all__ = ["SURROGATES", "CoarseStep", "Floats", "Form", "Slopes", "hyperbolic", "superspike"]

Floats = npt.NDArray[np.float64]
#: Switching time as a constant (A), or differentiated, too (B).
Form = Literal["A", "B"]


@dataclass(frozen=True)
class Slopes:
    """Derivatives of u' and p' after a step; by the input i it is 1 for u' and 0 for p', where ``inside`` is 1.

    Parameters
    ----------
    u_u, u_p, p_u, p_p:
        Of the first by the second; those of u' are 0 where it was clipped.
    inside:
        0 where u' was clipped, else 1.
    """

    u_u: Floats
    u_p: Floats
    p_u: Floats | None
    p_p: Floats
    inside: Floats

    def back(self, by_u: Floats, by_p: Floats) -> tuple[Floats, Floats, Floats]:
        """Return gradients by i, u and p before the step from those by u' and p' after it."""
        before = by_u * self.u_u
        if self.p_u is not None:
            before += by_p * self.p_u
        return by_u * self.inside, before, by_u * self.u_p + by_p * self.p_p


class CoarseStep:
    """One Euler step of a whole tick; the device's constants are numbers or have shape (neurons,)."""

    def __init__(self, device: FelifDevice, tick: float, form: Form = "A") -> None:
        if form not in ("A", "B"):
            raise ValueError(f"form is {form!r}; it must be 'A' (constant switching time) or 'B'")
        self.form = form
        self.exponent = device.exponent
        self.coupling = np.asarray(device.coupling)
        self.limit = np.asarray(device.limit * device.per_volt)
        self._activation = np.asarray(device.activation)
        self._least_field = self._activation / 400
        self._log_rate = np.log(tick / device.attempt_time)
        self._leak_rate = np.asarray(1 / (device.leak_voltage * device.per_volt))
        self._leak_scale = np.asarray(device.per_ampere(tick) * device.leak_density * device.area)
        self._discharge = np.asarray(device.per_ampere(tick) * device.discharge)

    def step(self, u: Floats, p: Floats, i: Floats) -> tuple[Floats, Floats]:
        """Return u and p after a step, u as it is before it is clipped."""
        _, _, rate, move = self._rates(u, p)
        leak = self._leak_scale * np.expm1(self._leak_rate * u) + self._discharge
        q = move * rate
        return u + i - leak * np.sign(u) - self.coupling * q, p + q

    def slopes(self, u: Floats, p: Floats, i: Floats) -> Slopes:
        """Return the derivatives of a step; all arrays have shape (batch, neurons)."""
        field, power, rate, move = self._rates(u, p)
        growth = self._leak_scale * np.exp(self._leak_rate * u)
        leak = growth - self._leak_scale + self._discharge
        after = u + i - leak * np.sign(u) - self.coupling * move * rate
        inside = (np.abs(after) <= self.limit).astype(np.float64)
        u_u = 1 - growth * self._leak_rate * np.sign(u)
        u_p, p_u, p_p = self.coupling * rate, None, 1 - rate
        if self.form == "B":
            # By the field; nothing where the rate is limited.
            p_u = move * (self.exponent * power * rate / field * (rate < 1))
            u_u, u_p, p_p = u_u - self.coupling * p_u, u_p + self.coupling * p_u, p_p - p_u
        return Slopes(u_u * inside, u_p * inside, p_u, p_p, inside)

    def _rates(self, u: Floats, p: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the field, ``(ea / |E|)**alpha``, the limited rate, and the distance of p from saturation."""
        difference = u - p
        sign = np.sign(difference)
        # At a small field the rate is 0 in double precision, so it does no harm to take a greater one.
        size = np.maximum(np.abs(difference), self._least_field)
        power = (self._activation / size) ** self.exponent
        rate = np.exp(np.minimum(self._log_rate - power, 0.0))
        return np.copysign(size, difference), power, rate, sign - p


# Surrogate slopes of a spike, by how far the voltage is above the threshold


def superspike(distance: Floats) -> Floats:
    """Return ``1 / (1 + 10 |x|)``."""
    return 1 / (1 + 10 * np.abs(distance))


def hyperbolic(distance: Floats) -> Floats:
    """Return ``1 - tanh(x)**2``."""
    return 1 - np.tanh(distance) ** 2


SURROGATES = {"superspike": superspike, "hyperbolic": hyperbolic}
