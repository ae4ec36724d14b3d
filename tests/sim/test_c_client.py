"""The reference client in C, compiled and run against simulated boards: it needs nothing but what devices say."""

from __future__ import annotations

import importlib.util
import queue
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.data.digits import TEST_IMAGES, digits
from attractor.estimators import EqPropClassifier, OscillatorClassifier
from attractor.estimators.base import ImageClassifier
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.pty_server import serve
from attractor.sim.rtl_board import RtlBoard
from attractor.verify.conformance import CheckingLine

FOLDER = Path(__file__).parents[2] / "examples" / "c"
SOURCE = FOLDER / "attractor_client.c"
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
#: Seconds: only a hang takes that long.
PATIENCE = 240.0


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("no C compiler (looked for cc, gcc, clang)")
    program = tmp_path_factory.mktemp("client") / "attractor_client"
    subprocess.run([compiler, *FLAGS, "-o", program, SOURCE], check=True)
    return program


@dataclass(frozen=True)
class Job:
    """A classifier, what the client is given, and what the host package makes of it."""

    classifier: ImageClassifier
    parameters: Path
    inputs: Path
    expected: list[int]


def job(classifier: ImageClassifier, images: np.ndarray, folder: Path) -> Job:
    """Export a fitted classifier as the example does."""
    found = importlib.util.spec_from_file_location("export", FOLDER / "export.py")
    assert found is not None
    assert found.loader is not None
    export: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(export)
    files = [folder / name for name in ("model.safetensors", "images.npy", "parameters", "inputs")]
    classifier.model_.save(files[0])
    np.save(files[1], images)
    export.main(*map(str, files))
    return Job(classifier, files[2], files[3], classifier.predict(images).tolist())


@pytest.fixture(scope="module")
def oscillators(tmp_path_factory: pytest.TempPathFactory) -> Job:
    data = digits()
    classifier = OscillatorClassifier(weight_bits=5, phase_bits=4, epochs=5)
    classifier.fit(data.train_images, data.train_labels)
    return job(classifier, data.test_images, tmp_path_factory.mktemp("oscillators"))


@contextmanager
def served(port: Any, tcp_port: int | None) -> Iterator[str]:
    """Serve a board while the block runs; the value is where the client finds it."""
    stop, announced = threading.Event(), queue.Queue[str]()
    options = {"tcp_port": tcp_port, "stop": stop}
    thread = threading.Thread(target=serve, args=(port, announced.put), kwargs=options, daemon=True)
    thread.start()
    try:
        yield announced.get(timeout=PATIENCE).removeprefix("socket://")
    finally:
        stop.set()
        thread.join(PATIENCE)


def winners(client: Path, address: str, job: Job) -> list[int]:
    """Run the client."""
    command = [client, address, job.parameters, job.inputs]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr
    return list(map(int, ended.stdout.split()))


def test_the_client_is_short_and_needs_no_library() -> None:
    source = SOURCE.read_text(encoding="utf-8")
    assert source.count("\n") < 400
    assert "#include <zlib.h>" not in source


@pytest.mark.parametrize("tcp_port", [0, None], ids=["tcp", "terminal"])
def test_all_digits_on_the_golden_model(client: Path, oscillators: Job, tcp_port: int | None) -> None:
    with served(GoldenBoard(oscillators.classifier.model_.spec), tcp_port) as address:
        found = winners(client, address, oscillators)
    assert found == oscillators.expected
    assert len(found) == TEST_IMAGES


@pytest.mark.usefixtures("tools")
def test_all_digits_on_the_gateware(client: Path, oscillators: Job) -> None:
    with RtlBoard(oscillators.classifier.model_.spec) as board, served(board, 0) as address:
        found = winners(client, address, oscillators)
    assert found == oscillators.expected
    assert len(found) == TEST_IMAGES


def test_another_family_needs_no_other_client(client: Path, tmp_path: Path) -> None:
    data = digits()
    classifier = EqPropClassifier(hidden=24, replicas=2, epochs=1, random_state=0)
    classifier.fit(data.train_images[:400], data.train_labels[:400])
    exported = job(classifier, data.test_images[:40], tmp_path)
    with served(GoldenBoard(classifier.model_.spec), 0) as address:
        assert winners(client, address, exported) == exported.expected


class Lossy:
    """A board behind a line that loses, doubles and damages frames."""

    def __init__(self, board: GoldenBoard, seed: int) -> None:
        self._board = board
        self._random = random.Random(seed)
        self.faults = 0

    def write(self, data: bytes) -> None:
        self._board.write(self._faulty(data))

    def read(self, timeout: float) -> bytes:
        return self._faulty(self._board.read(timeout))

    def _faulty(self, data: bytes) -> bytes:
        if not data or self._random.random() > 0.1:
            return data
        self.faults += 1
        place = self._random.randrange(len(data))
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        return self._random.choice([b"", data + data, damaged, data[:place], data[place:]])


def test_a_line_that_loses_doubles_and_damages(client: Path, oscillators: Job) -> None:
    job = Job(oscillators.classifier, oscillators.parameters, oscillators.inputs.with_name("few"), [])
    size = len(oscillators.inputs.read_bytes()) // TEST_IMAGES
    job.inputs.write_bytes(oscillators.inputs.read_bytes()[: 20 * size])
    lossy = Lossy(GoldenBoard(oscillators.classifier.model_.spec), seed=1)
    with served(lossy, 0) as address:
        assert winners(client, address, job) == oscillators.expected[:20]
    assert lossy.faults > 5


def test_the_client_keeps_all_rules_of_the_standard(client: Path, oscillators: Job) -> None:
    few = Job(oscillators.classifier, oscillators.parameters, oscillators.inputs.with_name("some"), [])
    size = len(oscillators.inputs.read_bytes()) // TEST_IMAGES
    few.inputs.write_bytes(oscillators.inputs.read_bytes()[: 60 * size])
    line = CheckingLine(GoldenBoard(oscillators.classifier.model_.spec), seed=2)
    with served(line, 0) as address:
        assert winners(client, address, few) == oscillators.expected[:60]
    found = line.report()
    assert found.holds, [finding for finding in found.findings if not finding.holds]
    assert sum(line.happened.values()) > 3


def test_what_does_not_fit_is_refused(client: Path, oscillators: Job, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.write_bytes(b"few")
    with served(GoldenBoard(oscillators.classifier.model_.spec), 0) as address:
        command = [client, address, few, oscillators.inputs]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    assert "the parameters have 591 bytes" in ended.stderr
