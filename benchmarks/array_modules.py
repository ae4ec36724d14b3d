"""Which array library a benchmark computes with."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class ArrayModule(NamedTuple):
    """A library with NumPy's functions, and the way of its arrays back to NumPy."""

    arrays: Any
    to_numpy: Callable[[Any], npt.NDArray[Any]]


def add_option(parser: ArgumentParser) -> None:
    """Let the command line choose."""
    parser.add_argument("--arrays", choices=["numpy", "cupy"], default="numpy", help="cupy: compute on a GPU")


def array_module(name: str) -> ArrayModule:
    """Return the library of this name."""
    if name == "numpy":
        return ArrayModule(np, np.asarray)
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise SystemExit(
            f"cupy is not installed ({error}); see https://docs.cupy.dev, or use --arrays numpy"
        ) from error
    return ArrayModule(cupy, cupy.asnumpy)
