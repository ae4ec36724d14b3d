"""The device's side of the link: serial line, frames, commands."""

from attractor.hdl.link.link import Link
from attractor.hdl.link.uart import Receiver, Transmitter, uart_divisor
from attractor.spec.protocol import BaudError

__all__ = ["BaudError", "Link", "Receiver", "Transmitter", "uart_divisor"]
