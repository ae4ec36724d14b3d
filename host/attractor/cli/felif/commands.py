"""Spiking networks in the commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from attractor.cli.family import Demo, FamilyCommands, Progress, Trained, measured_cycles
from attractor.cli.felif.demo import FelifDemo
from attractor.cli.output import output
from attractor.data.chorales import chorales
from attractor.host import Device, Model
from attractor.spec import FelifSpec
from attractor.train.felif import Trainer, exported, mean_loss
from attractor.train.felif.music import DEVICE, KINDS, LOSS, RECIPE, music_network, music_samples
from attractor.trials.felif import random_frames

__all__ = ["DATA", "FelifCommands"]

#: What is trained on, and how unless the user says so.
DATA = "chorales"
_DEFAULTS: dict[str, Any] = {"neuron": "felif_a", "weight_bits": 4, "epochs": 40, "seed": 0, "lanes": 16}


class FelifCommands(FamilyCommands):
    """Networks of ferroelectric or LIF neurons, trained to foretell the next chord of a chorale."""

    demo: ClassVar[type[Demo]] = FelifDemo
    options: ClassVar[frozenset[str]] = frozenset(_DEFAULTS)

    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a network on Bach's chorales, with the integer model forward and BRUNO backward."""
        if data != DATA:
            raise ValueError(f"{data!r} is nothing to train felif on; give {DATA!r}, or train in Python")
        chosen = {**_DEFAULTS, **given}
        neurons = [kind for kind in KINDS if kind != DEVICE]
        if chosen["neuron"] not in neurons:
            raise ValueError(f"--neuron is {chosen['neuron']!r}; it must be one of {', '.join(neurons)}")
        network = music_network(chosen["neuron"], bits=chosen["weight_bits"])
        samples = {part: music_samples(rolls) for part, rolls in chorales()._asdict().items()}
        trainer = Trainer(network, replace(RECIPE, seed=chosen["seed"]), samples["train"], LOSS)
        with output.progress("training") as progress:
            training = trainer.train(chosen["epochs"], validation=samples["validation"], progress=progress)
        losses = {
            f"{part}_loss": mean_loss(network, training.parameters, samples[part], LOSS)
            for part in ("validation", "test")
        }
        spec, parameters = exported(network, training.parameters, lanes=chosen["lanes"])
        said = {"data": "jsb-chorales-quarter", "rule": "BRUNO", "seed": chosen["seed"], "epochs": chosen["epochs"]}
        return Trained(Model(spec, parameters, said | losses), losses)

    def measure(self, device: Device, model: Model, calls: int, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """Run random inputs, each call from where the one before ended."""
        spec = device.spec_of(FelifSpec)
        random, results = np.random.default_rng(0), []
        for call in range(calls):
            results.append(device.network.run_sequence(random_frames(spec, random), keep=call > 0))
            progress(call + 1, calls)
        cycles, ticks = (np.array([getattr(result, name) for result in results]) for name in ("cycles", "ticks"))
        return measured_cycles(device, cycles) | {
            "cycles_per_tick": float(cycles.sum() / ticks.sum()) or None,
            "spikes_per_tick": float(sum(result.spikes for result in results) / ticks.sum()),
        }
