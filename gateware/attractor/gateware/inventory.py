"""What a design holds, read from the design itself: its memories, and how much logic of each kind."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import Fragment, Shape
from amaranth.lib import memory

from attractor.gateware.packing import Memory
from attractor.hdl.cores import build_core
from attractor.hdl.system import System
from attractor.hdl.weights import LARGE
from attractor.spec import Spec
from attractor.spec.protocol import DEFAULT_BAUD

__all__ = ["logic_of", "memories_of"]

# Neither clock nor board changes a memory, but for the length of the description.
_CLOCK_HZ, _BOARD = 12 * DEFAULT_BAUD, "board"
# What is counted of a cell, and the parameter that says how wide it is.
_COUNTED = {
    **dict.fromkeys(("$dff", "$adff"), ("register bits", "\\WIDTH")),
    **dict.fromkeys(("$add", "$sub", "$neg"), ("sum bits", "\\Y_WIDTH")),
    **dict.fromkeys(("$lt", "$le", "$gt", "$ge"), ("sum bits", "\\A_WIDTH")),
    **dict.fromkeys(("$and", "$or", "$xor", "$not", "$shift", "$shl", "$shr"), ("logic bits", "\\Y_WIDTH")),
    **dict.fromkeys(("$eq", "$ne", "$reduce_or", "$reduce_and", "$reduce_xor"), ("logic bits", "\\A_WIDTH")),
    "$mux": ("chosen bits", "\\WIDTH"),
}
_ASSIGNMENT = re.compile(r"assign \S+ \[(\d+)(?::(\d+))?\]")


@lru_cache(maxsize=256)
def memories_of(spec: Spec) -> tuple[Memory, ...]:
    """Return all memories of the system of a network, in the order of the design and by their names in it.

    The design is elaborated for it, which takes about as long as Amaranth needs for it in a build, and kept no longer
    than that: what is kept is the list. The description, which is logic, is one of a board without a name.
    """
    return tuple(_memories(Fragment.get(_system(spec), None), ()))


def _memories(fragment: Any, path: tuple[str, ...]) -> Iterator[Memory]:
    for origin in fragment.origins or ():
        if isinstance(origin, memory.Memory):
            yield _described(origin, ".".join(path))
    for number, (part, name, _) in enumerate(fragment.subfragments):
        yield from _memories(part, (*path, name or str(number)))


def _described(storage: memory.Memory, name: str) -> Memory:
    return Memory(
        name,
        storage.depth,
        Shape.cast(storage.shape).width,
        constant=not storage.write_ports,
        logic="logic" in (storage.attrs.get("rom_style"), storage.attrs.get("ram_style")),
        large=LARGE in storage.attrs,
        read_ports=len(storage.read_ports),
        asynchronous=any(port.domain == "comb" for port in storage.read_ports),
    )


@lru_cache(maxsize=256)
def logic_of(spec: Spec) -> Mapping[str, int]:
    """Return how many bits the operators and registers of a network's system have.

    Counted in the netlist that Amaranth hands to synthesis, which takes some ten times as long as to elaborate it.

    Returns
    -------
    dict
        ``register bits``; ``sum bits`` of adders and comparisons of size; ``product bits``, width by width, of
        multiplications; ``logic bits`` of all other operators; ``chosen bits`` of choices, one for each case.
    """
    counts, kind, width = Counter[str](), "", 0
    for line in rtlil.convert(_system(spec), emit_src=False).splitlines():
        words = line.split(maxsplit=3)
        match words[:2]:
            case ["cell", kind]:
                width = 0
            case ["parameter", name] if kind in _COUNTED and name == _COUNTED[kind][1]:
                counts[_COUNTED[kind][0]] += int(words[2])
            case ["parameter", "\\A_WIDTH"] if kind == "$mul":
                width = int(words[2])
            case ["parameter", "\\B_WIDTH"] if kind == "$mul":
                counts["product bits"] += width * int(words[2])
            case ["assign", _]:
                counts["chosen bits"] += _assigned(line)
    return MappingProxyType(dict(counts))


def _assigned(line: str) -> int:
    found = _ASSIGNMENT.search(line)
    if found is None:
        return 0
    high, low = found.groups()
    return 1 if low is None else int(high) - int(low) + 1


def _system(spec: Spec) -> System:
    return System(build_core(spec), spec, clock_hz=_CLOCK_HZ, board=_BOARD)
