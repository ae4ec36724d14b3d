"""cocotb bench of any family: a core's results and parameters against its golden model, call after call."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge

from attractor.golden import Network, network
from attractor.sim.lockstep.driver import CoreDriver, Difference, MismatchError, read_settings, run_calls
from attractor.spec import Parameters, Region, spec_from_dict
from attractor.timing import CycleRange, cycles_of, reported_cycles
from attractor.trials import Trials, first_unequal, output_fields, trials_of

__all__ = [
    "CYCLE_LIMIT",
    "MOST_CALLS",
    "compare_cycles",
    "compare_outputs",
    "compare_parameters",
    "load_parameters",
    "lockstep",
    "make_call",
    "run_call",
]

#: A call that takes longer than this hangs, in clock cycles.
CYCLE_LIMIT = 400_000
#: Most calls to one set of parameters.
MOST_CALLS = 6


async def make_call(driver: CoreDriver[Any], inputs: bytes) -> bytes:
    """Write the input region, see that it is held, run the core, and return the output region."""
    await driver.write_region(Region.INPUT, inputs)
    held = b"".join([await driver.read(window) for window in driver.memory_map.region(Region.INPUT)])
    for byte in [byte for byte, pair in enumerate(zip(inputs, held, strict=True)) if pair[0] != pair[1]][:1]:
        raise MismatchError(Difference("loading", f"input region, byte {byte}", inputs[byte], held[byte]))
    await driver.start()
    for _ in range(CYCLE_LIMIT):
        await ReadOnly()
        busy = bool(driver.dut.bus__busy.value)
        await RisingEdge(driver.dut.clk)
        if not busy:
            return await driver.results()
    raise MismatchError(Difference(f"{CYCLE_LIMIT} clock cycles", "busy", 0, 1))


def compare_outputs(driver: CoreDriver[Any], moment: str, expected: bytes, found: bytes) -> None:
    """Raise :class:`MismatchError` with the first field of an output window that is not the golden model's."""
    difference = first_unequal(*(output_fields(driver.spec, data) for data in (expected, found)))
    if difference:
        raise MismatchError(Difference(moment, *difference))


def compare_cycles(driver: CoreDriver[Any], moment: str, expected: CycleRange | None, outputs: bytes) -> None:
    """Raise :class:`MismatchError` if a call reports more or fewer clock cycles than it should."""
    cycles = reported_cycles(driver.spec, outputs)
    if expected is not None and cycles is not None and not expected.holds(cycles):
        raise MismatchError(Difference(moment, f"reported cycles, which are to be {expected},", expected.most, cycles))


async def compare_parameters(
    driver: CoreDriver[Any], moment: str, windows: dict[str, bytes], expected: Parameters
) -> None:
    """Read all parameter windows; raise :class:`MismatchError` with the first parameter, or byte, that differs."""
    found = {name: await driver.read(driver.spec.memory_map[name]) for name in windows}
    if found == windows:
        return
    numbers, held = ({name: np.frombuffer(data, np.uint8) for name, data in side.items()} for side in (windows, found))
    difference = first_unequal(expected, driver.spec.decode_parameters(found)) or first_unequal(
        {f"window {name}, byte": data for name, data in numbers.items()},
        {f"window {name}, byte": data for name, data in held.items()},
    )
    assert difference is not None
    raise MismatchError(Difference(moment, *difference))


async def load_parameters(driver: CoreDriver[Any], parameters: Parameters) -> dict[str, bytes]:
    """Write all parameters, and see that they are held; return the windows."""
    windows = driver.spec.encode_parameters(parameters)
    await driver.write_region(Region.PARAMETERS, driver.spec.memory_map.join(Region.PARAMETERS, windows))
    await compare_parameters(driver, "loading", windows, driver.spec.check_parameters(parameters))
    return windows


async def run_call(driver: CoreDriver[Any], rng: np.random.Generator) -> None:
    """Load random parameters, and make a few calls one after another, each compared in all that it leaves behind."""
    spec, trials = driver.spec, trials_of(driver.spec)
    # What networks are given that are of interest seldom has all bits.
    await load_parameters(driver, Trials().parameters(spec, rng))
    golden: Network = network(spec, trials.parameters(spec, rng))
    windows = await load_parameters(driver, golden.parameters)
    for number in range(int(rng.integers(1, MOST_CALLS + 1))):
        inputs, before, moment = trials.inputs(spec, rng), dict(golden.parameters), f"run {number}"
        foretold = cycles_of(spec, golden, inputs, written=number == 0)
        found = await make_call(driver, inputs)
        compare_cycles(driver, moment, foretold, found)
        compare_outputs(driver, moment, golden.call(inputs), found)
        windows = spec.encode_changes(windows, before, golden.parameters)
        await compare_parameters(driver, moment, windows, golden.parameters)


@cocotb.test()
async def lockstep(dut: Any) -> None:
    """Run all calls."""
    settings = read_settings()
    driver = CoreDriver(dut, spec_from_dict(settings["spec"]))
    await run_calls(driver, settings, lambda rng: run_call(driver, rng))
