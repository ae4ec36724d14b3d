"""How long an estimate takes, and how long the netlist that a build begins with: the largest networks of these pages.

``estimate_s`` is the first estimate of a network, ``again_s`` the next one, for another board, ``advice_s`` what comes
with a refusal: how many lanes would fit iCEBreaker. ``netlist_s`` is Amaranth's part of a build, before any tool runs.
``rough_s``, with ``--rough``, is an estimate as for a family without a model of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from reporting import log, parser, report

from attractor.gateware.boards import find_board
from attractor.gateware.costs import ANY_CORE, cost
from attractor.gateware.estimate import DoesNotFit, does_not_fit, estimate
from attractor.gateware.flow import prepare
from attractor.gateware.inventory import memories_of
from attractor.gateware.top import system_top
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec

BOARD, SMALL = find_board("ulx3s-85f"), find_board("icebreaker")
#: Networks by their sizes and lanes.
NETWORKS: dict[str, Spec] = {
    "oscillators 74, 10 lanes": OscillatorSpec(oscillators=74, inputs=64, labels=10),
    "oscillators 506, 64 lanes": OscillatorSpec(oscillators=506, lanes=64),
    "oscillators 506, 506 lanes": OscillatorSpec(oscillators=506, lanes=506),
    "oscillators 836, 9 lanes": OscillatorSpec(oscillators=836, lanes=9),
    "eqprop 784-512-100, 32 lanes": EqPropSpec(layers=(784, 512, 100), state_high=63, lanes=32),
    "eqprop 784-384-100 learning, 96 lanes": EqPropSpec(layers=(784, 384, 100), state_high=63, lanes=96, learning=True),
    "felif 54-150-54, 8 lanes": FelifSpec(
        inputs=54,
        layers=(FelifLayer(neurons=150, kind="felif_b"), FelifLayer(neurons=54, kind="readout")),
        ticks=64,
        lanes=8,
    ),
}


def seconds(work: Callable[[], Any]) -> float:
    """Return how long ``work`` takes."""
    start = time.perf_counter()
    with suppress(DoesNotFit):
        work()
    return round(time.perf_counter() - start, 2)


def measure(spec: Spec, *, rough: bool) -> dict[str, float]:
    """Return the row of a network."""
    memories_of.cache_clear()
    row = {
        "estimate_s": seconds(lambda: estimate(spec, BOARD)),
        "again_s": seconds(lambda: estimate(spec, SMALL)),
        "advice_s": seconds(lambda: does_not_fit(spec, SMALL, "more")),
        "netlist_s": seconds(lambda: prepare(system_top(spec, BOARD, BOARD.default_baud), BOARD)),
    }
    return row | ({"rough_s": seconds(lambda: cost(spec, BOARD.family, ANY_CORE))} if rough else {})


def main() -> None:
    """Measure every network."""
    options = parser(__doc__)
    options.add_argument("--rough", action="store_true", help="also without the models of the families")
    arguments = options.parse_args()
    rows = []
    for name, spec in NETWORKS.items():
        log(name)
        rows.append({"network": name} | measure(spec, rough=arguments.rough))
    report({"rows": rows}, as_json=arguments.json)


if __name__ == "__main__":
    main()
