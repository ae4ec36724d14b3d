"""Memory and time of one gradient: BRUNO against backpropagation through every microsecond of the device twin.

Random spikes of 512 inputs, a layer of ferroelectric neurons, the sum of squared spikes as loss. Both methods run the
same forward model and find the same spikes. Full backpropagation keeps only the two states before each Euler step and
works the rest out again, in the arithmetic that BRUNO uses for its one coarse step. Memory is the peak of what NumPy
allocates for a gradient, weights and inputs aside; time is processor time, the least of some runs in turn.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
from reporting import log, parser, report

from attractor.physics.felif import FelifDevice
from attractor.train.felif import FelifNeurons, FullFelifNeurons, Synapses, TrainedNetwork

INPUTS = 512
METHODS = {"bruno": FelifNeurons, "full": FullFelifNeurons}


class Setting:
    """One size of network and one length of sequence."""

    def __init__(self, neurons: int, steps: int, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.frames = (generator.random((steps, 1, INPUTS)) < 0.1).astype(np.float64)
        self.parameters = {"weights_0": generator.uniform(0, 0.02, (neurons, INPUTS))}
        self.networks = {
            name: TrainedNetwork(INPUTS, [(kind(FelifDevice(), neurons), Synapses())]) for name, kind in METHODS.items()
        }

    def gradient(self, method: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the spikes and the gradient by the weights."""
        network = self.networks[method]
        run = network.forward(self.parameters, self.frames)
        return run.outputs, network.backward(run, 2 * run.outputs)["weights_0"]

    def seconds(self, method: str) -> float:
        """Return the processor time of one gradient."""
        start = time.process_time()
        self.gradient(method)
        return time.process_time() - start

    def peak(self, method: str) -> int:
        """Return the most bytes that one gradient needs at a time."""
        tracemalloc.start()
        try:
            self.gradient(method)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def row(neurons: int, steps: int, repeats: int) -> dict[str, float]:
    """Measure one setting."""
    setting = Setting(neurons, steps)
    spikes = {method: setting.gradient(method)[0] for method in METHODS}
    assert np.array_equal(spikes["bruno"], spikes["full"]), "the forward models differ"
    times = [[setting.seconds(method) for method in METHODS] for _ in range(repeats)]
    seconds = dict(zip(METHODS, np.min(times, axis=0).tolist(), strict=True))
    memory = {method: setting.peak(method) for method in METHODS}
    return {
        "steps": steps,
        "neurons": neurons,
        "memory_saving": 1 - memory["bruno"] / memory["full"],
        "time_saving": 1 - seconds["bruno"] / seconds["full"],
        "spikes": int(spikes["bruno"].sum()),
        **{f"{method}_bytes": memory[method] for method in METHODS},
        **{f"{method}_seconds": seconds[method] for method in METHODS},
    }


def main() -> None:
    """Measure all settings."""
    arguments = parser(__doc__)
    arguments.add_argument("--neurons", type=int, nargs="+", default=[64, 128, 256], help="sizes of the layer")
    arguments.add_argument("--steps", type=int, nargs="+", default=[10, 30, 100], help="lengths of a sequence, ms")
    arguments.add_argument("--repeats", type=int, default=3, help="gradients that are timed")
    given = arguments.parse_args()
    rows = []
    for neurons in given.neurons:
        for steps in given.steps:
            rows.append(row(neurons, steps, given.repeats))
            saved = rows[-1]
            log(
                f"{neurons} neurons, {steps} ms: {saved['memory_saving']:.1%} less memory, "
                f"{saved['time_saving']:.1%} less time"
            )
    report({"rows": rows}, as_json=given.json)


if __name__ == "__main__":
    main()
