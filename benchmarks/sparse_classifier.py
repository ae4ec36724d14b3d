"""A classifier of which 24 % of the couplings are kept, with dense and with sparse couplings: memory and cycles.

The linear network of ``mnist_oscillator.py``, pruned while it learns, classifies the test images with both golden
models, which must agree in every phase of every image. A row of ``rows`` is a build:

``lanes``, ``entries_a_cycle``
    Targets that are looked at, and couplings that are added, in a cycle; dense networks add one for each lane.
``coupling_bits``
    Bits of all memories of couplings: rows and pointers, or weights.
``cycles_an_image``
    Clock cycles of a call, in the mean over ``--images``: exactly those of the gateware.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from mnist_oscillator import BATCH, Data, Network, linear_network, load
from reporting import log, parser, report

from attractor.golden import network
from attractor.golden.sparse import couplings_of
from attractor.spec import OscillatorSpec
from attractor.spec.sparse import SparseSpec
from attractor.timing import cycles_of
from attractor.train.oscillator.layered import layered_phases

#: Part of the couplings that is kept.
KEPT = 0.24
#: Lanes, and couplings a cycle; of the latter None stands for dense couplings.
BUILDS = ((10, None), (10, 10), (10, 5), (8, 4), (8, 2), (2, None), (2, 2), (2, 1), (1, None), (1, 1))


def sparse_of(dense: OscillatorSpec, weights: Any, lanes: int, entries: int) -> tuple[SparseSpec, dict[str, Any]]:
    """Return the network with sparse couplings that has these weights, and the parameters of its couplings."""
    kept = np.abs(weights.astype(np.int64))
    sizes = {name: value for name, value in dense.to_dict().items() if name not in ("family", "lanes")}
    spec = SparseSpec(
        **sizes,
        lanes=lanes,
        entries=entries,
        couplings=int(np.count_nonzero(kept)),
        strength=int(kept.sum(axis=1).max()),
    )
    parameters = couplings_of(spec, weights)
    words = 1 + int(spec.row_memory.lengths(parameters["starts"], parameters["targets"]).sum())
    return replace(spec, row_words=words), parameters


def builds(trained: Network) -> Iterator[tuple[OscillatorSpec, dict[str, Any]]]:
    """Yield every build with its parameters."""
    rest = {name: trained.parameters[name] for name in ("schedule", "settle")}
    for lanes, entries in BUILDS:
        if entries is None:
            yield replace(trained.spec, lanes=lanes), trained.parameters
        else:
            spec, couplings = sparse_of(trained.spec, trained.parameters["weights"], lanes, entries)
            yield spec, couplings | rest


def row(spec: OscillatorSpec, parameters: dict[str, Any], data: Data, images: int) -> dict[str, Any]:
    """Return the row of a build."""
    golden: Any = network(spec, parameters)
    counted = []
    for start in layered_phases(spec, data.test[:images]):
        found = cycles_of(spec, golden, spec.encode_input(start), written=False)
        assert found is not None
        counted.append(found.most)
    return {
        "couplings": "sparse" if isinstance(spec, SparseSpec) else "dense",
        "lanes": spec.lanes,
        "entries_a_cycle": spec.entries if isinstance(spec, SparseSpec) else spec.lanes,
        "coupling_bits": sum(window.words * window.word_bits for window in spec.coupling_windows),
        "cycles_an_image": float(np.mean(counted)),
    }


def agreed(trained: Network, data: Data) -> tuple[int, float]:
    """Return how many images both golden models settle alike, and the accuracy; all must be."""
    spec, couplings = sparse_of(trained.spec, trained.parameters["weights"], 10, 10)
    rest = {name: trained.parameters[name] for name in ("schedule", "settle")}
    models: list[Any] = [network(trained.spec, trained.parameters), network(spec, couplings | rest)]
    equal = right = 0
    for start in range(0, len(data.test), BATCH):
        chosen = slice(start, start + BATCH)
        runs = [model.run(layered_phases(trained.spec, data.test[chosen])) for model in models]
        equal += int((runs[0].phases == runs[1].phases).all(axis=1).sum())
        right += int((runs[1].winner == data.test_labels[chosen]).sum())
    return equal, right / len(data.test)


def main() -> None:
    """Train, compare and count."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=50, help="images whose cycles are counted (%(default)s)")
    chosen = options.parse_args()
    data = load(validation=False)
    trained = linear_network(data, KEPT)
    equal, accuracy = agreed(trained, data)
    log(f"{equal} images settle alike, accuracy {accuracy:.4f}")
    rows = [row(spec, parameters, data, chosen.images) for spec, parameters in builds(trained)]
    report(
        {"images": len(data.test), "settled_alike": equal, "test_accuracy": accuracy, "rows": rows},
        as_json=chosen.json,
    )
    if equal != len(data.test):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
