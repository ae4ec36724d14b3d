"""NIR graphs become networks that do what NIR's equations say, and reports that say what was decided."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from attractor.golden import FelifNetwork
from attractor.host import Device, Model
from attractor.host.felif import NeuronOutputs, Ticks
from attractor.host.interface import Interface
from attractor.nir import NirError, from_nir, write_graph
from attractor.sim.verilator import has_compiler
from attractor.spec import FelifSpec

from .nir_cases import (
    BRAILLE,
    BRAILLE_DT,
    Straightforward,
    braille_file,
    braille_raster,
    braille_spikes,
    neurons_of,
    random_graph,
)

DT = 1e-3
CHAINS = [("IF",), ("LIF",), ("CubaLIF",), ("Threshold",), ("CubaLIF", "LIF", "IF"), ("LIF", "Threshold", "CubaLIF")]


def spikes_of(seed: int, ticks: int, inputs: int, rate: float = 0.4) -> np.ndarray:
    return (np.random.default_rng(seed).random((ticks, inputs)) < rate).astype(np.int64)


def small(weight: Any = ((1.0, -0.5), (0.25, 2.0)), *after: Any, **options: Any) -> Any:
    """Import weights and neurons, by default LIF neurons with a decay of 0.5."""
    two = np.ones(2)
    lif = nir.LIF(tau=2 * DT * two, r=2 * two, v_leak=0 * two, v_threshold=two, v_reset=0 * two)
    graph = nir.NIRGraph.from_list(nir.Linear(np.array(weight)), *(after or (lif,)))
    return from_nir(graph, dt=DT, **options)


# Double precision


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
@pytest.mark.parametrize("seed", range(4))
def test_the_float_import_does_what_the_equations_say(kinds: tuple[str, ...], seed: int) -> None:
    graph = random_graph(kinds, seed, dt=DT)
    frames = spikes_of(seed, 80, graph.nodes["in"].input_type["input"][0])
    imported = from_nir(graph, dt=DT, frames=frames[None])
    run = imported.network.run(frames[None])
    expected = Straightforward(graph, kinds, DT)
    fired = 0
    for tick, frame in enumerate(frames):
        expected.tick(frame)
        for index, node in enumerate(expected.layers):
            np.testing.assert_array_equal(run.spikes[index][tick, 0], expected.s[index] > 0)
            leak = getattr(node, "v_leak", 0)
            np.testing.assert_allclose(run.voltages[index][tick, 0] + leak, expected.v[index], atol=1e-9)
            fired += int(expected.s[index].sum())
    assert fired


@pytest.mark.parametrize("seed", range(4))
def test_resets_by_subtraction(seed: int) -> None:
    graph = random_graph(("CubaLIF", "IF"), seed, dt=DT)
    for name in ("CubaLIF_0", "IF_1"):
        node: Any = graph.nodes[name]
        node.v_reset = np.array(getattr(node, "v_leak", np.zeros_like(node.v_reset)))
    frames = spikes_of(seed, 80, graph.nodes["in"].input_type["input"][0])
    imported = from_nir(graph, dt=DT, reset="subtract", frames=frames[None])
    expected, run = Straightforward(graph, ("CubaLIF", "IF"), DT, subtract=True), imported.network.run(frames[None])
    for tick, frame in enumerate(frames):
        expected.tick(frame)
        for index in range(2):
            np.testing.assert_array_equal(run.spikes[index][tick, 0], expected.s[index] > 0)
    other = from_nir(graph, dt=DT, frames=frames[None]).network.run(frames[None])
    assert any((a != b).any() for a, b in zip(run.spikes, other.spikes, strict=True))


def test_exponential_decays_are_exact_between_inputs() -> None:
    tau = np.array([0.3 * DT, 12.0 * DT])
    lif = nir.LIF(tau=tau, r=np.ones(2), v_leak=np.zeros(2), v_threshold=np.full(2, 9.0), v_reset=np.zeros(2))
    graph = nir.NIRGraph.from_list(nir.Linear(np.eye(2)), lif)
    network = from_nir(graph, dt=DT, discretisation="exponential").network
    voltages = network.run(np.ones((1, 5, 2))).voltages[0][:, 0]
    expected = 1 - np.exp(-np.arange(1, 6)[:, None] * DT / tau)
    np.testing.assert_allclose(voltages, expected, rtol=1e-12)


def test_linear_maps_are_multiplied_added_and_flattened() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(5, 6)), rng.normal(size=(4, 5)), rng.normal(size=(4, 6))
    bias = rng.normal(size=5)
    nodes: dict[str, Any] = {
        "in": nir.Input({"input": np.array([2, 3])}),
        "flat": nir.Flatten({"input": np.array([2, 3])}, start_dim=0),
        "a": nir.Affine(a, bias),
        "b": nir.Linear(b),
        "c": nir.Linear(c),
        "n": neurons_of("CubaLIF", 4, DT, rng),
        "out": nir.Output({"output": np.array([4])}),
    }
    edges = [("in", "flat"), ("flat", "a"), ("a", "b"), ("flat", "c"), ("b", "n"), ("c", "n"), ("n", "out")]
    joined = from_nir(nir.NIRGraph(nodes, edges), dt=DT).network.layers[0]
    plain = nir.NIRGraph.from_list(nir.Affine(b @ a + c, b @ bias), nodes["n"])
    expected = from_nir(plain, dt=DT).network.layers[0]
    np.testing.assert_allclose(joined.weights, expected.weights)
    np.testing.assert_allclose(joined.bias, expected.bias)


def test_nested_graphs_are_inlined() -> None:
    seeds = (random_graph(("CubaLIF", "LIF"), seed, dt=DT) for seed in range(20))
    flat = next(graph for graph in seeds if "r_0" in graph.nodes)
    size = len(flat.nodes["CubaLIF_0"].v_threshold)
    inner_nodes: dict[str, Any] = {
        "i": nir.Input({"input": np.array([size])}),
        "o": nir.Output({"output": np.array([size])}),
    }
    inner_nodes |= {"cell": flat.nodes["CubaLIF_0"], "back": flat.nodes["r_0"]}
    inner = nir.NIRGraph(inner_nodes, [("i", "cell"), ("cell", "back"), ("back", "cell"), ("cell", "o")])
    nodes = {name: node for name, node in flat.nodes.items() if name not in ("CubaLIF_0", "r_0")} | {"sub": inner}
    edges = [tuple("sub" if end == "CubaLIF_0" else end for end in edge) for edge in flat.edges if "r_0" not in edge]
    nested = from_nir(nir.NIRGraph(nodes, edges, type_check=False), dt=DT)
    expected = from_nir(flat, dt=DT)
    assert nested.model.spec == expected.model.spec
    assert [layer.name for layer in nested.report.layers] == ["sub.cell", "LIF_1"]
    for name, values in expected.model.parameters.items():
        np.testing.assert_array_equal(nested.model.parameters[name], values)


# Integers


@pytest.mark.parametrize("seed", range(5))
def test_integers_stand_for_what_was_imported(seed: int) -> None:
    graph = random_graph(("CubaLIF", "LIF"), seed, dt=DT)
    imported = from_nir(graph, dt=DT)
    for index, (layer, exact) in enumerate(zip(imported.report.layers, imported.network.layers, strict=True)):
        spec: Any = imported.model.spec
        integers = {n: imported.model.parameters[f"{n}_{index}"].astype(float) for n in ("weights", "scale", "bias")}
        step = integers["scale"] / 2.0 ** spec.layers[index].scale_shift / layer.steps_per_volt
        errors = {error.parameter: error for error in layer.errors}
        off = np.abs(integers["weights"] * step[:, None] - exact.weights)
        assert errors["weights"].largest == off.max()
        assert errors["weights"].root_mean_square == pytest.approx(np.sqrt((off**2).mean()))
        # Half a step, and a step is a 127th of a neuron's largest weight; a little more, for its scale is an integer.
        assert (off.max(axis=1) <= 0.51 * np.abs(exact.weights).max(axis=1) / 127).all()
        off = np.abs(integers["bias"] / layer.steps_per_volt - exact.bias)
        assert errors["bias"].largest == off.max() <= 0.5 / layer.steps_per_volt
        assert all(error.saturated == 0 for error in layer.errors)


@pytest.mark.parametrize("seed", range(5))
def test_states_that_are_said_to_be_bounded_are(seed: int) -> None:
    """The strongest input of all, for many ticks, stays within a range of which it needs more than a third."""
    rng = np.random.default_rng(seed)
    node = neurons_of("CubaLIF", 4, DT, rng)
    weights, bias = -rng.exponential(1, (4, 5)), -rng.exponential(1, 4)
    graph = nir.NIRGraph.from_list(nir.Affine(weights, bias), node)
    frames = np.ones((1, 500, 5), int)
    imported = from_nir(graph, dt=DT, state_bits=24, frames=frames)
    assert imported.report.layers[0].bounded
    spec: Any = imported.model.spec
    trace = FelifNetwork(spec, imported.model.parameters).run(frames, trace=True).traces
    assert trace is not None
    assert trace[0].synapse is not None
    assert -(1 << 23) < trace[0].voltage.min() < -(1 << 23) / 3
    assert trace[0].synapse.min() > -(1 << 23)
    assert imported.report.agreement.layers[0].saturated == 0


def test_what_cannot_be_bounded_is_said_to_saturate() -> None:
    integrator = nir.IF(r=np.ones(2) / DT, v_threshold=np.ones(2), v_reset=np.zeros(2))
    report = small(((-1.0, -1.0), (1.0, 0.0)), integrator, state_bits=8, frames=np.ones((1, 200, 2), int)).report
    assert not report.layers[0].bounded
    assert "saturate at" in report.layers[0].number_format
    assert report.agreement.layers[0].saturated > 0
    assert "no input can saturate" in small().report.layers[0].number_format


def test_what_looks_wrong_is_said() -> None:
    assert small().report.warnings == ()
    assert small(state_bits=8, weight=((1.0, -0.5), (0.25, 2.0))).report.warnings == ()
    (silent,) = small(((0.1, 0.2), (0.1, 0.1))).report.warnings
    assert "no neuron of layer lif spiked in double precision on these inputs; is dt in the unit" in silent
    strong = small(((1e7, 0.0), (0.0, 1e7))).report
    assert "thresholds of layer lif are off by up to 1 of 1" in strong.warnings[0]
    assert f"warning: {strong.warnings[0]}" in strong.text()
    integrator = nir.IF(r=np.ones(2) / DT, v_threshold=np.ones(2), v_reset=np.zeros(2))
    stuck = small(((-1.0, -1.0), (1.0, 0.0)), integrator, state_bits=8).report
    assert "states of layer if saturated in" in stuck.warnings[0]


def test_more_bits_come_closer() -> None:
    graph = random_graph(("CubaLIF", "CubaLIF"), 1, dt=DT)
    reports = [from_nir(graph, dt=DT, weight_bits=bits).report for bits in (3, 5, 8)]
    errors = [report.layers[0].errors[0].root_mean_square for report in reports]
    assert errors == sorted(errors, reverse=True)
    wrong = [sum(layer.wrong_cells for layer in report.agreement.layers) for report in reports]
    assert wrong[0] > wrong[2]


def test_equality_with_the_threshold_is_a_decision() -> None:
    frames = np.ones((1, 20, 2), int)
    half = 127 / 256  # an integer weight times a power of two
    node = nir.Threshold(np.array([2 * half, half]))
    strict, loose = (small(((half, half), (half, 0.0)), node, strict=strict) for strict in (True, False))
    for imported, spikes in ((strict, 0), (loose, 40)):
        assert imported.network.run(frames).outputs.sum() == spikes
        assert FelifNetwork(imported.model.spec, imported.model.parameters).run(frames).outputs.sum() == spikes
    assert "v > v_threshold" in strict.report.decisions["comparison"]
    assert "v >= v_threshold" in loose.report.decisions["comparison"]


def test_graphs_that_end_in_weights_give_their_sums() -> None:
    rng = np.random.default_rng(4)
    weight, bias = rng.normal(size=(3, 2)), rng.normal(size=3)
    two = np.ones(2)
    lif = nir.LIF(tau=4 * DT * two, r=4 * two, v_leak=0 * two, v_threshold=two, v_reset=0 * two)
    imported = small(((0.7, 0.3), (0.1, 0.6)), lif, nir.Affine(weight, bias))
    assert [layer.node for layer in imported.report.layers] == ["LIF", "read-out"]
    frames = spikes_of(0, 9, 2)[None]
    run = imported.network.run(frames)
    expected = weight @ run.spikes[0][-1, 0] + bias
    np.testing.assert_allclose(run.outputs[0], expected)
    found = FelifNetwork(imported.model.spec, imported.model.parameters).run(frames).outputs[0]
    np.testing.assert_allclose(found / imported.report.layers[1].steps_per_volt, expected, atol=0.02)


def test_real_inputs_are_folded_into_the_weights() -> None:
    scale = 0.03
    imported = small(input_bits=6, input_scale=scale)
    values = np.random.default_rng(0).integers(-32, 32, (1, 50, 2))
    plain = small()
    np.testing.assert_array_equal(imported.network.run(values).spikes, plain.network.run(values * scale).spikes)
    assert imported.model.spec.input_bits == 6


def test_silent_neurons_and_empty_rows() -> None:
    imported = small(((0.0, 0.0), (1.0, 0.0)))
    assert imported.model.parameters["scale_0"][0] == 0
    assert small(np.zeros((2, 2))).report.agreement.layers[0].spikes_integer == 0


# The report


def test_the_report_answers_what_nir_leaves_open(tmp_path: Path) -> None:
    write_graph(tmp_path / "net.nir", random_graph(("CubaLIF", "LIF"), 0, dt=DT))
    imported = from_nir(tmp_path / "net.nir", dt=DT)
    report = imported.report
    for question in (
        "time step",
        "discretisation",
        "order",
        "comparison",
        "reset",
        "spikes",
        "delay",
        "start",
        "inputs",
    ):
        assert report.decisions[question] in report.text()
    assert "0.001" in report.decisions["time step"]
    assert "net.nir" in report.text()
    for layer in report.layers:
        assert layer.number_format in report.text()
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == imported.model.provenance["nir"]
    units = tuple(layer.steps_per_volt for layer in report.layers)
    assert imported.model.interface == Interface(Ticks(DT), NeuronOutputs("spikes", units))
    imported.model.save(tmp_path / "net.safetensors")
    assert Model.load(tmp_path / "net.safetensors") == imported.model


def test_the_agreement_is_that_of_both_runs() -> None:
    graph = random_graph(("CubaLIF", "LIF"), 2, dt=DT)
    size = graph.nodes["in"].input_type["input"][0]
    frames = (np.random.default_rng(5).random((3, 60, size)) < 0.5).astype(int)
    imported = from_nir(graph, dt=DT, frames=frames, weight_bits=3)
    exact = imported.network.run(frames)
    spec: Any = imported.model.spec
    integer = FelifNetwork(spec, imported.model.parameters).run(frames, trace=True)
    assert integer.traces is not None
    for index, layer in enumerate(imported.report.agreement.layers):
        ours, theirs = exact.spikes[index], integer.traces[index].spikes
        assert (layer.spikes_float, layer.spikes_integer) == (ours.sum(), theirs.sum())
        assert layer.wrong_cells == (ours != theirs).sum() > 0
        rates = ours.mean(axis=0) - theirs.mean(axis=0)
        assert layer.rate_error == pytest.approx(np.sqrt((rates**2).mean()))
    assert imported.report.agreement.runs == 3
    with pytest.raises(NirError, match="frames have shape"):
        from_nir(graph, dt=DT, frames=frames[0])


# The graphs of Braille letters


@pytest.mark.parametrize(("name", "reset"), BRAILLE.items())
def test_braille_in_double_precision_equals_a_plain_simulation(name: str, reset: str) -> None:
    path = braille_file(name)
    frames = braille_spikes()
    run = from_nir(path, dt=BRAILLE_DT, reset=reset).network.run(frames)
    spikes, voltages = braille_raster(path, frames, subtract=reset == "subtract")
    assert spikes.sum() > 500
    np.testing.assert_array_equal(np.concatenate(run.spikes, axis=2), spikes)
    np.testing.assert_allclose(np.concatenate(run.voltages, axis=2), voltages, atol=1e-9)


@pytest.mark.parametrize(("name", "reset"), BRAILLE.items())
def test_braille_in_integers_stays_close(name: str, reset: str) -> None:
    path = braille_file(name)
    imported = from_nir(path, dt=BRAILLE_DT, reset=reset)
    assert all(layer.bounded for layer in imported.report.layers)
    for layer in imported.report.agreement.layers:
        assert abs(layer.spikes_integer / layer.spikes_float - 1) < 0.1
        assert layer.rate_error < 0.025
    assert imported.report.agreement.same_winner >= 0.85
    coarse = from_nir(path, dt=BRAILLE_DT, reset=reset, weight_bits=4).report.agreement
    assert coarse.layers[0].wrong_cells > imported.report.agreement.layers[0].wrong_cells


NEEDS_COMPILER = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler for simulated gateware")
#: Compiling gateware takes longer than a minute.
BOARDS = ["sim", pytest.param("rtl", marks=[pytest.mark.slow, NEEDS_COMPILER])]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(("name", "reset"), BRAILLE.items())
def test_braille_on_a_board_equals_the_golden_model(name: str, reset: str, board: str, tmp_path: Path) -> None:
    model = from_nir(braille_file(name), dt=BRAILLE_DT, reset=reset, ticks=64).model
    spec = model.spec
    assert isinstance(spec, FelifSpec)
    file = tmp_path / "braille.safetensors"
    model.save(file)
    frames = braille_spikes(ticks=64)
    expected = FelifNetwork(spec, model.parameters).run(frames)
    assert expected.outputs.any()
    with Device.open(f"{board}:{file}") as device:
        device.load(model)
        for sample, drive in enumerate(frames):
            # In two calls, so that what is kept between them counts, too.
            parts = [device.call(spec.encode_input(drive[:20])), device.call(spec.encode_input(drive[20:], keep=True))]
            found = [spec.decode_output(part) for part in parts]
            assert (found[0].outputs + found[1].outputs).tolist() == expected.outputs[sample].tolist()
            assert found[0].spikes + found[1].spikes == expected.spikes[sample]


def test_lanes_do_not_change_what_is_computed() -> None:
    graph = random_graph(("CubaLIF",), 5, dt=DT)
    model = from_nir(graph, dt=DT, lanes=2).model
    assert model.spec.lanes == 2
    assert replace(model.spec, lanes=0) == from_nir(graph, dt=DT).model.spec
