"""Bundles of signals that the parts of an oscillator core share."""

from amaranth.hdl import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from attractor.hdl.noise import MASK_KIND_BITS
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import FLIP_BITS

__all__ = ["OutcomeSignature", "ProgressSignature", "ScheduleSignature"]


class ScheduleSignature(wiring.Signature):
    """What the schedule says about the present period, seen from the schedule.

    Members
    -------
    busy: ``Out(1)``
        The next entry is being read: what is said is still about the period before.
    over: ``Out(1)``
        The run has to stop.
    settled: ``Out(1)``
        The last ``max(settle, 1)`` whole periods were quiet.
    max_step: ``Out(8)``
        Most slots by which a phase moves; half a period where targets flip.
    noise, lock: ``Out(range(largest_amplitude + 1))``
        Amplitudes of noise and lock; 0 for none.
    alternate: ``Out(1)``
        Every other oscillator moves in a slot, instead of all.
    flips: ``Out(1)``
        Targets flip. This and what follows only in networks with ``flips``.
    mask_kinds: ``Out(two numbers)``
        How the two masks of who may flip are made, see :data:`attractor.hdl.noise.MASK_KINDS`. Decoded here, in
        registers, so that a bit of a mask takes one look-up table.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        flags = dict.fromkeys(("busy", "over", "settled", "alternate"), Out(1))
        amplitudes = dict.fromkeys(("noise", "lock"), Out(range(spec.largest_amplitude + 1)))
        kinds = data.ArrayLayout(unsigned(MASK_KIND_BITS), len(FLIP_BITS))
        shares = {"flips": Out(1), "mask_kinds": Out(kinds)} if spec.flips else {}
        super().__init__({**flags, "max_step": Out(8), **amplitudes, **shares})


class ProgressSignature(wiring.Signature):
    """Where a run is, seen from its control.

    Members
    -------
    slot: ``Out(phase_bits)``
        The present slot of the period.
    odd_period: ``Out(1)``
        The number of whole periods run is odd.
    slot_end: ``Out(1)``
        The slot ends in this cycle.
    period_end: ``Out(1)``
        It is the last of its period. Only with ``slot_end``.
    moved: ``Out(1)``
        A phase changed in the slot so far.
    """

    def __init__(self, spec: OscillatorSpec) -> None:
        flags = ("odd_period", "slot_end", "period_end", "moved")
        super().__init__({"slot": Out(spec.phase_bits), **dict.fromkeys(flags, Out(1))})


class OutcomeSignature(wiring.Signature):
    """How the last call ended, seen from the control of the run.

    Members
    -------
    settled: ``Out(1)``
        The network was quiet or, in a call that was to learn, nothing was left to learn.
    aborted: ``Out(1)``
        An abort ended it.
    """

    def __init__(self) -> None:
        super().__init__({"settled": Out(1), "aborted": Out(1)})
