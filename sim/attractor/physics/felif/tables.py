"""Integer parameters of FeLIF layers from the constants of a device: made once, shipped with the model.

Tables of other ticks differ; what works with them does not. Device, gateware and golden model only ever read them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from attractor.physics.felif.device import FelifDevice
from attractor.physics.felif.twin import TICK
from attractor.spec import FelifLayer, IntegerArray
from attractor.spec.felif.layer import (
    COUPLING_ONE,
    FELIF_A,
    FELIF_B,
    FIELD_ENTRIES,
    FIRST_BIN,
    LEAK_ENTRIES,
    LEAK_ONE,
    SUBSTEPS,
)

__all__ = ["COMPARED_TIME", "FIELD_BIN", "LEAK_BIN", "PUSH", "SYNAPTIC", "felif_parameters", "tables_digest"]

#: Parameters that :func:`felif_parameters` does not give.
SYNAPTIC = ("weights", "scale", "bias")
#: Width of a bin of ``leak``, and of ``field`` of B, in u.
LEAK_BIN, FIELD_BIN = 1 / 8, 1 / 64
#: Switching time at which the field of one device is compared with that of another, s.
COMPARED_TIME = 1e-2
#: Share of a push that A's ``field`` is made for: a push of b bits is taken as ``0.75 * 2**b``.
PUSH = 0.75


def felif_parameters(
    layer: FelifLayer, device: FelifDevice, *, tick: float = TICK, nominal: FelifDevice | None = None
) -> dict[str, IntegerArray]:
    """Return all parameters of a FeLIF layer but :data:`SYNAPTIC`, by their names without the layer's number.

    Parameters
    ----------
    layer:
        The layer; FeLIF A or B.
    device:
        The neurons. Where their constants differ, field offset, coupling, threshold and leak scale of each neuron
        say so, which stands for all :data:`~attractor.physics.felif.device.VARYING` constants at once.
    tick:
        Seconds of a tick.
    nominal:
        Device that the tables are made for, with one value for each constant; default ``device``, if it is one.

    Raises
    ------
    ValueError
        If the layer is no FeLIF layer, or the neurons differ and there is no nominal device.
    SpecError
        If a constant is beyond what the layer's widths hold.
    """
    if not layer.ferroelectric:
        raise ValueError(f"the layer is of kind {layer.kind}; only FeLIF layers have tables")
    nominal = device if nominal is None else nominal
    if np.ndim(nominal.per_volt) or np.ndim(nominal.coupling) or np.ndim(nominal.activation):
        raise ValueError("the neurons differ from each other; name the nominal device that the tables are for")
    one = 1 << layer.fraction_bits
    coupling = np.asarray(device.coupling)
    relative_field = np.asarray(device.activation / nominal.activation) - 1
    relative_leak = np.asarray(device.per_ampere(1) / nominal.per_ampere(1))
    neurons = {
        "threshold": one * device.threshold * np.asarray(device.per_volt),
        "leak_scale": LEAK_ONE * relative_leak,
        # In 1/4096 for A and B.
        "field_offset": 4096 * relative_field * nominal.field_of(COMPARED_TIME),
        "coupling": COUPLING_ONE * coupling,
    }
    if layer.kind == FELIF_A:
        neurons["inverse"] = 65536 / (1 + coupling)
    leak = _round(one * _leak(nominal, tick))
    tables = {
        "leak": leak if layer.kind == FELIF_A else leak // SUBSTEPS,
        "field": _field_a(nominal, tick) if layer.kind == FELIF_A else _field_b(nominal, tick),
        "reset": np.array([one * nominal.reset * float(nominal.per_volt)]),
        "limit": np.array([one * nominal.limit * float(nominal.per_volt)]),
    }
    rounded: dict[str, IntegerArray] = {
        name: _round(np.broadcast_to(value, (layer.neurons,))) for name, value in neurons.items()
    }
    return rounded | {name: _round(value) for name, value in tables.items()}


def tables_digest(parameters: Mapping[str, npt.ArrayLike]) -> str:
    """Return a SHA-256 of integer arrays and their names, in hexadecimal, whatever their types and order."""
    digest = hashlib.sha256()
    for name, values in sorted(parameters.items()):
        array = np.asarray(values).astype("<i8")
        digest.update(f"{name}:{array.shape}:".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _leak(device: FelifDevice, tick: float) -> npt.NDArray[np.float64]:
    """Return what u loses in a tick, at the middle of each bin."""
    middles = (np.arange(LEAK_ENTRIES) + 0.5) * LEAK_BIN
    return device.per_ampere(tick) * device.leak(middles / float(device.per_volt))


def _field_a(device: FelifDevice, tick: float) -> npt.NDArray[np.float64]:
    """Return the field at which p keeps up with a push, by the bit length of the push."""
    pushes = PUSH * 2.0 ** np.arange(FIELD_ENTRIES[FELIF_A]) / 4096
    return 4096 * device.field_of(tick * (1 + device.coupling) / pushes)


def _field_b(device: FelifDevice, tick: float) -> npt.NDArray[np.float64]:
    """Return the part of the way to saturation that p goes in a sub-step, by the field."""
    middles = (FIRST_BIN + 0.5 + np.arange(FIELD_ENTRIES[FELIF_B])) * FIELD_BIN
    return 2.0**20 * -np.expm1(-tick / SUBSTEPS / device.switching_time(middles))


def _round(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.rint(np.asarray(values, np.float64)).astype(np.int64)
