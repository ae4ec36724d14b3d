"""JSON and TOML from outside: what they would take in memory is bounded before they are parsed."""

from __future__ import annotations

import json
import tomllib
from typing import Any, NoReturn

import numpy as np

from attractor.intake.errors import IntakeError

__all__ = ["MOST_DEPTH", "MOST_VALUES", "parsed_json", "parsed_object", "parsed_toml"]

#: Deepest nesting of lists and objects.
MOST_DEPTH = 64
#: Most lists, objects and values.
MOST_VALUES = 1_000_000
#: Most digits of an integer: those of 2**64, and some.
_MOST_DIGITS = 40
_CHUNK = 1 << 20
#: Most bytes of TOML, which is written by hand: each may be a value.
_MOST_TOML = 1 << 20
_QUOTE, _COMMA = ord('"'), ord(",")


def parsed_json(data: bytes | str, *, most_values: int = MOST_VALUES, finite: bool = True) -> Any:
    """Return what JSON says.

    Raises
    ------
    IntakeError
        If it is nested deeper than :data:`MOST_DEPTH`, has more than ``most_values`` values, an integer of too many
        digits, or, unless ``finite`` is false, a number that is not finite.
    ValueError
        If it is no JSON, or no UTF-8.
    """
    text = data if isinstance(data, str) else bytes(data).decode()
    _check_size(text.encode(errors="surrogatepass") if isinstance(data, str) else bytes(data), most_values)
    return json.loads(text, parse_int=_integer, parse_constant=_refused if finite else float)


def parsed_object(data: bytes | str, *, most_values: int = MOST_VALUES, finite: bool = True) -> dict[str, Any]:
    """Return the object that JSON says; errors as of :func:`parsed_json`, and if it is something else."""
    found = parsed_json(data, most_values=most_values, finite=finite)
    if not isinstance(found, dict):
        raise IntakeError(f"it is JSON of type {type(found).__name__} instead of an object")
    return found


def parsed_toml(data: bytes) -> dict[str, Any]:
    """Return what TOML says.

    Raises
    ------
    IntakeError
        If it is longer than a mebibyte, or nested too deeply.
    ValueError
        If it is no TOML, or no UTF-8.
    """
    if len(data) > _MOST_TOML:
        raise IntakeError(f"it has {len(data):,} bytes; TOML may have {_MOST_TOML:,}")
    try:
        return tomllib.loads(data.decode())
    except RecursionError as error:
        raise IntakeError("it is nested too deeply") from error


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise IntakeError(f"an integer has {len(digits)} digits; it may have {_MOST_DIGITS}")
    return int(digits)


def _refused(name: str) -> NoReturn:
    raise IntakeError(f"a number is {name}; it must be finite")


def _check_size(data: bytes, most_values: int) -> None:
    """Count brackets and commas outside of strings, a chunk at a time."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")  # now every quote begins or ends a string
    depth = values = 0
    inside = False
    for start in range(0, len(plain), _CHUNK):
        signs = np.frombuffer(plain, np.uint8, min(_CHUNK, len(plain) - start), start)
        quotes = np.logical_xor.accumulate(signs == _QUOTE) ^ inside
        inside = bool(quotes[-1])
        outside = np.where(quotes, 0, signs)
        opening, closing = np.isin(outside, (ord("["), ord("{"))), np.isin(outside, (ord("]"), ord("}")))
        depths = depth + np.cumsum(opening.astype(np.int32) - closing)
        depth = int(depths[-1])
        values += int(opening.sum()) + int((outside == _COMMA).sum())
        if int(depths.max()) > MOST_DEPTH:
            raise IntakeError(f"it is nested deeper than {MOST_DEPTH} levels")
        if values > most_values:
            raise IntakeError(f"it has more than {most_values:,} values")
