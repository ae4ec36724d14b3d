"""How well a model gets through the serial line: at full speed, and when the line misbehaves.

Everything runs on a virtual clock, so the figures are those of the line and the protocol, not of this computer.

``payload_utilisation``
    Time that the parameter bytes alone take on the line, over the time of the whole load: identification excluded,
    commit and confirmation included. 1 Mbaud, 10 bits a byte, every reply seen 16 ms late.
``faults``
    Loads over a line on which bytes are flipped, lost, doubled, reordered and made up, that goes dead, and whose
    device is reset in the middle. The device holds another valid model before each. ``recovered``: it holds exactly
    the new one. ``reported``: the host raised an error, and the device refuses calls or, counted as
    ``reported_whole`` too, holds all of the old or all of the new model, because only answers were lost. Whatever
    else is ``wrong``; ``hung`` is a load that does not end within 10 minutes of the line's time.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from typing import Any

import numpy as np
from reporting import report

from attractor.host import Device, DeviceError, HostError, LinkClient, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import Faults, FaultyLine, OutOfTime, PacedLine, VirtualClock
from attractor.spec import OscillatorSpec, Region
from attractor.spec.protocol import DEFAULT_BAUD

LATENCY_SECONDS = 0.016
HANG_SECONDS = 600.0
#: 64 KiB of weights: 256 sources, 16 groups of 16 lanes of 8 bits.
LARGE = OscillatorSpec(oscillators=256, weight_bits=8, lanes=16)
#: 26 frames of parameters.
SMALL = OscillatorSpec(oscillators=96, lanes=32)


def random_model(spec: OscillatorSpec, seed: int) -> Model:
    """Return a model with random weights."""
    source = np.random.default_rng(seed)
    weights = source.integers(spec.weight_low, spec.weight_high + 1, (spec.targets, spec.oscillators))
    return Model(spec, {"weights": weights, "schedule": spec.schedule(2), "settle": np.array(1)})


def measure_utilisation() -> dict[str, Any]:
    """Load once over a line without faults."""
    clock, model = VirtualClock(), random_model(LARGE, 0)
    line = PacedLine(GoldenBoard(LARGE), clock, baud=DEFAULT_BAUD, latency=LATENCY_SECONDS)
    device = Device.open(line, baud=DEFAULT_BAUD, clock=clock)
    start = clock.now
    device.load(model)
    payload = LARGE.memory_map.size(Region.PARAMETERS)
    return {
        "payload_utilisation": payload * line.byte_seconds / (clock.now - start),
        "payload_bytes": payload,
        "line_byte_times": round((clock.now - start) / line.byte_seconds),
        "baud": DEFAULT_BAUD,
        "reply_latency_seconds": LATENCY_SECONDS,
    }


def random_faults(source: random.Random) -> Faults:
    """Return faults that make a load anything between undisturbed and hopeless."""
    run_bytes = source.choice((10, 100, 300))

    def rate(share: float, most: float) -> float:
        """Return a probability for each run, at most ``most`` for each 300 bytes, of which a load takes 20."""
        return most * 0.01 ** source.random() * run_bytes / 300 if source.random() < share else 0.0

    return Faults(
        flip=rate(0.5, 0.2),
        drop=rate(0.5, 0.2),
        double=rate(0.5, 0.2),
        reorder=rate(0.5, 0.2),
        garbage=rate(0.5, 0.2),
        cut=rate(0.2, 0.1),
        reset=rate(0.3, 0.1),
        run_bytes=run_bytes,
    )


class Trial:
    """One load over a faulty line into a device that holds another model.

    Parameters
    ----------
    old, new:
        What the device holds, and what it is to hold.
    seed:
        Decides on all faults.
    """

    def __init__(self, old: Model, new: Model, seed: int) -> None:
        self.old, self.new = old, new
        self.clock = VirtualClock(HANG_SECONDS)
        self.board = GoldenBoard(new.spec)
        self.clean = PacedLine(self.board, self.clock, latency=LATENCY_SECONDS)
        Device.open(self.clean, clock=self.clock).load(old)
        source = random.Random(seed)
        self._power_cycle = source.random() < 0.5
        self._sequence = source.randrange(1 << 16)
        self.line = FaultyLine(self.clean, self.clock, random_faults(source), seed, self._reset)

    def run(self) -> str:
        """Load, and return how it ended."""
        try:
            Device(LinkClient(self.line, clock=self.clock, session=self._sequence)).load(self.new)
        except HostError:
            return self._after_error()
        except OutOfTime:
            return "hung"
        return "recovered" if self.board.parameters_valid and self._holds(self.new) else "wrong"

    def _reset(self) -> None:
        if not self.board.parameters_valid:  # in the middle of the load
            self.board.reset(power_cycle=self._power_cycle)

    def _after_error(self) -> str:
        clock = VirtualClock(HANG_SECONDS)
        device = Device.open(PacedLine(self.board, clock), clock=clock)
        try:
            device.network.recall(np.zeros((1, self.new.spec.to_dict()["oscillators"]), int))
        except DeviceError:
            return "reported"
        return "reported_whole" if self._holds(self.old) or self._holds(self.new) else "wrong"

    def _holds(self, model: Model) -> bool:
        return self.board.parameter_windows() == model.spec.encode_parameters(model.parameters)


def measure_faults(loads: int, seed: int) -> dict[str, Any]:
    """Load again and again, each time with other faults."""
    old, new = random_model(SMALL, 1), random_model(SMALL, 2)
    ends: Counter[str] = Counter()
    injected: Counter[str] = Counter()
    for index in range(loads):
        trial = Trial(old, new, seed + index)
        ends[trial.run()] += 1
        injected += trial.line.happened
    return {
        "loads": loads,
        "recovered": ends["recovered"],
        "reported": ends["reported"] + ends["reported_whole"],
        "reported_whole": ends["reported_whole"],
        "wrong": ends["wrong"],
        "hung": ends["hung"],
        "injected": dict(sorted(injected.items())),
        "seed": seed,
    }


def main() -> None:
    """Run both measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--loads", type=int, default=1000, help="loads over faulty lines (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first load's faults (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    result = {**measure_utilisation(), "faults": measure_faults(arguments.loads, arguments.seed)}
    report(result, as_json=arguments.json)
    if result["faults"]["wrong"] or result["faults"]["hung"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
