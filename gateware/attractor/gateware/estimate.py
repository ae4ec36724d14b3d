"""Whether a network fits a board: estimated before any tool runs, and counted after synthesis."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from attractor.gateware.boards import BOARDS, Board, Family
from attractor.gateware.costs import LUT_TOLERANCE, LUTS_OF_LUT_RAM, Cost, cost, model_of
from attractor.gateware.packing import LARGE_RAM_BITS, Memory, Packed, pack, pack_large
from attractor.spec import Region, Spec
from attractor.spec.protocol import FULL_BUFFERS, Buffers

__all__ = [
    "LUT_TOLERANCE",
    "DoesNotFit",
    "Estimate",
    "check_cells",
    "check_parameters",
    "does_not_fit",
    "estimate",
    "most_lanes",
]

#: The memories of the link's buffers.
RECEIVED, REPLIES = "link.buffer.storage", "link.encoder.storage"
#: What the link keeps, from as much as always to the least. Requests give way first: some of those on their way are on
#: the line, while replies are kept until the host has seen what came after them.
_BUFFERS = (FULL_BUFFERS, Buffers(receive=1024), Buffers(1024, 1024), Buffers(512, 1024), Buffers(512, 512))

#: So many numbers of lanes are looked at one by one.
_HANDFUL = 8


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
        4-input LUTs after packing, ICESTORM_LC or TRELLIS_COMB; right to ``tolerance``.
    block_rams:
        Block RAMs: exact, as Yosys packs them.
    memories:
        The memories of the design, by their names in it, and what each becomes.
    tolerance:
        Greatest part by which ``luts`` may be wrong: :data:`LUT_TOLERANCE`, or more if the family of the network has no
        model of its own.
    large_rams:
        Large single-ported RAMs (SPRAM of the UP5K): weights, or the rows of couplings, that do not fit into block RAM.
    multipliers:
        Multipliers; 0 if products are made of LUTs, as on iCE40 where there are not enough multipliers for all.
    """

    spec: Spec
    board: Board
    luts: int
    block_rams: int
    memories: tuple[tuple[Memory, Packed], ...]
    tolerance: float = LUT_TOLERANCE
    large_rams: int = 0
    multipliers: int = 0

    @property
    def buffers(self) -> Buffers:
        """What the link keeps: as much as always, or less where block RAM is short."""
        words = {memory.name: memory.words for memory, _ in self.memories}
        return Buffers(words[RECEIVED], words[REPLIES])

    @property
    def fits(self) -> bool:
        """False if the network cannot fit, even if the estimate is as much too high as it may be."""
        return self.shortage is None

    @property
    def shortage(self) -> str | None:
        """What is missing even then, as text; None if nothing is."""
        return self._shortage(self.tolerance)

    @property
    def fits_as_estimated(self) -> bool:
        """True if the network fits if the estimate is right."""
        return self._shortage(0) is None

    @property
    def lacks(self) -> str:
        """What is missing if the estimate is right, as text; empty if nothing is."""
        return self._shortage(0) or ""

    def _shortage(self, tolerance: float) -> str | None:
        available = self.board.resources
        if self.block_rams > available.block_rams:
            return f"{self.block_rams} block RAMs of {available.block_rams}"
        if self.large_rams > available.large_rams:
            return f"{self.large_rams} large RAMs of {available.large_rams}"
        if self.multipliers > available.multipliers:
            return f"{self.multipliers} multipliers of {available.multipliers}"
        if self.luts * (1 - tolerance) > available.luts:
            return f"about {self.luts} LUTs of {available.luts}"
        return None

    def check(self) -> None:
        """Raise :class:`DoesNotFit` if the network cannot fit."""
        if self.shortage is not None:
            raise does_not_fit(self.spec, self.board, self.shortage)


def estimate(spec: Spec, board: Board) -> Estimate:
    """Estimate what ``spec`` takes of ``board``, without any tool.

    Block RAM comes from the memories of the elaborated design and the shapes of the FPGA's block RAM. LUTs come from a
    linear model of the sizes that matter, which the network's family brings, fitted to packed netlists of Yosys 0.70
    (``tests.gateware.fit_luts``).

    Raises
    ------
    SpecError
        If the family of the spec is not installed.
    """
    model = cost(spec, board.family)
    packed = _pack(model, board)
    block_rams, large_rams = _block_rams(packed), sum(kind.large_rams for _, kind in packed)
    multiplies = board.family is Family.ECP5 or model.multipliers <= board.resources.multipliers
    luts = model.luts - (model.product_luts if multiplies else 0)
    multipliers = model.multipliers if multiplies else 0
    return Estimate(spec, board, round(luts), block_rams, packed, model.tolerance, large_rams, multipliers)


def most_lanes(spec: Spec, board: Board) -> Estimate:
    """Estimate a network in the build with the most lanes that fits a board, which takes the fewest clock cycles.

    Only lanes of which none is idle in all groups are looked at, from those of ``spec`` on, one after the other: with
    one group there are registers where others need memories, so that what fits with some lanes need not with fewer.

    Raises
    ------
    DoesNotFit
        If it fits with no number of lanes; the message says what is missing, and which board holds the network.
    """
    builds = model_of(spec).builds(spec)
    lacks = ""
    for build in (spec, *chain.from_iterable(reversed(builds))):
        # That parameters are too large is known before anything is elaborated.
        missing = _parameters_shortage(build, board)
        if missing is None:
            found = estimate(build, board)
            if found.fits_as_estimated:
                return found
            missing = found.lacks
        lacks = missing
    larger = next((other.name for other in _larger_boards(board) if _holds_any([*builds, [spec]], other)), None)
    advice = f"the board {larger} holds it" if larger else model_of(spec).smaller(spec)
    raise DoesNotFit(f"this network does not fit {board.name}: with the fewest lanes it needs {lacks}; {advice}")


def _holds_any(builds: Sequence[Sequence[Spec]], board: Board) -> bool:
    """Return whether a board holds a network with the fewest lanes with which it holds the parameters."""
    possible = ([one for one in same if _parameters_shortage(one, board) is None] for same in builds)
    fewest = next((same for same in possible if same), ())
    return any(estimate(one, board).fits_as_estimated for one in fewest)


def _pack(model: Cost, board: Board) -> tuple[tuple[Memory, Packed], ...]:
    """Return what each memory becomes.

    Where block RAM is short the link keeps less; then what may go to the large RAMs does, and it keeps as much as fits.
    """
    kinds = (False, True) if board.resources.large_rams else (False,)
    tries = [_packed(_with_buffers(model.memories, kept), board, large=large) for large in kinds for kept in _BUFFERS]
    return next((packed for packed in tries if _block_rams(packed) <= board.resources.block_rams), tries[-1])


def _with_buffers(memories: Iterable[Memory], buffers: Buffers) -> list[Memory]:
    sizes = {RECEIVED: buffers.receive, REPLIES: buffers.reply}
    return [dataclasses.replace(memory, words=sizes.get(memory.name, memory.words)) for memory in memories]


def _packed(memories: Iterable[Memory], board: Board, *, large: bool) -> tuple[tuple[Memory, Packed], ...]:
    return tuple(
        (memory, pack_large(memory) if large and memory.large else pack(memory, board.family)) for memory in memories
    )


def _block_rams(packed: Iterable[tuple[Memory, Packed]]) -> int:
    return sum(kind.block_rams for _, kind in packed)


def check_cells(cells: Mapping[str, int], spec: Spec, board: Board) -> None:
    """Raise :class:`DoesNotFit` if the cells after synthesis are more than the board has.

    Place and route adds some LUTs, so this finds what certainly does not fit, minutes before it would.
    """
    if board.family is Family.ICE40:
        flip_flops = sum(count for cell, count in cells.items() if cell.startswith("SB_DFF"))
        luts, block_rams = max(cells.get("SB_LUT4", 0), flip_flops), cells.get("SB_RAM40_4K", 0)
        multipliers = cells.get("SB_MAC16", 0)
    else:
        # A carry cell takes two LUTs.
        lut_rams = LUTS_OF_LUT_RAM * cells.get("TRELLIS_DPR16X4", 0)
        luts = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + lut_rams
        luts, block_rams = max(luts, cells.get("TRELLIS_FF", 0)), cells.get("DP16KD", 0)
        multipliers = cells.get("MULT18X18D", 0)
    for name, needed, available in (
        ("block RAMs", block_rams, board.resources.block_rams),
        ("LUTs", luts, board.resources.luts),
        ("multipliers", multipliers, board.resources.multipliers),
    ):
        if needed > available:
            raise does_not_fit(spec, board, f"{needed} {name} of {available}")


def check_parameters(spec: Spec, board: Board) -> None:
    """Raise :class:`DoesNotFit` if the parameters alone are more than the board's RAM holds.

    Their windows are memories of any core, so nothing has to be elaborated, which takes seconds for the largest.
    """
    shortage = _parameters_shortage(spec, board)
    if shortage is not None:
        raise does_not_fit(spec, board, shortage)


def _parameters_shortage(spec: Spec, board: Board) -> str | None:
    windows = spec.memory_map.region(Region.PARAMETERS)
    memories = [Memory(window.name, window.words, window.word_bits) for window in windows]
    blocks = sum(pack(memory, board.family).block_rams for memory in memories)
    large = sum(memory.words * memory.word_bits for memory in memories) / LARGE_RAM_BITS
    # Any of them may be in the large RAMs, so what does not fit even into these as bits one after another fits nowhere.
    if blocks <= board.resources.block_rams or large <= board.resources.large_rams:
        return None
    return f"{blocks} block RAMs of {board.resources.block_rams} for its parameters alone"


def _holds(spec: Spec, board: Board) -> bool:
    return _parameters_shortage(spec, board) is None and estimate(spec, board).fits_as_estimated


def does_not_fit(spec: Spec, board: Board, shortage: str) -> DoesNotFit:
    """Return the error that says what is missing, and with how many lanes or on which board the network would fit."""
    fewer = _fewer_lanes(spec, board)
    larger = next((other.name for other in _larger_boards(board) if _holds(spec, other)), None)
    steps = [
        *([f"{_differences(spec, fewer)}, which takes more cycles"] if fewer else []),
        *([f"the board {larger}"] if larger else []),
    ] or _both(spec, board)
    advice = f"it would fit with {', or '.join(steps)}" if steps else model_of(spec).smaller(spec)
    return DoesNotFit(f"this network does not fit {board.name}: it needs {shortage}; {advice}")


def _both(spec: Spec, board: Board) -> list[str]:
    """Return the smallest board that holds a network with fewer lanes, and which; none if there is no such board."""
    for larger in _larger_boards(board):
        if fewer := _fewer_lanes(spec, larger):
            return [f"the board {larger.name} and {_differences(spec, fewer)}"]
    return []


def _differences(spec: Spec, build: Spec) -> str:
    """Return the fields in which a build differs from another, as text."""
    before = spec.build_to_dict()
    return ", ".join(f"{name}={value}" for name, value in build.build_to_dict().items() if value != before[name])


def _fewer_lanes(spec: Spec, board: Board) -> Spec | None:
    """Return the build with the most lanes, fewer than those of ``spec``, with which it fits; None if there is none.

    What fits with some lanes mostly fits with fewer. Each step elaborates a design, which takes longer the more lanes
    it has: so the limit is looked for from the fewest lanes on, in steps that double, and then by halving; and only a
    handful of builds is looked at one after the other.
    """
    builds = model_of(spec).builds(spec)
    if len(builds) <= _HANDFUL:
        return next((build for build in chain.from_iterable(reversed(builds)) if _holds(build, board)), None)
    fitting, candidates, doubling, found = 0, len(builds), True, None
    while fitting < candidates:
        probe = min(2 * fitting, candidates - 1) if doubling else (fitting + candidates) // 2
        if holding := next((build for build in builds[probe] if _holds(build, board)), None):
            fitting, found = probe + 1, holding
        else:
            candidates, doubling = probe, False
    return found


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
