from __future__ import annotations

import pytest

from attractor.spec import PAYLOAD_BYTES, Region
from attractor.spec.protocol import (
    CRC32,
    RECEIVE_BUFFER_BYTES,
    Command,
    Counters,
    Identity,
    Reply,
    Request,
    Status,
)

from .bench import DESCRIPTION, Host, bench, exchange
from .dummy import DummyModel, DummySpec
from .requests import Requests


def test_every_status_is_answered() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)
    good = [
        requests.request(Command.IDENTIFY),
        requests.request(Command.READ, 0, 250, b"\7"),
        requests.write("weights.0", 2, bytes(range(70))),
        requests.request(Command.DIGEST, 4, 2, (10).to_bytes(3, "little")),
    ]
    bad = {
        Status.BAD_COMMAND: [requests.request(0), requests.request(9), requests.request(0x83)],
        Status.BAD_ADDRESS: [
            requests.request(Command.READ, 8, 0, b"\0"),
            requests.request(Command.READ, 255, 0, b"\0"),
            requests.read("narrow", 9, 0),
            requests.read("narrow", 8, 2),
            requests.read("narrow", 0x10000, 1),
            requests.write("table", 4, bytes(4)),
            requests.write("result", 0, b"x"),
            requests.request(Command.WRITE, 0, 0, b"x"),
            requests.request(Command.CALL, requests.golden.memory_map.number("table"), 0, bytes(4)),
            requests.request(Command.DIGEST, 4, 1, (12).to_bytes(3, "little")),
            requests.request(Command.DIGEST, 4, 0, b"\1\0\1"),
            requests.request(Command.COMMIT, 1, 0, bytes(4)),
            requests.request(Command.IDENTIFY, 0, 1),
            requests.request(Command.ABORT, 0, 0x800000),
        ],
        Status.BAD_LENGTH: [
            requests.request(Command.READ, 0, 0, b"\xf1"),
            requests.request(Command.READ, 0, 0, b"\xff"),
            requests.request(Command.READ, 1, 0, b""),
            requests.request(Command.DIGEST, 1, 0, b"\1"),
            requests.request(Command.COMMIT, 0, 0, bytes(5)),
            requests.request(Command.COUNTERS, 0, 0, b"\0"),
            requests.write("table", 0, bytes(3)),
            requests.write("table", 0, bytes(239)),
            requests.request(Command.CALL, 1, 0, bytes(3)),
            requests.request(Command.CALL, requests.golden.memory_map.number("odd"), 0, bytes(5)),
        ],
        Status.INVALID_PARAMETERS: [requests.call()],
        Status.COMMIT_MISMATCH: [requests.request(Command.COMMIT, payload=b"\1\2\3\4")],
    }

    async def script(host: Host) -> None:
        for request in good:
            assert Reply.decode((await exchange(host, golden, request.encode()))[:-1]).status == Status.OK
        for status, refused in bad.items():
            for request in refused:
                reply = Reply.decode((await exchange(host, golden, request.encode()))[:-1])
                assert reply.status == status, request
        await exchange(host, golden, requests.commit().encode())
        mismatch = requests.request(Command.CALL, 1, 0, b"\1\2\3\4abc")
        reply = Reply.decode((await exchange(host, golden, mismatch.encode()))[:-1])
        assert reply.status == Status.INPUT_MISMATCH
        assert host.ctx.get(host.core.runs) == 0

    bench().run(script)


def test_every_byte_of_a_checksum_is_compared() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    def spoil(request: Request, place: int) -> Request:
        payload = bytearray(request.payload)
        payload[place] ^= 0x10
        return requests.request(request.command, request.window, request.word, bytes(payload))

    async def script(host: Host) -> None:
        async def status_of(request: Request) -> Status:
            return Reply.decode((await exchange(host, golden, request.encode()))[:-1]).status

        for place in range(CRC32.size):
            assert await status_of(spoil(requests.commit(), place)) == Status.COMMIT_MISMATCH
        assert await status_of(requests.commit()) == Status.OK
        for place in range(CRC32.size):
            assert await status_of(spoil(requests.call(), place)) == Status.INPUT_MISMATCH
        assert host.ctx.get(host.core.runs) == 0

    bench().run(script)


def test_refused_writes_write_nothing() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await exchange(host, golden, requests.write("table", 0, bytes(range(10))).encode())
        # The last word does not exist; half a word; both; each after each, for none may spare the next from the check.
        refused = [(4, 4), (3, 6), (3, 3), (4, 3), (4, 4), (2, 7), (0, 12)]
        for word, length in refused:
            request = requests.write("table", word, bytes([0xFF]) * length)
            assert Reply.decode((await exchange(host, golden, request.encode()))[:-1]).status != Status.OK
            content = requests.read("table", 0, 5)
            await exchange(host, golden, content.encode())

    bench().run(script)


def test_parameters_are_valid_from_a_good_commit_to_the_next_write() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        async def valid_after(request: Request) -> bool:
            await exchange(host, golden, request.encode())
            assert host.ctx.get(host.link.parameters_valid) == golden.parameters_valid
            return golden.parameters_valid

        assert not await valid_after(requests.write("flag", 0, b"\xff"))
        assert await valid_after(requests.commit())
        assert await valid_after(requests.write("odd", 1, b"ab"))
        assert await valid_after(requests.write("table", 3, b"abcdef"))  # Refused, so nothing was touched.
        assert not await valid_after(requests.write("table", 3, b"abcd"))
        assert await valid_after(requests.commit())
        assert not await valid_after(requests.request(Command.COMMIT, payload=bytes(4)))
        assert await valid_after(requests.commit())
        assert not await valid_after(requests.write("flag", 0, b""))

    bench().run(script)


def test_call_is_run_once_however_often_it_is_sent() -> None:
    golden, model = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await exchange(host, golden, requests.commit().encode())
        call = requests.call(b"abc", 2)
        outputs = [await exchange(host, golden, call.encode()) for _ in range(3)]
        assert outputs[0] == outputs[1] == outputs[2]
        assert model.runs == host.ctx.get(host.core.runs) == 1
        # A refused call is not the last one, a reset of the numbers by IDENTIFY is honoured.
        await exchange(host, golden, requests.request(Command.CALL, 1, 0, bytes(4)).encode())
        assert await exchange(host, golden, call.encode()) == outputs[0]
        await exchange(host, golden, requests.request(Command.IDENTIFY).encode())
        assert await exchange(host, golden, call.encode()) != outputs[0]
        assert model.runs == host.ctx.get(host.core.runs) == 2

    bench().run(script)


def test_identity_and_description() -> None:
    async def script(host: Host) -> None:
        await host.send(Request(1, Command.IDENTIFY).encode())
        for place in range(0, len(DESCRIPTION), 240):
            count = min(240, len(DESCRIPTION) - place)
            await host.send(Request(2, Command.READ, 0, place, bytes([count])).encode())
        identity, *parts = await host.frames(3)
        assert Identity.unpack(identity.payload) == Identity(
            protocol=1,
            fingerprint=DummySpec().fingerprint,
            receive_buffer=512,
            description_bytes=len(DESCRIPTION),
            parameters_valid=False,
        )
        assert b"".join(part.payload for part in parts) == DESCRIPTION

    bench().run(script)


async def start_call(host: Host, requests: Requests, duration: int) -> Request:
    """Commit, then begin a call that takes ``duration`` cycles; return it when the core runs."""
    await exchange(host, requests.golden, requests.commit().encode())
    host.received.clear()
    host.ctx.set(host.core.duration, duration)
    call = requests.call(b"123")
    await host.send(call.encode())
    await host.until(host.core.bus.busy)
    return call


def aborted_outputs(model: DummyModel, requests: Requests, call: Request) -> bytes:
    inputs = call.payload[CRC32.size :] + requests.region(Region.INPUT)[3:]
    return model.run({}, inputs, aborted=True)[:PAYLOAD_BYTES]


def test_abort_ends_a_call_and_both_are_answered() -> None:
    golden, model = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        call = await start_call(host, requests, 100_000)
        assert host.ctx.get(host.link.calling)
        await host.wait(500)
        abort = requests.request(Command.ABORT)
        await host.send(abort.encode())
        first, second = await host.frames(2)
        outputs = aborted_outputs(model, requests, call)
        assert first == Reply(call.sequence, Command.CALL, Status.ABORTED, outputs)
        assert second == Reply(abort.sequence, Command.ABORT, Status.OK)
        assert not host.ctx.get(host.link.calling)
        # The results and how they came about are kept.
        await host.send(call.encode())
        assert (await host.frames(3))[2] == first

    bench().run(script)


def test_other_requests_wait_for_the_call_and_keep_their_order() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await exchange(host, golden, requests.commit().encode())
        host.received.clear()
        host.ctx.set(host.core.duration, 1500)
        batch = [requests.call(b"123"), requests.read("long", 1, 3), requests.write("narrow", 0, b"x")]
        batch += [requests.request(Command.COUNTERS), requests.request(Command.IDENTIFY)]
        data = b"".join(request.encode() for request in batch)
        await host.send(data)
        await host.wait(700)
        assert not host.received
        await host.frames(len(batch))
        assert bytes(host.received) == golden.receive(data)

    bench().run(script)


def test_call_that_is_repeated_while_it_runs_does_not_keep_an_abort_from_it() -> None:
    golden, model = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        call = await start_call(host, requests, 100_000)
        abort = requests.request(Command.ABORT)
        await host.send(2 * call.encode() + abort.encode())
        first, second = await host.frames(2)
        assert first == Reply(call.sequence, Command.CALL, Status.ABORTED, aborted_outputs(model, requests, call))
        assert second == Reply(abort.sequence, Command.ABORT, Status.OK)
        assert host.ctx.get(host.core.runs) == 1

    bench().run(script)


def test_abort_at_the_end_of_a_call_is_one_thing_or_the_other() -> None:
    golden, model = bench().golden()
    requests = Requests(golden)
    statuses = set()

    async def script(host: Host) -> None:
        call = await start_call(host, requests, 40)
        inputs = call.payload[CRC32.size :] + requests.region(Region.INPUT)[3:]
        # The abort is seen some 40 cycles after it was sent.
        for delay in range(-20, 40, 4):
            if statuses:
                call = requests.request(Command.CALL, call.window, 0, call.payload)
                await host.send(call.encode())
                await host.until(host.core.bus.busy)
            await host.wait(20 + delay)
            await host.send(Request(delay + 20, Command.ABORT).encode())
            replies = await host.frames(2)
            host.received.clear()
            runs = model.runs
            done = model.run({}, inputs)
            model.runs = runs
            aborted = model.run({}, inputs, aborted=True)
            assert replies[1] == Reply(delay + 20, Command.ABORT, Status.OK)
            # The core may have been past the point where it listens.
            assert replies[0].payload in ((done, aborted) if replies[0].status == Status.ABORTED else (done,))
            assert replies[0].sequence == call.sequence
            statuses.add(replies[0].status)

    bench().run(script)
    assert statuses == {Status.OK, Status.ABORTED}


def test_malformed_abort_ends_nothing() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        call = await start_call(host, requests, 1200)
        await host.send(requests.request(Command.ABORT, payload=b"!").encode())
        await host.wait(700)
        assert not host.received
        first, second = await host.frames(2)
        assert (first.sequence, first.status) == (call.sequence, Status.OK)
        assert second.status == Status.BAD_LENGTH

    bench().run(script)


def test_bytes_beyond_the_buffer_are_lost_and_counted() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await start_call(host, requests, 1500)
        waiting = requests.request(Command.ABORT, payload=b"!").encode()
        # One waits decoded; of the other only the delimiter is not taken in by the decoder.
        await host.send(waiting + waiting)
        await host.wait(50)
        lost = 30
        await host.send(bytes([1]) * (RECEIVE_BUFFER_BYTES + lost))
        await host.frames(3)
        for _ in range(7):
            host.ctx.set(host.link.lost, 1)
            await host.ctx.tick()
            host.ctx.set(host.link.lost, 0)
            await host.ctx.tick()
        await host.send(b"\0" + requests.request(Command.COUNTERS).encode())
        counters = Counters.unpack((await host.frames(4))[3].payload)
        # Commit, call, the two that waited, and this one.
        assert counters == Counters(frames=5, damaged=1, overruns=lost + 7)

    bench().run(script)


def test_byte_that_is_lost_while_the_counters_are_sent_does_not_tear_them() -> None:
    async def script(host: Host) -> None:
        async def lose(count: int) -> None:
            host.ctx.set(host.link.lost, 1)
            await host.wait(count)
            host.ctx.set(host.link.lost, 0)

        total = 0
        for number, offset in enumerate(range(6, 48, 3)):
            # The next one carries into the second byte.
            await lose((0xFF - total) % 0x100)
            total += (0xFF - total) % 0x100
            await host.send(Request(number, Command.COUNTERS).encode())
            await host.wait(offset)
            await lose(1)
            counters = Counters.unpack((await host.frames(number + 1))[number].payload)
            assert counters.overruns in (total, total + 1)
            total += 1
        assert total == 0xE00

    bench().run(script)


def test_host_that_fills_the_buffer_loses_nothing() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        call = await start_call(host, requests, 1500)
        batch = [requests.write("narrow", 0, bytes(9)), requests.write("weights.0", 0, bytes(range(238, 0, -1))[:238])]
        batch += [requests.write("weights.0", 34, bytes(range(238))), requests.request(Command.COUNTERS)]
        data = b"".join(request.encode() for request in batch)
        data = data[:RECEIVE_BUFFER_BYTES]
        assert len(data) == RECEIVE_BUFFER_BYTES
        await host.send(data)
        await host.frames(3)
        assert bytes(host.received) == golden.receive(call.encode() + data)
        await host.send(b"\0" + requests.request(Command.COUNTERS).encode())
        counters = Counters.unpack((await host.frames(4))[-1].payload)
        assert counters.overruns == 0

    bench().run(script)


@pytest.mark.parametrize("name", ["narrow", "table", "weights.0"])
def test_writing_keeps_up_with_the_fastest_line(name: str) -> None:
    """A byte takes at least 40 clock cycles on the line; requests that come as fast as they can take less each."""
    golden, _ = bench().golden()
    requests = Requests(golden)
    window = golden.memory_map[name]
    count = min(window.words, window.words_per_frame)
    batch = b"".join(requests.write(name, 0, bytes(count * window.word_bytes)).encode() for _ in range(2))

    async def script(host: Host) -> None:
        await host.send(batch)
        cycles = await host.count_cycles(2)
        assert cycles < 40 * len(batch)
        assert bytes(host.received) == golden.receive(batch)

    bench().run(script)


@pytest.mark.parametrize("name", ["narrow", "weights.0", "long"])
def test_reading_costs_few_cycles(name: str) -> None:
    """``k + 2`` cycles for a word of ``k`` bytes, and some for header and frame."""
    golden, _ = bench().golden()
    requests = Requests(golden)
    window = golden.memory_map[name]
    number = golden.memory_map.number(name)
    digest = requests.request(Command.DIGEST, number, 0, window.words.to_bytes(3, "little"))

    async def script(host: Host) -> None:
        await host.send(digest.encode())
        cycles = await host.count_cycles(1)
        assert cycles <= window.words * (window.word_bytes + 2) + 80
        assert bytes(host.received) == golden.receive(digest.encode())

    bench().run(script)
