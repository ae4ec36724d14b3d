"""From a spec to a bundle: at the fastest clock that its placement meets, or at a given one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from attractor.gateware import clocks
from attractor.gateware.boards import Board, Family, find_board
from attractor.gateware.bundle import Bundle
from attractor.gateware.clocks import Clock, ClockError
from attractor.gateware.flow import Progress
from attractor.gateware.placements import Placements
from attractor.machine import cache as kept
from attractor.spec import Spec, SpecError

__all__ = ["AUTO", "LEAST_USED", "MARGIN", "MOST_SEEDS", "TimingError", "build", "cache_folder"]

#: Stands for the fastest clock that the placement meets.
AUTO = "auto"
#: A clock that is chosen is at most the highest frequency of the placement divided by this: place and route does not
#: count the jitter of a PLL.
MARGIN = 1.03
#: The part of its highest frequency that a design should be clocked with: below this, a faster clock is tried.
LEAST_USED = 0.85
#: Most seeds of one build. Each is a whole placement, and the best of many is hardly better than that of some: twice as
#: many gain less each time, and what 64 do not reach wants another clock or fewer lanes.
MOST_SEEDS = 64
# Greatest seed that nextpnr takes.
_LAST_SEED = (1 << 31) - 1
# Clock of the first placement, which shall show how fast the design can be: faster than most designs are.
_AMBITION_HZ = {Family.ICE40: 48_000_000, Family.ECP5: 100_000_000}


class TimingError(RuntimeError):
    """The placed design is slower than its clock."""


def cache_folder() -> Path:
    """Return the folder of built bundles: ``bundles`` below $ATTRACTOR_CACHE or the user's cache folder."""
    return kept.cache_folder(kept.BUNDLES)


def build(
    spec: Spec,
    board: Board | str,
    *,
    lanes: int | None = None,
    baud: int | None = None,
    clock: float | str = AUTO,
    seed: int = 1,
    seeds: int = 1,
    cache: Path | bool | None = True,
    progress: Progress | None = None,
) -> Bundle:
    """Build the gateware of a network, or fetch it from the cache if it was built before.

    Equal inputs (spec, board, lanes, baud, clock, seeds, sources, versions of the tools) give equal bytes.

    Parameters
    ----------
    spec:
        The network.
    board:
        Board or its name.
    lanes:
        Neurons that are updated at once; default those of the spec. A model runs on any number of them.
    baud:
        Serial speed; default the board's, 1 Mbaud.
    clock:
        Frequency of the design in Hz, which a PLL makes if it is not that of the oscillator; or :data:`AUTO`, the
        fastest that the placement meets with :data:`MARGIN`. That takes two placements or more: one that shows how
        fast the design can be, and one for the clock that follows.
    seed, seeds:
        First seed of the placer, and how many are tried from it on, 1 to :data:`MOST_SEEDS`. The fastest placement is
        taken, or the first that meets a clock that is known.
    cache:
        Folder of built bundles; True for :func:`cache_folder`, None or False for none.
    progress:
        Called with the name of each step when it begins.

    Raises
    ------
    BoardError, BaudError, ClockError, SpecError
        If there is no such board, it cannot make this baud or clock, or the network cannot have so many lanes.
    DoesNotFit, TimingError
        If the network is too large for the board, or the placed design is slower than its clock.
    ToolError
        If a tool is missing or fails.
    ValueError
        If there are no such seeds.
    """
    chosen = _seeds(seed, seeds)
    target = find_board(board) if isinstance(board, str) else board
    folded = spec if lanes is None else _folded(spec, lanes)
    speed = target.check_baud(target.default_baud if baud is None else baud)
    folder = cache_folder() if cache is True else cache or None
    placements = Placements(folded, target, speed, cache=folder, progress=progress)
    if clock == AUTO:
        return _fastest(placements, chosen)
    if isinstance(clock, str):
        raise ClockError(f"a clock of {clock!r}: it is a frequency in Hz, or {AUTO!r}")
    return _at(placements, clocks.at(target, clock), chosen)


def _seeds(first: int, count: int) -> range:
    if not 1 <= count <= MOST_SEEDS:
        raise ValueError(
            f"{count} seeds to place with: each is a whole placement; take from 1 to {MOST_SEEDS}, and another first "
            "seed for others"
        )
    chosen = range(first, first + count)
    for seed in (chosen[0], chosen[-1]):
        if not 0 <= seed <= _LAST_SEED:
            raise ValueError(f"seed {seed}: the placer takes at least 0 and at most {_LAST_SEED}; choose another first")
    return chosen


def _folded(spec: Spec, lanes: int) -> Spec:
    if "lanes" not in spec.build_fields():
        raise SpecError(f"a network of the family {spec.family!r} has no lanes; build it without a number of them")
    return dataclasses.replace(spec, lanes=lanes)


def _at(placements: Placements, clock: Clock, seeds: range) -> Bundle:
    """Return a placement that meets a clock; raise :class:`TimingError` if none does."""
    placements.check_baud(clock.hz)
    bundle = placements.best(clock, seeds, enough_hz=clock.hz)
    if bundle.fmax_hz < clock.hz:
        raise _too_slow(placements, clock, bundle, seeds)
    return bundle


def _fastest(placements: Placements, seeds: range) -> Bundle:
    """Return the placement with the fastest clock that is met with :data:`MARGIN`.

    What depends on the clock (timer of the serial line, description) changes the netlist, and so the placement: the
    next is seldom as fast as the last. A clock that is missed is followed by a slower one, one that leaves too much
    unused by a faster one.
    """
    board = placements.board
    if board.pll is None:
        return _at(placements, clocks.oscillator(board), seeds)
    limit_hz: float = _AMBITION_HZ[board.family]
    best: Bundle | None = None
    if clock := clocks.fastest(board, limit_hz, placements.serves):
        placements.report(f"a first placement, for a clock of {clock.hz / 1e6:g} MHz")
        limit_hz = placements.best(clock, seeds).fmax_hz / MARGIN
    while clock := clocks.fastest(board, limit_hz, placements.serves):
        if best and clock.hz <= best.clock_hz:
            break
        placements.report(f"a placement for a clock of {clock.hz / 1e6:g} MHz")
        bundle = placements.best(clock, seeds, enough_hz=clock.hz * MARGIN)
        limit_hz = bundle.fmax_hz / MARGIN
        if clock.hz <= limit_hz:
            best = bundle
        if best and (bundle is not best or clock.hz >= LEAST_USED * bundle.fmax_hz):
            break
    return best or _at(placements, clocks.oscillator(board), seeds)


def _too_slow(placements: Placements, clock: Clock, bundle: Bundle, seeds: range) -> TimingError:
    board, reached = placements.board, bundle.fmax_hz
    slower = clocks.fastest(board, reached / MARGIN, placements.serves)
    steps = [
        *([f"a clock of {slower.hz / 1e6:g} MHz"] if slower else []),
        f"more seeds than {len(seeds)}",
        "fewer lanes, which shorten its paths",
    ]
    return TimingError(
        f"the design reaches {reached / 1e6:.1f} MHz on {board.name}, and its clock is {clock.hz / 1e6:g} MHz; "
        f"try {', '.join(steps[:-1])}, or {steps[-1]}"
    )
