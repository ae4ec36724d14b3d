"""Damage: what lines, disks and people do to bytes and to text, and what an attacker would."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

__all__ = ["changed_json", "damaged", "damaged_text"]

Random = random.Random
#: Integers at the ends of what fields hold.
_ENDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
#: What stands where a number or a name was.
_WORDS = (
    *("", "-1", "0", "1", "2", "3.5", "-0", "1e999", "-1e308", "NaN", "Infinity", "0x10", "1_0", "\u0661"),
    *(str(1 << 16), str(1 << 32), str(1 << 64), "9" * 39, "9" * 400, "9" * 5000, "0." + "1" * 400),
    *("null", "true", "[]", "{}", '"x"', '"\\ud800"', "[" * 40, "[" * 100_000, '{"a":' * 500, "\x1b[31m", "\0", "#"),
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\"[^\"]*\"|[A-Za-z_]+")


def damaged(data: bytes, rng: Random) -> bytes:
    """Return bytes with one to four kinds of damage."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_BYTES)(found, rng)
    return bytes(found)


def damaged_text(data: bytes, rng: Random) -> bytes:
    """Return text with words replaced, or damaged as bytes are."""
    if rng.random() < 0.3:
        return damaged(data, rng)
    text = data.decode(errors="replace")
    for _ in range(rng.choice((1, 1, 2, 5))):
        words = list(_NUMBER.finditer(text))
        if words:
            word = rng.choice(words)
            text = text[: word.start()] + rng.choice(_WORDS) + text[word.end() :]
    if rng.random() < 0.1:
        lines = text.splitlines()
        rng.shuffle(lines)
        text = "\n".join(lines)
    return text.encode(errors="surrogatepass")


def changed_json(value: Any, rng: Random) -> Any:
    """Return a JSON document with one value changed, moved, or left out; ``value`` itself stays as it was."""
    copy = json.loads(json.dumps(value))
    places = list(_places(copy))
    if not places:
        return rng.choice(_values(rng))
    holder, key = rng.choice(places)
    action = rng.random()
    if action < 0.15:
        del holder[key]
    elif action < 0.25 and isinstance(holder, dict):
        holder[rng.choice(("extra", "\x1b[2J", "kind", "type", "layers"))] = rng.choice(_values(rng))
    elif action < 0.35:
        other, name = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[name]))
    else:
        holder[key] = rng.choice(_values(rng))
    return copy


def _values(rng: Random) -> list[Any]:
    deep: Any = 0
    for _ in range(rng.choice((10, 60, 100, 900))):
        deep = [deep]
    return [
        *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 4096, 1 << 16, 1 << 31, 1 << 63, 1 << 64, 10**39, 10**60),
        *(0.5, -1e308, 1e-300, "", "x", "auto", "zero", "\x1b[31mred", "\ud800", "x" * 3000, "../../x", "/etc/passwd"),
        *([], {}, [[]], [0], [1, 2, 3], ["a", "b"], [0] * 5000, {"kind": "classes"}, {"a": {"b": 1}}, deep),
    ]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every holder and key in a document."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            found += [(holder, key) for key in keys]
            waiting += [holder[key] for key in keys]
    return found


def _flip(data: bytearray, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(data: bytearray, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 3, 16))):
        if data:
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(data: bytearray, rng: Random) -> None:
    size = rng.choice((1, 2, 4, 8))
    if len(data) >= size:
        start = rng.randrange(min(len(data) - size + 1, rng.choice((64, 512, 1 << 30))))
        value = (rng.choice(_ENDS) + rng.choice((-1, 0, 1))) % (1 << 8 * size)
        data[start : start + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _cut(data: bytearray, rng: Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _delete(data: bytearray, rng: Random) -> None:
    start, count = rng.randrange(len(data) + 1), rng.choice((1, 2, 8, 100))
    del data[start : start + count]


def _insert(data: bytearray, rng: Random) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice((1, 2, 8, 300)))


def _double(data: bytearray, rng: Random) -> None:
    start, count = rng.randrange(len(data) + 1), rng.choice((1, 4, 30, 1000))
    data[start:start] = data[start : start + count] * rng.choice((1, 1, 20))


def _move(data: bytearray, rng: Random) -> None:
    start, count = rng.randrange(len(data) + 1), rng.choice((1, 4, 30, 200))
    part = data[start : start + count]
    del data[start : start + count]
    place = rng.randrange(len(data) + 1)
    data[place:place] = part


def _zeros(data: bytearray, rng: Random) -> None:
    start, count = rng.randrange(len(data) + 1), rng.choice((1, 8, 100, 1000))
    data[start : start + count] = bytes([rng.choice((0, 0xFF))]) * len(data[start : start + count])


def _word(data: bytearray, rng: Random) -> None:
    start = rng.randrange(len(data) + 1)
    data[start : start + rng.choice((0, 1, 4))] = rng.choice(_WORDS).encode(errors="replace")


_BYTES: tuple[Callable[[bytearray, Random], None], ...] = (
    *(_flip, _flip, _set, _number, _number, _cut, _delete, _insert, _double, _move, _zeros, _word),
)
