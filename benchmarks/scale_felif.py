"""What spiking cores cost: logic, memory, multipliers, cycles for each tick, and neurons in real time.

Each row of ``rows`` is a core alone, without the link: one layer of 256 neurons, all to all, with weights of 4 bits on
8 lanes, and 16 inputs beside. ``lut``, ``ff`` and ``bram`` are counted as in ``cores.py``; ``dsp`` are DSP blocks of 18
by 18 bits (ecp5) or 25 by 18 bits (xc7), 0 where products are made of look-up tables.

``cycles_quiet``
    A tick without any event: every neuron gets its new state.
``cycles_event``
    What each input or neuron that spikes adds.
``cycles_busy``
    A tick in which 2 % of the neurons spike.
``real_time_neurons``, ``real_time_busy``
    Most neurons of one layer on 8 lanes whose quiet ticks, and whose ticks with 2 % of the neurons spiking all to all,
    take no more than 1 ms at ``clock_mhz``, the clock of the board ULX3S; memory is not counted.

``published`` is what other hardware takes: tinyODIN (256 LIF neurons, 64k synapses of 4 bits) from its public source by
the same synthesis, and its cycles from its documentation; not measured here.

``verified`` compares cycles with those that simulated gateware counts, for every kind of neuron: the greatest
deviation.

``placed`` (``--place``) are whole boards, link and all, placed and routed: 54 inputs, 150 neurons and 54 outputs, the
network of the chorale task. ``lacks`` says what a board is too small in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from cores import placed, synthesise
from reporting import log, parser, report

from attractor.gateware.boards import find_board
from attractor.gateware.estimate import DoesNotFit
from attractor.hdl.felif.neurons import datapath_of
from attractor.host import Device, Model
from attractor.sim.rtl_board import RtlBoard
from attractor.spec import FelifLayer, FelifSpec
from attractor.spec.base import ceil_div
from attractor.spec.felif.layer import FELIF_A, FELIF_B, LIF, READOUT, SUBSTEPS

NEURONS, LANES, INPUTS = 256, 8, 16
#: Target, and whether products become DSP blocks.
TARGETS = (("ecp5", True), ("ecp5", False), ("xc7", False))
KINDS = (FELIF_A, FELIF_B, LIF)
#: Share of the neurons that spike in a busy tick, and a tick in seconds.
ACTIVITY, TICK = 0.02, 1e-3
CLOCK_HZ = find_board("ulx3s-85f").clock_hz
#: Board, kind of the hidden neurons and lanes of each placed design.
BOARDS = (("ulx3s-12f", FELIF_A, 8), ("ulx3s-12f", FELIF_B, 8), ("icebreaker", FELIF_A, 2))
_TINY_ODIN = {"network": "tinyODIN", "neurons": 256, "synapses": 65536, "cycles_quiet": 512, "cycles_event": 513}
PUBLISHED = (
    {**_TINY_ODIN, "target": "ecp5", "lut": 2809, "ff": 1810, "bram": 17},
    {**_TINY_ODIN, "target": "xc7", "lut": 1392, "ff": 1736, "bram": 8.5},
)


def network(kind: str, *, neurons: int = NEURONS, ticks: int = 64) -> FelifSpec:
    """Return the network of a row."""
    layer = FelifLayer(neurons=neurons, kind=kind, recurrent=True)
    return FelifSpec(inputs=INPUTS, layers=(layer,), ticks=ticks, lanes=LANES)


def quiet_cycles(kind: str, neurons: int) -> int:
    """Return the cycles of a tick without any event, of a single layer on :data:`LANES` lanes."""
    datapath, groups = datapath_of(kind), ceil_div(neurons, LANES)
    # A group of one neuron is cleared a cycle later.
    sums = neurons + groups + (groups > 1 and neurons % LANES == 1)
    if kind != FELIF_B:
        return sums + datapath.latency + 5
    lap = max(neurons, datapath.latency + 2)
    return sums + (SUBSTEPS - 1) * lap + neurons + datapath.latency + 6


def event_cycles(neurons: int) -> int:
    """Return the cycles of an event."""
    return max(ceil_div(neurons, LANES), 2)


def busy_cycles(kind: str, neurons: int) -> float:
    """Return the cycles of a tick in which :data:`ACTIVITY` of the neurons spike."""
    return quiet_cycles(kind, neurons) + ACTIVITY * neurons * event_cycles(neurons)


def most_neurons(kind: str, cycles: Any) -> int:
    """Return the size of the largest layer whose tick keeps up with real time."""
    low, high = 1, int(CLOCK_HZ * TICK) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cycles(kind, middle) <= CLOCK_HZ * TICK else (low, middle)
    return low


def measure(kind: str, target: str, *, multipliers: bool) -> dict[str, Any]:
    """Synthesise one core."""
    spec = network(kind)
    cells = synthesise(spec, target, multipliers=multipliers)
    del cells["large_ram"]
    return {
        "target": target,
        "neuron": kind,
        "neurons": NEURONS,
        "synapses": spec.sources(0) * NEURONS,
        "lanes": LANES,
        **cells,
        "cycles_quiet": quiet_cycles(kind, NEURONS),
        "cycles_event": event_cycles(NEURONS),
        "cycles_busy": round(busy_cycles(kind, NEURONS)),
        "clock_mhz": CLOCK_HZ / 1e6,
        "real_time_neurons": most_neurons(kind, quiet_cycles),
        "real_time_busy": most_neurons(kind, busy_cycles),
    }


def verified(kind: str, neurons: int) -> dict[str, Any]:
    """Compare the cycles of a further tick, with and without inputs that are on, with those of simulated gateware."""
    spec = network(kind, neurons=neurons, ticks=8)
    # Without leak and with the highest thresholds nothing spikes.
    parameters = {name: np.zeros(part.shape, np.int64) for name, part in spec.parameters.items()}
    parameters["threshold_0"] += spec.parameters["threshold_0"].high
    deviations = []
    with RtlBoard(spec) as board, Device.open(board, timeout=120.0) as device:
        device.load(Model(spec, parameters))
        for on in (0, 3, INPUTS):
            frames = np.zeros((8, INPUTS), np.int64)
            frames[:, :on] = 1
            cycles = [device.network.run_sequence(frames[:ticks]).cycles for ticks in (2, 8)]
            # The word of the inputs is read anew after its last event.
            expected = quiet_cycles(kind, neurons) + on * event_cycles(neurons) + (on > 0 and neurons > LANES)
            deviations.append(abs((cycles[1] - cycles[0]) / 6 - expected))
    return {"neuron": kind, "neurons": neurons, "greatest_deviation": max(deviations)}


def chorales(kind: str, lanes: int) -> FelifSpec:
    """Return the network of the chorale task."""
    layers = FelifLayer(neurons=150, kind=kind), FelifLayer(neurons=54, kind=READOUT)
    return FelifSpec(inputs=54, layers=layers, ticks=64, lanes=lanes)


def place(board: str, kind: str, lanes: int) -> dict[str, Any]:
    """Build one bitstream, or say what the board lacks."""
    row = {"board": board, "layers": "54-150-54", "neuron": kind, "lanes": lanes}
    try:
        return row | placed(chorales(kind, lanes), board)
    except DoesNotFit as error:
        return row | {"lacks": str(error)}


def main() -> None:
    """Synthesise every core, and place the boards if asked to."""
    options = parser(__doc__)
    options.add_argument("--place", action="store_true", help="also place and route whole boards")
    arguments = options.parse_args()
    checks = []
    for kind, neurons in ((FELIF_A, 20), (FELIF_B, 20), (LIF, 33)):
        checks.append(verified(kind, neurons))
        log(str(checks[-1]))
    rows = []
    for target, multipliers in TARGETS:
        for kind in KINDS:
            rows.append(measure(kind, target, multipliers=multipliers))
            log(str(rows[-1]))
    result: dict[str, Any] = {"rows": rows, "published": list(PUBLISHED), "verified": checks}
    if arguments.place:
        result["placed"] = []
        for board in BOARDS:
            result["placed"].append(place(*board))
            log(str(result["placed"][-1]))
    report(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
