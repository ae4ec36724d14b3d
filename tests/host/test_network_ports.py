"""Ports over the network, with real servers on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import serial
from serial import rfc2217

from attractor.host import Device, Model
from attractor.host.errors import PortError
from attractor.host.port import open_port
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.pty_server import serve
from attractor.spec import OscillatorSpec

SPEC = OscillatorSpec(oscillators=8, labels=3, schedule_entries=2)
#: Seconds: only a hang takes that long.
PATIENCE = 30.0


@contextmanager
def served(tcp_port: int | None) -> Iterator[str]:
    """Serve a golden board; give its address."""
    announced, stop, addresses = threading.Event(), threading.Event(), []

    def announce(address: str) -> None:
        addresses.append(address)
        announced.set()

    options = {"tcp_port": tcp_port, "stop": stop}
    thread = threading.Thread(target=serve, args=(GoldenBoard(SPEC), announce), kwargs=options, daemon=True)
    thread.start()
    assert announced.wait(PATIENCE)
    yield addresses[0]
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


class Redirector:
    """PySerial's own server of RFC 2217 before a serial port, for one client."""

    def __init__(self, address: str) -> None:
        self.serial = serial.serial_for_url(address, timeout=0.01)
        self.stopping = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"rfc2217://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self._inward, daemon=True)]
        self.threads[0].start()

    def write(self, data: bytes) -> None:
        """Send to the client, as the manager asks."""
        self.client.sendall(data)

    def _inward(self) -> None:
        self.client, _ = self.listener.accept()
        manager = rfc2217.PortManager(self.serial, self)
        self.threads.append(threading.Thread(target=self._outward, args=(manager,), daemon=True))
        self.threads[1].start()
        with suppress(OSError):
            while data := self.client.recv(1024):
                self.serial.write(b"".join(manager.filter(data)))

    def _outward(self, manager: rfc2217.PortManager) -> None:
        with suppress(OSError):
            while not self.stopping:
                if data := self.serial.read(1024):
                    self.write(b"".join(manager.escape(data)))

    def close(self) -> None:
        """End all."""
        with suppress(OSError):  # the client may have gone
            self.client.shutdown(socket.SHUT_RDWR)
        self.stopping = True
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        self.client.close()
        self.listener.close()
        self.serial.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pySerial's own
def test_a_board_behind_pyserials_own_server(random_model: Callable[..., Model]) -> None:
    model = random_model(SPEC)
    with served(0) as address:  # unlike a pseudo-terminal it takes modem lines, which the server sets
        server = Redirector(address)
        try:
            with Device.open(server.address) as device:
                device.load(model)
                assert device.holds(model)
        finally:
            server.close()


@pytest.mark.parametrize("wrap", ["{}", "spy://{}"])
def test_other_urls_reach_a_board(wrap: str, random_model: Callable[..., Model]) -> None:
    model = random_model(SPEC)
    direct = wrap == "{}"
    with served(0 if direct else None) as address, Device.open(wrap.format(address)) as device:
        device.load(model)
        assert device.holds(model)


def test_a_second_client_is_told_that_the_board_is_in_use(random_model: Callable[..., Model]) -> None:
    model = random_model(SPEC)
    with served(0) as address, Device.open(address) as device:
        for _ in range(2):
            with pytest.raises(PortError, match=r"hung up before it said anything .*; is another program using the"):
                Device.open(address)
        device.load(model)
        assert device.holds(model)


def test_the_next_client_follows_the_one_before() -> None:
    with served(0) as address:
        for _ in range(10):
            with Device.open(address) as device:
                assert device.spec == SPEC


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("socket://somewhere", "socket://somewhere names no port; give HOST:PORT after //"),
        ("rfc2217://somewhere", "rfc2217://somewhere names no port"),
        ("socket://:7", "socket://:7 names no host"),
        ("socket://host:banana", "socket://host:banana is no address"),
        ("rfc2217://127.0.0.1:1", "rfc2217://127.0.0.1:1 cannot be opened"),
        ("hwgrep://nothing-like-this", "hwgrep://nothing-like-this"),
    ],
)
def test_addresses_that_cannot_be(address: str, says: str) -> None:
    with pytest.raises(PortError) as caught:
        open_port(address)
    assert says in str(caught.value)
