"""The bundles of signals by which the parts of an Equilibrium Propagation core are connected."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.operations import Beat
from attractor.spec import EqPropSpec

__all__ = [
    "BeatSignature",
    "LessonSignature",
    "ProbeSignature",
    "ReportSignature",
    "TargetSignature",
    "TouchSignature",
]


class BeatSignature(wiring.Signature):
    """The beats of the crossbar, for parts that watch them without an answer.

    Parameters
    ----------
    beat:
        Layout of a beat.

    Members
    -------
    valid: ``Out(1)``
        There is a beat in this cycle.
    beat: ``Out(Beat)``
    flips: ``Out(lanes)``
        Weights that become their opposite in it; LEARN only.
    """

    def __init__(self, beat: Beat) -> None:
        super().__init__({"valid": Out(1), "beat": Out(beat), "flips": Out(beat.lanes)})


class TargetSignature(wiring.Signature):
    """Where the outputs of a class are, seen from the part that asks for it.

    Members
    -------
    label: ``Out(8)``
        The class.
    known: ``In(1)``
        There is such a class.
    group, lane: ``In(range(groups))``, ``In(range(lanes))``
        Its first output, if it is ``known``; the others follow.
    """

    def __init__(self, spec: EqPropSpec) -> None:
        super().__init__(
            {"label": Out(8), "known": In(1), "group": In(range(spec.groups)), "lane": In(range(spec.lanes))}
        )


class ReportSignature(wiring.Signature):
    """How the last call ended; its fields mean what those of :data:`attractor.spec.eqprop.RESULT` do.

    Members
    -------
    settled, aborted, learnt: ``Out(1)``
    free_steps, nudged_steps: ``Out(8)``
    """

    def __init__(self) -> None:
        flags, counts = ("settled", "aborted", "learnt"), ("free_steps", "nudged_steps")
        super().__init__({**dict.fromkeys(flags, Out(1)), **dict.fromkeys(counts, Out(8))})


class LessonSignature(wiring.Signature):
    """What sources teach at present, if anything.

    Members
    -------
    teaching: ``Out(1)``
        A source teaches ``group``, one of the layer above it, instead of sending events.
    group, within: ``Out(range(groups))``, ``Out(range(groups))``
        That group, and its number within its layer.
    changed: ``Out(1)``
        The bits of the source differ between the phases; its flag is that of the nudged phase. Otherwise both are on.
    reversed: ``Out(1)``
        The sample was nudged away from its label: what is taught is the opposite.
    """

    def __init__(self, spec: EqPropSpec) -> None:
        groups = Out(range(spec.groups))
        super().__init__({"teaching": Out(1), "group": groups, "within": groups, "changed": Out(1), "reversed": Out(1)})


class ProbeSignature(wiring.Signature):
    """The answer to an operation that ``probes``, two cycles after the issue of its group.

    Members
    -------
    answered: ``Out(1)``
        It is given in this cycle.
    differs: ``Out(1)``
        A neuron of the group was marked. Only while ``answered``.
    """

    def __init__(self) -> None:
        super().__init__({"answered": Out(1), "differs": Out(1)})


class TouchSignature(wiring.Signature):
    """Counters that a sample touches, one word of them in a cycle.

    Members
    -------
    valid: ``Out(1)``
        A word of counters learns in this cycle.
    mask: ``Out(lanes)``
        Lanes whose counter moves, or would within its range. Only while ``valid``.
    """

    def __init__(self, spec: EqPropSpec) -> None:
        super().__init__({"valid": Out(1), "mask": Out(spec.lanes)})
