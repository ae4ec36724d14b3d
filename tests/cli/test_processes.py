"""The command as a process of its own: exit codes, pipes, signals."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attractor.spec import OscillatorSpec

#: Seconds: only a hang takes that long.
PATIENCE = 120.0
# Buffered as it is for users, so that a lost flush is noticed.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | {
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path))
}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "attractor.cli", *map(str, arguments)]


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def read_until(process: subprocess.Popen[bytes], end: bytes) -> bytes:
    """Return standard output up to ``end``."""
    assert process.stdout is not None
    data = b""
    while end not in data:
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        read = os.read(process.stdout.fileno(), 4096)
        assert read, f"the process ended after {data!r}"
        data += read
    return data


def test_a_simulated_board_on_a_tcp_port(run: Callable, classifier: Path, images: Path) -> None:
    with started("board", "--sim", classifier, "--tcp", 0) as process:
        port = read_until(process, b"\n").decode().strip()
        assert port.startswith("socket://127.0.0.1:")
        assert run("load", classifier, "--port", port, "--json").json["valid"]
        assert run("info", "--port", port, "--json").json["parameters_valid"]  # it outlives a connection
        expected = run("classify", classifier, images, "--json").json
        assert run("classify", classifier, images, "--port", port, "--json").json == expected
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_a_simulated_board_as_a_terminal(run: Callable, classifier: Path) -> None:
    with started("--json", "board", "--sim", classifier) as process:
        port = json.loads(read_until(process, b"}\n"))["port"]
        assert run("load", classifier, "--port", port, "--json").json["valid"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_an_error_ends_a_process_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    ended = subprocess.run(
        command("--json", "load", missing, "--port", "sim:x"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=ENVIRONMENT,
        check=False,
    )
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["error"]["message"].startswith(f"{missing}: no such file")
    assert ended.stderr.startswith(f"error: {missing}: no such file")
    assert ended.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_simulators_chatter_stays_out_of_the_result(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(OscillatorSpec(oscillators=6).to_json())
    ended = subprocess.run(
        command("--json", "test", tmp_path / "spec.json", "--calls", 2),
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        env=ENVIRONMENT,
        check=True,
    )
    assert json.loads(ended.stdout) == {"calls": 2, "simulator": "verilator", "exact": True}
    assert ended.stderr.startswith("comparing 2 random calls in verilator")
