from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections import Counter
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attractor.gateware import costs
from attractor.gateware.boards import BOARDS, Board, find_board
from attractor.gateware.costs import ANY_CORE, LUT_TOLERANCE
from attractor.gateware.estimate import (
    DoesNotFit,
    Estimate,
    check_cells,
    check_parameters,
    does_not_fit,
    estimate,
    most_lanes,
)
from attractor.gateware.flow import prepare
from attractor.gateware.inventory import count_logic, memories_of
from attractor.gateware.sparse import COSTS
from attractor.gateware.tools import find_toolchain
from attractor.gateware.top import system_top
from attractor.hdl.weights import LARGE
from attractor.spec import (
    EqPropSpec,
    FelifLayer,
    FelifSpec,
    IntegerArray,
    MemoryMap,
    OscillatorSpec,
    ParameterSpec,
    Spec,
    SpecError,
    family_of,
)
from attractor.spec.felif.layer import KINDS, LIF, READOUT
from attractor.spec.sparse import SparseSpec

from .fit_luts import counting, luts, networks, utilisation

ICEBREAKER, LARGEST = BOARDS["icebreaker"], BOARDS["ulx3s-85f"]
#: A graph of 2,000 vertices and 11,778 edges, one of them with 210 neighbours: all that iCEBreaker holds.
SPARSE = SparseSpec(
    oscillators=2000,
    couplings=23556,
    strength=210,
    weight_bits=2,
    lanes=8,
    entries=4,
    row_words=8600,
    schedule_entries=64,
    random_start=True,
    binary=True,
    flips=True,
)


@st.composite
def specs(draw: st.DrawFn) -> OscillatorSpec:
    oscillators = draw(st.integers(2, 40))
    inputs = draw(st.integers(0, oscillators - 1))
    targets = oscillators - inputs
    return OscillatorSpec(
        oscillators=oscillators,
        inputs=inputs,
        labels=draw(st.integers(0, targets)),
        lanes=draw(st.integers(1, min(targets, 12))),
        weight_bits=draw(st.integers(2, 12)),
        phase_bits=draw(st.integers(3, 6)),
        schedule_entries=draw(st.integers(1, 64)),
        random_start=draw(st.booleans()),
        flips=draw(st.booleans()),
    )


@st.composite
def layered_specs(draw: st.DrawFn) -> EqPropSpec:
    hidden = tuple(draw(st.lists(st.integers(1, 20), min_size=1, max_size=3)))
    layers = (draw(st.integers(1, 40)), *hidden, 2 * draw(st.integers(1, 8)))
    return EqPropSpec(
        layers=layers,
        classes=2,
        state_high=draw(st.integers(1, 255)),
        nudge_shift=draw(st.integers(0, 4)),
        counter_bits=draw(st.integers(2, 12)),
        lanes=draw(st.integers(1, min(max(layers[1:]), 10))),
        learning=draw(st.booleans()),
    )


@st.composite
def spiking_specs(draw: st.DrawFn) -> FelifSpec:
    kinds = [*draw(st.lists(st.sampled_from(KINDS[:3]), max_size=2)), draw(st.sampled_from(KINDS))]
    layers = tuple(
        FelifLayer(
            neurons=draw(st.integers(1, 30)),
            kind=kind,
            weight_bits=draw(st.integers(2, 8)),
            recurrent=kind != READOUT and draw(st.booleans()),
            synapse=kind == LIF and draw(st.booleans()),
        )
        for kind in kinds
    )
    lanes = draw(st.integers(1, min(max(layer.neurons for layer in layers), 10)))
    bits = draw(st.sampled_from([1, 3, 8]))
    return FelifSpec(inputs=draw(st.integers(1, 40)), input_bits=bits, layers=layers, ticks=9, lanes=lanes)


def memories_of_yosys(spec: Spec) -> Counter[tuple[str, int, int, int, bool]]:
    """Return name, words, bits of a word, read ports and mark for large RAM of each memory that Yosys finds."""
    netlist = prepare(system_top(spec, ICEBREAKER, 1_000_000), ICEBREAKER)["top.il"]
    script = "read_rtlil top.il; proc; memory_collect; tee -q -o found.il dump */t:$mem_v2"
    with TemporaryDirectory() as folder:
        Path(folder, "top.il").write_text(netlist)
        yosys = find_toolchain(ICEBREAKER.family).program("yosys")
        subprocess.run([yosys, "-q", "-p", script], cwd=folder, check=True)
        text = Path(folder, "found.il").read_text()
    found = Counter[tuple[str, int, int, int, bool]]()
    for module in text.split("\nmodule ")[1:]:
        path, *cells = re.split(r"^  cell \$mem_v2 ", module, flags=re.M)
        for before, cell in zip([path, *cells], cells, strict=False):
            numbers = {key: int(value) for key, value in re.findall(r"^ *parameter \\(\w+) (\d+)$", cell, re.M)}
            marked = f"attribute \\{LARGE} " in before.rpartition("  end\n")[2]
            name = cell.split()[0].removeprefix("\\")
            found[name, numbers["SIZE"], numbers["WIDTH"], numbers["RD_PORTS"], marked] += 1
    return found


@settings(max_examples=7, deadline=None)
@given(st.one_of(specs(), layered_specs(), spiking_specs()))
@example(SPARSE)
@example(EqPropSpec(layers=(8, 1, 2), classes=2, state_high=1))  # a sample of one byte: its record is also its word
def test_the_memories_are_those_that_yosys_finds(spec: Spec) -> None:
    """Name for name, in the netlist for a board; only the description, in the memory of frames, has another length."""
    own = Counter(
        (memory.name.rpartition(".")[2], memory.words, memory.word_bits, memory.read_ports, memory.large)
        for memory, _ in estimate(spec, ICEBREAKER).memories
    )
    found = memories_of_yosys(spec)
    differences = [*(found - own).elements()], [*(own - found).elements()]
    assert [len(difference) for difference in differences] in ([0, 0], [1, 1])
    for (name, there, *others), (_, here, *same) in zip(*differences, strict=True):
        assert (name, *others) == ("storage", 8, 1, False)
        assert others == same
        assert abs(there - here) < 40


def test_memories_have_the_names_of_the_design() -> None:
    names = [memory.name for memory in memories_of(OscillatorSpec(oscillators=8, lanes=3))]
    assert len(set(names)) == len(names)
    assert {"link.encoder.storage", "core.crossbar.weights.weights_0", "core.phases.memory"} <= set(names)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "spec"), networks())
def test_an_estimate_is_as_right_as_it_says(name: str, spec: Spec) -> None:
    board = BOARDS[name]
    used, estimated = utilisation(spec, board), estimate(spec, board)
    assert estimated.block_rams == used.get("ICESTORM_RAM", used.get("DP16KD"))
    assert estimated.multipliers == used.get("ICESTORM_DSP", used.get("MULT18X18D", 0))
    row = {"board": name, "spec": spec.to_dict(), "used": used}
    assert abs(estimated.luts - luts(row)) <= LUT_TOLERANCE * luts(row)
    assert abs(counting(row, ANY_CORE).luts - luts(row)) <= ANY_CORE.tolerance * luts(row)


def test_one_estimate_against_synthesis() -> None:
    """The quick one of the slow test above."""
    test_an_estimate_is_as_right_as_it_says("ulx3s-85f", OscillatorSpec(oscillators=16, lanes=2))


def test_what_is_too_large_names_the_shortage_and_what_fits() -> None:
    spec = OscillatorSpec(oscillators=200, lanes=50)
    with pytest.raises(DoesNotFit) as raised:
        estimate(spec, ICEBREAKER).check()
    message = str(raised.value)
    assert re.search(r"does not fit icebreaker: it needs \d+ block RAMs of 30; it would fit with", message)
    (board,) = re.findall(r"the board (\S+)$", message)
    estimate(spec, BOARDS[board]).check()


def test_the_advised_lanes_fit_and_are_the_most() -> None:
    spec = OscillatorSpec(oscillators=100, lanes=100, weight_bits=2)
    with pytest.raises(DoesNotFit) as raised:
        estimate(spec, ICEBREAKER).check()
    (lanes,) = (int(lanes) for lanes in re.findall(r"lanes=(\d+)", str(raised.value)))
    assert lanes < 100
    assert estimate(dataclasses.replace(spec, lanes=lanes), ICEBREAKER).fits
    larger = min(n for n in range(lanes + 1, 101) if -(-100 // n) < -(-100 // lanes))
    assert not estimate(dataclasses.replace(spec, lanes=larger), ICEBREAKER).fits


def test_the_most_lanes_that_fit() -> None:
    spec = OscillatorSpec(oscillators=100, weight_bits=2)
    found = most_lanes(spec, ICEBREAKER)
    lanes = found.spec.build_to_dict()["lanes"]
    assert found.fits_as_estimated
    assert found.lacks == ""
    assert lanes < 100
    groups = -(-100 // lanes)
    assert lanes == -(-100 // groups)
    more = dataclasses.replace(spec, lanes=-(-100 // (groups - 1)))
    assert estimate(more, ICEBREAKER).lacks
    assert most_lanes(OscillatorSpec(oscillators=20, weight_bits=2), ICEBREAKER).spec.build_to_dict()["lanes"] == 20


def test_no_lanes_are_few_enough() -> None:
    spec = OscillatorSpec(oscillators=500, weight_bits=8)
    says = (
        r"does not fit hx8k-evn: with the fewest lanes it needs \d+ block RAMs of 32 .*; the board ulx3s-85f holds it"
    )
    with pytest.raises(DoesNotFit, match=says):
        most_lanes(spec, find_board("hx8k-evn"))
    with pytest.raises(DoesNotFit, match="; use fewer oscillators or narrower weights"):
        most_lanes(OscillatorSpec(oscillators=2000, weight_bits=8), LARGEST)


def test_the_advised_lanes_of_layers_fit() -> None:
    spec = EqPropSpec(layers=(64, 48, 20), state_high=63, counter_bits=6, learning=True)
    with pytest.raises(DoesNotFit, match=r"would fit with lanes=\d+,") as raised:
        estimate(spec, ICEBREAKER).check()
    (lanes,) = (int(lanes) for lanes in re.findall(r"lanes=(\d+)", str(raised.value)))
    assert lanes < spec.lanes
    estimate(dataclasses.replace(spec, lanes=lanes), ICEBREAKER).check()


def test_sparse_couplings_are_folded_over_lanes_and_entries() -> None:
    spec = dataclasses.replace(SPARSE, lanes=64, entries=64, row_words=0)
    found = most_lanes(spec, ICEBREAKER)
    assert isinstance(found.spec, SparseSpec)
    assert (found.spec.lanes, found.spec.entries, found.large_rams) == (8, 4, 4)
    # Words that hold as many couplings, and a word for each oscillator.
    assert found.spec.row_words == 2000 + -(-23556 // 4) + 1
    assert refolded(found.spec, lanes=16).lacks
    with pytest.raises(DoesNotFit) as raised:
        estimate(spec, ICEBREAKER).check()
    advised = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", str(raised.value))}
    assert advised == {"lanes": 8, "entries": 4, "row_words": found.spec.row_words}
    assert str(raised.value).endswith("or the board ulx3s-45f")


def refolded(spec: SparseSpec, lanes: int) -> Estimate:
    return estimate(dataclasses.replace(spec, lanes=lanes), ICEBREAKER)


def test_two_classes_that_become_one_have_twice_the_words_at_most() -> None:
    """However the oscillators are numbered; a spec that says nothing has what is usual."""
    spec = dataclasses.replace(SPARSE, lanes=16, entries=16, row_words=2100)
    words = {(build.lanes, build.entries): build.row_words for build in chain.from_iterable(COSTS.builds(spec))}
    assert words[16, 8] == 2 * 2099 + 1
    assert words[16, 4] == 2000 + 23556 // 4 + 1 < 4 * 2099 + 1
    assert set(words) == {
        (lanes, lanes >> share) for lanes in (1, 2, 4, 8, 16) for share in range(4) if lanes >> share
    } - {(16, 16)}


def test_the_board_and_the_lanes_are_named_where_both_have_to_change() -> None:
    spec = SparseSpec(oscillators=10000, couplings=40000, strength=7, lanes=64, weight_bits=2, binary=True, flips=True)
    with pytest.raises(
        DoesNotFit, match=r"would fit with the board ulx3s-45f and lanes=32, entries=4, row_words=20001"
    ):
        estimate(spec, ICEBREAKER).check()


def test_weights_of_layers_move_to_large_ram_unless_they_learn() -> None:
    sizes = {"layers": (784, 512, 100), "state_high": 63, "lanes": 16}
    inference = estimate(EqPropSpec(**sizes), ICEBREAKER)
    assert (inference.large_rams, inference.shortage) == (3, None)
    large = [memory.name for memory, kind in inference.memories if kind.large_rams]
    assert large == ["core.crossbar.up.up_0", "core.crossbar.down.down_0"]
    learning = estimate(EqPropSpec(**sizes, learning=True), ICEBREAKER)
    assert learning.large_rams == 0
    assert re.fullmatch(r"\d+ block RAMs of 30", learning.shortage or "")


@pytest.mark.parametrize(
    ("learning", "advice"), [(True, "use fewer neurons or counters of fewer bits"), (False, "use fewer neurons$")]
)
def test_layers_that_fit_nowhere_say_so(learning: bool, advice: str) -> None:
    with pytest.raises(DoesNotFit, match=advice):
        estimate(EqPropSpec(layers=(4000, 2000, 100), state_high=63, lanes=40, learning=learning), LARGEST).check()


def test_what_fits_nowhere_says_so() -> None:
    with pytest.raises(DoesNotFit, match="use fewer oscillators or narrower weights"):
        estimate(OscillatorSpec(oscillators=1024, weight_bits=8, lanes=16), LARGEST).check()


@pytest.mark.parametrize(
    ("board", "cells", "shortage"),
    [
        (ICEBREAKER, {"SB_LUT4": 5281}, "5281 LUTs of 5280"),
        (ICEBREAKER, {"SB_DFF": 2000, "SB_DFFESR": 3300}, "5300 LUTs of 5280"),
        (ICEBREAKER, {"SB_RAM40_4K": 31}, "31 block RAMs of 30"),
        (BOARDS["ulx3s-25f"], {"LUT4": 24000, "CCU2C": 100, "TRELLIS_DPR16X4": 100}, "24600 LUTs of 24288"),
        (BOARDS["ulx3s-25f"], {"DP16KD": 57}, "57 block RAMs of 56"),
        (BOARDS["ulx3s-25f"], {"MULT18X18D": 29}, "29 multipliers of 28"),
        (ICEBREAKER, {"SB_MAC16": 9}, "9 multipliers of 8"),
    ],
)
def test_too_many_cells_after_synthesis_end_the_build(board: Board, cells: dict[str, int], shortage: str) -> None:
    spec = OscillatorSpec(oscillators=8)
    with pytest.raises(DoesNotFit, match=f"{board.name}: it needs {shortage}"):
        check_cells(cells, spec, board)
    check_cells({cell: count // 2 for cell, count in cells.items()}, spec, board)


@pytest.mark.parametrize(
    ("spec", "large"),
    [
        (OscillatorSpec(oscillators=300, lanes=3), {"core.crossbar.weights.weights_0": 2}),
        (SPARSE, {"core.rows.pointers.memory": 1, "core.rows.words.memory": 3}),
    ],
    ids=["dense", "sparse"],
)
def test_large_ram_is_used_for_the_memories_that_are_marked(spec: Spec, large: dict[str, int], tmp_path: Path) -> None:
    """By Yosys, up to the step that decides; the slow builds do it to the end."""
    estimated = estimate(spec, ICEBREAKER)
    plan = prepare(system_top(spec, ICEBREAKER, 1_000_000), ICEBREAKER, large_weights=True)
    before, synthesis, _ = re.split(r"^(synth_ice40 .*)$", plan["top.ys"], maxsplit=1, flags=re.M)
    assert "-spram" in synthesis
    statistics = "tee -q -o stat.json stat -json"
    (tmp_path / "top.il").write_text(plan["top.il"])
    (tmp_path / "top.ys").write_text(f"{before}\n{synthesis} -run begin:map_ffram\n{statistics}\n")
    yosys = find_toolchain(ICEBREAKER.family).program("yosys")
    subprocess.run([yosys, "-q", "top.ys"], cwd=tmp_path, check=True)
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert {memory.name: kind.large_rams for memory, kind in estimated.memories if kind.large_rams} == large
    assert cells["SB_SPRAM256KA"] == estimated.large_rams == sum(large.values())
    assert cells["SB_RAM40_4K"] == estimated.block_rams


def test_a_handful_of_foldings_is_elaborated_for_advice() -> None:
    spec = OscillatorSpec(oscillators=120, lanes=120)
    memories_of.cache_clear()
    with pytest.raises(DoesNotFit, match="it would fit with lanes="):
        estimate(spec, ICEBREAKER).check()
    assert memories_of.cache_info().misses <= 1 + 8  # of 20 foldings


# Families without a model of their own


def without_model(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    family = dataclasses.replace(family_of(spec), costs=None)
    monkeypatch.setattr(costs, "family_of", lambda _: family)


def test_any_core_is_estimated_roughly(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = OscillatorSpec(oscillators=16, lanes=2)
    fitted = estimate(spec, ICEBREAKER)
    without_model(spec, monkeypatch)
    rough = estimate(spec, ICEBREAKER)
    assert rough.tolerance == ANY_CORE.tolerance > LUT_TOLERANCE == fitted.tolerance
    assert rough.memories == fitted.memories
    assert 0 < abs(rough.luts - fitted.luts) < rough.tolerance * fitted.luts


def test_a_rough_estimate_refuses_only_what_is_far_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = OscillatorSpec(oscillators=16, lanes=2)
    without_model(spec, monkeypatch)
    most = int(ICEBREAKER.resources.luts / (1 - ANY_CORE.tolerance))
    rough = dataclasses.replace(estimate(spec, ICEBREAKER), luts=most)
    assert rough.fits
    assert not dataclasses.replace(rough, luts=most + 1).fits
    assert not dataclasses.replace(rough, tolerance=LUT_TOLERANCE).fits


def test_advice_needs_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = OscillatorSpec(oscillators=6, lanes=6)
    without_model(spec, monkeypatch)
    advice = str(does_not_fit(spec, ICEBREAKER, "more"))
    assert re.search(r"it needs more; it would fit with lanes=3, .* or the board ", advice)


def test_logic_is_counted_in_the_netlist() -> None:
    m = Module()
    a, b, held, wide, chosen = Signal(3), Signal(5), Signal(4), Signal(8), Signal(2)
    m.d.sync += held.eq(a)
    m.d.comb += wide.eq(a * b)
    with m.If(a == 5):
        m.d.comb += chosen.eq(a + 1)
    netlist = rtlil.convert(m, ports=[a, b, held, wide, chosen])
    # The register of 4 bits, with its reset; zero and the sum for the 2 bits chosen.
    assert count_logic(netlist) == {"steered bits": 4 + 2 * 4 + 2 * 2, "computed bits": 3 + 4, "multiplied bits": 3 * 5}
    m = Module()
    m.d.comb += wide.eq(a * 3)
    assert count_logic(rtlil.convert(m, ports=[a, wide]))["multiplied bits"] == 0


class UnheardSpec(Spec):
    """A family that is not installed."""

    family = "unheard"
    parameters: dict[str, ParameterSpec] = {}  # noqa: RUF012
    memory_map = MemoryMap(())

    def encode_parameters(self, parameters: object) -> dict[str, bytes]:
        raise NotImplementedError("this spec has no parameters: nothing encodes them")

    def decode_parameters(self, windows: object) -> dict[str, IntegerArray]:
        raise NotImplementedError("this spec has no parameters: nothing encodes them")


def test_a_family_that_is_not_installed_is_named() -> None:
    with pytest.raises(SpecError, match="'unheard'"):
        estimate(UnheardSpec(), LARGEST)


def test_parameters_that_no_ram_holds_are_refused_before_anything_is_elaborated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("attractor.gateware.costs.memories_of", lambda _: pytest.fail("the design was elaborated"))
    with pytest.raises(DoesNotFit, match="block RAMs of 30 for its parameters alone"):
        check_parameters(OscillatorSpec(oscillators=1000, weight_bits=8), find_board("icebreaker"))
    check_parameters(OscillatorSpec(oscillators=442, lanes=3), find_board("icebreaker"))  # in its large RAMs
