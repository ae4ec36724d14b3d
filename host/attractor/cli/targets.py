"""``attractor bench --targets``: time to solution of problems whose targets are known."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from attractor.cli.output import output
from attractor.host import Device
from attractor.intake.documents import parsed_json
from attractor.intake.errors import refusing
from attractor.intake.files import read_file
from attractor.solve.annealing import Annealing
from attractor.solve.files.recognise import Kind
from attractor.solve.measures import Measure
from attractor.solve.problem_files import open_problem
from attractor.solve.sampler import OscillatorSampler
from attractor.solve.success import Success, Times

__all__ = ["READS", "Target", "TargetsError", "measured", "read_targets", "shown"]

#: Reads of a problem, unless its entry says otherwise.
READS = 64
#: Most bytes of a list of targets, and most values in it.
_MOST_BYTES, _MOST_VALUES = 1 << 20, 50_000
#: What an entry may say of how a problem is annealed.
_ANNEALING = ("periods", "noise", "max_step", "lock", "alternate", "final_noise", "share", "rule")
#: What else it may say, with the types that JSON and TOML have for it.
_FIELDS: dict[str, tuple[type, ...]] = {
    "file": (str,),
    "target": (int, float),
    "reads": (int,),
    "seed": (int,),
    "as": (str,),
    "problem": (int,),
    "scale": (str,),
    "random_start": (bool,),
}


class TargetsError(ValueError):
    """A list of targets is damaged, or an entry says what cannot be."""


@dataclass(frozen=True)
class Target:
    """A problem, and what is to be reached.

    Parameters
    ----------
    file:
        The problem's file.
    target:
        Value in the problem's own measure.
    reads, seed:
        Reads, and the seed of their starts and noise.
    kind:
        What the file is taken as; None for what it is.
    number:
        Which problem of the file, from 1; None if there is one only.
    scale:
        As for :meth:`OscillatorSampler.sample`.
    random_start:
        Whether a network made for the problem draws its own starts.
    annealing:
        Schedule, with the values that are given.
    """

    file: Path
    target: float
    reads: int = READS
    seed: int = 0
    kind: Kind | None = None
    number: int | None = None
    scale: Any = "refuse"
    random_start: bool = False
    annealing: Mapping[str, Any] = field(default_factory=dict)


def read_targets(path: Path) -> list[Target]:
    """Read a list of problems with targets, TOML or JSON.

    TOML has a table ``[[targets]]`` for each entry; JSON is a list of objects, or an object with such a list as
    ``targets``. An entry has ``file``, relative to the list's own folder, and ``target``; it may have ``reads`` (64),
    ``seed`` (0), ``as``, ``problem``, ``scale``, ``random_start``, and ``periods``, ``noise``, ``max_step``, ``lock``,
    ``alternate``, ``final_noise``, ``share``, ``rule`` as ``attractor solve`` takes them.

    Raises
    ------
    TargetsError
        If it is damaged; the message names the entry and what is wrong with it.
    OSError
        If it cannot be read.
    """
    with refusing(TargetsError, path, "is no list of targets", "correct it, see attractor bench --help"):
        data = read_file(path, _MOST_BYTES)
        if path.suffix.lower() == ".toml":
            found: Any = tomllib.loads(data.decode())
        else:
            found = parsed_json(data, most_values=_MOST_VALUES)
        entries = found.get("targets") if isinstance(found, dict) else found
        if not isinstance(entries, list) or not entries:
            raise ValueError("it has no entries in a list 'targets'")
    return [_target(entry, index, path) for index, entry in enumerate(entries, start=1)]


def _target(entry: Any, index: int, path: Path) -> Target:
    place = f"{path}, entry {index}"
    if not isinstance(entry, dict):
        raise TargetsError(f"{place} is no table; give it a file and a target")
    for name in ("file", "target"):
        if name not in entry:
            raise TargetsError(f"{place} has no {name}; add it")
    for name, value in entry.items():
        kinds = _FIELDS.get(name)
        if kinds is None and name not in _ANNEALING:
            raise TargetsError(f"{place} says {name!r}, which means nothing; leave it out")
        if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise TargetsError(f"{place} has {name} {value!r}; it must be of type {kinds[-1].__name__}")
    if entry.get("as") not in (None, *get_args(Kind)):
        raise TargetsError(f"{place} has as {entry['as']!r}; choose one of {', '.join(get_args(Kind))}")
    if entry.get("as") == "colouring":
        raise TargetsError(f"{place} asks for a colouring, which has no time to solution here; take it as cut")
    for name, least in (("reads", 1), ("seed", 0), ("problem", 1)):
        if entry.get(name, least) < least:
            raise TargetsError(f"{place} has {name} {entry[name]}; it must be at least {least}")
    annealing = {name: entry[name] for name in _ANNEALING if name in entry}
    with refusing(TargetsError, place, "cannot be annealed", "correct it"):
        Annealing(**annealing)
    with refusing(TargetsError, place, "has no target that can be reached", "give a finite number"):
        target = float(entry["target"])
        if not math.isfinite(target):
            raise ValueError(f"it is {target}")
    options = {name: entry[name] for name in ("reads", "seed", "scale", "random_start") if name in entry}
    named = {"kind": entry.get("as"), "number": entry.get("problem"), "annealing": annealing}
    return Target(path.parent / entry["file"], target, **options, **named)


def measured(
    targets: list[Target], device: Device | str | None, clock_hz: float | None, log: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each problem, ready for JSON, as soon as it is there.

    The share of the reads that reach the target has Wilson's score interval of 95 %, and so has the time to solution,
    which is that with a confidence of 99 % (:mod:`attractor.solve.success`); it has no upper end where no read hit.
    Loading the parameters, once for each problem, is not counted.

    Parameters
    ----------
    targets:
        The problems.
    device:
        As for :class:`OscillatorSampler`.
    clock_hz:
        Clock for which cycles are told as times; None to tell the time that reads took here.
    log:
        Told what is being done.
    """
    for target in targets:
        log(f"{target.file}: {target.reads} reads")
        yield _row(target, device, clock_hz)


def _row(target: Target, device: Device | str | None, clock_hz: float | None) -> dict[str, Any]:
    measure = Measure.for_problem(open_problem(target.file, target.kind, target.number).problem)
    options: dict[str, Any] = {"scale": target.scale, **target.annealing}
    with (
        output.progress(target.file.name) as progress,
        OscillatorSampler(device, random_start=target.random_start) as sampler,
    ):
        if device is None:  # what is compiled or loaded only once is not timed
            short: dict[str, Any] = options | {"periods": 1}
            sampler.sample(measure.bqm, num_reads=1, seed=0, **short)
        sampler.progress = progress
        samples = sampler.sample(measure.bqm, num_reads=target.reads, seed=target.seed, **options)
    timing, reads = samples.info["timing"], len(samples)
    cycles = None if timing["cycles"] is None else timing["cycles"] / reads
    seconds = (timing["anneal"] + timing["download"]) / reads
    if clock_hz is not None and cycles is not None:
        seconds = cycles / clock_hz
    else:
        clock_hz = None
    success = Success.of(measure.reached(measure.of(samples), target.target))
    periods = sum(entry[0] for entry in samples.info["schedule"])
    about = {"file": str(target.file), "measure": measure.name, "target": target.target, "periods": periods}
    return about | _told(success, cycles, clock_hz, seconds)


def _told(success: Success, cycles: float | None, clock_hz: float | None, seconds: float) -> dict[str, Any]:
    low, high = success.interval
    times = success.times(1000 * seconds)
    counted = Times(None, None, None) if cycles is None else success.times(cycles)
    return {
        "reads": success.reads,
        "hits": success.hits,
        "share": success.share,
        "share_low": low,
        "share_high": high,
        "cycles_a_read": cycles,
        "clock_mhz": None if clock_hz is None else clock_hz / 1e6,
        "ms_a_read": 1000 * seconds,
        "ms_to_solution": times.best,
        "ms_to_solution_low": times.low,
        "ms_to_solution_high": times.high,
        "cycles_to_solution": counted.best,
        "cycles_to_solution_low": counted.low,
        "cycles_to_solution_high": counted.high,
    }


def shown(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a row of :func:`measured` as text, intervals in brackets."""
    told = {
        "file": Path(row["file"]).name,
        "target": f"{row['measure'].replace('_', ' ')} {row['target']:,.10g}",
        "periods": str(row["periods"]),
        "hits": f"{row['hits']} of {row['reads']}",
        "share": f"{row['share']:.3g} ({row['share_low']:.3g} to {row['share_high']:.3g})",
        "ms a read": f"{row['ms_a_read']:.4g}" + (f" at {row['clock_mhz']:g} MHz" if row["clock_mhz"] else ""),
        "ms to solution": _interval(row, "ms_to_solution"),
    }
    if row["cycles_a_read"] is not None:
        told |= {
            "cycles a read": f"{row['cycles_a_read']:,.0f}",
            "cycles to solution": _interval(row, "cycles_to_solution"),
        }
    return told


def _interval(row: Mapping[str, Any], name: str) -> str:
    best, low, high = (_digits(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"not reached (more than {low})" if row[name] is None else f"{best} ({low} to {high})"


def _digits(value: float | None) -> str:
    """Return a number with four digits or, if it is larger, all before the point."""
    if value is None:
        return "no limit"
    return f"{value:,.0f}" if value >= 1e4 else f"{value:.4g}"
