"""Whether a network fits a board: estimated before any tool runs, and counted after synthesis."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.utils import ceil_log2

from attractor.gateware.boards import BOARDS, Board, Family
from attractor.gateware.packing import Memory, Packed, pack, pack_large
from attractor.spec import OscillatorSpec, Spec, SpecError
from attractor.spec.base import ceil_div
from attractor.spec.protocol import RECEIVE_BUFFER_BYTES

#: Estimated LUTs are within this fraction of those after packing, for every network that the tests synthesise. When the
#: model was fitted, the greatest deviation was 6 % on iCE40 and 7 % on ECP5.
LUT_TOLERANCE = 0.15

# Buffers of the link: bytes received, a frame being checked, a frame being sent; each half of the latter two holds one
# frame. The description is compressed JSON of 140 to 180 bytes.
_LINK_MEMORIES = (
    Memory("receive buffer", RECEIVE_BUFFER_BYTES, 8),
    Memory("decoder", 512, 8),
    Memory("encoder", 512, 8),
    Memory("description", 180, 8, constant=True),
)
_LUTS_OF_LUT_RAM = 4


class DoesNotFit(ValueError):  # noqa: N818 - reads as what it says
    """A network is too large for a board; the message says in what, and what fits instead."""


@dataclass(frozen=True)
class Estimate:
    """What a network takes of a board.

    Parameters
    ----------
    spec, board:
        What is estimated.
    luts:
        4-input LUTs after packing, ICESTORM_LC or TRELLIS_COMB; right to :data:`LUT_TOLERANCE`.
    block_rams:
        Block RAMs: exact, as Yosys packs them.
    memories:
        The memories and what each becomes.
    large_rams:
        Large single-ported RAMs (SPRAM of the UP5K): the weights, where they do not fit into block RAM.
    """

    spec: Spec
    board: Board
    luts: int
    block_rams: int
    memories: tuple[tuple[Memory, Packed], ...]
    large_rams: int = 0

    @property
    def fits(self) -> bool:
        """False if the network cannot fit, even if the estimate is as much too high as it may be."""
        return self.shortage is None

    @property
    def shortage(self) -> str | None:
        """What is missing, as text; None if nothing is."""
        available = self.board.resources
        if self.block_rams > available.block_rams:
            return f"{self.block_rams} block RAMs of {available.block_rams}"
        if self.large_rams > available.large_rams:
            return f"{self.large_rams} large RAMs of {available.large_rams}"
        if self.luts * (1 - LUT_TOLERANCE) > available.luts:
            return f"about {self.luts} LUTs of {available.luts}"
        return None

    def check(self) -> None:
        """Raise :class:`DoesNotFit` if the network cannot fit."""
        if self.shortage is not None:
            raise does_not_fit(self.spec, self.board, self.shortage)


def estimate(spec: Spec, board: Board) -> Estimate:
    """Estimate what ``spec`` takes of ``board``, by arithmetic alone.

    Block RAM comes from the list of memories and the shapes of the family's block RAM. LUTs come from a linear model
    of the sizes that matter, fitted to packed netlists of Yosys 0.70 (``tests.gateware.fit_luts``).

    Raises
    ------
    TypeError
        If no model is written for the family of the spec.
    """
    packed = _pack(spec, board)
    coefficients = _LUTS[board.family]
    luts = sum(coefficients.get(name, 1.0) * count for name, count in lut_terms(spec, board.family).items())
    block_rams, large_rams = (sum(kind.block_rams for _, kind in packed), sum(kind.large_rams for _, kind in packed))
    return Estimate(spec, board, round(luts), block_rams, packed, large_rams)


def _pack(spec: Spec, board: Board) -> tuple[tuple[Memory, Packed], ...]:
    """Return what each memory becomes; weights go to the large RAMs where block RAM is too small for them."""
    packed = tuple((memory, pack(memory, board.family)) for memory in memories(spec))
    fits = sum(kind.block_rams for _, kind in packed) <= board.resources.block_rams
    # A network that learns reads one row while it writes another, which a single port cannot.
    if fits or not board.resources.large_rams or not isinstance(spec, OscillatorSpec) or spec.learning:
        return packed
    return tuple(
        (memory, pack_large(memory) if memory.name in spec.weight_windows else kind) for memory, kind in packed
    )


def check_cells(cells: Mapping[str, int], spec: Spec, board: Board) -> None:
    """Raise :class:`DoesNotFit` if the cells after synthesis are more than the board has.

    Place and route adds some LUTs, so this finds what certainly does not fit, minutes before it would.
    """
    if board.family is Family.ICE40:
        flip_flops = sum(count for cell, count in cells.items() if cell.startswith("SB_DFF"))
        luts, block_rams = max(cells.get("SB_LUT4", 0), flip_flops), cells.get("SB_RAM40_4K", 0)
    else:
        # A carry cell takes two LUTs.
        lut_rams = _LUTS_OF_LUT_RAM * cells.get("TRELLIS_DPR16X4", 0)
        luts = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + lut_rams
        luts, block_rams = max(luts, cells.get("TRELLIS_FF", 0)), cells.get("DP16KD", 0)
    for name, needed, available in (
        ("block RAMs", block_rams, board.resources.block_rams),
        ("LUTs", luts, board.resources.luts),
    ):
        if needed > available:
            raise does_not_fit(spec, board, f"{needed} {name} of {available}")


def memories(spec: Spec) -> tuple[Memory, ...]:
    """Return all memories of the system that serves ``spec``; raise :class:`TypeError` for an unknown family."""
    if isinstance(spec, OscillatorSpec):
        return _oscillator_memories(spec) + _LINK_MEMORIES
    raise TypeError(f"nothing is known about the cost of the family {spec.family!r}; see attractor.gateware.estimate")


def lut_terms(spec: Spec, family: Family) -> dict[str, int]:
    """Return what the LUTs grow with; ``known`` are LUTs that need no model."""
    if not isinstance(spec, OscillatorSpec):
        raise TypeError(f"nothing is known about the cost of the family {spec.family!r}")
    packed = [pack(memory, family) for memory in memories(spec)]
    return {
        "system": 1,
        "sum bits": spec.lanes * spec.sum_bits,
        "targets": spec.groups * spec.lanes,
        "selected bits": sum(kind.selected_bits for kind in packed),
        "known": sum(_LUTS_OF_LUT_RAM * kind.lut_rams + kind.flip_flops for kind in packed),
    }


def _oscillator_memories(spec: OscillatorSpec) -> tuple[Memory, ...]:
    windows = [spec.memory_map[name] for name in (*spec.weight_windows, "schedule", "state")]
    banks, tag_bits = spec.period // 2 + 3, 2
    state_bits = 2 + (spec.lock_phases - 1).bit_length() + spec.learning
    # What belongs to a single group is in registers.
    folded = [
        Memory("neurons", spec.groups, spec.lanes * state_bits),
        Memory("changes", 1 << ceil_log2(spec.groups), ceil_log2(spec.groups) + 2 * spec.lanes),
    ]
    return (
        *(Memory(window.name, window.words, window.word_bits) for window in windows),
        Memory("accumulators", banks * spec.groups, spec.lanes * (spec.sum_bits + tag_bits)),
        *(folded if spec.groups > 1 else ()),
        Memory("phases", spec.oscillators, spec.phase_bits),
    )


def does_not_fit(spec: Spec, board: Board, shortage: str) -> DoesNotFit:
    """Return the error that says what is missing, and with how many lanes or on which board the network would fit."""
    fewer = _fewer_lanes(spec, board)
    larger = next((other.name for other in _larger_boards(board) if estimate(spec, other).fits), None)
    steps = [
        *([f"lanes={fewer}, which takes more cycles"] if fewer else []),
        *([f"the board {larger}"] if larger else []),
    ]
    advice = f"it would fit with {', or '.join(steps)}" if steps else "use fewer oscillators or narrower weights"
    return DoesNotFit(f"this network does not fit {board.name}: it needs {shortage}; {advice}")


def _fewer_lanes(spec: Spec, board: Board) -> int | None:
    """Return the most lanes, fewer than those of ``spec``, with which it fits."""
    if not isinstance(spec, OscillatorSpec):
        return None
    # Only lane counts that leave no lane idle in all groups: some 2 * sqrt(targets) of them.
    choices = {ceil_div(spec.targets, groups) for groups in range(1, spec.targets + 1)}
    for lanes in sorted(choices, reverse=True):
        if lanes >= spec.lanes:
            continue
        try:
            folded = dataclasses.replace(spec, lanes=lanes)
        except SpecError:
            return None  # so few lanes need more rows of weights than a window has words
        if estimate(folded, board).fits:
            return lanes
    return None


def _larger_boards(board: Board) -> list[Board]:
    mine = board.resources
    return sorted(
        (
            other
            for other in BOARDS.values()
            if other.resources.luts > mine.luts or other.resources.block_rams > mine.block_rams
        ),
        key=lambda other: other.resources.luts,
    )


# LUTs for each unit of :func:`lut_terms`.
_LUTS: dict[Family, dict[str, float]] = {
    Family.ICE40: {"system": 2359.0, "sum bits": 5.91, "targets": 5.85, "selected bits": -0.61},
    Family.ECP5: {"system": 2693.0, "sum bits": 5.33, "targets": 1.84, "selected bits": 1.9},
}
