"""What tests of problem files share."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import dimod
import numpy as np
import pytest

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a problem, packed or not."""

    def written(content: str | bytes, *, packed: bool = False) -> Path:
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / "problem"
        path.write_bytes(gzip.compress(data) if packed else data)
        return path

    return written


@pytest.fixture
def published() -> Callable[[str], Path]:
    """Give a published problem; they are no part of the project."""

    def found(name: str) -> Path:
        path = Path(os.environ.get("ATTRACTOR_DATA", "missing")) / "problems" / name
        if not path.is_file():
            pytest.skip(f"ATTRACTOR_DATA holds no problems/{name}")
        return path

    return found


@pytest.fixture
def least() -> Callable[[dimod.BinaryQuadraticModel, list[object]], Iterator[tuple[dict[object, int], float]]]:
    """Give the least energy over all helpers for each assignment of the given variables, bits or spins."""

    def found(bqm: dimod.BinaryQuadraticModel, labels: list[object]) -> Iterator[tuple[dict[object, int], float]]:
        helpers = [label for label in bqm.variables if label not in labels]
        low = -1 if bqm.vartype is dimod.SPIN else 0
        rest = np.array(list(product((low, 1), repeat=len(helpers))), np.int8).reshape(2 ** len(helpers), -1)
        for values in product((low, 1), repeat=len(labels)):
            rows = np.concatenate([np.tile(np.array(values, np.int8), (len(rest), 1)), rest], axis=1)
            yield dict(zip(labels, values, strict=True)), float(bqm.energies((rows, [*labels, *helpers])).min())

    return found
