"""Calls a second through the serial line, beside what line and core would allow at most.

Everything is measured on the simulated gateware, bits on its own UART included, on the clock of the design: the figures
do not depend on this computer. The clock is that of the bundle that ``attractor build`` makes for the board, which is
built first unless it was before, or that of ``--clock``; ``clock_mhz`` is the nearest one with a whole number of cycles
for a bit. The link keeps what it keeps on that board.

``line_limit``
    Calls a second if the line carried only the bits that the network needs: inputs one way, wanted results the other,
    10 line bits a byte; the slower direction counts.
``core_limit``
    Calls a second if the core ran without a pause: the clock over its cycles for a call, in the mean over the calls.
``ratio``
    ``calls_per_second`` over the smaller of the two limits.
``equal``
    All results are those of the golden model, which counts no cycles, and so are all parameters afterwards where the
    device learns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from reporting import log, parser, report

from attractor.data.digits import digits
from attractor.estimators import PRESETS, EqPropClassifier, OscillatorClassifier
from attractor.gateware.boards import find_board
from attractor.gateware.build import build
from attractor.gateware.estimate import estimate
from attractor.golden import network as golden_network
from attractor.host import Device, Model
from attractor.host.rate import agree
from attractor.sim.rtl_board import RtlBoard
from attractor.sim.timed_board import TimedBoard
from attractor.solve.annealing import Annealing
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Region, Spec
from attractor.spec.oscillator import RESULT, SEED_BITS
from attractor.spec.packing import packed_bytes
from attractor.spec.protocol import LEAST_CYCLES_PER_BIT
from attractor.train.oscillator.classifier import image_phases
from attractor.trials import trials_of

LATENCIES = (0.016, 0.001)
BAUDS = (1_000_000, 3_000_000)
#: Where the clock cycles begin in the results of an oscillator network, the only ones of which so much is wanted.
_CYCLES = RESULT.size - 4
#: Flags and winner.
WINNER = 4
#: Shares of the ratio and calls a second that must be reached.
LEAST_RATIO, LEAST_DIGITS = 0.75, 1500


@dataclass(frozen=True)
class Work:
    """Calls to measure.

    Parameters
    ----------
    network, what:
        For the report.
    model:
        The network and where it begins.
    inputs:
        Input regions of the calls.
    input_bits:
        Bits that a call needs.
    want:
        Bytes that each call answers with.
    want_bits:
        Bits of them that the caller needs.
    board:
        Board of the bundle.
    """

    network: str
    what: str
    model: Model
    inputs: list[bytes]
    input_bits: int
    want: int
    want_bits: int
    board: str

    @property
    def spec(self) -> Spec:
        """The network."""
        return self.model.spec


def classified_digits(board: str) -> Work:
    """Return the held-out digits for oscillators: a phase of 4 bits for each of 64 pixels."""
    data = digits()
    classifier = OscillatorClassifier(weight_bits=5, phase_bits=4).fit(data.train_images, data.train_labels)
    spec = classifier.spec_
    phases = image_phases(spec, np.concatenate([data.test_images, data.train_images]))
    inputs = [spec.encode_input(start) for start in phases]
    return Work(
        "8x8 digits", "classify", classifier.model_, 3 * inputs, 64 * spec.phase_bits, WINNER, 8 * WINNER, board
    )


def learnt_digits(board: str) -> Work:
    """Return digits to learn from random weights: 64 bits, sign, and a byte for the class."""
    data = digits()
    classifier = EqPropClassifier(**PRESETS["digits"]).set_params(epochs=0, validation_fraction=0)
    classifier.fit(data.train_images, data.train_labels)
    spec, bits = classifier.spec_, classifier.code_.bits(data.train_images)
    signs = np.random.default_rng(0).choice([-1, 1], len(bits)).tolist()
    inputs = [
        spec.encode_input(sample, sigma=sign, label=label, thresholds=(4, 4))
        for sample, sign, label in zip(bits, signs, data.train_labels.tolist(), strict=True)
    ]
    return Work("64-48-20", "learn", classifier.model_, 12 * inputs, 64 + 1 + 8, WINNER, 8 * WINNER, board)


def random_layers(layers: tuple[int, ...], lanes: int, board: str, samples: int, *, learning: bool) -> Work:
    """Return samples of random bits, a fifth of them on as in MNIST, for random weights."""
    spec = EqPropSpec(layers=layers, state_high=(63, 63), counter_bits=6, lanes=lanes, learning=learning)
    source = np.random.default_rng(0)
    parameters: dict[str, npt.NDArray[np.int64]] = {"steps": np.array([10, 10])}
    for name, parameter in spec.parameters.items():
        if name.startswith("weights"):
            parameters[name] = source.choice([-1, 1], parameter.shape)
        elif name.startswith("counters"):
            parameters[name] = np.zeros(parameter.shape, np.int64)
    options: list[dict[str, Any]] = [
        {"sigma": int(source.choice([-1, 1])), "label": int(source.integers(10)), "thresholds": (8, 8)}
        if learning
        else {}
        for _ in range(samples)
    ]
    inputs = [spec.encode_input(source.random(layers[0]) < 0.2, **option) for option in options]
    name = "-".join(map(str, layers))
    bits = layers[0] + (1 + 8) * learning
    return Work(
        name, "learn" if learning else "classify", Model(spec, parameters), inputs, bits, WINNER, 8 * WINNER, board
    )


def sequences_of_lif(board: str) -> Work:
    """Return digits shown row by row, 8 ticks of 8 values of 0 to 7, to 64 leaky neurons and a read-out of 10."""
    layers = FelifLayer(neurons=64, kind="lif", weight_bits=4), FelifLayer(neurons=10, kind="readout", weight_bits=4)
    spec = FelifSpec(inputs=8, input_bits=4, layers=layers, ticks=8, lanes=8)
    parameters = trials_of(spec).parameters(spec, np.random.default_rng(0))
    rows = np.rint(digits().train_images.reshape(-1, 8, 8) / digits().train_images.max() * 7).astype(int)
    inputs = [spec.encode_input(frames) for frames in rows]
    return Work(
        "8-64-10 LIF, 8 ticks", "classify", Model(spec, parameters), 3 * inputs, 8 * 8 * 4, WINNER, 8 * WINNER, board
    )


def annealed_graph(board: str) -> Work:
    """Return reads of a Max-Cut problem of 100 vertices, 50 periods each: a seed in, a spin for each vertex out."""
    spec = OscillatorSpec(oscillators=100, weight_bits=4, schedule_entries=16, random_start=True)
    source = np.random.default_rng(0)
    edges = np.triu(source.random((100, 100)) < 0.1, 1)
    weights = -4 * (edges + edges.T).astype(np.int64)
    schedule = Annealing(periods=50).rows(spec, weights)
    model = Model(spec, {"weights": weights, "schedule": schedule, "settle": np.array(0)})
    seeds = source.integers(1 << SEED_BITS, size=50).tolist()
    inputs = [spec.encode_input(np.zeros(100, int), seed=seed, random_start=True) for seed in seeds]
    return Work("Max-Cut, 100 vertices", "solve", model, 6 * inputs, SEED_BITS, spec.spin_bytes, spec.targets, board)


WORKS: dict[str, Callable[[], Work]] = {
    "digits": partial(classified_digits, "icebreaker"),
    "lessons": partial(learnt_digits, "icebreaker"),
    "mnist": partial(random_layers, (784, 512, 100), 32, "ulx3s-85f", 600, learning=False),
    "mnist-lessons": partial(random_layers, (784, 384, 100), 96, "ulx3s-85f", 600, learning=True),
    "lif": partial(sequences_of_lif, "ulx3s-85f"),
    "solve": partial(annealed_graph, "ulx3s-85f"),
}


@dataclass(frozen=True)
class Expected:
    """What the golden model answers to all calls, and what it holds afterwards.

    Parameters
    ----------
    results:
        Wanted bytes of each call.
    held:
        Parameters afterwards.
    """

    results: list[bytes]
    held: dict[str, bytes]

    @classmethod
    def of(cls, work: Work) -> Expected:
        """Make all calls to the golden model; equal inputs of a network that does not learn have equal results."""
        golden = golden_network(work.spec, work.model.parameters)
        call = golden.call if work.what == "learn" else cache(golden.call)
        packed = (work.spec.memory_map.packed(Region.OUTPUT, call(data))[: work.want] for data in work.inputs)
        return cls([untimed(data) for data in packed], work.spec.encode_parameters(golden.parameters))


def untimed(result: bytes) -> bytes:
    """Return a result without its clock cycles, if it goes so far."""
    return result[:_CYCLES] + result[_CYCLES + 4 :]


class Bench:
    """A work, the bundle of its board, and what the golden model makes of it."""

    def __init__(self, work: Work, clock_hz: float | None) -> None:
        self.work, self.expected = work, Expected.of(work)
        self.bundle_hz = self._built() if clock_hz is None else clock_hz
        self._buffers = estimate(work.spec, find_board(work.board)).buffers
        self.cycles = self._core_cycles()

    def _built(self) -> float:
        """Return the clock of the bundle."""
        log(f"building {self.work.network} for {self.work.board}")
        return build(self.work.spec, self.work.board, progress=lambda step: log(f"  {step}")).clock_hz

    def _core_cycles(self) -> float:
        """Return the core's cycles for a call, in the mean over the first calls."""
        with self._board() as board, Device.open(board, timeout=120.0) as device:
            device.load(self.work.model)
            outputs = [self.work.spec.decode_output(data) for data in device.calls(self.work.inputs[:200])]
        return float(np.mean([output.cycles for output in outputs]))

    def _board(self) -> RtlBoard:
        return RtlBoard(self.work.spec, clocks_per_bit=LEAST_CYCLES_PER_BIT, buffers=self._buffers)

    def measure(self, baud: int, latency: float) -> dict[str, Any]:
        """Make all calls once, and compare what comes back."""
        work = self.work
        clock_hz = round(self.bundle_hz / baud) * baud
        with self._board() as board:
            # The parameters are loaded at the fastest rate there is, or most of the time would go there.
            line = TimedBoard(board, baud=clock_hz // LEAST_CYCLES_PER_BIT, latency=latency)
            device = Device.open(line, baud=line.baud, clock=line)
            device.load(work.model)
            agree(device.link, clock_hz, baud)
            start = line()
            found = list(device.calls(work.inputs, want=work.want))
            rate = len(found) / (line() - start)
            agree(device.link, clock_hz, line.baud)
            held = device.spec.encode_parameters(device.read_parameters())
        line_limit = baud / 10 / max(packed_bytes(1, work.input_bits), packed_bytes(1, work.want_bits))
        core_limit = clock_hz / self.cycles
        return {
            "network": work.network,
            "family": work.spec.family,
            "what": work.what,
            "board": work.board,
            "baud": baud,
            "latency_ms": 1000 * latency,
            "clock_mhz": clock_hz / 1e6,
            "calls": len(found),
            "calls_per_second": round(rate, 1),
            "line_limit": round(line_limit, 1),
            "core_limit": round(core_limit, 1),
            "ratio": round(rate / min(line_limit, core_limit), 4),
            "cycles": round(self.cycles, 1),
            "repeated": device.link.statistics.repeated,
            "equal": ([untimed(data) for data in found], held) == (self.expected.results, self.expected.held),
        }


def main() -> None:
    """Measure all works over all lines."""
    options = parser(__doc__)
    options.add_argument("--only", action="append", choices=WORKS, help="one of them (may be repeated)")
    options.add_argument("--clock", type=float, metavar="MHZ", help="instead of that of a bundle, which is built")
    arguments = options.parse_args()
    clock_hz = None if arguments.clock is None else 1e6 * arguments.clock
    rows = []
    for name in arguments.only or WORKS:
        bench = Bench(WORKS[name](), clock_hz)
        for baud in BAUDS:
            for latency in LATENCIES:
                rows.append(bench.measure(baud, latency))
                log(str(rows[-1]))
    least = [row["calls_per_second"] for row in rows if row["network"] == "8x8 digits" and row["baud"] == BAUDS[0]]
    reached = {
        "ratios": all(row["ratio"] >= LEAST_RATIO for row in rows),
        "digits": all(rate >= LEAST_DIGITS for rate in least),
        "equal": all(row["equal"] for row in rows),
    }
    report({"rows": rows, "reached": reached}, as_json=arguments.json)
    if not all(reached.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
