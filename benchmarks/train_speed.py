"""How fast Equilibrium Propagation arrays are trained, against whole matrices in plain NumPy.

Both learn MNIST by the same rules from the same weights, and must end with the same weights and counters, bit for bit;
otherwise the benchmark fails. After one epoch a part of the second is measured in processor time and scaled to one of
60,000 samples, in turns, so that a busy machine slows down all alike. NumPy's library for matrix products runs in one
thread if ``OMP_NUM_THREADS`` and ``OPENBLAS_NUM_THREADS`` are 1.

The data are not part of this project: ``ATTRACTOR_DATA`` names a folder with a subfolder ``mnist``.

``batch``
    Samples after which weights may flip; with 1 a device's rule.
``samples``
    How many were measured.
``seconds_per_epoch``
    :class:`attractor.train.eqprop.sequence.SequenceLearner`, which trains.
``dense_seconds_per_epoch``, ``ratio``
    The definition in plain NumPy: in every step the products of all bits with all weights, in single precision; after
    each batch all counters and weights. ``ratio`` is how many times longer it takes.
``frugal_seconds_per_epoch``, ``frugal_ratio``
    The same, but with the sums of the inputs computed once for each sample, as they do not change.
``share_of_*``
    Where the time of ``seconds_per_epoch`` goes. ``start``: sums of the inputs. ``free``, ``nudged``: the phases;
    ``phases``: both, where samples are run ahead in blocks. ``checking``: whether samples that were run ahead would
    still do the same. ``learning``: counters and flips.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from reporting import log, parser, report

from attractor.data.mnist import Mnist, mnist
from attractor.spec import EqPropSpec, IntegerArray
from attractor.train.eqprop import STEPS, initial_parameters
from attractor.train.eqprop.sequence import SequenceLearner

NETWORKS = ((784, 512, 100), (784, 2048, 100))
#: Batch, and samples that are measured in each turn.
BATCHES = ((64, 1280), (1, 200))
TURNS = 5
STATE_HIGH = 50
THRESHOLDS = (13, 16)
#: Samples of an epoch; one is learnt before anything is measured, in mini-batches of 64. It flips more weights than
#: any later one, which makes it slower where samples are run ahead.
EPOCH = 60_000
SEED = 0

Bits = npt.NDArray[np.bool_]
#: Bits, labels and signs of some samples.
Samples = tuple[Bits, IntegerArray, IntegerArray]


class Plain:
    """The rules in plain NumPy, for networks with one hidden layer.

    Parameters
    ----------
    spec, parameters:
        The network.
    frugal:
        Compute the sums of the inputs once for each sample.
    """

    def __init__(self, spec: EqPropSpec, parameters: dict[str, IntegerArray], *, frugal: bool) -> None:
        self.spec, self.frugal = spec, frugal
        self.weights = [parameters[f"weights_{c}"].astype(np.float32) for c in (0, 1)]
        self.counters = [parameters[f"counters_{c}"] for c in (0, 1)]

    def learn(self, samples: Samples) -> None:
        """Learn from a mini-batch."""
        bits, labels, sigmas = samples
        inputs, sigma = bits.astype(np.float32), sigmas[:, None].astype(np.int32)
        goals = STATE_HIGH * np.repeat(np.eye(self.spec.classes, dtype=np.int32)[labels], self.spec.replicas, axis=1)
        hidden, output = (np.full((len(bits), size), STATE_HIGH, np.int32) for size in self.spec.layers[1:])
        drive = (inputs @ self.weights[0].T).astype(np.int32)
        ends = []
        for nudged, steps in enumerate(STEPS):
            for _ in range(steps):
                if not self.frugal:
                    drive = (inputs @ self.weights[0].T).astype(np.int32)
                hidden_bits, output_bits = _on(hidden), _on(output)
                up = (hidden_bits @ self.weights[1].T).astype(np.int32)
                down = (output_bits @ self.weights[1]).astype(np.int32)
                if nudged:
                    up += sigma * ((goals - output) << self.spec.nudge_shift)
                hidden = np.clip((hidden + drive + down) >> 1, 0, STATE_HIGH)
                output = np.clip((output + up) >> 1, 0, STATE_HIGH)
            ends.append((_on(hidden), _on(output)))
        (free_hidden, free_output), (nudged_hidden, nudged_output) = ends
        self._count(0, ((nudged_hidden - free_hidden) * sigmas[:, None]).T.astype(np.float32) @ inputs)
        signed_nudged, signed_free = (
            (part * sigmas[:, None]).T.astype(np.float32) for part in (nudged_output, free_output)
        )
        self._count(1, signed_nudged @ nudged_hidden - signed_free @ free_hidden)

    def _count(self, connection: int, changes: npt.NDArray[np.float32]) -> None:
        high, weights = self.spec.counter_high, self.weights[connection]
        counters = np.clip(self.counters[connection] + changes.astype(np.int16), -high, high)
        flips = (changes != 0) & (-weights * counters >= THRESHOLDS[connection])
        self.counters[connection] = counters
        self.weights[connection] = np.where(flips, -weights, weights)


def _on(states: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    return (2 * states >= STATE_HIGH).astype(np.float32)


class Watched(SequenceLearner):
    """The learner with a clock at its parts."""

    def __init__(self, spec: EqPropSpec, parameters: dict[str, IntegerArray], *, parts: dict[str, str]) -> None:
        super().__init__(spec, parameters)
        self.seconds: dict[str, float] = defaultdict(float)
        for name, part in parts.items():
            setattr(self, name, self._timed(getattr(self, name), part))

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            started = time.process_time()
            result = function(*arguments)
            self.seconds[part] += time.process_time() - started
            return result

        return timed


#: Parts of the learner, by the methods that do them.
BATCH_PARTS = {"_start": "start", "_settle": "free", "_settle_nudged": "nudged", "_learn_all": "learning"}
SEQUENCE_PARTS = {"_record": "phases", "_differ": "checking", "_learn_all": "learning"}


def samples(data: Mnist, generator: np.random.Generator, count: int) -> Samples:
    """Return random samples, and a sign for each."""
    chosen = generator.permutation(EPOCH)[:count]
    return data.train_images[chosen] >= 128, data.train_labels[chosen], generator.choice([-1, 1], count)


def in_batches(given: Samples, batch: int, learn: Callable[[Samples], Any]) -> float:
    """Learn from all samples and return the processor time."""
    started = time.process_time()
    bits, labels, sigmas = given
    for start in range(0, len(bits), batch):
        part = slice(start, start + batch)
        learn((bits[part], labels[part], sigmas[part]))
    return time.process_time() - started


def row(layers: tuple[int, ...], batch: int, count: int, data: Mnist) -> dict[str, Any]:
    """Measure one network with one kind of batch."""
    generator = np.random.default_rng(SEED)
    spec = EqPropSpec(layers=layers, state_high=STATE_HIGH, learning=True)
    thresholds = np.array(THRESHOLDS)
    warm = SequenceLearner(spec, initial_parameters(spec, seed=SEED))
    in_batches(samples(data, generator, EPOCH), 64, lambda part: warm.learn(*part, thresholds))
    watched = Watched(spec, warm.parameters, parts=SEQUENCE_PARTS if batch == 1 else BATCH_PARTS)
    plain, frugal = (Plain(spec, warm.parameters, frugal=frugal) for frugal in (False, True))
    seconds = np.zeros(3)
    for _ in range(TURNS):
        given = samples(data, generator, count)
        if batch == 1:
            fast = in_batches(given, count, lambda part: watched.learn_each(*part, thresholds))
        else:
            fast = in_batches(given, batch, lambda part: watched.learn(*part, thresholds))
        seconds += fast, in_batches(given, batch, plain.learn), in_batches(given, batch, frugal.learn)
    found = watched.parameters
    for other in (plain, frugal):
        for c in (0, 1):
            assert (other.weights[c] == found[f"weights_{c}"]).all(), "weights differ"
            assert (other.counters[c] == found[f"counters_{c}"]).all(), "counters differ"
    epoch = seconds * EPOCH / (TURNS * count)
    shares = {f"share_of_{part}": value / seconds[0] for part, value in watched.seconds.items()}
    return {
        "network": "-".join(map(str, layers)),
        "batch": batch,
        "samples": TURNS * count,
        "seconds_per_epoch": epoch[0],
        "dense_seconds_per_epoch": epoch[1],
        "ratio": epoch[1] / epoch[0],
        "frugal_seconds_per_epoch": epoch[2],
        "frugal_ratio": epoch[2] / epoch[0],
        **{f"share_of_{part}": None for part in ("start", "free", "nudged", "phases", "checking", "learning")},
        **shares,
    }


def main() -> None:
    """Measure all networks."""
    arguments = parser(__doc__).parse_args()
    data = mnist()
    rows = []
    for layers in NETWORKS:
        for batch, count in BATCHES:
            rows.append(row(layers, batch, count, data))
            log(f"{rows[-1]['network']}, batch {batch}: {rows[-1]['ratio']:.1f} times as fast")
    report({"identical": True, "rows": rows}, as_json=arguments.json)


if __name__ == "__main__":
    main()
