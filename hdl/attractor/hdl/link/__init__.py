"""The device's side of the link: serial line, frames, commands."""

from attractor.hdl.link.link import Link
from attractor.hdl.link.uart import BaudError, Receiver, Transmitter, uart_divisor

__all__ = ["BaudError", "Link", "Receiver", "Transmitter", "uart_divisor"]
