# amaranth: UnusedElaboratable=no
from __future__ import annotations

from typing import Any

import pytest

from attractor.hdl.link import BaudError
from attractor.hdl.system import System
from attractor.spec import MemoryMap, Region, Window
from attractor.spec.protocol import (
    CRC32,
    Command,
    Counters,
    Identity,
    Reply,
    Request,
    Status,
    crc32,
    decode_description,
)

from .dummy import DummyModel, DummySpec
from .dummy_core import DummyCore
from .streams import simulate

WINDOWS = (
    Window("weights", Region.PARAMETERS, 2, 12),
    Window("start", Region.INPUT, 2, 8),
    Window("result", Region.OUTPUT, 5, 8),
)
CYCLE_LIMIT = 20_000


def system(baud: int = 1_000_000) -> System:
    spec = DummySpec(windows=WINDOWS)
    return System(DummyCore(spec), spec, clock_hz=5_000_000, baud=baud, board="bench")


class Line:
    """A serial port on a system's pins, at exact bit times."""

    def __init__(self, ctx: Any, system: System) -> None:
        self.ctx = ctx
        self.system = system
        self._wire: list[int] = []

    async def transact(self, data: bytes, *, stop: int = 1) -> bytes:
        """Send bytes bit by bit, and return what comes back up to a delimiter."""
        received = bytearray()
        for byte in data:
            for bit in (0, *(byte >> place & 1 for place in range(8)), stop):
                self.ctx.set(self.system.rx, bit)
                await self._bit_time(received)
        self.ctx.set(self.system.rx, 1)
        for _ in range(CYCLE_LIMIT // self.system.divisor):
            if received.endswith(b"\0") or stop == 0:
                break
            await self._bit_time(received)
        return bytes(received)

    async def _bit_time(self, received: bytearray) -> None:
        for _ in range(self.system.divisor):
            _, _, level = await self.ctx.tick().sample(self.system.tx)
            if level == 0 or self._wire:
                self._wire.append(level)
            if len(self._wire) == 10 * self.system.divisor:
                bits = self._wire[self.system.divisor // 2 :: self.system.divisor]
                assert bits[9] == 1, "no stop bit"
                received.append(sum(bit << place for place, bit in enumerate(bits[1:9])))
                self._wire.clear()


def test_device_is_identified_loaded_and_called_over_its_pins() -> None:
    device = system()
    assert device.divisor == 5
    parameters, inputs = b"\x12\x03\xab\x0c", b"\x07\x08"
    outputs = DummyModel(MemoryMap(WINDOWS)).run({}, inputs)

    async def script(ctx: Any) -> None:
        line = Line(ctx, device)

        async def ask(request: Request) -> Reply:
            return Reply.decode((await line.transact(request.encode()))[:-1])

        def status() -> tuple[int, ...]:
            return tuple(ctx.get(signal) for signal in (device.parameters_valid, device.busy, device.activity))

        identity = Identity.unpack((await ask(Request(1, Command.IDENTIFY))).payload)
        assert identity.fingerprint == device.spec.fingerprint
        assert identity.description_bytes == len(device.description)
        part = await ask(Request(2, Command.READ, 0, 0, b"\x10"))
        assert part == Reply(2, Command.READ, Status.OK, device.description[:16])
        assert await ask(Request(3, Command.WRITE, 1, 0, parameters)) == Reply(3, Command.WRITE, Status.OK)
        await line.transact(b"\x55", stop=0)
        await ctx.tick().repeat(device.divisor)
        commit = await ask(Request(4, Command.COMMIT, payload=CRC32.pack(crc32(parameters))))
        assert commit.status == Status.OK
        await ctx.tick().repeat(2 * device.divisor)
        assert status() == (1, 0, 0)
        call = await ask(Request(5, Command.CALL, 2, 0, CRC32.pack(crc32(inputs)) + inputs))
        assert call == Reply(5, Command.CALL, Status.OK, outputs)
        counters = await ask(Request(6, Command.COUNTERS))
        assert Counters.unpack(counters.payload) == Counters(frames=6, damaged=0, overruns=1)

    simulate(device, script)


def test_status_outputs_show_line_and_call() -> None:
    device = system()
    seen: set[tuple[int, int]] = set()

    async def script(ctx: Any) -> None:
        line = Line(ctx, device)
        assert ctx.get(device.tx) == 1
        assert (ctx.get(device.busy), ctx.get(device.activity)) == (0, 0)
        ctx.set(device.core.duration, 400)
        await line.transact(Request(1, Command.COMMIT, payload=CRC32.pack(crc32(bytes(4)))).encode())
        await ctx.tick().repeat(2 * device.divisor)
        await line.transact(Request(2, Command.CALL, 2, 0, CRC32.pack(crc32(bytes(2)))).encode())

    async def watch(ctx: Any) -> None:
        while True:
            _, _, busy, activity = await ctx.tick().sample(device.busy, device.activity)
            seen.add((busy, activity))

    simulate(device, script, watch)
    assert {(0, 0), (0, 1), (1, 0)} <= seen


def test_description_tells_all_about_the_device() -> None:
    device = system()
    description = decode_description(device.description)
    assert description.pop("gateware")
    assert description == {
        "spec": {"family": "dummy", "windows": [["weights", 2], ["start", 2], ["result", 5]]},
        "board": "bench",
        "clock_hz": 5_000_000,
        "baud": 1_000_000,
    }


def test_baud_that_the_clock_cannot_make_is_refused() -> None:
    with pytest.raises(BaudError, match="1450000 baud"):
        system(1_450_000)
