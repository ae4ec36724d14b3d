"""How many RAM cells a memory becomes: the packing of Yosys, as arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from attractor.gateware.boards import Family
from attractor.spec.base import ceil_div

# Words and bits of one block RAM in each of its shapes, and the bits that one write enable covers. A word takes whole
# such parts, and words that differ only in the high address bits may share a block.
_BLOCK_SHAPES = {
    Family.ICE40: ((256, 16, 1), (512, 8, 8), (1024, 4, 4), (2048, 2, 2)),
    Family.ECP5: ((512, 36, 9), (1024, 18, 9), (2048, 9, 9), (4096, 4, 4), (8192, 2, 2), (16384, 1, 1)),
}
# Smaller memories become flip-flops on iCE40, which has nothing between them and block RAM.
_REGISTER_BITS = 64
_REGISTER_WORDS = 4
# ECP5 LUT RAM: 16 words of 4 bits in 4 LUTs and the write port beside them. Yosys weighs it 6 against 128 for a block.
_LUT_RAM_WORDS = 16
_LUT_RAM_BITS = 4
_LUT_RAM_WEIGHT = 6
_BLOCK_RAM_WEIGHT = 128


@dataclass(frozen=True)
class Memory:
    """A memory of a design, with one synchronous read port.

    Parameters
    ----------
    name:
        What it holds.
    words, word_bits:
        Its size.
    constant:
        It is never written. ECP5 makes it of logic.
    """

    name: str
    words: int
    word_bits: int
    constant: bool = False


@dataclass(frozen=True)
class Packed:
    """What a memory becomes: one of the three, the others are 0.

    Parameters
    ----------
    block_rams:
        Cells SB_RAM40_4K or DP16KD.
    lut_rams:
        Cells TRELLIS_DPR16X4, 4 LUTs each.
    flip_flops:
        Bits held in registers.
    """

    block_rams: int = 0
    lut_rams: int = 0
    flip_flops: int = 0


def pack(memory: Memory, family: Family) -> Packed:
    """Return what Yosys 0.70 makes of ``memory`` when no collision has to be emulated."""
    bits = memory.words * memory.word_bits
    blocks = min(
        ceil_div(ceil_div(memory.words, words) * ceil_div(memory.word_bits, part), width // part)
        for words, width, part in _BLOCK_SHAPES[family]
    )
    if family is Family.ICE40:
        in_registers = memory.words <= _REGISTER_WORDS or bits <= _REGISTER_BITS
        return Packed(flip_flops=bits) if in_registers else Packed(block_rams=blocks)
    if memory.constant:
        return Packed()
    lut_rams = ceil_div(memory.words, _LUT_RAM_WORDS) * ceil_div(memory.word_bits, _LUT_RAM_BITS)
    if _LUT_RAM_WEIGHT * lut_rams <= _BLOCK_RAM_WEIGHT * blocks:
        return Packed(lut_rams=lut_rams)
    return Packed(block_rams=blocks)
