"""What the parts of a sparse core hand to each other."""

from amaranth.hdl import Shape
from amaranth.lib import data

from attractor.spec.sparse import SparseSpec

__all__ = ["Entry", "RowWord", "Visit", "groups_of"]


def groups_of(spec: SparseSpec) -> int:
    """Return the words of a memory with one for each group; two at least, so that it has an address."""
    return max(spec.groups, 2)


class Visit(data.StructLayout):
    """An oscillator whose row is added to the sums.

    Members
    -------
    source: ``range(oscillators)``
    up: ``1``
        Its side: 1 for phase 0, and 0 for half a period.
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__({"source": range(spec.oscillators), "up": 1})


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
    up: ``1``
        Side of the oscillator whose row it is.
    """

    def __init__(self, spec: SparseSpec) -> None:
        super().__init__({"entries": data.ArrayLayout(Entry(spec), spec.entries), "up": 1})
