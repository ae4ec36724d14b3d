"""Decides whether a request may be carried out, as far as its first bytes tell."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.link.decoder import PAYLOAD
from attractor.hdl.link.words import WindowKind
from attractor.spec.protocol import CRC32, CallHeader, Command, Status

__all__ = ["HeaderCheck"]

#: Bytes of the payload of the commands whose payload has one length only.
_LENGTHS = {
    Command.IDENTIFY: 0,
    Command.SYNC: 0,
    Command.COUNTERS: 0,
    Command.READ: 1,
    Command.DIGEST: 3,
    Command.BAUD: 3,
    Command.COMMIT: CRC32.size,
}


class HeaderCheck(wiring.Component):
    """Checks, in this order: the command exists; window and word exist and may be used so; the payload's length and its
    first numbers; the parameters are valid.

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
    end: ``In(8)``
        Address in the frame behind the payload.
    call_good: ``In(1)``
        The header of a CALL has numbers that there can be.
    rate_good: ``In(1)``
        BAUD asks for a rate that there can be.
    may_run: ``In(1)``
        The parameters are valid, or CALL runs nothing.
    status: ``Out(Status)``
        OK, or the first check that failed.
    """

    command: Signal
    is_command: Signal
    no_address: Signal
    word_exists: Signal
    kind: Any
    end: Signal
    call_good: Signal
    rate_good: Signal
    may_run: Signal
    status: Signal

    def __init__(self) -> None:
        flags = ("is_command", "no_address", "word_exists", "call_good", "rate_good", "may_run")
        super().__init__(
            {
                "command": In(4),
                **dict.fromkeys(flags, In(1)),
                "kind": In(WindowKind),
                "end": In(8),
                "status": Out(Status),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        exists, address_good, length_good = Signal(), Signal(), Signal()
        is_input = self.kind == WindowKind.INPUT
        with m.Switch(self.command):
            for command in (Command.IDENTIFY, Command.COMMIT, Command.COUNTERS, Command.BAUD):
                with m.Case(command):
                    m.d.comb += [exists.eq(1), address_good.eq(self.no_address)]
            with m.Case(Command.SYNC):
                m.d.comb += [exists.eq(1), address_good.eq(1)]
            with m.Case(Command.READ, Command.DIGEST):
                m.d.comb += [exists.eq(1), address_good.eq(self.word_exists)]
            with m.Case(Command.WRITE):
                writable = is_input | (self.kind == WindowKind.PARAMETERS)
                m.d.comb += [exists.eq(1), address_good.eq(self.word_exists & writable), length_good.eq(1)]
            with m.Case(Command.CALL):
                whole = self.end >= PAYLOAD + CallHeader.STRUCT.size
                m.d.comb += [
                    exists.eq(1),
                    address_good.eq(self.word_exists & is_input),
                    length_good.eq(whole & self.call_good),
                ]
        with m.Switch(self.command):
            for command, length in _LENGTHS.items():
                with m.Case(command):
                    good = self.end == PAYLOAD + length
                    m.d.comb += length_good.eq(good & self.rate_good if command == Command.BAUD else good)
        with m.If(~(exists & self.is_command)):
            m.d.comb += self.status.eq(Status.BAD_COMMAND)
        with m.Elif(~address_good):
            m.d.comb += self.status.eq(Status.BAD_ADDRESS)
        with m.Elif(~length_good):
            m.d.comb += self.status.eq(Status.BAD_LENGTH)
        with m.Elif((self.command == Command.CALL) & ~self.may_run):
            m.d.comb += self.status.eq(Status.INVALID_PARAMETERS)
        return m
