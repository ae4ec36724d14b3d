"""A core in Verilator as a program that cocotb drives."""

from __future__ import annotations

from pathlib import Path

from cocotb_tools import config

from attractor.sim.verilator import COMPILER_OPTIONS, VERILATOR_OPTIONS, Recipe, build_design

__all__ = ["PROGRAM", "build_program"]

#: How the program is made.
PROGRAM = Recipe(
    runtime=Path(__file__).with_name("runtime.cpp"),
    prefix="Vtop",
    # Every program can write waves, which is asked for when it runs; so none is built twice.
    verilator=(*VERILATOR_OPTIONS, "--vpi", "--public-flat-rw", "--trace-vcd", "--timescale", "1ns/1ps"),
    # Not optimised: most of the time goes into cocotb, and into the compiler.
    compiler=(*COMPILER_OPTIONS, "-O0", "-DVM_TRACE=1", "-DVM_TRACE_VCD=1", "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0"),
    linker=(f"-L{config.libs_dir}", f"-Wl,-rpath,{config.libs_dir}", "-lcocotbvpi_verilator", "-pthread"),
)


def build_program(verilog: str, top: str) -> Path:
    """Return a program that runs a design under cocotb, called as its top module; compile it unless that was done.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    return build_design(PROGRAM, verilog, top, config.share_dir / "lib" / "verilator" / "verilator.cpp", top)
