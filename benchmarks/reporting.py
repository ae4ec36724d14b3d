"""How benchmarks speak: one JSON document on standard output, or aligned lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def report(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the result of a benchmark.

    Parameters
    ----------
    result:
        Figures by name; groups of them may be mappings.
    as_json:
        Print one JSON document instead of lines for people.
    """
    if as_json:
        print(json.dumps(result, indent=2))
        return
    lines = list(_lines(result))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:{width}}  {value}")


def _lines(result: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)
