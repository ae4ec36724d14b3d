"""NIR graphs and files that cannot be imported: which node or file is at fault, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from attractor.nir import NirError, from_nir, write_graph

from .nir_cases import neurons_of, random_graph

DT = 1e-3
ONES, ZEROS = np.ones(2), np.zeros(2)
LIF = nir.LIF(tau=4 * DT * ONES, r=ONES, v_leak=ZEROS, v_threshold=ONES, v_reset=ZEROS)


def graph(nodes: dict[str, Any], *edges: str) -> nir.NIRGraph:
    """Return a graph with the ends ``in`` and ``out`` of two values; an edge is ``"a b"``."""
    ends: dict[str, Any] = {"in": nir.Input({"input": np.array([2])}), "out": nir.Output({"output": np.array([2])})}
    pairs: list[Any] = [tuple(edge.split()) for edge in edges]
    return nir.NIRGraph(ends | nodes, pairs, type_check=False)


def linear(*shape: int) -> nir.Linear:
    return nir.Linear(np.ones(shape or (2, 2)))


# Graphs


@pytest.mark.parametrize(
    "node",
    [
        nir.LI(tau=ONES, r=ONES, v_leak=ZEROS),
        nir.I(r=ONES),
        nir.CubaLI(tau_syn=ONES, tau_mem=ONES, r=ONES, v_leak=ZEROS),
        nir.Scale(ONES),
        nir.Delay(ONES),
        nir.Conv1d(
            input_shape=2, weight=np.ones((1, 1, 1)), stride=1, padding=0, dilation=1, groups=1, bias=np.zeros(1)
        ),
        nir.SumPool2d(kernel_size=np.array([1, 1]), stride=np.array([1, 1]), padding=np.array([0, 0])),
    ],
    ids=lambda node: type(node).__name__,
)
def test_unsupported_nodes_are_refused_by_name(node: Any, tmp_path: Path) -> None:
    bad = graph({"w": linear(), "odd": node}, "in w", "w odd", "odd out")
    with pytest.raises(NirError, match=rf"node 'odd' is a {type(node).__name__}, .*Input, Output, Linear, .* are"):
        from_nir(bad, dt=DT)
    write_graph(tmp_path / "odd.nir", bad)
    with pytest.raises(NirError, match=rf"odd\.nir: node 'odd' is a {type(node).__name__}"):
        from_nir(tmp_path / "odd.nir", dt=DT)


def test_an_unsupported_node_of_a_nested_graph_is_named_in_full(tmp_path: Path) -> None:
    inner = graph({"odd": nir.Scale(ONES)}, "in odd", "odd out")
    bad = graph({"sub": inner}, "in sub", "sub out")
    write_graph(tmp_path / "nested.nir", bad)
    for source in (bad, tmp_path / "nested.nir"):
        with pytest.raises(NirError, match=r"node 'sub\.odd' is a Scale"):
            from_nir(source, dt=DT)


CYCLES = {
    "no neuron in the cycle": (
        graph({"a": linear(), "b": linear(), "n": LIF}, "in a", "a b", "b a", "b n", "n out"),
        "cyclic without a neuron in the cycle: .*(a -> b -> a|b -> a -> b)",
    ),
    "a later layer leads back": (
        graph({"a": LIF, "b": LIF, "w": linear()}, "in a", "a b", "b w", "w a", "b out"),
        "cyclic: 'b' leads back to 'a'",
    ),
    "a node is its own source": (graph({"a": linear(), "n": LIF}, "in a", "a a", "a n", "n out"), "a -> a"),
}


@pytest.mark.parametrize(("bad", "says"), CYCLES.values(), ids=CYCLES.keys())
def test_cycles_are_refused_where_they_are_not_allowed(bad: nir.NIRGraph, says: str, tmp_path: Path) -> None:
    write_graph(tmp_path / "cyclic.nir", bad)
    for source in (bad, tmp_path / "cyclic.nir"):
        with pytest.raises(NirError, match=says):
            from_nir(source, dt=DT)


SHAPES: dict[str, tuple[nir.NIRGraph, str]] = {
    "side by side": (graph({"a": LIF, "b": LIF}, "in a", "in b", "a out", "b out"), "'a' and 'b' follow 'in'"),
    "skipped": (
        graph({"a": LIF, "b": LIF, "w": linear()}, "in a", "a b", "in w", "w b", "b out"),
        "'a' and 'b' follow 'in'",
    ),
    "two to the output": (graph({"a": LIF, "w": linear()}, "in a", "a out", "in w", "w out"), "lead to the output"),
    "nothing leads there": (graph({"a": LIF, "w": linear()}, "in a", "w a", "a out"), "nothing leads to node 'w'"),
    "leads nowhere": (graph({"a": LIF, "w": linear()}, "in a", "a out", "a w"), "'w' do not lead to the output"),
    "no node": (graph({"a": LIF}, "in a", "a b", "a out"), "there is no node 'b'"),
    "twice": (graph({"a": LIF}, "in a", "in a", "a out"), "from 'in' to 'a' is there twice"),
    "empty": (graph({}, "in out"), "nothing to run"),
    "into the input": (graph({"a": LIF}, "in a", "a in", "a out"), "'a' leads to the input 'in'"),
    "out of the output": (graph({"a": LIF, "b": LIF}, "in a", "a out", "out b"), "the output 'out' leads to 'b'"),
    "two inputs": (
        graph({"a": LIF, "more": nir.Input({"input": np.array([2])})}, "in a", "more a", "a out"),
        "2 Input nodes: 'in' and 'more'",
    ),
    "no output": (nir.NIRGraph({"in": nir.Input({"input": np.array([2])})}, [], type_check=False), "0 Output nodes"),
    "wrong columns": (graph({"w": linear(2, 3), "a": LIF}, "in w", "w a", "a out"), r"weight of node 'w' .*\(2, 3\)"),
    "wrong rows": (graph({"w": linear(3, 2), "a": LIF}, "in w", "w a", "a out"), "'w' sends 3 values to 'a'"),
    "batched": (graph({"w": linear(1, 2, 2), "a": LIF}, "in w", "w a", "a out"), r"\(1, 2, 2\); it must have 2 axes"),
    "wrong bias": (
        graph({"w": nir.Affine(np.ones((2, 2)), np.ones(3)), "a": LIF}, "in w", "w a", "a out"),
        r"bias of node 'w' has shape \(3,\)",
    ),
    "no shape": (
        nir.NIRGraph(
            {"in": nir.Input({"input": None}), "a": LIF, "out": nir.Output({"output": np.array([2])})},  # type: ignore
            [("in", "a"), ("a", "out")],
            type_check=False,
        ),
        "'in' has no shape",
    ),
    "too many": (
        nir.NIRGraph(
            {"in": nir.Input({"input": np.array([5000])}), "out": nir.Output({"output": np.array([5000])})},
            [("in", "out")],
            type_check=False,
        ),
        "has 5000 values; 1 to 4096",
    ),
    "nested without an end": (
        graph({"sub": nir.NIRGraph({"n": LIF}, [], type_check=False)}, "in sub", "sub out"),
        "nested graph 'sub' has 0 Output nodes|nested graph 'sub' has 0 Input nodes",
    ),
}


@pytest.mark.parametrize(("bad", "says"), SHAPES.values(), ids=SHAPES.keys())
def test_graphs_that_are_no_sequence_of_layers(bad: nir.NIRGraph, says: str) -> None:
    with pytest.raises(NirError, match=says):
        from_nir(bad, dt=DT)


def test_more_layers_or_nodes_than_a_network_has() -> None:
    deep = {f"n{index}": LIF for index in range(9)}
    names = ["in", *deep, "out"]
    with pytest.raises(NirError, match="layers has 9 entries"):
        from_nir(graph(deep, *(f"{a} {b}" for a, b in pairwise(names))), dt=DT)
    with pytest.raises(NirError, match="has 302 nodes; at most 256"):
        from_nir(graph({f"w{index}": linear() for index in range(300)}, "in out"), dt=DT)


def changed(**fields: Any) -> nir.NIRGraph:
    node: Any = neurons_of("CubaLIF", 2, DT, np.random.default_rng(0))
    for name, value in fields.items():
        setattr(node, name, np.asarray(value))
    return graph({"a": node}, "in a", "a out")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"tau_mem": [0.5 * DT, DT]},
            "tau_mem of node 'a' is 0.0005, shorter than the time step dt = 0.001, .*negative",
        ),
        ({"tau_syn": [0.1 * DT, DT]}, "tau_syn of node 'a' is 0.0001, shorter .*unit"),
        ({"tau_mem": [2000.0, 1.0]}, "tau_mem of node 'a' is 2000, 2e.06 time steps .*unit"),
        ({"tau_mem": [0.0, DT]}, "tau_mem of node 'a' is 0; time constants are positive"),
        ({"tau_syn": [-1.0, DT]}, "tau_syn of node 'a' is -1; time constants are positive"),
        ({"v_threshold": [np.nan, 1]}, "v_threshold of node 'a' holds nan"),
        ({"r": [np.inf, 1]}, "r of node 'a' holds inf"),
        ({"r": ["x", "y"]}, "r of node 'a' is no array of numbers"),
        ({"v_leak": [0, 0, 0]}, "v_leak of node 'a' has 3 values, but 2 neurons"),
        ({"r": [1e200, 1]}, "fit no number format"),
    ],
)
def test_neurons_that_fit_no_network(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(NirError, match=says):
        from_nir(changed(**fields), dt=DT)


def test_a_short_time_constant_is_no_matter_exponentially() -> None:
    from_nir(changed(tau_mem=[0.5 * DT, DT]), dt=DT, discretisation="exponential")


def test_a_reset_elsewhere_than_the_leak_is_none_by_subtraction() -> None:
    with pytest.raises(NirError, match=r"v_reset\[1\] of node 'a' is 0.5, .*'value'"):
        from_nir(changed(v_reset=[0, 0.5], v_leak=[0, 0]), dt=DT, reset="subtract")


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"dt": 0}, "dt is 0; it must be a positive number"),
        ({"dt": float("nan")}, "dt is nan"),
        ({"dt": "1 ms"}, "dt is '1 ms'"),
        ({"input_scale": -1}, "input_scale is -1"),
        ({"discretisation": "heun"}, "discretisation is 'heun'; it must be one of euler, exponential"),
        ({"reset": "zero"}, "reset is 'zero'; it must be one of value, subtract"),
        ({"weight_bits": 9}, "weight_bits is 9; it must lie between 2 and 8"),
        ({"state_bits": 40}, "state_bits is 40"),
        ({"input_bits": 0}, "input_bits is 0"),
        ({"ticks": 0}, "ticks is 0"),
        ({"lanes": 3}, "lanes is 3"),
    ],
)
def test_decisions_out_of_range(rules: dict[str, Any], says: str) -> None:
    with pytest.raises(NirError, match=says):
        from_nir(changed(), **({"dt": DT} | rules))


# Files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.nir"
    write_graph(path, random_graph(("CubaLIF", "LIF"), 0, dt=DT))
    return path


def refused(path: Path, says: str) -> None:
    with pytest.raises(NirError, match=rf"{path.name}.*{says}"):
        from_nir(path, dt=DT)


def test_files_that_are_none(tmp_path: Path) -> None:
    refused(tmp_path / "none.nir", "no such file; check the name")
    refused(tmp_path, "this is no file")
    (tmp_path / "text.nir").write_text("not a graph")
    refused(tmp_path / "text.nir", "cannot be read as HDF5")
    (tmp_path / "empty.nir").touch()
    refused(tmp_path / "empty.nir", "cannot be read as HDF5")
    with h5py.File(tmp_path / "other.nir", "w") as other:
        other["numbers"] = [1, 2]
    refused(tmp_path / "other.nir", "holds no NIR graph")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_files_that_were_cut_off(file: Path, part: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])
    refused(file, "export it again")


def test_files_with_flipped_bytes_are_refused_or_read(file: Path) -> None:
    """Whatever happens to a file, what is raised is the error that callers expect."""
    data, rng, refusals = file.read_bytes(), np.random.default_rng(0), 0
    inputs = from_nir(file, dt=DT).network.layers[0].below
    for _ in range(60):
        broken = np.frombuffer(data, np.uint8).copy()
        at = rng.integers(0, len(broken), 40)
        broken[at] ^= rng.integers(1, 256, 40).astype(np.uint8)
        file.write_bytes(broken.tobytes())
        try:
            from_nir(file, dt=DT, frames=np.zeros((1, 1, inputs), int))
        except NirError:
            refusals += 1
    assert refusals > 30


def _without(name: str) -> Callable[[Any], None]:
    def change(nodes: Any) -> None:
        del nodes[name]

    return change


def _with(name: str, value: Any) -> Callable[[Any], None]:
    def change(nodes: Any) -> None:
        if name in nodes:
            del nodes[name]
        nodes[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without("w_0"), "there is no node 'w_0'"),
        (_without("w_0/weight"), "is no intact NIR file"),
        (_without("w_0/type"), "is no intact NIR file"),
        (_with("w_0/type", "FeLIF"), "node 'w_0' is a FeLIF, which is not supported"),
        (_with("w_0/type", 3), "node 'w_0' is a 3"),
        (_with("w_0/colour", "red"), "is no intact NIR file"),
        (_with("w_0/weight", "red"), "is no intact NIR file|no array of numbers"),
        (_with("w_0/weight", np.ones(3)), "is no intact NIR file"),
        (_without("CubaLIF_0/tau_mem"), "is no intact NIR file"),
    ],
)
def test_files_with_damaged_nodes(file: Path, change: Callable[[Any], None], says: str) -> None:
    with h5py.File(file, "r+") as opened:
        change(opened["node/nodes"])
    with pytest.raises(NirError, match=says):
        from_nir(file, dt=DT)


def test_files_that_would_fill_the_memory(file: Path) -> None:
    """A few bytes can unpack to any number of zeros."""
    with h5py.File(file, "r+") as opened:
        del opened["node/nodes/w_0/weight"]
        opened.create_dataset(
            "node/nodes/w_0/weight", (1 << 16, 1 << 16), "f4", chunks=(1024, 1024), compression="gzip"
        )
    assert file.stat().st_size < 1 << 20
    refused(file, r"unpacks to more than \d+ bytes")


def test_files_whose_links_lead_in_circles(file: Path) -> None:
    with h5py.File(file, "r+") as opened:
        nodes: Any = opened["node/nodes"]
        nodes["loop"] = nodes
    refused(file, "is no intact NIR file|more than 4096 groups")
    with h5py.File(file, "r+") as opened:
        level: Any = opened["node/nodes/w_0"]
        for _ in range(30):  # a billion items that take no room
            below = level.create_group("a")
            level["b"] = below
            level = below
        del opened["node/nodes/loop"]
    refused(file, "more than 4096 groups and arrays")


def test_graphs_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(NirError, match="cannot be written"):
        write_graph(tmp_path / "missing" / "net.nir", random_graph(("LIF",), 0))
    write_graph(tmp_path / "net.nir", random_graph(("LIF",), 0))
    assert [path.name for path in tmp_path.iterdir()] == ["net.nir"]
