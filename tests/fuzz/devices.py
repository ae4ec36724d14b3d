"""Hostile devices: what commands do with boards that are hostile in one way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np

from attractor.host import Device, HostError, LinkClient, Model
from attractor.spec import EqPropSpec, FelifSpec, OscillatorSpec, Spec
from attractor.trials import trials_of

from .boards import NETWORKS, HostileBoard, Mode, Random
from .descriptions import DESCRIPTIONS
from .replies import REPLIES

__all__ = ["DEVICES", "DeviceKind"]


@dataclass(frozen=True)
class DeviceKind:
    """Devices that are hostile in one way.

    Parameters
    ----------
    name:
        What to call it.
    mode:
        What they do.
    """

    name: str
    mode: Mode
    device = HostileBoard.name

    def meet(self, rng: Random) -> None:
        """Do with a device all that commands do; raise the first error, or the first that is no :class:`HostError`."""
        spec = rng.choice(NETWORKS)
        board = HostileBoard(spec, self.mode, rng)
        failed: HostError | None = None
        device = Device(LinkClient(board, clock=board.clock))
        for step in _steps(device, _model(spec), rng):
            try:
                step()
            except HostError as error:
                failed = failed or error
        with suppress(HostError):
            device.close()
        if failed is not None:
            raise failed


@cache
def _model(spec: Spec) -> Model:
    trials = trials_of(spec)
    parameters = trials.parameters(spec, np.random.default_rng(0))
    if isinstance(spec, OscillatorSpec):
        parameters = {**parameters, "schedule": spec.schedule(2)}
    return Model(spec, parameters)


def _steps(device: Device, model: Model, rng: Random) -> Iterator[Callable[[], object]]:
    """Yield what commands do with a device."""
    yield lambda: _shown(device)
    yield device.counters
    yield lambda: device.load(model)
    yield lambda: device.holds(model)
    yield lambda: device.digest(device.spec.memory_map.windows[0].name)
    yield device.read_model
    drawn, spec = np.random.default_rng(rng.randrange(1 << 30)), device.spec
    inputs = [trials_of(spec).inputs(spec, drawn) for _ in range(3)]
    yield lambda: list(device.network.results(inputs, len(inputs)))
    yield lambda: list(device.network.winners(inputs, len(inputs)))
    yield lambda: list(device.calls(inputs, want=5))
    yield from _family_steps(device)
    yield device.abort
    yield device.reconnect


def _shown(device: Device) -> None:
    """Make what is printed of a device: it must be text that a terminal can show."""
    text = f"{device.build} {device.description} {device.identity}"
    assert len(text) < 100_000
    said = (device.build.board, device.build.gateware, str(device.build))
    assert all(isinstance(part, str) and part.isprintable() and len(part) < 1000 for part in said)
    json.dumps({**device.description, "map": device.spec.memory_map.describe()}, allow_nan=False)


def _family_steps(device: Device) -> Iterator[Callable[[], object]]:
    spec, network = device.spec, device.network
    if isinstance(spec, OscillatorSpec):
        phases = np.zeros((2, spec.oscillators), int)
        yield lambda: network.recall(phases)
        if spec.labels:
            yield lambda: network.classify(phases)
        if spec.learning:
            yield lambda: network.learn(np.ones((1, spec.oscillators), int), max_epochs=2)
    elif isinstance(spec, EqPropSpec):
        bits = np.ones((2, spec.layers[0]), int)
        yield lambda: network.infer(bits)
        yield lambda: network.classify(bits)
        yield lambda: network.learn_samples(bits, [0, 1], [3, 3])
        yield lambda: network.teach(bits, [0, 1], [3, 3])
    elif isinstance(spec, FelifSpec):
        yield lambda: network.run_sequence(np.ones((4, spec.inputs), int))
        yield lambda: network.run_sequences(np.ones((2, 3, spec.inputs), int))
        yield lambda: network.run_ticks(np.ones((2, spec.inputs), int))


DEVICES = {
    kind.name: kind for kind in (DeviceKind(f"device: {name}", mode) for name, mode in (DESCRIPTIONS | REPLIES).items())
}
