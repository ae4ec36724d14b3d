"""The library of NIR graphs, which a slim installation lacks, and what can go wrong with a graph."""

from __future__ import annotations

from attractor.intake import IntakeError

try:
    import h5py
    import nir
except ModuleNotFoundError as error:
    if error.name not in ("nir", "h5py"):
        raise
    raise ModuleNotFoundError(
        f"{error.name} is not installed; NIR graphs need pip install 'attractor[nir]'", name=error.name
    ) from error

__all__ = ["NirError", "h5py", "nir"]


class NirError(IntakeError):
    """A NIR graph cannot be read, or one of the two sides has no words for what the other says."""
