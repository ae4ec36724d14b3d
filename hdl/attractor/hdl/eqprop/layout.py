"""Layouts of what the parts of an Equilibrium Propagation core exchange, and numbers that they derive from a spec."""

from enum import IntEnum

from amaranth.hdl import Const, Value
from amaranth.lib import data

from attractor.hdl.arithmetic import exceeds
from attractor.spec import EqPropSpec

__all__ = [
    "Context",
    "EqPropBank",
    "NeuronState",
    "Source",
    "Store",
    "largest_amplitude",
    "layer_flags",
    "sum_bits",
]


class EqPropBank(IntEnum):
    """Accumulators of a neuron in an Equilibrium Propagation core."""

    #: Weighted sum over the bits that its neighbours have sent.
    SUM = 0
    #: The same without inputs and with all bits on: where every call starts. Kept from call to call.
    BASE = 1
    #: Never written, so it holds 0.
    ZERO = 2
    #: What a step computes on the way to a state.
    FIELD = 3


class Store(IntEnum):
    """The two memories of weights; each holds every weight between two neurons, since both ends send events."""

    #: Rows of the neuron or input below, for the events that go up; with the counters.
    UP = 0
    #: Rows of the neuron above, for the events that go down.
    DOWN = 1


class Context(data.StructLayout):
    """What an operation of the crossbar means for the neurons.

    Members
    -------
    amplitude: ``range(largest_amplitude(spec) + 1)``
        What an event adds, or a push in the lanes that take part.
    adds_state: ``1``
        A push adds the state as well.
    low, high: ``1``
        The new state is 0, or the greatest one, whatever the sum is.
    sets: ``1``
        New states are written.
    loads: ``1``
        The marked neurons, by default those whose bit changes, go to the list of changes and become sources.

    Only in networks with ``learning``:

    holds: ``1``
        The bits of the free phase stay as they are.
    shows: ``1``
        Marked are, with ``low``, the neurons whose bit differs from that of the free phase, and with ``high`` those
        that are on in both.
    probes: ``1``
        The learner waits for the answer whether any neuron is marked.
    free, nudged: ``1``
        Bits of the source at the end of both phases; LEARN into :attr:`Store.UP` only, otherwise 0.
    origin: ``range(groups)``
    lane: ``range(lanes)``
        Group and lane of the source, if it is ``paired``; with ``alone``, the lane of a target.
    paired: ``1``
        The source is a neuron: its weights are in :attr:`Store.DOWN` too.
    alone: ``1``
        Only the target in ``lane`` takes part: in the others nothing is added, and no weight learns.
    """

    def __init__(self, spec: EqPropSpec) -> None:
        members = {"amplitude": range(largest_amplitude(spec) + 1)}
        flags = ["adds_state", "low", "high", "sets", "loads"]
        if spec.learning:
            members |= {"origin": range(spec.groups), "lane": range(spec.lanes)}
            flags += ["holds", "shows", "probes", "free", "nudged", "paired", "alone"]
        super().__init__(members | dict.fromkeys(flags, 1))


class Source(data.StructLayout):
    """An input or a neuron whose bit its neighbours have to learn of, or that teaches them.

    Members
    -------
    input: ``1``
        It is the input ``number``, otherwise the neuron in ``lane`` of ``group``.
    number: ``range(inputs)``
    group: ``range(groups)``
    lane: ``range(lanes)``
    flag: ``1``
        Its bit is on.
    """

    def __init__(self, spec: EqPropSpec) -> None:
        places = {"number": range(spec.layers[0]), "group": range(spec.groups), "lane": range(spec.lanes)}
        super().__init__({"input": 1, "flag": 1, **places})


class NeuronState(data.StructLayout):
    """What a neuron keeps.

    Members
    -------
    level: ``state_bits``
        Its state.
    free: ``1``
        Its bit at the end of the free phase; only in networks with ``learning``.
    """

    def __init__(self, spec: EqPropSpec) -> None:
        super().__init__({"level": spec.state_bits, **({"free": 1} if spec.learning else {})})


def largest_amplitude(spec: EqPropSpec) -> int:
    """Return the most that a push or an event adds: 1, or when learning 2 for a flip, or the target of an output."""
    return max(2, spec.high_of(spec.connections) << spec.nudge_shift) if spec.learning else 1


def sum_bits(spec: EqPropSpec) -> int:
    """Return the signed width that holds any weighted sum with the state and the nudge."""
    nudge = spec.high_of(spec.connections) << spec.nudge_shift if spec.learning else 0
    above = (*spec.layers[2:], nudge)
    bounds = zip(spec.layers[:-1], above, spec.state_highs, strict=True)
    return max(below + above + high for below, above, high in bounds).bit_length() + 1


def layer_flags(spec: EqPropSpec, group: Value) -> list[Value]:
    """Return for each layer with neurons, from layer 1 on, whether ``group`` is one of its groups."""
    reached = [exceeds(group, spec.first_group(layer) - 1) for layer in range(1, spec.connections + 1)]
    return [here & ~above for here, above in zip(reached, [*reached[1:], Const(0, 1)], strict=True)]
