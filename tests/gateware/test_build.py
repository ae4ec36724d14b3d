from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attractor.gateware import build as module
from attractor.gateware.boards import BOARDS, BoardError
from attractor.gateware.build import build, cache_folder, sources_sha256
from attractor.gateware.bundle import Bundle
from attractor.gateware.estimate import DoesNotFit
from attractor.gateware.flow import CapacityError, Implementation
from attractor.spec import EqPropSpec, OscillatorSpec, SpecError

SPEC = OscillatorSpec(oscillators=6, lanes=2)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces the tools by a fixed answer and records the calls."""
    calls: list[dict[str, Any]] = []

    def implement(_top: object, board: object, **options: Any) -> Implementation:
        calls.append({"board": board, **options})
        used = {"ICESTORM_LC": (100, 5280)}
        return Implementation(b"bits" * 100, "top.bin", used, {"cd_sync.clk": (20.5e6, 12e6)})

    monkeypatch.setattr(module, "implement", implement)
    monkeypatch.setattr(module, "system_top", lambda *_: None)
    return calls


def test_a_bundle_says_where_it_came_from(builds: list[dict[str, Any]], tmp_path: Path) -> None:
    manifest = build(SPEC, "icebreaker", cache=tmp_path, seed=3).manifest
    assert builds[0]["board"] is BOARDS["icebreaker"]
    assert builds[0]["seed"] == 3
    assert manifest["network"] == SPEC.network_to_dict()
    made = {"board": "icebreaker", "clock_hz": 12_000_000, "baud": 1_000_000, "seed": 3}
    assert manifest["build"] == {"lanes": 2, **made}
    assert manifest["fingerprint"] == SPEC.fingerprint.hex()
    assert {"yosys", "nextpnr-ice40", "icepack", "amaranth", "amaranth-boards"} == set(manifest["tools"])
    assert manifest["utilisation"] == {"ICESTORM_LC": [100, 5280]}
    assert manifest["fmax_hz"] == {"cd_sync.clk": [20_500_000, 12_000_000]}
    assert manifest["bitstream_sha256"] == hashlib.sha256(b"bits" * 100).hexdigest()


def test_equal_inputs_are_built_once(builds: list[dict[str, Any]], tmp_path: Path) -> None:
    first = build(SPEC, "icebreaker", cache=tmp_path)
    second = build(SPEC, BOARDS["icebreaker"], cache=tmp_path)
    assert len(builds) == 1
    assert first.to_bytes() == second.to_bytes()
    (path,) = tmp_path.iterdir()
    assert Bundle.open(path) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: build(OscillatorSpec(oscillators=6, lanes=3), "icebreaker", cache=folder),
        lambda folder: build(SPEC, "icebreaker", lanes=1, cache=folder),
        lambda folder: build(OscillatorSpec(oscillators=7, lanes=2), "icebreaker", cache=folder),
        lambda folder: build(SPEC, "hx8k-evn", cache=folder),
        lambda folder: build(SPEC, "icebreaker", baud=500_000, cache=folder),
        lambda folder: build(SPEC, "icebreaker", seed=2, cache=folder),
    ],
)
def test_any_other_input_is_built_anew(
    builds: list[dict[str, Any]], tmp_path: Path, change: Callable[[Path], Bundle]
) -> None:
    first = build(SPEC, "icebreaker", cache=tmp_path)
    assert change(tmp_path).manifest["inputs_sha256"] != first.manifest["inputs_sha256"]
    assert len(builds) == 2


def test_other_sources_or_tools_are_built_anew(
    builds: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(SPEC, "icebreaker", cache=tmp_path)
    monkeypatch.setattr(module, "sources_sha256", lambda _: "other")
    build(SPEC, "icebreaker", cache=tmp_path)
    monkeypatch.setattr(module, "_GENERATORS", ("amaranth",))
    build(SPEC, "icebreaker", cache=tmp_path)
    assert len(builds) == 3


def test_lanes_are_of_the_build(builds: list[dict[str, Any]], tmp_path: Path) -> None:
    folded = build(SPEC, "icebreaker", lanes=3, cache=tmp_path)
    assert folded.spec == OscillatorSpec(oscillators=6, lanes=3)
    assert folded.spec.same_network(SPEC)
    assert folded.to_bytes() == build(folded.spec, "icebreaker", cache=tmp_path).to_bytes()
    assert len(builds) == 1


def test_lanes_that_a_network_cannot_have_are_refused(
    builds: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SpecError, match="lanes is 7"):
        build(SPEC, "icebreaker", lanes=7, cache=None)
    monkeypatch.setattr(OscillatorSpec, "build_fields", classmethod(lambda _: ()))
    with pytest.raises(SpecError, match="family 'oscillator' has no lanes"):
        build(SPEC, "icebreaker", lanes=3, cache=None)
    assert builds == []


def test_a_damaged_cache_entry_is_built_anew(builds: list[dict[str, Any]], tmp_path: Path) -> None:
    first = build(SPEC, "icebreaker", cache=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    assert build(SPEC, "icebreaker", cache=tmp_path) == first
    assert len(builds) == 2
    assert Bundle.open(path) == first


@pytest.mark.usefixtures("builds")
def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRACTOR_CACHE", str(tmp_path))
    build(SPEC, "icebreaker", cache=False)
    assert list(tmp_path.iterdir()) == []
    build(SPEC, "icebreaker")
    assert cache_folder() == tmp_path / "bundles"
    assert len(list(cache_folder().iterdir())) == 1
    monkeypatch.delenv("ATTRACTOR_CACHE")
    assert cache_folder().parts[-2:] == ("attractor", "bundles")


def test_what_cannot_fit_is_refused_before_any_tool_runs(builds: list[dict[str, Any]]) -> None:
    with pytest.raises(DoesNotFit, match="does not fit icebreaker"):
        build(OscillatorSpec(oscillators=506, lanes=64), "icebreaker", cache=None)
    assert builds == []


def test_what_place_and_route_cannot_fit_gets_the_same_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def implement(*_: object, **__: object) -> Implementation:
        raise CapacityError("5300 ICESTORM_LC of 5280")

    monkeypatch.setattr(module, "implement", implement)
    monkeypatch.setattr(module, "system_top", lambda *_: None)
    with pytest.raises(DoesNotFit, match=r"icebreaker: it needs 5300 ICESTORM_LC of 5280; it would fit with lanes=6,"):
        build(OscillatorSpec(oscillators=16, lanes=8), "icebreaker", cache=None)


def test_a_wrong_board_or_baud_is_refused(builds: list[dict[str, Any]]) -> None:
    with pytest.raises(BoardError, match="did you mean icebreaker"):
        build(SPEC, "icebreker", cache=None)
    with pytest.raises(ValueError, match="7777777"):
        build(SPEC, "icebreaker", baud=7_777_777, cache=None)
    assert builds == []


def test_a_baud_that_the_clock_cannot_make_is_refused() -> None:
    with pytest.raises(ValueError, match="2900000"):
        build(SPEC, "icebreaker", baud=2_900_000, cache=None)


def test_the_hash_of_the_sources_covers_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(design: list[tuple[str, bytes]], flow: bytes) -> str:
        monkeypatch.setattr(module, "design_sources", lambda _: design)
        monkeypatch.setattr(module, "source_files", lambda name: [(name, flow)])
        return sources_sha256(SPEC)

    files = [("part.py", b"A = 1\n")], [("part.py", b"A = 2\n")], [("other.py", b"A = 2\n")], []
    assert len({hashed(design, flow) for design in files for flow in (b"1", b"2")}) == 8
    assert hashed(files[0], b"1") == hashed(files[0], b"1")


@pytest.mark.slow
def test_a_network_is_built_twice_to_the_same_bytes() -> None:
    spec = OscillatorSpec(oscillators=12, lanes=3, labels=2)
    first = build(spec, "hx8k-evn", cache=None)
    assert first.to_bytes() == build(spec, "hx8k-evn", cache=None).to_bytes()
    assert first.manifest["utilisation"]["ICESTORM_LC"][0] > 1000


@pytest.mark.slow
def test_a_network_that_learns_fits_the_icebreaker() -> None:
    """8x8 pixels in, two outputs for each digit: weights and counters fill the block RAM."""
    spec = EqPropSpec(layers=(64, 48, 20), state_high=63, counter_bits=6, lanes=8, learning=True)
    manifest = build(spec, "icebreaker", cache=None).manifest
    assert manifest["utilisation"]["ICESTORM_RAM"] == [29, 30]
    ((reached, required),) = manifest["fmax_hz"].values()
    assert reached >= required == pytest.approx(12e6, rel=1e-5)


@pytest.mark.slow
def test_weights_of_layers_that_only_infer_may_be_in_large_ram() -> None:
    manifest = build(EqPropSpec(layers=(784, 512, 100), state_high=63, lanes=16), "icebreaker", cache=None).manifest
    used = manifest["utilisation"]
    assert (used["ICESTORM_SPRAM"], used["ICESTORM_RAM"]) == ([3, 4], [26, 30])
    ((reached, required),) = manifest["fmax_hz"].values()
    assert reached >= required == pytest.approx(12e6, rel=1e-5)
