"""The page on the wire protocol says what the declarations say, and shows what the golden board answers."""

from __future__ import annotations

import inspect
import re
import struct
import textwrap
import zlib
from pathlib import Path

from cobs import cobs

from attractor.sim import golden_link
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.golden_link import GoldenLink
from attractor.spec import OscillatorSpec, description, protocol
from attractor.spec.protocol import (
    ATTENTION,
    CRC32,
    CallHeader,
    Command,
    Counters,
    Identity,
    Reply,
    Request,
    SessionState,
    Status,
    crc32,
    decode_description,
)
from attractor.verify.conformance import CLIENT_RULES
from attractor.verify.conformance.bench import RULES

PAGE = Path(__file__).parents[1] / "docs" / "protocol.md"
#: Network of the examples.
SPEC = OscillatorSpec(oscillators=5, inputs=2, labels=2, reference=0, schedule_entries=1, lanes=3)
SESSION = 0x1234
#: Rows of tables are longer than lines of text.
WIDTH = 120
#: Its board's description, compressed by one zlib: others may find other bytes.
DESCRIPTION = bytes.fromhex(
    "783f60a10f4783a56b0392532fcef46748d3f4675a016e91604d69d0b443efa4034b25c6e4241223441a3182271163525308"
    "960482480c06d8d28221665a0000a4e7aa30"
)


def filled(page: str) -> str:
    """Return the page with the parts of today."""
    for name, text in parts().items():
        part = f"<!-- {name} -->\n\n{text}\n\n<!-- end -->"
        page, count = re.subn(rf"<!-- {name} -->.*?<!-- end -->", lambda _, part=part: part, page, flags=re.DOTALL)
        assert count == 1, f"the page has no part {name}"
    return page


def parts() -> dict[str, str]:
    """Return the parts of the page that derive from the sources, by name."""
    return {
        "rules": _markdown(inspect.getdoc(protocol) or "", skip=1),
        "checks": _markdown((inspect.getdoc(golden_link) or "").partition("answers them so:\n")[2]),
        "constants": _constants(),
        "commands": "\n".join(
            ["| command | number |", "| --- | --- |", *(f"| {c.name} | {c.value} |" for c in Command)]
        ),
        "statuses": _statuses(),
        "payloads": "\n\n".join(map(_fields, (Identity, SessionState, Counters, CallHeader))),
        "vectors": _vectors(),
        "exchange": _exchange(),
        "description": _description(),
        "device-rules": _rules({rule.name: rule.meaning for rule in RULES}),
        "client-rules": _rules(CLIENT_RULES),
        "dictionary": "```\n" + "\n".join(_wrapped(description.DICTIONARY.decode())) + "\n```",
    }


# From docstrings


def _markdown(text: str, skip: int = 0) -> str:
    """Return a docstring as Markdown, without so many first paragraphs."""
    paragraphs = re.split(r"\n{2,}", text.strip())[skip:]
    shown: list[str] = []
    for paragraph in paragraphs:
        if paragraph.startswith("=="):
            shown.append(_table(paragraph))
        elif paragraph.startswith("    "):
            block = textwrap.dedent(paragraph)
            joined = shown and shown[-1].endswith("```")
            shown.append(f"{shown.pop()[:-3]}\n{block}\n```" if joined else f"```\n{block}\n```")
        elif paragraph != "::":
            shown.append(re.sub(r"::$", ":", paragraph))
    text = "\n\n".join(shown)
    return re.sub(r":\w+:`[.~]*([\w.]+)`", r"`\1`", re.sub("``(.+?)``", r"`\1`", text))


def _table(text: str) -> str:
    """Return a table of a docstring as one in Markdown."""
    border, *lines = text.splitlines()
    starts = [place.start() for place in re.finditer("=+", border)]
    ends = [*starts[1:], None]
    rows: list[list[str]] = []
    for line in lines:
        cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        goes_on = rows and (not cells[0] or line == lines[1])
        if line.startswith("=="):
            continue
        if goes_on:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], ["---"] * len(starts), *rows[1:]))


def _constants() -> str:
    source = inspect.getsource(protocol)
    rows = ["| constant | value | meaning |", "| --- | --- | --- |"]
    for comment, names in re.findall(r"^((?:#: .*\n)+)((?:[A-Z_0-9]+ = .*\n)+)", source, re.MULTILINE):
        meaning = " ".join(re.findall(r"#: (.*)", comment))
        for name in re.findall(r"^([A-Z_0-9]+) =", names, re.MULTILINE):
            value = getattr(protocol, name)
            if isinstance(value, int | float):
                rows.append(f"| `{name}` | {value:,} | {meaning} |")
    rows.append(f"| `PAYLOAD_BYTES` | {protocol.PAYLOAD_BYTES} | Most bytes of a payload. |")
    return "\n".join(rows)


def _commands() -> str:
    rows = [f"| {command.name} | {command.value} |" for command in Command]
    return "\n".join(["| command | number |", "| --- | --- |", *rows])


def _rules(rules: dict[str, str]) -> str:
    return "\n".join(
        ["| rule | what it says |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rules.items())]
    )


def _statuses() -> str:
    found = dict(re.findall(r"#: (.*)\n    ([A-Z_]+) = \d+", inspect.getsource(Status)))
    meanings = {name: meaning for meaning, name in found.items()} | {"OK": "It was carried out."}
    rows = [f"| {status.value} | {status.name} | {meanings[status.name]} |" for status in Status]
    return "\n".join(["| number | status | meaning |", "| --- | --- | --- |", *rows])


def _fields(record: type) -> str:
    """Return the bytes of a payload that a dataclass declares."""
    layout: struct.Struct = record.STRUCT  # pyright: ignore[reportAttributeAccessIssue]
    rows, start = [f"`{record.__name__}`:\n", "| bytes | field |", "| --- | --- |"], 0
    sizes: list[int] = []
    for count, code in re.findall(r"(\d*)([BHIs])", layout.format):
        sizes += [int(count)] if code == "s" else [struct.calcsize(f"<{code}")] * int(count or 1)
    for name, size in zip(record.__annotations__, sizes, strict=True):
        rows.append(f"| {start}{f' to {start + size - 1}' if size > 1 else ''} | `{name}` |")
        start += size
    assert start == layout.size
    return "\n".join(rows)


# From the golden board


def _vectors() -> str:
    rows = ["| bytes | CRC-32 | as it travels | COBS of both |", "| --- | --- | --- | --- |"]
    for data in (b"", b"\0", b"123456789", bytes(4), b"\xff\0\x01"):
        crc = CRC32.pack(crc32(data))
        shown = [data.hex(" ") or "none", f"{crc32(data):08x}", crc.hex(" "), cobs.encode(data + crc).hex(" ")]
        rows.append(f"| {' | '.join(shown)} |")
    return "\n".join(rows)


class _Session:
    """An exchange with a golden board, written down."""

    def __init__(self) -> None:
        self.board = GoldenBoard(SPEC)
        self.board.link = GoldenLink(SPEC, DESCRIPTION, self.board._run)
        self.lines: list[str] = []
        self.next = SESSION + 1

    def note(self, text: str) -> None:
        self.lines += ["", f"# {text}"]

    def send(
        self, text: str, command: Command, window: int = 0, word: int = 0, payload: bytes = b"", ahead: int = 0
    ) -> None:
        """Send a request and write down what comes back."""
        ordered = command not in protocol.UNORDERED
        request = Request(self.next + ahead if ordered else SESSION, command, window, word, payload)
        self.next += ordered and not ahead
        self.note(text)
        self.lines += _shown("host", request.encode())
        self.line(request.encode())

    def line(self, data: bytes) -> None:
        """Send bytes and write down the replies."""
        self.board.write(data)
        *replies, rest = self.board.read(0).split(b"\0")
        assert not rest
        for reply in replies:
            status = Status(Reply.decode(reply).status).name
            self.lines += _shown("device", reply + b"\0", f"  {status}")


def _shown(who: str, frame: bytes, end: str = "") -> list[str]:
    body = cobs.decode(frame[:-1])
    return [f"{who:7} {' '.join(_wrapped(body.hex(' '), 1 << 20))}{end}", f"{'':5}-> {frame.hex(' ')}"]


def _exchange() -> str:
    session, memory_map = _Session(), SPEC.memory_map
    session.note("the attention sign, without an answer")
    session.lines.append(f"host    {ATTENTION.hex(' ')}")
    session.line(ATTENTION)
    session.send(f"IDENTIFY begins session {SESSION:#06x}", Command.IDENTIFY)
    session.send("READ the first 4 bytes of the description, window 0", Command.READ, payload=b"\x04")
    settle = memory_map.number("settle")
    session.send(f"WRITE the word of window {settle}, `settle`", Command.WRITE, settle, payload=b"\x02\x00")
    skipped = "the same with a number too many: the device has not got the one before"
    session.send(skipped, Command.WRITE, settle, payload=b"\x02\x00", ahead=1)
    session.send("WRITE behind its end", Command.WRITE, settle, 1, b"\x02\x00")
    session.send("DIGEST of one word", Command.DIGEST, settle, payload=b"\x01\0\0")
    seed, start = memory_map.number("seed"), CallHeader(8, 1, 4).pack() + b"\x07"
    session.send("CALL, before the parameters are valid", Command.CALL, seed, payload=start)
    whole = b"".join(session.board.parameter_windows().values())
    session.send("COMMIT by the CRC-32 of all parameters", Command.COMMIT, payload=CRC32.pack(crc32(whole)))
    session.send("CALL with 8 bits of one word of `seed`; 4 bytes of the result", Command.CALL, seed, payload=start)
    session.send("COUNTERS: frames, damaged, overruns", Command.COUNTERS)
    position = session.board.link._replies.position - Reply.OVERHEAD - Counters.STRUCT.size
    session.send("SYNC from the position of that reply on: it comes again, then the state", Command.SYNC, word=position)
    session.send("BAUD at an address, and without a rate", Command.BAUD, 9, 9)
    return "```\n" + "\n".join(session.lines[1:]) + "\n```"


def _description() -> str:
    data = DESCRIPTION
    windows = "\n".join(decode_description(data)["map"])
    shown = "\n".join(data[start : start + 32].hex(" ") for start in range(0, len(data), 32))
    dictionary = description.DICTIONARY
    return (
        f"The dictionary has {len(dictionary):,} bytes and the Adler-32 {zlib.adler32(dictionary):08x}; a stream that "
        f"needs it begins\n`{data[:6].hex(' ')}`. The board of the exchange above has the description, of {len(data)} "
        f"bytes,\n\n```\n{shown}\n```\n\nwhich says of its windows\n\n```\n{windows}\n```"
    )


def _wrapped(text: str, width: int = WIDTH - 4) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)]


# Tests


def test_the_page_says_what_the_declarations_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "write the page anew: python -m tests.test_protocol_page"


def test_every_command_and_status_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in (*Command.__members__, *Status.__members__):
        assert f"| {name} |" in page


def test_the_description_of_the_exchange_is_that_of_its_board() -> None:
    expected = GoldenBoard(SPEC)._description()
    assert decode_description(DESCRIPTION) | {"gateware": expected["gateware"]} == expected


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
