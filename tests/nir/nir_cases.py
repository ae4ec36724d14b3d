"""Random NIR graphs of layers in sequence, and what their neurons do by NIR's equations, written down tick by tick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

#: The graphs of Braille letters, and how the framework that trained each resets.
BRAILLE = {"braille_noDelay_bias_zero.nir": "value", "braille_noDelay_noBias_subtract.nir": "subtract"}
#: Their time step, s.
BRAILLE_DT = 1e-4
_VARIABLE = "ATTRACTOR_DATA"


def braille_file(name: str) -> Path:
    """Return the file of a graph; skip the test that asks for it if there is none."""
    folder = os.environ.get(_VARIABLE)
    if folder is None:
        pytest.skip(f"{_VARIABLE} is not set; let it name a folder with the Braille graphs of NIR in its subfolder nir")
    path = Path(folder) / "nir" / name
    if not path.is_file():
        pytest.skip(f"{path} is missing; it is one of the Braille graphs in the repository of NIR's paper")
    return path


def braille_spikes(inputs: int = 12, *, runs: int = 6, ticks: int = 256, seed: int = 3) -> np.ndarray:
    """Return spikes with rates from 0.02 to 0.4 a tick, shape (runs, ticks, inputs)."""
    rates = np.geomspace(0.02, 0.4, runs)[:, None, None]
    return (np.random.default_rng(seed).random((runs, ticks, inputs)) < rates).astype(np.int64)


def neurons_of(kind: str, count: int, dt: float, rng: np.random.Generator) -> Any:
    """Return a neuron node whose thresholds are near 1 and whose drives of order 1 make it spike."""
    common = {"v_threshold": rng.uniform(0.5, 1.5, count), "v_reset": rng.uniform(-0.3, 0.2, count)}
    if kind == "IF":
        return nir.IF(r=rng.uniform(0.5, 1, count) / dt, **common)
    leak = {"v_leak": rng.uniform(-0.2, 0.2, count)}
    tau = dt * rng.uniform(1, 30, count)
    if kind == "LIF":
        return nir.LIF(tau=tau, r=rng.uniform(0.5, 1, count) * tau / dt, **leak, **common)
    if kind == "CubaLIF":
        synapse = dt * rng.uniform(1, 6, count)
        resistance = rng.uniform(0.3, 1, count) * tau / dt
        return nir.CubaLIF(tau_mem=tau, tau_syn=synapse, r=resistance, w_in=synapse / dt, **leak, **common)
    return nir.Threshold(rng.uniform(-0.5, 0.5, count))


def random_graph(kinds: tuple[str, ...], seed: int, *, dt: float = 1e-3, recurrent: bool = True) -> nir.NIRGraph:
    """Return a graph of Affine and Linear nodes in turn and neurons of some kinds, half of them recurrent."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(3, 8))
    nodes: dict[str, Any] = {"in": nir.Input({"input": np.array([size])})}
    edges: list[tuple[str, str]] = []
    last = "in"
    for index, kind in enumerate(kinds):
        count = int(rng.integers(3, 9))
        weight, name = rng.normal(0, 1, (count, size)), f"{kind}_{index}"
        bias = rng.normal(0.1, 0.1, count)
        nodes[f"w_{index}"] = nir.Linear(weight) if index % 2 else nir.Affine(weight, bias)
        nodes[name] = neurons_of(kind, count, dt, rng)
        edges += [(last, f"w_{index}"), (f"w_{index}", name)]
        if recurrent and rng.random() < 0.5:
            nodes[f"r_{index}"] = nir.Affine(rng.normal(0, 0.6, (count, count)), rng.normal(0, 0.1, count))
            edges += [(name, f"r_{index}"), (f"r_{index}", name)]
        last, size = name, count
    nodes["out"] = nir.Output({"output": np.array([size])})
    return nir.NIRGraph(nodes, [*edges, (last, "out")])


class Straightforward:
    """NIR's equations by Euler's method, one line each, node by node; voltages are NIR's own.

    Layers are named as by :func:`random_graph`.
    """

    def __init__(self, graph: nir.NIRGraph, kinds: tuple[str, ...], dt: float, *, subtract: bool = False) -> None:
        self.nodes, self.kinds, self.dt, self.subtract = graph.nodes, kinds, dt, subtract
        self.layers = [self.nodes[f"{kind}_{index}"] for index, kind in enumerate(kinds)]
        self.v = [np.array(getattr(node, "v_leak", np.zeros(len(_threshold(node))))) for node in self.layers]
        self.i = [np.zeros(len(v)) for v in self.v]
        self.s = [np.zeros(len(v)) for v in self.v]

    def tick(self, x: np.ndarray) -> None:
        dt = self.dt
        for k, (kind, node) in enumerate(zip(self.kinds, self.layers, strict=True)):
            forward, backward = self.nodes[f"w_{k}"], self.nodes.get(f"r_{k}")
            x = forward.weight @ x + getattr(forward, "bias", 0)
            if backward is not None:
                x = x + backward.weight @ self.s[k] + backward.bias
            if kind == "IF":
                self.v[k] = self.v[k] + dt * node.r * x
            elif kind == "LIF":
                self.v[k] = self.v[k] + dt / node.tau * (node.v_leak - self.v[k] + node.r * x)
            elif kind == "CubaLIF":
                self.i[k] = self.i[k] + dt / node.tau_syn * (-self.i[k] + node.w_in * x)
                self.v[k] = self.v[k] + dt / node.tau_mem * (node.v_leak - self.v[k] + node.r * self.i[k])
            else:
                self.v[k] = np.where(x > node.threshold, 0, x)
            spikes = (x if kind == "Threshold" else self.v[k]) > _threshold(node)
            if kind != "Threshold":
                after = self.v[k] - (node.v_threshold - node.v_reset) if self.subtract else node.v_reset
                self.v[k] = np.where(spikes, after, self.v[k])
            x = self.s[k] = spikes.astype(float)


def braille_raster(path: Path, frames: np.ndarray, *, subtract: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes and voltages of both layers, read from the file's arrays, for frames of shape (runs, ticks, 12).

    Shapes (ticks, runs, 45 or 47), the hidden neurons first.
    """
    with h5py.File(path) as file:
        group: Any = file["node"]["nodes"]
        get = {name: {key: item[()] for key, item in group[name].items() if key != "metadata"} for name in group}
    dt, runs = BRAILLE_DT, len(frames)
    w1, w2, wr = get["fc1"], get["fc2"], get["lif1.w_rec"]
    a, b = get["lif1.lif"], get["lif2"]
    v1, i1, s1 = (np.zeros((runs, len(w1["weight"]))) for _ in range(3))
    v2, i2 = (np.zeros((runs, len(w2["weight"]))) for _ in range(2))
    spikes, voltages = [], []
    for x in frames.transpose(1, 0, 2):
        current = x @ w1["weight"].T.astype(float) + w1.get("bias", 0)
        current = current + s1 @ wr["weight"].T.astype(float) + wr.get("bias", 0)
        i1 = i1 + dt / a["tau_syn"] * (a["w_in"] * current - i1)
        v1 = v1 + dt / a["tau_mem"] * (a["r"] * i1 + a["v_leak"] - v1)
        s1 = (v1 > a["v_threshold"]).astype(float)
        v1 = v1 - s1 * a["v_threshold"] if subtract else np.where(s1 > 0, a.get("v_reset", 0), v1)
        current = s1 @ w2["weight"].T.astype(float) + w2.get("bias", 0)
        i2 = i2 + dt / b["tau_syn"] * (b["w_in"] * current - i2)
        v2 = v2 + dt / b["tau_mem"] * (b["r"] * i2 + b["v_leak"] - v2)
        s2 = (v2 > b["v_threshold"]).astype(float)
        v2 = v2 - s2 * b["v_threshold"] if subtract else np.where(s2 > 0, b.get("v_reset", 0), v2)
        spikes.append(np.hstack([s1, s2]))
        voltages.append(np.hstack([v1, v2]))
    return np.stack(spikes) > 0, np.stack(voltages)


def _threshold(node: Any) -> np.ndarray:
    return node.threshold if isinstance(node, nir.Threshold) else node.v_threshold
