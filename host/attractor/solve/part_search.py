"""Searches of a large problem's parts by samplers: one after the other, or several at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from attractor.host.errors import HostError
from attractor.solve.dimod_extra import dimod
from attractor.solve.division import Part
from attractor.solve.stopping import Stop

__all__ = ["PartSearch", "Solver", "search"]

Spins = npt.NDArray[np.int8]
#: Least time limit in seconds for a child: none has a result in less.
_LEAST_SECONDS = 0.01


@runtime_checkable
class Solver(Protocol):
    """A sampler that takes a part as arrays, without a model of dimod's in between."""

    def solve_part(self, part: Part, *, reads: int, seed: int, start: Spins | None) -> Spins:
        """Return samples of shape (reads, variables); ``start`` is a state to begin the first read with."""
        ...


class PartSearch:
    """Gives parts to samplers, and counts.

    Parameters
    ----------
    children:
        The samplers. Several work at once, in threads, each on a part of its own.
    stop:
        When all is to end.
    options:
        Keywords for the children.
    reads:
        Reads for each part.
    from_present:
        Whether the first of them starts at the present state, where the child can.
    executor:
        Does the searches, if there is one child.
    """

    def __init__(
        self,
        children: Sequence[dimod.Sampler],
        stop: Stop,
        *,
        options: dict[str, Any],
        reads: int,
        from_present: bool,
        executor: Executor | None,
    ) -> None:
        self._children, self._stop = list(children), stop
        self._options, self._reads, self._from_present = options, reads, from_present
        self._own = ThreadPoolExecutor(len(self._children)) if len(self._children) > 1 else None
        self._executor = self._own or executor
        self._locks = {id(child): threading.Lock() for child in self._children}
        #: Parts that a child was given.
        self.count = 0
        #: Sums of what the children's ``info["timing"]`` says.
        self.timing: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.shutdown(cancel_futures=True)

    def run(self, parts: Sequence[Part], seeds: Sequence[int]) -> list[Spins]:
        """Search parts; return samples for each, of shape (samples, variables).

        Raises
        ------
        HostError
            If no child is left whose board works.
        KeyboardInterrupt
            Also if a child kept what it had when it was interrupted.
        """
        cores = [part.core() for part in parts]
        found = []
        asked = [(core, seed) for (core, _), seed in zip(cores, seeds, strict=True) if len(core.indices)]
        answers = iter(self._answers(asked))
        for core, decided in cores:
            samples = np.tile(decided, (self._reads, 1))
            if len(core.indices):
                spins, timing = next(answers)
                samples = np.tile(decided, (len(spins), 1))
                samples[:, decided == 0] = spins
                self.timing = dict(Counter(self.timing) + Counter(timing))
            found.append(samples)
        self.count += len(asked)
        return found

    def _answers(self, asked: list[tuple[Part, int]]) -> Iterator[tuple[Spins, dict[str, float]]]:
        if self._executor is None:
            for part, seed in asked:
                yield search(self._children[0], part, seed, **self._keywords())
            return
        users = [self._children[number % len(self._children)] for number in range(len(asked))]
        function = search if self._own is None else self._in_turn
        futures = [
            self._executor.submit(function, user, part, seed, **self._keywords())
            for user, (part, seed) in zip(users, asked, strict=True)
        ]
        try:
            for user, future, (part, seed) in zip(users, futures, asked, strict=True):
                try:
                    answer = future.result()
                except HostError as error:
                    answer = self._by_another(user, part, seed, error)
                yield answer
        finally:
            for future in futures:
                future.cancel()

    def _in_turn(self, child: dimod.Sampler, part: Part, seed: int, **keywords: Any) -> tuple[Spins, dict[str, float]]:
        """Search a part when the child has nothing else to do: a board has one line."""
        with self._locks[id(child)]:
            return search(child, part, seed, **keywords)

    def _by_another(
        self, failed: dimod.Sampler, part: Part, seed: int, error: HostError
    ) -> tuple[Spins, dict[str, float]]:
        """Leave out a child whose board failed, and let another search its part; raise the error if there is none."""
        if failed in self._children:
            self._children.remove(failed)
        while self._children:
            child = self._children[0]
            try:
                return self._in_turn(child, part, seed, **self._keywords())
            except HostError as another:
                error = another
                self._children.remove(child)
        raise error

    def _keywords(self) -> dict[str, Any]:
        return {
            "reads": self._reads,
            "options": self._options,
            "from_present": self._from_present,
            "seconds": self._stop.left,
        }


def search(
    child: dimod.Sampler,
    part: Part,
    seed: int,
    *,
    reads: int,
    options: dict[str, Any],
    from_present: bool,
    seconds: float | None,
) -> tuple[Spins, dict[str, float]]:
    """Let a sampler search a part; return its samples, shape (samples, variables), and its timing.

    It is given what it says that it knows: ``seed``, ``time_limit`` in ``seconds``, and ``scale="auto"``, as biases
    that come from outside may be of any size.

    Raises
    ------
    KeyboardInterrupt
        If the sampler was interrupted and kept what it had.
    """
    start = part.start if from_present and part.start.all() else None
    if isinstance(child, Solver):
        return child.solve_part(part, reads=reads, seed=seed, start=start), {}
    limit = None if seconds is None else max(seconds, _LEAST_SECONDS)
    offered: dict[str, Any] = {"num_reads": reads, "seed": seed, "scale": "auto", "time_limit": limit}
    if start is not None:
        offered["initial_states"] = (start[None], list(range(len(start))))
    known = child.parameters
    keywords = {name: value for name, value in offered.items() if name in known and value is not None}
    model = dimod.BinaryQuadraticModel.from_numpy_vectors(part.linear, part.pairs, 0.0, dimod.SPIN)
    found = child.sample(model, **keywords | options)
    if found.info.get("interrupted"):
        raise KeyboardInterrupt
    order = np.argsort(np.asarray(list(found.variables), np.intp))
    timing = found.info.get("timing") or {}
    return found.record.sample[:, order].astype(np.int8), {
        name: value for name, value in timing.items() if isinstance(value, int | float)
    }
