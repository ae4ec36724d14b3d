from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial

from attractor.host import Device, HostError, LinkTimeout, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.pty_server import LINE_BYTES, QUEUE_BYTES, ServedPort, TcpSocket, _pump, serve
from attractor.sim.verilog import to_verilog
from attractor.sim.verilog_board import VerilogBoard
from attractor.spec import OscillatorSpec

from .designs import Commands, Echo

#: Seconds: only a hang takes that long.
PATIENCE = 30.0


class EchoPort:
    """Sends back what it gets; ``idle`` is unknown."""

    def __init__(self) -> None:
        self._bytes = b""
        self.read_bytes = 0

    def write(self, data: bytes) -> None:
        self._bytes += data

    def read(self, timeout: float) -> bytes:
        assert timeout == 0.0
        data, self._bytes = self._bytes, b""
        self.read_bytes += len(data)
        return data


@contextmanager
def served(port: ServedPort, tcp_port: int | None = None) -> Iterator[str]:
    """Serve a port in a thread and give its address."""
    stop, ready, addresses = threading.Event(), threading.Event(), []

    def announce(address: str) -> None:
        addresses.append(address)
        ready.set()

    thread = threading.Thread(
        target=serve, args=(port, announce), kwargs={"tcp_port": tcp_port, "stop": stop}, daemon=True
    )
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield addresses[0]
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def open_serial(address: str) -> serial.SerialBase:
    return serial.serial_for_url(address, baudrate=1_000_000, timeout=PATIENCE, write_timeout=PATIENCE)


def round_trip(program: serial.SerialBase, data: bytes) -> bytes:
    """Send in small pieces, so that neither side has to hold much, and read all back."""
    received = b""
    for start in range(0, len(data), 500):
        piece = data[start : start + 500]
        program.write(piece)
        received += program.read(len(piece))
    return received


every_address = pytest.mark.parametrize("tcp_port", [None, 0], ids=["terminal", "tcp"])


@every_address
def test_bytes_of_all_values_pass_unchanged(tcp_port: int | None) -> None:
    data = bytes(range(256)) * 20 + os.urandom(5000)
    with served(EchoPort(), tcp_port) as address, open_serial(address) as program:
        assert round_trip(program, data) == data


def test_the_terminal_is_raw_for_programs_that_set_nothing() -> None:
    # Line ends, an interrupt and an end of file, as a cooked terminal would have them.
    data = b"a\r\nb\n\x03\x04\x11\x13\x1a\x7f"
    with served(EchoPort()) as address:
        terminal = os.open(address, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(terminal, data)
            received = b""
            while len(received) < len(data):
                ready, _, _ = select.select([terminal], [], [], PATIENCE)
                assert ready
                received += os.read(terminal, 100)
            assert received == data
        finally:
            os.close(terminal)


@every_address
def test_programs_come_and_go(tcp_port: int | None) -> None:
    with served(EchoPort(), tcp_port) as address:
        for text in (b"first", b"second", b"third"):
            with open_serial(address) as program:
                assert round_trip(program, text) == text


@pytest.mark.usefixtures("tools")
@every_address
def test_a_simulated_design_is_served(tcp_port: int | None) -> None:
    data = os.urandom(5000)
    with VerilogBoard(to_verilog(Echo(), "board"), "board") as board, served(board, tcp_port) as address:
        with open_serial(address) as program:
            assert round_trip(program, data) == data
        assert board.framing_errors == 0


@pytest.mark.usefixtures("tools")
def test_a_design_that_works_is_not_left_alone() -> None:
    # The answer comes long after the last byte; nobody but the server lets time pass.
    board = VerilogBoard(to_verilog(Commands(), "board"), "board")
    with board, served(board) as address, open_serial(address) as program:
        program.write(b"w")
        assert program.read(1) == b"w"


class Fountain:
    """Says all numbers up to ``count``, four bytes each, when it was asked: pySerial drops what comes at once."""

    def __init__(self, count: int) -> None:
        self.data = b"".join(number.to_bytes(4, "little") for number in range(count))
        self.said = len(self.data)

    def write(self, data: bytes) -> None:
        assert data == b"?"
        self.said = 0

    def read(self, timeout: float) -> bytes:
        assert timeout == 0.0
        part = self.data[self.said : self.said + 4096]
        self.said += len(part)
        return part


@every_address
def test_nothing_is_lost_on_the_way_to_a_slow_reader(tcp_port: int | None) -> None:
    fountain = Fountain(1 << 18)
    with served(fountain, tcp_port) as address, open_serial(address) as program:
        program.write(b"?")
        assert program.read(len(fountain.data)) == fountain.data


class Deaf:
    """A program that takes nothing; it stops the server when it was offered something ``patience`` times."""

    address = "nowhere"

    def __init__(self, stop: threading.Event, patience: int) -> None:
        self.offered: list[int] = []
        self._stop, self._patience = stop, patience

    def wait(self, seconds: float, receiving: bool, sending: bool) -> None:
        # With nothing to do but to wait for room, the server has to sleep.
        assert receiving or (sending and seconds > 0)

    def receive(self) -> bytes:
        return b""

    def send(self, data: bytes) -> int:
        self.offered.append(len(data))
        if len(self.offered) == self._patience:
            self._stop.set()
        return 0

    def close(self) -> None:
        raise AssertionError


def test_the_simulation_waits_for_a_reader_that_takes_nothing() -> None:
    stop = threading.Event()
    fountain, program = Fountain(1 << 18), Deaf(stop, patience=100)
    fountain.write(b"?")
    _pump(fountain, program, stop)
    assert QUEUE_BYTES <= fountain.said < QUEUE_BYTES + 4096
    assert program.offered[-50:] == [fountain.said] * 50


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_when_it_is_told(number: signal.Signals) -> None:
    script = (
        "from attractor.sim.pty_server import serve\n"
        "class Silent:\n"
        "    def write(self, data): pass\n"
        "    def read(self, timeout): return b''\n"
        "try:\n"
        "    serve(Silent(), lambda address: print(address, flush=True))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
        "else:\n"
        "    print('ended')\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        path = process.stdout.readline().strip()
        assert Path(path).is_char_device()
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert output.strip() == ("ended" if number == signal.SIGTERM else "interrupted")


class Narrow:
    """A board that takes bytes off its line slowly, and counts how many wait."""

    def __init__(self) -> None:
        self.pending = self.most = self.taken = 0

    def write(self, data: bytes) -> None:
        self.pending += len(data)
        self.most = max(self.most, self.pending)

    def read(self, timeout: float) -> bytes:
        assert timeout == 0.0
        step = min(self.pending, 100)
        self.pending, self.taken = self.pending - step, self.taken + step
        return bytes(step)


@every_address
def test_a_program_that_writes_too_fast_has_to_wait(tcp_port: int | None) -> None:
    board, data = Narrow(), os.urandom(200_000)
    with served(board, tcp_port) as address, open_serial(address) as program:
        writer = threading.Thread(target=program.write, args=(data,), daemon=True)
        writer.start()
        assert program.read(len(data)) == bytes(len(data))
        writer.join(PATIENCE)
    assert board.taken == len(data)
    assert LINE_BYTES <= board.most < LINE_BYTES + 4096


LONG = OscillatorSpec(oscillators=40, schedule_entries=8, lanes=8)


def endless() -> Model:
    """Return a model whose calls take a golden model hours: noise never lets it settle."""
    weights = np.random.default_rng(0).integers(-9, 10, (40, 40))
    return Model(LONG, {"weights": weights, "schedule": np.full((8, 5), (65535, 20, 8, 0, 0)), "settle": np.array(0)})


@every_address
def test_a_long_call_of_a_golden_board_can_be_aborted(tcp_port: int | None) -> None:
    inputs = LONG.encode_input(np.zeros(40, int), np.zeros(40, bool), 7, 0)
    with served(GoldenBoard(LONG), tcp_port) as address, Device.open(address) as device:
        device.load(endless())
        with pytest.raises(LinkTimeout, match=r"the call gave no results within 0\.3 s and was aborted"):
            device.call(inputs, time_limit=0.3)
        # It answers again at once, and has kept what it holds.
        assert device.holds(endless())
        short = Model(LONG, {**endless().parameters, "schedule": np.eye(8, 5, dtype=int)})
        device.load(short)
        assert LONG.decode_output(device.call(inputs)).periods == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_in_the_middle_of_a_call(number: signal.Signals, tmp_path: Path) -> None:
    endless().save(tmp_path / "long.safetensors")
    command = [
        sys.executable,
        "-m",
        "attractor.cli",
        "board",
        "--sim",
        str(tmp_path / "long.safetensors"),
        "--tcp",
        "0",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        address = re.search(r"socket://\S+", process.stdout.readline())
        assert address is not None
        inputs = LONG.encode_input(np.zeros(40, int), np.zeros(40, bool), 7, 0)
        with Device.open(address[0]) as device:
            device.load(endless())
            threading.Timer(0.5, process.send_signal, [number]).start()
            with pytest.raises(HostError):
                device.call(inputs, time_limit=PATIENCE)
        assert process.wait(PATIENCE) == 0


def test_a_port_in_use_is_an_error() -> None:
    first = TcpSocket(0)
    try:
        number = int(first.address.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            serve(EchoPort(), lambda _: None, tcp_port=number)
    finally:
        first.close()
