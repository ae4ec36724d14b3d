"""The contract between a core and the link that serves it."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.spec import MemoryMap, Spec, Window

__all__ = ["CoreSignature", "WindowSignature", "WindowsSignature", "connect_windows", "port_name"]


class WindowSignature(wiring.Signature):
    """Access to the words of one memory window, seen from the accessing side.

    ``read_data`` is valid in the cycle after one in which ``read`` was high, and in that cycle alone. A write takes
    effect in the cycle after ``write``. Reading and writing in one cycle is not allowed, nor is any access to a
    core's windows while the core is busy.

    Parameters
    ----------
    window:
        The window; it gives ``words`` and ``word_bits``.

    Members
    -------
    address: ``Out(range(words))``
        Index of the word.
    read, write: ``Out(1)``
        Do it in this cycle.
    write_data: ``Out(word_bits)``
    read_data: ``In(word_bits)``
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        super().__init__(
            {
                "address": Out(range(window.words)),
                "read": Out(1),
                "write": Out(1),
                "write_data": Out(window.word_bits),
                "read_data": In(window.word_bits),
            }
        )


def port_name(window: Window) -> str:
    """Return the name of the window's member in :class:`WindowsSignature`."""
    return window.name.replace(".", "_")


def connect_windows(m: Module, windows: wiring.PureInterface, part: wiring.PureInterface) -> None:
    """Connect those of a component's own ``windows`` that one of its parts has as well, under the same names."""
    for name in part.signature.members:
        wiring.connect(m, wiring.flipped(getattr(windows, name)), getattr(part, name))


class WindowsSignature(wiring.Signature):
    """All windows of a memory map, one :class:`WindowSignature` each, named by :func:`port_name`."""

    def __init__(self, memory_map: MemoryMap) -> None:
        self.memory_map = memory_map
        super().__init__({port_name(window): Out(WindowSignature(window)) for window in memory_map.windows})


class CoreSignature(wiring.Signature):
    """A core as the link drives it, seen from the link.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    windows: ``Out(WindowsSignature)``
        The core's memories; not touched while ``busy``.
    start: ``Out(1)``
        Run once on the inputs now in memory. Only while not ``busy``.
    abort: ``Out(1)``
        End the run as soon as the outputs are consistent. No effect while not ``busy``.
    busy: ``In(1)``
        High from the cycle after ``start`` until the outputs can be read.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        super().__init__(
            {
                "windows": Out(WindowsSignature(spec.memory_map)),
                "start": Out(1),
                "abort": Out(1),
                "busy": In(1),
            }
        )
