"""Problems whose couplings join two sets of variables only: neighbours never have to move in the same slot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components

from attractor.spec import IntegerArray

__all__ = ["two_colours"]


def two_colours(variables: int, pairs: IntegerArray) -> npt.NDArray[np.bool_] | None:
    """Return which set each variable is of, so that all couplings join one with the other; None if there is no such.

    Of the parts that hang together each is turned so that the sets become as equal as they can, the largest first.

    Parameters
    ----------
    variables:
        Number of variables.
    pairs:
        Indices of coupled variables, shape (couplings, 2).

    Returns
    -------
    ndarray or None
        Shape (variables,), bool.
    """
    ones = np.ones(len(pairs), np.int8)
    graph = sparse.csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(variables, variables))
    graph = sparse.csr_array(graph + graph.T)
    parts, part_of = connected_components(graph, directed=False)
    members = np.argsort(part_of, kind="stable")
    sizes = np.bincount(part_of, minlength=parts)
    begins = np.cumsum(sizes) - sizes
    second, surplus = np.zeros(variables, bool), 0
    for part in np.argsort(-sizes, kind="stable").tolist():
        root = int(members[begins[part]])
        order, before = breadth_first_order(graph, root, directed=False)
        for variable in order[1:].tolist():
            second[variable] = not second[before[variable]]
        difference = len(order) - 2 * int(second[order].sum())
        if difference * surplus > 0:
            second[order] ^= True
            difference = -difference
        surplus += difference
    return None if (second[pairs[:, 0]] == second[pairs[:, 1]]).any() else second
