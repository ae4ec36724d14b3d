from __future__ import annotations

import dataclasses
import json
import random
import subprocess
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import memory

from attractor.gateware import flow
from attractor.gateware.boards import Family
from attractor.gateware.packing import Memory, Packed, pack
from attractor.gateware.tools import find_toolchain


class OneMemory(Elaboratable):
    def __init__(self, size: Memory) -> None:
        self.size = size
        self.addresses = [Signal(24) for _ in range(size.read_ports)]
        enables = size.word_bits // (size.enabled_bits or size.word_bits)
        self.write_address, self.write, self.data = Signal(24), Signal(enables), Signal(size.word_bits)
        self.read_data = [Signal(size.word_bits) for _ in range(size.read_ports)]
        self.ports = [*self.addresses, self.write_address, self.write, self.data, *self.read_data]

    def elaborate(self, _platform: object) -> Module:
        m, size = Module(), self.size
        # Words without a pattern, or a constant becomes less than it seems.
        numbers = random.Random(1)
        init = [numbers.getrandbits(size.word_bits) for _ in range(size.words)] if size.constant else []
        attributes = {"rom_style": "logic"} if size.logic else {}
        m.submodules.store = store = memory.Memory(shape=size.word_bits, depth=size.words, init=init, attrs=attributes)
        for address, data in zip(self.addresses, self.read_data, strict=True):
            reader = store.read_port(domain="comb" if size.asynchronous else "sync")
            m.d.comb += [reader.addr.eq(address), data.eq(reader.data)]
        if not size.constant:
            writer = store.write_port(granularity=size.enabled_bits or None)
            m.d.comb += [writer.addr.eq(self.write_address), writer.data.eq(self.data), writer.en.eq(self.write)]
        return m


def packed_by_yosys(sizes: list[Memory], family: Family, folder: Path) -> list[Packed]:
    m, ports = Module(), []
    for index, size in enumerate(sizes):
        m.submodules[f"memory_{index}"] = one = OneMemory(size)
        ports += one.ports
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
        flip_flops = 0 if blocks or lut_rams or size.constant else size.bits
        packed.append(Packed(blocks, lut_rams, flip_flops))
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
        Memory("two read ports", 256, 16, read_ports=2),
        Memory("registers with two read ports", 16, 8, read_ports=2),
        Memory("LUT RAM with three read ports", 64, 16, read_ports=3),
        Memory("asynchronous", 64, 8, asynchronous=True),
        Memory("asynchronous and long", 512, 8, asynchronous=True),
        Memory("constant", 300, 16, constant=True),
        Memory("small constant of iCE40", 128, 8, constant=True),
        Memory("small constant of ECP5", 200, 7, constant=True),
        Memory("constant of logic", 300, 16, constant=True, logic=True),
        Memory("phases of lanes", 313, 128, enabled_bits=4),
        Memory("few phases of lanes", 40, 64, enabled_bits=4),
        Memory("wide phases of many groups", 2100, 30, enabled_bits=6),
        Memory("phases of many groups", 2100, 24, enabled_bits=4),
        Memory("asynchronous constant", 300, 16, constant=True, asynchronous=True),
    ]
    expected = [dataclasses.replace(pack(size, family), selected_bits=0) for size in sizes]
    assert packed_by_yosys(sizes, family, tmp_path) == expected
