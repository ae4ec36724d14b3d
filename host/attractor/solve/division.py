"""A large Ising problem and its parts: some variables are searched while all others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

__all__ = ["TRAVERSALS", "Part", "Traversal", "Whole", "apart", "regions"]

#: How the variables of a part are found from a first one, see :func:`regions`.
Traversal = Literal["breadth", "priority", "impact"]
TRAVERSALS: tuple[Traversal, ...] = ("breadth", "priority", "impact")

Spins = npt.NDArray[np.int8]
Indices = npt.NDArray[np.intp]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """Some variables of a problem; what the others are is in their biases.

    Parameters
    ----------
    indices:
        Numbers of the variables in the whole, shape (variables,).
    linear:
        Bias of each: its own and the pull of all variables outside, shape (variables,).
    couplings:
        Symmetric matrix of the couplings within, shape (variables, variables), CSR.
    start:
        Present spins: +1, -1 or 0 if not yet decided, shape (variables,).
    """

    indices: Indices
    linear: Reals
    couplings: Any
    start: Spins

    @cached_property
    def pairs(self) -> tuple[Indices, Indices, Reals]:
        """Ends and coefficient of each coupling, each of shape (couplings,)."""
        upper = sparse.triu(self.couplings, 1, format="coo")
        return upper.row.astype(np.intp), upper.col.astype(np.intp), np.asarray(upper.data, np.float64)

    def energies(self, spins: npt.ArrayLike) -> Reals:
        """Return the energy of samples of shape (samples, variables): that of the whole, but for a constant."""
        values = np.atleast_2d(np.asarray(spins, np.float64))
        return values @ self.linear + 0.5 * (values * (self.couplings @ values.T).T).sum(axis=1)

    def core(self) -> tuple[Part, Spins]:
        """Decide what biases decide alone, again and again.

        A bias that exceeds all couplings of its variable together fixes it in every state of least energy. So the
        biases that are left are no greater than the sums of couplings, however many variables pull from outside: they
        need no larger weights. What nothing pulls at stays as it is, or becomes +1.

        Returns
        -------
        Part
            What is left to be searched; its ``indices`` are those of the whole.
        ndarray
            Spins that are decided, and 0 for the others, shape (variables,).
        """
        magnitudes, linear = abs(self.couplings), self.linear
        decided = np.zeros(len(self.indices), np.int8)
        kept = np.where(self.start < 0, -1, 1)
        while True:
            left = decided == 0
            strengths = magnitudes @ left
            new = np.flatnonzero(left & ((np.abs(linear) > strengths) | (strengths == 0)))
            if not new.size:
                break
            decided[new] = np.where(linear[new] == 0, kept[new], -np.sign(linear[new]))
            linear = self.linear + self.couplings @ decided.astype(np.float64)
        left = np.flatnonzero(decided == 0)
        couplings = self.couplings[left][:, left]
        return Part(self.indices[left], linear[left], couplings, self.start[left]), decided


class Whole:
    """A problem of spins and its present state, with the field of each variable kept up to date.

    Variables that are not yet decided have spin 0 and pull at no other. The energy is that of the mean then.

    Parameters
    ----------
    linear:
        Bias of each variable, shape (variables,).
    u, v, quadratic:
        Ends and coefficient of each coupling, each of shape (couplings,); no coupling twice.
    spins:
        +1, -1 or 0, shape (variables,); None for 0.
    """

    def __init__(
        self,
        linear: npt.ArrayLike,
        u: npt.ArrayLike,
        v: npt.ArrayLike,
        quadratic: npt.ArrayLike,
        spins: npt.ArrayLike | None = None,
    ) -> None:
        self.linear = np.asarray(linear, np.float64)
        ends, others, values = np.asarray(u, np.intp), np.asarray(v, np.intp), np.asarray(quadratic, np.float64)
        size = len(self.linear)
        kept = values != 0
        rows, columns = (np.concatenate([a[kept], b[kept]]) for a, b in ((ends, others), (others, ends)))
        self.couplings: Any = sparse.csr_array((np.tile(values[kept], 2), (rows, columns)), (size, size))
        self.spins = np.zeros(size, np.int8)
        self.reset(np.zeros(size, np.int8) if spins is None else np.asarray(spins))

    def __len__(self) -> int:
        return len(self.linear)

    def reset(self, spins: npt.ArrayLike) -> None:
        """Take another state, of shape (variables,)."""
        self.spins[:] = np.asarray(spins)
        self.refresh()

    def refresh(self) -> None:
        """Compute fields and energy anew: sums that are kept up to date gather rounding errors."""
        values = self.spins.astype(np.float64)
        pulls = self.couplings @ values
        #: Slope of the energy along each spin, shape (variables,).
        self.fields: Reals = self.linear + pulls
        #: Energy of the state, without the problem's offset.
        self.energy = float(values @ (self.linear + 0.5 * pulls))

    @property
    def impacts(self) -> Reals:
        """By how much the energy falls if a spin turns, shape (variables,); 0 for what is not decided."""
        return 2 * self.spins * self.fields

    def neighbours(self, indices: Indices) -> Indices:
        """Return the variables that are coupled to some, one more than once if it is coupled to several."""
        starts, ends = self.couplings.indptr[indices], self.couplings.indptr[indices + 1]
        counts = ends - starts
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.couplings.indices[np.repeat(starts, counts) + within]

    def part(self, indices: Indices) -> Part:
        """Return the part of some variables."""
        couplings = self.couplings[indices][:, indices]
        start = self.spins[indices].copy()
        return Part(indices, self.fields[indices] - couplings @ start.astype(np.float64), couplings, start)

    def merge(self, indices: Indices, samples: Spins) -> bool:
        """Give some variables the best of several samples, unless that raises the energy; return whether it lowers it.

        Among samples that are worth the same as the present state one is taken, too: it is as good, and another.

        Parameters
        ----------
        indices:
            The variables, shape (chosen,).
        samples:
            Spins for them, shape (samples, chosen).
        """
        part = self.part(indices)
        if not part.start.any():  # what was found without neighbours may have to be turned round
            samples = np.concatenate([samples, -samples])
        before, energies = part.energies(part.start)[0], part.energies(samples)
        best = int(energies.argmin())
        change = float(energies[best] - before)
        if change > 0:
            return False
        self._turn(indices, samples[best], change)
        return change < 0

    def decide(self) -> None:
        """Give all that is not decided the spin of lower energy, one after the other."""
        for index in np.flatnonzero(self.spins == 0):
            spin = np.array([-1 if self.fields[index] > 0 else 1], np.int8)
            self._turn(np.array([index]), spin, -abs(float(self.fields[index])))

    def _turn(self, indices: Indices, spins: Spins, change: float) -> None:
        steps = spins.astype(np.float64) - self.spins[indices]
        turned = np.flatnonzero(steps)
        self.spins[indices] = spins  # at once: an interrupt finds a state that is one
        self.fields += self.couplings[indices[turned]].T @ steps[turned]
        self.energy += change


def regions(whole: Whole, size: int, generator: np.random.Generator, traversal: Traversal) -> list[Indices]:
    """Divide all variables into regions of at most ``size``, each variable in one: none comes again too soon.

    Parameters
    ----------
    whole:
        The problem in its present state.
    size:
        Most variables of a region; all but the last have so many.
    generator:
        Draws where regions begin.
    traversal:
        ``"breadth"``: a region begins at a random variable and grows by neighbours, neighbours of these and so on.
        ``"priority"``: of the neighbours those come first that cost least to turn. ``"impact"``: no couplings are
        followed; the variables that cost least to turn come first, together.
    """
    if traversal == "impact":
        order = np.lexsort((generator.random(len(whole)), -whole.impacts))
        return [order[start : start + size] for start in range(0, len(order), size)]
    free = np.ones(len(whole), bool)
    order, found = iter(generator.permutation(len(whole)).tolist()), []
    while (region := _region(whole, size, free, order, generator, by_impact=traversal == "priority")).size:
        found.append(region)
    return found


def _region(
    whole: Whole, size: int, free: npt.NDArray[np.bool_], seeds: Any, generator: np.random.Generator, *, by_impact: bool
) -> Indices:
    """Return a region of what is ``free``, which it is no longer then."""
    taken: list[Indices] = []
    waiting = np.zeros(0, np.intp)
    room, impacts = size, whole.impacts
    while room:
        if not waiting.size:
            seed = next((index for index in seeds if free[index]), None)
            if seed is None:
                break
            waiting = np.array([seed])
        count = min(room, -(-waiting.size // 2) if by_impact else waiting.size)
        keys = -impacts[waiting] if by_impact else generator.random(waiting.size)
        order = np.argsort(keys, kind="stable") if count < waiting.size else np.arange(waiting.size)
        new, waiting = waiting[order[:count]], waiting[order[count:]]
        free[new] = False
        taken.append(new)
        room -= count
        around = whole.neighbours(new)
        around = around[free[around]]
        if around.size:
            waiting = np.unique(np.concatenate([waiting, around]))
    return np.concatenate(taken) if taken else np.zeros(0, np.intp)


def apart(whole: Whole, found: Sequence[Indices], together: int) -> list[list[Indices]]:
    """Group regions so that those of a group, at most ``together``, have no couplings between them where possible."""
    if together == 1:
        return [[region] for region in found]
    owner = np.empty(len(whole), np.intp)
    for number, region in enumerate(found):
        owner[region] = number
    coupled = whole.couplings.tocoo()
    touching = np.zeros((len(found), len(found)), bool)
    touching[owner[coupled.row], owner[coupled.col]] = True
    left, groups = list(range(len(found))), []
    while left:
        group: list[int] = []
        for number in sorted(left, key=lambda each: touching[each].sum(), reverse=True):
            if len(group) < together and not touching[number, group].any():
                group.append(number)
        group += [number for number in left if number not in group][: together - len(group)]
        left = [number for number in left if number not in group]
        groups.append([found[number] for number in group])
    return groups
