"""A device of protocol version 1 is told apart from silence, with the version that built it."""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Callable

import pytest
from cobs import cobs

from attractor.host import Device, NotADevice
from attractor.host.version_1 import built_by
from attractor.sim.line import VirtualClock

DESCRIPTION = b'{"board":"icebreaker","gateware":"0.1.7","spec":{}}'


def crc(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "little")


def description(noise: int = 0, text: bytes = DESCRIPTION) -> bytes:
    """Return a compressed description, longer by some bytes that do not compress."""
    more = b'"noise":"%s",' % zlib.compress(bytes(range(256)) * 3).hex().encode()[:noise] if noise else b""
    return zlib.compress(text.replace(b"{", b"{" + more, 1), 0)


class Responder:
    """A device of protocol version 1 that says who it is and reads its description; it counts what it cannot read."""

    name = "old"

    def __init__(self, rom: bytes, change: Callable[[bytes], bytes] = lambda frame: frame) -> None:
        self.rom = rom
        self.clock = VirtualClock()
        self.commands: list[int] = []
        self.damaged = 0
        self._change = change
        self._partial = self._answers = b""

    def write(self, data: bytes) -> None:
        """Answer each frame of version 1."""
        *frames, self._partial = (self._partial + data).split(b"\0")
        for frame in filter(None, frames):
            try:
                whole = cobs.decode(frame)
            except cobs.DecodeError:
                whole = b""
            body, given = whole[:-2], whole[-2:]
            if len(body) < 7 or crc(body) != given:
                self.damaged += 1
                continue
            number, command, _, word, _ = struct.unpack_from("<HBBHB", body)
            self.commands.append(command)
            payload = struct.pack("<B8sHHB", 1, b"12345678", 512, len(self.rom), 1)
            if command == 2:
                payload = self.rom[word : word + body[7]]
            reply = struct.pack("<HBB", number, command | 0x80, 0) + payload
            self._answers += self._change(cobs.encode(reply + crc(reply)) + b"\0")

    def read(self, timeout: float) -> bytes:
        """Return all answers; time passes if there are none."""
        answers, self._answers = self._answers, b""
        self.clock.advance_to(self.clock.now + (0.001 if answers else timeout))
        return answers

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("noise", [0, 400])
def test_a_device_of_version_1_is_named(noise: int) -> None:
    port = Responder(description(noise))
    assert (len(port.rom) > 240) == (noise > 0)
    with pytest.raises(NotADevice) as caught:
        Device.open(port, clock=port.clock)
    assert str(caught.value) == (
        "old: the device speaks protocol version 1, this program 2; its gateware was built by attractor 0.1.7: build "
        "it with this version, or install that one"
    )
    assert port.damaged == 7, "it is asked in version 2 first, of which it reads nothing"
    assert port.commands == [1, 2] if not noise else [1, 2, 2]


def test_only_one_identity_is_asked_for_and_a_silent_port_takes_one_more_time_limit() -> None:
    port = Responder(b"", change=lambda _: b"")
    with pytest.raises(NotADevice, match="old: nothing answers; check that the board is powered"):
        Device.open(port, clock=port.clock)
    assert port.commands == [1]
    assert port.clock.now < 8.0


@pytest.mark.parametrize(
    "rom",
    [b"", b"no zlib", description()[:-1], description(text=b'{"board":"x"}'), zlib.compress(b"[1]")],
    ids=["none", "noise", "cut", "no version", "a list"],
)
def test_a_description_that_cannot_be_read_leaves_the_version_unknown(rom: bytes) -> None:
    port = Responder(rom)
    assert built_by(port, 0.3, port.clock) == "unknown"


def test_a_read_that_is_not_answered_leaves_the_version_unknown() -> None:
    port = Responder(description(), change=lambda frame: frame if b"12345678" in frame else b"")
    assert built_by(port, 0.3, port.clock) == "unknown"


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: b"\0" + frame[:-3] + b"\x99\x99\0",
        lambda frame: frame[2:],
        lambda _: b"login:\0",
        lambda _: b"\1\0" * 50,
        lambda frame: frame.replace(b"12345678", b"1234567"),
    ],
)
def test_what_is_no_identity_of_version_1_is_none(change: Callable[[bytes], bytes]) -> None:
    port = Responder(description(), change=change)
    assert built_by(port, 0.3, port.clock) is None


def test_noise_around_the_answers_does_not_matter() -> None:
    port = Responder(description(), change=lambda frame: b"noise\0\0" + frame[:4] + b"\0" + frame + b"\1\2")
    assert built_by(port, 0.3, port.clock) is not None
