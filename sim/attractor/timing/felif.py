"""Clock cycles of spiking cores, exactly: each event is followed from its source to the sums of its layer.

The core's pipeline is that of :class:`attractor.hdl.felif.core.FelifCore`. A layer takes the events of a tick one by
one, then visits its neurons in a course that depends on nothing but their number; what spikes is an event of the layer
above from then on. Layers work at the same time, so that what has to be followed is who waits for whom.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from attractor.golden.felif import FelifNetwork, NeuronState
from attractor.golden.felif.network import LayerTrace
from attractor.spec import FelifSpec, IntegerArray
from attractor.spec.felif.layer import FELIF_A, FELIF_B, SUBSTEPS
from attractor.timing.base import CycleRange

__all__ = ["TIMING", "FelifCycles", "sequence_cycles"]

BoolArray = npt.NDArray[np.bool_]
#: From the turn of a neuron until its drive is known; from then until its new state is, by kind.
DRIVE_CYCLES, STEP_CYCLES, PLAIN_STEP_CYCLES = 4, {FELIF_A: 12, FELIF_B: 8}, 6
#: From the beginning of a frame, or of another bit of it, to the fetch of its first word.
FRAME_CYCLES = 2
#: From the new state of a neuron to the event that it sends.
SPIKE_CYCLES = 2
#: From the end of the last layer's last tick to that of the call.
END_CYCLES = 2


class FelifCycles:
    """Counts the cycles of one call, tick after tick.

    Parameters
    ----------
    spec:
        The network.
    sent:
        Spikes of the last tick before the call, of each layer, shape (neurons,); recurrent layers get them.
    fresh:
        The call begins anew, so that all sums are cleared.
    """

    def __init__(self, spec: FelifSpec, sent: Sequence[BoolArray], *, fresh: bool) -> None:
        self.spec = spec
        self._layers = [_Layer(spec, index, fresh=fresh) for index in range(len(spec.layers))]
        for layer, spikes in zip(self._layers, sent, strict=True):
            layer.own = [0] * int(spikes.sum()) if layer.recurrent else []
        # The cycle in which the scanner begins with a frame.
        self._frame = 1

    def tick(self, frame: IntegerArray, spikes: Sequence[BoolArray]) -> None:
        """Count a tick with these input values, shape (inputs,), and the spikes of each layer, shape (neurons,)."""
        first, *others = self._layers
        end = first.end(self._scan(first, frame))
        self._frame = end + 1
        sent = first.visit(end, spikes[0])
        for below, layer, its_spikes in zip(self._layers, others, spikes[1:], strict=False):
            taken = -1
            for offered in sent:
                taken = layer.event(max(offered, taken + 1))
            end = layer.end(max(below.done + 1, taken + 1))
            below.room = end + 1
            sent = layer.visit(end, its_spikes)

    def total(self) -> int:
        """Return the cycles of the whole call, after its last tick."""
        return self._layers[-1].done + END_CYCLES

    def _scan(self, layer: _Layer, frame: IntegerArray) -> int:
        """Give the inputs of a frame to the first layer; return from when on the end is offered."""
        spec = self.spec
        padded = np.zeros(spec.frame_words * spec.inputs_per_word, np.int64)
        padded[: spec.inputs] = frame
        words, begin, ended = padded.reshape(spec.frame_words, -1), self._frame, 0
        for bit in reversed(range(spec.input_bits)):
            if bit < spec.input_bits - 1:
                begin = layer.event(ended, doubles=True)
            fetched, taken = begin + FRAME_CYCLES - 1, -1
            for count in (words >> bit & 1).sum(axis=1).tolist():
                fetched = max(fetched + 1, taken)
                taken = fetched if count else taken
                for _ in range(count):
                    taken = layer.event(taken + 1)
            ended = max(fetched, taken) + 2
        return ended


class _Layer:
    """A layer: what it does in a tick, and from when on it can do what comes next."""

    def __init__(self, spec: FelifSpec, index: int, *, fresh: bool) -> None:
        layer = spec.layers[index]
        self.groups, self.recurrent = spec.groups_of(index), layer.recurrent
        self._updates = _updates(layer.kind, _turns(layer.neurons, spec.lanes_of(index)))
        # When the next operation can be taken; when none waits; when the one before was issued.
        self._takes = self._rests = 1 + (self.groups if fresh else 0)
        self._issued = -1
        #: When the layer above has taken all that this one sent in the tick before, and when its last neuron is done.
        self.room, self.done = 0, 0
        #: From when on each of its own spikes of the tick before is offered.
        self.own: list[int] = []

    def event(self, offered: int, *, doubles: bool = False) -> int:
        """Take an event that is offered from a cycle on, or what doubles the sums; return when."""
        taken = max(offered, self._takes)
        begin = taken + 1
        if self.groups == 1 and begin == self._issued + 1:
            begin += 1  # what is being written cannot be read
        self._takes = self._issued = begin + self.groups * (1 + doubles) - 1
        self._rests = self._issued + 1
        return taken

    def end(self, offered: int) -> int:
        """Take the layer's own events and then the end of the tick, which is offered from a cycle on; return when."""
        taken = -1
        for spike in self.own:
            taken = self.event(max(spike, offered, taken + 1))
        return max(offered, self._rests, self.room)

    def visit(self, end: int, spikes: BoolArray) -> list[int]:
        """Visit all neurons after the end of a tick's events; return from when on each spike is offered."""
        updates = end + self._updates
        sent = (updates[spikes] + SPIKE_CYCLES).tolist()
        self.done = int(updates[-1])
        self._takes = self._rests = self.done + 1
        self.own = sent if self.recurrent else []
        return sent


def _turns(neurons: int, lanes: int) -> npt.NDArray[np.int64]:
    """Return when the neurons' turns are, counted from the end of the events.

    A group is asked for its sums in one cycle; one of several with a single neuron waits another until it is cleared.
    """
    numbers = np.arange(neurons)
    group, several = numbers // lanes, neurons > lanes
    alone = several & (np.minimum(lanes, neurons - group * lanes) == 1)
    return 3 + numbers + group + np.cumsum(alone)


def _updates(kind: str, turns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return when the neurons have their new states, counted as their turns are."""
    step, neurons = STEP_CYCLES.get(kind, PLAIN_STEP_CYCLES), len(turns)
    if kind != FELIF_B:
        return turns + DRIVE_CYCLES - 1 + step
    # All drives are kept first, and then all neurons are visited in each sub-step.
    lap = max(neurons, step + 2)
    return turns[-1] + DRIVE_CYCLES + (SUBSTEPS - 1) * lap + 1 + np.arange(neurons) + step


def sequence_cycles(
    network: FelifNetwork, frames: IntegerArray, kept: list[NeuronState] | None, traces: Sequence[LayerTrace]
) -> int:
    """Return the cycles of a call.

    Parameters
    ----------
    network:
        The network.
    frames:
        Its inputs, shape (ticks, inputs).
    kept:
        States that it goes on from; None if it begins anew.
    traces:
        What the layers did, of a batch of one.
    """
    states = network.start(1) if kept is None else kept
    count = FelifCycles(network.spec, [state.spikes[0] for state in states], fresh=kept is None)
    for tick, frame in enumerate(frames):
        count.tick(frame, [trace.spikes[tick, 0] for trace in traces])
    return count.total()


def _cycles(golden: FelifNetwork, inputs: bytes, *, written: bool) -> CycleRange:
    frames, keep = golden.spec.decode_input(inputs)
    kept = golden.kept if keep and not written else None
    traces = golden.run(frames[None], states=kept, trace=True).traces
    assert traces is not None
    cycles = sequence_cycles(golden, frames, kept, traces)
    return CycleRange(cycles, cycles)


TIMING = _cycles
