"""The memory map in a device's description, short enough for a device that is short of block RAM.

A description lists its windows in order, from window 1 on, each as a text::

    window  =  name "/" region words "x" bits { " " field }
    region  =  "p" | "i" | "o"                       parameters, input, output
    field   =  ( name | "-" ) ":" bits [ "s" ] [ "*" count ]

``bits`` of a window are those of a word, ``s`` stands for two's complement, and ``-`` for bits that nobody reads.
Fields follow one another, the first in the lowest bits. If together they are as wide as a word, each word has them;
otherwise they lie in all bytes of the window.

The description is JSON, compressed by zlib (RFC 1950) with the preset dictionary :data:`DICTIONARY`, which the stream
names by its Adler-32, in blocks with fixed codes. Streams without a dictionary are read too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attractor.spec.memory_map import MemoryMap, Region, Window
from attractor.spec.records import Field, Record

__all__ = ["DICTIONARY", "described_map", "map_described"]

#: What descriptions have in common. Devices were built with it: it never changes, another one gets another name.
DICTIONARY = (
    b'"neurons_0/p150x91 scale:16 bias:19s threshold:24s leak_scale:8 field_offset:12s coupling:12",'
    b'"leak_0/p32x16 leak:16","field_0/p64x21 field:21","limits_0/p1x47 reset:24s limit:23",'
    b'"weights_1.0/p150x216","recurrent_0.0/p54x64","neurons_1/p54x97 scale:16 bias:17s threshold:16s '
    b'leak_scale:8 field_offset:12s coupling:12 inverse:16","leak_1/p32x16 leak:16","field_1/p17x13 field:13",'
    b'"limits_1/p1x31 reset:16s limit:15","weights_2.0/p54x64","neurons_0/p5x68 scale:16 bias:18s threshold:18s '
    b'decay:16","neurons_2/p2x56 scale:16 bias:24s decay:16","ticks/i1x16 ticks:16","keep/i1x1 keep:1",'
    b'"frames/i32x16 input:1*16","result/o16x8 -:1 aborted:1 -:14 winner:16 ticks:32 spikes:32 cycles:32",'
    b'"outputs/o54x24 output:24s"],"spec":{"family":"felif","input_bits":1,"inputs":54,"lanes":16,'
    b'"layers":[{"kind":"felif_b","neurons":150,"kind":"felif_a","neurons":54,"recurrent":true,"reset":"subtract",'
    b'"scale_bits":16,"scale_shift":3,"state_bits":16,"strict":true,"synapse":true,"kind":"lif","neurons":5,'
    b'"recurrent":false,"reset":"zero","scale_bits":16,"scale_shift":4,"state_bits":18,"strict":false,'
    b'"synapse":false,"weight_bits":4},{"kind":"readout","neurons":54,"recurrent":false,"reset":"zero",'
    b'"scale_bits":16,"scale_shift":4,"state_bits":24,"strict":false,"synapse":false,"weight_bits":4}],'
    b'"ticks":1}}"steps/p1x16 free:8 nudged:8","up.0/p528x56","down.0/p120x8","sample/i14x8 threshold:16*2 '
    b'learn:1 reversed:1 -:6 label:8 bit:1*64","result/o18x8 settled:1 aborted:1 learnt:1 -:13 winner:16 '
    b'free_steps:8 nudged_steps:8 touched:32 flips:32 cycles:32","scores/o10x16 score:16"],"spec":{"classes":10,'
    b'"counter_bits":8,"family":"eqprop","lanes":8,"layers":[64,48,20],"learning":true,"nudge_shift":1,'
    b'"state_high":[4,14]}}{"baud":1000000,"board":"ulx3s-12f","board":"golden model","clock_hz":0,'
    b'"gateware":"unknown","board":"icebreaker","clock_hz":12000000,"gateware":"0.2.0","map":["schedule/p8x64 '
    b'periods:16 noise:16 max_step:8 lock:16 alternate:8","settle/p1x16 settle:16","weights.0/p75x50",'
    b'"weights_0.0/p75x50","seed/i1x63 seed:63","margin/i1x10 margin:10","start/i1x1 start:1","state/i75x8 '
    b'phase:4 -:3 clamp:1","result/o16x8 settled:1 aborted:1 -:14 winner:16 periods:32 last_change:32 cycles:32",'
    b'"spins/o10x1 spin:1","phases/o10x4 phase:4"],"spec":{"family":"oscillator","inputs":65,"labels":10,'
    b'"lanes":10,"learning":false,"lock_phases":2,"oscillators":75,"phase_bits":4,"random_start":true,'
    b'"reference":64,"schedule_entries":8,"weight_bits":5}}'
)
_REGIONS = {"p": Region.PARAMETERS, "i": Region.INPUT, "o": Region.OUTPUT}
_LETTERS = {region: letter for letter, region in _REGIONS.items()}
_UNUSED = "-"
_WINDOW = re.compile(r"([^/ ]+)/([pio])([0-9]{1,8})x([0-9]{1,4})")
_FIELD = re.compile(r"([^: ]+):([0-9]{1,2})(s?)(?:\*([0-9]{1,8}))?")


def described_map(memory_map: MemoryMap) -> list[str]:
    """Return the windows of a memory map as a description lists them; meanings of fields are left out."""
    return [_window_text(window) for window in memory_map.windows]


def map_described(windows: Sequence[str]) -> MemoryMap:
    """Inverse of :func:`described_map`; raise :class:`ValueError` if the texts are no windows."""
    return MemoryMap(tuple(map(_window, windows)))


def _window_text(window: Window) -> str:
    head = f"{window.name}/{_LETTERS[window.region]}{window.words}x{window.word_bits}"
    return " ".join([head, *map(_field_text, window.record or ())])


def _field_text(field: Field) -> str:
    if field.unused:
        return f"{_UNUSED}:{field.bits}"
    return f"{field.name}:{field.bits}{'s' if field.signed else ''}{'' if field.count is None else f'*{field.count}'}"


def _window(text: str) -> Window:
    head, *fields = str(text).split(" ")
    found = _WINDOW.fullmatch(head)
    if found is None:
        raise ValueError(f"{text!r} is no window; one is name/region, words x bits, and fields")
    name, region, words, bits = found.groups()
    record = Record(tuple(_field(field, place) for place, field in enumerate(fields))) if fields else None
    return Window(name, _REGIONS[region], int(words), int(bits), record)


def _field(text: str, place: int) -> Field:
    found = _FIELD.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no field; one is name:bits")
    name, bits, signed, count = found.groups()
    if name == _UNUSED:
        return Field(f"unused_{place}", int(bits), unused=True)
    return Field(name, int(bits), bool(signed), count=None if count is None else int(count))
