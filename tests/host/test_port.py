"""Opening ports, and what a user reads when that fails."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import tty
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import serial
from serial.tools.list_ports_common import ListPortInfo

from attractor.host import Device, DeviceError, Model, Port, PortError, open_port, port
from attractor.host.port import makes_board
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import OscillatorSpec
from attractor.spec.protocol import Command

pty = pytest.importorskip("pty", reason="pseudo-terminals need a POSIX system")


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_pseudo_terminal(terminal: tuple[int, str]) -> None:
    master, name = terminal
    opened = open_port(name)
    assert isinstance(opened, Port)
    assert opened.name == name
    opened.write(b"question\0")
    assert os.read(master, 100) == b"question\0"
    os.write(master, b"answer\0")
    data = opened.read(5.0)
    while len(data) < 7:
        data += opened.read(5.0)
    assert data == b"answer\0"
    assert opened.read(0.0) == b""
    opened.close()
    opened.close()


def test_a_closed_port_breaks_down_clearly(terminal: tuple[int, str]) -> None:
    opened = open_port(terminal[1])
    opened.close()
    with pytest.raises(PortError, match=r"broke down.*check the cable and open the port again"):
        opened.write(b"x")
    with pytest.raises(PortError, match="broke down"):
        opened.read(0.0)


def test_a_port_in_use(terminal: tuple[int, str]) -> None:
    opened = open_port(terminal[1])
    with pytest.raises(PortError, match=f"{terminal[1]} is in use by another program; close that one"):
        open_port(terminal[1])
    opened.close()


def test_loop_url() -> None:
    opened = open_port("loop://", 9600)
    opened.write(b"echo")
    assert opened.read(1.0) == b"echo"
    opened.close()


def test_simulated_board(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    opened = open_port(f"sim:{path}")
    assert isinstance(opened, GoldenBoard)
    assert isinstance(opened, Port)
    assert opened.spec == model.spec


def test_missing_port_lists_those_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port.list_ports, "comports", list)
    with pytest.raises(PortError, match="/dev/ttyUSB77: no such port; no serial port was found: plug the board in"):
        open_port("/dev/ttyUSB77")
    found = ListPortInfo("/dev/ttyUSB3")
    found.description = "USB bridge"
    monkeypatch.setattr(port.list_ports, "comports", lambda: [found])
    with pytest.raises(PortError, match=r"no such port; ports here: /dev/ttyUSB3 \(USB bridge\); or simulate one"):
        open_port("/dev/ttyUSB77")


def test_permission_denied_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(address: str, **_: object) -> None:
        raise serial.SerialException(13, f"could not open port {address}: Permission denied")

    monkeypatch.setattr(port.serial, "serial_for_url", denied)
    with pytest.raises(PortError, match=r"/dev/ttyUSB0: permission denied; .*`sudo usermod -a -G dialout \$USER`"):
        open_port("/dev/ttyUSB0")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "the port's address is empty"),
        ("simulator:x.json", "unknown prefix 'simulator'; known: rtl:, sim:"),
        ("carrier-pigeon://coop", "carrier-pigeon://coop cannot be opened at 1000000 baud: invalid URL"),
        ("socket://127.0.0.1:1", "cannot be opened at 1000000 baud: Could not open port"),
        ("/dev/null", "/dev/null cannot be opened at 1000000 baud: Could not configure port"),
    ],
)
def test_bad_addresses(address: str, message: str) -> None:
    with pytest.raises(PortError) as caught:
        open_port(address)
    assert message in str(caught.value)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("far", "no_such_package.board:open_port", port.ENTRY_POINTS)
    monkeypatch.setattr(port, "entry_points", lambda **_: [entry])
    with pytest.raises(
        PortError, match=r"far:x needs no_such_package, which is not installed: pip install 'attractor\[sim\]'"
    ):
        open_port("far:x")


# Boards made for a network


def test_a_board_is_made_for_a_network(model: Model) -> None:
    opened = open_port("sim:", None, model.spec)
    assert isinstance(opened, GoldenBoard)
    assert (opened.name, opened.spec) == ("sim:", model.spec)
    with Device.open("sim:", model.spec) as device:
        device.load(model)
        assert device.holds(model)
        device.reconnect()
        assert device.spec == model.spec
        assert not device.holds(model)


def test_a_spec_means_nothing_to_an_address_that_names_a_board(tmp_path: Path, model: Model) -> None:
    model.save(tmp_path / "model.safetensors")
    with Device.open(f"sim:{tmp_path / 'model.safetensors'}", OscillatorSpec(oscillators=3)) as device:
        assert device.spec == model.spec


def test_a_board_for_an_unknown_network() -> None:
    message = "sim: is a board made for a network, and none is known here; give the file of one, sim:FILE, or use sim:"
    with pytest.raises(PortError, match=message):
        open_port("sim:")
    with pytest.raises(PortError, match=message):
        Device.open("sim:")


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Register a port of another package, as it was written before boards were made, and return its name."""
    (tmp_path / "far_away.py").write_text("def open_port(argument, baud):\n    return argument, baud\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "far_away", raising=False)
    entry = EntryPoint("far", "far_away:open_port", port.ENTRY_POINTS)
    monkeypatch.setattr(port, "entry_points", lambda **_: [entry])
    return "far"


@pytest.mark.usefixtures("far")
def test_a_port_that_makes_no_boards(model: Model) -> None:
    assert open_port("far:x", 7) == ("x", 7)
    assert open_port("far:x", 7, model.spec) == ("x", 7)
    # Nothing behind the prefix is for the port itself to understand, unless a board is asked for.
    assert open_port("far:", 7) == ("", 7)
    with pytest.raises(
        PortError,
        match="far: makes no board for a network, as far_away has no open_spec; say which board is meant, far",
    ):
        open_port("far:", None, model.spec)


@pytest.mark.usefixtures("far")
def test_a_port_from_outside_that_makes_boards(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    import far_away  # pyright: ignore[reportMissingImports]

    monkeypatch.setattr(far_away, "open_spec", lambda spec: GoldenBoard(spec, name="far:"), raising=False)
    with Device.open("far:", model.spec) as device:
        assert (device.name, device.spec) == ("far:", model.spec)


def test_addresses_that_name_no_board() -> None:
    assert makes_board("sim:")
    assert makes_board("rtl:")
    assert not any(map(makes_board, ("", "sim", "sim:x.json", "COM3:", "/dev/ttyUSB0", "loop://")))


def test_a_device_behind_a_pseudo_terminal(model: Model) -> None:
    board = GoldenBoard(model.spec)
    master, slave = pty.openpty()
    tty.setraw(slave)

    def serve() -> None:
        with contextlib.suppress(OSError):  # the last user of the other end has gone
            while True:
                board.write(os.read(master, 4096))
                os.write(master, board.read(0.0))

    server = threading.Thread(target=serve)
    server.start()
    with Device.open(os.ttyname(slave), timeout=5.0) as device:
        os.close(slave)
        device.load(model)
        assert device.holds(model)
        assert device.link.statistics.repeated == 0
        with pytest.raises(DeviceError, match="READ was refused with BAD_ADDRESS"):
            device.link.ask(Command.READ, 99)
    server.join(timeout=10.0)
    assert not server.is_alive()
    os.close(master)
    assert board.parameters_valid
