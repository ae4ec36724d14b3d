"""Binary Equilibrium Propagation by its definition: one neuron, one synapse after the other, in plain integers.

Nothing here is shared with the golden model, not even the spec's derived sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from attractor.spec import EqPropSpec

Layers = list[list[int]]
#: ``matrix[c][i][j]`` belongs to neuron i of layer c + 1 and neuron j of layer c.
Matrices = list[list[list[int]]]


@dataclass
class Sample:
    """An input, its class, and the sign of the nudge."""

    bits: list[int]
    label: int
    sigma: int


@dataclass
class Phase:
    """States of all layers but the input, before the first step and after every one."""

    trace: list[Layers]
    settled: bool

    @property
    def steps(self) -> int:
        return len(self.trace) - 1


@dataclass
class Reference:
    """A network whose weights and counters change in place."""

    spec: EqPropSpec
    weights: Matrices
    counters: Matrices
    steps: tuple[int, int]
    high: list[int] = field(init=False)

    def __post_init__(self) -> None:
        given = self.spec.state_high
        self.high = [0, *(given if isinstance(given, tuple) else [given] * (len(self.spec.layers) - 1))]

    def bit(self, layer: int, state: int) -> int:
        return 1 if 2 * state >= self.high[layer] else 0

    def free(self, sample: Sample) -> Phase:
        start = [[self.high[layer]] * size for layer, size in enumerate(self.spec.layers) if layer]
        return self.phase(sample, start, self.steps[0], nudged=False)

    def nudged(self, sample: Sample, free: Phase) -> Phase:
        return self.phase(sample, free.trace[-1], self.steps[1], nudged=True)

    def phase(self, sample: Sample, start: Layers, most: int, *, nudged: bool) -> Phase:
        trace = [start]
        for _ in range(most):
            trace.append(self.step(sample, trace[-1], nudged=nudged))
            if trace[-1] == trace[-2]:
                return Phase(trace, settled=True)
        return Phase(trace, settled=False)

    def step(self, sample: Sample, states: Layers, *, nudged: bool) -> Layers:
        bits = [sample.bits] + [[self.bit(layer + 1, s) for s in row] for layer, row in enumerate(states)]
        last = len(states)
        result: Layers = []
        for layer in range(1, last + 1):
            row = []
            for i, state in enumerate(states[layer - 1]):
                drive = 0
                for j, bit in enumerate(bits[layer - 1]):
                    drive += self.weights[layer - 1][i][j] * bit
                if layer < last:
                    for k, bit in enumerate(bits[layer + 1]):
                        drive += self.weights[layer][k][i] * bit
                elif nudged:
                    wanted = i // (len(states[-1]) // self.spec.classes) == sample.label
                    drive += sample.sigma * (self.high[layer] * wanted - state) * 2**self.spec.nudge_shift
                row.append(min(max((state + drive) // 2, 0), self.high[layer]))
            result.append(row)
        return result

    def scores(self, phase: Phase) -> list[int]:
        outputs = phase.trace[-1][-1]
        replicas = len(outputs) // self.spec.classes
        return [sum(outputs[k * replicas : (k + 1) * replicas]) for k in range(self.spec.classes)]

    def winner(self, phase: Phase) -> int:
        scores = self.scores(phase)
        return scores.index(max(scores))

    def learn(self, batch: list[Sample], thresholds: list[int]) -> tuple[int, list[int]]:
        """Learn from a mini-batch; return how many counters were touched, and flips of each connection."""
        ends = []
        for sample in batch:
            free = self.free(sample)
            nudged = self.nudged(sample, free)
            phases = []
            for phase in (free, nudged):
                rows = enumerate(phase.trace[-1])
                phases.append([sample.bits] + [[self.bit(layer + 1, s) for s in row] for layer, row in rows])
            ends.append((sample.sigma, *phases))
        limit = 2 ** (self.spec.counter_bits - 1) - 1
        touched, flips = 0, []
        for c, matrix in enumerate(self.weights):
            flips.append(0)
            for i, row in enumerate(matrix):
                for j, weight in enumerate(row):
                    change = 0
                    for sigma, f, n in ends:
                        change += sigma * (n[c + 1][i] * n[c][j] - f[c + 1][i] * f[c][j])
                    if change == 0:
                        continue
                    touched += 1
                    counter = min(max(self.counters[c][i][j] + change, -limit), limit)
                    self.counters[c][i][j] = counter
                    if -weight * counter >= thresholds[c]:
                        row[j] = -weight
                        flips[-1] += 1
        return touched, flips
