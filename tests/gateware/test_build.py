from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.resources import UARTResource

from attractor.gateware import build as module
from attractor.gateware import placements
from attractor.gateware.boards import BOARDS, Board, BoardError, PllCell
from attractor.gateware.build import LEAST_USED, MARGIN, MOST_SEEDS, TimingError, cache_folder
from attractor.gateware.bundle import Bundle
from attractor.gateware.clocks import Clock, ClockError
from attractor.gateware.estimate import DoesNotFit
from attractor.gateware.flow import CapacityError, Implementation, Netlist, Stopped
from attractor.gateware.placements import sources_sha256, workers
from attractor.gateware.report import Report, TimingPath
from attractor.gateware.tools import ToolError
from attractor.spec import EqPropSpec, OscillatorSpec, SpecError

SPEC = OscillatorSpec(oscillators=6, lanes=2)
PATH = TimingPath("clock", "clock", "core.a", "core.b", 48.8, 20.8, 28.0, 9, ("core.a", "core.b"))


def build(*arguments: Any, **options: Any) -> Bundle:
    """Build for the clock of the iCEBreaker's oscillator, unless another is asked for."""
    return module.build(*arguments, **({"clock": 12e6} | options))


class Tools:
    """Stands for the tools: what each clock and seed reaches is given, and calls are recorded.

    Parameters
    ----------
    reached:
        Highest frequency in Hz that a placement has, from the clock in Hz and the seed.
    """

    def __init__(self, reached: Callable[[int, int], float]) -> None:
        self.reached = reached
        self.clocks: list[int] = []
        self.placed: list[tuple[int, int]] = []

    def system_top(self, _spec: object, _board: object, _baud: object, clock: Clock) -> int:
        return clock.hz

    def synthesise(self, clock_hz: int, board: Board, **_: object) -> Netlist:
        self.clocks.append(clock_hz)
        return Netlist(board, {"clock": str(clock_hz).encode()}, (), {})

    def place(self, netlist: Netlist, seed: int, *, stop: threading.Event, **_: object) -> Implementation:
        clock_hz = int(netlist.files["clock"])
        if stop.is_set():
            raise Stopped
        self.placed.append((clock_hz, seed))
        used = {"ICESTORM_LC": (100, 5280)}
        report = Report(used, {"clock": (self.reached(clock_hz, seed), clock_hz)}, (PATH,))
        return Implementation(b"bits %d" % seed * 100, "top.bin", report)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, int], float]], Tools]:
    """Replaces the tools by those that reach what a function says."""

    def replaced(reached: Callable[[int, int], float]) -> Tools:
        stand_in = Tools(reached)
        for name in ("system_top", "synthesise", "place"):
            monkeypatch.setattr(placements, name, getattr(stand_in, name))
        return stand_in

    return replaced


@pytest.fixture
def builds(tools: Callable[..., Tools]) -> list[tuple[int, int]]:
    """Replaces the tools by ones that always reach 20.5 MHz; the clocks and seeds of all placements."""
    return tools(lambda _clock, _seed: 20.5e6).placed


def test_a_bundle_says_where_it_came_from(builds: list[tuple[int, int]], tmp_path: Path) -> None:
    manifest = build(SPEC, "icebreaker", cache=tmp_path, seed=3).manifest
    assert builds == [(12_000_000, 3)]
    assert manifest["network"] == SPEC.network_to_dict()
    made = {"board": "icebreaker", "clock_hz": 12_000_000, "baud": 1_000_000, "seed": 3}
    assert manifest["build"] == {"lanes": 2, **made}
    assert manifest["fingerprint"] == SPEC.fingerprint.hex()
    assert {"yosys", "nextpnr-ice40", "icepack", "amaranth", "amaranth-boards"} == set(manifest["tools"])
    assert manifest["utilisation"] == {"ICESTORM_LC": [100, 5280]}
    assert manifest["fmax_hz"] == {"clock": [20_500_000, 12_000_000]}
    assert manifest["critical_paths"] == [PATH.to_dict()]
    assert manifest["pll"] is None
    assert manifest["bitstream_sha256"] == hashlib.sha256(b"bits 3" * 100).hexdigest()


def test_equal_inputs_are_built_once(builds: list[tuple[int, int]], tmp_path: Path) -> None:
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
        lambda folder: build(SPEC, "icebreaker", clock=18e6, cache=folder),
        lambda folder: build(SPEC, "icebreaker", baud=500_000, cache=folder),
        lambda folder: build(SPEC, "icebreaker", seed=2, cache=folder),
    ],
)
def test_any_other_input_is_built_anew(
    builds: list[tuple[int, int]], tmp_path: Path, change: Callable[[Path], Bundle]
) -> None:
    first = build(SPEC, "icebreaker", cache=tmp_path)
    assert change(tmp_path).manifest["inputs_sha256"] != first.manifest["inputs_sha256"]
    assert len(builds) == 2


def test_other_sources_or_tools_are_built_anew(
    builds: list[tuple[int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(SPEC, "icebreaker", cache=tmp_path)
    monkeypatch.setattr(placements, "sources_sha256", lambda _: "other")
    build(SPEC, "icebreaker", cache=tmp_path)
    monkeypatch.setattr(placements, "_GENERATORS", ("amaranth",))
    build(SPEC, "icebreaker", cache=tmp_path)
    assert len(builds) == 3


class OtherPins(ICEBreakerPlatform):
    """The same board with transmitter and receiver exchanged."""

    resources: ClassVar[list[Any]] = [
        UARTResource(0, rx="9", tx="6") if (resource.name, resource.number) == ("uart", 0) else resource
        for resource in ICEBreakerPlatform.resources
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"platform_class": f"{__name__}:OtherPins"},
        {"resources": dataclasses.replace(BOARDS["icebreaker"].resources, block_rams=20)},
        {"pll": PllCell.SB_PLL40_CORE},
    ],
)
def test_another_board_of_the_same_name_is_built_anew(
    builds: list[tuple[int, int]], tmp_path: Path, change: dict[str, Any]
) -> None:
    first = build(SPEC, "icebreaker", cache=tmp_path)
    other = dataclasses.replace(BOARDS["icebreaker"], **change)
    assert build(SPEC, other, cache=tmp_path).manifest["inputs_sha256"] != first.manifest["inputs_sha256"]
    assert len(builds) == 2


@pytest.mark.usefixtures("builds")
def test_what_was_built_is_given_even_if_it_cannot_be_kept(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    steps: list[str] = []
    bundle = build(SPEC, "icebreaker", cache=nowhere / "bundles", progress=steps.append)
    assert bundle.bitstream == b"bits 1" * 100
    (said,) = (step for step in steps if "not kept" in step)
    assert str(nowhere) in said


def test_lanes_are_of_the_build(builds: list[tuple[int, int]], tmp_path: Path) -> None:
    folded = build(SPEC, "icebreaker", lanes=3, cache=tmp_path)
    assert folded.spec == OscillatorSpec(oscillators=6, lanes=3)
    assert folded.spec.same_network(SPEC)
    assert folded.to_bytes() == build(folded.spec, "icebreaker", cache=tmp_path).to_bytes()
    assert len(builds) == 1


def test_lanes_that_a_network_cannot_have_are_refused(
    builds: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SpecError, match="lanes is 7"):
        build(SPEC, "icebreaker", lanes=7, cache=None)
    monkeypatch.setattr(OscillatorSpec, "build_fields", classmethod(lambda _: ()))
    with pytest.raises(SpecError, match="family 'oscillator' has no lanes"):
        build(SPEC, "icebreaker", lanes=3, cache=None)
    assert builds == []


def test_a_damaged_cache_entry_is_built_anew(builds: list[tuple[int, int]], tmp_path: Path) -> None:
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


def test_what_cannot_fit_is_refused_before_any_tool_runs(builds: list[tuple[int, int]]) -> None:
    with pytest.raises(DoesNotFit, match="does not fit icebreaker"):
        build(OscillatorSpec(oscillators=506, lanes=64), "icebreaker", cache=None)
    assert builds == []


@pytest.mark.parametrize("seeds", [1, 3])
def test_what_place_and_route_cannot_fit_gets_the_same_advice(
    builds: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, seeds: int
) -> None:
    def place(*_: object, **__: object) -> Implementation:
        raise CapacityError("5300 ICESTORM_LC of 5280")

    monkeypatch.setattr(placements, "place", place)
    with pytest.raises(DoesNotFit, match=r"icebreaker: it needs 5300 ICESTORM_LC of 5280; it would fit with lanes=6,"):
        build(OscillatorSpec(oscillators=16, lanes=8), "icebreaker", seeds=seeds, cache=None)
    assert builds == []


def test_what_synthesis_shows_not_to_fit_is_refused(
    tools: Callable[..., Tools], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tools(lambda _clock, _seed: 20e6)
    cells = {"SB_LUT4": 6000}
    monkeypatch.setattr(placements, "synthesise", lambda *_, **__: Netlist(BOARDS["icebreaker"], {}, (), cells))
    with pytest.raises(DoesNotFit, match=r"it needs 6000 LUTs of 5280"):
        build(SPEC, "icebreaker", cache=None)
    assert made.placed == []


def test_a_wrong_board_or_baud_is_refused(builds: list[tuple[int, int]]) -> None:
    with pytest.raises(BoardError, match="did you mean icebreaker"):
        build(SPEC, "icebreker", cache=None)
    with pytest.raises(ValueError, match="7777777"):
        build(SPEC, "icebreaker", baud=7_777_777, cache=None)
    assert builds == []


def test_a_baud_that_the_clock_cannot_make_is_refused() -> None:
    with pytest.raises(ValueError, match="50 baud"):
        build(SPEC, "icebreaker", baud=50, cache=None)


def test_the_hash_of_the_sources_covers_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(design: list[tuple[str, bytes]], flow: bytes) -> str:
        monkeypatch.setattr(placements, "design_sources", lambda _: design)
        monkeypatch.setattr(placements, "source_files", lambda name: [(name, flow)])
        return sources_sha256(SPEC)

    files = [("part.py", b"A = 1\n")], [("part.py", b"A = 2\n")], [("other.py", b"A = 2\n")], []
    assert len({hashed(design, flow) for design in files for flow in (b"1", b"2")}) == 8
    assert hashed(files[0], b"1") == hashed(files[0], b"1")


# Clocks


def test_a_clock_that_is_given_is_made_by_a_pll(builds: list[tuple[int, int]]) -> None:
    bundle = build(SPEC, "icebreaker", clock=20e6, cache=None)
    assert builds == [(19_875_000, 1)]
    assert bundle.clock_hz == 19_875_000
    assert bundle.manifest["pll"] == {
        "input_hz": 12_000_000,
        "input_divider": 1,
        "feedback_divider": 53,
        "output_divider": 32,
    }


def test_a_clock_that_is_missed_names_what_was_reached_and_the_next_step(builds: list[tuple[int, int]]) -> None:
    message = (
        r"the design reaches 20\.5 MHz on icebreaker, and its clock is 24 MHz; try a clock of 19\.875 MHz, "
        r"more seeds than 1, or fewer lanes"
    )
    with pytest.raises(TimingError, match=message):
        build(SPEC, "icebreaker", clock=24e6, cache=None)
    assert builds == [(24_000_000, 1)]


@pytest.mark.parametrize(
    ("clock", "says"),
    [(0, "must be more than 0"), (14e6, r"nearest it makes: 16\.125 MHz"), ("fast", r"a clock of 'fast'.*'auto'")],
)
def test_a_clock_that_is_none_is_refused(builds: list[tuple[int, int]], clock: float | str, says: str) -> None:
    with pytest.raises(ClockError, match=says):
        build(SPEC, "icebreaker", clock=clock, cache=None)
    assert builds == []


def test_a_baud_that_no_clock_serves_is_refused(builds: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"cannot make 50 baud"):
        build(SPEC, "icebreaker", clock=16.125e6, baud=50, cache=None)
    assert builds == []


def test_the_fastest_clock_is_found_with_a_margin(tools: Callable[..., Tools], tmp_path: Path) -> None:
    made = tools(lambda clock, _seed: 22.6e6 if clock > 40e6 else 21.9e6)
    bundle = build(SPEC, "icebreaker", clock="auto", cache=tmp_path)
    assert made.placed[0] == (48_000_000, 1)
    assert bundle.clock_hz == 21_000_000
    assert LEAST_USED <= bundle.clock_hz / bundle.fmax_hz <= 1 / MARGIN
    placed = len(made.placed)
    assert build(SPEC, "icebreaker", clock="auto", cache=tmp_path) == bundle
    assert len(made.placed) == placed  # all from the cache
    assert build(SPEC, "icebreaker", clock=21e6, cache=tmp_path) == bundle


def test_a_clock_that_the_last_placement_misses_is_stepped_down(tools: Callable[..., Tools]) -> None:
    made = tools(lambda clock, _seed: {48_000_000: 25e6, 23_875_000: 22e6}.get(clock, 21.9e6))
    bundle = build(SPEC, "icebreaker", clock="auto", cache=None)
    clocks = [clock for clock, _ in made.placed]
    assert clocks == sorted(clocks, reverse=True)
    assert bundle.clock_hz * MARGIN <= bundle.fmax_hz


def test_a_placement_that_turns_out_fast_is_clocked_faster(tools: Callable[..., Tools]) -> None:
    made = tools(lambda clock, _seed: 20e6 if clock > 40e6 else 30e6)
    bundle = build(SPEC, "icebreaker", clock="auto", cache=None)
    assert len(made.placed) == 3
    assert LEAST_USED * 30e6 <= bundle.clock_hz <= 30e6 / MARGIN


def test_a_faster_clock_that_is_missed_leaves_the_one_before(tools: Callable[..., Tools]) -> None:
    made = tools(lambda clock, _seed: 20e6 if clock > 25e6 else 30e6)
    bundle = build(SPEC, "icebreaker", clock="auto", cache=None)
    assert len(made.placed) == 3
    assert (bundle.clock_hz < 20e6, bundle.fmax_hz) == (True, 30_000_000)


@pytest.mark.parametrize(("reached", "clock"), [(15e6, 12_000_000), (12.1e6, 12_000_000)])
def test_a_slow_design_runs_from_the_oscillator(tools: Callable[..., Tools], reached: float, clock: int) -> None:
    tools(lambda _clock, _seed: reached)
    assert build(SPEC, "icebreaker", clock="auto", cache=None).clock_hz == clock


def test_a_design_slower_than_the_oscillator_is_an_error(tools: Callable[..., Tools]) -> None:
    tools(lambda _clock, _seed: 11.9e6)
    with pytest.raises(TimingError, match=r"reaches 11\.9 MHz on icebreaker, and its clock is 12 MHz; try more seeds"):
        build(SPEC, "icebreaker", clock="auto", cache=None)


def test_a_board_without_a_pll_runs_from_its_oscillator(builds: list[tuple[int, int]]) -> None:
    board = dataclasses.replace(BOARDS["icebreaker"], pll=None)
    assert build(SPEC, board, clock="auto", cache=None).clock_hz == 12_000_000
    assert builds == [(12_000_000, 1)]
    with pytest.raises(ClockError, match="has no PLL"):
        build(SPEC, board, clock=24e6, cache=None)


def test_place_and_route_must_work_for_the_right_clock(
    builds: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for fmax, says in (({}, "no clock"), ({"clock": (30e6, 16e6)}, "one of 16 MHz, and it is one of 12 MHz")):
        made = Implementation(b"bits", "top.bin", Report({}, fmax, ()))
        monkeypatch.setattr(placements, "place", lambda *_, made=made, **__: made)
        with pytest.raises(ToolError, match=says):
            build(SPEC, "icebreaker", cache=None)
    assert builds == []


# Seeds


def test_the_best_of_several_seeds_is_kept(tools: Callable[..., Tools], tmp_path: Path) -> None:
    made = tools(lambda clock, seed: {3: 22e6, 4: 24e6, 5: 24e6}.get(seed, 21e6) if clock == 48_000_000 else 23.9e6)
    lines: list[str] = []
    found = module.build(SPEC, "icebreaker", clock="auto", seed=3, seeds=4, cache=tmp_path, progress=lines.append)
    assert sorted(seed for clock, seed in made.placed if clock == 48_000_000) == [3, 4, 5, 6]
    assert found.seed == 3  # at the clock that followed, the first seed was fast enough
    assert any("seed 4 reaches 24.0 MHz, 2 of 4" in line for line in lines)


def test_seeds_are_tried_until_one_meets_the_clock(tools: Callable[..., Tools], tmp_path: Path) -> None:
    made = tools(lambda _clock, seed: (18 + seed) * 1e6)
    bundle = build(SPEC, "icebreaker", clock=21e6, seeds=50, cache=tmp_path)
    assert (bundle.seed, bundle.manifest["build"]["seed"]) == (3, 3)
    assert len(made.placed) < 50
    assert len(made.clocks) == 1  # one synthesis for all
    assert build(SPEC, "icebreaker", clock=21e6, seed=3, cache=tmp_path) == bundle
    assert len(made.clocks) == 1


def test_the_result_does_not_depend_on_which_seed_ends_first(
    tools: Callable[..., Tools], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tools(lambda _clock, _seed: 25e6)
    place = made.place

    def slowly(netlist: Netlist, seed: int, **options: Any) -> Implementation:
        time.sleep(0.05 if seed == 1 else 0)
        return place(netlist, seed, **options)

    monkeypatch.setattr(placements, "place", slowly)
    monkeypatch.setattr(placements, "workers", lambda count: max(count, 1))
    assert build(SPEC, "icebreaker", clock=21e6, seeds=4, cache=None).seed == 1


def test_more_seeds_place_only_the_new_ones(tools: Callable[..., Tools], tmp_path: Path) -> None:
    made = tools(lambda _clock, seed: (20 + seed / 10) * 1e6)
    with pytest.raises(TimingError, match=r"reaches 20\.3 MHz .* more seeds than 3"):
        build(SPEC, "icebreaker", clock=24e6, seeds=3, cache=tmp_path)
    with pytest.raises(TimingError, match=r"reaches 20\.5 MHz .* more seeds than 5"):
        build(SPEC, "icebreaker", clock=24e6, seeds=5, cache=tmp_path)
    assert sorted(seed for _, seed in made.placed) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("seeds", [0, -1, MOST_SEEDS + 1, 10**9])
def test_no_seeds_and_too_many_are_refused(builds: list[tuple[int, int]], seeds: int) -> None:
    message = f"^{seeds} seeds to place with: each is a whole placement; take from 1 to 64, and another first seed"
    with pytest.raises(ValueError, match=message):
        build(SPEC, "icebreaker", seeds=seeds, cache=None)
    assert builds == []


@pytest.mark.parametrize(("seed", "seeds", "named"), [(-1, 2, -1), (2**31, 1, 2**31), (2**31 - 5, 6, 2**31)])
def test_seeds_that_the_placer_does_not_take_are_refused(
    builds: list[tuple[int, int]], seed: int, seeds: int, named: int
) -> None:
    with pytest.raises(ValueError, match=f"^seed {named}: the placer takes at least 0 and at most 2147483647; choose"):
        build(SPEC, "icebreaker", seed=seed, seeds=seeds, cache=None)
    assert builds == []
    assert build(SPEC, "icebreaker", clock=20e6, seed=2**31 - 1, cache=None).seed == 2**31 - 1


def test_no_more_tools_run_than_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placements.os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    assert [workers(count) for count in (0, 1, 3, 4, 100)] == [1, 1, 3, 3, 3]


@pytest.mark.slow
def test_a_network_is_built_twice_to_the_same_bytes() -> None:
    spec = OscillatorSpec(oscillators=12, lanes=3, labels=2)
    first = build(spec, "hx8k-evn", clock="auto", cache=None)
    assert first.to_bytes() == build(spec, "hx8k-evn", clock="auto", cache=None).to_bytes()
    assert LEAST_USED <= first.clock_hz / first.fmax_hz <= 1 / MARGIN
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
