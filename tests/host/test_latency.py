"""The wish for low latency: asked of the driver, told, and put back."""

from __future__ import annotations

import fcntl
import struct
import termios
from pathlib import Path
from types import SimpleNamespace

import pytest

from attractor.host import latency
from attractor.host.latency import ASYNC_LOW_LATENCY, LowLatency, latency_timer


class Driver:
    """What stands behind the two ioctls of a serial driver: type, line, port, irq, flags and more."""

    def __init__(self, flags: int, *, permits: bool = True) -> None:
        self.settings = [4, 0, 0, 0, flags, 8, 24_000_000, *range(7, 18)]
        self.permits = permits

    @property
    def flags(self) -> int:
        return self.settings[4]

    def ioctl(self, descriptor: int, request: int, data: bytes | bytearray) -> int:
        assert descriptor == 7
        layout = struct.Struct(f"{len(self.settings)}i")
        if request == termios.TIOCGSERIAL:
            assert isinstance(data, bytearray)
            layout.pack_into(data, 0, *self.settings)
        elif not self.permits:
            raise PermissionError
        else:
            assert request == termios.TIOCSSERIAL
            self.settings = list(layout.unpack_from(data))
        return 0


def asked(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> LowLatency:
    monkeypatch.setattr(fcntl, "ioctl", driver.ioctl)
    return LowLatency(SimpleNamespace(fd=7))


def test_low_latency_is_asked_for_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(flags=0x1040)
    others = driver.settings.copy()
    wish = asked(monkeypatch, driver)
    assert wish.on is True
    assert driver.flags == 0x1040 | ASYNC_LOW_LATENCY
    wish.restore()
    assert driver.settings == others
    wish.restore()
    assert driver.settings == others


def test_what_was_on_before_stays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(flags=ASYNC_LOW_LATENCY)
    wish = asked(monkeypatch, driver)
    assert wish.on is True
    wish.restore()
    assert driver.flags == ASYNC_LOW_LATENCY


def test_a_driver_that_does_not_permit_it(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(flags=3, permits=False)
    wish = asked(monkeypatch, driver)
    assert wish.on is False
    wish.restore()
    assert driver.flags == 3


@pytest.mark.parametrize("port", [SimpleNamespace(), SimpleNamespace(fd=None), SimpleNamespace(fd=-1)])
def test_ports_without_a_serial_driver_have_nothing_to_ask(port: SimpleNamespace) -> None:
    wish = LowLatency(port)
    assert wish.on is None
    wish.restore()


def test_the_timer_of_a_converter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def here(path: str) -> Path:
        return tmp_path / path.removeprefix("/sys/") if path.startswith("/sys/") else Path(path)

    monkeypatch.setattr(latency, "Path", here)
    folder = tmp_path / "bus/usb-serial/devices/ttyUSB7"
    folder.mkdir(parents=True)
    assert latency_timer("/dev/ttyUSB7") is None
    (folder / "latency_timer").write_text("16\n")
    assert latency_timer("/dev/ttyUSB7") == 16
