"""Model files: what is saved comes back, and nothing else does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attractor.host import Model, ModelFileError
from attractor.spec import OscillatorSpec, SpecError


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
    spec = OscillatorSpec(oscillators=3, schedule_entries=1)
    parameters = {"weights": np.ones((3, 3), int), "schedule": spec.schedule(5), "settle": np.array(1)}
    model = Model(spec, parameters, {"seed": 1})
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
        assert loaded == model  # white space for white space


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
