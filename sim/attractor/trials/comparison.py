"""What is compared of a call, by whatever runs it: every field that it reports, but the time that it took."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from attractor.spec import IntegerArray, Region, Spec

__all__ = ["UNTIMED", "first_unequal", "output_fields"]

#: Field of a record that is not compared: the golden model has no clock.
UNTIMED = "cycles"


def output_fields(spec: Spec, data: bytes) -> dict[str, IntegerArray]:
    """Return all that an output region reports and that is compared.

    Returns
    -------
    dict
        Arrays by the names of window and field. A field of a record that fills its window has shape (), or (count,);
        one of the words of a window shape (words,), or (words, count); a window without a record the bytes.
    """
    fields: dict[str, IntegerArray] = {}
    for window, values in spec.memory_map.decode(Region.OUTPUT, data).items():
        if isinstance(values, bytes):
            fields[f"window {window}, byte"] = np.frombuffer(values, np.uint8)
            continue
        named = {name: np.asarray(value) for name, value in values.items() if name != UNTIMED}
        fields |= {f"window {window}, field {name}": value for name, value in named.items()}
    return fields


def first_unequal(
    expected: Mapping[str, IntegerArray], found: Mapping[str, IntegerArray]
) -> tuple[str, int, int] | None:
    """Return where arrays of equal names and shapes differ first, what was expected there and found; None if nowhere.

    The place is the name of the array and, of one with axes, the index: ``weights_1[3, 2]``.
    """
    for name, array in expected.items():
        for place in np.argwhere(array != found[name])[:1].tolist():
            index = tuple(place)
            return f"{name}{place or ''}", int(array[index]), int(found[name][index])
    return None
