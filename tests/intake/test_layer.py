"""The layer through which everything comes in: what is good passes unchanged, and limits hold before any work."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from attractor.intake import IntakeError, files, hdf5, refusing
from attractor.intake.archives import Archive, check_name
from attractor.intake.arrays import read_arrays, read_npz
from attractor.intake.documents import MOST_DEPTH, parsed_json, parsed_object, parsed_toml
from attractor.intake.errors import told
from attractor.intake.tensors import read_header
from attractor.intake.text import printable

ARRAYS: list[Any] = [
    np.arange(12.0).reshape(3, 4),
    np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    np.array(7),
    np.zeros((0, 5), bool),
    np.array(["a", "bcd"]),
    np.array([b"x", b"yz"]),
    np.array([1 + 2j], np.complex64),
    np.zeros(3, [("a", "<i4"), ("b", "<f8")]),
]


# Text and errors


@given(st.text())
def test_printable_text_holds_nothing_that_a_terminal_acts_on(text: str) -> None:
    found = printable(text)
    assert found.isprintable()
    found.encode()
    assert printable(text) == text if text.isprintable() else "\\" in found
    lines = printable(text, lines=True).replace("\n", "").replace("\t", "")
    assert lines.isprintable()


def test_printable_text_is_cut() -> None:
    assert printable("abcdef", 3) == "abc…"
    assert printable("\x1b[31m\n", lines=True) == "\\x1b[31m\n"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyError("spec"), "'spec' is missing"),
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "more memory"),
        (zlib.error("bad"), "bad"),
        (IndexError(), "IndexError"),
        (ValueError("\x1b" + "x" * 10_000), "\\x1bxx"),
    ],
)
def test_damage_gets_a_name_a_place_and_a_next_step(error: Exception, says: str) -> None:
    class OurError(IntakeError):
        pass

    with (
        pytest.raises(OurError, match=r"^file is broken: ") as caught,
        refusing(OurError, "file", "is broken", "copy it again"),
    ):
        raise error
    assert says in str(caught.value)
    assert str(caught.value).endswith("; copy it again")
    assert len(str(caught.value)) < 1000
    assert says in told(error)


def test_errors_of_ours_and_of_the_system_pass() -> None:
    for error in (IntakeError("as it is"), FileNotFoundError("gone")):
        with pytest.raises(type(error), match=str(error)), refusing(IntakeError, "file", "is broken", "next"):
            raise error


# Bytes


def test_files_are_read_up_to_their_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert files.read_file(path, 100) == b"x" * 100
    with pytest.raises(IntakeError, match="more than the 99 bytes"):
        files.read_file(path, 99)
    with pytest.raises(IntakeError, match="more than the 1,000 bytes"):
        files.read_file("/dev/zero", 1000)
    with pytest.raises(FileNotFoundError):
        files.read_file(tmp_path / "none", 1)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_packed_bytes(pack: Callable[[bytes], bytes]) -> None:
    data, is_gzip = b"abc" * 1000, pack is gzip.compress
    assert files.unpacked(pack(data), 3000, gzip=is_gzip) == data
    assert files.unpacked(pack(b""), 0, gzip=is_gzip) == b""
    for packed, most, says in (
        (pack(data), 2999, "more than the 2,999 bytes"),
        (pack(data)[:-3], 3000, "cut off"),
        (b"", 3000, "cut off"),
        (b"text", 3000, "damaged"),
        (pack(bytes(1 << 25)), 3000, "more than the 3,000 bytes"),
    ):
        with pytest.raises(IntakeError, match=says):
            files.unpacked(packed, most, gzip=is_gzip)


def test_gzip_files_of_several_parts() -> None:
    packed = gzip.compress(b"ab") + gzip.compress(b"c") + bytes(20)
    assert files.unpacked(packed, 3, gzip=True) == b"abc" == gzip.decompress(packed)


# JSON

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), 1 << 64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_json_that_fits_is_what_it_was(value: Any) -> None:
    text = json.dumps(value)
    assert parsed_json(text) == json.loads(text)
    assert parsed_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "nested deeper than 64 levels"),
        ('{"a":' * 200_000, "nested deeper"),
        ("[" + "0," * 1_000_001 + "0]", "more than 1,000,000 values"),
        ("9" * 41, "41 digits"),
        ("[NaN]", "a number is NaN"),
        ("-Infinity", "a number is -Infinity"),
    ],
)
def test_json_that_would_take_too_much(text: str, says: str) -> None:
    with pytest.raises(IntakeError, match=says):
        parsed_json(text)


def test_brackets_in_strings_are_text() -> None:
    text = json.dumps({"a": "[" * 1000 + '\\"' + "{,,," * 1000, 'b"\\': ["]]]]", "\\"]})
    assert parsed_json(text, most_values=10) == json.loads(text)
    long = '["' + "[" * (3 << 20) + '", 1]'  # a string over several chunks
    assert parsed_json(long)[1] == 1
    with pytest.raises(IntakeError, match="list instead of an object"):
        parsed_object("[]")


# Arrays


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_arrays_are_what_numpy_reads(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "a.npy", array)
    found = read_arrays(tmp_path / "a.npy")
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.flags.f_contiguous) == (array.dtype, array.flags.f_contiguous)
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "a.npz", first=array, second=array)
        archived = read_arrays(tmp_path / "a.npz")
        assert list(archived) == ["first", "second"]
        np.testing.assert_array_equal(archived["second"], array)
        assert read_npz(tmp_path / "a.npz").keys() == {"first", "second"}


def npy(header: str, values: bytes = bytes(96), version: int = 1) -> bytes:
    data = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(data)) + data + values


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "does not begin"),
        (b"\x93NUMPY\x01", "does not begin"),
        (npy("{}", version=9)[:20], "of version 9"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)}", b""), "12 values of 8 bytes"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 40,)}"), "its header is damaged"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999, 9)}"), "and 96 bytes follow"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), "no objects"),
        (npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}"), "no objects"),
        (npy("{'descr': 'f8,f8', 'fortran_order': False, 'shape': (1,)}"), "no objects"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"), "shape and order"),
        (npy("{'descr': '<f8', 'fortran_order': 1, 'shape': (1,)}"), "shape and order"),
        (npy("{'descr': '<f8', 'shape': (1,)}"), "does not say type"),
        (npy("__import__('os').system('true')"), "its header is damaged"),
        (npy("(" * 60), "its header is damaged"),
        (npy("-" * 3000 + "1"), "nested as that of no array"),
        (npy("{" * 5000), "5,000 bytes"),
        (npy("{" * 90, version=2)[:20], "inside its header"),
        (npy("{'descr': '<U1', 'fortran_order': False, 'shape': (3,)}", b"\xff" * 12), "signs that there are not"),
    ],
)
def test_headers_that_claim_what_is_not_there(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(IntakeError, match=says):
        read_arrays(tmp_path / "a.npy")


# Archives


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> io.BytesIO:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return found


@pytest.mark.parametrize("name", ["top.bin", "manifest.json", "a b-c_1.2+x"])
def test_plain_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/x", "a/b", "a\\b", "C:x", ".hidden", "x" * 300, "a\n", "x.", "\u202e", None, 3]
)
def test_names_that_could_leave_their_folder(name: object) -> None:
    with pytest.raises(IntakeError, match="no plain name"):
        check_name(name)
    if isinstance(name, str) and name:
        with pytest.raises(IntakeError, match="no plain name"):
            Archive(zipped({name: b""}), 9, plain_names=True)


def test_members_of_archives() -> None:
    with Archive(zipped({"a": b"12", "b": bytes(1000)}, zipfile.ZIP_DEFLATED), 2) as archive:
        assert archive.names == ("a", "b")
        assert archive.read("b", 1000) == bytes(1000)
        with pytest.raises(IntakeError, match="1,000 bytes; it may have 999"):
            archive.read("b", 999)
        with pytest.raises(IntakeError, match="no member 'c'"):
            archive.read("c", 1)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_of_another_kind() -> None:
    twice = zipped({"a": b"1"})
    with zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("a", b"2")
    large = zipped({"a": b"abcdef"}).getvalue().replace((6).to_bytes(4, "little") * 2, b"\x06\0\0\0\xff\xff\xff\xff")
    bomb = zipped({f"{index}": bytes(1 << 26) for index in range(3)}, zipfile.ZIP_DEFLATED)
    for file, says in (
        (io.BytesIO(b"text"), "no intact archive"),
        (twice, "the same name"),
        (zipped({"a": b"", "b": b"", "c": b""}), "3 members; it may have 2"),
        (zipped({"a": b"1"}, zipfile.ZIP_BZIP2), "unknown method 12"),
        (io.BytesIO(large), "contradicts itself"),
        (bomb, "at most 134,217,728 are unpacked"),
    ):
        with pytest.raises(IntakeError, match=says):
            Archive(file, 3 if file is bomb else 2)


# Tensors


def test_headers_of_tensors() -> None:
    data = save({"a": np.arange(6, dtype=np.int8).reshape(2, 3), "b": np.zeros(0)}, {"format": "x"})
    assert read_header(data).metadata == {"format": "x"}
    assert len(data) - read_header(data).end == 6


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ([], "instead of an object"),
        ({"a": 1}, "does not say type, shape and place"),
        ({"a": {"dtype": "I9", "shape": [6], "data_offsets": [0, 6]}}, "unknown type 'I9'"),
        ({"a": {"dtype": "I8", "shape": [-6], "data_offsets": [0, 6]}}, "a place that is none"),
        ({"a": {"dtype": "I8", "shape": [1 << 62, 4], "data_offsets": [0, 6]}}, "does not fit its 6 bytes"),
        ({"a": {"dtype": "I8", "shape": [4], "data_offsets": [2, 6]}}, "overlap, or leave gaps"),
        ({"a": {"dtype": "I8", "shape": [5], "data_offsets": [0, 5]}}, "5 bytes, and 6 follow"),
        ({"__metadata__": {"a": 1}}, "no texts by name"),
    ],
)
def test_headers_that_do_not_fit(header: Any, says: str) -> None:
    text = json.dumps(header).encode()
    with pytest.raises(IntakeError, match=says):
        read_header(len(text).to_bytes(8, "little") + text + bytes(6))


# HDF5


def test_groups_are_what_was_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["node/x"] = np.arange(6.0).reshape(2, 3)
        file["node/deep/text"] = "abc"
        file["node/deep/pairs"] = [["a", "b"]]
        file["node/deep/bytes"] = np.array([b"a", b"bc"])
        file.create_dataset("node/names", data=["x", "yz"], dtype=h5py.string_dtype())
        file["node/number"] = 3
    found = hdf5.read_group(tmp_path / "a.h5", "node")
    assert found is not None
    np.testing.assert_array_equal(found["x"], np.arange(6.0).reshape(2, 3))
    assert found["deep"]["text"] == "abc"
    assert found["deep"]["pairs"].tolist() == [["a", "b"]]
    assert found["deep"]["bytes"].tolist() == [b"a", b"bc"]
    assert found["names"].tolist() == ["x", "yz"]
    assert found["number"] == 3
    assert hdf5.read_group(tmp_path / "a.h5", "none") is None


def test_nothing_leads_to_other_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(32))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link/x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        file.create_dataset("raw/x", (4,), "f8", external=[(str(tmp_path / "secret"), 0, 32)])
        layout = h5py.VirtualLayout((1,), "i8")
        layout[0] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", ())
        file.create_virtual_dataset("virtual/x", layout)
    for group in ("link", "raw", "virtual"):
        with pytest.raises(IntakeError, match="another file"):
            hdf5.read_group(tmp_path / "a.h5", group)


HANGS = "import sys, time\nprint('ready', flush=True)\nsys.stdin.readline()\ntime.sleep(1000)\n"
CRASHES = "import os, sys\nprint('ready', flush=True)\nsys.stdin.readline()\nos.abort()\n"
STARTS_NOT = "raise SystemExit(1)\n"


@pytest.mark.parametrize(
    ("program", "says"),
    [(HANGS, "does not finish within"), (CRASHES, "breaks down on it"), (STARTS_NOT, "does not start")],
)
def test_a_child_that_hangs_or_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, says: str
) -> None:
    child = tmp_path / "child.py"
    child.write_text(program)
    (tmp_path / "a.h5").touch()
    hdf5._CHILD.stop()
    with monkeypatch.context() as changed:
        changed.setattr(hdf5._CHILD, "program", child)
        changed.setattr(hdf5, "_SECONDS", 0.5)
        with pytest.raises(IntakeError, match=says):
            hdf5.read_group(tmp_path / "a.h5", "node")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["node/x"] = 1
    assert hdf5.read_group(tmp_path / "b.h5", "node") == {"x": 1}  # another child
    hdf5._CHILD.stop()


def test_a_file_cannot_take_all_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("node/x", (1 << 40,), "f8", chunks=(64,), compression="gzip")
        file.create_dataset("many/x", (1 << 22,), h5py.string_dtype(), chunks=(64,), compression="gzip")
    with pytest.raises(IntakeError, match="unpacks to more than"):
        hdf5.read_group(tmp_path / "a.h5", "node")
    with pytest.raises(IntakeError, match="4,194,304 texts"):
        hdf5.read_group(tmp_path / "a.h5", "many")


def test_toml() -> None:
    assert parsed_toml(b"a = [1, 2]\n[b]\nc = 'd'") == {"a": [1, 2], "b": {"c": "d"}}
    with pytest.raises(IntakeError, match="nested too deeply"):
        parsed_toml(b"a = " + b"[" * 100_000)
    with pytest.raises(IntakeError, match=r"it has 1,048,577 bytes"):
        parsed_toml(b"#" * ((1 << 20) + 1))
    for wrong, why in ((b"a = ", "Invalid value"), (b"\xff", "decode"), (b"a = 1" + b"0" * 5000, "digits")):
        with pytest.raises(ValueError, match=why):
            parsed_toml(wrong)
