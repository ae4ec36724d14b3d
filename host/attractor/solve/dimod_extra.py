"""The library of Ising problems, which a slim installation lacks."""

from __future__ import annotations

try:
    import dimod
except ModuleNotFoundError as error:
    if error.name != "dimod":
        raise
    raise ModuleNotFoundError(
        "dimod is not installed; solving problems needs pip install 'attractor[solve]'", name="dimod"
    ) from error

__all__ = ["dimod"]
