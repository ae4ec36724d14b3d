"""What a design holds, read from the design itself: its memories, and how much logic of each kind."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import prod
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

__all__ = ["count_logic", "logic_of", "memories_of"]

# Neither clock nor board changes a memory, but for the length of the description.
_CLOCK_HZ, _BOARD = 12_345_678, "a-board"  # a description about as long as that of any board
# What is counted of a cell, and the parameters that say how wide it is.
_COUNTED = {
    **dict.fromkeys(("$dff", "$adff", "$mux"), ("steered bits", "\\WIDTH")),
    **dict.fromkeys(("$add", "$sub", "$neg"), ("computed bits", "\\Y_WIDTH")),
    **dict.fromkeys(("$and", "$or", "$xor", "$not", "$shift", "$shl", "$shr"), ("computed bits", "\\Y_WIDTH")),
    **dict.fromkeys(("$lt", "$le", "$gt", "$ge", "$eq", "$ne"), ("computed bits", "\\A_WIDTH")),
    **dict.fromkeys(("$reduce_or", "$reduce_and", "$reduce_xor"), ("computed bits", "\\A_WIDTH")),
    "$mul": ("multiplied bits", "\\A_WIDTH", "\\B_WIDTH"),
}
_NAMES = sorted({name for name, *_ in _COUNTED.values()})
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
    width = Shape.cast(storage.shape).width
    enables = [len(port.en) for port in storage.write_ports]
    return Memory(
        name,
        storage.depth,
        width,
        constant=not storage.write_ports,
        logic="logic" in (storage.attrs.get("rom_style"), storage.attrs.get("ram_style")),
        large=LARGE in storage.attrs,
        read_ports=len(storage.read_ports),
        asynchronous=any(port.domain == "comb" for port in storage.read_ports),
        enabled_bits=width // enables[0] if enables and enables[0] > 1 else 0,
    )


@lru_cache(maxsize=256)
def logic_of(spec: Spec) -> Mapping[str, int]:
    """Return how much logic a network's system has, as :func:`count_logic` does.

    The netlist is made for it, which takes some ten times as long as to elaborate the design.
    """
    return MappingProxyType(count_logic(rtlil.convert(_system(spec), emit_src=False)))


def count_logic(netlist: str) -> dict[str, int]:
    """Return how much logic a netlist of Amaranth's, in RTLIL, describes, before any tool has seen it.

    Returns
    -------
    dict
        ``steered bits``, those of registers, and of what is assigned, once for each assignment; ``computed bits``,
        those of sums, comparisons and other operators; ``multiplied bits``, width times width, of products of two
        variables.
    """
    counts = Counter[str]()
    kind, parameters, constant = "", dict[str, int](), False
    for line in netlist.splitlines():
        match line.split(maxsplit=3):
            case ["cell", kind, *_]:
                parameters, constant = {}, False
            case ["parameter", name, value] if name in _COUNTED.get(kind, ()):
                parameters[name] = int(value)
            case ["connect", "\\A" | "\\B", value, *_] if "'" in value:
                constant = True
            case ["end"] if kind in _COUNTED:
                # A product with a constant is a shift or a few sums.
                if not (constant and kind == "$mul"):
                    counts[_COUNTED[kind][0]] += prod(parameters[name] for name in _COUNTED[kind][1:])
                kind = ""
            case ["assign", *_]:
                counts["steered bits"] += _assigned(line)
    return {name: counts[name] for name in _NAMES}


def _assigned(line: str) -> int:
    found = _ASSIGNMENT.search(line)
    if found is None:
        return 0
    high, low = found.groups()
    return 1 if low is None else int(high) - int(low) + 1


def _system(spec: Spec) -> System:
    return System(build_core(spec), spec, clock_hz=_CLOCK_HZ, board=_BOARD)
