"""Spiking networks with ferroelectric or plain neurons: what one is, and how its data are laid out in a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from attractor.spec.base import (
    IntegerArray,
    ParameterSpec,
    Spec,
    SpecError,
    build_field,
    ceil_div,
    check_range,
    fields_from_dict,
)
from attractor.spec.felif.call import RESULT, FelifInput, FelifResult, decoded_result
from attractor.spec.felif.layer import MOST_NEURONS, FelifLayer
from attractor.spec.fields import FieldMemory
from attractor.spec.memory_map import MOST_WORDS, MemoryMap, Region, Window, number_window, record_window
from attractor.spec.records import Field, Record
from attractor.spec.rows import LaneMemory

__all__ = ["FRAME_WORD_BITS", "MOST_LANES", "MOST_LAYERS", "MOST_TICKS", "FelifSpec"]

#: Most layers.
MOST_LAYERS = 8
#: Most lanes of a device.
MOST_LANES = 2048
#: Most ticks of a call.
MOST_TICKS = 65535
#: Most bits of a word of the window ``frames``.
FRAME_WORD_BITS = 16


@dataclass(frozen=True, kw_only=True)
class FelifSpec(Spec):
    """A spiking network of layers in sequence, in integers, that a device runs tick by tick.

    In a tick the layers are worked through in order. The sources of layer 0 are the inputs of this tick, those of
    layer l the spikes of layer l - 1 in *this* tick; a recurrent layer has its own spikes of the tick *before* as
    further sources. :mod:`attractor.spec.felif.layer` defines what a neuron makes of the sum of its weights times
    what their sources sent.

    Parameters
    ----------
    inputs:
        Number of inputs, 1 to 4,096.
    input_bits:
        Width B of an input value, 1 to 8: 1 for spikes, 0 or 1; otherwise real values, folded into integers from
        ``-2**(B-1)`` to ``2**(B-1) - 1``, that multiply the weights.
    layers:
        1 to 8 layers; only the last one can be a read-out.
    ticks:
        Most ticks of a call, 1 to 65,535.
    lanes:
        Neurons of one layer whose sums a clock cycle changes, at most 2,048; 0 stands for as many as possible. A layer
        with fewer neurons has as many lanes as neurons. Results do not depend on it.

    Raises
    ------
    SpecError
        If a value is out of range; the message names it.
    """

    family: ClassVar[str] = "felif"

    inputs: int
    input_bits: int = 1
    layers: tuple[FelifLayer, ...]
    ticks: int = 1
    lanes: int = build_field(0)

    def __post_init__(self) -> None:
        check_range("inputs", self.inputs, 1, MOST_NEURONS)
        check_range("input_bits", self.input_bits, 1, 8)
        self._check_layers()
        check_range("ticks", self.ticks, 1, MOST_TICKS)
        most = min(max(layer.neurons for layer in self.layers), MOST_LANES)
        check_range("lanes", self.lanes, 0, most)
        if self.lanes == 0:
            object.__setattr__(self, "lanes", most)
        if self.ticks * self.frame_words > MOST_WORDS:
            raise SpecError(
                f"ticks is {self.ticks}; the inputs then need {self.ticks * self.frame_words} words, and a window has "
                f"at most {MOST_WORDS}: use fewer"
            )
        for index, layer in enumerate(self.layers):
            words = self.sources(index) * self.groups_of(index)
            if words > MOST_WORDS:
                raise SpecError(
                    f"lanes is {self.lanes}; {layer.neurons} neurons then need {words} rows of weights, and a window "
                    f"has at most {MOST_WORDS}: use more lanes"
                )

    def _check_layers(self) -> None:
        if not isinstance(self.layers, tuple | list):
            raise SpecError(f"layers must be a list of layers, not {self.layers!r}")
        if not 1 <= len(self.layers) <= MOST_LAYERS:
            raise SpecError(f"layers has {len(self.layers)} entries; it must have 1 to {MOST_LAYERS}")
        layers = tuple(_layer(index, layer) for index, layer in enumerate(self.layers))
        for index, layer in enumerate(layers[:-1]):
            if not layer.spikes:
                raise SpecError(f"layers[{index}] is a read-out; only the last layer can be one")
        object.__setattr__(self, "layers", layers)

    # Derived sizes

    @property
    def outputs(self) -> int:
        """Number of neurons of the last layer."""
        return self.layers[-1].neurons

    @property
    def output_bits(self) -> int:
        """Width of an output: a signed voltage of a read-out, or an unsigned count of at most ``ticks`` spikes."""
        last = self.layers[-1]
        return self.ticks.bit_length() if last.spikes else last.state_bits

    def below(self, index: int) -> int:
        """Return the number of sources of layer ``index`` that are inputs or neurons of the layer below."""
        return self.layers[index - 1].neurons if index else self.inputs

    def sources(self, index: int) -> int:
        """Return the number of all sources of layer ``index``; the layer's own neurons follow those below."""
        layer = self.layers[index]
        return self.below(index) + (layer.neurons if layer.recurrent else 0)

    def lanes_of(self, index: int) -> int:
        """Return the lanes of layer ``index``."""
        return min(self.lanes, self.layers[index].neurons)

    def groups_of(self, index: int) -> int:
        """Return the groups of layer ``index``: the clock cycles in which its lanes visit every neuron once."""
        return ceil_div(self.layers[index].neurons, self.lanes_of(index))

    def largest_sum(self, index: int) -> int:
        """Return a bound of the magnitude of a weighted sum of layer ``index``."""
        below = self.below(index) << (0 if index else self.input_bits - 1)
        own = self.sources(index) - self.below(index)
        return (below + own) << self.layers[index].weight_bits - 1

    def sum_bits(self, index: int) -> int:
        """Return the signed width that holds any weighted sum of layer ``index``."""
        return self.largest_sum(index).bit_length() + 1

    @property
    def input_range(self) -> tuple[int, int]:
        """Least and greatest input value."""
        half = 1 << self.input_bits - 1
        return (0, 1) if self.input_bits == 1 else (-half, half - 1)

    @property
    def inputs_per_word(self) -> int:
        """Input values in a word of the window ``frames``."""
        return min(self.inputs, FRAME_WORD_BITS // self.input_bits)

    @property
    def frame_words(self) -> int:
        """Words of the window ``frames`` for one tick."""
        return ceil_div(self.inputs, self.inputs_per_word)

    # Parameters

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        """Of each layer l, its weights, what its neurons have, and its tables.

        ``weights_l[i, j]`` leads from source j to neuron i, shape (neurons, sources). The others are named as in
        :mod:`attractor.spec.felif.layer`, with ``_l`` behind: those of neurons have shape (neurons,), the tables
        ``leak_l`` and ``field_l`` their length, ``reset_l`` and ``limit_l`` of FeLIF layers shape (1,).
        """
        specs = {}
        for index, layer in enumerate(self.layers):
            shape = layer.neurons, self.sources(index)
            weights = ParameterSpec(f"weights_{index}", shape, np.dtype(np.int8), *layer.weight_range)
            specs[weights.name] = weights
            for memory in self.field_memories(index):
                specs |= memory.parameters
        return specs

    # Layout of parameters

    def weight_memory(self, index: int) -> LaneMemory:
        """Return the memory of the weights of layer ``index``."""
        words = self.sources(index) * self.groups_of(index)
        return LaneMemory(f"weights_{index}", words, self.lanes_of(index), self.layers[index].weight_bits)

    def field_memories(self, index: int) -> tuple[FieldMemory, ...]:
        """Return the other memories of layer ``index``: ``neurons_l``, and of FeLIF its tables."""
        layer, suffix = self.layers[index], f"_{index}"
        neurons = FieldMemory(f"neurons{suffix}", layer.neurons, layer.record, suffix)
        tables = (FieldMemory(name + suffix, words, held, suffix) for name, (words, held) in layer.tables.items())
        return (neurons, *tables)

    @property
    def memory_map(self) -> MemoryMap:
        """Windows of the device.

        Of each layer l: ``weights_l.K``, word ``source * groups + group`` holds the weights from a source to the lanes
        of segment K in a group of neurons, lowest lane in the lowest bits; neuron ``group * lanes + lane``.
        ``neurons_l``: a word for each neuron, its fields in the order of :attr:`FelifLayer.record`, the first in the
        lowest bits. Of FeLIF ``leak_l`` and ``field_l``, a word for each entry, and ``limits_l``, one word.

        ``ticks``: one word, how many ticks to run; 0 is read as 1, and more than the spec's ``ticks`` as these.
        ``keep``: one bit. If it is 1, the call goes on from the states in which the last call ended; otherwise, and if
        there was no call since a reset or since any word of a parameter window was written, from the start.
        ``frames``: word ``tick * frame_words + w`` holds inputs ``w * inputs_per_word`` and following of a tick,
        ``input_bits`` each, the first in the lowest bits.

        ``result``: :data:`RESULT`. ``outputs``: a word for each neuron of the last layer, a
        voltage in two's complement, or how often it spiked in this call. An abort ends a call after the tick under
        way.
        """
        windows: list[Window] = []
        for index in range(len(self.layers)):
            windows += self.weight_memory(index).windows
            windows += [memory.window for memory in self.field_memories(index)]
        frame, output = self.frame_record, self.output_record
        windows += [
            number_window("ticks", Region.INPUT, 16, "ticks to run; 0 is read as 1, and more than the most as these"),
            number_window("keep", Region.INPUT, 1, "go on from where the last call ended"),
            Window("frames", Region.INPUT, self.ticks * self.frame_words, frame.bits, frame),
            record_window("result", Region.OUTPUT, RESULT),
            Window("outputs", Region.OUTPUT, self.outputs, output.bits, output),
        ]
        return MemoryMap(tuple(windows))

    @property
    def frame_record(self) -> Record:
        """A word of the window ``frames``."""
        signed, count = self.input_bits > 1, self.inputs_per_word
        return Record((Field("input", self.input_bits, signed, count=count, meaning="input values of a tick"),))

    @property
    def output_record(self) -> Record:
        """A word of the window ``outputs``."""
        last = self.layers[-1]
        meaning = "spikes of a neuron in this call" if last.spikes else "voltage of a neuron"
        return Record((Field("output", self.output_bits, not last.spikes, meaning=meaning),))

    def encode_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, bytes]:
        """Return the bytes of every parameter window; raise :class:`SpecError` if a parameter does not fit."""
        checked = self.check_parameters(parameters)
        windows: dict[str, bytes] = {}
        for index, layer in enumerate(self.layers):
            lanes = self.lanes_of(index)
            rows = np.zeros((self.sources(index), self.groups_of(index) * lanes), np.int8)
            rows[:, : layer.neurons] = checked[f"weights_{index}"].T
            windows |= self.weight_memory(index).encode(rows.reshape(-1, lanes))
            for memory in self.field_memories(index):
                windows |= memory.encode(checked)
        return windows

    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        """Inverse of :meth:`encode_parameters`."""
        parameters: dict[str, IntegerArray] = {}
        for index, layer in enumerate(self.layers):
            rows = self.weight_memory(index).decode_signed(windows).reshape(self.sources(index), -1)
            parameters[f"weights_{index}"] = rows[:, : layer.neurons].T.astype(np.int8, order="C")
            for memory in self.field_memories(index):
                parameters |= memory.decode(windows)
        return parameters

    # Inputs and outputs

    def check_frames(self, frames: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return input values, shape (..., inputs), as int64; raise :class:`SpecError` with the culprit."""
        array = np.asarray(frames)
        if array.ndim == 0 or array.shape[-1] != self.inputs:
            raise SpecError(
                f"input values have shape {array.shape}; the last axis must have {self.inputs} entries, "
                "one for each input"
            )
        if array.dtype != bool and not np.issubdtype(array.dtype, np.integer):
            raise SpecError(f"input values have type {array.dtype}; they are integers, so round them first")
        low, high = self.input_range
        outside = (array < low) | (array > high)
        if outside.any():
            value = array[tuple(np.argwhere(outside)[0])]
            raise SpecError(f"an input value is {value}; it must lie between {low} and {high}")
        return array.astype(np.int64)

    def encode_input(self, frames: npt.ArrayLike, *, keep: bool = False) -> bytes:
        """Return the input region for one call.

        Parameters
        ----------
        frames:
            Input values of the ticks to run, shape (ticks, inputs), with 1 to ``ticks`` ticks.
        keep:
            Go on from where the last call ended.
        """
        values = self.check_frames(frames)
        if values.ndim != 2 or not 1 <= len(values) <= self.ticks:
            raise SpecError(
                f"input values have shape {values.shape}; a call takes those of 1 to {self.ticks} ticks, "
                f"shape (ticks, {self.inputs})"
            )
        padded = np.zeros((self.ticks, self.frame_words * self.inputs_per_word), np.int64)
        padded[: len(values), : self.inputs] = values
        words = self.ticks * self.frame_words
        frames = self.frame_record.encode_words({"input": padded.reshape(words, -1)}, words)
        contents = {"ticks": len(values).to_bytes(2, "little"), "keep": bytes([keep]), "frames": frames.tobytes()}
        return self.memory_map.join(Region.INPUT, contents)

    def decode_input(self, data: bytes) -> FelifInput:
        """Return what an input region says, as a device reads it: unused bits are ignored."""
        windows = self.memory_map.split(Region.INPUT, data)
        ticks = min(max(int.from_bytes(windows["ticks"], "little"), 1), self.ticks)
        values = self.frame_record.decode_words(windows["frames"], self.ticks * self.frame_words)["input"]
        frames = values.reshape(self.ticks, -1)[:ticks, : self.inputs]
        return FelifInput(frames, bool(windows["keep"][0] & 1))

    def encode_output(self, result: FelifResult) -> bytes:
        """Return the output region."""
        outputs = self.output_record.encode_words({"output": result.outputs}, self.outputs)
        return result.encode_numbers() + outputs.tobytes()

    def decode_output(self, data: bytes) -> FelifResult:
        """Inverse of :meth:`encode_output`."""
        windows = self.memory_map.split(Region.OUTPUT, data)
        outputs = self.output_record.decode_words(windows["outputs"], self.outputs)["output"]
        return decoded_result(windows["result"], outputs)

    @property
    def winners(self) -> int:
        """Number of neurons of the last layer."""
        return self.outputs

    def check_result(self, result: FelifResult) -> None:
        """Raise :class:`SpecError` if no device of this network can report this result."""
        self.check_winner(result.winner)
        neurons = sum(layer.neurons for layer in self.layers)
        check_range("the number of ticks", result.ticks, 0, self.ticks)
        check_range("the number of spikes", result.spikes, 0, self.ticks * neurons)
        if self.layers[-1].spikes:
            check_range("the greatest number of spikes of a neuron", int(result.outputs.max()), 0, self.ticks)


def _layer(index: int, layer: Any) -> FelifLayer:
    """Return a layer, which in JSON is an object with the fields of :class:`FelifLayer`."""
    if isinstance(layer, FelifLayer):
        return layer
    if not isinstance(layer, Mapping):
        raise SpecError(f"layers[{index}] must be a layer, not {layer!r}")
    arguments = fields_from_dict(FelifLayer, layer, f"layers[{index}]")
    try:
        return FelifLayer(**arguments)
    except SpecError as error:
        raise SpecError(f"layers[{index}]: {error}") from error
