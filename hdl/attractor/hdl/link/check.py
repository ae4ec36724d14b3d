"""Decides whether a request may be carried out, as far as its header tells."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.words import WindowKind
from attractor.spec.protocol import CRC32, REQUEST_HEADER, Command, Status

__all__ = ["HeaderCheck"]

#: Length of header and payload of the commands whose payload has one length only.
_LENGTHS = {
    Command.IDENTIFY: REQUEST_HEADER.size,
    Command.READ: REQUEST_HEADER.size + 1,
    Command.DIGEST: REQUEST_HEADER.size + 3,
    Command.COMMIT: REQUEST_HEADER.size + CRC32.size,
    Command.ABORT: REQUEST_HEADER.size,
    Command.COUNTERS: REQUEST_HEADER.size,
}


class HeaderCheck(wiring.Component):
    """Checks, in this order: the command exists; window and word exist and may be used so; the payload's length.

    Combinational. What depends on the number of words in the payload is not checked here.

    Members
    -------
    command: ``In(4)``
    is_command: ``In(1)``
        The command is no more than its four bits tell.
    no_address: ``In(1)``
        Window and word are 0.
    word_exists: ``In(1)``
    kind: ``In(WindowKind)``
        What the window is for, if it exists.
    length: ``In(8)``
        Bytes of header and payload.
    status: ``Out(Status)``
        OK, or the first check that failed.
    """

    command: Signal
    is_command: Signal
    no_address: Signal
    word_exists: Signal
    kind: Any
    length: Signal
    status: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "command": In(4),
                "is_command": In(1),
                "no_address": In(1),
                "word_exists": In(1),
                "kind": In(WindowKind),
                "length": In(8),
                "status": Out(Status),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        exists, address_good, length_good = Signal(), Signal(), Signal()
        writable = (self.kind == WindowKind.PARAMETERS) | (self.kind == WindowKind.INPUT)
        with m.Switch(self.command):
            for command in (Command.IDENTIFY, Command.COMMIT, Command.ABORT, Command.COUNTERS):
                with m.Case(command):
                    m.d.comb += [exists.eq(1), address_good.eq(self.no_address)]
            with m.Case(Command.READ, Command.DIGEST):
                m.d.comb += [exists.eq(1), address_good.eq(self.word_exists)]
            with m.Case(Command.WRITE):
                m.d.comb += [exists.eq(1), address_good.eq(self.word_exists & writable), length_good.eq(1)]
            with m.Case(Command.CALL):
                m.d.comb += [
                    exists.eq(1),
                    address_good.eq(self.word_exists & (self.kind == WindowKind.INPUT)),
                    length_good.eq(self.length >= REQUEST_HEADER.size + CRC32.size),
                ]
        with m.Switch(self.command):
            for command, length in _LENGTHS.items():
                with m.Case(command):
                    m.d.comb += length_good.eq(self.length == length)
        with m.If(~(exists & self.is_command)):
            m.d.comb += self.status.eq(Status.BAD_COMMAND)
        with m.Elif(~address_good):
            m.d.comb += self.status.eq(Status.BAD_ADDRESS)
        with m.Elif(~length_good):
            m.d.comb += self.status.eq(Status.BAD_LENGTH)
        return m
