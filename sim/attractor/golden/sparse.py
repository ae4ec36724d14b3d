"""Golden model of oscillator networks with sparse couplings: that of dense ones, with sums of what is coupled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from attractor.golden.noise import NoiseGenerator
from attractor.golden.oscillator import BoolArray, OscillatorNetwork, ScheduleEntry
from attractor.spec import IntegerArray, OscillatorSpec, SpecError
from attractor.spec.oscillator import NOISE_SHIFTS
from attractor.spec.sparse import NOISE_OFFSETS, SparseSpec

__all__ = ["SparseNetwork", "coupling_matrix", "couplings_of"]


def couplings_of(spec: OscillatorSpec, weights: Any) -> dict[str, IntegerArray]:
    """Return the parameters that say which oscillators are coupled, of a matrix.

    Parameters
    ----------
    spec:
        The network, of dense or sparse couplings.
    weights:
        Weight of each target (row) from each oscillator (column), shape (targets, oscillators): an array, or anything
        of :mod:`scipy.sparse`.

    Raises
    ------
    SpecError
        If the shape is another, or there are more couplings than the network holds.
    """
    columns = sparse.csc_array(weights, dtype=np.int64)
    columns.sum_duplicates()
    columns.eliminate_zeros()
    columns.sort_indices()
    if columns.shape != (spec.targets, spec.oscillators):
        raise SpecError(f"weights have shape {columns.shape}; this network needs {(spec.targets, spec.oscillators)}")
    starts, targets, data = (np.asarray(part, np.int64) for part in (columns.indptr, columns.indices, columns.data))
    return dict(spec.couplings_from(starts, targets, data))


def coupling_matrix(spec: SparseSpec, parameters: Mapping[str, npt.NDArray[Any]]) -> sparse.csc_array:
    """Return the weight of each target (row) from each oscillator (column), shape (targets, oscillators), int32."""
    starts = parameters["starts"].astype(np.int64)
    rows, data = (parameters[name][: starts[-1]].astype(np.int32) for name in ("targets", "weights"))
    return sparse.csc_array((data, rows, starts), shape=(spec.targets, spec.oscillators))


class SparseNetwork(OscillatorNetwork):
    """Oscillator network with sparse couplings, of one spec and one set of parameters.

    Parameters
    ----------
    spec:
        The network.
    parameters:
        As :attr:`SparseSpec.parameters` describes them.

    Raises
    ------
    SpecError
        If a parameter does not fit the spec.
    """

    spec: SparseSpec
    sign_offsets = NOISE_OFFSETS

    def __init__(self, spec: SparseSpec, parameters: Mapping[str, npt.ArrayLike]) -> None:
        super().__init__(spec, parameters)

    def _load_couplings(self) -> None:
        self._columns = coupling_matrix(self.spec, self.parameters)
        self._rows = self._columns.tocsr()

    def field_columns(self) -> sparse.csc_array:
        """Return what each oscillator adds to the fields while it is high, shape (targets, oscillators), int32."""
        return self._columns * np.int32(1 << self.spec.fraction_bits)

    def _sums(self, levels: npt.NDArray[np.int8], few: npt.NDArray[np.intp] | None = None) -> npt.NDArray[Any]:
        rows = self._rows if few is None else self._columns[:, few]
        return (rows @ levels.T.astype(np.int32)).T

    def _fields(self, sums: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        return sums << self.spec.fraction_bits

    def _noise(self, noise: NoiseGenerator, entry: ScheduleEntry) -> tuple[IntegerArray | int, BoolArray | None]:
        if not (entry.noise or entry.flips):
            return 0, None
        shifts, allowed, signs = NOISE_SHIFTS if entry.flips else (0,), [], []
        for _ in range(self.spec.groups):
            if entry.flips:
                allowed.append(noise.may_flip(entry.flips))
            signs.append(noise.draw_signs(self.sign_offsets[: len(shifts)]))
        targets = self.spec.targets
        negative = np.concatenate(signs, axis=2)[:, :, :targets]
        steps = np.array([entry.noise >> shift for shift in shifts])[:, None]
        added: IntegerArray = np.where(negative, -steps, steps).sum(axis=1)
        return added, np.concatenate(allowed, axis=1)[:, :targets] if entry.flips else None
