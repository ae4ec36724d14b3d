"""``attractor conform``: devices and clients, their rules one by one."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import attractor.host
from attractor.host import open_port
from attractor.verify.conformance import CLIENT_RULES
from attractor.verify.conformance.bench import RULES

#: Seconds: only a hang takes that long.
PATIENCE = 120.0


def test_a_device(run: Callable, classifier: Path) -> None:
    found = run("conform", "--port", f"sim:{classifier}", "--json").json
    assert [row["rule"] for row in found["rules"]] == [rule.name for rule in RULES]
    assert all(row["holds"] for row in found["rules"])
    assert found["parameters"] == "none"
    assert "damaged frames" in run("conform", "--port", f"sim:{classifier}").out


def test_a_device_that_breaks_rules(run: Callable, classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(address: str, baud: int | None = None) -> object:
        board = open_port(address, baud)
        link = board.link  # type: ignore[attr-defined]
        link._complain = lambda _status: None
        return board

    monkeypatch.setattr(attractor.host, "open_port", opened)
    outcome = run("conform", "--port", f"sim:{classifier}", "--json")
    assert outcome.code == 1
    rows = json.loads(outcome.out)["rules"]
    assert [row["rule"] for row in rows if not row["holds"]] == ["later numbers"]
    assert "the device breaks 1 of" in outcome.err


def test_it_needs_a_port(refused: Callable) -> None:
    refused("conform", says=("no port", "--port"))


def test_a_client(run: Callable, classifier: Path, images: Path) -> None:
    command = [sys.executable, "-m", "attractor.cli", "--json", "conform", "--client", str(classifier)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment, "text": True}
    with subprocess.Popen([*command, "--tcp", "0", "--idle", "3"], **options) as process:
        assert process.stderr is not None
        assert select.select([process.stderr], [], [], PATIENCE)[0]
        (port,) = re.findall(r"socket://\S+", process.stderr.readline())
        expected = run("classify", classifier, images, "--json").json
        assert run("classify", classifier, images, "--port", port, "--json").json == expected
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    rows = json.loads(out)["rules"]
    assert [row["rule"] for row in rows] == list(CLIENT_RULES)
    assert all(row["holds"] for row in rows)
