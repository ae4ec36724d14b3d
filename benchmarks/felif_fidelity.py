"""How many raster cells of the integer FeLIF neurons A and B differ from those of the device twin.

All get the same currents, drawn anew for each seed; the seeds themselves are drawn, from one number that ``--draw``
changes. A cell is one neuron in one tick.

``stepped``
    Levels from -0.5 to 0.52 nA that change every 20 ms; 64 neurons, 400 ms.
``synaptic``
    20 random synapses of up to 5 nA for each of 96 neurons, 500 ms.
``ramps``, ``bursts``
    Strong drives: currents that rise to a level of up to 3 nA, and Poisson input of up to 9 nA; 100 neurons, 400 ms.

``neuron``
    ``felif_a``, ``felif_b``, or ``device_64``: the twin in 64 steps a tick, as many as B has, without any rounding.
``spikes``
    Of the twin, in the mean over the seeds.
``wrong_mean``, ``wrong_deviation``, ``wrong_worst``
    Wrong cells: mean, standard deviation and greatest number over the seeds. A spike that comes one tick early or late
    is two of them.
``right_seeds``
    Seeds without a wrong cell.
``first_spike_ms``
    Greatest distance between a neuron's first spike and the twin's, over all seeds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from reporting import log, parser, report

from attractor.physics.felif import FelifDevice
from attractor.physics.felif.fidelity import (
    Currents,
    Raster,
    burst_currents,
    integer_raster,
    ramped_currents,
    stepped_currents,
    synaptic_currents,
    twin_raster,
)
from attractor.spec.felif.layer import FELIF_A, FELIF_B, SUBSTEPS

TESTS = {
    "stepped": stepped_currents,
    "synaptic": synaptic_currents,
    "ramps": ramped_currents,
    "bursts": burst_currents,
}
LEAST_SEEDS = 20
#: The device itself, in as many Euler steps a tick as B has, without rounding.
COARSE = "device_64"


def row(
    test: str, neuron: str, device: FelifDevice, drives: list[Currents], references: list[Raster]
) -> dict[str, object]:
    """Return what one kind of neuron makes of the drives of all seeds."""
    rasters = [raster_of(neuron, device, currents) for currents in drives]
    wrong = [int(np.count_nonzero(found != right)) for found, right in zip(rasters, references, strict=True)]
    early = [np.abs(first(found) - first(right)).max() for found, right in zip(rasters, references, strict=True)]
    result = {
        "test": test,
        "neuron": neuron,
        "seeds": len(drives),
        "cells": references[0].size,
        "spikes": round(float(np.mean([right.sum() for right in references])), 1),
        "wrong_mean": round(float(np.mean(wrong)), 2),
        "wrong_deviation": round(float(np.std(wrong, ddof=1)), 2),
        "wrong_worst": max(wrong),
        "right_seeds": wrong.count(0),
        "first_spike_ms": int(max(early)),
    }
    log(str(result))
    return result


def raster_of(neuron: str, device: FelifDevice, currents: Currents) -> Raster:
    """Return the spikes of an integer neuron, or of the device in as few steps as B has."""
    if neuron == COARSE:
        return twin_raster(device, currents, steps=SUBSTEPS)
    return integer_raster(neuron, device, currents)


def first(raster: Raster) -> npt.NDArray[np.int64]:
    """Return the tick of each neuron's first spike, the number of ticks where there is none."""
    return np.where(raster.any(axis=0), raster.argmax(axis=0), len(raster))


def main() -> None:
    """Compare all."""
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, default=LEAST_SEEDS, help=f"seeds of each test, {LEAST_SEEDS} at least")
    arguments.add_argument("--draw", type=int, default=0, help="number from which the seeds are drawn")
    arguments.add_argument("--test", action="append", choices=TESTS, help="one of them (may be repeated); default all")
    given = arguments.parse_args()
    if given.seeds < LEAST_SEEDS:
        arguments.error(f"--seeds is {given.seeds}; a mean needs {LEAST_SEEDS} at least")
    seeds = np.random.SeedSequence(given.draw).generate_state(given.seeds).tolist()
    device, rows = FelifDevice(), []
    for test in given.test or TESTS:
        drives = [TESTS[test](seed) for seed in seeds]
        references = [twin_raster(device, currents) for currents in drives]
        rows += [row(test, neuron, device, drives, references) for neuron in (FELIF_A, FELIF_B, COARSE)]
    report({"rows": rows}, as_json=given.json)


if __name__ == "__main__":
    main()
