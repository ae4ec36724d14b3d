from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from attractor.machine.cache import CACHE_VARIABLE
from attractor.machine.programs import ToolError
from attractor.sim import rtl_board
from attractor.sim.rtl_board import RtlBoard, open_port, system_verilog
from attractor.sim.verilog_board import VerilogBoard
from attractor.spec import PAYLOAD_BYTES, Region, SpecError
from attractor.spec.protocol import (
    CRC32,
    DESCRIPTION_WINDOW,
    FULL_BUFFERS,
    Buffers,
    CallHeader,
    Command,
    Identity,
    Reply,
    Request,
    Status,
    crc32,
    decode_description,
)

from .requests import PLAIN, SMALL

pytestmark = pytest.mark.usefixtures("tools")

PATIENCE = 60.0


@pytest.fixture(scope="module")
def spec_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("specs") / "small.json"
    path.write_text(SMALL.to_json())
    return path


@pytest.fixture
def board() -> Iterator[VerilogBoard]:
    with RtlBoard(SMALL) as opened:
        yield opened


def ask(board: VerilogBoard, request: Request) -> Reply:
    """Send a request and return its reply, which must come."""
    board.write(request.encode())
    data = b""
    while not data.endswith(b"\0"):
        more = board.read(PATIENCE)
        assert more, f"no reply to {request}"
        data += more
    return Reply.decode(data[:-1])


def test_an_opened_board_tells_what_it_is(spec_file: Path) -> None:
    with open_port(str(spec_file), 9600) as board:
        assert board.name == f"rtl:{spec_file}"
        identity = Identity.unpack(ask(board, Request(1, Command.IDENTIFY)).payload)
        assert identity.fingerprint == SMALL.fingerprint
        text, number = b"", 2
        while rest := identity.description_bytes - len(text):
            reading = Request(number, Command.READ, DESCRIPTION_WINDOW, len(text), bytes([min(100, rest)]))
            text += ask(board, reading).payload
            number += 1
        description = decode_description(text)
        assert description["board"] == "rtl"
        assert description["clock_hz"] == description["baud"] * board.clocks_per_bit
        assert description["spec"] == SMALL.to_dict()


def test_a_file_without_spec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        open_port(str(tmp_path / "absent.json"))


def test_the_slowest_silent_requests_are_waited_for(board: VerilogBoard) -> None:
    # Nothing of them shows on the line or on ``busy``. A commit runs over all parameters ...
    memory_map = SMALL.memory_map
    zeros = memory_map.join(
        Region.PARAMETERS, {window.name: bytes(window.size) for window in memory_map.region(Region.PARAMETERS)}
    )
    assert board.quiet_cycles > 3 * len(zeros)
    ask(board, Request(1, Command.IDENTIFY))
    assert ask(board, Request(2, Command.COMMIT, payload=CRC32.pack(crc32(zeros)))).status == Status.OK
    # ... and a call without result takes as many words of inputs as a frame holds: of one bit, and the widest.
    for number, (window, words) in enumerate((("state", 8), ("seed", 1)), start=3):
        inputs = CallHeader(bits=1, words=words, want=0).pack().ljust(PAYLOAD_BYTES, b"\1")
        call = Request(number, Command.CALL, memory_map.number(window), 0, inputs)
        assert ask(board, call).status == Status.OK


def test_a_lost_delimiter_costs_no_time(board: VerilogBoard) -> None:
    board.write(Request(1, Command.IDENTIFY).encode()[:-1])
    assert board.read(PATIENCE) == b""
    board.write(b"\0")
    assert Identity.unpack(Reply.decode(board.read(PATIENCE)[:-1]).payload).session == 1


def test_a_power_cycle_makes_parameters_invalid_and_ends_the_session(board: VerilogBoard) -> None:
    def valid() -> bool:
        return Identity.unpack(ask(board, Request(9, Command.IDENTIFY)).payload).parameters_valid

    assert not valid()
    digest = CRC32.unpack(ask(board, Request(10, Command.COMMIT, payload=bytes(4))).payload)[0]
    assert not valid()
    ask(board, Request(11, Command.COMMIT, payload=CRC32.pack(digest)))
    assert valid()
    board.reset()
    assert ask(board, Request(12, Command.COUNTERS)) == Reply(0, Command.SYNC, Status.NO_SESSION, bytes(4))
    assert not valid()


def test_nothing_is_generated_or_compiled_twice(spec_file: Path, tmp_path: Path) -> None:
    RtlBoard(SMALL).close()
    # Neither a program on PATH nor Amaranth: whatever needs one of them fails.
    script = (
        "import sys; sys.modules['amaranth'] = None\n"
        "from attractor.sim.rtl_board import open_port\n"
        "from attractor.spec.protocol import FULL_BUFFERS, Buffers, Command, Request\n"
        "board = open_port(sys.argv[1])\n"
        "board.write(Request(7, Command.IDENTIFY).encode())\n"
        "assert board.read(60.0)\n"
    )
    command = [sys.executable, "-c", script, str(spec_file)]
    environment = {**os.environ, "PATH": str(tmp_path)}
    subprocess.run(command, env=environment, check=True, timeout=120)
    empty = subprocess.run(
        command, env={**environment, CACHE_VARIABLE: str(tmp_path)}, capture_output=True, timeout=120, check=False
    )
    assert empty.returncode != 0
    assert b"amaranth" in empty.stderr


def test_verilog_is_generated_anew_when_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generated: list[tuple[object, ...]] = []

    def generate(*arguments: object) -> str:
        generated.append(arguments)
        return f"design {len(generated)}"

    sources = ["hdl.py", b"contents"]
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(rtl_board, "_generate", generate)
    monkeypatch.setattr(rtl_board, "_sources", lambda *_: sources)
    full, few = FULL_BUFFERS, Buffers(512, 512)
    designs = (SMALL, 12, 3, full), (PLAIN, 12, 3, full), (SMALL, 12, 4, full), (SMALL, 9, 3, full), (SMALL, 12, 3, few)
    for arguments in designs:
        text = system_verilog(*arguments)
        assert generated[-1] == arguments
        assert text == f"design {len(generated)}"
    assert system_verilog(SMALL, 12, 3) == "design 1"
    assert len(generated) == 5
    sources[1] = b"changed"
    assert system_verilog(SMALL, 12, 3) == "design 6"


def test_without_a_compiler_the_golden_model_is_recommended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    verilog = system_verilog(SMALL, 12_000_000, 3_000_000)
    monkeypatch.setattr("attractor.sim.rtl_board.system_verilog", lambda *_: verilog)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(ToolError, match="sim:"):
        RtlBoard(SMALL)
