"""Model files: what is saved comes back, of this format and of the first one, and nothing else does."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from attractor.host import Model, ModelFileError
from attractor.host.eqprop import EqPropLearning, PixelBits
from attractor.host.felif import NeuronOutputs, NoteLogits, PianoRoll, Ticks
from attractor.host.interface import Classes, Interface
from attractor.host.model_files import FORMAT, canonical, hash_of
from attractor.host.oscillator import Patterns, PixelPhases
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec, SpecError
from attractor.spec.files import MODEL_FORMATS, load_spec


def metadata_of(path: Path) -> dict[str, str]:
    with safetensors.safe_open(path, "numpy") as file:
        return file.metadata()


def write(path: Path, metadata: dict[str, str], tensors: Any) -> None:
    """Write a file of format 2 with a true checksum, whatever its metadata are."""
    texts = [text for name, value in sorted(metadata.items()) if name != "sha256" for text in (name, value)]
    safetensors.numpy.save_file(dict(tensors), path, metadata | {"sha256": hash_of(texts, tensors)})


def write_first_format(path: Path, spec: Spec, tensors: Any, provenance: dict[str, Any]) -> None:
    """Write a file as version 0.1 did."""
    texts = [MODEL_FORMATS[0], spec.to_json(), canonical(provenance)]
    told = dict(zip(("format", "spec", "provenance"), texts, strict=True))
    safetensors.numpy.save_file(dict(tensors), path, told | {"sha256": hash_of(texts, tensors)})


def test_round_trip(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = Model.load(path)
    assert loaded == model
    assert loaded.spec == model.spec
    assert loaded.provenance == {"data set": "random", "seed": 0}
    for name, array in model.parameters.items():
        np.testing.assert_array_equal(loaded.parameters[name], array)
        assert loaded.parameters[name].dtype == array.dtype
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_folding_is_kept_and_is_no_part_of_a_model(tmp_path: Path, model: Model) -> None:
    assert isinstance(model.spec, OscillatorSpec)
    other = replace(model, spec=replace(model.spec, lanes=2))
    plain = replace(model, spec=model.spec.network)
    assert model == other == plain
    assert hash(model) == hash(other)
    for made in (model, other, plain):
        made.save(tmp_path / "model.safetensors")
        loaded = Model.load(tmp_path / "model.safetensors")
        assert (loaded, loaded.spec) == (made, made.spec)
        assert ("build" in metadata_of(tmp_path / "model.safetensors")) == (made is not plain)
        assert load_spec(tmp_path / "model.safetensors") == made.spec
    wider = replace(model.spec, weight_bits=6)
    assert Model(wider, model.parameters, model.provenance) != model


def test_meaning_is_part_of_a_model(tmp_path: Path, model: Model) -> None:
    meant = replace(model, interface=Interface(PixelPhases(0.0, 1.0), Classes((1, 2, 3), by="phases")))
    assert meant != model
    assert meant != replace(meant, interface=replace(meant.interface, outputs=Classes(("1", "2", "3"), by="phases")))
    meant.save(tmp_path / "model.safetensors")
    loaded = Model.load(tmp_path / "model.safetensors")
    assert loaded == meant
    assert loaded.interface == meant.interface
    assert pickle.loads(pickle.dumps(meant)) == copy.deepcopy(meant) == meant


def test_equal_models_give_equal_bytes(tmp_path: Path, model: Model) -> None:
    reordered = {name: np.array(model.parameters[name], order="F") for name in sorted(model.parameters)}
    model.save(tmp_path / "a.safetensors")
    Model(model.spec, reordered, {"seed": np.int64(0), "data set": "random"}).save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_another_process_writes_the_same_bytes(tmp_path: Path, model: Model) -> None:
    model.save(tmp_path / "a.safetensors")
    program = "import sys; from attractor.host import Model; Model.load(sys.argv[1]).save(sys.argv[2])"
    arguments = [str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_models_are_read_only_copies(spec: OscillatorSpec, model: Model) -> None:
    weights = np.zeros((spec.targets, spec.oscillators), np.int8)
    made = Model(spec, {**model.parameters, "weights": weights})
    weights[:] = 1
    assert not made.parameters["weights"].any()
    with pytest.raises(ValueError, match="read-only"):
        made.parameters["weights"][:] = 1
    assert made != model
    assert hash(made) != hash(model)


def test_weights_out_of_range_are_named(spec: OscillatorSpec, model: Model) -> None:
    weights = np.array(model.parameters["weights"], np.int64)
    weights[2, 3] = 16
    with pytest.raises(SpecError, match=re.escape("weights[2, 3] is 16; it must lie between -16 and 15")):
        Model(spec, {**model.parameters, "weights": weights})


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}])
def test_provenance_that_json_cannot_hold(spec: OscillatorSpec, model: Model, value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Model(spec, model.parameters, {"accuracy": value})


@given(data=st.data())
def test_every_altered_byte_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    spec = OscillatorSpec(oscillators=3, schedule_entries=1, lanes=2)
    parameters = {"weights": np.ones((3, 3), int), "schedule": spec.schedule(5), "settle": np.array(1)}
    model = Model(spec, parameters, {"seed": 1}, Interface(Patterns(), Patterns()))
    path = tmp_path_factory.mktemp("altered") / "model.safetensors"
    model.save(path)
    contents = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(contents) - 1))
    contents[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(contents)
    try:
        loaded = Model.load(path)
    except ModelFileError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert (loaded, loaded.spec) == (model, model.spec)  # white space for white space


@pytest.mark.parametrize("size", [0, 5, 8, 100, -1])
def test_truncated_files(tmp_path: Path, model: Model, size: int) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelFileError, match=r"model\.safetensors is no intact model file: .*copy it again"):
        Model.load(path)


def test_an_altered_weight_is_named(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1  # still a weight in range
    path.write_bytes(contents)
    with pytest.raises(ModelFileError, match=r"its SHA-256 is .*, it was saved with"):
        Model.load(path)


# Versions


def test_what_an_older_minor_version_did_not_write_has_its_default(tmp_path: Path, model: Model) -> None:
    network = model.spec.network_to_dict()
    del network["lock_phases"], network["learning"]
    path = tmp_path / "model.safetensors"
    write(path, {"format": FORMAT, "network": canonical(network)}, model.parameters)
    loaded = Model.load(path)
    assert loaded == Model(model.spec, model.parameters)
    assert loaded.spec == model.spec.network == load_spec(path)
    assert loaded.interface == Interface()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "attractor-model-3"}, "its format is 'attractor-model-3'; this version reads .*: install the"),
        ({"clock": "{}"}, r"its metadata have unknown fields \['clock'\]; install the newer version"),
        ({"interface": '{"clock":{}}'}, r"unknown fields \['clock'\].* newer version\? Install that one"),
        ({"interface": '{"inputs":{"kind":"spectrum"}}'}, "of an unknown kind, 'spectrum'.*install the version"),
        ({"build": '{"depth":3}'}, r"unknown fields \['depth'\].* newer version\? Install that one"),
        ({"build": '{"weight_bits":6}'}, r"its build names \['weight_bits'\]"),
        ({"build": '{"lanes":99}'}, "lanes is 99"),
        ({"network": '{"family":"crystal"}'}, "unknown network family 'crystal'"),
        ({"network": '{"family":"oscillator","oscillators":24,"size":3}'}, r"unknown fields \['size'\]"),
        ({"network": "[]"}, "its network is \\[\\] instead of a JSON object"),
        ({"network": "["}, "its network is no JSON"),
        ({"provenance": "[" * 200_000}, "its provenance is no JSON"),
    ],
)
def test_what_a_newer_version_wrote_is_named(
    tmp_path: Path, model: Model, change: dict[str, str], message: str
) -> None:
    path = tmp_path / "model.safetensors"
    write(path, {"format": FORMAT, "network": canonical(model.spec.network_to_dict())} | change, model.parameters)
    with pytest.raises(ModelFileError, match=rf"model\.safetensors is no model that this version knows: .*{message}"):
        Model.load(path)


@pytest.mark.parametrize("missing", ["format", "network", "sha256"])
def test_metadata_that_are_missing(tmp_path: Path, model: Model, missing: str) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    told = metadata_of(path)
    del told[missing]
    safetensors.numpy.save_file(dict(model.parameters), path, told)
    with pytest.raises(ModelFileError, match=f"no intact model file: its metadata have no {missing}; copy it again"):
        Model.load(path)


def test_parameters_that_do_not_fit_the_network(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {name: array for name, array in model.parameters.items() if name != "settle"}
    write(path, {"format": FORMAT, "network": canonical(model.spec.network_to_dict())}, tensors)
    with pytest.raises(ModelFileError, match=r"missing \['settle'\]; copy it again or train it again"):
        Model.load(path)


LIF = FelifSpec(inputs=2, layers=(FelifLayer(neurons=3, kind="lif"), FelifLayer(neurons=2, kind="readout")))
EQPROP = EqPropSpec(layers=(3, 4, 2), classes=2, state_high=7, learning=True)
CODE = {"pixels": 2, "black": 0.0, "white": 1.0, "levels": [0.25, 0.75], "inputs": [0, 1, 3]}
TOLD = {"classes": [0, 1], "code": CODE, "thresholds": [4, 2], "both_signs": False, "learnt": 7, "seed": 5}
RULES = {"rules": {"dt": 1e-3, "discretisation": "exponential", "input_scale": 2.0}}


@pytest.mark.parametrize(
    ("spec", "provenance", "interface", "kept"),
    [
        (
            OscillatorSpec(oscillators=5, inputs=3, labels=2, reference=2),
            {"rule": "saturated-delta", "classes": ["3", "7"], "black": 0.0, "white": 16.0, "seed": 1},
            Interface(PixelPhases(0.0, 16.0), Classes(("3", "7"), by="phases")),
            {"rule": "saturated-delta", "seed": 1},
        ),
        (
            OscillatorSpec(oscillators=7, inputs=3, labels=2, reference=2),
            {"classes": ["3", "7"], "black": 0.0, "white": 16.0},
            Interface(PixelPhases(0.0, 16.0, binary=True), Classes(("3", "7"), by="phases")),
            {},
        ),
        (OscillatorSpec(oscillators=6), {"rule": "hebb"}, Interface(Patterns(), Patterns()), {"rule": "hebb"}),
        (OscillatorSpec(oscillators=6), {"problem": "ising"}, Interface(), {"problem": "ising"}),
        (
            EQPROP,
            TOLD,
            Interface(PixelBits(**CODE), Classes((0, 1)), EqPropLearning((4, 2), learnt=7, seed=5)),
            {"seed": 5},
        ),
        (EQPROP, {"samples": 3}, Interface(), {"samples": 3}),
        (EQPROP, TOLD | {"code": 3}, Interface(), TOLD | {"code": 3}),
        (
            LIF,
            {"nir": RULES | {"layers": [{"steps_per_volt": 8.0}, {"steps_per_volt": 4.0}]}},
            Interface(Ticks(1e-3, "exponential", 2.0), NeuronOutputs("voltages", (8.0, 4.0))),
            {"nir": RULES | {"layers": [{"steps_per_volt": 8.0}, {"steps_per_volt": 4.0}]}},
        ),
        (LIF, {"nir": RULES | {"layers": [{}]}}, Interface(), {"nir": RULES | {"layers": [{}]}}),
        (LIF, {}, Interface(), {}),
        (
            LIF,
            {"data": "jsb-chorales-quarter"},
            Interface(PianoRoll(43), NoteLogits(43, 256.0)),
            {"data": "jsb-chorales-quarter"},
        ),
    ],
)
def test_the_first_format_tells_meaning_in_its_provenance(
    tmp_path: Path, spec: Spec, provenance: dict[str, Any], interface: Interface, kept: dict[str, Any]
) -> None:
    highest = {name: np.full(each.shape, 0) + each.high for name, each in spec.parameters.items()}
    tensors = spec.check_parameters(highest)
    path = tmp_path / "model.safetensors"
    write_first_format(path, spec, tensors, provenance)
    loaded = Model.load(path)
    assert loaded == Model(spec, tensors, kept, interface)
    assert loaded.spec == spec == load_spec(path)
    loaded.save(path)
    assert metadata_of(path)["format"] == FORMAT
    assert Model.load(path) == loaded


def test_an_altered_file_of_the_first_format_is_noticed(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "model.safetensors"
    write_first_format(path, model.spec, model.parameters, {"seed": 1})
    told = metadata_of(path)
    for name, value in (("provenance", "{}"), ("spec", told["spec"].replace('"lanes":7', '"lanes":5'))):
        safetensors.numpy.save_file(dict(model.parameters), path, told | {name: value})
        with pytest.raises(ModelFileError, match=r"its SHA-256 is .*, it was saved with"):
            Model.load(path)


# Files


def test_missing_files_and_names(tmp_path: Path, model: Model) -> None:
    with pytest.raises(ModelFileError, match=r"gone\.safetensors: no such file; check the name"):
        Model.load(tmp_path / "gone.safetensors")
    with pytest.raises(ModelFileError, match=r"cannot be read: Is a directory"):
        Model.load(tmp_path)
    with pytest.raises(ModelFileError, match=r"model\.bin: the name of a model file ends in \.safetensors"):
        model.save(tmp_path / "model.bin")
    with pytest.raises(ModelFileError, match="cannot be written: No such file or directory"):
        model.save(tmp_path / "nowhere" / "model.safetensors")


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def full_disk(self: Path, data: bytes) -> None:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(ModelFileError, match="No space left on device"):
        model.save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
