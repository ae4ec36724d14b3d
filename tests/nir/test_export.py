"""Networks become NIR graphs, and come back as what they were; what NIR has no words for is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from attractor.golden import FelifNetwork
from attractor.host import Model
from attractor.host.felif import NeuronOutputs, Ticks
from attractor.host.interface import Interface
from attractor.nir import NirError, from_nir, read_graph, to_nir, write_graph
from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.spec import FelifLayer, FelifSpec, OscillatorSpec

from ..host.conftest import make_model  # noqa: TID252
from .nir_cases import BRAILLE, BRAILLE_DT, braille_file, random_graph

DT = 1e-3
CHAINS = [("IF",), ("LIF", "CubaLIF"), ("CubaLIF", "IF"), ("Threshold", "LIF")]


def network(*layers: FelifLayer, seed: int = 0, **values: Any) -> Model:
    """Return a model with random weights whose neurons spike, and ``values`` instead of some parameters."""
    rng = np.random.default_rng(seed)
    spec = FelifSpec(inputs=5, layers=layers, ticks=64)
    parameters: dict[str, Any] = {}
    for index, layer in enumerate(layers):
        n = layer.neurons
        high = layer.weight_range[1]
        weights = rng.integers(-high, high + 1, (n, spec.sources(index)))
        weights[:, 0] = high
        own: dict[str, Any] = {
            "weights": weights,
            "scale": rng.integers(2000, 4000, n),
            "bias": rng.integers(0, 300, n),
        }
        own |= {"decay": rng.integers(20000, 32000, n), "threshold": rng.integers(20000, 30000, n)}
        own |= {"synapse_decay": rng.integers(10000, 30000, n), "reset": rng.integers(-9000, 9000, n)}
        if layer.ferroelectric:
            own |= felif_parameters(layer, FelifDevice())
        parameters |= {f"{name}_{index}": array for name, array in own.items()}
    return Model(spec, {name: (parameters | values)[name] for name in spec.parameters})


def lif(**fields: Any) -> FelifLayer:
    return FelifLayer(
        **({"neurons": 4, "kind": "lif", "weight_bits": 4, "scale_shift": 0, "strict": True, "state_bits": 24} | fields)
    )


def equal(one: Model, other: Model) -> None:
    assert one.spec == other.spec
    for name, values in one.parameters.items():
        np.testing.assert_array_equal(other.parameters[name], values, err_msg=name)


@pytest.mark.parametrize("kinds", CHAINS, ids="-".join)
@pytest.mark.parametrize("discretisation", ["euler", "exponential"])
def test_what_was_imported_comes_back_whole(kinds: tuple[str, ...], discretisation: str, tmp_path: Path) -> None:
    for seed in range(2):
        imported = from_nir(random_graph(kinds, seed, dt=DT), dt=DT, discretisation=discretisation)
        if "Threshold" in kinds and discretisation == "exponential":
            with pytest.raises(NirError, match=r"decay_0\[0\] is 0, .*'euler'"):
                to_nir(imported.model)
            continue
        exported = to_nir(imported.model)
        write_graph(tmp_path / "net.nir", exported.graph)
        again = from_nir(read_graph(tmp_path / "net.nir"), **exported.rules)
        equal(imported.model, again.model)
        assert [type(node).__name__ for node in exported.graph.nodes.values() if hasattr(node, "v_threshold")] == [
            "LIF" if kind == "Threshold" else kind for kind in kinds
        ]


@pytest.mark.parametrize(("name", "reset"), BRAILLE.items())
def test_braille_comes_back_whole(name: str, reset: str, tmp_path: Path) -> None:
    imported = from_nir(braille_file(name), dt=BRAILLE_DT, reset=reset)
    exported = to_nir(imported.model)
    write_graph(tmp_path / "braille.nir", exported.graph)
    equal(imported.model, from_nir(tmp_path / "braille.nir", **exported.rules).model)
    original: Any = read_graph(braille_file(name)).nodes["lif1.lif"]
    back: Any = exported.graph.nodes["neurons_0"]
    for field in ("tau_syn", "tau_mem", "r", "w_in"):
        np.testing.assert_allclose(getattr(back, field), getattr(original, field), rtol=2e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "layers",
    [
        (lif(),),
        (lif(synapse=True, recurrent=True), lif(neurons=3)),
        (lif(reset="subtract"), lif(reset="subtract", synapse=True)),
        (lif(reset="value", strict=False),),
        (lif(), FelifLayer(neurons=3, kind="readout", weight_bits=4, scale_shift=0)),
    ],
    ids=lambda layers: "-".join(layer.kind + layer.reset for layer in layers),
)
def test_what_was_trained_here_spikes_the_same_once_it_comes_back(layers: tuple[FelifLayer, ...], seed: int) -> None:
    readout = {f"decay_{len(layers) - 1}": np.zeros(3, int)} if not layers[-1].spikes else {}
    model = network(*layers, seed=seed, **readout)
    exported = to_nir(model, dt=DT)
    frames = (np.random.default_rng(seed).random((4, 60, 5)) < 0.3).astype(int)
    # Weights of four bits are held by wider ones as they are; sums are rounded elsewhere, so a few spikes may differ.
    again = from_nir(exported.graph, **exported.rules | {"weight_bits": 8}).model
    assert isinstance(model.spec, FelifSpec)
    assert isinstance(again.spec, FelifSpec)
    ours = FelifNetwork(model.spec, model.parameters).run(frames, trace=True)
    theirs = FelifNetwork(again.spec, again.parameters).run(frames, trace=True)
    assert ours.traces is not None
    assert theirs.traces is not None
    for one, other in zip(ours.traces, theirs.traces, strict=True):
        assert (one.spikes != other.spikes).mean() < 0.01
    assert ours.traces[0].spikes.any()


def test_the_graph_is_named_and_shaped_as_described() -> None:
    exported = to_nir(network(lif(synapse=True, recurrent=True), lif(neurons=3), bias_1=np.zeros(3, int)), dt=DT)
    kinds = {name: type(node).__name__ for name, node in exported.graph.nodes.items()}
    assert kinds == {
        "input": "Input",
        "weights_0": "Affine",
        "neurons_0": "CubaLIF",
        "recurrent_0": "Linear",
        "weights_1": "Linear",
        "neurons_1": "LIF",
        "output": "Output",
    }
    assert exported.rules["dt"] == DT
    assert exported.rules["reset"] == "value"
    assert exported.graph.check_types()


# What NIR cannot say


@pytest.mark.parametrize(("kind", "name"), [("felif_a", "FeLIF A"), ("felif_b", "FeLIF B")])
def test_ferroelectric_neurons_are_refused_by_name(kind: str, name: str) -> None:
    model = network(lif(), FelifLayer(neurons=3, kind=kind))
    with pytest.raises(NirError, match=f"layer 1 is of {name} neurons, which NIR cannot express: .*no polarisation"):
        to_nir(model, dt=DT)


def test_other_families_are_refused() -> None:
    with pytest.raises(NirError, match="of family 'oscillator'; only networks of family 'felif'"):
        to_nir(make_model(OscillatorSpec(oscillators=8, lanes=2)), dt=DT)


@pytest.mark.parametrize(
    ("layers", "values", "says"),
    [
        ((lif(), lif(strict=False)), {}, "compare in two ways, layer 1 with >= and layer 0 with >"),
        ((lif(), lif(reset="subtract")), {}, "reset in two ways, layer 0 by value and layer 1 by subtraction"),
        ((lif(),), {"decay_0": [32768, 32768, 9, 9]}, r"decay_0\[0\] keeps everything"),
        ((lif(synapse=True),), {"synapse_decay_0": [9, 32768, 9, 9]}, r"synapse_decay_0\[1\] keeps everything"),
        ((lif(), FelifLayer(neurons=3, kind="readout")), {}, "layer 1 is a read-out that sums over ticks"),
    ],
)
def test_layers_that_nir_has_no_words_for(layers: tuple[FelifLayer, ...], values: dict[str, Any], says: str) -> None:
    with pytest.raises(NirError, match=says):
        to_nir(network(*layers, **{name: np.array(value) for name, value in values.items()}), dt=DT)


def test_the_time_step_must_be_known() -> None:
    with pytest.raises(NirError, match="does not say how long a tick is; give dt"):
        to_nir(network(lif()))
    with pytest.raises(NirError, match="dt is -1"):
        to_nir(network(lif()), dt=-1)
    with pytest.raises(NirError, match="discretisation is 'heun'"):
        to_nir(network(lif()), dt=DT, discretisation="heun")


def test_what_a_model_says_of_its_ticks_is_the_default() -> None:
    layer = lif()
    plain = network(layer)
    said = replace(plain, interface=Interface(Ticks(DT, "exponential"), NeuronOutputs("spikes", (64.0,))))
    found = to_nir(said)
    assert (found.rules["dt"], found.rules["discretisation"]) == (DT, "exponential")
    threshold = found.graph.nodes["neurons_0"].v_threshold
    np.testing.assert_allclose(threshold, plain.parameters["threshold_0"] / 64)
    asked = to_nir(said, dt=2 * DT, discretisation="euler").rules
    assert (asked["dt"], asked["discretisation"]) == (2 * DT, "euler")
    # Without a unit the largest threshold lies between 0.5 and 1; provenance is for people and says nothing.
    other = to_nir(replace(plain, provenance={"nir": {"rules": {"dt": DT}}}), dt=DT)
    assert 0.5 <= other.graph.nodes["neurons_0"].v_threshold.max() <= 1
    assert isinstance(found.graph, nir.NIRGraph)
