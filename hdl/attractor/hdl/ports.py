"""Small bundles of signals by which the parts of a core are connected."""

from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ReadSignature", "TaskSignature"]


class TaskSignature(wiring.Signature):
    """Work that one part does for another, seen from the one that asks for it.

    Members
    -------
    start: ``Out(1)``
        Begin. Only while nothing is being done.
    busy: ``In(1)``
        High from the cycle after ``start`` until it is done.
    """

    def __init__(self) -> None:
        super().__init__({"start": Out(1), "busy": In(1)})


class ReadSignature(wiring.Signature):
    """A read port of a memory, seen from the one that reads.

    Parameters
    ----------
    words:
        Depth of the memory.
    shape:
        Shape of a word.

    Members
    -------
    address: ``Out(range(words))``
    read: ``Out(1)``
        Read the word at ``address``.
    data: ``In(shape)``
        That word, in the cycle after ``read``.
    """

    def __init__(self, words: int, shape: ShapeLike) -> None:
        super().__init__({"address": Out(range(words)), "read": Out(1), "data": In(shape)})
