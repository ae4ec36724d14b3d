"""Maps of convolutional layers: convolution and its transpose, pooling with indices and its inverse, correlation.

Maps have shape (batch, rows, columns, channels), so that all channels of a point lie side by side. Filters have shape
(out channels, side * side * in channels): row, column and channel of the square window, the channel last. The stride
is 1. Everything is a matrix product with the windows written out, or a few passes over whole maps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.physics.eqprop.rule import FloatArray

__all__ = ["PoolIndices", "convolve", "convolve_transposed", "correlate", "pool", "unpool", "windows"]

#: Where in its window the greatest value was, row by row.
PoolIndices = npt.NDArray[np.uint8]


def windows(maps: FloatArray, side: int, padding: int, xp: Any = np) -> FloatArray:
    """Return the square window around each point, flattened as filters are.

    Parameters
    ----------
    maps:
        Shape (batch, rows, columns, channels).
    side, padding:
        Size of the window, and rows and columns of zeros around the maps.

    Returns
    -------
    numpy.ndarray
        Shape (batch, rows + 2 padding - side + 1, the same of columns, side * side * channels).
    """
    batch, rows, columns, channels = maps.shape
    padded = xp.zeros((batch, rows + 2 * padding, columns + 2 * padding, channels), maps.dtype)
    padded[:, padding : padding + rows, padding : padding + columns] = maps
    views = xp.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    out_rows, out_columns = views.shape[1:3]
    return views.transpose(0, 1, 2, 4, 5, 3).reshape(batch, out_rows, out_columns, side * side * channels)


def convolve(maps: FloatArray, filters: FloatArray, side: int, padding: int, xp: Any = np) -> FloatArray:
    """Return the sums of each window times each filter, shape (batch, rows', columns', out channels)."""
    seen = windows(maps, side, padding, xp)
    # As one product of matrices; NumPy would make one for each row of each map.
    return (seen.reshape(-1, seen.shape[-1]) @ filters.T).reshape(*seen.shape[:-1], len(filters))


def convolve_transposed(maps: FloatArray, filters: FloatArray, side: int, padding: int, xp: Any = np) -> FloatArray:
    """Return what the convolution's transpose sends back from ``maps`` to its input.

    For all ``x`` and ``y`` of fitting shapes ``sum(convolve(x) * y) == sum(x * convolve_transposed(y))``. It is a
    convolution with the filters turned by half a turn, input and output channels exchanged.

    Parameters
    ----------
    maps:
        Shape (batch, rows', columns', out channels) as :func:`convolve` returns it.
    filters, side:
        Those of the convolution.
    padding:
        That of the convolution, at most ``side - 1``.
    """
    out = len(filters)
    turned = filters.reshape(out, side, side, -1)[:, ::-1, ::-1].transpose(3, 1, 2, 0)
    return convolve(maps, turned.reshape(len(turned), -1), side, side - 1 - padding, xp)


def correlate(below: FloatArray, above: FloatArray, side: int, padding: int, xp: Any = np) -> FloatArray:
    """Return the sum over batch and points of ``above`` times the window below: the gradient of filters.

    Parameters
    ----------
    below:
        Input of the convolution, shape (batch, rows, columns, in channels).
    above:
        Shape of its result, (batch, rows', columns', out channels).

    Returns
    -------
    numpy.ndarray
        Shape of the filters.
    """
    seen = windows(below, side, padding, xp)
    return above.reshape(-1, above.shape[-1]).T @ seen.reshape(-1, seen.shape[-1])


def pool(maps: FloatArray, side: int, xp: Any = np) -> tuple[FloatArray, PoolIndices]:
    """Return the greatest value of each square of ``side`` by ``side`` points, and where it was.

    Squares do not overlap; rows and columns left over at the end are not looked at. Of equal values the first counts,
    row by row.

    Parameters
    ----------
    maps:
        Shape (batch, rows, columns, channels).
    side:
        At most 16.

    Returns
    -------
    tuple of numpy.ndarray
        Values and indices from 0 to ``side**2 - 1``, shape (batch, rows // side, columns // side, channels).
    """
    squares = _in_squares(maps, side)
    best = squares[0].copy()
    indices = xp.zeros(best.shape, np.uint8)
    for index, values in enumerate(squares[1:], 1):
        better = values > best
        indices[better] = index
        xp.maximum(best, values, out=best)
    return best, indices


def unpool(values: FloatArray, indices: PoolIndices, side: int, shape: tuple[int, int], xp: Any = np) -> FloatArray:
    """Return maps that hold each value where its index says, and 0 elsewhere.

    Parameters
    ----------
    values, indices:
        Shape (batch, rows // side, columns // side, channels).
    side:
        Side of a square.
    shape:
        Rows and columns of the result, those left over by :func:`pool` included.
    """
    maps = xp.zeros((len(values), *shape, values.shape[-1]), values.dtype)
    for index, points in enumerate(_in_squares(maps, side)):
        points[...] = values * (indices == index)
    return maps


def _in_squares(maps: FloatArray, side: int) -> list[FloatArray]:
    """Return views of the first, second, ... point of all squares."""
    rows, columns = maps.shape[1] // side * side, maps.shape[2] // side * side
    return [maps[:, row:rows:side, column:columns:side] for row in range(side) for column in range(side)]
