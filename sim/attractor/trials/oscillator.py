"""Random oscillator networks: schedules with all that they can have, clamped oscillators, seeds and lessons."""

from __future__ import annotations

import numpy as np

from attractor.spec import IntegerArray, OscillatorSpec, Parameters, Region
from attractor.spec.oscillator import FLIP_SHARES, SEED_BITS
from attractor.trials.base import Trials, with_unused_bits
from attractor.trials.features import Features, features_of

__all__ = ["ENTRY_PERIODS", "SCHEDULE_PERIODS", "TRIALS", "OscillatorTrials"]

#: Most periods of an entry, unless a schedule has so few that even all of them would be short.
ENTRY_PERIODS = 3
#: Periods that any schedule can have.
SCHEDULE_PERIODS = 12


class OscillatorTrials(Trials[OscillatorSpec]):
    """Networks that mostly settle within a few periods; corners are as likely as the middle."""

    def parameters(self, spec: OscillatorSpec, rng: np.random.Generator) -> dict[str, IntegerArray]:
        """Draw dense, sparse or extreme couplings, and a schedule of short entries, some of them with no period."""
        extreme = rng.choice([spec.weight_low, spec.weight_high], (spec.targets, spec.oscillators))
        weights = rng.integers(spec.weight_low, spec.weight_high + 1, extreme.shape)
        weights *= rng.random(extreme.shape) < rng.choice([0.1, 0.5, 1])
        return {
            "weights": extreme if rng.random() < 0.2 else weights,
            "schedule": self._schedule(spec, rng),
            "settle": np.array(rng.integers(0, 4)),
        }

    def _schedule(self, spec: OscillatorSpec, rng: np.random.Generator) -> IntegerArray:
        entries, half = spec.schedule_entries, spec.period // 2
        longest = max(ENTRY_PERIODS, SCHEDULE_PERIODS // entries)
        columns = {"periods": rng.integers(0, longest + 1, entries), "alternate": rng.integers(0, 2, entries)}
        columns["periods"][0] += rng.random() < 0.9
        columns["max_step"] = rng.choice([0, 1, half, int(rng.integers(0, half + 1))], entries)
        for column in ("noise", "lock"):
            highest = min(int(rng.choice([0, 3, 2 * spec.weight_high, spec.largest_amplitude])), spec.largest_amplitude)
            columns[column] = rng.integers(0, highest + 1, entries)
        if spec.flips:
            columns["flips"] = rng.integers(0, len(FLIP_SHARES) + 1, entries) * (rng.random(entries) < 0.7)
        return np.stack([columns[column] for column in spec.schedule_columns], axis=1)

    def inputs(self, spec: OscillatorSpec, rng: np.random.Generator) -> bytes:
        """Draw start phases, clamps and a seed; where the network learns, more calls show a pattern than run.

        Where the network draws start phases, it is to do so in most calls; a lesson takes the given ones all the same.
        """
        phases = self._phases(spec, rng)
        clamp = rng.random(spec.oscillators) < rng.choice([0, 0.2])
        margin = 0
        if spec.learning and rng.random() < 0.6:
            margin = int(rng.choice([1, spec.margin_high, int(rng.integers(1, spec.margin_high + 1))]))
        data = spec.encode_input(phases, clamp, int(rng.integers(0, 1 << SEED_BITS)), margin)
        if spec.random_start and rng.random() < 0.6:
            contents = spec.memory_map.split(Region.INPUT, data)
            data = spec.memory_map.join(Region.INPUT, contents | {"start": b"\1"})
        return with_unused_bits(spec.memory_map, Region.INPUT, data, rng)

    def _phases(self, spec: OscillatorSpec, rng: np.random.Generator) -> IntegerArray:
        """Draw start phases, which are 0 and half a period alone in many calls."""
        phases = rng.integers(0, spec.period, spec.oscillators)
        if rng.random() < 0.4:
            phases = rng.integers(0, 2, spec.oscillators) * spec.period // 2
        return phases

    def features(self, spec: OscillatorSpec, parameters: Parameters, inputs: bytes, outputs: bytes) -> Features:
        """Return what a call had: of a schedule only the entries that it ran, of clamps only those of targets."""
        result, given = spec.decode_output(outputs), spec.decode_input(inputs)
        begins = np.cumsum([0, *parameters["schedule"][:-1, 0]])
        ran = (begins < result.periods)[:, None] & (given.margin == 0)
        found = features_of(spec, {**parameters, "schedule": parameters["schedule"] * ran}, inputs, outputs)
        found["input state.clamp"] = bool(given.clamp[spec.inputs :].any())
        if spec.labels < 2:
            del found["result result.winner"]
        return found


TRIALS = OscillatorTrials()
