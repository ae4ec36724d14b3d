"""What Equilibrium Propagation cores cost over hidden neurons and lanes: logic, memory, cycles; and placed on boards.

Hidden neurons have states from 0 to 50, outputs from 0 to 40, and 100 outputs stand for ten digits (20 in the network
of the 8x8 digits); counters have 6 bits. ``rows`` are cores alone, without the link; ``lut``, ``bram`` and
``large_ram`` are counted as in ``cores.py``.

MNIST is needed (``ATTRACTOR_DATA`` names a folder with a subfolder ``mnist``). A pixel is on from 128 on. Networks of
784 inputs take all pixels. Those of fewer take the pixels that are not the same in all training images, which
``attractor.train.eqprop.varying_inputs`` finds and the host sends alone: the others are 0 in every image that a network
learns from, so neither their weights nor their counters ever count.

``cycles_inference``, ``cycles_learning``
    Mean over samples that follow those that the network was briefly trained with, sample after sample. Counted from the
    golden model's changes by :mod:`attractor.timing.eqprop`; ``verified`` compares the count with the counter of
    simulated gateware, call by call: the greatest deviation in calls that flip no weight, and that of the mean over
    all.
``learning_cost_lut``
    LUTs of a core that learns over those of the same core that does not.
``placed`` (``--place``)
    Whole boards, link and all. ``images_per_second`` and ``samples_per_second`` are those of the core at the clock that
    place and route reached; ``..._over_link`` those of the host's own protocol on a line of ``baud``, whose replies are
    seen 16 ms late, with many calls on their way, each of which keeps the device busy for its cycles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cores import placed, synthesise
from reporting import log, parser, report

from attractor.data.digits import digits
from attractor.data.mnist import mnist
from attractor.gateware.boards import find_board
from attractor.gateware.estimate import estimate
from attractor.golden import EqPropNetwork
from attractor.host import Device, Model
from attractor.host.calls import WINNER_BYTES
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.line import PacedLine, VirtualClock
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import EqPropSpec, IntegerArray
from attractor.spec.packing import packed_bytes
from attractor.spec.protocol import DEFAULT_BAUD, CallHeader, Command, Request
from attractor.timing.eqprop import EqPropCycles
from attractor.train.eqprop import Recipe, Trainer, binary_bits, initial_parameters, varying_inputs

STATE_HIGHS, COUNTER_BITS = (50, 40), 6
THRESHOLDS = (13, 16)
#: Samples to train with, and to count cycles with.
TRAINED, COUNTED = 2000, 100
#: Calls through the line, and how late their replies are seen.
LINK_CALLS, LATENCY_SECONDS = 3000, 0.016
PIXELS, DIGITS_PIXELS = 784, 64


class Core(NamedTuple):
    """A row of the table; ``inputs`` is None for the pixels that vary."""

    target: str
    inputs: int | None
    hidden: int
    lanes: int
    learning: bool


CORES = (
    Core("ecp5", PIXELS, 512, 32, learning=False),
    *(Core("ecp5", None, 512, 32, learning) for learning in (False, True)),
    *(Core("ice40", DIGITS_PIXELS, 48, lanes, learning) for lanes in (4, 8) for learning in (False, True)),
    Core("ice40", PIXELS, 512, 16, learning=False),
    *(Core("xc7", None, 512, 32, learning) for learning in (False, True)),
    *(Core("ecp5", PIXELS, hidden, 32, learning=False) for hidden in (128, 256, 1024)),
    *(Core("ecp5", None, hidden, 32, learning=True) for hidden in (128, 256)),
    *(Core("ecp5", PIXELS, 512, lanes, learning=False) for lanes in (16, 64, 128)),
    *(Core("ecp5", None, 512, 64, learning) for learning in (False, True)),
)
#: Board, core and placer's seed of each placed design. The second reaches 38, 42 and 32 MHz with seeds 1, 2 and 3.
BOARDS = (
    ("ulx3s-85f", Core("ecp5", PIXELS, 512, 32, learning=False), 1),
    ("ulx3s-85f", Core("ecp5", PIXELS, 384, 96, learning=True), 2),
    ("icebreaker", Core("ice40", DIGITS_PIXELS, 48, 8, learning=True), 1),
    ("icebreaker", Core("ice40", PIXELS, 512, 16, learning=False), 1),
)


class Samples(NamedTuple):
    """Input bits, shape (samples, inputs), and classes; first those to train with."""

    bits: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


@cache
def images(inputs: int | None) -> Samples:
    """Return MNIST, or the 8x8 digits where there are so many inputs."""
    if inputs == DIGITS_PIXELS:
        data = digits()
        bits, labels = binary_bits(data.train_images), data.train_labels
    else:
        data = mnist()
        bits, labels = data.train_images >= 128, data.train_labels
        if inputs is None:
            bits = bits[:, varying_inputs(bits)]
    return Samples(bits.astype(np.uint8), labels)


def spec_of(core: Core) -> EqPropSpec:
    """Return the network of a row."""
    return EqPropSpec(
        layers=(images(core.inputs).bits.shape[1], core.hidden, 20 if core.inputs == DIGITS_PIXELS else 100),
        state_high=STATE_HIGHS,
        counter_bits=COUNTER_BITS,
        lanes=core.lanes,
        learning=core.learning,
    )


@cache
def trained(inputs: int | None, hidden: int) -> dict[str, IntegerArray]:
    """Return what a network has learnt from its first samples, counters included."""
    spec, samples = spec_of(Core("", inputs, hidden, hidden, learning=True)), images(inputs)
    count = min(TRAINED, len(samples.bits) - COUNTED)
    recipe = Recipe(thresholds=THRESHOLDS, batch=1, sigma_samples=1)
    trainer = Trainer(spec, recipe, samples.bits[:count], samples.labels[:count])
    trainer.run_epoch()
    return trainer.parameters


def lessons(inputs: int | None) -> Iterable[tuple[npt.NDArray[np.uint8], int, int]]:
    """Return bits, class and sign of the samples with which cycles are counted."""
    samples = images(inputs)
    count = min(TRAINED, len(samples.bits) - COUNTED)
    part = slice(count, count + COUNTED)
    sigmas = np.random.default_rng(0).choice([-1, 1], COUNTED)
    return zip(samples.bits[part], samples.labels[part].tolist(), sigmas.tolist(), strict=True)


def counted(core: Core) -> dict[str, float | None]:
    """Return the cycles of a call in the mean."""
    spec, parameters = spec_of(core), trained(core.inputs, core.hidden)
    parameters = {name: parameters[name] for name in spec.parameters}
    count = EqPropCycles(EqPropNetwork(spec, parameters))
    inference = float(np.mean([count.infer(bits) for bits, _, _ in lessons(core.inputs)]))
    learning = None
    if core.learning:
        learning = float(np.mean([count.learn(*lesson, THRESHOLDS) for lesson in lessons(core.inputs)]))
    return {"cycles_inference": inference, "cycles_learning": learning}


def verified() -> dict[str, Any]:
    """Compare counted cycles with those of simulated gateware: the 8x8 digits, by a network that learns from nothing.

    Its states end at 15, so that outputs are undecided and every other sample teaches it something.
    """
    spec, samples = EqPropSpec(layers=(64, 48, 20), state_high=15, lanes=8, learning=True), images(DIGITS_PIXELS)
    start = initial_parameters(spec)
    count = EqPropCycles(EqPropNetwork(spec, start))
    thresholds = np.full(spec.connections, 2)
    rows = []
    with Device.open(RtlBoard(spec), timeout=120.0) as device:
        device.load(Model(spec, start))
        # The first call after the weights were written builds the base.
        device.network.infer(samples.bits[0])
        for index, (bits, label, sigma) in enumerate(lessons(DIGITS_PIXELS)):
            sign = sigma if index % 2 else 0
            data = spec.encode_input(bits, sigma=sign, label=label, thresholds=thresholds)
            found = spec.decode_output(device.call(data))
            cycles = count.learn(bits, label, sign, thresholds) if sign else count.infer(bits)
            rows.append((found.cycles, cycles, found.flips))
    measured, predicted, flips = np.array(rows).T
    still = flips == 0
    return {
        "network": name_of(spec),
        "lanes": spec.lanes,
        "calls": len(rows),
        "calls_without_flips": int(still.sum()),
        "greatest_deviation_without_flips": int(np.abs(measured - predicted)[still].max()),
        "relative_deviation_of_mean": round(float(abs(predicted.mean() / measured.mean() - 1)), 5),
    }


def name_of(spec: EqPropSpec) -> str:
    """Return the sizes of the layers as text."""
    return "-".join(map(str, spec.layers))


def measure(core: Core) -> dict[str, Any]:
    """Synthesise one core and count its cycles."""
    spec = spec_of(core)
    large = core.target == "ice40" and estimate(spec, find_board("icebreaker")).large_rams > 0
    shape = {"target": core.target, "layers": name_of(spec), "learning": core.learning, "lanes": core.lanes}
    return shape | synthesise(spec, core.target, large_weights=large) | counted(core)


def learning_costs(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the ratio of LUTs for every core that was measured with learning and without."""
    found = {tuple(row[name] for name in ("target", "layers", "lanes", "learning")): row["lut"] for row in rows}
    return [
        {"target": target, "layers": layers, "lanes": lanes, "learning_cost_lut": round(lut / plain, 2)}
        for (target, layers, lanes, learning), lut in found.items()
        if learning and (plain := found.get((target, layers, lanes, False)))
    ]


def place(board: str, core: Core, seed: int) -> dict[str, Any]:
    """Build one bitstream, and say how fast the board is at the clock that it reached."""
    spec = spec_of(core)
    row = {"board": board, "layers": name_of(spec), "learning": core.learning, "lanes": core.lanes}
    row |= {"seed": seed} | placed(spec, board, seed=seed) | counted(core)
    clock = row["fmax_mhz"] * 1e6
    rates: dict[str, Any] = {"baud": DEFAULT_BAUD, "latency_ms": 1000 * LATENCY_SECONDS}
    for rate, kind in (("images", "cycles_inference"), ("samples", "cycles_learning")):
        cycles = row[kind]
        rates[f"{rate}_per_second"] = None if cycles is None else round(clock / cycles)
        over = None if cycles is None else round(calls_per_second(core, cycles / clock, learn=rate == "samples"), 1)
        rates[f"{rate}_per_second_over_link"] = over
    return row | rates


def calls_per_second(core: Core, seconds: float, *, learn: bool) -> float:
    """Return the calls a second through the line, each of which keeps the device busy for some seconds."""
    spec, clock = spec_of(core), VirtualClock()
    parameters = trained(core.inputs, core.hidden)

    def busy(frame: bytes) -> float:
        request = Request.decode(frame.rstrip(b"\0")) if frame.rstrip(b"\0") else None
        if request is None or request.command != Command.CALL:
            return 0.0
        header = CallHeader.unpack(request.payload)
        packed = len(request.payload) - CallHeader.STRUCT.size
        return seconds * (packed // packed_bytes(header.words, header.bits)) * (header.want > 0)

    line = PacedLine(GoldenBoard(spec), clock, baud=DEFAULT_BAUD, latency=LATENCY_SECONDS, busy=busy)
    device = Device.open(line, baud=DEFAULT_BAUD, clock=clock)
    device.load(Model(spec, {name: parameters[name] for name in spec.parameters}))
    inputs = [
        spec.encode_input(bits, sigma=sign, label=label, thresholds=THRESHOLDS) if learn else spec.encode_input(bits)
        for bits, label, sign in lessons(core.inputs)
    ]
    calls = LINK_CALLS // len(inputs) * inputs
    start = clock.now
    for _ in device.calls(calls, want=WINNER_BYTES):
        pass
    return len(calls) / (clock.now - start)


def main() -> None:
    """Synthesise every core, and place the boards if asked to."""
    options = parser(__doc__)
    options.add_argument("--place", action="store_true", help="also place and route whole boards, which takes an hour")
    options.add_argument("--largest", type=int, default=1024, help="most hidden neurons of a row (default %(default)s)")
    arguments = options.parse_args()
    check = verified()
    log(str(check))
    rows = []
    for core in CORES:
        if core.hidden <= arguments.largest:
            rows.append(measure(core))
            log(str(rows[-1]))
    result: dict[str, Any] = {"verified": check, "rows": rows, "learning_costs": learning_costs(rows)}
    result["no_dsp"] = all(row["dsp"] == 0 for row in rows)
    if arguments.place:
        result["placed"] = []
        for board, core, seed in BOARDS:
            result["placed"].append(place(board, core, seed))
            log(str(result["placed"][-1]))
    report(result, as_json=arguments.json)
    if not result["no_dsp"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
