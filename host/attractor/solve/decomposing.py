"""A sampler for problems larger than a network: it searches one part after the other, with all others held fixed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from attractor.host.pool import DevicePool
from attractor.solve.dimod_extra import dimod
from attractor.solve.division import TRAVERSALS, Traversal, Whole, apart, regions
from attractor.solve.ising import MOST_OSCILLATORS, checked_seed
from attractor.solve.part_search import PartSearch
from attractor.solve.sampler import OscillatorSampler, given_states
from attractor.solve.stopping import Stop

__all__ = ["DEFAULT_SIZE", "ROUNDS", "DecomposingSampler", "room"]

#: Most variables of a part where the child does not say how many it holds.
DEFAULT_SIZE = 1000
#: Rounds, each over all variables once, and rounds without a gain after which there are no more.
ROUNDS, PATIENCE = 20, 4
#: Parts searched at once by an executor's workers, whatever their number: it decides what is found.
TOGETHER = 4

#: What :meth:`DecomposingSampler.sample` takes beside the problem.
PARAMETERS = (
    "num_reads",
    "seed",
    "initial_states",
    "initial_states_generator",
    "rounds",
    "time_limit",
    "child_options",
)


class DecomposingSampler(dimod.ComposedSampler, dimod.Initialized):
    """Minimises large problems by a sampler that holds few variables.

    A *round* divides all variables into regions, so that none is chosen again before all were. Each region is a
    sub-problem for the child: the pull of all variables outside becomes biases. What comes back is kept unless it
    raises the energy of the whole, so the energy never rises. The next round divides otherwise.

    In the first round, variables that no region has had yet pull at nothing.

    Parameters
    ----------
    child:
        Any dimod sampler, or several equal ones, which then search a part each, in threads: the boards of a pool, for
        example (:meth:`on_pool`). One whose board fails is left out as long as there are others.
    size:
        Most variables of a sub-problem; None for what the child says that it holds (``max_variables`` in its
        properties, less one where a bias takes an oscillator), or :data:`DEFAULT_SIZE`.
    traversal:
        How regions are found, see :func:`attractor.solve.division.regions`.
    child_reads:
        Reads of the child for each sub-problem, of which the best is taken.
    from_present:
        Whether the first of these reads starts at the present state, if the child takes ``initial_states``.
    together:
        Sub-problems that are searched at once; regions without couplings between them where there are any. None for
        the number of children, or :data:`TOGETHER` with an executor. It decides what is found.
    executor:
        Runs the searches, if there is one child; None for this thread. One of threads needs a child that several may
        use at once, one of processes a child that can be sent to another process: the golden model's is both.
    progress:
        Called with the number of finished rounds and the most that there can be.
    keep_interrupted:
        Whether Ctrl-C ends it as a time limit does: ``info["interrupted"]`` is True then.

    Notes
    -----
    Equal seeds give equal samples, whatever runs the searches, if the child's samples depend on its seed alone and
    there is no time limit. ``info`` holds ``seed``, ``size``, ``rounds`` (of all reads), ``sub_problems`` (those that
    the child was given), ``energies`` (for each read, that after each of its rounds) and ``timing``: ``seconds`` in
    all, ``choosing`` of it for the choice of parts, and ``child``, sums of what the child's own ``timing`` says.

    Examples
    --------
    >>> ring = {(i, (i + 1) % 40): -1 for i in range(40)}
    >>> sampler = DecomposingSampler(OscillatorSampler(), size=15)
    >>> sampler.sample_ising({}, ring, seed=0, rounds=30).first.energy
    -40.0
    """

    def __init__(
        self,
        child: dimod.Sampler | Sequence[dimod.Sampler],
        size: int | None = None,
        *,
        traversal: Traversal = "priority",
        child_reads: int = 1,
        from_present: bool = False,
        together: int | None = None,
        executor: Executor | None = None,
        progress: Callable[[int, int], None] | None = None,
        keep_interrupted: bool = False,
    ) -> None:
        self._children = [child] if isinstance(child, dimod.Sampler) else list(child)
        if not self._children:
            raise ValueError("no child was given; give at least one sampler")
        if together is None:
            together = TOGETHER if executor is not None else len(self._children)
        for name, value in (("size", size), ("child_reads", child_reads), ("together", together)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if traversal not in TRAVERSALS:
            raise ValueError(f"traversal is {traversal!r}; it must be one of {', '.join(TRAVERSALS)}")
        self._size, self._together = size, together
        self._traversal: Traversal = traversal
        self._search_options = {"reads": child_reads, "from_present": from_present, "executor": executor}
        self._progress, self._keep_interrupted = progress, keep_interrupted

    @classmethod
    def on_pool(cls, pool: DevicePool, size: int | None = None, **options: Any) -> DecomposingSampler:
        """Return a sampler whose sub-problems are shared by the boards of a pool, which stays open."""
        return cls([OscillatorSampler(device) for device in pool.devices], size, **options)

    @property
    def children(self) -> list[dimod.Sampler]:  # type: ignore[override]
        """The samplers of sub-problems."""
        return self._children

    @property
    def parameters(self) -> dict[str, Any]:
        """Keywords of :meth:`sample`; ``child_options`` are those of the child."""
        return {name: [] for name in PARAMETERS}

    @property
    def properties(self) -> dict[str, Any]:
        """Most variables of a sub-problem, and the properties of the child."""
        return {"size": self.size, "child_properties": dict(self.child.properties)}

    @property
    def size(self) -> int:
        """Most variables of a sub-problem."""
        if self._size is not None:
            return self._size
        held = room(self.child, biased=True)
        if held is None or "max_variables" not in self.child.properties:
            return DEFAULT_SIZE
        return max(held, 1)

    def sample(
        self,
        bqm: dimod.BinaryQuadraticModel,
        *,
        num_reads: int | None = None,
        seed: int | None = None,
        initial_states: Any = None,
        initial_states_generator: Any = "random",
        rounds: int = ROUNDS,
        time_limit: float | None = None,
        child_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dimod.SampleSet:
        """Search for low energies; what the result says is told at the class.

        Parameters
        ----------
        bqm:
            The problem, of spins or bits.
        num_reads:
            Number of searches of the whole, each with a seed of its own; default 1, or the number of
            ``initial_states``.
        seed:
            Seed of the choice of parts and of the child, at least 0; None takes a new one.
        initial_states, initial_states_generator:
            States at which reads start, as dimod takes samples. Reads without one start undecided.
        rounds:
            Most rounds of a read. It ends earlier after :data:`PATIENCE` rounds that gained nothing.
        time_limit:
            Seconds after which all ends with what was found by then. A child with a ``time_limit`` is held to it, too.
        child_options:
            More keywords for the child's ``sample``.

        Raises
        ------
        ValueError
            If an argument is out of range; what the child raises passes through.
        """
        self.remove_unknown_kwargs(**kwargs)
        if rounds < 1:
            raise ValueError(f"rounds is {rounds}; at least one is needed")
        seed, began = checked_seed(seed), time.monotonic()
        parsed = self.parse_initial_states(bqm, initial_states, initial_states_generator, num_reads, seed % 2**32)
        variables: list[Any] = list(bqm.variables)
        states = [] if initial_states is None else list(given_states(parsed, initial_states, variables))
        run = _Run(self, _whole(bqm, variables), Stop.after(time_limit), rounds, float(bqm.spin.offset))
        search = PartSearch(self._children, run.stop, options=child_options or {}, **self._search_options)
        samples: list[npt.NDArray[np.int8]] = []
        with search:
            for read in range(parsed.num_reads):
                if read and (run.stop() or run.interrupted):
                    break
                samples.append(run.read(search, [seed, read], states[read] if read < len(states) else None))
        info = {"seed": seed, "size": self.size, "rounds": sum(map(len, run.energies)), "energies": run.energies}
        seconds = {"seconds": time.monotonic() - began, "choosing": run.choosing, "child": search.timing}
        info |= {"sub_problems": search.count, "timing": seconds} | ({"interrupted": True} if run.interrupted else {})
        values = np.array(samples, np.int8).reshape(len(samples), len(variables))
        values = values if bqm.vartype is dimod.SPIN else (values + 1) // 2
        return dimod.SampleSet.from_samples_bqm((values, variables), bqm, info=info)


class _Run:
    """The searches of one problem.

    Parameters
    ----------
    sampler:
        How to search.
    whole:
        The problem.
    stop:
        When to end.
    rounds:
        Most rounds of a read.
    offset:
        Added to energies that are told.
    """

    def __init__(self, sampler: DecomposingSampler, whole: Whole, stop: Stop, rounds: int, offset: float) -> None:
        self.stop, self.interrupted = stop, False
        #: For each read the energy after each of its rounds.
        self.energies: list[list[float]] = []
        #: Seconds for the choice of parts.
        self.choosing = 0.0
        self._sampler, self._whole, self._rounds, self._offset = sampler, whole, rounds, offset

    def read(self, search: PartSearch, seed: list[int], state: npt.NDArray[np.int8] | None) -> npt.NDArray[np.int8]:
        """Search once from a state, or from none; return the spins found, shape (variables,)."""
        whole = self._whole
        whole.reset(np.zeros(len(whole)) if state is None else state)
        self.energies.append([])
        try:
            self._rounds_of(search, np.random.default_rng(seed))
        except KeyboardInterrupt:
            if not self._sampler._keep_interrupted:
                raise
            self.interrupted = True
            whole.refresh()
        whole.decide()
        return whole.spins.copy()

    def _rounds_of(self, search: PartSearch, generator: np.random.Generator) -> None:
        whole, energies, progress = self._whole, self.energies[-1], self._sampler._progress
        quiet, gained = 0, True
        while len(whole) and len(energies) < self._rounds and quiet < PATIENCE and not self.stop():
            gained = self._round(search, generator)
            quiet = 0 if gained else quiet + 1
            whole.decide()
            whole.refresh()
            energies.append(whole.energy + self._offset)
            if progress is not None:
                progress(len(energies), self._rounds)

    def _round(self, search: PartSearch, generator: np.random.Generator) -> bool:
        """Search each region once, unless the time is over; return whether the energy has fallen."""
        whole, sampler, gained = self._whole, self._sampler, False
        began = time.monotonic()
        found = regions(whole, sampler.size, generator, sampler._traversal)
        groups = apart(whole, found, sampler._together)
        self.choosing += time.monotonic() - began
        for group in groups:
            seeds = generator.integers(1 << 31, size=len(group)).tolist()
            if self.stop():
                break
            samples = search.run([whole.part(region) for region in group], seeds)
            for region, spins in zip(group, samples, strict=True):
                gained |= whole.merge(region, spins)
        return gained


def room(sampler: dimod.Sampler, *, biased: bool) -> int | None:
    """Return the most variables that a sampler says it takes at once, with biases or without; None if it is silent."""
    known = sampler.properties
    if "max_variables" in known:
        return int(known["max_variables"]) - (biased and not known.get("inputs", 1))
    return MOST_OSCILLATORS - biased if isinstance(sampler, OscillatorSampler) else None


def _whole(bqm: dimod.BinaryQuadraticModel, variables: list[Any]) -> Whole:
    vectors: Any = bqm.spin.to_numpy_vectors(variable_order=variables)
    linear, (u, v, quadratic), _ = vectors
    return Whole(linear, u, v, quadratic)
