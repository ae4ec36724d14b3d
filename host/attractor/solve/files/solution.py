"""Files of solutions."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attractor.machine.files import write_whole
from attractor.solve.files.lines import ProblemFileError

__all__ = ["Solution"]


@dataclass(frozen=True)
class Solution:
    """What was found for a problem.

    Parameters
    ----------
    values:
        Value of each variable: spin, bit, side of a cut or colour.
    measures:
        What is known about it, such as ``cut``, ``energy``, ``conflicts``, ``reads``, ``seed``.
    """

    values: Mapping[Hashable, int]
    measures: Mapping[str, Any]

    def save(self, path: str | Path) -> None:
        """Write the solution, whole or not at all.

        A name that ends in ``.json`` gets one JSON document with the measures and ``values``, a list of
        ``[variable, value]``; any other gets a line ``variable value`` each, after the measures as comments.

        Raises
        ------
        ProblemFileError
            If the file cannot be written.
        """
        path = Path(path)
        pairs = [(_plain(variable), int(value)) for variable, value in self.values.items()]
        if path.suffix == ".json":
            text = json.dumps({**self.measures, "values": pairs}, indent=None, allow_nan=False) + "\n"
        else:
            lines = [f"# {name} {json.dumps(value)}" for name, value in self.measures.items()]
            lines += [f"{_word(variable)} {value}" for variable, value in pairs]
            text = "\n".join(lines) + "\n"
        try:
            write_whole(path, text)
        except OSError as error:
            raise ProblemFileError(
                f"{path} cannot be written: {error.strerror}; choose a folder that exists and that you may write to"
            ) from error


def _plain(variable: Hashable) -> Any:
    """Return a label as JSON can hold it."""
    if isinstance(variable, tuple):
        return [_plain(part) for part in variable]
    if isinstance(variable, np.generic):
        return variable.item()
    return variable if isinstance(variable, str | int | float) else str(variable)


def _word(variable: Any) -> str:
    """Return a label as one word of a line."""
    if isinstance(variable, str) and variable and not re.search(r"\s|^[#\"\[]", variable):
        return variable
    return json.dumps(variable, separators=(",", ":"))
