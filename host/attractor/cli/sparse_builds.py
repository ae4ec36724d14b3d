"""Which build of a network with sparse couplings a board gets for a problem."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from attractor.gateware.boards import BOARDS, Board
from attractor.gateware.estimate import DoesNotFit, Estimate, estimate
from attractor.solve.annealing import Annealing
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import Scale
from attractor.solve.program import Where, program
from attractor.solve.sparse_networks import rows_needed
from attractor.spec import IntegerArray, SpecError
from attractor.spec.memory_map import MOST_WORDS
from attractor.spec.sparse import MOST_SPARSE_LANES, SparseSpec

__all__ = ["sparse_build"]

#: Lanes over entries of the builds that are looked at.
_SHARES = (1, 2, 4, 8)


def sparse_build(
    bqm: dimod.BinaryQuadraticModel,
    annealing: Annealing,
    board: Board,
    scale: Scale,
    weight_bits: int | None = None,
) -> Estimate:
    """Return the build for a problem: the most lanes that fit a board, and with these the fewest words of couplings.

    Variables are dealt to the classes of each build that may fit, as a device of this build has them, so that it gets
    as many words as the problem needs, and no more. The network draws its start phases.

    Parameters
    ----------
    bqm, annealing, scale:
        As for :func:`attractor.solve.program.program`.
    board:
        The board.
    weight_bits:
        Width of weights; None for the narrowest that holds the coefficients.

    Raises
    ------
    DoesNotFit
        If it fits with no number of lanes: the message says what is missing, and what would hold it.
    ProblemError
        If no network is large enough, or the coefficients do not fit.
    """
    sizes = {"weight_bits": weight_bits, "phase_bits": 4, "lanes": 0, "random_start": True}
    made = program(bqm, annealing, Where(None, board.name, sizes, "sparse"), scale)
    spec = made.placement.spec
    assert isinstance(spec, SparseSpec)
    counts = np.diff(made.model.parameters["starts"].astype(np.int64))
    found = estimate(spec, board)
    for build in _builds(spec, counts):
        found = estimate(build, board)
        if not found.fits_as_estimated:
            continue
        dealt = program(bqm, annealing, Where(replace(build, row_words=MOST_WORDS), board.name, {}), scale)
        words = rows_needed(build, dealt.model.parameters)
        found = estimate(replace(build, row_words=max(words, 2)), board)
        if found.fits_as_estimated:
            return found
    larger = next((other.name for other in _by_size(board) if estimate(found.spec, other).fits_as_estimated), None)
    raise DoesNotFit(
        f"the problem has {bqm.num_variables:,} variables, {spec.couplings:,} couplings and a strength of "
        f"{spec.strength:,}, and no network with sparse couplings holds it on {board.name}: with the fewest lanes it "
        f"needs {found.lacks or 'more words for its couplings'}; "
        + (f"the board {larger} holds it" if larger else "no board that is known here holds it")
    )


def _builds(spec: SparseSpec, counts: IntegerArray) -> Iterator[SparseSpec]:
    """Yield networks that are folded otherwise, the most lanes first, of equal lanes those of the fewest words first.

    Words are as few as there can be; of builds with as many words the one with the fewest entries comes first, as it is
    the smallest.
    """
    for lanes in (MOST_SPARSE_LANES >> bit for bit in range(MOST_SPARSE_LANES.bit_length())):
        folded = []
        for entries in (lanes // share for share in _SHARES if share <= lanes):
            words = 1 + int((-(-counts // entries)).sum())
            with suppress(SpecError):
                folded.append(replace(spec, lanes=lanes, entries=entries, row_words=max(words, 2)))
        yield from sorted(folded, key=lambda build: (build.row_words, build.entries))


def _by_size(board: Board) -> list[Board]:
    """Return the boards with more block RAM than one, which is what couplings are short of, the smallest first."""
    rams = board.resources.block_rams
    larger = [other for other in BOARDS.values() if other.resources.block_rams > rams]
    return sorted(larger, key=lambda other: other.resources.block_rams)
