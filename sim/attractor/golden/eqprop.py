"""Golden model of binary Equilibrium Propagation arrays: every state after every step, many networks at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from attractor.spec import EqPropResult, EqPropSpec, IntegerArray, SpecError

__all__ = ["BoolArray", "Counts", "EqPropLesson", "EqPropNetwork", "EqPropPhase", "EqPropState", "FloatArray", "Nudge"]

BoolArray = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass
class Nudge:
    """What pulls at the outputs of a batch.

    Parameters
    ----------
    goals:
        State that each output is pulled to, shape (batch, outputs), int16.
    sigma:
        1 for a pull toward the goals, -1 for one away from them, shape (batch, 1), int16.
    """

    goals: npt.NDArray[np.int16]
    sigma: npt.NDArray[np.int16]


@dataclass
class EqPropState:
    """A batch of networks between two steps. Neurons are numbered through all layers but the input, from below.

    Parameters
    ----------
    states:
        Shape (batch, targets), int16, 0 to the layer's greatest state.
    drive:
        Weighted sums of the input bits, shape (batch, neurons of layer 1), int16.
    nudge:
        None in the free phase.
    """

    states: npt.NDArray[np.int16]
    drive: npt.NDArray[np.int16]
    nudge: Nudge | None = None

    def part(self, rows: npt.NDArray[np.intp]) -> EqPropState:
        """Return some of the networks."""
        nudge = None if self.nudge is None else Nudge(self.nudge.goals[rows], self.nudge.sigma[rows])
        return EqPropState(self.states[rows], self.drive[rows], nudge)


@dataclass(frozen=True)
class EqPropPhase:
    """How one phase of a batch of networks ended.

    Parameters
    ----------
    states:
        Shape (batch, targets), uint8.
    settled:
        True if the last step changed no state, shape (batch,).
    steps:
        Steps that were run, shape (batch,), int64.
    trace:
        States before the first step and after every one, shape (steps + 1, batch, targets), uint8; a network that has
        settled repeats its last states. None unless asked for.
    """

    states: npt.NDArray[np.uint8]
    settled: BoolArray
    steps: Counts
    trace: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class EqPropLesson:
    """What a batch of samples taught.

    Parameters
    ----------
    free, nudged:
        The two phases.
    touched:
        Counters with a sum of changes other than 0, those at the end of their range included.
    flips:
        Weights that changed their sign, shape (connections,), int64.
    """

    free: EqPropPhase
    nudged: EqPropPhase
    touched: int
    flips: Counts


class EqPropNetwork:
    """Array of one spec and one set of parameters.

    Sums come from single-precision matrix products, which are exact: weights and bits are integers, and no partial sum
    exceeds ``2**15``, while single precision holds every integer up to ``2**24``. A sum, a state and a nudge together
    stay below ``2**15``, too, so 16 bits hold whatever is added.

    Parameters
    ----------
    spec:
        The network.
    parameters:
        As :attr:`EqPropSpec.parameters` describes them; copied.

    Raises
    ------
    SpecError
        If a parameter does not fit the spec.
    """

    def __init__(self, spec: EqPropSpec, parameters: Mapping[str, npt.ArrayLike]) -> None:
        self.spec = spec
        self.parameters = spec.check_parameters(parameters)
        self._free_steps, self._nudged_steps = self.parameters["steps"].tolist()
        self._highs = np.repeat(np.array(spec.state_highs, np.int16), spec.layers[1:])
        self._halves = (self._highs + 1) // 2
        self._weights = [self.parameters[f"weights_{c}"].astype(np.float32) for c in range(spec.connections)]

    # One step at a time

    def start(self, bits: npt.ArrayLike) -> EqPropState:
        """Return the state before the first step: all neurons on.

        Parameters
        ----------
        bits:
            Input bits, shape (batch, inputs).

        Raises
        ------
        SpecError
            If shape or values do not fit the spec.
        """
        inputs = self.spec.check_bits(bits)
        if inputs.ndim != 2:
            raise SpecError(f"input bits have shape {inputs.shape}; a batch has shape (batch, {self.spec.layers[0]})")
        drive = (inputs.astype(np.float32) @ self._weights[0].T).astype(np.int16)
        return EqPropState(np.repeat(self._highs[None], len(inputs), axis=0), drive)

    def step(self, state: EqPropState) -> BoolArray:
        """Run one step, in place; return which networks changed a state, shape (batch,)."""
        added = self._sums(state)
        if state.nudge is not None:
            output = self.spec.neurons[-1]
            pull = (state.nudge.goals - state.states[:, output]) << self.spec.nudge_shift
            added[:, output] += pull * state.nudge.sigma
        states = np.clip((state.states + added) >> 1, 0, self._highs)
        moved = (states != state.states).any(axis=1)
        state.states = states
        return moved

    def bits(self, states: IntegerArray) -> BoolArray:
        """Return what neurons send, in the shape of their states, (batch, targets)."""
        return states >= self._halves

    def _sums(self, state: EqPropState) -> npt.NDArray[np.int16]:
        """Return the weighted sums of all neurons, without nudge, shape (batch, targets)."""
        bits, neurons = self.bits(state.states).astype(np.float32), self.spec.neurons
        sums = np.zeros_like(bits)
        sums[:, neurons[0]] = state.drive
        for below, weights in enumerate(self._weights[1:]):
            sums[:, neurons[below]] += bits[:, neurons[below + 1]] @ weights
            sums[:, neurons[below + 1]] += bits[:, neurons[below]] @ weights.T
        return sums.astype(np.int16)

    # Whole runs

    def run(self, bits: npt.ArrayLike, *, trace: bool = False) -> EqPropPhase:
        """Run the free phase of a batch; arguments and errors as in :meth:`start`.

        ``trace`` keeps the states of every step, which takes a byte for each neuron, network and step.
        """
        return self._settle(self.start(bits), self._free_steps, trace)

    def learn(
        self,
        bits: npt.ArrayLike,
        labels: npt.ArrayLike,
        sigmas: npt.ArrayLike,
        thresholds: npt.ArrayLike,
        *,
        trace: bool = False,
    ) -> EqPropLesson:
        """Learn from a mini-batch; a device learns from batches of one.

        For each connection ``D_ij`` is the sum over the batch of ``sigma (n_i n_j - f_i f_j)``, with the bits f and n
        at the end of the free and of the nudged phase. Where it is not 0, it is added to the counter, and a weight w
        with ``-w counter >= threshold`` changes its sign. Counters saturate and are not changed by a flip.

        Parameters
        ----------
        bits:
            Input bits, shape (batch, inputs).
        labels:
            Class of each sample, shape (batch,), 0 to 255; one that is no class nudges all outputs toward 0.
        sigmas:
            1 where the nudge is toward the label, -1 where it is away from it, shape (batch,) or ().
        thresholds:
            One for each connection; see :meth:`EqPropSpec.check_thresholds`.
        trace:
            Keep the states of every step of both phases.

        Raises
        ------
        SpecError
            If the network cannot learn, or an argument does not fit it.
        """
        if not self.spec.learning:
            raise SpecError("this network cannot learn: it needs a spec with learning")
        limits = self.spec.check_thresholds(thresholds).tolist()
        start = self.start(bits)
        nudge = self._nudge(len(start.states), np.asarray(labels), np.asarray(sigmas))
        free = self._settle(start, self._free_steps, trace)
        nudged = self._settle(EqPropState(free.states.astype(np.int16), start.drive, nudge), self._nudged_steps, trace)
        before, after = self.bits(free.states), self.bits(nudged.states)
        samples = np.flatnonzero((before != after).any(axis=1))
        touched, flips = 0, np.zeros(self.spec.connections, np.int64)
        if samples.size:
            inputs = np.asarray(bits)[samples].astype(bool)
            layers = [(inputs, inputs)]
            layers += [(before[samples, neurons], after[samples, neurons]) for neurons in self.spec.neurons]
            sigma = nudge.sigma[samples].astype(np.float32)
            for connection, (below, above) in enumerate(pairwise(layers)):
                rows, changes = _changes(below, above, sigma)
                touched += np.count_nonzero(changes)
                flips[connection] = self._count(connection, rows, changes, limits[connection])
        return EqPropLesson(free, nudged, int(touched), flips)

    def call(self, input_bytes: bytes) -> bytes:
        """Run one network on the bytes of a device's input region; return those of its output region."""
        bits, sigma, label, thresholds = self.spec.decode_input(input_bytes)
        lesson = self.learn(bits[None], [label], sigma, thresholds) if sigma else None
        free = self.run(bits[None]) if lesson is None else lesson.free
        scores = self.scores(free.states)[0]
        return EqPropResult(
            winner=int(scores.argmax()),
            scores=scores,
            settled=bool(free.settled[0]),
            free_steps=int(free.steps[0]),
            nudged_steps=0 if lesson is None else int(lesson.nudged.steps[0]),
            learnt=lesson is not None,
            touched=0 if lesson is None else lesson.touched,
            flips=0 if lesson is None else int(lesson.flips.sum()),
        ).encode()

    def scores(self, states: IntegerArray) -> Counts:
        """Return the sum of the states of each class's outputs, shape (batch, classes); ``states`` as in a phase."""
        outputs = states[:, self.spec.neurons[-1]].astype(np.int64)
        return outputs.reshape(len(states), self.spec.classes, self.spec.replicas).sum(axis=2)

    # Parts

    def _settle(self, state: EqPropState, most: int, trace: bool) -> EqPropPhase:
        """Run every network until a step changes no state, or ``most`` steps."""
        batch = len(state.states)
        steps, settled = np.full(batch, most), np.zeros(batch, bool)
        states = state.states.copy()
        history = [states.astype(np.uint8)]
        rows = np.arange(batch)
        for step in range(1, most + 1):
            moved = self.step(state)
            states[rows] = state.states
            if trace:
                history.append(states.astype(np.uint8))
            steps[rows[~moved]] = step
            settled[rows[~moved]] = True
            # What has settled stays as it is, so it is left out.
            rows, state = rows[moved], state.part(np.flatnonzero(moved))
            if not rows.size:
                break
        return EqPropPhase(states.astype(np.uint8), settled, steps, np.stack(history) if trace else None)

    def _nudge(self, batch: int, labels: IntegerArray, sigmas: IntegerArray) -> Nudge:
        if labels.shape != (batch,) or not np.issubdtype(labels.dtype, np.integer):
            raise SpecError(f"labels have shape {labels.shape} and type {labels.dtype}; give {batch} integers")
        if batch and not 0 <= labels.min() <= labels.max() <= 255:
            raise SpecError(f"labels run from {labels.min()} to {labels.max()}; they must lie between 0 and 255")
        if sigmas.shape not in ((), (batch,)) or not (np.abs(sigmas) == 1).all():
            raise SpecError(f"sigmas are {sigmas.tolist()}; they must be -1 or 1, one for all or {batch}")
        outputs = np.arange(self.spec.layers[-1]) // self.spec.replicas
        goals = np.where(outputs == labels[:, None], np.int16(self.spec.state_highs[-1]), np.int16(0))
        return Nudge(goals, np.broadcast_to(sigmas, batch).astype(np.int16)[:, None])

    def _count(self, connection: int, rows: npt.NDArray[np.intp], changes: FloatArray, threshold: int) -> int:
        """Add to rows of counters, flip weights and return how many."""
        high = self.spec.counter_high
        counters = self.parameters[f"counters_{connection}"].copy()
        weights = self.parameters[f"weights_{connection}"].copy()
        # A counter is at its end whether it is passed by little or by much.
        moves = np.clip(changes, -2 * high, 2 * high).astype(np.int16)
        counters[rows] = np.clip(counters[rows] + moves, -high, high)
        flips = (moves != 0) & (-weights[rows] * counters[rows] >= threshold)
        weights[rows] = np.where(flips, -weights[rows], weights[rows])
        # New arrays tell whoever holds the old ones that they have changed.
        self.parameters[f"counters_{connection}"] = counters
        self.parameters[f"weights_{connection}"] = weights
        self._weights[connection][rows] = weights[rows]
        return int(np.count_nonzero(flips))


def _changes(
    below: tuple[BoolArray, BoolArray], above: tuple[BoolArray, BoolArray], sigma: FloatArray
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Return what a batch adds to some rows of counters, shape (rows, neurons below); it adds nothing to the others.

    ``below`` and ``above`` are the bits of two layers at the end of the free and of the nudged phase.
    """
    free, nudged = above
    rows = np.flatnonzero((free | nudged).any(axis=0))
    signed = np.concatenate([nudged[:, rows] * sigma, free[:, rows] * -sigma])
    return rows, signed.T @ np.concatenate([below[1], below[0]]).astype(np.float32)
