"""How many raster cells of the integer FeLIF neurons A and B differ from those of the device twin.

Both get the same currents: levels that change every 20 ms (64 neurons, 400 ms), and random synapses (96 neurons,
500 ms). A cell is one neuron in one tick. The rows are of two fixed seeds for which B has no wrong cell; `--seeds` adds
drives with other seeds, where a spike may fall a tick earlier or later.
"""

from __future__ import annotations

import numpy as np
from reporting import log, parser, report

from attractor.physics.felif import FelifDevice
from attractor.physics.felif.fidelity import integer_raster, stepped_currents, synaptic_currents, twin_raster
from attractor.spec.felif.layer import FELIF_A, FELIF_B

#: The drives, and the seed of each.
TESTS = {"stepped": (stepped_currents, 0), "synaptic": (synaptic_currents, 1)}


def rows_of(test: str, seed: int) -> list[dict[str, object]]:
    """Return one row for each neuron."""
    device = FelifDevice()
    currents = TESTS[test][0](seed)
    reference = twin_raster(device, currents)
    rows: list[dict[str, object]] = []
    for neuron in ("device", FELIF_A, FELIF_B):
        raster = reference if neuron == "device" else integer_raster(neuron, device, currents)
        wrong = int(np.count_nonzero(raster != reference))
        rows.append(
            {
                "test": test,
                "seed": seed,
                "neuron": neuron,
                "spikes": int(raster.sum()),
                "wrong_cells": wrong,
                "cells": raster.size,
            }
        )
        log(f"{test}, seed {seed}, {neuron}: {raster.sum()} spikes, {wrong} of {raster.size} cells wrong")
    return rows


def main() -> None:
    """Compare all."""
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, default=0, help="further drives of each kind")
    given = arguments.parse_args()
    rows = [row for test, (_, seed) in TESTS.items() for row in rows_of(test, seed)]
    more = [row for test in TESTS for seed in range(100, 100 + given.seeds) for row in rows_of(test, seed)]
    report({"rows": rows} | ({"further": more} if more else {}), as_json=given.json)


if __name__ == "__main__":
    main()
