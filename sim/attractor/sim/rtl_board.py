"""The gateware of a network as a board: what goes onto the FPGA, compiled and run, serial bits and all."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from attractor.hdl.sources import design_sources
from attractor.machine.cache import SIMULATORS, build_once, cache_folder, digest
from attractor.machine.programs import ToolError
from attractor.sim.verilog_board import CLOCKS_PER_BIT, QUIET_CYCLES, VerilogBoard
from attractor.spec import PAYLOAD_BYTES, Region, Spec
from attractor.spec.files import load_spec
from attractor.spec.protocol import FULL_BUFFERS, Buffers

__all__ = ["BOARD_NAME", "CLOCK_HZ", "RtlBoard", "open_port", "open_spec", "system_verilog"]

#: Clock that the gateware believes to have. Nothing waits for it: the simulation runs as fast as it can.
CLOCK_HZ = 12_000_000
#: Name of the board in the device's description.
BOARD_NAME = "rtl"

_TOP = "board"
_HERE = Path(__file__)
# The link needs eight cycles for a byte of memory, and three for a word.
_CYCLES_PER_BYTE = 11
# It needs fewer than this for a frame, and as many for each packed word as the word has bits, and three.
_CYCLES_PER_FRAME = 20 * PAYLOAD_BYTES
_CYCLES_PER_PACKED_WORD = 3


class RtlBoard(VerilogBoard):
    """A port to the simulated gateware of a network.

    The first board of a spec is generated and compiled, which takes from ten seconds to a minute; later ones, also in
    other processes, start at once from the cache.

    Parameters
    ----------
    spec:
        The network.
    clocks_per_bit:
        Clock cycles of a bit on the line.
    seed:
        As for :class:`~attractor.sim.verilog_board.VerilogBoard`.
    buffers:
        What its link keeps.
    name:
        Name of the port in messages.

    Raises
    ------
    ToolError
        If the gateware was not compiled before and Verilator or a C++ compiler is missing.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        clocks_per_bit: int = CLOCKS_PER_BIT,
        seed: int | None = None,
        buffers: Buffers = FULL_BUFFERS,
        name: str = "rtl:",
    ) -> None:
        self.spec = spec
        verilog = system_verilog(spec, CLOCK_HZ, CLOCK_HZ // clocks_per_bit, buffers)
        super().__init__(
            verilog, _TOP, clocks_per_bit=clocks_per_bit, seed=seed, quiet_cycles=_quiet_cycles(spec), name=name
        )


def open_port(argument: str, baud: int | None = None) -> RtlBoard:  # noqa: ARG001
    """Open ``rtl:FILE``: the simulated gateware of the spec in a spec or model file.

    A model's parameters are not in the board then; they are loaded over the line as into any other board.

    Parameters
    ----------
    argument:
        Path of a ``.json`` spec or a ``.safetensors`` model.
    baud:
        Ignored: the line is as fast as the simulation.

    Raises
    ------
    SpecError
        If the file holds no spec.
    ToolError
        If the gateware was not compiled before and Verilator or a C++ compiler is missing.
    """
    return RtlBoard(load_spec(argument), name=f"rtl:{argument}")


def open_spec(spec: Spec) -> RtlBoard:
    """Open ``rtl:``, the simulated gateware of a network that the caller has.

    Raises
    ------
    ToolError
        As :func:`open_port`.
    """
    return RtlBoard(spec)


def system_verilog(spec: Spec, clock_hz: int, baud: int, buffers: Buffers = FULL_BUFFERS) -> str:
    """Return the gateware of ``spec`` in Verilog, its top module called ``board``; generated once and then kept.

    It is generated anew when the sources that make it or the version of Amaranth change.

    Raises
    ------
    ToolError
        If Amaranth finds no Yosys to write Verilog with.
    """
    versions = [f"{package} {metadata.version(package)}" for package in ("attractor", "amaranth")]
    key = digest(spec.to_json(), str(clock_hz), str(baud), str(buffers), *versions, *_sources(spec))

    def generate(path: Path) -> None:
        path.write_text(_generate(spec, clock_hz, baud, buffers), encoding="utf-8")

    return build_once(cache_folder(SIMULATORS) / f"{key}.v", generate).read_text(encoding="utf-8")


def _quiet_cycles(spec: Spec) -> int:
    """Return more cycles than any request takes without a sign of life."""
    # ``busy`` is about calls that run. Of all other work, one request goes once over all memories, and another takes a
    # frame of inputs: a word for each bit, or for each byte where calls of a single word begin anew.
    memories = _CYCLES_PER_BYTE * sum(window.size for window in spec.memory_map.windows)
    inputs = max(
        PAYLOAD_BYTES * min(8, window.words) * (window.word_bits + _CYCLES_PER_PACKED_WORD)
        for window in spec.memory_map.region(Region.INPUT)
    )
    return QUIET_CYCLES + _CYCLES_PER_FRAME + max(memories, inputs)


def _generate(spec: Spec, clock_hz: int, baud: int, buffers: Buffers) -> str:
    # Not at the top: a board from the cache starts without Amaranth.
    from amaranth.back.verilog import YosysError

    from attractor.hdl.cores import build_core
    from attractor.hdl.system import System
    from attractor.sim.verilog import to_verilog

    system = System(build_core(spec), spec, clock_hz=clock_hz, baud=baud, board=BOARD_NAME, buffers=buffers)
    try:
        return to_verilog(system, _TOP)
    except YosysError as error:
        raise ToolError(f"Amaranth could not write Verilog: {error}; pip install 'attractor[sim]'") from error


def _sources(spec: Spec) -> list[bytes | str]:
    """Return all source code of which a board is made: names and contents of the files of the design, and ours."""
    ours = [_HERE.read_bytes(), _HERE.with_name("verilog.py").read_bytes()]
    return [*ours, *(part for file in design_sources(spec) for part in file)]
