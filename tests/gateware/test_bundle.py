from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from attractor.gateware.bundle import FORMAT, Bundle, BundleError, describe_memory_map
from attractor.gateware.report import TimingPath
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator.call import SCHEDULE_ENTRY

SPEC = OscillatorSpec(oscillators=6, lanes=3)
BUILD = {"board": "icebreaker", "clock_hz": 12_000_000, "baud": 500_000, "seed": 4}


def bundle(**changes: Any) -> Bundle:
    bitstream = bytes(range(256)) * 10
    manifest = {
        "format": FORMAT,
        "network": SPEC.network_to_dict(),
        "build": SPEC.build_to_dict() | BUILD,
        "fingerprint": SPEC.fingerprint.hex(),
        "bitstream": "top.bin",
        "bitstream_sha256": hashlib.sha256(bitstream).hexdigest(),
    }
    return Bundle(bitstream, manifest | changes)


def with_manifest(path: Path, manifest: dict[str, Any]) -> Path:
    """Write the bundle with another manifest to ``path``, as a zip archive like any."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("top.bin", bundle().bitstream)
    return path


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
    (schedule,) = (window for window in windows if window["name"] == "schedule")
    assert [field["name"] for field in schedule["fields_of_a_word"]] == [field.name for field in SCHEDULE_ENTRY.fields]


def test_windows_are_described_by_the_old_name_too() -> None:
    with pytest.warns(DeprecationWarning, match=r"map\.describe"):
        assert describe_memory_map(SPEC.memory_map) == SPEC.memory_map.describe()


def test_network_and_build_are_apart() -> None:
    built = bundle()
    assert built.board == "icebreaker"
    other = bundle(build={"lanes": 5} | BUILD)
    assert other.spec == OscillatorSpec(oscillators=6, lanes=5)
    assert other.manifest["network"] == built.manifest["network"]
    assert bundle(build=BUILD).spec == SPEC.network


def test_a_bundle_of_the_first_format_becomes_one_of_the_second(tmp_path: Path) -> None:
    now = bundle().manifest
    before = {name: value for name, value in now.items() if name not in ("network", "build")}
    path = with_manifest(tmp_path / "old", before | {"format": 1, "spec": SPEC.to_dict()} | BUILD)
    assert Bundle.open(path) == bundle()
    assert Bundle.open(Bundle.open(path).save(tmp_path / "new")) == bundle()


def test_a_bundle_tells_its_clock_and_the_paths_that_limit_it(tmp_path: Path) -> None:
    paths = [TimingPath("clock", "clock", "a", "c", 45.5, 15.5, 30.0, 9, ("a", "b", "c"))]
    fmax = {"clock": [21_978_021, 21_000_000], "other": [80_000_000, 21_000_000]}
    made = bundle(fmax_hz=fmax, critical_paths=[path.to_dict() for path in paths])
    opened = Bundle.open(made.save(tmp_path / "a.zip"))
    assert (opened.clock_hz, opened.seed, opened.fmax_hz) == (12_000_000, 4, 21_978_021)
    assert opened.critical_paths == tuple(paths)


def test_a_bundle_without_paths_loads(tmp_path: Path) -> None:
    assert Bundle.open(bundle().save(tmp_path / "old.zip")).critical_paths == ()


def test_equal_bundles_are_equal_bytes() -> None:
    first, second = bundle(), bundle()
    reordered = Bundle(second.bitstream, dict(reversed(second.manifest.items())))
    assert first.to_bytes() == reordered.to_bytes()
    assert first.to_bytes() != bundle(build=SPEC.build_to_dict() | BUILD | {"board": "hx8k-evn"}).to_bytes()


def test_the_bitstream_can_be_taken_out(tmp_path: Path) -> None:
    path = bundle().save_bitstream(tmp_path)
    assert path == tmp_path / "top.bin"
    assert path.read_bytes() == bundle().bitstream


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": FORMAT + 1}, rf"format {FORMAT + 1}, and this version reads formats 1 to {FORMAT}"),
        ({"fingerprint": "00" * 8}, "fingerprint 0000000000000000, and its spec has"),
        ({"bitstream_sha256": "0"}, "not the one that was built"),
        ({"network": {"family": "unheard"}}, "unheard"),
        ({"build": SPEC.build_to_dict() | {"lanes": 2}}, "fingerprint"),
        ({"format": 1}, "not a whole bundle"),
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Bundle.open(with_manifest(tmp_path / "bad", bundle().manifest | changes))


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
