from __future__ import annotations

from collections import Counter

import pytest

from attractor.spec import Region
from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    NUMBERS,
    RATE_CYCLES,
    CallHeader,
    Command,
    Counters,
    Identity,
    Reply,
    Request,
    SessionState,
    Status,
)

from .bench import BUFFERS, DESCRIPTION, FALLBACK_CYCLES, SESSION, START_RATE, Host, ask, begin, bench, exchange
from .dummy import DummyModel, DummySpec
from .requests import Requests


def test_every_status_is_answered() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)
    table, odd = requests.number("table"), requests.number("odd")
    full = CallHeader(0, 1, 8).pack()
    good = [
        (Command.READ, 0, 250, b"\7"),
        (Command.WRITE, 4, 2, bytes(range(70))),
        (Command.DIGEST, 4, 2, (10).to_bytes(3, "little")),
        (Command.CALL, odd, 1, CallHeader(3, 2, 0).pack() + b"\x35"),
        (Command.BAUD, 0, 0, b"\0\0\4"),
    ]
    bad = {
        Status.BAD_COMMAND: [(0, 0, 0, b""), (10, 0, 0, b""), (0x83, 0, 0, b""), (0x11, 0, 0, b""), (0x17, 0, 0, b"")],
        Status.BAD_ADDRESS: [
            (Command.READ, 8, 0, b"\0"),
            (Command.READ, 255, 0, b"\0"),
            (Command.READ, 1, 9, b"\0"),
            (Command.READ, 1, 8, b"\2"),
            (Command.READ, 1, 0x10000, b"\1"),
            (Command.WRITE, table, 4, bytes(4)),
            (Command.WRITE, requests.number("result"), 0, b"x"),
            (Command.WRITE, 0, 0, b"x"),
            (Command.CALL, table, 0, full),
            (Command.CALL, odd, 3, CallHeader(0, 2, 0).pack() + bytes(4)),
            (Command.DIGEST, 4, 1, (12).to_bytes(3, "little")),
            (Command.DIGEST, 4, 0, b"\1\0\1"),
            (Command.COMMIT, 1, 0, bytes(4)),
            (Command.BAUD, 0, 1, b"\1\0\0"),
            (Command.COUNTERS, 0, 0x800000, b""),
        ],
        Status.BAD_LENGTH: [
            (Command.READ, 0, 0, b"\xf1"),
            (Command.READ, 0, 0, b"\xff"),
            (Command.READ, 1, 0, b""),
            (Command.DIGEST, 1, 0, b"\1"),
            (Command.COMMIT, 0, 0, bytes(5)),
            (Command.COUNTERS, 0, 0, b"\0"),
            (Command.WRITE, table, 0, bytes(3)),
            (Command.CALL, 1, 0, bytes(4)),
            (Command.CALL, 1, 0, CallHeader(9, 1, 0).pack()),
            (Command.CALL, 1, 0, CallHeader(0, 0, 0).pack()),
            (Command.CALL, odd, 0, CallHeader(0, 2, 0).pack() + bytes(3)),
            (Command.BAUD, 0, 0, b"\1\0"),
            (Command.BAUD, 0, 0, b"\0\0\0"),
            (Command.BAUD, 0, 0, b"\1\0\4"),
            (Command.BAUD, 0, 0, b"\0\1\4"),
            (Command.BAUD, 0, 0, b"\0\0\x08"),
            (Command.BAUD, 0, 0, b"\1\0\x80"),
        ],
        Status.INVALID_PARAMETERS: [(Command.CALL, 1, 0, full)],
        Status.COMMIT_MISMATCH: [(Command.COMMIT, 0, 0, b"\1\2\3\4")],
    }

    async def script(host: Host) -> None:
        await begin(host, golden)
        for fields in good:
            (reply,) = await ask(host, golden, requests.request(*fields))
            assert reply.status == Status.OK, fields
        for status, refused in bad.items():
            for fields in refused:
                (reply,) = await ask(host, golden, requests.request(*fields))
                assert reply.status == status, fields
        assert host.ctx.get(host.core.runs) == 0

    bench().run(script)


def test_every_byte_of_a_checksum_is_compared() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        for bit in (0, 3, 7, 8, 15, 16, 20, 24, 31):
            good = requests.commit()
            payload = (int.from_bytes(good.payload, "little") ^ 1 << bit).to_bytes(4, "little")
            wrong = Request(good.sequence, Command.COMMIT, payload=payload)
            assert (await ask(host, golden, wrong))[0].status == Status.COMMIT_MISMATCH
        assert (await ask(host, golden, requests.commit()))[0].status == Status.OK

    bench().run(script)


def test_words_before_an_error_are_written() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        # The last word does not exist; half a word; both.
        for number, (word, length) in enumerate([(4, 4), (3, 6), (2, 3), (4, 3), (3, 4), (0, 12)]):
            (reply,) = await ask(host, golden, requests.write("table", word, bytes([0x11 * number + 1]) * length))
            assert (reply.status == Status.OK) == (length == 4 and word == 3)
            await ask(host, golden, requests.read("table", 0, 5))

    bench().run(script)


def test_parameters_are_valid_from_a_good_commit_to_the_next_write() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        async def valid_after(request: Request) -> bool:
            await exchange(host, golden, request.encode())
            assert host.ctx.get(host.link.parameters_valid) == golden.parameters_valid
            return golden.parameters_valid

        await begin(host, golden)
        assert not await valid_after(requests.write("flag", 0, b"\xff"))
        assert await valid_after(requests.commit())
        assert await valid_after(requests.write("odd", 1, b"ab"))
        assert await valid_after(requests.write("table", 5, b"abcd"))  # Refused, so nothing was touched.
        assert not await valid_after(requests.write("table", 3, b"abcd"))
        assert await valid_after(requests.commit())
        assert not await valid_after(requests.request(Command.COMMIT, payload=bytes(4)))
        assert await valid_after(requests.commit())
        assert not await valid_after(requests.write("flag", 0, b""))

    bench().run(script)


def test_requests_are_carried_out_once_and_in_order() -> None:
    golden, model = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        # Before the first session every request but IDENTIFY is complained about, once.
        assert (await ask(host, golden, requests.request(Command.COUNTERS)))[0].status == Status.NO_SESSION
        assert not await ask(host, golden, requests.request(Command.COUNTERS))
        assert (await ask(host, golden, requests.sync(0)))[0].status == Status.NO_SESSION
        await begin(host, golden)
        requests.sequence = SESSION
        await ask(host, golden, requests.commit())
        call = requests.call(b"a")
        assert len(await ask(host, golden, call)) == 1
        # Copies, also of those from before the numbers began anew, are dropped without a word.
        for number in range(SESSION, SESSION + 3):
            assert not await ask(host, golden, Request(number % NUMBERS, Command.COUNTERS))
        late = [Request((call.sequence + distance) % NUMBERS, Command.COUNTERS) for distance in (2, 3, 9)]
        (complaint,) = await ask(host, golden, late[0])
        assert (complaint.command, complaint.status) == (Command.SYNC, Status.OUT_OF_ORDER)
        assert SessionState.unpack(complaint.payload) == SessionState(SESSION, (call.sequence + 1) % NUMBERS)
        assert not await ask(host, golden, late[1])
        assert (await ask(host, golden, requests.request(Command.COUNTERS)))[0].status == Status.OK
        assert (await ask(host, golden, late[2]))[0].status == Status.OUT_OF_ORDER
        assert not await ask(host, golden, late[2])
        assert model.runs == host.ctx.get(host.core.runs) == 1

    bench().run(script)


def test_identity_and_description() -> None:
    async def script(host: Host) -> None:
        await host.send(Request(7, Command.IDENTIFY).encode())
        for number, place in enumerate(range(0, len(DESCRIPTION), 240), 8):
            count = min(240, len(DESCRIPTION) - place)
            await host.send(Request(number, Command.READ, 0, place, bytes([count])).encode())
        identity, *parts = await host.frames(3)
        assert Identity.unpack(identity.payload) == Identity(
            protocol=2,
            fingerprint=DummySpec().fingerprint,
            session=7,
            receive_buffer=BUFFERS.receive,
            reply_buffer=BUFFERS.reply,
            description_bytes=len(DESCRIPTION),
            parameters_valid=False,
        )
        assert b"".join(part.payload for part in parts) == DESCRIPTION

    bench().run(script)


def test_results_fill_replies_one_after_another() -> None:
    golden, model = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        await ask(host, golden, requests.commit())
        # The outputs are 47 bytes; 240 bytes are one reply and no more.
        for want, runs, sizes in [(47, 6, [240, 42]), (16, 15, [240]), (0xFFFF, 12, [240, 240, 84]), (40, 6, [240])]:
            replies = await ask(host, golden, requests.call(bytes(range(runs)), want=want))
            assert [len(reply.payload) for reply in replies] == sizes
            assert [reply.status for reply in replies] == [Status.MORE] * (len(sizes) - 1) + [Status.OK]
        assert model.runs == host.ctx.get(host.core.runs) == 39

    bench().run(script)


def aborted(model: DummyModel, inputs: bytes) -> bytes:
    return model.run({}, inputs, aborted=True)


@pytest.mark.parametrize("delay", [0, 300])
def test_attention_ends_a_call_and_the_rest_of_its_frame(delay: int) -> None:
    golden, model = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        await ask(host, golden, requests.commit())
        host.received.clear()
        host.ctx.set(host.core.duration, 100_000)
        inputs = b"1" + requests.region(Region.INPUT)[1:]
        call = requests.call(b"123", want=16)
        waiting = requests.write("narrow", 0, b"x")
        await host.send(call.encode() + waiting.encode())
        await host.until(host.core.bus.busy)
        await host.wait(delay)
        assert host.ctx.get(host.link.calling)
        await host.send(ATTENTION)
        (reply,) = await host.frames(1)
        assert (reply.command, reply.status) == (Command.CALL, Status.ABORTED)
        assert reply.payload == aborted(model, inputs)[:16]
        assert not host.ctx.get(host.link.calling)
        assert host.ctx.get(host.core.runs) == 1
        await host.wait(700)
        await host.send(requests.sync(reply.end).encode())
        _, sync = await host.frames(2)
        assert (sync.status, SessionState.unpack(sync.payload).next) == (Status.OK, waiting.sequence)
        # Frames are taken again.
        await host.send(waiting.encode())
        assert (await host.frames(3))[2].status == Status.OK

    bench().run(script)


def test_attention_drops_a_call_or_is_told_in_its_reply() -> None:
    """Whenever it comes: before the call is begun, while its inputs are taken in, while it runs, or after it."""
    golden, _ = bench().golden()
    requests = Requests(golden)
    seen: Counter[tuple[Status | None, int]] = Counter()

    async def script(host: Host) -> None:
        await begin(host, golden)
        await ask(host, golden, requests.commit())
        position, runs = golden._replies.position, 0
        host.ctx.set(host.core.duration, 60)
        for delay in range(100, 1250, 50):
            host.received.clear()
            await host.send(requests.call(bytes(range(8)), words=4, want=20).encode())
            await host.wait(delay)
            await host.send(ATTENTION)
            await host.wait(1500 - delay)
            replies = host.replies()
            assert [reply.command for reply in replies] == [Command.CALL] * len(replies)
            ran, runs = host.ctx.get(host.core.runs) - runs, host.ctx.get(host.core.runs)
            seen[Status(replies[0].status) if replies else None, ran] += 1
            # Each run has its result.
            assert sum(len(reply.payload) for reply in replies) == 20 * ran
            if replies:
                position = replies[-1].end
            else:
                requests.sequence -= 1
            await host.send(requests.sync(position).encode())
            sync = (await host.frames(len(replies) + 1))[-1]
            assert SessionState.unpack(sync.payload).next == (requests.sequence + 1) % NUMBERS
            position = sync.end

    bench().run(script)
    assert set(seen) == {(None, 0), (Status.ABORTED, 1), (Status.ABORTED, 2), (Status.OK, 2)}


def test_attention_is_eight_zeros_and_no_fewer() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        for zeros, dropped in [(7, False), (8, True), (9, True), (20, True)]:
            # The delimiter of a frame is one of them.
            await exchange(host, golden, requests.request(Command.COUNTERS).encode())
            await exchange(host, golden, bytes(zeros - 1))
            answers = await ask(host, golden, request := requests.request(Command.COUNTERS))
            assert (not answers) == dropped
            requests.sequence -= dropped
            (reply,) = await ask(host, golden, requests.sync(golden._replies.position))
            assert SessionState.unpack(reply.payload).next == (requests.sequence + 1) % NUMBERS
            assert request.command == Command.COUNTERS
        await exchange(host, golden, bytes(8))
        await begin(host, golden)
        assert len(await ask(host, golden, requests.request(Command.COUNTERS))) == 1

    bench().run(script)


def test_bytes_beyond_the_buffer_are_lost_and_counted() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        await ask(host, golden, requests.commit())
        host.ctx.set(host.core.duration, 9000)
        await host.send(requests.call(b"1").encode())
        await host.until(host.core.bus.busy)
        # Of more than the buffer holds the rest is lost; the line is slower than the counters.
        lost = 30
        await host.send(bytes([1]) * (1 + BUFFERS.receive))
        await host.send(bytes([1]) * lost, gap=lambda: 40)
        await host.frames(3)
        await host.wait(9 * BUFFERS.receive)
        for _ in range(7):
            host.ctx.set(host.link.lost, 1)
            await host.ctx.tick()
            host.ctx.set(host.link.lost, 0)
            await host.wait(39)
        await host.send(b"\0" + requests.request(Command.COUNTERS).encode())
        counters = Counters.unpack((await host.frames(4))[3].payload)
        # Identify, commit, call, and this one.
        assert counters == Counters(frames=4, damaged=1, overruns=lost + 7)

    bench().run(script)


def test_byte_that_is_lost_while_the_counters_are_sent_does_not_tear_them() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        total = 0
        for offset in range(200, 620, 60):
            # The next one carries into the second byte.
            while total % 0x100 != 0xFF:
                host.ctx.set(host.link.lost, 1)
                await host.ctx.tick()
                host.ctx.set(host.link.lost, 0)
                await host.wait(34)
                total += 1
            await host.send(requests.request(Command.COUNTERS).encode())
            await host.wait(offset)
            host.ctx.set(host.link.lost, 1)
            await host.ctx.tick()
            host.ctx.set(host.link.lost, 0)
            counters = Counters.unpack((await host.frames(2 + total // 0x100))[-1].payload)
            assert counters.overruns in (total, total + 1)
            total += 1
        assert total == 0x700

    bench().run(script)


def test_host_that_fills_the_buffer_loses_nothing() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        await ask(host, golden, requests.commit())
        host.received.clear()
        host.ctx.set(host.core.duration, 1500)
        call = requests.call(b"1", want=5)
        await host.send(call.encode())
        await host.until(host.core.bus.busy)
        batch = [requests.write("weights.0", 0, bytes(range(84))) for _ in range(5)] + [
            requests.request(2, 0, 1, b"\4")
        ]
        data = b"".join(request.encode() for request in batch)
        assert len(data) <= BUFFERS.receive
        await host.send(data)
        await host.frames(7)
        assert bytes(host.received) == golden.receive(call.encode() + data)[: len(host.received)]
        host.received.clear()
        await host.send(b"\0" + Request(golden._next, Command.COUNTERS).encode())
        (reply,) = await host.frames(1)
        assert Counters.unpack(reply.payload).overruns == 0

    bench().run(script)


@pytest.mark.parametrize("name", ["narrow", "table", "weights.0"])
def test_writing_keeps_up_with_the_fastest_line(name: str) -> None:
    """A byte takes at least 40 clock cycles on the line; requests that come as fast as they can take less each."""
    golden, _ = bench().golden()
    requests = Requests(golden)
    window = golden.memory_map[name]
    count = min(window.words, window.words_per_frame)

    async def script(host: Host) -> None:
        await begin(host, golden)
        host.received.clear()
        batch = b"".join(requests.write(name, 0, bytes(count * window.word_bytes)).encode() for _ in range(2))
        await host.send(batch)
        cycles = await host.delimiters(2)
        assert cycles < 40 * len(batch)
        assert bytes(host.received) == golden.receive(batch)

    bench().run(script)


@pytest.mark.parametrize("name", ["narrow", "weights.0", "long"])
def test_reading_costs_few_cycles(name: str) -> None:
    """Three cycles for each word, eight for each of its bytes and of the frames, and some for the request."""
    golden, _ = bench().golden()
    requests = Requests(golden)
    window = golden.memory_map[name]

    async def script(host: Host) -> None:
        await begin(host, golden)
        host.received.clear()
        digest = requests.digest(name, 0, window.words)
        await host.send(digest.encode())
        cycles = await host.delimiters(1)
        assert cycles <= window.words * (8 * window.word_bytes + 3) + 8 * 30 + 220
        assert bytes(host.received) == golden.receive(digest.encode())

    bench().run(script)


def test_rate_changes_after_its_reply_and_falls_back() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        def rate() -> int:
            return host.ctx.get(host.link.rate)

        await begin(host, golden)
        assert rate() == START_RATE
        for step in (1, 0x12345, RATE_CYCLES // 4):
            before = rate()
            host.ctx.set(host.link.sending, 1)
            await ask(host, golden, requests.request(Command.BAUD, payload=step.to_bytes(3, "little")))
            # The last bit has not left yet.
            assert rate() == before
            host.ctx.set(host.link.sending, 0)
            await host.wait(20)
            assert rate() == step
        # Refused ones change nothing.
        await ask(host, golden, requests.request(Command.BAUD, payload=b"\0\0\0"))
        await ask(host, golden, requests.request(Command.BAUD, payload=b"\1\0\4"))
        assert rate() == RATE_CYCLES // 4
        # Silence means nothing.
        await host.wait(2 * FALLBACK_CYCLES)
        assert rate() == RATE_CYCLES // 4
        # Damaged frames mean that the rate may be wrong.
        await host.send(b"abc\0")
        await host.wait(FALLBACK_CYCLES - 1000)
        await host.send(b"abc\0")
        assert rate() == RATE_CYCLES // 4
        await host.wait(1100)
        assert rate() == START_RATE

    bench().run(script)


def test_rate_is_kept_while_a_call_is_under_way() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        await ask(host, golden, requests.commit())
        await ask(host, golden, requests.request(Command.BAUD, payload=b"\7\0\0"))
        await host.wait(20)
        host.ctx.set(host.core.duration, 2 * FALLBACK_CYCLES)
        await host.send(requests.call(b"1", want=1).encode())
        await host.frames(4, 3 * FALLBACK_CYCLES)
        assert host.ctx.get(host.link.rate) == 7
        await host.send(b"abc\0")
        await host.wait(FALLBACK_CYCLES + 10)
        assert host.ctx.get(host.link.rate) == START_RATE

    bench().run(script)


def test_checksum_is_that_of_all_parameters() -> None:
    golden, _ = bench().golden()
    requests = Requests(golden)

    async def script(host: Host) -> None:
        await begin(host, golden)
        for name, word, data in (
            ("table", 0, bytes(range(10))),
            ("weights.0", 5, bytes(range(21))),
            ("flag", 0, b"\1"),
        ):
            await ask(host, golden, requests.write(name, word, data))
        (reply,) = await ask(host, golden, requests.commit())
        assert reply.status == Status.OK
        assert reply.payload == requests.commit().payload
        assert len(reply.payload) == CRC32.size
        assert isinstance(reply, Reply)

    bench().run(script)
