"""Digital-phase oscillator networks: what one is, and how its data are laid out in a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from attractor.spec.base import (
    IntegerArray,
    Parameters,
    ParameterSpec,
    Spec,
    SpecError,
    added_field,
    build_field,
    ceil_div,
    check_range,
)
from attractor.spec.memory_map import MOST_WORDS, MemoryMap, Region, Window, number_window, record_window
from attractor.spec.oscillator.call import (
    FLIP_SHARES,
    RESULT,
    SCHEDULE_COLUMNS,
    SEED_BITS,
    OscillatorInput,
    OscillatorResult,
    decoded_result,
    schedule_entry,
    signs,
    state_record,
)
from attractor.spec.packing import packed_bytes
from attractor.spec.records import Field, Record
from attractor.spec.rows import LaneMemory

__all__ = ["MOST_LANES", "MOST_WEIGHT_BITS", "OscillatorSpec"]

#: Widest weights: sums of 4,096 of them are exact in single precision, and fields stay within 26 bits.
MOST_WEIGHT_BITS = 12
#: Most lanes: so many have each a random bit of their own.
MOST_LANES = 2048


@dataclass(frozen=True, kw_only=True)
class OscillatorSpec(Spec):
    """A network of digital oscillators, coupled all to all.

    Oscillators are numbered from 0. The first ``inputs`` of them are clamped by nature: they act on the others and
    are never acted on, so they cost a weight row but no lane. The rest are *free* and are called targets where
    they are counted from 0. The last ``labels`` of the free ones are the labels of a classifier.

    Parameters
    ----------
    oscillators:
        Number of all oscillators, 2 to 4096.
    inputs:
        Number of oscillators clamped by nature.
    labels:
        Number of label oscillators; 0 for a network that does not classify.
    reference:
        Index of the oscillator against which phases are read.
    weight_bits:
        Width of a signed coupling weight, 2 to 12.
    phase_bits:
        Width of a phase, 3 to 6; a period has ``2**phase_bits`` slots.
    lanes:
        Free oscillators that are updated in one clock cycle, at most 2,048; 0 stands for as many as possible. Results
        do not depend on it unless a schedule has noise: that is drawn lane by lane, so another folding gives an
        oscillator other random bits of the same seed. A golden model that is to equal a device then needs the device's
        own spec.
    schedule_entries:
        Length of the schedule table, 1 to 64.
    lock_phases:
        Number of equidistant phases to which the harmonic lock pulls, 2 to 8 and at most half a period; 2 for Ising
        problems, as many as there are colours for Potts problems.
    learning:
        The device can change its weights by itself.
    random_start:
        The device can draw start phases itself, from the seed of a call, and reports spins beside phases: a call then
        needs nothing but its seed. The generator of the noise passes over its first :data:`MIXING_WORDS` words; each
        target that is not clamped then takes the highest ``phase_bits`` bits of a word of its own, the first target
        the first. The noise goes on with the words that follow. So start phases do not depend on the lanes.
    flips:
        Entries of the schedule can let targets flip, between slot 0 and half a period, instead of moving step by step:
        the rule of annealing, see :attr:`parameters`.

    Raises
    ------
    SpecError
        If a value is out of range; the message names it.
    """

    family: ClassVar[str] = "oscillator"
    #: Most oscillators, and most lanes.
    most_oscillators: ClassVar[int] = 4096
    most_lanes: ClassVar[int] = MOST_LANES

    oscillators: int
    inputs: int = 0
    labels: int = 0
    reference: int = 0
    weight_bits: int = 5
    phase_bits: int = 4
    lanes: int = build_field(0)
    schedule_entries: int = 8
    lock_phases: int = 2
    learning: bool = False
    random_start: bool = added_field(False)
    flips: bool = added_field(False)

    def __post_init__(self) -> None:
        check_range("oscillators", self.oscillators, 2, self.most_oscillators)
        check_range("inputs", self.inputs, 0, self.oscillators - 1)
        check_range("labels", self.labels, 0, self.targets)
        check_range("reference", self.reference, 0, self.oscillators - 1)
        check_range("weight_bits", self.weight_bits, 2, MOST_WEIGHT_BITS)
        check_range("phase_bits", self.phase_bits, 3, 6)
        check_range("lanes", self.lanes, 0, min(self.targets, self.most_lanes))
        check_range("schedule_entries", self.schedule_entries, 1, 64)
        check_range("lock_phases", self.lock_phases, 2, min(8, self.period // 2))
        for name in ("random_start", "flips"):
            if not isinstance(value := getattr(self, name), bool):
                raise SpecError(f"{name} must be true or false, not {value!r}")
        if self.lanes == 0:
            object.__setattr__(self, "lanes", min(self.targets, self.most_lanes))
        self._check_layout()

    def _check_layout(self) -> None:
        """Raise :class:`SpecError` if the memories of the couplings cannot be laid out."""
        if self.oscillators * self.groups > MOST_WORDS:
            raise SpecError(
                f"lanes is {self.lanes}; {self.oscillators} oscillators then need {self.oscillators * self.groups} "
                f"rows of weights, and a window has at most {MOST_WORDS}: use more lanes"
            )

    # Derived sizes

    @property
    def targets(self) -> int:
        """Number of free oscillators."""
        return self.oscillators - self.inputs

    @property
    def groups(self) -> int:
        """Clock cycles in which ``lanes`` lanes visit every target once."""
        return ceil_div(self.targets, self.lanes)

    @property
    def period(self) -> int:
        """Slots of a period."""
        return 1 << self.phase_bits

    @property
    def weight_type(self) -> np.dtype[np.signedinteger[Any]]:
        """Type in which weights are kept and saved."""
        return np.dtype(np.int8 if self.weight_bits <= 8 else np.int16)

    @property
    def weight_low(self) -> int:
        """Least weight."""
        return -(1 << (self.weight_bits - 1))

    @property
    def weight_high(self) -> int:
        """Greatest weight."""
        return (1 << (self.weight_bits - 1)) - 1

    @property
    def largest_sum(self) -> int:
        """Greatest magnitude of a weighted sum over all oscillators."""
        return self.oscillators << (self.weight_bits - 1)

    @property
    def largest_amplitude(self) -> int:
        """Greatest noise amplitude, and greatest strength of the lock."""
        return min(0xFFFF, self.largest_sum // 4)

    @property
    def sum_bits(self) -> int:
        """Signed width that holds any weighted sum with noise and lock, or less the largest margin."""
        return (2 * self.largest_sum).bit_length() + 1

    @property
    def drawn_bits(self) -> int:
        """Random bits of a start phase that the device draws; they are the highest of it."""
        return self.phase_bits

    # Lock

    def lock_index(self, phases: IntegerArray) -> IntegerArray:
        """Return the number of the lock phase nearest to each phase, 0 to ``lock_phases - 1``; any shape."""
        rounded = (phases.astype(np.int64) * self.lock_phases + self.period // 2) >> self.phase_bits
        return rounded % self.lock_phases

    @property
    def lock_slots(self) -> tuple[int, ...]:
        """The lock phases in slots: ``index * period / lock_phases``, rounded."""
        return tuple(
            (2 * index * self.period + self.lock_phases) // (2 * self.lock_phases) for index in range(self.lock_phases)
        )

    def spins(self, phases: IntegerArray) -> npt.NDArray[np.int8]:
        """Return +1 for targets on the reference oscillator's side, otherwise -1.

        That side are the phases from a quarter of a period before the reference oscillator's to one slot less than a
        quarter after it.

        Parameters
        ----------
        phases:
            Of all oscillators in slots, shape (..., oscillators).

        Returns
        -------
        ndarray
            Shape (..., targets), int8.
        """
        ahead = phases[..., self.inputs :].astype(np.int64) - phases[..., [self.reference]]
        return signs((ahead + self.period // 4) % self.period < self.period // 2)

    # Parameters

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        """``weights[i, j]`` couples oscillator j to target i; ``schedule`` and ``settle`` say when to stop.

        ``schedule`` has one row for each entry with the columns :attr:`schedule_columns`: a number of periods, the
        noise amplitude, the most slots by which a phase moves in one slot, the strength of the harmonic lock, and
        whether targets move in alternation. Noise A adds A or -A to each sum, at random in each slot. Lock K adds K
        times the level that a square wave at the lock phase nearest to the target's own phase has. In alternation
        target i moves only in slots where ``i + slot + period`` is even. ``settle`` is the number of whole periods
        without any phase change after which a call stops; 0 runs the whole schedule.

        Where the spec has ``flips``, a sixth column chooses between two rules. With 0 phases move toward the slot in
        which the sign of the field changed, as above. With n from 1 on a target is *up* if the first lock phase is the
        nearest to its own, otherwise down, and wants to be up in the first half of a period if its field is positive,
        and in the second if it is negative; with a field of 0 it wants to stay. A target that is not what it wants to
        be, and may flip in this slot, takes on phase 0 (up) or half a period (down). Who may is drawn anew in each
        slot, each with probability ``FLIP_SHARES[n - 1]``; a clamped target may not, and with alternation only one
        whose turn it is. Nor may one in the slots of its own edges that is up in the second half of the period, or down
        in the first, as phases that were not set by a flip can be. ``max_step`` means nothing then, and noise A adds
        six random signs: thrice A // 2, twice A // 4 and once A // 8. Random bits are drawn in this order: in each slot
        a word for each group for each of the six signs; who may flip is seen from the words of the last of them, or
        from further ones, again one for each group, if there is no noise or a lock acts.
        """
        entries = self.schedule_entries
        highest = (0xFFFF, self.largest_amplitude, self.period // 2, self.largest_amplitude, 1)
        highest += (len(FLIP_SHARES),) if self.flips else ()
        columns = self.schedule_columns
        schedule = ParameterSpec("schedule", (entries, len(columns)), np.dtype(np.uint16), 0, highest, columns)
        settle = ParameterSpec("settle", (), np.dtype(np.uint16), 0, 0xFFFF)
        return {**self.coupling_parameters, "schedule": schedule, "settle": settle}

    @property
    def coupling_parameters(self) -> dict[str, ParameterSpec]:
        """The parameters that say which oscillators are coupled, and how."""
        shape = self.targets, self.oscillators
        return {"weights": ParameterSpec("weights", shape, self.weight_type, self.weight_low, self.weight_high)}

    @property
    def turns(self) -> bool:
        """Whether phases can move step by step."""
        return True

    @property
    def field_steps(self) -> int:
        """Steps of noise and lock that are worth a weight of 1."""
        return 1

    def couplings_from(self, starts: IntegerArray, targets: IntegerArray, weights: IntegerArray) -> Parameters:
        """Return the parameters that say which oscillators are coupled, from compressed columns.

        Parameters
        ----------
        starts:
            Where the couplings of each oscillator begin, and the end of the last, shape (oscillators + 1,).
        targets, weights:
            Of each coupling, those of an oscillator by rising target, shape (couplings,).

        Raises
        ------
        SpecError
            If there are more than the network holds.
        """
        found = np.zeros((self.targets, self.oscillators), np.int64)
        found[targets, np.repeat(np.arange(self.oscillators), np.diff(starts))] = weights
        return {"weights": found}

    @property
    def schedule_columns(self) -> tuple[str, ...]:
        """Columns of the parameter ``schedule``."""
        return SCHEDULE_COLUMNS + (("flips",) if self.flips else ())

    @property
    def schedule_record(self) -> Record:
        """A word of the window ``schedule``."""
        return schedule_entry(flips=self.flips)

    def schedule(self, periods: int, *, max_step: int | None = None) -> IntegerArray:
        """Return a schedule of one stretch: ``periods`` periods at ``max_step`` (default: jump, half a period)."""
        rows = np.zeros((self.schedule_entries, len(self.schedule_columns)), np.int64)
        rows[0, :3] = periods, 0, self.period // 2 if max_step is None else max_step
        return self.parameters["schedule"].check(rows)

    # Layout

    @property
    def weight_memory(self) -> LaneMemory:
        """Memory of the weights: a word for each source and group."""
        return LaneMemory("weights", self.oscillators * self.groups, self.lanes, self.weight_bits)

    @property
    def segments(self) -> tuple[slice, ...]:
        """Lanes of each window of the weight memory."""
        return self.weight_memory.segments

    @property
    def weight_windows(self) -> tuple[str, ...]:
        """Names of the windows of the weight memory, one for each segment."""
        return self.weight_memory.names

    @property
    def memory_map(self) -> MemoryMap:
        """Windows of the device.

        ``schedule``: one word an entry, :attr:`schedule_record`.
        ``settle``: one word. ``weights.K``: word ``source * groups + group`` holds the weights from ``source`` to the
        lanes of segment K in that group, lowest lane in the lowest bits; target ``group * lanes + lane``.
        ``seed``: one word, of the noise. ``margin``: one word, only with ``learning``.
        ``start``: one word, only with ``random_start``. ``state``: a byte for each oscillator, :func:`state_record`.
        ``result``: :data:`RESULT`. ``spins``: one word for each target, only with ``random_start``, and before the
        phases, so that a call can answer with its first bytes alone. ``phases``: one word for each target.
        """
        windows = [
            Window(
                "schedule", Region.PARAMETERS, self.schedule_entries, self.schedule_record.bits, self.schedule_record
            ),
            number_window("settle", Region.PARAMETERS, 16, "quiet periods after which a call stops; 0 for never"),
        ]
        windows += self.coupling_windows
        windows.append(number_window("seed", Region.INPUT, SEED_BITS, "seed of the noise"))
        if self.learning:
            meaning = "0: run the schedule; else targets learn whose field is below it"
            windows.append(number_window("margin", Region.INPUT, self.sum_bits - 1, meaning))
        if self.random_start:
            meaning = "1: targets that are not clamped start at random phases"
            windows.append(number_window("start", Region.INPUT, 1, meaning))
        windows.append(Window("state", Region.INPUT, self.oscillators, 8, self.state_record))
        windows.append(record_window("result", Region.OUTPUT, RESULT))
        if self.random_start:
            spin = Record((Field("spin", 1, meaning="1: on the side of the reference oscillator"),))
            windows.append(Window("spins", Region.OUTPUT, self.targets, 1, spin))
        phase = Record((Field("phase", self.phase_bits, meaning="phase in slots"),))
        windows.append(Window("phases", Region.OUTPUT, self.targets, self.phase_bits, phase))
        return MemoryMap(tuple(windows))

    @property
    def coupling_windows(self) -> tuple[Window, ...]:
        """Windows of the couplings."""
        return self.weight_memory.windows

    @property
    def state_record(self) -> Record:
        """A word of the window ``state``."""
        return state_record(self.phase_bits)

    def encode_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, bytes]:
        """Return the bytes of every parameter window; raise :class:`SpecError` if a parameter does not fit."""
        checked = self.check_parameters(parameters)
        columns = dict(zip(self.schedule_columns, checked["schedule"].T, strict=True))
        entries = self.schedule_record.encode_words(columns, self.schedule_entries)
        windows = {"schedule": entries.tobytes(), "settle": int(checked["settle"]).to_bytes(2, "little")}
        return windows | self.encode_couplings(checked)

    def encode_couplings(self, checked: Parameters) -> dict[str, bytes]:
        """Return the bytes of the windows of the couplings, of parameters that were checked."""
        rows = np.zeros((self.oscillators, self.groups * self.lanes), self.weight_type)
        rows[:, : self.targets] = checked["weights"].T
        return self.weight_memory.encode(rows.reshape(-1, self.lanes))

    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        """Inverse of :meth:`encode_parameters`."""
        entries = self.schedule_record.decode_words(windows["schedule"], self.schedule_entries)
        schedule = np.stack([entries[column].astype(np.uint16) for column in self.schedule_columns], axis=1)
        settle = np.array(int.from_bytes(windows["settle"], "little"), np.uint16)
        return {**self.decode_couplings(windows), "schedule": schedule, "settle": settle}

    def decode_couplings(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        """Inverse of :meth:`encode_couplings`."""
        rows = self.weight_memory.decode_signed(windows).reshape(self.oscillators, -1)
        return {"weights": rows[:, : self.targets].T.astype(self.weight_type, order="C")}

    def check_phases(self, phases: npt.ArrayLike) -> IntegerArray:
        """Return ``phases``, shape (..., oscillators), as uint8; raise :class:`SpecError` with the culprit."""
        array = np.asarray(phases)
        if array.ndim == 0 or array.shape[-1] != self.oscillators:
            raise SpecError(
                f"phases have shape {array.shape}; the last axis must have {self.oscillators} entries, "
                "one for each oscillator"
            )
        if not np.issubdtype(array.dtype, np.integer):
            raise SpecError(f"phases have type {array.dtype}; they are slots, so integers")
        outside = (array < 0) | (array >= self.period)
        if outside.any():
            value = array[tuple(np.argwhere(outside)[0])]
            raise SpecError(f"a phase is {value}; it must lie between 0 and {self.period - 1}")
        return array.astype(np.uint8)

    def check_random_start(self) -> None:
        """Raise :class:`SpecError` unless the network draws start phases."""
        if not self.random_start:
            raise SpecError("this network draws no start phases: it needs a spec with random_start")

    @property
    def margin_high(self) -> int:
        """Greatest margin; no field reaches it, so with this margin every target learns."""
        return self.largest_sum + 1

    def encode_input(
        self,
        phases: npt.ArrayLike,
        clamp: npt.ArrayLike | None = None,
        seed: int = 0,
        margin: int = 0,
        *,
        random_start: bool = False,
    ) -> bytes:
        """Return the input region for one call.

        Parameters
        ----------
        phases:
            Start phase of every oscillator in slots, shape (oscillators,).
        clamp:
            True where an oscillator must not move, shape (oscillators,); default nowhere. The first ``inputs``
            never move, whatever it says.
        seed:
            Seed of start phases and noise, 0 to ``2**63 - 1``.
        margin:
            0 to run the schedule; otherwise learn the pattern of the levels, 1 to :attr:`margin_high`. Only where the
            spec has ``learning``.
        random_start:
            Let the device draw the start phases of targets that are not clamped; the given ones mean nothing then. Only
            where the spec has ``random_start``, and not in a call that learns.
        """
        start = self.check_phases(phases)
        mask = np.zeros(start.shape, bool) if clamp is None else np.asarray(clamp, bool)
        if mask.shape != start.shape:
            raise SpecError(f"the clamp mask has shape {mask.shape}; it needs {start.shape}")
        state = self.state_record.encode_words({"phase": start, "clamp": mask}, self.oscillators)
        check_range("seed", seed, 0, (1 << SEED_BITS) - 1)
        contents = {"seed": seed.to_bytes(8, "little"), "state": state.tobytes()}
        if self.learning:
            check_range("margin", margin, 0, self.margin_high)
            contents["margin"] = margin.to_bytes(self.memory_map["margin"].word_bytes, "little")
        elif margin:
            raise SpecError(f"margin is {margin}, but this network cannot learn: it needs a spec with learning")
        if random_start:
            self.check_random_start()
            if margin:
                raise SpecError(f"margin is {margin}, so the call learns the given phases; leave out random_start")
        if self.random_start:
            contents["start"] = bytes([bool(random_start)])
        return self.memory_map.join(Region.INPUT, contents)

    def decode_input(self, data: bytes) -> OscillatorInput:
        """Return what an input region says, as a device reads it: unused bits are ignored."""
        windows = self.memory_map.split(Region.INPUT, data)
        state = self.state_record.decode_words(windows["state"], self.oscillators)
        seed = int.from_bytes(windows["seed"], "little") & ((1 << SEED_BITS) - 1)
        margin = int.from_bytes(windows.get("margin", b""), "little") & ((1 << self.sum_bits - 1) - 1)
        draws = bool(windows.get("start", b"\0")[0] & 1)
        return OscillatorInput(state["phase"].astype(np.uint8), state["clamp"] != 0, seed, margin, draws)

    @property
    def spin_bytes(self) -> int:
        """Bytes of the packed outputs of a call up to the last spin, see :meth:`decode_spins`."""
        return RESULT.size + packed_bytes(self.targets, 1)

    def decode_spins(self, data: bytes) -> tuple[dict[str, int], npt.NDArray[np.int8]]:
        """Return the record of a call, and its spins, shape (targets,), from its first :attr:`spin_bytes` bytes.

        The bytes are those of the packed outputs (:meth:`MemoryMap.packed`) of a network with ``random_start``.
        """
        bits = np.frombuffer(data, np.uint8, offset=RESULT.size)
        spins = signs(np.unpackbits(bits, count=self.targets, bitorder="little"))
        return RESULT.decode_start(data[: RESULT.size]), spins

    def encode_output(self, result: OscillatorResult) -> bytes:
        """Return the output region; raise :class:`SpecError` if spins are missing, or the network reports none."""
        if self.random_start != (result.spins is not None):
            raise SpecError(
                f"random_start is {self.random_start}, so a result has {'spins' if self.random_start else 'no spins'}; "
                f"this one's are {result.spins}"
            )
        return result.encode()

    def decode_output(self, data: bytes) -> OscillatorResult:
        """Inverse of :meth:`encode_output`."""
        return decoded_result(data, self.targets if self.random_start else 0)

    @property
    def winners(self) -> int | None:
        """Number of labels; None without any."""
        return self.labels or None

    def check_result(self, result: OscillatorResult) -> None:
        """Raise :class:`SpecError` if no device of this network can report this result."""
        if self.labels:
            check_range("the winner", result.winner, 0, self.labels - 1)
        periods = self.schedule_entries * self.schedule_record["periods"].range[1]
        check_range("the number of periods", result.periods, 0, periods)
        check_range("the slot of the last change", result.last_change, 0, (periods + 1) * self.period)
        check_range("the greatest phase", int(result.phases.max()), 0, self.period - 1)
