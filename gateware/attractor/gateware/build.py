"""From a spec to a bundle: built once, then found in the cache."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

from attractor.gateware.boards import Board, find_board
from attractor.gateware.bundle import FORMAT, Bundle, BundleError
from attractor.gateware.estimate import check_cells, check_parameters, does_not_fit, estimate
from attractor.gateware.flow import CapacityError, Implementation, Progress, implement
from attractor.gateware.tools import find_toolchain
from attractor.gateware.top import system_top
from attractor.hdl.sources import design_sources
from attractor.machine import cache as kept
from attractor.machine.sources import source_files
from attractor.spec import Spec, SpecError

__all__ = ["build", "cache_folder", "sources_sha256"]

#: Distributions that turn the sources into a netlist, beside the tools.
_GENERATORS = ("amaranth", "amaranth-boards")


def cache_folder() -> Path:
    """Return the folder of built bundles: ``bundles`` below $ATTRACTOR_CACHE or the user's cache folder."""
    return kept.cache_folder(kept.BUNDLES)


def build(
    spec: Spec,
    board: Board | str,
    *,
    lanes: int | None = None,
    baud: int | None = None,
    seed: int = 1,
    cache: Path | bool | None = True,
    progress: Progress | None = None,
) -> Bundle:
    """Build the gateware of a network, or fetch it from the cache if it was built before.

    Equal inputs (spec, board, lanes, baud, seed, sources, versions of the tools) give equal bytes.

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
    seed:
        Seed of the placer, to try another placement where one misses the clock.
    cache:
        Folder of built bundles; True for :func:`cache_folder`, None or False for none.
    progress:
        Called with the name of each step when it begins.

    Raises
    ------
    BoardError, BaudError, SpecError
        If there is no such board, it cannot make this baud, or the network cannot have so many lanes.
    DoesNotFit
        If the network is too large for the board: before any tool runs, or after synthesis.
    TimingError
        If the placed design is slower than the board's clock.
    ToolError
        If a tool is missing or fails.
    """
    target = find_board(board) if isinstance(board, str) else board
    folded = spec if lanes is None else _folded(spec, lanes)
    speed = target.check_baud(target.default_baud if baud is None else baud)
    inputs = _inputs(folded, target, speed, seed)
    folder = cache_folder() if cache is True else cache or None
    entry = folder and folder / f"{_digest(inputs)}.attractor"
    bundle = entry and _cached(entry)
    if not bundle:
        implementation = _implement(folded, target, speed, seed, progress)
        bundle = Bundle(implementation.bitstream, _manifest(folded, inputs, implementation))
        if entry:
            bundle.save(entry)
    return bundle


def _folded(spec: Spec, lanes: int) -> Spec:
    if "lanes" not in spec.build_fields():
        raise SpecError(f"a network of the family {spec.family!r} has no lanes; build it without a number of them")
    return dataclasses.replace(spec, lanes=lanes)


def _cached(entry: Path) -> Bundle | None:
    try:
        return Bundle.open(entry)
    except (BundleError, OSError):
        return None


def _implement(spec: Spec, board: Board, baud: int, seed: int, progress: Progress | None) -> Implementation:
    """Build a network that may fit; raise :class:`DoesNotFit` once it is known that it does not."""
    check_parameters(spec, board)
    estimated = estimate(spec, board)
    estimated.check()
    try:
        return implement(
            system_top(spec, board, baud),
            board,
            seed=seed,
            large_weights=estimated.large_rams > 0,
            multipliers=estimated.multipliers > 0,
            check_cells=lambda cells: check_cells(cells, spec, board),
            progress=progress,
        )
    except CapacityError as error:
        raise does_not_fit(spec, board, error.shortage) from error


def _inputs(spec: Spec, board: Board, baud: int, seed: int) -> dict[str, Any]:
    """Return everything that decides the bits of a build, ready for JSON."""
    made = {"board": board.name, "clock_hz": board.clock_hz, "baud": baud, "seed": seed}
    return {
        "format": FORMAT,
        "attractor": metadata.version("attractor"),
        "network": spec.network_to_dict(),
        "build": spec.build_to_dict() | made,
        "tools": find_toolchain(board.family).versions | {name: metadata.version(name) for name in _GENERATORS},
        "sources_sha256": sources_sha256(spec),
    }


def sources_sha256(spec: Spec) -> str:
    """Return the SHA-256 over the names and contents of all source files that decide what is built of a network."""
    total = hashlib.sha256()
    for name, data in (*design_sources(spec), *source_files("attractor.gateware")):
        total.update(f"{name} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def _manifest(spec: Spec, inputs: dict[str, Any], implementation: Implementation) -> dict[str, Any]:
    return inputs | {
        "fingerprint": spec.fingerprint.hex(),
        "bitstream": implementation.bitstream_name,
        "bitstream_sha256": hashlib.sha256(implementation.bitstream).hexdigest(),
        "utilisation": {name: list(counts) for name, counts in implementation.utilisation.items()},
        "fmax_hz": {clock: [round(value) for value in pair] for clock, pair in implementation.fmax.items()},
        "inputs_sha256": _digest(inputs),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
