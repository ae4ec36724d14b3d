"""What a NIR graph leaves open and a conversion must decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt

from attractor.nir.library import NirError

__all__ = ["EULER", "EXPONENTIAL", "FORMULAS", "RESETS", "Floats", "Rules"]

Floats = npt.NDArray[np.float64]

#: Discretisations by name, and the decay of a tick that each makes of a time constant.
EULER, EXPONENTIAL = "euler", "exponential"
FORMULAS = {EULER: "1 - dt / tau", EXPONENTIAL: "exp(-dt / tau)"}
#: What a spike does to a voltage, by name.
RESETS = {
    "value": "v becomes v_reset",
    "subtract": "v falls by v_threshold - v_reset",
}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Decisions about time, order of neurons' operations, and numbers.

    Parameters
    ----------
    dt:
        Seconds of a tick, or whatever unit the graph's time constants have.
    discretisation:
        ``"euler"``, a decay of ``1 - dt / tau``, or ``"exponential"``, ``exp(-dt / tau)``.
    reset:
        ``"value"``, as NIR defines its neurons, or ``"subtract"``, as some frameworks that export run them.
    strict:
        Spike above the threshold, as NIR defines it; otherwise at it, too.
    input_bits:
        Width of an input value, 1 for spikes, up to 8.
    input_scale:
        What an input value of 1 stands for.
    weight_bits, state_bits:
        Width of weights, 2 to 8, and of voltages and synaptic states, 8 to 32.
    ticks, lanes:
        As in :class:`~attractor.spec.FelifSpec`.

    Raises
    ------
    NirError
        If a value is out of range; the message names it.
    """

    dt: float
    discretisation: str = EULER
    reset: str = "value"
    strict: bool = True
    input_bits: int = 1
    input_scale: float = 1.0
    weight_bits: int = 8
    state_bits: int = 24
    ticks: int = 256
    lanes: int = 0

    def __post_init__(self) -> None:
        for name in ("dt", "input_scale"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not math.isfinite(value) or value <= 0:
                raise NirError(f"{name} is {value!r}; it must be a positive number")
            object.__setattr__(self, name, float(value))
        for name, known in (("discretisation", FORMULAS), ("reset", RESETS)):
            if getattr(self, name) not in known:
                raise NirError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")

    def decay(self, tau: Floats) -> Floats:
        """Return the part that a tick leaves."""
        return 1 - self.dt / tau if self.discretisation == EULER else np.exp(-self.dt / tau)

    def time_constant(self, decay: Floats) -> Floats:
        """Inverse of :meth:`decay`."""
        return self.dt / (1 - decay) if self.discretisation == EULER else -self.dt / np.log(decay)

    def decisions(self) -> dict[str, str]:
        """Return what was decided, one sentence for each question that NIR leaves open."""
        formula = FORMULAS[self.discretisation]
        sign = ">" if self.strict else ">="
        inputs = "spikes, 0 or 1" if self.input_bits == 1 else f"integers of {self.input_bits} bits, two's complement"
        return {
            "time step": f"dt = {self.dt:g}, in the unit of the graph's time constants; constant, one tick",
            "discretisation": (
                f"{self.discretisation}: a decay is {formula}; LIF v <- decay v + (1 - decay) (v_leak + r x), "
                "CubaLIF i <- decay_syn i + (1 - decay_syn) w_in x, then v <- decay_mem v + (1 - decay_mem) "
                "(v_leak + r i), IF v <- v + dt r x, Threshold v <- x"
            ),
            "order": "in each tick synapse, membrane, comparison, reset; the membrane takes the synapse's new state",
            "comparison": f"a neuron spikes if v {sign} v_threshold",
            "reset": f"in the tick of the spike, after the comparison: {RESETS[self.reset]}",
            "spikes": "a spike is an input of 1 for one tick, whatever dt is",
            "delay": "spikes reach the next layer in the same tick, and the own layer in the next one",
            "start": "voltages start at v_leak, 0 for IF and Threshold; synaptic states at 0; nobody has spiked",
            "inputs": f"{inputs}; 1 stands for {self.input_scale:g}",
            "output": (
                "how often each neuron of the last layer spiked in a call; if the graph ends in weights, "
                "their sums in the last tick"
            ),
        }
