"""The rate of a line: agreed on with the device, measured, and remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attractor.host.errors import HostError, LinkError, PortError, RateError
from attractor.host.flight import Ask
from attractor.host.link import LinkClient, accept
from attractor.intake.documents import parsed_object
from attractor.intake.files import read_file
from attractor.machine.cache import cache_folder, digest
from attractor.machine.files import write_whole
from attractor.spec import Window
from attractor.spec.protocol import LEAST_CYCLES_PER_BIT, BaudError, Command, rate_step

if TYPE_CHECKING:
    from attractor.host.device import Device

__all__ = ["RATES", "Measured", "agree", "leave", "measure", "remember", "remembered"]

#: Rates that are tried, the fastest first: those that the common USB converters make exactly.
RATES = (12_000_000, 8_000_000, 6_000_000, 4_000_000, 3_000_000, 2_000_000, 1_500_000, 1_000_000)
#: Frames with which a rate is tried, and round trips that are timed.
FRAMES, ROUND_TRIPS = 200, 20
#: Folder in the cache with a file for each device.
LINES = "lines"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Measured:
    """How a line did at one rate.

    Parameters
    ----------
    baud:
        The rate.
    clean:
        No frame was damaged or lost, on either side.
    damaged, repeated:
        Frames that were, and requests that were sent again; of the device's side only the damaged ones.
    bytes_per_second:
        Of payload that came back.
    round_trip_ms:
        From a request to its answer, in the median.
    """

    baud: int
    clean: bool
    damaged: int
    repeated: int
    bytes_per_second: float
    round_trip_ms: float


def agree(link: LinkClient, clock_hz: float, baud: int) -> None:
    """Let a device and this side of the line change to another rate; on failure both go back to the first one.

    Parameters
    ----------
    link:
        Client of the device, with nothing under way.
    clock_hz:
        The device's clock.
    baud:
        The rate.

    Raises
    ------
    BaudError
        If the device cannot make this rate; the message names the nearest one.
    RateError
        If the port cannot, or nothing is understood at this rate; the line is then as before.
    """
    if baud == link.baud or getattr(link.port, "change_rate", None) is None:
        return
    step = rate_step(clock_hz, baud).to_bytes(3, "little")
    try:
        link.ask(Command.BAUD, payload=step)
        link.change_rate(baud)
        link.ask(Command.COUNTERS, reply_bytes=12)
    except (LinkError, PortError) as error:
        link.change_rate(link.start_baud)
        link.begin()
        raise RateError(
            f"{link.port.name}: host and device do not understand each other at {baud} baud ({error}); the line stays "
            f"at {link.start_baud}"
        ) from error
    if link.baud != baud:  # it was lost, and found again at the first rate
        raise RateError(f"{link.port.name}: the line is not clean at {baud} baud and stays at {link.baud}")


def leave(link: LinkClient, clock_hz: float) -> None:
    """Let the device go back to the rate at which it starts, so that the next host need not wait until it does."""
    if link.baud != link.start_baud:
        link.tell(Command.BAUD, rate_step(clock_hz, link.start_baud).to_bytes(3, "little"))


def measure(
    device: Device, rates: Sequence[int] = RATES, *, clock: Callable[[], float] = time.monotonic
) -> list[Measured]:
    """Measure a line at every rate that the device can make; it ends at the fastest clean one.

    Parameters
    ----------
    device:
        The device. Its parameters are read and not changed.
    rates:
        Rates to try.
    clock:
        Time in seconds.
    """
    link, rows = device.link, []
    clock_hz = device.build.clock_hz
    first = link.baud
    for baud in sorted({*rates, first}):
        if baud != first and not _is_possible(clock_hz, baud):
            continue
        try:
            agree(link, clock_hz, baud)
            rows.append(_measured(device, baud, clock))
        except HostError:
            rows.append(Measured(baud, clean=False, damaged=0, repeated=0, bytes_per_second=0.0, round_trip_ms=0.0))
    return rows


def _is_possible(clock_hz: float, baud: int) -> bool:
    try:
        return clock_hz >= LEAST_CYCLES_PER_BIT * baud and rate_step(clock_hz, baud) > 0
    except BaudError:
        return False


def _measured(device: Device, baud: int, clock: Callable[[], float]) -> Measured:
    link, before = device.link, device.counters()
    damaged, repeated = link.statistics.damaged, link.statistics.repeated
    trips = []
    for _ in range(ROUND_TRIPS):
        began = clock()
        device.counters()
        trips.append(clock() - began)
    memory_map = device.spec.memory_map
    window = max(memory_map.windows, key=_frame_bytes)
    size, number = _frame_bytes(window), memory_map.number(window.name)
    asks = [Ask(Command.READ, number, 0, bytes([size // window.word_bytes]), size) for _ in range(FRAMES)]
    began = clock()
    for answer in link.stream(asks):
        accept(answer)
    seconds = max(clock() - began, 1e-9)
    after = device.counters()
    damaged = link.statistics.damaged - damaged + after.damaged - before.damaged + after.overruns - before.overruns
    repeated = link.statistics.repeated - repeated
    return Measured(
        baud,
        clean=not damaged and not repeated and link.baud == baud,
        damaged=damaged,
        repeated=repeated,
        bytes_per_second=round(size * FRAMES / seconds, 1),
        round_trip_ms=round(1000 * sorted(trips)[len(trips) // 2], 3),
    )


def _frame_bytes(window: Window) -> int:
    """Return the most bytes of a window that one frame carries."""
    return min(window.words, window.words_per_frame) * window.word_bytes


def remember(device: Device, rows: Sequence[Measured]) -> int:
    """Remember the fastest clean rate of a device at its port; return it."""
    best = max((row.baud for row in rows if row.clean), default=device.link.start_baud)
    path = _path(device.name, device.spec.fingerprint)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"baud": best, "rows": [asdict(row) for row in rows]}).encode())
    return best


def remembered(port: str, fingerprint: bytes) -> int | None:
    """Return the rate that was remembered for a device at a port; None if there is none."""
    try:
        baud = parsed_object(read_file(_path(port, fingerprint), _MOST_BYTES))["baud"]
    except (OSError, ValueError, KeyError):
        return None
    return baud if isinstance(baud, int) and baud > 0 else None


def _path(port: str, fingerprint: bytes) -> Path:
    return cache_folder(LINES) / f"{digest(port, fingerprint)}.json"
