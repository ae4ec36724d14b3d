"""Specs from files, and every way in which a file can be wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from attractor.host import Model
from attractor.spec import OscillatorSpec, SpecError
from attractor.spec.files import HEADER_BYTES, load_spec


def test_spec_from_json(tmp_path: Path, spec: OscillatorSpec) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(spec.to_dict(), indent=2))
    assert load_spec(path) == spec
    assert load_spec(str(path)) == spec


def test_spec_from_model(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "network.safetensors"
    model.save(path)
    assert load_spec(path) == model.spec


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("spec.json", b'{"family": "oscillator"', "a spec must be JSON"),
        ("spec.json", b"[1]", "a spec must be a JSON object, not list"),
        ("spec.json", b'{"family": "crystal"}', "unknown network family 'crystal'"),
        ("spec.json", b"\xff\xfe", "is not text"),
        ("spec.toml", b"", "cannot tell what kind of file this is"),
        ("model.safetensors", b"\x02\0\0", "ends after 3 bytes, inside its header"),
        ("model.safetensors", (100).to_bytes(8, "little") + b"{}", "ends after 10 bytes, inside its header"),
        ("model.safetensors", (1 << 60).to_bytes(8, "little"), f"claims a header of {1 << 60} bytes"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"{]", "has a damaged header"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"[]", "has a damaged header"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"{}", "holds tensors but no spec"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"{}x", "its tensors have 0 bytes, and 1 follow its header"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SpecError, match=re.escape(message)) as caught:
        load_spec(path)
    assert str(path) in str(caught.value)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"gone\.json: no such file; check the name, or train a model first"):
        load_spec(tmp_path / "gone.json")
    folder = tmp_path / "folder.json"
    folder.mkdir()
    with pytest.raises(SpecError, match=r"folder\.json cannot be read: Is a directory"):
        load_spec(folder)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(HEADER_BYTES + 1)
    with pytest.raises(SpecError, match="so it is no spec"):
        load_spec(path)
