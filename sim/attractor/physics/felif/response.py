"""One neuron beside its integer forms: what the device twin, FeLIF A and FeLIF B make of the same currents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attractor.golden.felif.neurons import neurons
from attractor.physics.felif.device import FelifDevice
from attractor.physics.felif.fidelity import drive_per_ampere
from attractor.physics.felif.tables import felif_parameters
from attractor.physics.felif.twin import TICK, FelifTwin
from attractor.spec import FelifLayer
from attractor.spec.felif.layer import FELIF_A, FELIF_B

__all__ = ["SHOWN_STEP", "Bools", "Course", "Floats", "Response"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: The device's states are kept before every so many Euler steps.
SHOWN_STEP = 20


@dataclass(frozen=True)
class Course:
    """What one neuron did.

    Parameters
    ----------
    time:
        Moments, ms, ascending, shape (moments,).
    voltage:
        Membrane voltage then, V, same shape.
    polarisation:
        In parts of the saturation, -1 to 1, same shape.
    spikes:
        Whether it spiked in each tick, shape (ticks,).
    """

    time: Floats
    voltage: Floats
    polarisation: Floats
    spikes: Bools

    @classmethod
    def of_device(cls, device: FelifDevice, currents: Floats) -> Course:
        """Return what the device twin does, from rest; arguments as for :meth:`Response.of`."""
        twin = FelifTwin(device)
        state = twin.start(1, 1)
        states: list[tuple[float, float]] = []
        spikes = np.zeros(len(currents), bool)
        for tick, current in enumerate(currents):
            steps: list[tuple[Floats, Floats]] = []
            twin.advance(state, np.full((1, 1), current), record=steps)
            states += [(float(u[0, 0]), float(p[0, 0])) for u, p in steps[::SHOWN_STEP]]
            spikes[tick] = state.spikes[0, 0]
        last = state.voltage[0, 0] * device.per_volt, state.polarisation[0, 0] / device.saturation
        u, p = np.array([*states, last], np.float64).T
        return cls(_times(currents, len(u)), u / float(device.per_volt), p, spikes)

    @classmethod
    def of_integers(cls, kind: str, device: FelifDevice, currents: Floats) -> Course:
        """Return what an integer neuron makes of a device's currents, at the start and after every tick.

        ``kind`` is ``"felif_a"`` or ``"felif_b"``; the others are as for :meth:`Response.of`.
        """
        layer = FelifLayer(neurons=1, kind=kind)
        model = neurons(layer, felif_parameters(layer, device))
        drives = np.rint(currents * drive_per_ampere(layer, device)).astype(np.int64)
        state = model.start(1)
        states = [(state.voltage, state.polarisation)]
        spikes = np.zeros(len(currents), bool)
        for tick, drive in enumerate(drives):
            model.step(state, drive.reshape(1, 1))
            states.append((state.voltage, state.polarisation))
            spikes[tick] = state.spikes[0, 0]
        u, p = np.array(states, np.float64)[:, :, 0, 0].T / (1 << layer.fraction_bits)
        return cls(_times(currents, len(u)), u / float(device.per_volt), p, spikes)


@dataclass(frozen=True)
class Response:
    """How a device and both of its integer neurons answered the same currents.

    Parameters
    ----------
    currents:
        Current of each tick, A, shape (ticks,).
    threshold:
        Of the neurons, V.
    device, a, b:
        What the device twin and FeLIF A and B did; ticks are 1 ms.
    """

    currents: Floats
    threshold: float
    device: Course
    a: Course
    b: Course

    @classmethod
    def of(cls, device: FelifDevice, currents: npt.ArrayLike) -> Response:
        """Drive all three from rest.

        Parameters
        ----------
        device:
            One neuron: every constant is one number.
        currents:
            Current of each tick, A, shape (ticks,).

        Raises
        ------
        ValueError
            If the device has constants for several neurons.
        SpecError
            If a constant is beyond what the integer neurons hold.
        """
        given = np.asarray(currents, np.float64)
        integers = [Course.of_integers(kind, device, given) for kind in (FELIF_A, FELIF_B)]
        return cls(given, device.threshold, Course.of_device(device, given), *integers)


def _times(currents: Floats, moments: int) -> Floats:
    """Return equally spaced moments from the start to the end of the last tick, ms."""
    return np.linspace(0.0, len(currents) * TICK * 1e3, moments)
