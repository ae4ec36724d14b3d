"""Oscillator networks as a dimod sampler: Ising and QUBO problems in, samples out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.host.device import Device
from attractor.host.oscillator import Progress
from attractor.solve.annealer import Annealer, Reads
from attractor.solve.annealing import Annealing, Rule
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import Placement, Scale, checked_seed, starts
from attractor.solve.program import Coupled, Program, Where, program
from attractor.spec import OscillatorSpec
from attractor.spec.sparse import SparseSpec

__all__ = ["PARAMETERS", "OscillatorSampler", "Program", "best_samples", "given_states", "reads_spins"]

#: What :meth:`OscillatorSampler.sample` takes beside the problem, with the properties that bound it.
PARAMETERS = {
    "num_reads": [],
    "seed": [],
    "initial_states": [],
    "initial_states_generator": [],
    "time_limit": [],
    "periods": ["schedule_entries"],
    "noise": ["largest_amplitude"],
    "max_step": ["phase_bits"],
    "lock": ["largest_amplitude"],
    "alternate": [],
    "final_noise": ["largest_amplitude"],
    "share": ["flips"],
    "rule": ["flips"],
    "scale": ["weight_bits"],
}


#: Energies that differ by less, relative to the least, are equal.
_CLOSE = 1e-12
#: Sets the generator that chooses between states that are equally good apart from that of starts and noise.
_TIES = 1


class OscillatorSampler(dimod.Sampler, dimod.Initialized):
    """Samples low energies by letting noisy oscillators settle.

    Every board takes the same way: parameters are loaded, and each read is one call with start phases and a seed of
    its own. The golden model in the process (``device=None``) skips the protocol and runs up to
    :data:`attractor.solve.annealer.BATCH` reads at once; its samples are equal to those of any device with the same
    spec.

    Parameters
    ----------
    device:
        Where networks run: None for the golden model, ``"sim:"`` or ``"rtl:"`` for a simulated board made for each
        problem, any other port's address for what is there, or an open device. Opened ports stay open until
        :meth:`close`, or the end of a ``with`` block.
    weight_bits:
        Width of the weights of networks made for a problem; a device has its own. None for 8 where all coefficients are
        exact in so many, otherwise for the widest.
    phase_bits:
        Width of their phases.
    lanes:
        Lanes of networks made for a problem, at most its variables; 0 for as many as possible. Noise depends on them,
        so samples equal those of a device with as many.
    couplings:
        Whether networks made for a problem have ``"dense"`` couplings, up to 4,096 oscillators, or ``"sparse"`` ones,
        up to 65,536, which flip and hold no more than the couplings that there are; ``"auto"`` takes sparse ones
        where at most an eighth of all pairs of more than 64 variables are coupled, and oscillators flip.
    random_start:
        Whether networks made for a problem draw their own start phases, other ones than are drawn here for those that
        do not. A device's does if its spec says so: reads without initial states then send no phases.
    call_limit:
        Seconds for one read on a device; None for the link's own limit.
    progress:
        Called with the number of finished reads and of all.
    keep_interrupted:
        Whether Ctrl-C ends reads as a time limit does: ``info["interrupted"]`` is True then. A second one is not held
        up.
    executor:
        Runs the golden model's batches, so that it uses all cores: a ``ProcessPoolExecutor``, or whatever sends
        functions somewhere on this machine. Samples are the same. It is not shut down.
    spec:
        Network of the golden model: samples are those of a device that has it. None for one made for each problem.

    Notes
    -----
    Equal seeds give equal samples on all devices of equal spec. Energies of a result are those of the problem as given,
    not of the rounded one. Its ``info`` holds ``seed``, ``device``, ``schedule`` (rows as in
    :attr:`OscillatorSpec.parameters`), ``annealing`` (what was chosen, and why), ``scale`` (weight units in a unit of
    energy), ``references`` (oscillators that share the biases), ``quantisation`` (``max_absolute`` in units of the
    coefficients, ``max_relative``, ``dropped`` coefficients), ``warnings`` (lines of text) and ``timing`` (see
    :class:`attractor.solve.annealer.Reads`). Where a time limit or an interrupt came before any read was finished,
    ``unfinished`` says that so many samples are reads as they stood.

    Examples
    --------
    >>> sampler = OscillatorSampler()
    >>> sampler.sample_ising({}, {("a", "b"): 1}, num_reads=3, seed=0).first.energy
    -1.0
    """

    def __init__(
        self,
        device: str | Device | None = None,
        *,
        weight_bits: int | None = None,
        phase_bits: int = 4,
        lanes: int = 0,
        couplings: Coupled = "auto",
        random_start: bool = False,
        call_limit: float | None = None,
        progress: Progress | None = None,
        keep_interrupted: bool = False,
        executor: Executor | None = None,
        spec: OscillatorSpec | None = None,
    ) -> None:
        options = {"call_limit": call_limit, "keep_interrupted": keep_interrupted, "executor": executor}
        self._annealer = Annealer(device, spec=spec, **options)
        self._made = {"weight_bits": weight_bits, "phase_bits": phase_bits, "lanes": lanes} | {
            "random_start": random_start
        }
        if couplings not in ("auto", "dense", "sparse"):
            raise ValueError(f"couplings is {couplings!r}; it must be 'auto', 'dense' or 'sparse'")
        self._couplings: Coupled = couplings
        self.progress = progress

    @property
    def parameters(self) -> dict[str, Any]:
        """Keywords of :meth:`sample`, each with the properties that bound it."""
        return {name: list(bounds) for name, bounds in PARAMETERS.items()}

    @property
    def properties(self) -> dict[str, Any]:
        """The device, and its spec's sizes; of networks made for a problem little is known."""
        spec = self._annealer.spec
        sizes: dict[str, Any] = dict(self._made) if spec is None else spec.to_dict()
        if spec is not None:
            sizes |= {"largest_amplitude": spec.largest_amplitude, "max_variables": spec.targets}
        return {"device": self._annealer.name} | sizes

    def close(self) -> None:
        """Close the port if it was opened here."""
        self._annealer.close()

    def sample(
        self,
        bqm: dimod.BinaryQuadraticModel,
        *,
        num_reads: int | None = None,
        seed: int | None = None,
        initial_states: Any = None,
        initial_states_generator: Any = "random",
        time_limit: float | None = None,
        periods: int = Annealing.periods,
        noise: float | None = None,
        max_step: int | None = None,
        lock: float | None = None,
        alternate: bool | None = None,
        final_noise: float = Annealing.final_noise,
        share: float | None = None,
        rule: Rule | None = None,
        scale: Scale = "refuse",
        **kwargs: Any,
    ) -> dimod.SampleSet:
        """Sample a binary quadratic model; what the result says is told at the class.

        Parameters
        ----------
        bqm:
            The problem, of spins or bits.
        num_reads:
            Number of runs, each from a start of its own; default 1, or the number of ``initial_states``.
        seed:
            Seed of start phases and noise, at least 0; None takes a new one.
        initial_states, initial_states_generator:
            Start of each read, as dimod takes samples, and how reads without one start: ``"random"``, ``"tile"`` (the
            given states again), or ``"none"``, which refuses. The default noise wipes starts out: lower ``noise`` to
            search near them.
        time_limit:
            Seconds after which all ends. The reads that are finished by then are given; if there is none, those under
            way as they stand, however poor they are.
        periods, noise, max_step, lock, alternate, final_noise, share, rule:
            See :class:`Annealing`; what is left out is chosen from the problem, and told in ``info["annealing"]``.
        scale:
            ``"refuse"`` takes only coefficients that a common factor turns into weights exactly; ``"auto"`` scales and
            rounds all others.

        Raises
        ------
        ProblemError
            If the problem is too large for the network, or its coefficients do not fit.
        """
        self.remove_unknown_kwargs(**kwargs)
        annealing = Annealing(periods, noise, max_step, lock, alternate, final_noise, share, rule)
        seed = checked_seed(seed)
        parsed = self.parse_initial_states(bqm, initial_states, initial_states_generator, num_reads, seed % 2**32)
        made = self.program(bqm, annealing, scale=scale)
        states = None if initial_states is None else given_states(parsed, initial_states, list(bqm.variables))
        info = {"seed": seed, "device": self._annealer.name} | made.info
        if not bqm.num_variables:
            info["timing"] = {"upload": 0.0, "anneal": 0.0, "download": 0.0, "cycles": None}
            return dimod.SampleSet.from_samples_bqm(np.empty((parsed.num_reads, 0), np.int8), bqm, info=info)
        reads = self._run(made, seed, parsed.num_reads, states, time_limit)
        given = 0 if states is None else len(states)
        drawn = [np.random.default_rng([seed, int(row), _TIES]) for row in reads.rows]
        spins = made.placement.spins(reads.phases)
        if made.placement.reference is None:
            # Nothing tells +1 from -1. The network does, a little, by the order in which oscillators move.
            turned = [row >= given and choice.random() < 0.5 for row, choice in zip(reads.rows, drawn, strict=True)]
            spins[np.array(turned, bool)] *= -1
        samples = best_samples(spins, bqm, drawn)
        info |= reads.about
        return dimod.SampleSet.from_samples_bqm((samples, list(bqm.variables)), bqm, info=info)

    def _run(
        self, program: Program, seed: int, count: int, states: npt.NDArray[np.int8] | None, time_limit: float | None
    ) -> Reads:
        """Run reads, the first ones from given states; where there are none, the network draws its starts if it can."""
        placement = program.placement
        drawn = placement.spec.random_start and states is None
        flips = program.annealing.rule == "flip"
        phases, seeds = starts(placement, seed, count, states, drawn=drawn, spins=flips)
        options = {"random_start": drawn, "spins": drawn and reads_spins(placement), "progress": self.progress}
        return self._annealer.run(program.model, phases, placement.clamp, seeds, time_limit=time_limit, **options)

    def program(self, bqm: dimod.BinaryQuadraticModel, annealing: Annealing, *, scale: Scale = "refuse") -> Program:
        """Return weights, schedule and placement for a problem; errors as in :meth:`sample`."""
        where = Where(self._annealer.spec, self._annealer.name, self._made, self._couplings)
        return program(bqm, annealing, where, scale)


def reads_spins(placement: Placement) -> bool:
    """Return whether spins relative to the reference oscillator say all of a read with drawn starts.

    They do of a binary network, unless biases are relative to another oscillator.
    """
    spec = placement.spec
    return isinstance(spec, SparseSpec) and spec.binary and placement.reference in (None, spec.reference)


def best_samples(
    spins: npt.NDArray[np.int8],
    bqm: dimod.BinaryQuadraticModel,
    choices: Sequence[np.random.Generator] | None = None,
) -> npt.NDArray[np.int8]:
    """Return the sample of least energy of each read, in the problem's own values.

    Parameters
    ----------
    spins:
        Shape (reads, readings, variables), in the order of the problem's variables.
    bqm:
        The problem.
    choices:
        For each read, what draws one of several readings of least energy: the order of the slots would otherwise decide
        between states that are equally good. None for the first.

    Returns
    -------
    ndarray
        Shape (reads, variables), int8.
    """
    reads, readings, variables = spins.shape
    values = spins if bqm.vartype is dimod.SPIN else (spins + 1) // 2
    energies = bqm.energies((values.reshape(-1, variables), list(bqm.variables))).reshape(reads, readings)
    least = energies.min(axis=1, keepdims=True)
    # Sums of the same terms in another order differ by rounding.
    ranks = np.where(energies <= least + _CLOSE * np.abs(least), 1.0, 0.0)
    if choices is not None:
        ranks *= 1 + np.array([choice.random(readings) for choice in choices])
    return values[np.arange(reads), ranks.argmax(axis=1)]


def given_states(parsed: Any, initial_states: Any, variables: list[Any]) -> npt.NDArray[np.int8]:
    """Return the spins of the reads that do not start at random, in the order of ``variables``."""
    states = parsed.initial_states
    given = len(states)
    if parsed.initial_states_generator == "random":
        given = min(given, len(dimod.as_samples(initial_states)[0]))
    order = [list(states.variables).index(variable) for variable in variables]
    values = states.record.sample[:given][:, order]
    return np.where(values > 0, 1, -1).astype(np.int8)
