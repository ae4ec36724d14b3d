"""Device twin: the equations of the ferroelectric neuron in double precision, a thousand Euler steps a tick."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from attractor.physics.felif.device import FelifDevice

__all__ = ["BLOCK", "FINE_STEP", "TICK", "Bools", "FelifTwin", "Floats", "TwinRun", "TwinState"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Length of a tick in seconds, and of an Euler step in the published code.
TICK, FINE_STEP = 1e-3, 1e-6
#: Numbers that a step works on at a time, so that they stay in a processor's cache.
BLOCK = 4096


@dataclass
class TwinState:
    """Neurons between two ticks, each array of shape (batch, neurons).

    Parameters
    ----------
    voltage:
        Membrane voltage, V.
    polarisation:
        C/m^2.
    spikes:
        Whether the neuron spiked in the last tick.
    """

    voltage: Floats
    polarisation: Floats
    spikes: Bools


@dataclass(frozen=True)
class TwinRun:
    """What neurons did, each array of shape (ticks, batch, neurons); units as in :class:`TwinState`."""

    voltage: Floats
    polarisation: Floats
    spikes: Bools


class FelifTwin:
    """Device twin of one or many kinds of neurons, batched.

    In a tick the input current is held. Once v reaches the threshold, v and p are frozen for the rest of the tick. At
    its end v becomes the reset voltage and p becomes -Ps where the neuron spiked in the tick before; then it spikes
    where v is at least the threshold. In an Euler step dt/tau is limited to 1, where p reaches its saturation.

    Parameters
    ----------
    device:
        The neurons.
    tick:
        Seconds of a tick.
    steps:
        Euler steps of a tick; the default makes one a microsecond.
    """

    def __init__(self, device: FelifDevice, *, tick: float = TICK, steps: int | None = None) -> None:
        self.device, self.tick = device, tick
        self.steps = round(tick / FINE_STEP) if steps is None else steps
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; a tick has at least 1")
        self._constants = _constants(device, tick / self.steps)

    def start(self, batch: int, neurons: int) -> TwinState:
        """Return neurons at rest: v = 0, p = -Ps."""
        shape = (batch, neurons)
        polarisation = np.broadcast_to(-np.asarray(self.device.saturation, np.float64), shape).copy()
        return TwinState(np.zeros(shape), polarisation, np.zeros(shape, bool))

    def advance(self, state: TwinState, current: Floats, *, record: list[tuple[Floats, Floats]] | None = None) -> None:
        """Run one tick, in place.

        Parameters
        ----------
        state:
            Neurons; what the arrays hold changes.
        current:
            Input currents, shape (batch, neurons), A.
        record:
            Filled with the normalised voltages and polarisations before every Euler step.
        """
        device = self.device
        u, p = state.voltage * device.per_volt, state.polarisation / device.saturation
        rise = current * self._constants["per_ampere"]
        # Blocks fit a processor's cache; what is recorded is recorded whole.
        rows = len(u) if record is not None else BLOCK // u.shape[1] + 1
        for start in range(0, len(u), max(rows, 1)):
            part = slice(start, start + rows)
            # A field of 0 has an infinite switching time.
            with np.errstate(divide="ignore"):
                self._integrate(u[part], p[part], rise[part], ~state.spikes[part], record)
        np.clip(u, -self._constants["limit"], self._constants["limit"], out=u)
        u[:] = np.where(state.spikes, device.reset * device.per_volt, u)
        p[state.spikes] = -1.0
        state.spikes = u >= self._constants["threshold"]
        state.voltage, state.polarisation = u / device.per_volt, p * device.saturation

    def run(self, currents: Floats, state: TwinState | None = None) -> TwinRun:
        """Run many ticks; ``currents`` has shape (ticks, batch, neurons), A. Neurons begin at rest by default."""
        state = self.start(*currents.shape[1:]) if state is None else state
        run = TwinRun(np.empty(currents.shape), np.empty(currents.shape), np.empty(currents.shape, bool))
        for tick, current in enumerate(currents):
            self.advance(state, current)
            for field in fields(TwinState):
                getattr(run, field.name)[tick] = getattr(state, field.name)
        return run

    def _integrate(
        self, u: Floats, p: Floats, rise: Floats, integrates: Bools, record: list[tuple[Floats, Floats]] | None
    ) -> None:
        """Run the Euler steps of a tick, in place; neurons that are about to be reset are left out."""
        whole = {
            name: np.broadcast_to(value, u.shape) if value.ndim else value for name, value in self._constants.items()
        } | {"u": u, "p": p, "rise": rise}
        cells = np.flatnonzero(integrates)
        row = _Row({name: _picked(value, cells) for name, value in whole.items()}, self.device.exponent)
        for _ in range(self.steps):
            if record is not None:
                u.flat[cells], p.flat[cells] = row.u, row.p
                record.append((u.copy(), p.copy()))
            row.step()
            if row.stopped * 8 > len(cells):
                u.flat[cells], p.flat[cells] = row.u, row.p
                cells, row = cells[~row.frozen], row.rest()
                if not len(cells) and record is None:
                    break
        u.flat[cells], p.flat[cells] = row.u, row.p


class _Row:
    """Neurons in one row that integrate, with numbers for all of them or arrays for each.

    In units of the field of full polarisation, u for the voltage and p for the polarisation, so that a field is their
    difference.
    """

    def __init__(self, values: dict[str, Floats], exponent: float) -> None:
        self.u, self.p = values["u"], values["p"]
        self.stopped = 0
        self.frozen = np.zeros(self.u.shape, bool)
        self._values, self._exponent = values, exponent
        self._buffers = np.empty_like(self.u), np.empty_like(self.u), np.empty_like(self.u)

    def rest(self) -> _Row:
        """Return the neurons that are not frozen."""
        cells = np.flatnonzero(~self.frozen)
        return _Row({name: _picked(value, cells) for name, value in self._values.items()}, self._exponent)

    def step(self) -> None:
        """Run one Euler step; neurons at their threshold stay as they are."""
        values, u, p = self._values, self.u, self.p
        field, rate, change = self._buffers
        np.subtract(u, p, out=field)
        # dt / tau = exp(log(dt / tau0) - (ea / |E|)**alpha), at most 1.
        np.abs(field, out=rate)
        np.power(rate, -self._exponent, out=rate)
        rate *= values["activation"]
        rate += values["log_rate"]
        np.minimum(rate, 0.0, out=rate)
        np.exp(rate, out=rate)
        np.sign(field, out=field)
        field -= p
        rate *= field
        np.multiply(u, values["leak_rate"], out=change)
        np.exp(change, out=change)
        change *= values["leak_scale"]
        change += values["discharge"]
        np.sign(u, out=field)
        change *= field
        np.subtract(values["rise"], change, out=change)
        np.multiply(rate, values["coupling"], out=field)
        change -= field
        np.greater_equal(u, values["threshold"], out=self.frozen)
        self.stopped = np.count_nonzero(self.frozen)
        if self.stopped:
            np.copyto(change, 0.0, where=self.frozen)
            np.copyto(rate, 0.0, where=self.frozen)
        u += change
        np.maximum(u, values["lowest"], out=u)
        p += rate


def _picked(value: Floats, cells: npt.NDArray[np.intp]) -> Floats:
    """Return an array's entries of some cells; a number stays as it is."""
    return value.reshape(-1)[cells] if value.ndim else value


def _constants(device: FelifDevice, step: float) -> dict[str, Floats]:
    """Return the constants of an Euler step of ``step`` seconds, as arrays with no axis or one."""
    per_ampere = device.per_ampere(step)
    leak_scale = per_ampere * device.leak_density * device.area
    constants = {
        "threshold": device.threshold * device.per_volt,
        "limit": device.limit * device.per_volt,
        "lowest": -device.limit * device.per_volt,
        "per_ampere": per_ampere,
        "coupling": device.coupling,
        "activation": -(device.activation**device.exponent),
        "leak_rate": 1 / (device.leak_voltage * device.per_volt),
        "leak_scale": leak_scale,
        "discharge": per_ampere * device.discharge - leak_scale,
        "log_rate": np.log(step / device.attempt_time),
    }
    return {name: np.asarray(value, np.float64) for name, value in constants.items()}
