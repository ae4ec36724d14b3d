"""Problems whose answer is a choice of sets.

The formulations are those of A. Lucas, "Ising formulations of many NP problems", Frontiers in Physics 2 (2014) 5;
counters are written in binary here, which needs fewer variables.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import combinations

from attractor.solve.dimod_extra import dimod
from attractor.solve.problems.problem import Problem, add_one_hot, check_penalty, chosen, slack_bits

__all__ = ["Sets", "exact_cover", "hitting_set", "set_cover", "set_packing", "three_dimensional_matching"]

Sets = Sequence[Collection[Hashable]]


def exact_cover(sets: Sets, universe: Iterable[Hashable] | None = None) -> Problem[frozenset[int]]:
    """Choose sets so that every element is in exactly one of them.

    Answer: the indices of the sets. Energy ``sum over elements (1 - sum of x_i whose set has it)**2``, 0 exactly if it
    can be done.

    Parameters
    ----------
    sets:
        The sets.
    universe:
        The elements; None for those of the sets.
    """
    members = _members(sets, universe)
    bqm = _variables(len(sets), 0.0)
    for holders in members.values():
        add_one_hot(bqm, list(holders), 1)

    def wrong(answer: frozenset[int]) -> int:
        return sum(len(answer & set(holders)) != 1 for holders in members.values())

    return Problem("exact cover", bqm, chosen, lambda answer: wrong(answer) == 0, wrong)


def set_packing(sets: Sets, *, penalty: float | None = None) -> Problem[frozenset[int]]:
    """Choose the most sets of which no two share an element.

    Answer: the indices of the sets. Energy ``-sum x_i + A sum over sets that meet x_i x_j``; ``penalty`` A > 1,
    default 2.
    """
    weight = check_penalty("set packing", penalty, 1, 2)
    meet = {(i, j) for i, j in combinations(range(len(sets)), 2) if set(sets[i]) & set(sets[j])}
    bqm = _variables(len(sets), -1.0)
    bqm.add_quadratic_from((i, j, weight) for i, j in meet)

    def feasible(answer: frozenset[int]) -> bool:
        return not any(pair in meet for pair in combinations(sorted(answer), 2))

    return Problem("set packing", bqm, chosen, feasible, len, "maximise")


def three_dimensional_matching(
    triples: Sequence[tuple[Hashable, Hashable, Hashable]], *, penalty: float | None = None
) -> Problem[frozenset[int]]:
    """Choose the most triples that agree in no coordinate: set packing.

    Answer: the indices of the triples; ``penalty`` as in :func:`set_packing`.
    """
    packing = set_packing([set(enumerate(triple)) for triple in triples], penalty=penalty)
    return Problem("3-dimensional matching", packing.bqm, chosen, packing.feasible, packing.objective, packing.sense)


def set_cover(
    sets: Sets, universe: Iterable[Hashable] | None = None, *, penalty: float | None = None
) -> Problem[frozenset[int]]:
    """Choose the fewest sets that have every element.

    Answer: the indices of the sets. Energy ``sum x_i + A sum over elements (sum of x_i whose set has it - 1 -
    slack)**2``, where slack counts in binary up to the number of such sets less 1. An element in no chosen set costs
    A, and choosing one of its sets costs 1, so ``penalty`` A > 1; default 2.

    Raises
    ------
    ValueError
        If an element of ``universe`` is in no set.
    """
    weight = check_penalty("set cover", penalty, 1, 2)
    members = _members(sets, universe)
    bqm = _variables(len(sets), 1.0)
    for index, (element, holders) in enumerate(members.items()):
        if not holders:
            raise ValueError(f"element {element!r} is in no set, so nothing covers it; add a set or leave it out")
        slack = [(("slack", index, bit), -value) for bit, value in enumerate(slack_bits(len(holders) - 1))]
        bqm.add_linear_equality_constraint([*((i, 1) for i in holders), *slack], weight, -1)

    def feasible(answer: frozenset[int]) -> bool:
        return all(answer & set(holders) for holders in members.values())

    return Problem("set cover", bqm, chosen, feasible, len)


def hitting_set(sets: Sets, *, penalty: float | None = None) -> Problem[frozenset[Hashable]]:
    """Choose the fewest elements so that every set has one: set cover with sets and elements exchanged.

    Answer: the elements.
    """
    elements = list(_members(sets, None))
    cover = set_cover(
        [[index for index, one in enumerate(sets) if element in one] for element in elements],
        range(len(sets)),
        penalty=penalty,
    )
    return Problem(
        "hitting set",
        cover.bqm,
        lambda sample: frozenset(elements[index] for index in chosen(sample)),
        lambda answer: all(answer & set(one) for one in sets),
        len,
    )


def _members(sets: Sets, universe: Iterable[Hashable] | None) -> dict[Hashable, list[int]]:
    """Return the indices of the sets that have each element."""
    members: dict[Hashable, list[int]] = {element: [] for element in (() if universe is None else universe)}
    for index, one in enumerate(sets):
        for element in dict.fromkeys(one):
            if universe is not None and element not in members:
                raise ValueError(f"set {index} has {element!r}, which is not in the universe; leave it out of the set")
            members.setdefault(element, []).append(index)
    return members


def _variables(count: int, linear: float) -> dimod.BinaryQuadraticModel:
    return dimod.BinaryQuadraticModel(dict.fromkeys(range(count), linear), {}, 0.0, dimod.BINARY)
