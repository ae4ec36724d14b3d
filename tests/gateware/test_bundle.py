from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from attractor.gateware.bundle import FORMAT, Bundle, BundleError
from attractor.spec import OscillatorSpec

SPEC = OscillatorSpec(oscillators=6, lanes=3)


def bundle(**changes: Any) -> Bundle:
    bitstream = bytes(range(256)) * 10
    manifest = {
        "format": FORMAT,
        "spec": SPEC.to_dict(),
        "fingerprint": SPEC.fingerprint.hex(),
        "board": "icebreaker",
        "bitstream": "top.bin",
        "bitstream_sha256": hashlib.sha256(bitstream).hexdigest(),
    }
    return Bundle(bitstream, manifest | changes)


def test_a_saved_bundle_is_read_back(tmp_path: Path) -> None:
    path = bundle().save(tmp_path / "new" / "a.attractor")
    assert Bundle.open(path) == bundle()
    assert Bundle.open(path).spec == SPEC
    assert [entry.name for entry in path.parent.iterdir()] == ["a.attractor"]


def test_the_archive_holds_three_readable_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle().save(tmp_path / "a.attractor")) as archive:
        assert archive.namelist() == ["manifest.json", "memory_map.json", "top.bin"]
        windows = json.loads(archive.read("memory_map.json"))
    assert [(window["number"], window["name"]) for window in windows] == [
        (SPEC.memory_map.number(window.name), window.name) for window in SPEC.memory_map.windows
    ]
    assert {"name": "state", "region": "input", "words": 6, "word_bits": 8}.items() <= windows[4].items()


def test_equal_bundles_are_equal_bytes() -> None:
    first, second = bundle(), bundle()
    reordered = Bundle(second.bitstream, dict(reversed(second.manifest.items())))
    assert first.to_bytes() == reordered.to_bytes()
    assert first.to_bytes() != bundle(board="hx8k-evn").to_bytes()


def test_the_bitstream_can_be_taken_out(tmp_path: Path) -> None:
    path = bundle().save_bitstream(tmp_path)
    assert path == tmp_path / "top.bin"
    assert path.read_bytes() == bundle().bitstream


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": FORMAT + 1}, rf"format {FORMAT + 1}, and this version reads format {FORMAT}"),
        ({"fingerprint": "00" * 8}, "fingerprint 0000000000000000, and its spec has"),
        ({"bitstream_sha256": "0"}, "not the one that was built"),
        ({"spec": {"family": "unheard"}}, "unheard"),
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    good = bundle().save(tmp_path / "good")
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | changes).encode()
    bad = tmp_path / "bad"
    with zipfile.ZipFile(bad, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with pytest.raises(BundleError, match=message):
        Bundle.open(bad)


@pytest.mark.parametrize("cut", [0, 10, 1000, -1])
def test_a_cut_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(bundle().to_bytes()[:cut])
    with pytest.raises(BundleError, match="build it again"):
        Bundle.open(path)


def test_a_flipped_bit_anywhere_in_the_bitstream_is_noticed(tmp_path: Path) -> None:
    data = bytearray(bundle().to_bytes())
    start = data.index(bundle().bitstream)
    data[start + 1234] ^= 4
    path = tmp_path / "flipped"
    path.write_bytes(data)
    with pytest.raises(BundleError, match="build it again"):
        Bundle.open(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Bundle.open(tmp_path / "nothing")
