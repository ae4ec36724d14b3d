"""Calls that learn over lines that fail: whether each is made exactly once, in order.

Everything runs on a virtual clock. A device of each family that learns is taught 200 samples with many calls on their
way at once, over a line on which bytes are flipped, lost, doubled, reordered and made up, that goes dead, and whose
device is reset in between.

``recovered``
    All results came; they and all weights are those of the golden model.
``reported``
    The host raised an error. ``reported_reset`` of them were resets, after which the device refuses calls.
``wrong``
    A result differs, weights of a recovered run differ, or those of a reported run are not the golden model's after any
    number of samples that the error names.
``hung``
    A run did not end within 10 minutes of the line's time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from link import LATENCY_SECONDS, random_faults
from reporting import log, parser, report

from attractor.golden import network as golden_network
from attractor.host import Device, HostError, LinkClient, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import FaultyLine, OutOfTime, PacedLine, VirtualClock
from attractor.spec import EqPropSpec, OscillatorSpec, Region, Spec
from attractor.spec.protocol import crc32

HANG_SECONDS = 600.0
SAMPLES = 200
#: Different samples; runs take them in turn.
LESSONS = 4
OSCILLATORS = OscillatorSpec(oscillators=20, lanes=5, weight_bits=6, learning=True)
LAYERS = EqPropSpec(layers=(24, 12, 8), classes=4, state_high=7, lanes=4, learning=True)


class Lesson:
    """Samples for a device, and what the golden model makes of them.

    Parameters
    ----------
    spec:
        The network.
    parameters:
        Where it begins.
    inputs:
        Input regions of the calls.
    """

    def __init__(self, spec: Spec, parameters: dict[str, Any], inputs: list[bytes]) -> None:
        self.model = Model(spec, parameters)
        self.inputs = inputs
        network = golden_network(spec, self.model.parameters)
        self.results: list[bytes] = []
        #: CRC-32 of all parameters after each number of samples.
        self.states = [_digest(spec, dict(network.parameters))]
        for data in inputs:
            self.results.append(_packed(spec, network.call(data)))
            self.states.append(_digest(spec, dict(network.parameters)))


@cache
def oscillator_lesson(seed: int) -> Lesson:
    """Return patterns for a network of oscillators, whose weights change with nearly each."""
    source, spec = np.random.default_rng(seed), OSCILLATORS
    patterns = np.where(source.random((SAMPLES, spec.oscillators)) < 0.5, 0, spec.period // 2)
    weights = source.integers(-3, 4, (spec.targets, spec.oscillators))
    parameters = {"weights": weights, "schedule": spec.schedule(1), "settle": np.array(0)}
    return Lesson(spec, parameters, [spec.encode_input(pattern, margin=spec.margin_high) for pattern in patterns])


@cache
def layered_lesson(seed: int) -> Lesson:
    """Return samples for layers, each of which moves counters."""
    source, spec = np.random.default_rng(seed), LAYERS
    parameters: dict[str, Any] = {"steps": np.array([6, 6])}
    for name, parameter in spec.parameters.items():
        if name.startswith("weights"):
            parameters[name] = source.choice([-1, 1], parameter.shape)
        elif name.startswith("counters"):
            parameters[name] = source.integers(-3, 4, parameter.shape)
    inputs = [
        spec.encode_input(
            source.integers(0, 2, spec.layers[0]),
            sigma=int(source.choice([-1, 1])),
            label=int(source.integers(spec.classes)),
            thresholds=(2, 1),
        )
        for _ in range(SAMPLES)
    ]
    return Lesson(spec, parameters, inputs)


def _digest(spec: Spec, parameters: dict[str, Any]) -> int:
    return crc32(spec.memory_map.join(Region.PARAMETERS, spec.encode_parameters(parameters)))


def _packed(spec: Spec, outputs: bytes) -> bytes:
    return spec.memory_map.packed(Region.OUTPUT, outputs)


class Run:
    """One lesson over a line that fails.

    Parameters
    ----------
    lesson:
        What is taught.
    seed:
        Decides on all faults.
    """

    def __init__(self, lesson: Lesson, seed: int) -> None:
        self.lesson = lesson
        self.clock = VirtualClock(HANG_SECONDS)
        self.board = GoldenBoard(lesson.model.spec)
        self.clean = PacedLine(self.board, self.clock, latency=LATENCY_SECONDS)
        Device.open(self.clean, clock=self.clock).load(lesson.model)
        source = random.Random(seed)
        self.line = FaultyLine(self.clean, self.clock, random_faults(source), seed, self.board.reset)
        self.link = LinkClient(self.line, clock=self.clock, session=source.randrange(1 << 16))
        self.results: list[bytes] = []

    def end(self) -> str:
        """Teach, and return how it ended."""
        want = self.lesson.model.spec.memory_map.packed_size(Region.OUTPUT)
        try:
            for result in Device(self.link).calls(self.lesson.inputs, want=want):
                self.results.append(result)
        except HostError:
            most = len(self.results) + self.link.unanswered_calls
            return self._judge("reported" if self.board.parameters_valid else "reported_reset", most)
        except OutOfTime:
            return "hung"
        return self._judge("recovered", SAMPLES, least=SAMPLES)

    def _judge(self, end: str, most: int, least: int = 0) -> str:
        least = max(least, len(self.results))
        windows = self.board.parameter_windows()
        state = crc32(self.lesson.model.spec.memory_map.join(Region.PARAMETERS, windows))
        right = self.results == self.lesson.results[: len(self.results)]
        return end if right and state in self.lesson.states[least : most + 1] else "wrong"


def measure(lesson: Callable[[int], Lesson], runs: int, seed: int) -> dict[str, Any]:
    """Run again and again, each time with other faults."""
    ends: Counter[str] = Counter()
    injected: Counter[str] = Counter()
    results = 0
    for index in range(runs):
        run = Run(lesson(index % LESSONS), seed + index)
        end = run.end()
        if end in ("wrong", "hung"):
            log(f"seed {seed + index}: {end}")
        ends[end] += 1
        injected += run.line.happened
        results += len(run.results)
    network = lesson(0)
    return {
        "family": network.model.spec.family,
        "runs": runs,
        "calls": SAMPLES,
        "different_states": len(set(network.states)),
        "recovered": ends["recovered"],
        "reported": ends["reported"] + ends["reported_reset"],
        "reported_reset": ends["reported_reset"],
        "wrong": ends["wrong"],
        "hung": ends["hung"],
        "results": results,
        "injected": sum(injected.values()),
    }


def main() -> None:
    """Teach devices of both families."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=1000, help="runs in all (default %(default)s)")
    options.add_argument("--seed", type=int, default=0, help="seed of the first run's faults (default %(default)s)")
    arguments = options.parse_args()
    halves = (arguments.runs + 1) // 2, arguments.runs // 2
    rows = [
        measure(lesson, runs, arguments.seed)
        for lesson, runs in zip((layered_lesson, oscillator_lesson), halves, strict=True)
    ]
    total = {
        name: sum(row[name] for row in rows) for name in ("runs", "recovered", "reported", "wrong", "hung", "injected")
    }
    report({**total, "rows": rows, "seed": arguments.seed}, as_json=arguments.json)
    if total["wrong"] or total["hung"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
