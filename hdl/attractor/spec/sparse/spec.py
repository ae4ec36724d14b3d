"""Oscillator networks with sparse couplings: what one is, and how its couplings are laid out in a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from attractor.spec.base import (
    IntegerArray,
    Parameters,
    ParameterSpec,
    SpecError,
    build_field,
    ceil_div,
    check_range,
)
from attractor.spec.memory_map import MOST_WORDS, Region, Window
from attractor.spec.oscillator import OscillatorInput, OscillatorSpec
from attractor.spec.records import Field, Record
from attractor.spec.rows import LaneMemory
from attractor.spec.sparse.rows import RowMemory

__all__ = ["MOST_SPARSE_LANES", "NOISE_OFFSETS", "SparseSpec"]

#: Most lanes: a word of the generator has a bit for each.
MOST_SPARSE_LANES = 64
#: Where the random signs of a lane are in the word of its group: sign k of lane l is bit ``(l + offset) % 64``. No two
#: distances between offsets are equal, so two lanes share one sign at most.
NOISE_OFFSETS = (0, 1, 4, 13, 31, 39)


@dataclass(frozen=True, kw_only=True)
class SparseSpec(OscillatorSpec):
    """A network of digital oscillators of which few pairs are coupled.

    All is as in :class:`OscillatorSpec` but for what follows. Which oscillators are coupled is a parameter: a network
    serves every graph within its sizes.

    Noise costs one random word for each group and slot, and not one for each sign: sign k of lane l is bit
    ``(l + NOISE_OFFSETS[k]) % 64`` of it (without flips there is one sign, of offset 0), and who may flip is seen from
    the same word. A slot draws words if there is noise or targets flip.

    Parameters
    ----------
    oscillators:
        Number of all oscillators, 2 to 65,536.
    couplings:
        Most couplings, each from one oscillator to one target: an edge of a graph is two. 1 to ``2**20``.
    strength:
        Greatest sum of the magnitudes of a target's weights, 1 to ``2**19``: accumulators are no wider than that
        needs. With weights of +1 and -1 that is the greatest number of neighbours.
    fraction_bits:
        Fields are sums times ``2**fraction_bits``, with noise and lock added, whose steps are the finer for it; 0 to 8.
    binary:
        Phases are 0 or half a period, and targets flip in all entries of the schedule. Nothing is kept but one sum for
        each target. Needs ``flips``; there is no lock.
    lanes:
        Targets that are looked at in one clock cycle, at most 64; 0 stands for as many as possible.
    entries:
        Couplings that are added in one clock cycle: ``lanes`` divided by a power of two; 0 stands for ``lanes``.
        Target t is of class ``t % entries``, and a cycle adds one coupling of each class: numbering oscillators so that
        the neighbours of each are spread over the classes saves words, and cycles.
    row_words:
        Words of couplings, each with room for one of each class, and one word more for oscillators without any; 0
        stands for one for each oscillator and each ``entries`` couplings.

    Raises
    ------
    SpecError
        If a value is out of range; the message names it.
    """

    family: ClassVar[str] = "sparse"
    most_oscillators: ClassVar[int] = 1 << 16
    most_lanes: ClassVar[int] = MOST_SPARSE_LANES

    couplings: int
    strength: int
    fraction_bits: int = 0
    binary: bool = False
    entries: int = build_field(0)
    row_words: int = build_field(0)

    def __post_init__(self) -> None:
        check_range("couplings", self.couplings, 1, 1 << 20)
        check_range("strength", self.strength, 1, 1 << 19)
        check_range("fraction_bits", self.fraction_bits, 0, 8)
        check_range("entries", self.entries, 0, self.most_lanes)
        check_range("row_words", self.row_words, 0, MOST_WORDS)
        if not isinstance(self.binary, bool):
            raise SpecError(f"binary must be true or false, not {self.binary!r}")
        if self.binary and not self.flips:
            raise SpecError("binary is true, but flips is false: phases of 0 and half a period change by flips alone")
        if self.learning:
            raise SpecError("learning is true; only dense networks learn on the device, so leave it out")
        super().__post_init__()

    def _check_layout(self) -> None:
        if self.entries == 0:
            object.__setattr__(self, "entries", self.lanes)
        share, rest = divmod(self.lanes, self.entries)
        if rest or share & (share - 1):
            few = ", ".join(str(self.lanes >> bit) for bit in range(7) if not self.lanes % (1 << bit))
            raise SpecError(
                f"entries is {self.entries}, and lanes is {self.lanes}; lanes must be entries times a power of two, so "
                f"with these lanes entries may be {few}"
            )
        if self.row_words == 0:
            words = self.oscillators + ceil_div(self.couplings, self.entries) + 1
            object.__setattr__(self, "row_words", min(words, MOST_WORDS))
        check_range("row_words", self.row_words, 2, MOST_WORDS)

    # Derived sizes

    @property
    def largest_sum(self) -> int:
        """Greatest magnitude of a field without noise and lock."""
        return self.strength << self.fraction_bits

    @property
    def largest_amplitude(self) -> int:
        """Greatest noise amplitude, and greatest strength of the lock."""
        return min(0xFFFF, self.largest_sum)

    @property
    def sum_bits(self) -> int:
        """Signed width that holds any field: noise adds 2.25 amplitudes, and the lock one."""
        return (5 * self.largest_sum).bit_length() + 1

    @property
    def accumulator_bits(self) -> int:
        """Signed width that holds any sum, and any change of one when an oscillator changes its phase."""
        return self.strength.bit_length() + 1

    # Parameters

    @property
    def coupling_parameters(self) -> dict[str, ParameterSpec]:
        """``starts``, ``targets`` and ``weights``: the couplings, source by source, as compressed rows.

        Those of oscillator j are the entries from ``starts[j]`` to ``starts[j + 1]``, each with a target, counted
        without the inputs and rising within a row, and a weight that is not 0. Entries after the last are 0.
        """
        low, high = self.weight_low, self.weight_high
        shape = (self.couplings,)
        return {
            "starts": ParameterSpec("starts", (self.oscillators + 1,), np.dtype(np.uint32), 0, self.couplings),
            "targets": ParameterSpec("targets", shape, np.dtype(np.uint16), 0, self.targets - 1),
            "weights": ParameterSpec("weights", shape, self.weight_type, low, high),
        }

    def check_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> dict[str, IntegerArray]:
        """Return all parameters, checked and in their storage types.

        Raises
        ------
        SpecError
            If one is out of range, the rows are not in order, or the couplings exceed what the network holds.
        """
        checked = super().check_parameters(parameters)
        starts, targets, weights = (checked[name].astype(np.int64) for name in ("starts", "targets", "weights"))
        if starts[0] or (np.diff(starts) < 0).any():
            raise SpecError("starts must begin with 0 and never fall: it says where the couplings of each source begin")
        used = int(starts[-1])
        if targets[used:].any() or weights[used:].any():
            raise SpecError(f"starts ends with {used}, but there are targets or weights after so many; they must be 0")
        if not weights[:used].all():
            raise SpecError(f"weights[{int(np.argmin(weights[:used] != 0))}] is 0; leave that coupling out")
        falls = np.diff(targets[:used]) <= 0
        falls[starts[1:-1][(starts[1:-1] > 0) & (starts[1:-1] < used)] - 1] = False
        if falls.any():
            place = int(np.argmax(falls)) + 1
            source = int(np.searchsorted(starts, place, "right")) - 1
            raise SpecError(
                f"oscillator {source} is coupled to target {targets[place]} after target {targets[place - 1]}; the "
                "targets of an oscillator must rise, and each occurs once"
            )
        strengths = np.bincount(targets[:used], np.abs(weights[:used]), self.targets)
        if (most := int(strengths.max())) > self.strength:
            raise SpecError(
                f"the weights of target {int(strengths.argmax())} have magnitudes that sum to {most}, and this "
                f"network's sums hold {self.strength}: use one with a strength of {most}"
            )
        if self.binary:
            self._check_binary(checked["schedule"])
        return checked

    def _check_binary(self, schedule: IntegerArray) -> None:
        """Raise :class:`SpecError` unless targets flip in all entries that are run, without a lock."""
        ended = np.flatnonzero(schedule[:, 0] == 0)
        entries = schedule[: ended[0] if ended.size else None]
        for column, wrong in (("flips", entries[:, 5] == 0), ("lock", entries[:, 3] > 0)):
            if wrong.any():
                entry = int(np.argmax(wrong))
                value = int(entries[entry, self.schedule_columns.index(column)])
                raise SpecError(
                    f"schedule[{entry}, {column!r}] is {value}; phases of this network are 0 or half a period, so all "
                    "entries have flips from 1 on, and no lock"
                )

    @property
    def turns(self) -> bool:
        """Whether phases can move step by step."""
        return not self.binary

    @property
    def field_steps(self) -> int:
        """Steps of noise and lock that are worth a weight of 1."""
        return 1 << self.fraction_bits

    def couplings_from(self, starts: IntegerArray, targets: IntegerArray, weights: IntegerArray) -> Parameters:
        """Return the parameters that say which oscillators are coupled, see :meth:`OscillatorSpec.couplings_from`."""
        if len(weights) > self.couplings:
            raise SpecError(f"there are {len(weights):,} couplings, and this network holds {self.couplings:,}")
        room = (0, self.couplings - len(weights))
        return {"starts": starts, "targets": np.pad(targets, room), "weights": np.pad(weights, room)}

    # Layout

    @property
    def row_memory(self) -> RowMemory:
        """Memory of the couplings."""
        places = ceil_div(self.targets, self.entries)
        return RowMemory(self.row_words, self.entries, max((places - 1).bit_length(), 1), self.weight_bits)

    @property
    def pointer_bits(self) -> int:
        """Bits of the number of a row's first word."""
        return (self.row_words - 1).bit_length()

    @property
    def weight_memory(self) -> LaneMemory:
        """None: couplings are in :attr:`row_memory`."""
        raise SpecError("a network with sparse couplings has no memory of all weights")

    @property
    def coupling_windows(self) -> tuple[Window, ...]:
        """``pointers``: the first word of each oscillator's row. ``rows``: :class:`RowMemory`."""
        pointer = Record((Field("pointer", self.pointer_bits, meaning="first word of the oscillator's row"),))
        return (
            Window("pointers", Region.PARAMETERS, self.oscillators, self.pointer_bits, pointer),
            Window("rows", Region.PARAMETERS, self.row_words, self.row_memory.word_bits),
        )

    def encode_couplings(self, checked: Parameters) -> dict[str, bytes]:
        """Return the bytes of ``pointers`` and ``rows``.

        Raises
        ------
        SpecError
            If the rows take more words than there are.
        """
        memory = self.row_memory
        starts, targets, weights = (checked[name] for name in ("starts", "targets", "weights"))
        needed = 1 + int(memory.lengths(starts, targets).sum())
        if needed > self.row_words:
            raise SpecError(
                f"{int(starts[-1]):,} couplings take {needed:,} words of {self.entries} couplings, and this build has "
                f"{self.row_words:,}: number the oscillators so that neighbours spread over the classes, or build with "
                f"row_words of {needed}"
            )
        first, bits = memory.pack(starts, targets, weights)
        window = self.memory_map["pointers"]
        pointers = first.astype("<u4").view(np.uint8).reshape(-1, 4)[:, : window.word_bytes]
        return {"pointers": pointers.tobytes(), "rows": np.packbits(bits, axis=1, bitorder="little").tobytes()}

    def decode_couplings(self, windows: Mapping[str, bytes]) -> dict[str, IntegerArray]:
        """Inverse of :meth:`encode_couplings`."""
        memory, width = self.row_memory, self.memory_map["pointers"].word_bytes
        pointers = np.zeros((self.oscillators, 4), np.uint8)
        pointers[:, :width] = np.frombuffer(windows["pointers"], np.uint8).reshape(self.oscillators, width)
        words = np.frombuffer(windows["rows"], np.uint8).reshape(memory.words, -1)
        bits = np.unpackbits(words, axis=1, bitorder="little", count=memory.word_bits).astype(bool)
        starts, targets, weights = memory.unpack(pointers.view("<u4")[:, 0].astype(np.int64), bits)
        room = max(self.couplings - len(targets), 0)
        values = {"starts": starts, "targets": np.pad(targets, (0, room)), "weights": np.pad(weights, (0, room))}
        kinds = self.coupling_parameters
        return {name: value.astype(kinds[name].dtype) for name, value in values.items()}

    # Phases

    def check_phases(self, phases: npt.ArrayLike) -> IntegerArray:
        """Return ``phases`` as in :class:`OscillatorSpec`; a binary network has those of 0 and half a period."""
        array = super().check_phases(phases)
        if self.binary and (array & (self.period // 2 - 1)).any():
            value = int(array[array & (self.period // 2 - 1) > 0].flat[0])
            raise SpecError(f"a phase is {value}; in this network it must be 0 or {self.period // 2}")
        return array

    def decode_input(self, data: bytes) -> OscillatorInput:
        """Return what an input region says; of phases of a binary network the highest bit alone counts."""
        given = super().decode_input(data)
        return given._replace(phases=given.phases & (self.period // 2)) if self.binary else given

    @property
    def drawn_bits(self) -> int:
        """Random bits of a start phase; they are the highest of it."""
        return 1 if self.binary else self.phase_bits
