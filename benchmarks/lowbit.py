"""How well spiking networks with weights of a few bits read 8x8 digits that are shown row by row.

Each network has 8 inputs, 200 spiking neurons and a read-out that sums over time, and runs by the integer model, while
training and in the test. Of the 1,437 training images 287 are held out for validation, a fixed draw with equal shares
of all classes; by their loss the best epoch of each training is chosen, and the recipe was: `--choose 30` compares 36
candidates of FeLIF A and as many of LIF, by one training each with float weights. FeLIF B and recurrent LIF take what
was found for their relatives. Which candidates there are, the number of neurons, the mini-batch, the read-out and the
slope of a spike come from some thirty shorter trials of each of the two, on the same split. The 360 test images are
looked at once for each seed, at the end.

With weights of a few bits the network is also exported and run by the golden model, which is bit for bit what a device
computes. Where it differs, the benchmark fails. All rows take eleven minutes of one core but for those of FeLIF B,
which take about two hours and run only when asked for.

``neuron``
    Kind of the spiking neurons.
``bits``
    Width of all weights; ``float`` for float weights and read-out.
``mean_accuracy``, ``deviation``
    Of the test images, over the seeds: mean part that is recognised, and standard deviation of a sample (ddof 1; none
    of one seed).
``accuracies``
    Of the test images, for each seed.
``seeds``
    Number of trainings; their seeds are 0, 1, 2 and so on.
``validation_accuracy``
    Of the validation images, the mean over the seeds.
``epochs``
    Passes over the training images.
``exported_identical``
    Whether all outputs and classes of the golden model equal those of the trainer; none with float weights.

With ``--choose``: ``rate``, ``rest`` (ticks without input after the last row), ``gain`` (of LIF, for a weight of 1 and
the darkest grey, as a part of the threshold; of FeLIF ``current``, A), ``decay`` (of FeLIF ``threshold``, V), and
``validation_loss`` and ``validation_accuracy`` after the best epoch. The least loss is chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from reporting import log, parser, report

from attractor.golden import FelifNetwork
from attractor.train.felif import OUTPUT_ONE, Samples, Trainer, Training, exported, outputs
from attractor.train.felif.digit_rows import (
    INPUT_BITS,
    LOSS,
    RECIPE,
    SETTINGS,
    RowDigits,
    Setting,
    predictions,
    row_digits,
    row_network,
    row_samples,
)
from attractor.train.felif.network import TrainedNetwork

BITS = (None, 8, 4, 3)
#: Rows of the benchmark: kind of neuron, and bits of a weight (None for float weights).
ROWS = list(product(SETTINGS, BITS))
#: The kind that runs only when asked for.
SLOW = "felif_b"
#: What the settings were chosen from: learning rates and ticks at rest for both kinds, and two options of each.
RATES, RESTS = (0.005, 0.01, 0.02), (0, 4)
OPTIONS = {
    "felif_a": {"current": (1e-8, 3e-8, 6e-8), "threshold": (2.0, 3.0)},
    "lif": {"gain": (4.0, 8.0, 16.0), "decay": (0.9, 1.0)},
}


def name_of(kind: str, bits: int | None) -> str:
    """Return a short name of a row."""
    return f"{kind}-{'float' if bits is None else f'{bits}bit'}"


def trained(
    data: RowDigits, network: TrainedNetwork, setting: Setting, *, epochs: int, seed: int, settling: int
) -> tuple[Training, Samples]:
    """Train a network; return what was learnt, and the validation samples."""
    train, validation = (row_samples(*part, rest=setting.rest) for part in (data.train, data.validation))
    recipe = replace(RECIPE, rate=setting.rate, settling=settling, seed=seed)
    return Trainer(network, recipe, train, LOSS).train(epochs, validation=validation), validation


def accuracy(network: TrainedNetwork, training: Training, samples: Samples) -> float:
    """Return the part of the images that is recognised."""
    return float(np.mean(predictions(network, training.parameters, samples) == np.asarray(samples.targets)))


def identical(network: TrainedNetwork, training: Training, samples: Samples) -> bool:
    """Return whether the golden model of the exported network ends with the trainer's outputs and classes."""
    frames = np.stack(samples.frames)
    spec, arrays = exported(network, training.parameters, input_bits=INPUT_BITS, ticks=frames.shape[1])
    run = FelifNetwork(spec, arrays).run(frames)
    last = np.stack([sequence[-1] for sequence in outputs(network, training.parameters, samples)])
    same_outputs = np.array_equal(run.outputs, last * OUTPUT_ONE)
    return same_outputs and np.array_equal(run.winner, predictions(network, training.parameters, samples))


def row_of(data: RowDigits, kind: str, bits: int | None, given: argparse.Namespace) -> dict[str, Any]:
    """Train and test networks of one kind, one for each seed."""
    setting, found = SETTINGS[kind], []
    for seed in range(given.seeds):
        network = row_network(kind, bits=bits)
        settling = 0 if bits is None else RECIPE.settling
        training, validation = trained(data, network, setting, epochs=given.epochs, seed=seed, settling=settling)
        test = row_samples(*data.test, rest=setting.rest)
        same = None if bits is None else identical(network, training, test)
        found.append((accuracy(network, training, test), accuracy(network, training, validation), same))
        log(f"{name_of(kind, bits)}, seed {seed}: test {found[-1][0]:.4f}, validation {found[-1][1]:.4f}")
    tested, validated, same = zip(*found, strict=True)
    return {
        "neuron": kind,
        "bits": "float" if bits is None else bits,
        "mean_accuracy": float(np.mean(tested)),
        "deviation": float(np.std(tested, ddof=1)) if given.seeds > 1 else None,
        "accuracies": list(tested),
        "seeds": given.seeds,
        "validation_accuracy": float(np.mean(validated)),
        "epochs": given.epochs,
        "exported_identical": None if bits is None else all(same),
    }


def settings(kind: str) -> Iterator[Setting]:
    """Return the candidates of a kind."""
    names = OPTIONS[kind]
    for rate, rest in product(RATES, RESTS):
        for values in product(*names.values()):
            yield Setting(rate=rate, rest=rest, options=dict(zip(names, values, strict=True)))


def candidates(data: RowDigits, kind: str, epochs: int) -> list[dict[str, Any]]:
    """Train a network with float weights for each candidate; return them with what they reach in validation."""
    rows = []
    for setting in settings(kind):
        network = row_network(kind, options=setting.options)
        training, validation = trained(data, network, setting, epochs=epochs, seed=0, settling=0)
        loss = min(epoch.validation for epoch in training.history if epoch.validation is not None)
        fields = {"rate": setting.rate, "rest": setting.rest, **setting.options}
        reached = {"validation_loss": loss, "validation_accuracy": accuracy(network, training, validation)}
        rows.append(fields | reached)
        log(f"{kind}, {fields}: validation loss {loss:.4f}, accuracy {reached['validation_accuracy']:.4f}")
    return sorted(rows, key=lambda row: row["validation_loss"])


def main() -> None:
    """Train and test all networks, or those asked for."""
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, default=5, help="trainings of each row")
    arguments.add_argument("--epochs", type=int, default=80, help="epochs of each training")
    arguments.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"some rows: {', '.join(name_of(*row) for row in ROWS)}"
    )
    arguments.add_argument("--choose", type=int, metavar="EPOCHS", help="only compare recipes on the validation split")
    given = arguments.parse_args()
    for name in ("seeds", "epochs", "choose"):
        value = getattr(given, name)
        if value is not None and value < 1:
            arguments.error(f"--{name} is {value}; it must be at least 1")
    unknown = sorted(set(given.only or []) - {name_of(*row) for row in ROWS})
    if unknown:
        arguments.error(f"no row is called {', '.join(unknown)}; there are {', '.join(name_of(*row) for row in ROWS)}")
    data = row_digits()
    if given.choose:
        report({kind: candidates(data, kind, given.choose) for kind in OPTIONS}, as_json=given.json)
        return
    wanted = given.only or [name_of(*row) for row in ROWS if row[0] != SLOW]
    rows = [row_of(data, *row, given) for row in ROWS if name_of(*row) in wanted]
    report({"rows": rows}, as_json=given.json)
    different = [name_of(row["neuron"], row["bits"]) for row in rows if row["exported_identical"] is False]
    if different:
        raise SystemExit(f"the golden model differs from the trainer: {', '.join(different)}")


if __name__ == "__main__":
    main()
