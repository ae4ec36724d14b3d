"""What random trials made a network do: every field of its parameters, inputs and results, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from attractor.spec import IntegerArray, Parameters, ParameterSpec, Region, Spec
from attractor.trials.comparison import UNTIMED

__all__ = ["Features", "features_of"]

#: Names of features, and whether a call had them.
Features = dict[str, bool]
#: No random call ends early.
_ABORTED = "aborted"


def features_of(spec: Spec, parameters: Parameters, inputs: bytes, outputs: bytes) -> Features:
    """Return what a call had of all that its network declares.

    Each parameter, or each of its columns, each field of an input window and each of an output window is a feature that
    a call has in which it is not 0 everywhere. Of a field of one bit that it is 0 is another. Clock cycles, and that a
    call was aborted, are none.

    Parameters
    ----------
    spec:
        The network.
    parameters:
        Those before the call.
    inputs, outputs:
        Its input and output regions.
    """
    found: Features = {}
    for name, parameter in spec.parameters.items():
        found |= _of_parameter(name, parameter, parameters[name])
    for what, region, data in (("input", Region.INPUT, inputs), ("result", Region.OUTPUT, outputs)):
        for window, values in spec.memory_map.decode(region, data).items():
            if not isinstance(values, bytes):
                bits = {field.name: field.bits for field in _record(spec, window).used if field.count is None}
                found.update(_of_fields(f"{what} {window}", values, bits))
    return found


def _record(spec: Spec, window: str) -> Any:
    return spec.memory_map[window].record


def _of_parameter(name: str, parameter: ParameterSpec, values: IntegerArray) -> Features:
    """Return a feature for a parameter, or one for each of its columns; none for what can be 0 only."""
    columns = parameter.columns or (None,)
    parts = values.reshape(-1, len(columns)).T
    highs = np.broadcast_to(np.abs(parameter.high), len(columns))
    lows = np.broadcast_to(np.abs(parameter.low), len(columns))
    return {
        f"parameter {name}" + (f".{column}" if column else ""): bool(part.any())
        for column, part, high, low in zip(columns, parts, highs, lows, strict=True)
        if high or low
    }


def _of_fields(window: str, values: Mapping[str, Any], bits: Mapping[str, int]) -> Iterator[tuple[str, bool]]:
    for name, value in values.items():
        if name in (UNTIMED, _ABORTED):
            continue
        drawn = np.asarray(value)
        yield f"{window}.{name}", bool(drawn.any())
        if bits.get(name) == 1 and not drawn.ndim:
            yield f"{window}.{name} = 0", not drawn.any()
