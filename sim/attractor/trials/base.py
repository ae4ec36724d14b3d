"""What is drawn for any family: parameters over their whole range, and inputs whose bits are all random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from attractor.spec import (
    IntegerArray,
    MemoryMap,
    Parameters,
    ParameterSpec,
    Record,
    Region,
    Spec,
    Window,
    family_of,
)
from attractor.trials.features import Features, features_of

__all__ = ["AnySpec", "Trials", "random_parameter", "random_record", "trials_of", "with_unused_bits"]

AnySpec = TypeVar("AnySpec", bound=Spec)


class Trials(Generic[AnySpec]):
    """Random parameters and inputs of a family's networks.

    This class draws from all that a spec allows, each value as likely as another. A family whose networks then do
    little of interest, as those whose sums all overflow a threshold, draws otherwise, in a subclass.
    """

    def parameters(self, spec: AnySpec, rng: np.random.Generator) -> dict[str, IntegerArray]:
        """Draw all parameters of a network.

        Parameters
        ----------
        spec:
            The network.
        rng:
            Where all that is random comes from.

        Returns
        -------
        dict
            Arrays as :attr:`Spec.parameters` describes them.
        """
        return {name: random_parameter(parameter, rng) for name, parameter in spec.parameters.items()}

    def inputs(self, spec: AnySpec, rng: np.random.Generator) -> bytes:
        """Draw the input region of a call; bits that nobody reads are random, too."""
        memory_map = spec.memory_map
        contents = {window.name: _random_window(window, rng) for window in memory_map.region(Region.INPUT)}
        return memory_map.join(Region.INPUT, contents)

    def features(self, spec: AnySpec, parameters: Parameters, inputs: bytes, outputs: bytes) -> Features:
        """Return what a call had of all that its network can do, as :func:`features_of` does.

        What a network never can have, such as a second class where there is one, is left out in a subclass.
        """
        return features_of(spec, parameters, inputs, outputs)


def trials_of(spec: Spec) -> Trials[Any]:
    """Return the trials of the spec's family."""
    return family_of(spec).view("trials") or Trials()


def random_parameter(parameter: ParameterSpec, rng: np.random.Generator) -> IntegerArray:
    """Draw a parameter over its whole range, both ends included; 0 only if it is allowed."""
    low, high = np.broadcast_arrays(*map(np.asarray, (parameter.low, parameter.high)))
    skips = parameter.nonzero & (low <= 0) & (high >= 0)
    values = rng.integers(low, high + 1 - skips, parameter.shape)
    return (values + (skips & (values >= 0))).astype(parameter.dtype)


def random_record(record: Record, words: int, rng: np.random.Generator) -> dict[str, IntegerArray]:
    """Draw all fields of some words, each over its range, as :meth:`Record.encode_words` takes them."""
    values = {}
    for field in record.used:
        low, high = field.range
        values[field.name] = rng.integers(low, high, (words, field.count or 1), endpoint=True)
    return values


def with_unused_bits(memory_map: MemoryMap, region: Region, data: bytes, rng: np.random.Generator) -> bytes:
    """Return a region with bits that a device has but nobody reads at random; those that it does not keep stay 0."""
    contents = memory_map.split(region, data)
    for window in memory_map.region(region):
        spare = _kept_bits(window) & ~_used_bits(window)
        known = np.frombuffer(contents[window.name], np.uint8)
        contents[window.name] = (known | (spare & np.frombuffer(rng.bytes(window.size), np.uint8))).tobytes()
    return memory_map.join(region, contents)


def _random_window(window: Window, rng: np.random.Generator) -> bytes:
    noise = np.frombuffer(rng.bytes(window.size), np.uint8)
    if window.record is None:
        return (noise & _kept_bits(window)).tobytes()
    words = window.words if window.record_is_a_word else 1
    drawn = window.record.encode_words(random_record(window.record, words, rng), words).ravel()
    return (drawn | (noise & _kept_bits(window) & ~_used_bits(window))).tobytes()


def _kept_bits(window: Window) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bits that a device keeps of a window as ones, shape (bytes,)."""
    word = ((1 << window.word_bits) - 1).to_bytes(window.word_bytes, "little")
    return np.frombuffer(word * window.words, np.uint8)


def _used_bits(window: Window) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bits of a window that mean something as ones, shape (bytes,)."""
    if window.record is None:
        return _kept_bits(window)
    words = window.words if window.record_is_a_word else 1
    ones: Mapping[str, IntegerArray] = {
        field.name: np.full((words, field.count or 1), -1) for field in window.record.used
    }
    return window.record.encode_words(ones, words).ravel()
