from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.hdl.link.words import WindowKind, Words
from attractor.spec import Region, Window

from .dummy import WIDE_WINDOWS, WINDOWS, DummySpec
from .dummy_core import DummyCore
from .streams import simulate

KINDS = {Region.PARAMETERS: WindowKind.PARAMETERS, Region.INPUT: WindowKind.INPUT, Region.OUTPUT: WindowKind.OUTPUT}


@settings(max_examples=3, deadline=None)
@given(windows=st.sampled_from([WINDOWS, WIDE_WINDOWS]), seed=st.integers(0, 999))
def test_words_come_back_as_they_were_written(windows: tuple[Window, ...], seed: int) -> None:
    spec = DummySpec(windows=windows)
    rng = random.Random(seed)
    access, core = Words(spec.memory_map, 50), DummyCore(spec)
    words = access.words
    m = Module()
    m.submodules += access, core
    wiring.connect(m, access.windows, core.bus.windows)
    places = [(number, word) for number, window in enumerate(windows, 1) for word in range(window.words)]
    places = rng.sample(places, min(len(places), 60))
    contents = {(0, word): word for word in range(0, 50, 7)}

    async def drive(ctx: Any) -> None:
        for number, word in places:
            window = windows[number - 1]
            if window.region is Region.OUTPUT:
                continue
            value = rng.getrandbits(window.word_bits)
            ctx.set(words.window, number)
            ctx.set(words.address, word)
            ctx.set(words.shift, 1)
            for place in range(window.word_bits):
                ctx.set(words.bit_in, value >> place & 1)
                await ctx.tick()
            ctx.set(words.shift, 0)
            ctx.set(words.write, 1)
            await ctx.tick()
            ctx.set(words.write, 0)
            contents[number, word] = value
        for (number, word), value in contents.items():
            ctx.set(words.window, number)
            ctx.set(words.address, word)
            ctx.set(words.read, 1)
            await ctx.tick()
            ctx.set(words.read, 0)
            # The description is in another memory, which has the byte now.
            ctx.set(access.description, value if number == 0 else rng.getrandbits(8))
            await ctx.tick()
            ctx.set(access.description, rng.getrandbits(8))
            ctx.set(words.shift, 1)
            found = 0
            for place in range(ctx.get(words.word_bits)):
                found |= ctx.get(words.bit_out) << place
                await ctx.tick()
            ctx.set(words.shift, 0)
            assert found == value, (number, word)

    simulate(m, drive)


def test_windows_and_words_exist_as_in_the_memory_map() -> None:
    spec = DummySpec()
    access = Words(spec.memory_map, 50)
    words = access.words

    async def drive(ctx: Any) -> None:
        for number in range(1 << len(words.window)):
            ctx.set(words.window, number)
            assert ctx.get(words.exists) == (number <= len(WINDOWS))
            if not number:
                assert ctx.get(words.kind) == WindowKind.DESCRIPTION
            if not 1 <= number <= len(WINDOWS):
                continue
            window = WINDOWS[number - 1]
            assert ctx.get(words.kind) == KINDS[window.region]
            assert ctx.get(words.word_bits) == window.word_bits
            for word in range(1 << len(words.address)):
                ctx.set(words.address, word)
                assert ctx.get(words.within) == (word < window.words)

    simulate(access, drive)


def test_read_only_word_is_guarded() -> None:
    access = Words(DummySpec().memory_map, 50)

    async def drive(ctx: Any) -> None:
        ctx.set(access.words.write, 1)
        await ctx.tick()

    with pytest.raises(AssertionError, match="cannot be written"):
        simulate(access, drive)
