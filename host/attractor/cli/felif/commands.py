"""Spiking networks in the commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attractor.cli.family import (
    Demo,
    FamilyCommands,
    Progress,
    Trained,
    TrainOption,
    measured_cycles,
    until_interrupted,
)
from attractor.cli.output import output

if TYPE_CHECKING:
    from attractor.host import Device, Model

__all__ = ["DATA", "FelifCommands"]

#: What is trained on, and how unless the user says so.
DATA = "chorales"
_DEFAULTS: dict[str, Any] = {"neuron": "felif_a", "weight_bits": 4, "epochs": 40, "seed": 0, "lanes": 16}


class FelifCommands(FamilyCommands):
    """Networks of ferroelectric or LIF neurons, trained to foretell the next chord of a chorale."""

    data: ClassVar[str] = f"'{DATA}'"
    resumes: ClassVar[bool] = True
    options: ClassVar[tuple[TrainOption, ...]] = (
        TrainOption("neuron", str, "felif_a, felif_b, lif or recurrent_lif."),
        TrainOption("weight_bits", int, "Width of a weight."),
        TrainOption("lanes", int, "Neurons updated in a cycle; 0 for all. A preference, kept with the model."),
        TrainOption("epochs", int, "Passes over the data.", least=0),
        TrainOption("seed", int, "Seed of all that is random.", least=0),
    )

    def demo(self) -> Demo:
        """Return the demo of a network that foretells chords."""
        from attractor.cli.felif.demo import FelifDemo

        return FelifDemo()

    def train(self, data: str, given: Mapping[str, Any]) -> Trained:
        """Train a network on Bach's chorales, with the integer model forward and BRUNO backward."""
        from dataclasses import replace

        from attractor.data.chorales import LOWEST_NOTE, chorales
        from attractor.host import Model
        from attractor.host.felif import NoteLogits, PianoRoll
        from attractor.host.interface import Interface
        from attractor.train.felif import OUTPUT_ONE, Trainer, exported, mean_loss
        from attractor.train.felif.music import DEVICE, KINDS, LOSS, RECIPE, music_network, music_samples

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
            training = trainer.train(
                chosen["epochs"],
                validation=samples["validation"],
                checkpoint=chosen.get("checkpoint"),
                progress=progress,
            )
        losses = {
            f"{part}_loss": mean_loss(network, training.parameters, samples[part], LOSS)
            for part in ("validation", "test")
        }
        spec, parameters = exported(network, training.parameters, lanes=chosen["lanes"])
        said = {"data": "jsb-chorales-quarter", "rule": "BRUNO", "seed": chosen["seed"], "epochs": chosen["epochs"]}
        interface = Interface(PianoRoll(LOWEST_NOTE), NoteLogits(LOWEST_NOTE, OUTPUT_ONE))
        return Trained(Model(spec, parameters, said | losses, interface), losses)

    def measure(self, device: Device, model: Model, calls: int, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """Run random inputs, each call from where the one before ended."""
        import numpy as np

        from attractor.spec import FelifSpec
        from attractor.trials.felif import random_frames

        spec = device.spec_of(FelifSpec)
        random = np.random.default_rng(0)

        def sequences() -> Iterator[Any]:
            for call in range(calls):
                yield device.network.run_sequence(random_frames(spec, random), keep=call > 0)
                progress(call + 1, calls)

        results, interrupted = until_interrupted(sequences())
        cycles, ticks = (np.array([getattr(result, name) for result in results]) for name in ("cycles", "ticks"))
        return measured_cycles(device, cycles) | {
            "cycles_per_tick": float(cycles.sum() / ticks.sum()) or None,
            "spikes_per_tick": float(sum(result.spikes for result in results) / ticks.sum()),
            **({"interrupted": True} if interrupted else {}),
        }
