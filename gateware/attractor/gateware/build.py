"""From a spec to a bundle: built once, then found in the cache."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import platformdirs

from attractor.gateware.boards import Board, find_board
from attractor.gateware.bundle import FORMAT, Bundle, BundleError
from attractor.gateware.estimate import check_cells, does_not_fit, estimate
from attractor.gateware.flow import CapacityError, Implementation, Progress, implement
from attractor.gateware.tools import find_toolchain
from attractor.gateware.top import system_top
from attractor.spec import Spec

__all__ = ["build", "cache_folder", "sources_sha256"]

#: Packages whose source files decide what is built.
_SOURCES = ("attractor.spec", "attractor.hdl", "attractor.gateware")
#: Distributions that turn these sources into a netlist, beside the tools.
_GENERATORS = ("amaranth", "amaranth-boards")


def cache_folder() -> Path:
    """Return the folder of built bundles: ``bundles`` below $ATTRACTOR_CACHE or the user's cache folder."""
    root = os.environ.get("ATTRACTOR_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("attractor", appauthor=False)) / "bundles"


def build(
    spec: Spec,
    board: Board | str,
    *,
    baud: int | None = None,
    seed: int = 1,
    cache: Path | bool | None = True,
    progress: Progress | None = None,
) -> Bundle:
    """Build the gateware of a network, or fetch it from the cache if it was built before.

    Equal inputs (spec, board, baud, seed, sources, versions of the tools) give equal bytes.

    Parameters
    ----------
    spec:
        The network.
    board:
        Board or its name.
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
    BoardError, BaudError
        If there is no such board, or it cannot make this baud.
    DoesNotFit
        If the network is too large for the board: before any tool runs, or after synthesis.
    TimingError
        If the placed design is slower than the board's clock.
    ToolError
        If a tool is missing or fails.
    """
    target = find_board(board) if isinstance(board, str) else board
    speed = target.check_baud(target.default_baud if baud is None else baud)
    inputs = _inputs(spec, target, speed, seed)
    folder = cache_folder() if cache is True else cache or None
    entry = folder and folder / f"{_digest(inputs)}.attractor"
    if entry:
        cached = _cached(entry)
        if cached is not None:
            return cached
    estimated = estimate(spec, target)
    estimated.check()
    try:
        implementation = implement(
            system_top(spec, target, speed),
            target,
            seed=seed,
            large_weights=estimated.large_rams > 0,
            multipliers=estimated.multipliers > 0,
            check_cells=lambda cells: check_cells(cells, spec, target),
            progress=progress,
        )
    except CapacityError as error:
        raise does_not_fit(spec, target, error.shortage) from error
    bundle = Bundle(implementation.bitstream, _manifest(spec, inputs, implementation))
    if entry:
        bundle.save(entry)
    return bundle


def _cached(entry: Path) -> Bundle | None:
    try:
        return Bundle.open(entry)
    except (BundleError, OSError):
        return None


def _inputs(spec: Spec, board: Board, baud: int, seed: int) -> dict[str, Any]:
    """Return everything that decides the bits of a build, ready for JSON."""
    return {
        "format": FORMAT,
        "attractor": metadata.version("attractor"),
        "spec": spec.to_dict(),
        "board": board.name,
        "clock_hz": board.clock_hz,
        "baud": baud,
        "seed": seed,
        "tools": find_toolchain(board.family).versions | {name: metadata.version(name) for name in _GENERATORS},
        "sources_sha256": sources_sha256(),
    }


def sources_sha256() -> str:
    """Return the SHA-256 over the names and contents of all source files that decide what is built."""
    total = hashlib.sha256()
    for package in _SOURCES:
        for folder in importlib.import_module(package).__path__:
            for path in sorted(Path(folder).rglob("*.py")):
                data = path.read_bytes()
                total.update(f"{package}/{path.relative_to(folder).as_posix()} {len(data)}\n".encode())
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
