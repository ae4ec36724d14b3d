"""The demo of spiking networks: ferroelectric neurons on the device foretell the chords of a chorale."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from attractor.cli.family import Demo, Outcome
from attractor.cli.output import output
from attractor.data.psalm import VOICES, old_hundredth
from attractor.golden import FelifNetwork
from attractor.golden.felif import FelifRun
from attractor.host import Device, Model
from attractor.host.felif import NoteLogits
from attractor.physics.felif import FelifDevice
from attractor.plot.felif import NetworkRun, run_figure
from attractor.spec import FelifSpec
from attractor.train.felif.losses import Samples
from attractor.train.felif.music import LOSS, THRESHOLD
from attractor.verify import compare_calls

__all__ = ["PICTURED_NEURONS", "SHIPPED", "FelifDemo", "foretold"]

#: The network, as ``benchmarks/chorales.py --only felif_a-integer-4bit --epochs 40 --folder FOLDER`` saved it.
SHIPPED = "chorale.safetensors"
#: Neurons of which the picture shows voltage and polarisation.
PICTURED_NEURONS = 3


class FelifDemo(Demo):
    """The next chord of a chorale, quarter by quarter."""

    shows: ClassVar[str] = "chords of a chorale foretold by a network that comes trained"
    picture: ClassVar[Path] = Path("chorale.png")
    model: ClassVar[Path] = Path("chorale.safetensors")
    board: ClassVar[str] = "ulx3s-12f"

    def prepare(self) -> Model:
        """Return the network that comes with the package."""
        with as_file(files("attractor.cli.felif") / SHIPPED) as path:
            model = Model.load(path)
        assert isinstance(model.spec, FelifSpec)
        hidden, loss = model.spec.layers[0], model.provenance["test_loss"]
        output.log(
            f"{model.spec.inputs} inputs, {hidden.neurons} ferroelectric neurons, {model.spec.outputs} outputs, "
            f"{hidden.weight_bits}-bit weights; trained on Bach's chorales, test loss {loss:.4f}"
        )
        return model

    def perform(self, device: Device, model: Model) -> Outcome:
        """Play a chorale that the network never heard, a chord at a time, and ask for the next one."""
        device.load(model)
        spec, roll = device.spec_of(FelifSpec), old_hundredth()
        given, follows = roll[:-1].astype(int), roll[1:]
        with output.progress("listening") as progress:
            results = device.network.run_ticks(given, progress=progress)
        inputs = [spec.encode_input(frame[None], keep=index > 0) for index, frame in enumerate(given)]
        outputs = map(spec.encode_output, results)
        agreement = compare_calls(spec, FelifNetwork(spec, model.parameters), inputs, outputs)
        if not agreement.exact:
            raise RuntimeError(f"the board differs from the golden model: {agreement.first_difference}")
        notes = model.interface.outputs
        assert isinstance(notes, NoteLogits)
        logits = np.array([result.outputs for result in results]) / notes.one
        losses, _ = LOSS(logits[:, None], Samples([given], [follows]))
        values = {
            "chords": len(results),
            "loss": float(losses[0]),
            "notes_foretold": foretold(logits, follows),
            "notes_that_stay": foretold(given, follows),
            "agreement": agreement.ratio,
            "cycles_per_chord": float(np.mean([result.cycles for result in results])) or None,
            "spikes_per_chord": float(np.mean([result.spikes for result in results])),
        }
        run = FelifNetwork(spec, model.parameters).run(given[None], trace=True)
        return Outcome(model, values, _lines(values), lambda: _figure(spec, roll, logits, run, notes.lowest))


def foretold(scores: np.ndarray, follows: np.ndarray) -> float:
    """Return the part of the notes that follow that are among as many with the greatest scores as there are voices.

    Both have shape (quarters, notes); of equal scores the lowest note counts.
    """
    chosen = np.argsort(-scores.astype(float), axis=1, kind="stable")[:, :VOICES]
    part = slice(LOSS.ignored, None)
    return float(np.take_along_axis(follows, chosen, axis=1)[part].sum() / follows[part].sum())


def _lines(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what was found as text."""
    lines = [
        ("loss", f"{values['loss']:.4f} for a note, over {values['chords']} chords"),
        (
            "foretold",
            f"{values['notes_foretold']:.3f} of the notes that follow are among the four likeliest, "
            f"{values['notes_that_stay']:.3f} in the chord before",
        ),
        ("agreement", f"{values['agreement']:.4f} of all outputs with the golden model"),
        ("spikes", f"{values['spikes_per_chord']:.0f} for each chord"),
    ]
    if values["cycles_per_chord"]:
        lines.append(("cycles", f"{values['cycles_per_chord']:.0f} clock cycles for each chord"))
    return lines


def _figure(spec: FelifSpec, roll: np.ndarray, logits: np.ndarray, run: FelifRun, lowest: int) -> Any:
    """Draw the chords, what was foretold, and the neurons; those that spiked most, least and in between in detail."""
    assert run.traces is not None
    trace, one = run.traces[0], 1 << spec.layers[0].fraction_bits
    assert trace.polarisation is not None
    spikes = trace.spikes[:, 0]
    by_spikes = np.argsort(spikes.sum(axis=0), kind="stable")
    active = by_spikes[spikes.sum(axis=0)[by_spikes] > 0]
    shown = [int(active[place]) for place in np.linspace(0, len(active) - 1, PICTURED_NEURONS).astype(int)]
    per_volt = FelifDevice().per_volt
    return run_figure(
        NetworkRun(
            inputs=roll[:-1],
            spikes=spikes,
            shown=shown,
            voltage=trace.voltage[:, 0, shown] / one / per_volt,
            polarisation=trace.polarisation[:, 0, shown] / one,
            threshold=THRESHOLD,
            predicted=1 / (1 + np.exp(-logits)),
        ),
        lowest=lowest,
    )
