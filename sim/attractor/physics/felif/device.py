"""A ferroelectric neuron as a device: constants of its materials and its circuit, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["EPSILON_0", "VARYING", "Constant", "FelifDevice"]

#: A constant of all neurons, or one for each, shape (neurons,).
Constant = float | npt.NDArray[np.float64]

#: Permittivity of the vacuum, F/m.
EPSILON_0 = 8.8541878128e-12
#: Constants that vary from device to device.
VARYING = ("area", "activation_field", "saturation", "leak_density", "ferroelectric_thickness", "interlayer_thickness")


@dataclass(frozen=True, kw_only=True)
class FelifDevice:
    """Ferroelectric leaky integrate-and-fire neuron (Fehlings et al., arXiv 2505.17791, as in their public code).

    A membrane capacitor lies in parallel with a ferroelectric one of voltage v (V) and polarisation p (C/m^2)::

        E     = v kc - p kd                                    field in the ferroelectric
        tau   = tau0 exp((Ea / |E|)**alpha)                    switching time
        dp/dt = (sign(E) Ps - p) / tau
        dv/dt = (I - (I0 A (exp(v / Vt) - 1) + Idsc) sign(v) - A dp/dt) / C

    All values are in SI units, all positive. Each can be one number or one for each neuron, shape (neurons,).

    Parameters
    ----------
    area:
        A, m^2.
    ferroelectric_thickness, interlayer_thickness:
        t_f and t_i, m.
    ferroelectric_permittivity, interlayer_permittivity:
        eps_f and eps_i, relative.
    activation_field:
        Ea, V/m.
    exponent:
        alpha.
    saturation:
        Ps, C/m^2.
    attempt_time:
        tau0, s.
    leak_density, leak_voltage:
        I0, A/m^2, and Vt, V.
    discharge:
        Idsc, A.
    circuit_capacitance:
        F.
    threshold:
        Voltage at which the neuron spikes, V.
    reset:
        Voltage after a spike, V; usually negative.
    limit:
        Greatest magnitude of a voltage, V.
    """

    area: Constant = 25e-12
    ferroelectric_thickness: Constant = 10e-9
    interlayer_thickness: Constant = 1.375e-9
    ferroelectric_permittivity: float = 25.2
    interlayer_permittivity: float = 33.0
    activation_field: Constant = 12.7e8
    exponent: float = 1.3
    saturation: Constant = 0.22
    attempt_time: float = 1e-13
    leak_density: Constant = 1e-4
    leak_voltage: float = 0.32
    discharge: float = 10e-12
    circuit_capacitance: float = 15e-15
    threshold: float = 2.5
    reset: float = -1.5
    limit: float = 5.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = np.asarray(getattr(self, name))
            if value.ndim > 1 or not np.isfinite(value).all() or (name != "reset" and (value <= 0).any()):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive, one number or one a neuron")

    def varied(self, neurons: int, deviation: float, generator: np.random.Generator) -> FelifDevice:
        """Return devices whose :data:`VARYING` constants differ: each times ``1 + deviation * N(0, 1)``.

        Parameters
        ----------
        neurons:
            Number of devices.
        deviation:
            Relative standard deviation; factors below 0.1 are raised to it.
        generator:
            Draws the factors.
        """
        factors = {name: np.maximum(1 + deviation * generator.standard_normal(neurons), 0.1) for name in VARYING}
        return replace(self, **{name: getattr(self, name) * factor for name, factor in factors.items()})

    # What follows

    @property
    def capacitance(self) -> Constant:
        """C, all of the membrane's capacitors but for what the polarisation adds, F."""
        permittivity = EPSILON_0 * self.ferroelectric_permittivity
        return permittivity * self.area / self.ferroelectric_thickness + self.circuit_capacitance

    @property
    def _divider(self) -> Constant:
        return (
            self.ferroelectric_thickness * self.interlayer_permittivity
            + self.interlayer_thickness * self.ferroelectric_permittivity
        )

    @property
    def applied_divider(self) -> Constant:
        """Kc, field for each volt, 1/m."""
        return self.interlayer_permittivity / self._divider

    @property
    def depolarisation_divider(self) -> Constant:
        """Kd, field for each unit of polarisation, V m/C."""
        return self.interlayer_thickness / (EPSILON_0 * self._divider)

    # In units of the field of full polarisation, kd Ps

    @property
    def per_volt(self) -> Constant:
        """Normalised voltage u for each volt, kc / (kd Ps)."""
        return self.applied_divider / (self.depolarisation_divider * self.saturation)

    @property
    def coupling(self) -> Constant:
        """Drop of u for each unit by which p / Ps rises."""
        return self.per_volt * self.saturation * self.area / self.capacitance

    @property
    def activation(self) -> Constant:
        """Normalised activation field, Ea / (kd Ps)."""
        return self.activation_field / (self.depolarisation_divider * self.saturation)

    def per_ampere(self, seconds: float) -> Constant:
        """Return what u rises by when 1 A flows for ``seconds`` and nothing else happens."""
        return self.per_volt * seconds / self.capacitance

    def leak(self, voltage: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Return the leak current at voltages of at least 0, A."""
        return self.leak_density * self.area * (np.exp(voltage / self.leak_voltage) - 1) + self.discharge

    def field_of(self, switching_time: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the normalised field at which the switching time is ``switching_time`` seconds."""
        return self.activation / np.log(np.asarray(switching_time) / self.attempt_time) ** (1 / self.exponent)

    def switching_time(self, field: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return tau at a normalised field other than 0, s."""
        return self.attempt_time * np.exp((self.activation / np.abs(field)) ** self.exponent)
