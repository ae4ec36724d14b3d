"""How many RAM cells a memory becomes: the packing of Yosys, as arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from attractor.gateware.boards import Family
from attractor.spec.base import ceil_div

__all__ = ["LARGE_RAM_BITS", "Memory", "Packed", "pack", "pack_large"]


@dataclass(frozen=True)
class _Cell:
    """A RAM cell in one of its shapes.

    ``part`` is the number of bits that one write enable covers: a word takes whole parts, and words that differ only
    in the high address bits may share a cell. ``cost`` is Yosys's.
    """

    words: int
    bits: int
    part: int
    cost: int


_ICE40_BLOCKS = (_Cell(256, 16, 1, 64), _Cell(512, 8, 1, 64), _Cell(1024, 4, 1, 64), _Cell(2048, 2, 1, 64))
_ECP5_BLOCKS = (
    _Cell(512, 36, 9, 128),
    _Cell(1024, 18, 9, 128),
    _Cell(2048, 9, 9, 128),
    _Cell(4096, 4, 4, 128),
    _Cell(8192, 2, 2, 128),
    _Cell(16384, 1, 1, 128),
)
_ECP5_LUT_RAM = _Cell(16, 4, 4, 4)
_BLOCKS = {Family.ICE40: _ICE40_BLOCKS, Family.ECP5: _ECP5_BLOCKS}
#: Bits of a large single-ported RAM of the UP5K.
LARGE_RAM_BITS = 1 << 18
# The single-ported RAM of the UP5K, taken only for memories that are told to be in it.
_ICE40_LARGE = _Cell(16384, 16, 16, 2048)
# What Yosys adds for each bit that has to be selected among banks, and for each bank whose write must be decoded.
_SELECT_COST = 0.5
# What a bit of a constant costs as logic.
_CONSTANT_COST = 1 / 16
# Smaller memories become flip-flops on iCE40, which has nothing between them and block RAM.
_REGISTER_BITS = 64
_REGISTER_WORDS = 4


@dataclass(frozen=True)
class Memory:
    """A memory of a design, with one write port.

    Parameters
    ----------
    name:
        Its name in the design.
    words, word_bits:
        Its size.
    constant:
        It is never written.
    logic:
        It is made of logic, whatever its size.
    large:
        It may be in a large RAM, which has one port and no contents.
    read_ports:
        Number of its read ports.
    asynchronous:
        A word is read in the cycle of its address.
    enabled_bits:
        Bits of a word that are written together; 0 for all.
    """

    name: str
    words: int
    word_bits: int
    constant: bool = False
    logic: bool = False
    large: bool = False
    read_ports: int = 1
    asynchronous: bool = False
    enabled_bits: int = 0

    @property
    def bits(self) -> int:
        """Bits of all words."""
        return self.words * self.word_bits


@dataclass(frozen=True)
class Packed:
    """What a memory becomes: block RAM, LUT RAM, flip-flops, large RAM, or, if all are 0, logic.

    Parameters
    ----------
    block_rams:
        Cells SB_RAM40_4K or DP16KD.
    lut_rams:
        Cells TRELLIS_DPR16X4, 4 LUTs each.
    flip_flops:
        Bits held in registers.
    selected_bits:
        2-to-1 multiplexers behind a memory that has more words than one cell.
    large_rams:
        Cells SB_SPRAM256KA.
    """

    block_rams: int = 0
    lut_rams: int = 0
    flip_flops: int = 0
    selected_bits: int = 0
    large_rams: int = 0


def pack(memory: Memory, family: Family) -> Packed:
    """Return what Yosys 0.70 makes of ``memory`` when no collision has to be emulated."""
    cost, cells, selected = min(_use(memory, cell) for cell in _BLOCKS[family])
    if memory.constant:
        if memory.logic or memory.asynchronous or memory.bits * _CONSTANT_COST <= cost:
            return Packed()
    elif family is Family.ECP5:
        lut_cost, lut_cells, lut_selected = _use(memory, _ECP5_LUT_RAM)
        if memory.asynchronous or lut_cost < cost:
            return Packed(lut_rams=lut_cells, selected_bits=lut_selected)
    elif memory.asynchronous or memory.words <= _REGISTER_WORDS or memory.bits <= _REGISTER_BITS * memory.read_ports:
        return Packed(flip_flops=memory.bits)
    return Packed(block_rams=cells, selected_bits=selected)


def pack_large(memory: Memory) -> Packed:
    """Return what Yosys makes of ``memory`` in the large RAMs of the UP5K."""
    _, cells, selected = _use(memory, _ICE40_LARGE)
    return Packed(large_rams=cells, selected_bits=selected)


def _use(memory: Memory, cell: _Cell) -> tuple[float, int, int]:
    """Return the cost of ``memory`` in cells of one shape, the number of cells, and the multiplexers behind them.

    Each read port has cells of its own, all with the same contents.
    """
    banks = ceil_div(memory.words, cell.words)
    enabled = memory.enabled_bits or memory.word_bits
    parts = memory.word_bits // enabled * ceil_div(enabled, cell.part)
    cells = ceil_div(banks * parts, cell.bits // cell.part)
    selected = (banks - 1) * memory.word_bits
    decoded = banks if banks > 1 else 0
    copies = memory.read_ports
    return (cell.cost * cells + _SELECT_COST * (selected + decoded)) * copies, cells * copies, selected * copies
