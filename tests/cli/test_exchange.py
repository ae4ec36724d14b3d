"""``attractor import`` and ``export``: what they print and write, and what they refuse."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

import attractor
from attractor.host import Model
from attractor.spec import FelifSpec

ONES = np.ones(3)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A graph of three LIF neurons with time constants of 4 and 8 ms."""
    lif = nir.CubaLIF(tau_syn=4e-3 * ONES, tau_mem=8e-3 * ONES, r=ONES * 8, v_leak=0 * ONES, v_threshold=ONES)
    weights = nir.Affine(np.random.default_rng(0).normal(1, 1, (3, 2)), 0.1 * ONES)
    path = tmp_path / "net.nir"
    nir.write(path, nir.NIRGraph.from_list(weights, lif))
    return path


@pytest.fixture
def model(run: Callable, graph: Path, tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    assert run("import", graph, "--dt", "1e-3", "-o", path).code == 0
    return path


def test_import_reports_and_writes(run: Callable, graph: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    result = run("import", graph, "--dt", "1e-3", "-o", out, "--ticks", 12, "--json").json
    assert (result["model"], result["source"], result["rules"]["dt"]) == (str(out), "net.nir", 1e-3)
    assert {"time step", "order", "comparison", "reset"} <= result["decisions"].keys()
    assert [layer["node"] for layer in result["layers"]] == ["CubaLIF"]
    assert {error["parameter"] for error in result["layers"][0]["errors"]} >= {"weights", "decay", "synapse_decay"}
    assert result["agreement"]["layers"][0]["spikes_float"] > 0
    found = Model.load(out)
    assert isinstance(found.spec, FelifSpec)
    assert (found.spec.fingerprint.hex(), found.spec.ticks) == (result["fingerprint"], 12)


def test_import_as_text(run: Callable, graph: Path, tmp_path: Path) -> None:
    outcome = run("import", graph, "--dt", "1e-3", "-o", tmp_path / "net.safetensors")
    assert outcome.code == 0
    for part in ("decisions", "time step", "dt = 0.001", "rms error", "wrong cells", "net.safetensors"):
        assert part in outcome.out


def test_decisions_are_taken_from_the_command_line(run: Callable, graph: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"reset": "subtract", "discretisation": "exponential", "weight-bits": 5, "state-bits": 20}
    options |= {"input-bits": 4, "input-scale": 0.25}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    np.save(tmp_path / "frames.npy", np.ones((2, 30, 2), int))
    words += ["--at-threshold", "--frames", tmp_path / "frames.npy"]
    result = run("import", graph, "--dt", "1e-3", "-o", tmp_path / "net.safetensors", *words, "--json").json
    for name, value in (options | {"strict": False}).items():
        assert result["rules"][name.replace("-", "_")] == value
    assert (result["agreement"]["runs"], result["agreement"]["ticks"]) == (2, 30)


def test_export_and_import_again(run: Callable, model: Path, tmp_path: Path) -> None:
    result = run("export", model, "-o", tmp_path / "back.nir", "--json").json
    assert result["nodes"]["neurons_0"] == "CubaLIF"
    assert result["import_with"]["dt"] == 1e-3
    again = tmp_path / "again.safetensors"
    assert run("import", tmp_path / "back.nir", "--dt", result["import_with"]["dt"], "-o", again).code == 0
    first, second = Model.load(model), Model.load(again)
    assert first.spec == second.spec
    assert all((second.parameters[name] == values).all() for name, values in first.parameters.items())


def test_bad_imports(refused: Callable, graph: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.safetensors"
    to = ("-o", out)
    refused("import", tmp_path / "none.nir", "--dt", 1e-3, *to, says=("none.nir: no such file", "check the name"))
    refused("import", graph, "--dt", 1, *to, says=("tau_mem of node 'cubalif' is 0.008", "shorter", "dt = 1"))
    refused("import", graph, "--dt", 1e-9, *to, says=("tau_mem of node 'cubalif' is 0.008", "unit"))
    refused("import", graph, "--dt", 0, *to, says=("dt is 0", "positive"))
    refused("import", graph, "--dt", 1e-3, "--reset", "none", *to, says=("reset is 'none'", "value, subtract"))
    refused("import", graph, "--dt", 1e-3, "-o", tmp_path / "m.nir", says=("m.nir", ".safetensors"))
    refused("import", graph, "--dt", 1e-3, "--frames", tmp_path / "no.npy", *to, says=("no.npy: no such file",))
    np.save(tmp_path / "frames.npy", np.ones((2, 30, 7), int))
    refused("import", graph, "--dt", 1e-3, "--frames", tmp_path / "frames.npy", *to, says=("(2, 30, 7)", "2 entries"))
    graph.write_bytes(graph.read_bytes()[:900])
    refused("import", graph, "--dt", 1e-3, *to, says=("net.nir cannot be read as HDF5", "export it again"))
    graph.write_text("hello")
    refused("import", graph, "--dt", 1e-3, *to, says=("net.nir cannot be read as HDF5",))
    assert not out.exists()


def test_bad_exports(refused: Callable, model: Path, classifier: Path, tmp_path: Path) -> None:
    refused("export", classifier, "-o", tmp_path / "c.nir", says=("family 'oscillator'", "'felif'"))
    refused("export", tmp_path / "none.safetensors", "-o", tmp_path / "c.nir", says=("none.safetensors: no such file",))
    refused("export", model, "-o", tmp_path / "c.h5", says=("c.h5", ".nir"))
    refused("export", model, "-o", tmp_path / "missing" / "c.nir", says=("there is no folder",))
    refused("export", model, "--dt", -1, "-o", tmp_path / "c.nir", says=("dt is -1",))
    unknown = tmp_path / "unknown.safetensors"
    found = Model.load(model)
    Model(found.spec, found.parameters).save(unknown)
    refused("export", unknown, "-o", tmp_path / "c.nir", says=("give dt",))


@pytest.mark.parametrize("words", [("import", "x.nir", "-o", "m.safetensors"), ("import", "x.nir", "--dt", "fast")])
def test_usage_errors(run: Callable, words: tuple[str, ...]) -> None:
    outcome = run(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert "--dt" in outcome.err


@pytest.mark.parametrize("missing", ["nir", "h5py"])
def test_without_the_library(
    refused: Callable, graph: Path, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package is imported anew: what the name leads to has to be put back as well.
    monkeypatch.setattr(attractor, "nir", importlib.import_module("attractor.nir"))
    monkeypatch.setitem(sys.modules, missing, None)
    for name in [name for name in sys.modules if name.startswith("attractor.nir")]:
        monkeypatch.delitem(sys.modules, name)
    says = (f"{missing} is not installed", "pip install 'attractor[nir]'")
    refused("import", graph, "--dt", 1e-3, "-o", tmp_path / "m.safetensors", says=says)
