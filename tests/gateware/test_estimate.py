from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import memory
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.gateware import flow
from attractor.gateware.boards import BOARDS, Board, Family
from attractor.gateware.costs import cost
from attractor.gateware.estimate import (
    LUT_TOLERANCE,
    DoesNotFit,
    check_cells,
    estimate,
)
from attractor.gateware.flow import prepare
from attractor.gateware.packing import Memory, Packed, pack
from attractor.gateware.tools import find_toolchain
from attractor.gateware.top import system_top
from attractor.spec import (
    EqPropSpec,
    FelifLayer,
    FelifSpec,
    IntegerArray,
    MemoryMap,
    OscillatorSpec,
    ParameterSpec,
    Spec,
)
from attractor.spec.felif.layer import KINDS, LIF, READOUT

from .fit_luts import luts, networks, utilisation

ICEBREAKER, LARGEST = BOARDS["icebreaker"], BOARDS["ulx3s-85f"]


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
        weight_bits=draw(st.integers(2, 8)),
        phase_bits=draw(st.integers(3, 6)),
        schedule_entries=draw(st.integers(1, 64)),
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


@settings(max_examples=12, deadline=None)
@given(st.one_of(specs(), layered_specs(), spiking_specs()))
def test_the_list_of_memories_is_that_of_the_design(spec: Spec) -> None:
    """Word for word, as the netlist declares them; only the description's length varies."""
    netlist = prepare(system_top(spec, ICEBREAKER, 1_000_000), ICEBREAKER, seed=1)["top.il"]
    declared = Counter(
        (int(words), int(width)) for width, words in re.findall(r"^\s*memory width (\d+) size (\d+) ", netlist, re.M)
    )
    listed_memories = cost(spec, ICEBREAKER.family).memories
    listed = Counter((m.words, m.word_bits) for m in listed_memories if not m.constant)
    (description,) = (m for m in listed_memories if m.constant)
    (rom,) = (declared - listed).elements()
    assert listed - declared == Counter()
    assert rom[1] == description.word_bits
    assert 0.7 * description.words < rom[0] < 256


class OneMemory(Elaboratable):
    def __init__(self, size: Memory) -> None:
        self.size = size
        self.address, self.write, self.data = Signal(24), Signal(), Signal(size.word_bits)
        self.read_data = Signal(size.word_bits)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.store = store = memory.Memory(shape=self.size.word_bits, depth=self.size.words, init=[])
        reader, writer = store.read_port(), store.write_port()
        m.d.comb += [
            reader.addr.eq(self.address),
            writer.addr.eq(self.address[12:]),
            writer.en.eq(self.write),
            writer.data.eq(self.data),
            self.read_data.eq(reader.data),
        ]
        return m


def packed_by_yosys(sizes: list[Memory], family: Family, folder: Path) -> list[Packed]:
    m, ports = Module(), []
    for index, size in enumerate(sizes):
        m.submodules[f"memory_{index}"] = one = OneMemory(size)
        ports += [one.address, one.write, one.data, one.read_data]
    (folder / "memories.il").write_text(rtlil.convert(m, ports=ports, name="top"))
    synthesis, libraries = {
        Family.ICE40: ("synth_ice40", "-lib +/ice40/brams.txt"),
        Family.ECP5: ("synth_ecp5", "-lib +/lattice/lutrams_trellis.txt -lib +/lattice/brams_16kd.txt"),
    }[family]
    # Only the step that decides, without what follows: the first lines of map_ram.
    (folder / "memories.ys").write_text(
        f"read_rtlil memories.il\n{flow._NO_COLLISIONS}\n{synthesis} -noflatten -top top -run begin:map_ram\n"
        f"memory_libmap {libraries} -no-auto-huge\ntee -q -o stat.json stat -json\n"
    )
    subprocess.run([find_toolchain(family).program("yosys"), "-q", "memories.ys"], cwd=folder, check=True)
    modules = json.loads((folder / "stat.json").read_text())["modules"]
    packed = []
    for index, size in enumerate(sizes):
        cells = modules[f"\\top.memory_{index}"]["num_cells_by_type"]
        blocks = sum(cells.get(cell, 0) for cell in ("$__ICE40_RAM4K_", "$__DP16KD_", "$__PDPW16KD_"))
        lut_rams = cells.get("$__TRELLIS_DPR16X4_", 0)
        packed.append(Packed(blocks, lut_rams, 0 if blocks or lut_rams else size.words * size.word_bits))
    return packed


@pytest.mark.parametrize("family", Family)
def test_memories_are_packed_as_yosys_packs_them(family: Family, tmp_path: Path) -> None:
    sizes = [
        Memory("smallest block of iCE40", 5, 16),
        Memory("registers of iCE40", 16, 4),
        Memory("few words", 4, 48),
        Memory("most LUT RAM of ECP5", 64, 18),
        Memory("a block of ECP5 just pays", 64, 24),
        Memory("accumulators", 72, 112),
        Memory("state", 200, 8),
        Memory("phases", 300, 5),
        Memory("one word too many", 257, 16),
        Memory("square", 512, 36),
        Memory("weights", 600, 40),
        Memory("narrow", 2049, 3),
        Memory("long", 1300, 40),
        Memory("long and odd", 3000, 30),
    ]
    expected = [dataclasses.replace(pack(size, family), selected_bits=0) for size in sizes]
    assert packed_by_yosys(sizes, family, tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("name", "spec"), networks())
def test_an_estimate_is_as_right_as_it_says(name: str, spec: Spec) -> None:
    board = BOARDS[name]
    used, estimated = utilisation(spec, board), estimate(spec, board)
    assert estimated.block_rams == used.get("ICESTORM_RAM", used.get("DP16KD"))
    assert estimated.multipliers == used.get("ICESTORM_DSP", used.get("MULT18X18D", 0))
    counted = luts({"used": used})
    assert abs(estimated.luts - counted) <= LUT_TOLERANCE * counted


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


def test_the_advised_lanes_of_layers_fit() -> None:
    spec = EqPropSpec(layers=(64, 48, 20), state_high=63, counter_bits=6, learning=True)
    with pytest.raises(DoesNotFit, match=r"would fit with lanes=\d+,") as raised:
        estimate(spec, ICEBREAKER).check()
    (lanes,) = (int(lanes) for lanes in re.findall(r"lanes=(\d+)", str(raised.value)))
    assert lanes < spec.lanes
    estimate(dataclasses.replace(spec, lanes=lanes), ICEBREAKER).check()


def test_weights_of_layers_move_to_large_ram_unless_they_learn() -> None:
    sizes = {"layers": (784, 512, 100), "state_high": 63, "lanes": 16}
    inference = estimate(EqPropSpec(**sizes), ICEBREAKER)
    assert (inference.large_rams, inference.shortage) == (3, None)
    assert [memory.name for memory, kind in inference.memories if kind.large_rams] == ["up.0", "down.0"]
    learning = estimate(EqPropSpec(**sizes, learning=True), ICEBREAKER)
    assert learning.large_rams == 0
    assert re.fullmatch(r"\d+ block RAMs of 30", learning.shortage or "")


@pytest.mark.parametrize(
    ("learning", "advice"), [(True, "use fewer neurons or counters of fewer bits"), (False, "use fewer neurons$")]
)
def test_layers_that_fit_nowhere_say_so(learning: bool, advice: str) -> None:
    with pytest.raises(DoesNotFit, match=advice):
        estimate(EqPropSpec(layers=(4000, 2000, 100), state_high=63, lanes=200, learning=learning), LARGEST).check()


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


class UnheardSpec(Spec):
    """A family for which no core and no model of the cost was written."""

    family = "unheard"
    parameters: dict[str, ParameterSpec] = {}  # noqa: RUF012
    memory_map = MemoryMap(())

    def encode_parameters(self, parameters: object) -> dict[str, bytes]:
        raise NotImplementedError

    def decode_parameters(self, windows: object) -> dict[str, IntegerArray]:
        raise NotImplementedError


def test_a_family_without_a_model_is_named() -> None:
    with pytest.raises(TypeError, match="'unheard'"):
        estimate(UnheardSpec(), LARGEST)
