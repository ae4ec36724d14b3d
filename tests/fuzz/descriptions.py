"""Descriptions that no device has."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from .boards import NETWORKS, Mode, Random
from .mutations import changed_json

__all__ = ["DESCRIPTIONS"]


def _packed(value: Any) -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode(errors="surrogatepass")
    return zlib.compress(text, 9)


def _with(**changes: Any) -> Mode:
    return Mode(lambda good, _: _packed(good | changes))


def _without(*names: str) -> Mode:
    return Mode(lambda good, _: _packed({name: value for name, value in good.items() if name not in names}))


def _raw(text: bytes) -> Mode:
    return Mode(lambda *_: _packed(text))


def _described(make: Callable[[dict[str, Any], Random], Any]) -> Mode:
    return Mode(lambda good, rng: _packed(make(good, rng)))


def _infinite(good: dict[str, Any]) -> bytes:
    return json.dumps(good).replace('"clock_hz": 0', '"clock_hz": 1e999').encode()


@cache
def _bomb(start: bytes, part: bytes, end: bytes) -> bytes:
    """Return many megabytes, packed, that begin and end so."""
    engine = zlib.compressobj(9)
    parts = [engine.compress(start)] + [engine.compress(part * (1 << 16)) for _ in range(600)]
    return b"".join([*parts, engine.compress(end), engine.flush()])


def _other_spec(good: dict[str, Any], rng: Random) -> Any:
    return good | {"spec": rng.choice([spec.to_dict() for spec in NETWORKS])}


def _huge_spec(good: dict[str, Any], rng: Random) -> Any:
    layers = [4096] * rng.choice((3, 300, 10_000))
    return good | {"spec": {"family": "eqprop", "layers": layers, "classes": 2, "state_high": 1, "lanes": 1}}


DESCRIPTIONS = {
    "zlib bomb": Mode(lambda *_: _bomb(b"[", b"0,", b"0]")),
    "zlib bomb of an object": Mode(lambda *_: _bomb(b'{"board":"', b"x", b'"}')),
    "packed text of spaces": Mode(lambda *_: _bomb(b" ", b" ", b"{}")),
    "many values": _raw(b'{"a":[' + b"[]," * 300_000 + b"0]}"),
    "deep lists": _raw(b'{"board":' + b"[" * 400_000 + b"]" * 400_000 + b"}"),
    "deep objects": _raw(b'{"a":' * 3000 + b"1" + b"}" * 3000),
    "no JSON": _raw(b"{"),
    "no UTF-8": _raw(b"\xff\xfe{}"),
    "a list": _raw(b"[1, 2]"),
    "an integer of 100,000 digits": _raw(b'{"clock_hz":' + b"9" * 100_000 + b"}"),
    "numbers that are none": _raw(b'{"clock_hz": NaN, "baud": -Infinity}'),
    "not packed": Mode(lambda good, _: json.dumps(good).encode()),
    "packed and cut off": Mode(lambda good, rng: _packed(good)[: rng.randrange(60)]),
    "random bytes": Mode(lambda _, rng: rng.randbytes(rng.randrange(1, 500))),
    "no spec": _without("spec"),
    "spec is text": _with(spec="oscillator"),
    "spec of no family": _with(spec={"family": "crystal", "\x1b[2J": 1}),
    "spec of another network": _described(_other_spec),
    "spec of a huge network": _described(_huge_spec),
    "no board": _without("board"),
    "nothing but a spec": _without("board", "clock_hz", "baud", "gateware"),
    "board is a list": _with(board=[["x"] * 100] * 20),
    "board with terminal escapes": _with(board="\x1b]0;owned\x07\x1b[31mred\nline\r\u202e"),
    "board is very long": _with(board="x" * 900_000),
    "gateware is an object": _with(gateware={"a": 1}),
    "gateware with escapes": _with(gateware="1\x1b[2J\0"),
    "clock is text": _with(clock_hz="fast"),
    "clock is negative": _with(clock_hz=-5),
    "clock is infinite": Mode(lambda good, _: _packed(_infinite(good))),
    "rate is a truth": _with(baud=True),
    "rate is huge": _with(baud=10**30),
    "names with escapes": _with(**{"\x1b[31m": "\x1b[0m", "\ud800": "\udfff"}),
    "any change of the description": _described(changed_json),
    "any change of the spec": _described(lambda good, rng: good | {"spec": changed_json(good["spec"], rng)}),
}
