"""How a phase moves: the rule of all oscillators, whatever their couplings."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arithmetic import times_constant
from attractor.hdl.oscillator.signatures import ProgressSignature, ScheduleSignature
from attractor.spec import OscillatorSpec

__all__ = ["MoveRule", "lock_index", "low_locks"]


class MoveRule(wiring.Component):
    """Combinational: where the phase of an oscillator goes that has to move.

    The phase goes toward the slot of the change (a rise), or half a period from it (a fall), the shorter way and at
    most ``max_step`` slots; exactly opposite it increases. Where targets flip it goes to the start of the half of the
    period in which that slot lies, all the way.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    phase: ``In(phase_bits)``
    rises: ``In(1)``
        The reference is high.
    schedule: ``In(ScheduleSignature)``
    progress: ``In(ProgressSignature)``
    new: ``Out(phase_bits)``
    moves: ``Out(1)``
        The phase does not stay where it is.
    level: ``Out(1)``
        The level at this slot is now another one.
    low: ``Out(1)``
        It is -1.
    """

    phase: Signal
    rises: Signal
    schedule: Any
    progress: Any
    new: Signal
    moves: Signal
    level: Signal
    low: Signal

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "phase": In(spec.phase_bits),
                "rises": In(1),
                "schedule": In(ScheduleSignature(spec)),
                "progress": In(ProgressSignature(spec)),
                "new": Out(spec.phase_bits),
                "moves": Out(1),
                "level": Out(1),
                "low": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, half = self.spec.phase_bits, self.spec.period // 2
        slot, phase, max_step = self.progress.slot, self.phase, self.schedule.max_step
        target, forward, distance, step = (Signal(bits, name=n) for n in ("target", "forward", "distance", "step"))
        backward = forward > half
        m.d.comb += [
            target.eq(self._goal(Mux(self.rises, slot, slot ^ half))),
            forward.eq(target - phase),
            distance.eq(Mux(backward, -forward, forward)),
            step.eq(Mux(distance < max_step, distance, max_step)),
            self.new.eq(Mux(backward, phase - step, phase + step)),
            self.moves.eq(step != 0),
        ]
        was_high, is_high = self._high(phase), self._high(self.new)
        m.d.comb += [self.level.eq(was_high ^ is_high), self.low.eq(~is_high)]
        return m

    def _goal(self, edge: Value) -> Value:
        """Return where a phase goes that would have its edge there: where targets flip, to 0 or half a period."""
        if not self.spec.flips:
            return edge
        return Cat(edge[:-1] & (~self.schedule.flips).replicate(len(edge) - 1), edge[-1])

    def _high(self, phase: Value) -> Value:
        """Level at this slot: high in the half period after the rising edge."""
        return ~(self.progress.slot - phase)[self.spec.phase_bits - 1]


def lock_index(spec: OscillatorSpec, phase: Value) -> Value:
    """Return the number of the lock phase nearest to ``phase``."""
    rounded = (times_constant(phase, spec.lock_phases) + spec.period // 2) >> spec.phase_bits
    return Mux(rounded == spec.lock_phases, 0, rounded)


def low_locks(spec: OscillatorSpec, slot: Value) -> list[Value]:
    """Return for each lock phase whether its level is -1 in a slot."""
    return [(slot - lock)[spec.phase_bits - 1] for lock in spec.lock_slots]
