"""Several ports as one, and the command that measures a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from attractor.host import Device, rate
from attractor.host.rate import Measured
from attractor.sim.golden_board import GoldenBoard

from .conftest import PIXELS


@pytest.fixture
def images(tmp_path: Path) -> Path:
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(1).random((30, PIXELS)))
    return path


def test_two_boards_classify_as_one_does(run: Callable, classifier: Path, images: Path) -> None:
    port = f"sim:{classifier}"
    one = run("classify", str(classifier), str(images), "--port", port, "--json")
    two = run("classify", str(classifier), str(images), "--port", port, "--port", port, "--json")
    assert one.code == two.code == 0, one.err + two.err
    assert one.json == two.json


def test_each_of_several_ports_is_tested(run: Callable, classifier: Path) -> None:
    port = f"sim:{classifier}"
    result = run("test", "--calls", "3", "--port", port, "--port", port, "--json")
    assert result.code == 0, result.err
    rows = result.json["devices"]
    assert [(row["port"], row["exact"], row["calls"]) for row in rows] == [(port, True, 12)] * 2


def test_a_port_that_fails_is_told_beside_those_that_work(run: Callable, classifier: Path) -> None:
    result = run("test", "--calls", "2", "--port", "/dev/none", "--port", f"sim:{classifier}", "--json")
    assert result.code == 1
    assert [row["exact"] for row in json.loads(result.out)["devices"]] == [False, True]
    assert "/dev/none differs from the golden model: /dev/none: no such port" in result.err


def test_a_command_for_one_device_takes_one_port(run: Callable) -> None:
    result = run("link", "--port", "sim:a", "--port", "sim:b")
    assert result.code == 1
    assert "this command takes one --port, not 2: sim:a, sim:b" in result.err


class TestLink:
    def test_a_simulated_board_has_no_rate(self, run: Callable, classifier: Path) -> None:
        result = run("link", "--port", f"sim:{classifier}")
        assert result.code == 1
        assert "has no rate to measure: it is simulated" in result.err

    def test_rates_are_told_and_the_best_is_remembered(
        self, run: Callable, classifier: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(GoldenBoard, "change_rate", lambda *_: None, raising=False)
        rows = [Measured(1_000_000, True, 0, 0, 90_000.0, 1.5), Measured(3_000_000, False, 4, 2, 0.0, 0.0)]
        monkeypatch.setattr(rate, "measure", lambda *_: rows)
        result = run("link", "--port", f"sim:{classifier}", "--json")
        assert result.code == 0, result.err
        told = result.json
        assert told["baud"] == 1_000_000
        assert [(row["baud"], row["clean"]) for row in told["rates"]] == [(1_000_000, True), (3_000_000, False)]
        with Device.open(f"sim:{classifier}") as device:
            assert rate.remembered(device.name, device.spec.fingerprint) == 1_000_000

    def test_a_rate_that_the_device_cannot_make(
        self, run: Callable, classifier: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(GoldenBoard, "change_rate", lambda *_: None, raising=False)
        described = GoldenBoard._description
        monkeypatch.setattr(GoldenBoard, "_description", lambda board: described(board) | {"clock_hz": 12_000_000})
        result = run("link", "--port", f"sim:{classifier}", "--rate", "5000000")
        assert result.code == 1
        assert "cannot make 5000000 baud: a bit takes at least 4 clock cycles; choose at most 3000000" in result.err
