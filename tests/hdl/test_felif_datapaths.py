# amaranth: UnusedElaboratable=no
"""Every datapath against the golden neurons: random and extreme states, drives and parameters, one in every cycle."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from attractor.golden.felif import NeuronState, neurons
from attractor.hdl.felif.backlash import BacklashDatapath
from attractor.hdl.felif.datapath import Datapath
from attractor.hdl.felif.layout import NeuronState as NeuronStateLayout
from attractor.hdl.felif.microstep import MicroStepDatapath
from attractor.hdl.felif.plain import PlainDatapath
from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.spec import FelifLayer, FelifSpec, Field
from attractor.spec.felif.layer import FELIF_B, SUBSTEPS

VECTORS = 2000
LAYERS = {
    "A": FelifLayer(neurons=VECTORS, kind="felif_a"),
    "B": FelifLayer(neurons=VECTORS // SUBSTEPS * 8, kind="felif_b"),
    "LIF": FelifLayer(neurons=VECTORS, kind="lif"),
    "LIF, narrow": FelifLayer(neurons=VECTORS, kind="lif", state_bits=8, synapse=True, reset="subtract", strict=True),
    "LIF, wide": FelifLayer(neurons=VECTORS, kind="lif", state_bits=32, synapse=True, reset="value"),
    "read-out": FelifLayer(neurons=VECTORS, kind="readout"),
}
DATAPATHS = {"felif_a": BacklashDatapath, "felif_b": MicroStepDatapath, "lif": PlainDatapath, "readout": PlainDatapath}


def cornered(rng: np.random.Generator, low: int, high: int, size: int) -> np.ndarray:
    """Draw integers: of all sizes, around 0 and at the ends."""
    values = rng.integers(low, high + 1, size)
    small = np.clip(rng.integers(-3, 4, size) << rng.integers(0, 12, size), low, high)
    ends = rng.choice([low, high, min(low + 1, high), max(high - 1, low)], size)
    choice = rng.random(size)
    return np.select([choice < 0.2, choice < 0.4], [ends, small], values)


def draw(layer: FelifLayer, seed: int) -> tuple[dict[str, np.ndarray], NeuronState, np.ndarray]:
    """Draw parameters (odd seeds: those of a device), states and drives of as many neurons as there are vectors."""
    rng, spec = np.random.default_rng(seed), FelifSpec(inputs=1, layers=(layer,), lanes=1)
    parameters = {
        name.removesuffix("_0"): cornered(rng, int(part.low), int(part.high), part.shape[0])  # type: ignore[arg-type]
        for name, part in spec.parameters.items()
        if name != "weights_0"
    }
    count, half = layer.neurons, 1 << layer.state_bits - 1
    voltage = cornered(rng, -half, half - 1, count)
    drive_half = 1 << layer.drive_bits - 1
    drive = cornered(rng, -drive_half, drive_half - 1, count)
    polarisation = None
    if layer.ferroelectric:
        high = layer.polarisation_high
        polarisation = cornered(rng, -high, high, count)
        if seed % 2:
            parameters |= {
                name: value.astype(np.int64)
                for name, value in felif_parameters(layer, FelifDevice()).items()
                if name != "leak_scale"
            }
            voltage, drive = np.clip(voltage, -5 * high, 5 * high), drive >> rng.integers(0, 8, count)
            parameters["field_offset"] = rng.integers(-300, 300, count)
            # Where the field is 0, or just above what moves the polarisation.
            near = rng.random(count) < 0.3
            voltage = np.where(near, np.clip(polarisation + rng.integers(-2, 3, count), -half, half - 1), voltage)
    synapse = cornered(rng, -half, half - 1, count)[None] if layer.synapse else None
    spiked = rng.random(count) < (0.2 if layer.ferroelectric else 0)
    shown = None if polarisation is None else polarisation[None]
    state = NeuronState(voltage[None], shown, synapse, spiked[None])
    if layer.ferroelectric:
        # Some end a tick exactly at their threshold.
        held = parameters | {"threshold": np.full(count, half - 1)}
        exactly = rng.random(count) < 0.2
        parameters["threshold"] = np.where(
            exactly, expected(layer, held, state, drive).voltage[0], parameters["threshold"]
        )
    return parameters, state, drive


def beyond(field: Field, value: int, rng: np.random.Generator) -> int:
    """Return what a device has to read as ``value``: where that is the greatest of a field, any greater one as well."""
    return value if value != field.high else int(rng.integers(value, 1 << field.bits))


async def load_tables(ctx: Any, layer: FelifLayer, datapath: Datapath, parameters: dict[str, np.ndarray]) -> None:
    """Write all tables through their windows, and read them back."""
    rng = np.random.default_rng(0)
    spec = FelifSpec(inputs=1, layers=(layer,), lanes=1)
    for memory in spec.field_memories(0)[1:]:
        data = memory.encode({f"{name}_0": value for name, value in parameters.items()})[memory.name]
        port, size = getattr(datapath.tables, memory.name), memory.window.word_bytes
        words = [int.from_bytes(data[word * size : (word + 1) * size], "little") for word in range(memory.words)]
        if len(memory.record.fields) == 1:
            words = [beyond(memory.record.fields[0], value, rng) for value in words]
        for writes in (1, 0):
            for word, value in enumerate(words):
                ctx.set(port.address, word)
                ctx.set(port.write_data, value)
                ctx.set(port.write, writes)
                ctx.set(port.read, 1 - writes)
                await ctx.tick()
                assert writes or ctx.get(port.read_data) == value
        ctx.set(port.read, 0)


def works(layer: FelifLayer, parameters: dict[str, np.ndarray], state: NeuronState, drive: np.ndarray) -> list[Any]:
    """Return what a datapath is given for each neuron."""
    columns = {name: getattr(state, name) for name in ("voltage", "polarisation", "synapse")}
    shown = {name: column[0] for name, column in columns.items() if column is not None}
    given, rng = [], np.random.default_rng(0)
    for index in range(layer.neurons):
        held = {name: int(column[index]) for name, column in shown.items()}
        if layer.ferroelectric:
            held["spiked"] = int(state.spikes[0, index])
        if layer.kind == FELIF_B:
            held["reached"] = index % 2  # left by the tick before
        fields = {field.name: beyond(field, int(parameters[field.name][index]), rng) for field in layer.record}
        given.append({"state": held, "drive": int(drive[index]), "fields": fields, "first": 1, "last": 1})
    return given


def run(layer: FelifLayer, parameters: dict[str, np.ndarray], laps: list[dict[str, int]], given: list[Any]) -> Any:
    """Send all neurons through a datapath as often as there are laps; return states and spikes after the last."""
    spec = FelifSpec(inputs=1, layers=(layer,), lanes=1)
    datapath = DATAPATHS[layer.kind](layer, spec.field_memories(0)[1:])
    found: list[Any] = []

    async def bench(ctx: Any) -> None:
        nonlocal given
        await load_tables(ctx, layer, datapath, parameters)
        ctx.set(datapath.valid, 1)
        for lap in laps:
            found.clear()
            for number in range(len(given) + datapath.latency):
                if number >= datapath.latency:
                    found.append((ctx.get(datapath.state), ctx.get(datapath.spikes)))
                if number < len(given):
                    ctx.set(datapath.i, given[number] | lap)
                await ctx.tick()
            given = [
                work | {"state": {name: int(getattr(state, name)) for name in NeuronStateLayout(layer).members}}
                for work, (state, _) in zip(given, found, strict=True)
            ]

    simulator = Simulator(datapath)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return given, [int(spikes) for _, spikes in found]


def expected(
    layer: FelifLayer, parameters: dict[str, np.ndarray], state: NeuronState, drive: np.ndarray
) -> NeuronState:
    after = state.copy()
    neurons(layer, parameters).step(after, drive[None])
    return after


#: Steps of a tick: whether they are its first and its last one.
TICKS = {name: [{"first": 1, "last": 1}] for name in LAYERS} | {
    "B": [{"first": int(lap == 0), "last": int(lap == SUBSTEPS - 1)} for lap in range(SUBSTEPS)]
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", list(LAYERS))
def test_a_tick_is_that_of_the_golden_neurons(name: str, seed: int) -> None:
    layer = LAYERS[name]
    parameters, state, drive = draw(layer, seed)
    given, spikes = run(layer, parameters, TICKS[name], works(layer, parameters, state, drive))
    after = expected(layer, parameters, state, drive)
    for what in ("voltage", "polarisation", "synapse"):
        column = getattr(after, what)
        if column is not None:
            assert [work["state"][what] for work in given] == column[0].tolist(), what
    assert spikes == after.spikes[0].astype(int).tolist()
    if layer.ferroelectric:
        assert [work["state"]["spiked"] for work in given] == spikes


def test_the_vectors_reach_what_they_are_for() -> None:
    """Both ends of every range, no motion at all and leaks beyond the voltage must occur."""
    seen: Counter[str] = Counter()
    for name, layer in LAYERS.items():
        for seed in (0, 1):
            parameters, state, drive = draw(layer, seed)
            after = expected(layer, parameters, state, drive)
            seen[f"{name} spikes"] += int(after.spikes.sum())
            if after.polarisation is None or state.polarisation is None:
                half = 1 << layer.state_bits - 1
                seen[f"{name} up"] += int((after.voltage == half - 1).sum())
                seen[f"{name} down"] += int((after.voltage == -half).sum())
                continue
            high, kept = layer.polarisation_high, ~state.spikes
            seen[f"{name} up"] += int(((after.polarisation == high) & (state.polarisation != high)).sum())
            seen[f"{name} down"] += int(((after.polarisation == -high) & kept & (state.polarisation != -high)).sum())
            seen[f"{name} still"] += int(((after.polarisation == state.polarisation) & kept).sum())
            seen[f"{name} moves"] += int(
                ((abs(after.polarisation) < high) & (after.polarisation != state.polarisation)).sum()
            )
            for sign in (-1, 1):
                seen[f"{name} limit {sign}"] += int((after.voltage == sign * parameters["limit"]).sum())
            seen[f"{name} zero field"] += int((state.voltage == state.polarisation).sum())
            seen[f"{name} leaks all"] += int(((after.voltage == 0) & (state.voltage != 0)).sum())
    wanted = [f"{name} {what}" for name in ("A", "B") for what in ("up", "still", "moves", "limit 1", "limit -1")]
    wanted += ["A down", "A leaks all", "A zero field", "B zero field"]
    wanted += [f"{name} {what}" for name in ("LIF, wide", "read-out") for what in ("up", "down")]
    wanted += [f"{name} spikes" for name in LAYERS if name != "read-out"]
    assert all(seen[what] for what in wanted), seen
