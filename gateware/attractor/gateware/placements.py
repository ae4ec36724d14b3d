"""Placements of a network on a board at some clock: from the cache where they were made before, else made, at once."""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from attractor.gateware.boards import Board
from attractor.gateware.bundle import FORMAT, Bundle, BundleError
from attractor.gateware.clocks import Clock
from attractor.gateware.estimate import check_cells, check_parameters, does_not_fit, estimate
from attractor.gateware.flow import CapacityError, Implementation, Netlist, Progress, place, synthesise
from attractor.gateware.tools import ToolError, find_toolchain
from attractor.gateware.top import system_top
from attractor.hdl.sources import design_sources
from attractor.machine.sources import source_files
from attractor.spec import Spec
from attractor.spec.protocol import BaudError, rate_step

__all__ = ["Placements", "sources_sha256", "workers"]

#: Distributions that turn the sources into a netlist, beside the tools.
_GENERATORS = ("amaranth", "amaranth-boards")
# Greatest relative difference between the clock of a design and the one that place and route worked for: nextpnr counts
# in picoseconds.
_ROUNDING = 1e-3


class Placements:
    """Placements of one network on one board.

    Each is a bundle, kept under the hash of everything that decides its bits: clock and seed are among that. It may be
    slower than its clock.

    Parameters
    ----------
    spec, board, baud:
        What is placed where, and the speed of its serial line.
    cache:
        Folder of bundles; None for none.
    progress:
        Called with a line of text when a step begins or a placement is done.
    """

    def __init__(
        self, spec: Spec, board: Board, baud: int, *, cache: Path | None = None, progress: Progress | None = None
    ) -> None:
        self.spec, self.board, self.baud = spec, board, baud
        self.cache = cache
        self.report = progress or (lambda _: None)

    def check_baud(self, clock_hz: int) -> None:
        """Raise :class:`BaudError` if a clock cannot be divided to the serial speed."""
        rate_step(clock_hz, self.baud)

    def serves(self, clock_hz: int) -> bool:
        """Return whether a clock can be divided to the serial speed."""
        try:
            self.check_baud(clock_hz)
        except BaudError:
            return False
        return True

    def best(self, clock: Clock, seeds: Sequence[int], enough_hz: float = math.inf) -> Bundle:
        """Return the placement that reaches the highest frequency, or the first that reaches ``enough_hz``.

        First is meant in the order of ``seeds``, so that the result does not depend on how many run at once, which are
        at most as many as there are processors. Once there is one that reaches enough, the others are given up.

        Raises
        ------
        DoesNotFit
            If the network is too large for the board: before any tool runs, or after synthesis.
        ToolError
            If a tool is missing or fails.
        """
        found: list[Bundle] = []
        with closing(self._each(clock, seeds)) as bundles:
            for bundle in bundles:
                found.append(bundle)
                if len(seeds) > 1:
                    reached = f"{bundle.fmax_hz / 1e6:.1f} MHz"
                    self.report(f"seed {bundle.seed} reaches {reached}, {len(found)} of {len(seeds)}")
                if bundle.fmax_hz >= enough_hz:
                    return bundle
        return max(found, key=lambda bundle: bundle.fmax_hz)

    def _each(self, clock: Clock, seeds: Sequence[int]) -> Generator[Bundle]:
        """Yield one placement for each seed, in their order; those that still run end when this is closed."""
        known = {seed: bundle for seed in seeds if (bundle := self._cached(clock, seed))}
        missing = [seed for seed in seeds if seed not in known]
        placing: dict[int, Future[Bundle]] = {}
        stop = threading.Event()
        with ThreadPoolExecutor(workers(len(missing))) as pool:
            try:
                for seed in seeds:
                    if seed not in known and not placing:
                        netlist = self._netlist(clock)
                        if len(missing) > 1:
                            self.report(f"place and route with {len(missing)} seeds, {workers(len(missing))} at a time")
                        progress = self.report if len(missing) == 1 else None
                        placing = {
                            one: pool.submit(self._place, netlist, clock, one, stop, progress) for one in missing
                        }
                    yield known[seed] if seed in known else self._fitting(placing[seed].result)
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)

    def _netlist(self, clock: Clock) -> Netlist:
        """Synthesise a network that may fit; raise :class:`DoesNotFit` once it is known that it does not."""
        check_parameters(self.spec, self.board)
        estimated = estimate(self.spec, self.board)
        estimated.check()
        netlist = synthesise(
            system_top(self.spec, self.board, self.baud, clock),
            self.board,
            large_weights=estimated.large_rams > 0,
            multipliers=estimated.multipliers > 0,
            progress=self.report,
        )
        check_cells(netlist.cells, self.spec, self.board)
        return netlist

    def _place(
        self, netlist: Netlist, clock: Clock, seed: int, stop: threading.Event, progress: Progress | None
    ) -> Bundle:
        implementation = place(netlist, seed, stop=stop, progress=progress)
        _check_clock(implementation, clock)
        inputs = self._inputs(clock, seed)
        bundle = Bundle(implementation.bitstream, _manifest(self.spec, clock, inputs, implementation))
        if entry := self._entry(inputs):
            try:
                bundle.save(entry)
            except OSError as error:  # what was built is given all the same
                self.report(f"the bundle is not kept for the next time: {error}")
        return bundle

    def _fitting(self, result: Callable[[], Bundle]) -> Bundle:
        try:
            return result()
        except CapacityError as error:
            raise does_not_fit(self.spec, self.board, error.shortage) from error

    def _cached(self, clock: Clock, seed: int) -> Bundle | None:
        entry = self._entry(self._inputs(clock, seed))
        try:
            return entry and Bundle.open(entry)
        except (BundleError, OSError):
            return None

    def _entry(self, inputs: Mapping[str, Any]) -> Path | None:
        return self.cache and self.cache / f"{_digest(inputs)}.attractor"

    def _inputs(self, clock: Clock, seed: int) -> dict[str, Any]:
        """Return everything that decides the bits of a placement, ready for JSON."""
        made = {"board": self.board.name, "clock_hz": clock.hz, "baud": self.baud, "seed": seed}
        return self._fixed | {"build": self.spec.build_to_dict() | made}

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        tools = find_toolchain(self.board.family).versions
        return {
            "format": FORMAT,
            "attractor": metadata.version("attractor"),
            "network": self.spec.network_to_dict(),
            "tools": tools | {name: metadata.version(name) for name in _GENERATORS},
            "sources_sha256": sources_sha256(self.spec),
            "board_sha256": self.board.digest(),
        }


def workers(count: int) -> int:
    """Return how many of ``count`` tools run at once: at least 1, at most the processors that this process may use."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(count, processors), 1)


def sources_sha256(spec: Spec) -> str:
    """Return the SHA-256 over the names and contents of all source files that decide what is built of a network."""
    total = hashlib.sha256()
    for name, data in (*design_sources(spec), *source_files("attractor.gateware")):
        total.update(f"{name} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def _check_clock(implementation: Implementation, clock: Clock) -> None:
    """Raise :class:`ToolError` unless place and route worked for the clock that the design gets."""
    fmax = implementation.report.fmax
    if not fmax:
        raise ToolError("place and route reports no clock; is the design empty?")
    for name, (_, required) in fmax.items():
        if abs(required / clock.hz - 1) > _ROUNDING:
            raise ToolError(
                f"place and route took the clock {name} for one of {required / 1e6:g} MHz, and it is one of "
                f"{clock.hz / 1e6:g} MHz; try the tools from PyPI: pip install 'attractor[gateware]'"
            )


def _manifest(spec: Spec, clock: Clock, inputs: Mapping[str, Any], implementation: Implementation) -> dict[str, Any]:
    report = implementation.report
    return {
        **inputs,
        "fingerprint": spec.fingerprint.hex(),
        "pll": clock.setting and clock.setting.to_dict(),
        "bitstream": implementation.bitstream_name,
        "bitstream_sha256": hashlib.sha256(implementation.bitstream).hexdigest(),
        "utilisation": {name: list(counts) for name, counts in report.utilisation.items()},
        "fmax_hz": {name: [round(value) for value in pair] for name, pair in report.fmax.items()},
        "critical_paths": [path.to_dict() for path in report.paths],
        "inputs_sha256": _digest(inputs),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
