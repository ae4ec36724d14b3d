"""Learning on the device: what is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from attractor.host.interface import Interface
from attractor.host.model import Model
from attractor.host.oscillator.interface import Patterns
from attractor.spec import OscillatorSpec, SpecError

__all__ = ["MARGIN_SHARE", "Learning", "LearningRule", "chosen_margin", "default_margin", "taught_phases"]

#: Rules by which a device learns.
LearningRule = Literal["hebb", "diederich-opper"]
#: Part of the largest field that patterns are held by unless a margin is given.
MARGIN_SHARE = 16


@dataclass(frozen=True)
class Learning:
    """How patterns were learnt.

    Parameters
    ----------
    rule:
        The rule.
    margin:
        Field by which patterns had to be held; Hebb's rule asks for one that no field reaches.
    epochs:
        Passes over the patterns.
    held:
        True if the last pass changed nothing: each target holds each pattern by the margin. None for Hebb's rule,
        which does not ask.
    cycles:
        Clock cycles of each call, shape (epochs, patterns), int64; 0 on a board that does not model them.
    model:
        Spec and parameters as read back from the device, with the rule in its provenance.
    """

    rule: LearningRule
    margin: int
    epochs: int
    held: bool | None
    cycles: npt.NDArray[np.int64]
    model: Model

    @classmethod
    def of(
        cls, rule: LearningRule, margin: int, held: bool | None, cycles: npt.NDArray[np.int64], learnt: Model
    ) -> Learning:
        """Return how patterns were learnt, with a model as read back, and say so in the model's provenance."""
        epochs, patterns = cycles.shape
        said = {"rule": rule, "margin": margin, "epochs": epochs, "held": held, "patterns": patterns}
        meaning = Interface(Patterns(), Patterns())
        return cls(rule, margin, epochs, held, cycles, replace(learnt, provenance=said, interface=meaning))

    @property
    def calls(self) -> int:
        """Number of calls: each pattern once in each pass."""
        return self.cycles.size


def default_margin(spec: OscillatorSpec) -> int:
    """Return the margin by which patterns are held unless another is given: a sixteenth of the largest field.

    With N oscillators and 5-bit weights that is N. Steps of one with margin N are Diederich and Opper's rule with step
    1 / N and margin 1, on real numbers; the weights that it needs for a few similar patterns just fill 5 bits. Other
    widths ask for the same share of their range.
    """
    return max(spec.largest_sum // MARGIN_SHARE, 1)


def chosen_margin(spec: OscillatorSpec, rule: LearningRule, margin: int | None) -> int:
    """Return the margin for a rule.

    Raises
    ------
    SpecError
        If the network cannot learn, there is no such rule, or the margin does not fit.
    """
    if not spec.learning:
        raise SpecError("this network cannot learn; build gateware from a spec with learning=True")
    if rule not in get_args(LearningRule):
        raise SpecError(f"rule is {rule!r}; known: {', '.join(get_args(LearningRule))}")
    if rule == "hebb":
        if margin is not None:
            raise SpecError(f"margin is {margin}, but Hebb's rule has none; leave it out, or use 'diederich-opper'")
        return spec.margin_high
    if margin is None:
        return default_margin(spec)
    if not 1 <= margin <= spec.margin_high:
        raise SpecError(f"margin is {margin}; it must lie between 1 and {spec.margin_high}")
    return int(margin)


def taught_phases(spec: OscillatorSpec, patterns: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return the phases that stand for patterns, shape (patterns, oscillators).

    Parameters
    ----------
    spec:
        The network.
    patterns:
        +1 and -1, shape (patterns, oscillators); or phases in slots, none of them negative. An array of ones is taken
        for phases, which changes nothing: a pattern and its negative are learnt alike.

    Raises
    ------
    SpecError
        If shape, type or a value does not fit.
    """
    array = np.atleast_2d(np.asarray(patterns))
    if array.ndim != 2 or not len(array):
        raise SpecError(f"patterns have shape {array.shape}; they need (patterns, {spec.oscillators})")
    if not (array < 0).any():
        return spec.check_phases(array).astype(np.uint8)
    wrong = (array != 1) & (array != -1)
    if wrong.any():
        raise SpecError(f"a pattern holds {array[tuple(np.argwhere(wrong)[0])]}; use +1 and -1, or phases from 0 up")
    return spec.check_phases(np.where(array > 0, 0, spec.period // 2)).astype(np.uint8)
