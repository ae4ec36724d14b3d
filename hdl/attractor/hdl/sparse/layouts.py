"""What the parts of a sparse core hand to each other."""

from amaranth.hdl import Shape
from amaranth.lib import data

from attractor.spec.sparse import SparseSpec

__all__ = ["Effect", "Entry", "RowWord", "Visit", "groups_of", "numbers_of"]


def groups_of(spec: SparseSpec) -> int:
    """Return the words of a memory with one for each group; two at least, so that it has an address."""
    return max(spec.groups, 2)


def numbers_of(spec: SparseSpec) -> int:
    """Return how many numbers are kept of a target: a difference for each slot of half a period, and the sum.

    Where phases are 0 or half a period, the sum alone: see :class:`~attractor.hdl.sparse.scanner.SideScanner`.
    """
    return 1 if spec.binary else spec.period // 2 + 1


class Effect(data.StructLayout):
    """What the visit of an oscillator means for the sums.

    Members
    -------
    first: ``1``
        It had no phase before in this call.
    up: ``1``
        Its side, 1 for phase 0 and 0 for half a period; only in networks with ``binary``. What follows only in others.
    old, new: ``phase_bits``
        Its phases; ``old`` means nothing if it is the first one.
    level: ``1``
        The sums change at once, see :class:`~attractor.hdl.oscillator.move.Placement`.
    low: ``1``
        They change downward.
    """

    def __init__(self, spec: SparseSpec) -> None:
        phases = {"old": spec.phase_bits, "new": spec.phase_bits, "level": 1, "low": 1}
        super().__init__({"first": 1, **({"up": 1} if spec.binary else phases)})


class Visit(data.StructLayout):
    """An oscillator whose row is added to the sums.

    Members
    -------
    source: ``range(oscillators)``
    effect: :class:`Effect`
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__({"source": range(spec.oscillators), "effect": Effect(spec)})


class Entry(data.StructLayout):
    """A slot of a word of couplings, see :class:`~attractor.spec.sparse.RowMemory`.

    Members
    -------
    place: ``place_bits``
        Number of the target in its class.
    weight: ``signed(weight_bits)``
        0 if there is no coupling.
    """

    def __init__(self, spec: SparseSpec) -> None:
        memory = spec.row_memory
        super().__init__({"place": memory.place_bits, "weight": Shape(memory.weight_bits, signed=True)})


class RowWord(data.StructLayout):
    """A word of a row.

    Members
    -------
    entries: ``entries`` times :class:`Entry`
        One for each class.
    effect: :class:`Effect`
        Of the visit that the row is read for.
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__({"entries": data.ArrayLayout(Entry(spec), spec.entries), "effect": Effect(spec)})
