"""The memory map in a device's description: short, complete, and readable for as long as devices live."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

import attractor.cli.felif
from attractor.gateware.boards import Family
from attractor.gateware.inventory import memories_of
from attractor.gateware.packing import pack
from attractor.hdl.link.decoder import DESCRIPTION
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec, Window
from attractor.spec.description import DICTIONARY, described_map, map_described
from attractor.spec.files import load_spec
from attractor.spec.protocol import FrameError, decode_description, encode_description

#: The networks of the demos.
DIGITS = OscillatorSpec(oscillators=75, inputs=65, labels=10, reference=64)
LEARNER = EqPropSpec(layers=(64, 48, 20), state_high=(4, 14), counter_bits=6, lanes=8, learning=True)
CHORALE = load_spec(Path(attractor.cli.felif.__file__).with_name("chorale.safetensors"))
#: Some that have all that their family knows, or are large.
OTHERS = (
    OscillatorSpec(oscillators=506, lanes=64, random_start=True, learning=True, flips=True),
    EqPropSpec(layers=(784, 2048, 300, 100), state_high=(63, 47, 21), lanes=16, learning=True),
    FelifSpec(
        inputs=54,
        layers=(
            FelifLayer(neurons=150, kind="felif_b", recurrent=True),
            FelifLayer(neurons=54, kind="felif_a"),
            FelifLayer(neurons=33, kind="lif", synapse=True, reset="value"),
            FelifLayer(neurons=54, kind="readout"),
        ),
        ticks=77,
    ),
)
SPECS = (DIGITS, LEARNER, CHORALE, *OTHERS)
#: Bytes of the smallest block RAM that there is, behind those of a frame and the identity.
ROOM = 512 - DESCRIPTION


def described(spec: Spec) -> dict[str, object]:
    """Return a description as long as that of any board."""
    build = {"gateware": "0.2.0.dev0", "board": "icebreaker", "clock_hz": 22_125_000, "baud": 1_000_000}
    return {"spec": spec.to_dict(), "map": described_map(spec.memory_map), **build}


def layout(window: Window) -> tuple[object, ...]:
    """Return what a description says of a window."""
    fields = tuple((f.name if not f.unused else "", f.bits, f.signed, f.count) for f in window.record or ())
    return window.name, window.region, window.words, window.word_bits, fields, window.record_is_a_word


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.family)
def test_the_map_comes_back(spec: Spec) -> None:
    found = map_described(described_map(spec.memory_map))
    assert list(map(layout, found.windows)) == list(map(layout, spec.memory_map.windows))
    assert described_map(found) == described_map(spec.memory_map)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.family)
def test_the_description_fits_beside_a_frame(spec: Spec) -> None:
    assert len(encode_description(described(spec))) <= ROOM


@pytest.mark.parametrize("spec", [DIGITS, LEARNER, CHORALE], ids=lambda spec: spec.family)
def test_the_decoder_takes_one_block_ram(spec: Spec) -> None:
    (storage,) = [memory for memory in memories_of(spec) if "decoder" in memory.name]
    assert storage.words <= 512
    assert pack(storage, Family.ICE40).block_rams == 1


def test_the_dictionary_is_that_of_devices_in_the_field() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (2427, 0x60A10F47)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.family)
def test_a_description_names_its_dictionary_and_has_fixed_codes(spec: Spec) -> None:
    data = encode_description(described(spec))
    assert data[1] & 0x20
    assert data[2:6].hex() == "60a10f47"
    assert data[6] & 7 == 3  # the last block, of kind 1


def test_descriptions_of_earlier_devices_are_read() -> None:
    description = {"spec": DIGITS.to_dict(), "board": "icebreaker"}
    assert decode_description(zlib.compress(json.dumps(description).encode(), 9)) == json.loads(json.dumps(description))


def test_a_description_by_another_dictionary_is_refused() -> None:
    compressor = zlib.compressobj(9, zdict=b"another")
    with pytest.raises(FrameError, match="cannot be read"):
        decode_description(compressor.compress(b'{"board": "another"}') + compressor.flush())


@pytest.mark.parametrize(
    "text", ["", "a", "a/x1x1", "a/p0x1", "a/p1x", "a/p1x8 b", "a/p1x8 b:9", "a/p1x8 b:64", "/p1x1"]
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        map_described([text])


def test_random_bytes_are_no_description() -> None:
    rng = np.random.default_rng()
    for _ in range(200):
        with pytest.raises(FrameError):
            decode_description(rng.bytes(80))
