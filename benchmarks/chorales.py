"""How well networks of 150 spiking neurons foretell the next chord of Bach's chorales.

Loss is the binary cross-entropy over notes and steps, the first five steps aside, the mean over chorales. Each network
is trained on the 229 chorales of the training split; the 76 of the validation split choose its best epoch and lower
the learning rate, as they chose the recipe (`--choose` tells how); the 77 of the test split are looked at once, at
the end. `forward` says what computes the spikes while training and in the test: the device twin (in LIF rows plain
double precision), or the integer model, which with weights of a few bits is bit for bit what a device computes.

Training by the twin takes long. `--twin-steps` makes it coarser while training; the loss is measured at 1,000 steps
a tick, a microsecond each, in any case. With `--folder` trainings go on where they were interrupted, and networks
with weights of a few bits are saved as model files.

``frequencies_test_loss`` is what the frequencies of the notes in the training split alone reach.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from reporting import log, parser, report

from attractor.data.chorales import LOWEST_NOTE, Chorales, chorales
from attractor.host import Model
from attractor.host.felif import NoteLogits, PianoRoll
from attractor.host.interface import Interface
from attractor.train.felif import OUTPUT_ONE, Recipe, Trainer, Training, exported, mean_loss
from attractor.train.felif.music import (
    DEVICE,
    INTEGER,
    LOSS,
    RECIPE,
    RECURRENT_LIF,
    THRESHOLD,
    TWIN,
    music_network,
    music_samples,
)

#: Rows of the benchmark: kind of neuron, what runs forward, and bits of a weight (None for float weights).
ROWS = [
    (DEVICE, TWIN, None),
    ("felif_b", INTEGER, None),
    ("felif_a", INTEGER, None),
    ("felif_a", INTEGER, 4),
    ("felif_a", INTEGER, 3),
    ("lif", INTEGER, None),
    ("lif", INTEGER, 4),
    ("lif", INTEGER, 3),
    (RECURRENT_LIF, INTEGER, None),
]
#: What the recipe was chosen from, each by a short training of FeLIF A with float weights.
CANDIDATES = [
    {"rate": rate, "positive": positive, "threshold": threshold}
    for rate in (0.0025, 0.005, 0.01)
    for positive in (False, True)
    for threshold in (2.0, 2.5)
]


def name_of(kind: str, forward: str, bits: int | None) -> str:
    """Return a short name of a row."""
    return f"{kind}-{forward}-{'float' if bits is None else f'{bits}bit'}"


def trained(
    data: Chorales, row: tuple[str, str, int | None], recipe: Recipe, given: argparse.Namespace
) -> tuple[Any, Training]:
    """Train one network; return it as it is tested, and what was learnt."""
    kind, forward, bits = row
    coarse = {"steps": given.twin_steps} if kind == DEVICE else {}
    trainer = Trainer(
        music_network(kind, forward=forward, bits=bits, **coarse), recipe, music_samples(data.train), LOSS
    )

    def watch(epoch: Any) -> None:
        log(f"{name_of(*row)}, epoch {len(trainer.history)}: {epoch.loss:.4f}, validation {epoch.validation:.4f}")

    checkpoint = None if given.folder is None else given.folder / f"{name_of(*row)}-{recipe.seed}.npz"
    training = trainer.train(
        given.epochs, validation=music_samples(data.validation), checkpoint=checkpoint, watch=watch
    )
    return music_network(kind, forward=forward, bits=bits), training


def row_of(data: Chorales, row: tuple[str, str, int | None], given: argparse.Namespace) -> dict[str, Any]:
    """Train and test one network."""
    kind, forward, bits = row
    recipe = replace(RECIPE, seed=given.seed, settling=RECIPE.settling if bits else 0)
    network, training = trained(data, row, recipe, given)
    losses = {
        part: mean_loss(network, training.parameters, music_samples(rolls), LOSS)
        for part, rolls in (("validation", data.validation), ("test", data.test))
    }
    if given.folder is not None and forward == INTEGER and bits is not None:
        spec, parameters = exported(network, training.parameters, lanes=16)
        provenance = {"data": "jsb-chorales-quarter", "rule": "BRUNO", "seed": given.seed, "test_loss": losses["test"]}
        interface = Interface(PianoRoll(LOWEST_NOTE), NoteLogits(LOWEST_NOTE, OUTPUT_ONE))
        Model(spec, parameters, provenance, interface).save(given.folder / f"{name_of(*row)}-{given.seed}.safetensors")
    log(f"{name_of(*row)}: test {losses['test']:.4f}")
    found = [epoch.validation for epoch in training.history if epoch.validation is not None]
    return {
        "neuron": kind,
        "forward": forward,
        "bits": "float" if bits is None else bits,
        "test_loss": losses["test"],
        "validation_loss": losses["validation"],
        "epochs": len(training.history),
        "best_epoch": 1 + min(range(len(found)), key=found.__getitem__),
        "training_steps": given.twin_steps if kind == DEVICE else None,
    }


def frequencies_loss(data: Chorales) -> float:
    """Return the test loss of foretelling each note by how often it sounds in the training split."""
    share = (np.concatenate(data.train).sum(axis=0) + 0.5) / (sum(map(len, data.train)) + 1)
    losses = []
    for roll in data.test:
        samples = music_samples([roll])
        logits = np.broadcast_to(np.log(share / (1 - share)), samples.frames[0].shape)
        losses.append(float(LOSS(logits[:, None], samples)[0][0]))
    return float(np.mean(losses))


def candidates(data: Chorales, epochs: int) -> list[dict[str, Any]]:
    """Return the least validation loss of short trainings with other recipes."""
    rows = []
    for candidate in CANDIDATES:
        fields = dict(candidate)
        network = music_network("felif_a", threshold=fields.pop("threshold"))
        trainer = Trainer(network, replace(RECIPE, settling=0, **fields), music_samples(data.train), LOSS)
        history = trainer.train(epochs, validation=music_samples(data.validation)).history
        best = min(epoch.validation for epoch in history if epoch.validation is not None)
        rows.append(candidate | {"epochs": epochs, "validation_loss": best})
        log(f"{candidate}: validation {best:.4f}")
    return rows


def main() -> None:
    """Train and test all networks, or those asked for."""
    arguments = parser(__doc__)
    arguments.add_argument("--epochs", type=int, default=60, help="epochs of each training")
    arguments.add_argument("--seed", type=int, default=0, help="seed of each training")
    arguments.add_argument("--twin-steps", type=int, default=250, help="Euler steps a tick while training by the twin")
    arguments.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"some rows: {', '.join(name_of(*r) for r in ROWS)}"
    )
    arguments.add_argument("--folder", type=Path, help="where checkpoints and models are kept")
    arguments.add_argument("--choose", type=int, metavar="EPOCHS", help="only compare recipes on the validation split")
    given = arguments.parse_args()
    unknown = sorted(set(given.only or []) - {name_of(*row) for row in ROWS})
    if unknown:
        arguments.error(f"no row is called {', '.join(unknown)}; there are {', '.join(name_of(*row) for row in ROWS)}")
    data = chorales()
    if given.choose:
        report({"threshold": THRESHOLD, "candidates": candidates(data, given.choose)}, as_json=given.json)
        return
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
    rows = [row_of(data, row, given) for row in ROWS if given.only is None or name_of(*row) in given.only]
    report({"frequencies_test_loss": frequencies_loss(data), "rows": rows}, as_json=given.json)


if __name__ == "__main__":
    main()
