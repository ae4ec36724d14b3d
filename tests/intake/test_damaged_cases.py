"""Files that did harm once: each ends in one clear line, soon, and takes little memory, whatever command reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest

from attractor.data.mnist import DATA_VARIABLE

#: Seconds: only a hang takes that long.
PATIENCE = 120.0
#: Most bytes of memory that the command and its children may take.
MEMORY = 500 << 20


class Case(NamedTuple):
    """A command, with ``{file}`` for the damaged file, ``{cases}`` and ``{new}`` for folders; and what it must say."""

    name: str
    command: str
    says: str


CLASSIFY = "classify {cases}/models-0.1/oscillator.safetensors {file}"
CASES = [
    Case("huge.npy", CLASSIFY, "bytes follow"),
    Case("huge.npy", "import {cases}/damaged/hang.nir --dt 1 -o {new}/a.safetensors --frames {file}", "bytes follow"),
    Case("tokens.npy", CLASSIFY, "its header is damaged"),
    Case("deflate.npz", "train {file} -o {new}/a.safetensors", "its array"),
    Case("deflate.npz", CLASSIFY, "its array"),
    Case("length.safetensors", "info {file}", "too few to say how long its header is"),
    Case("length.safetensors", "load {file} --port sim:{cases}/models-0.1/oscillator.safetensors", "train it again"),
    Case("length.safetensors", "build {file} --board icebreaker -o {new}/a.zip", "inside its header"),
    Case("length.safetensors", "board --sim {file}", "inside its header"),
    Case("slip.zip", "info {file}", "no plain name of a file in its own folder"),
    Case("method.zip", "info {file}", "is no intact archive: zip file version"),
    Case("hang.nir", "import {file} --dt 0.001 -o {new}/a.safetensors", "export it again"),
    Case("type_bomb.nir", "import {file} --dt 0.001 -o {new}/a.safetensors", "unpacks to more than"),
    Case("comment.txt", "solve {file}", "nothing but comments"),
    Case("ovf.txt", "solve {file}", "digits"),
    Case("hugecount.txt", "solve {file}", "ends after 1 of 4294967296 edges"),
]


@pytest.fixture
def cases() -> Path:
    data = os.environ.get(DATA_VARIABLE)
    found = Path(data).parent / "cases" if data else None
    if found is None or not (found / "damaged").is_dir():
        pytest.skip(f"no damaged files: cases/damaged lies beside the folder that {DATA_VARIABLE} names")
    return found


#: Runs a command for some seconds at most, and writes its exit status and the most memory it took. Linux counts what
#: the process held that started another one as that one's own: so a small process starts it, and not the tests'.
STARTER = """
import os, resource, subprocess, sys
patience, told, *command = sys.argv[1:]
status = subprocess.run(command, timeout=float(patience)).returncode
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
os.write(int(told), f"{status} {most}".encode())
"""


def measured(command: list[str], out: BinaryIO, err: BinaryIO) -> tuple[int, int]:
    """Run a command, and return its exit status and the most bytes of memory that it or a child of it held."""
    told, write = os.pipe()
    starter = [sys.executable, "-S", "-c", STARTER, str(PATIENCE), str(write), *command]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with os.fdopen(told) as answer:
        try:
            subprocess.run(starter, stdout=out, stderr=err, env=environment, pass_fds=[write], check=True)
        finally:
            os.close(write)
        status, most = answer.read().split()
    return int(status), int(most)


def test_memory_of_the_tests_is_not_counted(tmp_path: Path) -> None:
    held = bytearray(200 << 20)
    held[:: 1 << 12] = b"1" * (len(held) >> 12)
    with (tmp_path / "out").open("wb") as out:
        assert measured([sys.executable, "-S", "-c", "pass"], out, out)[1] < 100 << 20
        assert measured([sys.executable, "-S", "-c", "bytearray(b'1') * (300 << 20)"], out, out)[1] > 300 << 20


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.command.split()[0]}")
def test_damaged_files(cases: Path, tmp_path: Path, case: Case) -> None:
    file = cases / "damaged" / case.name
    words = case.command.format(file=file, cases=cases, new=tmp_path).split()
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        status, most = measured([sys.executable, "-m", "attractor.cli", "-q", *words], out, err)
    error = (tmp_path / "err").read_text()
    assert status == 1, error
    assert (tmp_path / "out").read_text() == ""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert error.isascii() or error.replace("\n", "").isprintable()
    assert case.says in error
    assert case.name in error
    assert most < MEMORY
    assert not list(tmp_path.glob("a.*"))
