"""Binary Equilibrium Propagation arrays: what one is, and how its data are laid out in a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from attractor.spec.base import (
    IntegerArray,
    Parameters,
    ParameterSpec,
    Spec,
    SpecError,
    build_field,
    ceil_div,
    check_range,
)
from attractor.spec.eqprop.call import (
    RESULT,
    SCORE,
    STEP_COLUMNS,
    STEPS,
    EqPropInput,
    EqPropResult,
    decoded_result,
    sample_record,
)
from attractor.spec.memory_map import MOST_WORDS, MemoryMap, Region, Window, record_window
from attractor.spec.records import Record
from attractor.spec.rows import LaneMemory

__all__ = ["MOST_INPUTS", "MOST_LANES", "MOST_NEURONS", "MOST_SCORE", "EqPropSpec"]

#: Most lanes of a device.
MOST_LANES = 2048
#: Most inputs, and most neurons of any other layer.
MOST_INPUTS, MOST_NEURONS = 16384, 4096
#: Greatest score that a device reports.
MOST_SCORE = 0xFFFF
_ALL = slice(None)


@dataclass(frozen=True, kw_only=True)
class EqPropSpec(Spec):
    """A layered network of binary neurons with weights of -1 and +1 that settles, and learns from two settlings.

    Layer 0 is the clamped input, layer L the output. Connection c joins layer c below and layer c + 1 above; from
    connection 1 on it acts both ways. A neuron has an integer state from 0 to the layer's ``state_high`` M and sends
    the bit ``2 state >= M``. Integer variant of the rules that accompany Laydevant, Ernoult, Querlioz and Grollier
    (arXiv 2103.08953), as read in their public code.

    Parameters
    ----------
    layers:
        Sizes from the input, 1 to 16,384, to the output; the others 1 to 4,096; at least one layer between.
    classes:
        Classes that the output tells apart, 2 to 256. Each has the same number of outputs in a row, its replicas.
    state_high:
        Greatest state, 1 to 255: one number for all layers but the input, or one for each.
    nudge_shift:
        The nudge pulls an output by ``2**nudge_shift`` times its distance from the target, 0 to 4.
    counter_bits:
        Width of the signed counter behind each weight that learns, 2 to 12.
    lanes:
        Neurons of one layer that are updated in one clock cycle, at most 2,048; 0 stands for as many as possible.
    learning:
        The device can change its weights by itself.

    Raises
    ------
    SpecError
        If a value is out of range; the message names it.
    """

    family: ClassVar[str] = "eqprop"

    layers: tuple[int, ...]
    classes: int = 10
    state_high: tuple[int, ...] | int
    nudge_shift: int = 1
    counter_bits: int = 8
    lanes: int = build_field(0)
    learning: bool = False

    def __post_init__(self) -> None:
        self._check_layers()
        check_range("classes", self.classes, 2, 256)
        if self.layers[-1] % self.classes:
            raise SpecError(
                f"layers ends in {self.layers[-1]} outputs; it must be a multiple of {self.classes} classes"
            )
        self._check_states()
        check_range("nudge_shift", self.nudge_shift, 0, 4)
        check_range("counter_bits", self.counter_bits, 2, 12)
        most = min(max(self.layers[1:]), MOST_LANES)
        check_range("lanes", self.lanes, 0, most)
        if self.lanes == 0:
            object.__setattr__(self, "lanes", most)
        words = max(self.up_base(self.connections), self.down_base(self.connections))
        if words > MOST_WORDS:
            raise SpecError(
                f"lanes is {self.lanes}; these layers then need {words} rows of weights, and a window has at most "
                f"{MOST_WORDS}: use more lanes"
            )

    def _check_layers(self) -> None:
        if not isinstance(self.layers, tuple | list):
            raise SpecError(f"layers must be the sizes of all layers, not {self.layers!r}")
        if len(self.layers) < 3:
            raise SpecError(f"layers has {len(self.layers)} entries; it needs input, output and a layer between")
        for index, size in enumerate(self.layers):
            check_range(f"layers[{index}]", size, 1, MOST_NEURONS if index else MOST_INPUTS)
        object.__setattr__(self, "layers", tuple(self.layers))

    def _check_states(self) -> None:
        given = self.state_high
        highs = tuple(given) if isinstance(given, tuple | list) else (given,) * self.connections
        if len(highs) != self.connections:
            raise SpecError(
                f"state_high has {len(highs)} entries; {self.connections} layers have states, the input has none"
            )
        for index, high in enumerate(highs):
            check_range(f"state_high[{index}]", high, 1, 255)
        object.__setattr__(self, "state_high", highs)
        if self.replicas * highs[-1] > MOST_SCORE:
            raise SpecError(
                f"state_high ends in {highs[-1]}; a score of {self.replicas} replicas then reaches "
                f"{self.replicas * highs[-1]}, more than {MOST_SCORE}: use fewer outputs or a smaller state"
            )

    # Derived sizes

    @property
    def connections(self) -> int:
        """Number of connections L; also that of the layers with neurons, and the index of the output layer."""
        return len(self.layers) - 1

    @property
    def targets(self) -> int:
        """Number of neurons: all layers but the input."""
        return sum(self.layers[1:])

    @property
    def neurons(self) -> tuple[slice, ...]:
        """Neurons of layers 1 to L, numbered through all of them."""
        starts = [sum(self.layers[1:layer]) for layer in range(1, self.connections + 2)]
        return tuple(slice(start, end) for start, end in pairwise(starts))

    @property
    def replicas(self) -> int:
        """Outputs of each class; those of class k are outputs ``k * replicas`` to ``(k + 1) * replicas - 1``."""
        return self.layers[-1] // self.classes

    @property
    def state_highs(self) -> tuple[int, ...]:
        """Greatest state of each layer from layer 1 on."""
        assert isinstance(self.state_high, tuple)
        return self.state_high

    def high_of(self, layer: int) -> int:
        """Return the greatest state of ``layer``, 1 to L."""
        return self.state_highs[layer - 1]

    @property
    def state_bits(self) -> int:
        """Width that holds any state."""
        return max(self.state_highs).bit_length()

    def groups_of(self, layer: int) -> int:
        """Return the groups of ``layer``, 1 to L: the clock cycles in which the lanes visit its neurons once."""
        return ceil_div(self.layers[layer], self.lanes)

    def first_group(self, layer: int) -> int:
        """Return the groups of all layers below ``layer``, 1 to L + 1."""
        return sum(self.groups_of(below) for below in range(1, layer))

    @property
    def groups(self) -> int:
        """Clock cycles in which the lanes visit every neuron once."""
        return self.first_group(self.connections + 1)

    @property
    def largest_sum(self) -> int:
        """Greatest magnitude of a weighted sum; the nudge comes on top."""
        above = (*self.layers[2:], 0)
        return max(low + high for low, high in zip(self.layers[:-1], above, strict=True))

    @property
    def sum_bits(self) -> int:
        """Signed width that holds any weighted sum; the nudge comes on top."""
        return self.largest_sum.bit_length() + 1

    @property
    def counter_high(self) -> int:
        """Greatest magnitude of a counter."""
        return (1 << (self.counter_bits - 1)) - 1

    @property
    def sample_record(self) -> Record:
        """The window ``sample``."""
        return sample_record(self.layers[0], self.connections, learning=self.learning)

    @property
    def header_bytes(self) -> int:
        """Bytes of a sample before its bits."""
        return self.sample_record.start("bit") // 8

    # Parameters

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        """``weights_c[i, j]`` is -1 or +1 and joins neuron j of layer c to neuron i of layer c + 1.

        ``counters_c``, of the same shape and only with ``learning``, says how much speaks for +1. ``steps`` has the
        columns :data:`STEP_COLUMNS`.
        """
        specs = {}
        for connection in range(self.connections):
            shape = (self.layers[connection + 1], self.layers[connection])
            name, limit = f"weights_{connection}", self.counter_high
            specs[name] = ParameterSpec(name, shape, np.dtype(np.int8), -1, 1, nonzero=True)
            if self.learning:
                name = f"counters_{connection}"
                specs[name] = ParameterSpec(name, shape, np.dtype(np.int16), -limit, limit)
        specs["steps"] = ParameterSpec("steps", (2,), np.dtype(np.uint8), 1, 255, STEP_COLUMNS)
        return specs

    # Layout of parameters

    def up_base(self, connection: int) -> int:
        """Return the first word of ``connection``, 0 to L - 1, in the memory ``up``; of L, the number of its words."""
        return sum(self.layers[below] * self.groups_of(below + 1) for below in range(connection))

    def down_base(self, connection: int) -> int:
        """Return the first word of ``connection``, 1 to L - 1, in ``down``; of L, the number of its words."""
        return sum(self.layers[below + 1] * self.groups_of(below) for below in range(1, connection))

    @property
    def up_memory(self) -> LaneMemory:
        """Weights and counters by the neuron below."""
        lane_bits = 1 + self.counter_bits if self.learning else 1
        return LaneMemory("up", self.up_base(self.connections), self.lanes, lane_bits)

    @property
    def down_memory(self) -> LaneMemory:
        """Weights of connections that act both ways, by the neuron above."""
        return LaneMemory("down", self.down_base(self.connections), self.lanes, 1)

    @property
    def memory_map(self) -> MemoryMap:
        """Windows of the device.

        ``steps``: one word, :data:`STEPS`.
        ``up.K``: word ``up_base(c) + j * groups_of(c + 1) + g`` holds what leads from neuron j of layer c to the lanes
        of segment K in group g of layer c + 1, lowest lane in the lowest bits: a bit that is 1 where the weight is -1,
        and with ``learning`` the counter above it, two's complement. Neuron ``g * lanes + lane`` has lane ``lane``.
        ``down.K``: word ``down_base(c) + i * groups_of(c) + g`` holds the same weights of connection c >= 1, from
        neuron i of layer c + 1 to the lanes in group g of layer c, one bit each.
        ``sample``: :attr:`sample_record`. ``result``: :data:`RESULT`. ``scores``: a word for each class.
        """
        return MemoryMap(
            (
                Window("steps", Region.PARAMETERS, 1, STEPS.bits, STEPS),
                *self.up_memory.windows,
                *self.down_memory.windows,
                record_window("sample", Region.INPUT, self.sample_record),
                record_window("result", Region.OUTPUT, RESULT),
                Window("scores", Region.OUTPUT, self.classes, SCORE.bits, SCORE),
            )
        )

    def encode_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, bytes]:
        """Return the bytes of every parameter window; raise :class:`SpecError` if a parameter does not fit."""
        checked = self.check_parameters(parameters)
        ups, downs = [], []
        for connection in range(self.connections):
            bits = _lane_bits(checked, connection)
            ups.append(self._rows(bits.T, self.groups_of(connection + 1)))
            if connection:
                downs.append(self._rows(bits, self.groups_of(connection)))
        up, down = self.up_memory.encode(np.concatenate(ups)), self.down_memory.encode(np.concatenate(downs))
        return {"steps": checked["steps"].tobytes()} | up | down

    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        """Inverse of :meth:`encode_parameters`; weights are those of ``up``."""
        rows = self.up_memory.decode_signed(windows)
        parameters: dict[str, IntegerArray] = {}
        for connection in range(self.connections):
            below, above = self.layers[connection : connection + 2]
            part = rows[self.up_base(connection) : self.up_base(connection + 1)]
            bits = part.reshape(below, -1)[:, :above].T
            parameters[f"weights_{connection}"] = np.where(bits & 1, np.int8(-1), np.int8(1))
            if self.learning:
                parameters[f"counters_{connection}"] = np.ascontiguousarray(bits >> 1)
        parameters["steps"] = np.frombuffer(windows["steps"], np.uint8)
        return parameters

    def encode_changes(self, windows: Mapping[str, bytes], before: Parameters, after: Parameters) -> dict[str, bytes]:
        """Return what parameter windows hold once a device has changed its parameters by itself.

        As :meth:`Spec.encode_changes`, in a time that goes with the number of rows that changed.
        """
        result = dict(windows)
        for connection in range(self.connections):
            names = [f"{kind}_{connection}" for kind in ("weights", "counters")[: 1 + self.learning]]
            touched = np.any([(before[name] != after[name]).any(axis=0) for name in names], axis=0)
            sources = np.flatnonzero(touched)
            if not sources.size:
                continue
            groups, base = self.groups_of(connection + 1), self.up_base(connection)
            changes = _lane_bits(before, connection, sources) ^ _lane_bits(after, connection, sources)
            rows = self._rows(changes.T, groups)
            result |= self.up_memory.invert(result, _words(base, sources, groups), rows)
            flipped = np.flatnonzero((changes & 1).any(axis=1))
            if connection and flipped.size:
                groups, base = self.groups_of(connection), self.down_base(connection)
                flips = np.zeros((len(flipped), self.layers[connection]), np.int16)
                flips[:, sources] = changes[flipped] & 1
                rows = self._rows(flips, groups)
                result |= self.down_memory.invert(result, _words(base, flipped, groups), rows)
        return result

    def _rows(self, values: npt.NDArray[np.int16], groups: int) -> npt.NDArray[np.int16]:
        """Return values of shape (sources, neurons) as words of lanes, shape (sources * groups, lanes)."""
        rows = np.zeros((len(values), groups * self.lanes), np.int16)
        rows[:, : values.shape[1]] = values
        return rows.reshape(-1, self.lanes)

    # Inputs

    def check_bits(self, bits: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return input bits, shape (..., inputs), as uint8; raise :class:`SpecError` with the culprit."""
        array = np.asarray(bits)
        if array.ndim == 0 or array.shape[-1] != self.layers[0]:
            raise SpecError(
                f"input bits have shape {array.shape}; the last axis must have {self.layers[0]} entries, "
                "one for each input"
            )
        wrong = (array != 0) & (array != 1)
        if wrong.any():
            raise SpecError(f"an input bit is {array[tuple(np.argwhere(wrong)[0])]}; it must be 0 or 1")
        return array.astype(np.uint8)

    def check_thresholds(self, thresholds: npt.ArrayLike) -> IntegerArray:
        """Return the thresholds of all connections, shape (connections,); raise :class:`SpecError` with the culprit.

        They lie between 0 and ``2**counter_bits - 1``. One above :attr:`counter_high` lets no weight flip.
        """
        high = (1 << self.counter_bits) - 1
        return ParameterSpec("thresholds", (self.connections,), np.dtype(np.int64), 0, high).check(thresholds)

    def encode_input(
        self,
        bits: npt.ArrayLike,
        *,
        sigma: int = 0,
        label: int = 0,
        thresholds: npt.ArrayLike | None = None,
    ) -> bytes:
        """Return the input region for one call.

        It is a :attr:`sample_record`.

        Parameters
        ----------
        bits:
            0 or 1, shape (inputs,).
        sigma:
            0 to classify; otherwise learn, nudged toward the label (1) or away from it (-1). Only where the spec has
            ``learning``.
        label:
            Class of the sample, 0 to 255; one that is no class nudges all outputs toward 0.
        thresholds:
            Count against a weight at which it flips, for each connection; see :meth:`check_thresholds`. Needed
            to learn.
        """
        sample = self.check_bits(bits)
        if sample.ndim != 1:
            raise SpecError(f"input bits have shape {np.shape(bits)}; a call takes those of one sample")
        check_range("sigma", sigma, -1, 1)
        if not self.learning:
            if sigma:
                raise SpecError(f"sigma is {sigma}, but this network cannot learn: it needs a spec with learning")
            return self.sample_record.encode({"bit": sample})
        check_range("label", label, 0, 255)
        if thresholds is None:
            if sigma:
                raise SpecError(f"sigma is {sigma}, but there are no thresholds; give one for each connection")
            thresholds = np.zeros(self.connections, np.int64)
        header = {"learn": bool(sigma), "reversed": sigma < 0, "label": label}
        return self.sample_record.encode({**header, "threshold": self.check_thresholds(thresholds), "bit": sample})

    def decode_input(self, data: bytes) -> EqPropInput:
        """Return what an input region says, as a device reads it: unused bits are ignored."""
        values = self.sample_record.decode(data)
        bits = values["bit"].astype(np.uint8)
        if not self.learning:
            return EqPropInput(bits, 0, 0, np.zeros(self.connections, np.int64))
        sigma = (-1 if values["reversed"] else 1) if values["learn"] else 0
        return EqPropInput(bits, sigma, values["label"], values["threshold"] & ((1 << self.counter_bits) - 1))

    # Outputs

    def encode_output(self, result: EqPropResult) -> bytes:
        """Return the output region."""
        return result.encode()

    def decode_output(self, data: bytes) -> EqPropResult:
        """Inverse of :meth:`encode_output`."""
        return decoded_result(data)

    @property
    def winners(self) -> int:
        """Number of classes."""
        return self.classes

    def check_result(self, result: EqPropResult) -> None:
        """Raise :class:`SpecError` if no device of this network can report this result."""
        self.check_winner(result.winner)
        weights = sum(below * above for below, above in pairwise(self.layers))
        check_range("the number of touched counters", result.touched, 0, weights)
        check_range("the number of flipped weights", result.flips, 0, weights)
        check_range("the greatest score", int(result.scores.max()), 0, self.replicas * self.state_highs[-1])


def _lane_bits(
    parameters: Parameters, connection: int, sources: npt.NDArray[np.intp] | slice = _ALL
) -> npt.NDArray[np.int16]:
    """Return what a lane holds for each weight from some neurons below, shape (neurons above, sources)."""
    negative = (parameters[f"weights_{connection}"][:, sources] < 0).astype(np.int16)
    counters = parameters.get(f"counters_{connection}")
    return negative if counters is None else counters[:, sources].astype(np.int16) << 1 | negative


def _words(base: int, sources: npt.NDArray[np.intp], groups: int) -> npt.NDArray[np.intp]:
    """Return the numbers of the words of some sources."""
    return (base + sources[:, None] * groups + np.arange(groups)).ravel()
