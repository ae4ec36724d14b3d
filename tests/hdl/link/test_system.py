# amaranth: UnusedElaboratable=no
from __future__ import annotations

from typing import Any

import pytest

from attractor.hdl.link import BaudError
from attractor.hdl.system import System
from attractor.spec import MemoryMap, Region, Window
from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    RATE_CYCLES,
    REPLY_BUFFER_BYTES,
    CallHeader,
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
CLOCK_HZ = 5_000_000


def system(baud: int = 1_000_000) -> System:
    spec = DummySpec(windows=WINDOWS)
    return System(DummyCore(spec), spec, clock_hz=CLOCK_HZ, baud=baud, board="bench")


class Line:
    """A serial port on a system's pins, at exact bit times."""

    def __init__(self, ctx: Any, system: System) -> None:
        self.ctx = ctx
        self.system = system
        #: Clock cycles of a bit.
        self.cycles = 5.0
        self._wire: list[int] = []

    async def transact(self, data: bytes, *, stop: int = 1, limit: int = CYCLE_LIMIT) -> bytes:
        """Send bytes bit by bit, and return what comes back up to a delimiter."""
        received = bytearray()
        due = 0.0
        for byte in data:
            for bit in (0, *(byte >> place & 1 for place in range(8)), stop):
                self.ctx.set(self.system.rx, bit)
                due += self.cycles
                while due >= 1:
                    await self._cycle(received)
                    due -= 1
        self.ctx.set(self.system.rx, 1)
        for _ in range(limit):
            if received.endswith(b"\0") or stop == 0:
                break
            await self._cycle(received)
        return bytes(received)

    async def _cycle(self, received: bytearray) -> None:
        _, _, level = await self.ctx.tick().sample(self.system.tx)
        if level == 0 or self._wire:
            self._wire.append(level)
        if len(self._wire) == round(9.5 * self.cycles):
            bits = [self._wire[int((place + 0.5) * self.cycles)] for place in range(9)]
            assert level == 1, "no stop bit"
            received.append(sum(bit << place for place, bit in enumerate(bits[1:9])))
            self._wire.clear()

    async def ask(self, sequence: int, command: Command, *fields: Any) -> Reply:
        answer = await self.transact(Request(sequence, command, *fields).encode())
        return Reply.decode(answer[:-1])


def test_device_is_identified_loaded_and_called_over_its_pins() -> None:
    device = system()
    parameters, inputs = b"\x12\x03\xab\x0c", b"\x07\x08"
    outputs = DummyModel(MemoryMap(WINDOWS)).run({}, inputs)

    async def script(ctx: Any) -> None:
        line = Line(ctx, device)

        def status() -> tuple[int, ...]:
            return tuple(ctx.get(signal) for signal in (device.parameters_valid, device.busy, device.activity))

        identity = Identity.unpack((await line.ask(1, Command.IDENTIFY)).payload)
        assert identity.fingerprint == device.spec.fingerprint
        assert identity.description_bytes == len(device.description)
        assert identity.reply_buffer == REPLY_BUFFER_BYTES
        part = await line.ask(2, Command.READ, 0, 0, b"\x10")
        assert (part.status, part.payload) == (Status.OK, device.description[:16])
        assert (await line.ask(3, Command.WRITE, 1, 0, parameters)).status == Status.OK
        await line.transact(b"\x55", stop=0)
        await ctx.tick().repeat(10)
        commit = await line.ask(4, Command.COMMIT, 0, 0, CRC32.pack(crc32(parameters)))
        assert commit.status == Status.OK
        await ctx.tick().repeat(10)
        assert status() == (1, 0, 0)
        call = await line.ask(5, Command.CALL, 2, 0, CallHeader(0, 2, 0xFFFF).pack() + inputs)
        assert (call.status, call.payload) == (Status.OK, outputs)
        counters = Counters.unpack((await line.ask(6, Command.COUNTERS)).payload)
        assert counters == Counters(frames=6, damaged=0, overruns=1)

    simulate(device, script)


def test_rate_is_changed_and_forgotten_over_the_pins() -> None:
    device = system()
    device.fallback_cycles = 2900

    async def script(ctx: Any) -> None:
        line = Line(ctx, device)
        await line.ask(1, Command.IDENTIFY)
        for number, cycles in enumerate((4.0, 4.3, 7.77), 2):
            # The reply still comes at the old rate.
            await line.ask(number, Command.BAUD, 0, 0, int(RATE_CYCLES / cycles).to_bytes(3, "little"))
            await ctx.tick().repeat(40)
            line.cycles = cycles
        part = await line.ask(5, Command.READ, 0, 0, b"\x40")
        assert part.payload == device.description[:64]
        # The reply took longer than the device's patience, and then nothing came.
        await ctx.tick().repeat(6000)
        assert (await line.ask(6, Command.READ, 0, 0, b"\x01")).payload == device.description[:1]
        # A byte without a stop bit.
        await line.transact(b"\x55", stop=0)
        await ctx.tick().repeat(3000)
        line.cycles = 5.0
        assert (await line.ask(1, Command.SYNC, 0, part.end)).status == Status.OK

    simulate(device, script)


def test_attention_ends_a_call_over_the_pins() -> None:
    device = system()

    async def script(ctx: Any) -> None:
        line = Line(ctx, device)
        await line.ask(1, Command.IDENTIFY)
        await line.ask(2, Command.COMMIT, 0, 0, CRC32.pack(crc32(bytes(4))))
        ctx.set(device.core.duration, 500_000)
        await line.transact(Request(3, Command.CALL, 2, 0, CallHeader(0, 1, 5).pack() + b"12").encode(), limit=400)
        assert ctx.get(device.busy)
        reply = Reply.decode((await line.transact(ATTENTION))[:-1])
        assert (reply.status, len(reply.payload)) == (Status.ABORTED, 5)
        assert not ctx.get(device.busy)

    simulate(device, script)


def test_status_outputs_show_line_and_call() -> None:
    device = system()
    seen: set[tuple[int, int]] = set()

    async def script(ctx: Any) -> None:
        line = Line(ctx, device)
        assert ctx.get(device.tx) == 1
        assert (ctx.get(device.busy), ctx.get(device.activity)) == (0, 0)
        ctx.set(device.core.duration, 400)
        await line.ask(1, Command.IDENTIFY)
        await line.ask(2, Command.COMMIT, 0, 0, CRC32.pack(crc32(bytes(4))))
        await ctx.tick().repeat(10)
        await line.ask(3, Command.CALL, 2, 0, CallHeader(0, 2, 1).pack() + b"12")

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
        "map": ["weights/p2x12", "start/i2x8", "result/o5x8"],
    }


def test_baud_that_the_clock_cannot_make_is_refused() -> None:
    with pytest.raises(BaudError, match="1450000 baud"):
        system(1_450_000)
