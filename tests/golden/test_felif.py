from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from attractor.golden import FelifNetwork, network
from attractor.golden.felif import neurons
from attractor.physics.felif import FelifDevice, felif_parameters
from attractor.spec import FelifLayer, FelifSpec, SpecError

from .felif_cases import Case, felif_cases, felif_specs, felif_values
from .reference_felif import Reference

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(felif_cases())
def test_every_state_of_every_tick_equals_the_definition(case: Case) -> None:
    run = FelifNetwork(case.spec, case.parameters).run(case.frames, trace=True)
    assert run.traces is not None
    for sample, frames in enumerate(case.frames):
        reference = Reference(case.spec, case.parameters)
        counts, spikes = [0] * case.spec.outputs, 0
        for tick, frame in enumerate(frames):
            reference.tick(frame.tolist())
            for index, cells in enumerate(reference.layers):
                trace = run.traces[index]
                expected = [(c.total, c.drive, c.v, c.p, c.c, c.s) for c in cells]
                arrays = trace.sums, trace.drive, trace.voltage, trace.polarisation, trace.synapse, trace.spikes
                found = [
                    tuple(None if array is None else int(array[tick, sample, i]) for array in arrays)
                    for i in range(len(cells))
                ]
                assert found == expected, (tick, index)
                spikes += sum(c.s for c in cells)
            counts = [n + c.s for n, c in zip(counts, reference.layers[-1], strict=True)]
        expected_outputs = counts if case.spec.layers[-1].spikes else [c.v for c in reference.layers[-1]]
        assert run.outputs[sample].tolist() == expected_outputs
        assert run.winner[sample] == expected_outputs.index(max(expected_outputs))
        assert run.spikes[sample] == spikes


def test_the_cases_reach_what_they_are_for() -> None:
    """Spikes, saturation at both ends, resets and sums of 0 must occur, or the test above says little."""
    seen: Counter[str] = Counter()

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(felif_cases())
    def look(case: Case) -> None:
        run = FelifNetwork(case.spec, case.parameters).run(case.frames, trace=True)
        assert run.traces is not None
        for index, (layer, trace) in enumerate(zip(case.spec.layers, run.traces, strict=True)):
            seen[f"{layer.kind} spikes"] += int(trace.spikes.sum())
            if trace.polarisation is not None:
                seen[f"{layer.kind} up"] += int((trace.polarisation == layer.polarisation_high).sum())
                seen[f"{layer.kind} between"] += int((abs(trace.polarisation) < layer.polarisation_high).sum())
                limit = case.parameters[f"limit_{index}"][0]
                seen[f"{layer.kind} limit"] += int((abs(trace.voltage) == limit).sum())

    look()
    kinds = ("felif_a", "felif_b")
    wanted = [f"{kind} {what}" for kind in kinds for what in ("spikes", "up", "between", "limit")] + ["lif spikes"]
    assert all(seen[what] for what in wanted), seen


@settings(max_examples=50, deadline=None)
@given(felif_cases(batch=1))
def test_a_run_in_pieces_is_the_same_run(case: Case) -> None:
    model, whole = network(case.spec, case.parameters), FelifNetwork(case.spec, case.parameters).run(case.frames)
    spec, spikes, outputs = case.spec, 0, np.zeros(case.spec.outputs, np.int64)
    for keep, part in ((False, slice(0, 5)), (True, slice(5, 6)), (True, slice(6, 12))):
        result = spec.decode_output(model.call(spec.encode_input(case.frames[0, part], keep=keep)))
        assert result.ticks == part.stop - part.start
        spikes += result.spikes
        outputs = outputs + result.outputs if spec.layers[-1].spikes else result.outputs
    assert spikes == whole.spikes[0]
    assert outputs.tolist() == whole.outputs[0].tolist()
    again = spec.decode_output(model.call(spec.encode_input(case.frames[0])))
    assert (again.winner, again.outputs.tolist()) == (whole.winner[0], whole.outputs[0].tolist())


def test_the_first_call_keeps_nothing() -> None:
    spec = FelifSpec(inputs=1, layers=(FelifLayer(neurons=1, kind="readout", scale_shift=0),), ticks=2)
    parameters = {"weights_0": [[1]], "scale_0": [1], "bias_0": [0], "decay_0": [32768]}
    model = FelifNetwork(spec, parameters)
    outputs = [
        spec.decode_output(model.call(spec.encode_input([[1]], keep=keep))).outputs.tolist()
        for keep in (True, True, False)
    ]
    assert outputs == [[1], [2], [1]]


@settings(max_examples=30, deadline=None)
@given(felif_specs())
def test_lanes_change_nothing(spec: FelifSpec) -> None:
    parameters = felif_values(spec, np.random.default_rng(0), wild=False)
    frames = np.ones((1, 4, spec.inputs), int)
    one, many = (FelifNetwork(replace(spec, lanes=lanes), parameters).run(frames) for lanes in (1, 0))
    assert one.outputs.tolist() == many.outputs.tolist()


def test_runs_do_not_change_the_states_they_begin_with() -> None:
    spec = FelifSpec(inputs=1, layers=(FelifLayer(neurons=1, kind="lif", scale_shift=0),), ticks=9)
    model = FelifNetwork(
        spec, {"weights_0": [[1]], "scale_0": [100], "bias_0": [0], "decay_0": [32768], "threshold_0": [1000]}
    )
    states = model.start(1)
    first, second = (model.run(np.ones((1, 3, 1), int), states=states).states[0].voltage.tolist() for _ in range(2))
    assert first == second == [[300]]


def test_a_batch_has_three_axes() -> None:
    spec = FelifSpec(inputs=2, layers=(FelifLayer(neurons=1, kind="readout"),))
    model = FelifNetwork(spec, {"weights_0": [[1, 1]], "scale_0": [1], "bias_0": [0], "decay_0": [0]})
    with pytest.raises(SpecError, match=r"shape \(3, 2\); a batch has shape \(batch, ticks, 2\)"):
        model.run(np.zeros((3, 2), int))


# Neurons by hand


def test_plain_neurons_by_hand() -> None:
    layer = FelifLayer(neurons=1, kind="lif", state_bits=12, synapse=True, reset="subtract", strict=True)
    cell = neurons(
        layer,
        {
            name: np.array([value])
            for name, value in {
                "scale": 1, "bias": 0, "threshold": 300, "decay": 16384, "synapse_decay": 8192
            }.items()
        },
    )  # fmt: skip
    state, seen = cell.start(1), []
    for drive in (200, 200, -101, 0):
        cell.step(state, np.array([[drive]]))
        assert state.synapse is not None
        seen.append((state.synapse.item(), state.voltage.item(), state.spikes.item()))
    # c = 200; 50 + 200; 62 - 101; -39 / 4 toward zero. v = 200; 100 + 250 above 300 by 50; 25 - 39; -14 / 2 - 9.
    assert seen == [(200, 200, False), (250, 50, True), (-39, -14, False), (-9, -16, False)]


def test_the_published_constants_of_a_follow_from_the_device() -> None:
    values = felif_parameters(FelifLayer(neurons=1, kind="felif_a"), FelifDevice())
    assert {name: int(values[name][0]) for name in ("threshold", "reset", "limit", "coupling", "inverse")} == {
        "threshold": 9891, "reset": -5935, "limit": 19782, "coupling": 2374, "inverse": 6379
    }  # fmt: skip


def test_a_neuron_freezes_in_its_substep_and_is_reset_a_tick_later() -> None:
    layer = FelifLayer(neurons=2, kind="felif_b")
    values = felif_parameters(layer, FelifDevice())
    cell = neurons(layer, values | {"scale": np.ones(2, int), "bias": np.zeros(2, int)})
    state = cell.start(1)
    assert state.polarisation is not None
    state.voltage[:] = values["threshold"] - 100_000
    state.polarisation[:] = 2**20
    cell.step(state, np.array([[30_000, -30_000]]))
    assert state.spikes.tolist() == [[True, False]]
    # It passes the threshold once and stays there.
    assert 0 <= state.voltage[0, 0] - values["threshold"][0] < 30_000
    cell.step(state, np.array([[30_000, 0]]))
    assert (state.voltage[0, 0], state.polarisation[0, 0]) == (values["reset"][0], -(2**20))
    assert not state.spikes.any()


@pytest.mark.parametrize("kind", ["felif_a", "felif_b"])
def test_a_neuron_spikes_at_its_threshold(kind: str) -> None:
    layer = FelifLayer(neurons=2, kind=kind)
    values = felif_parameters(layer, FelifDevice()) | {"scale": np.ones(2, int), "bias": np.zeros(2, int)}
    # Without leak, input and a field that moves the polarisation, the voltage stays.
    cell = neurons(layer, values | {"leak_scale": np.zeros(2, int), "threshold": np.full(2, 700)})
    state = cell.start(1)
    assert state.polarisation is not None
    state.voltage[:] = 700, 699
    state.polarisation[:] = 0
    cell.step(state, np.zeros((1, 2), int))
    assert state.voltage.tolist() == [[700, 699]]
    assert state.spikes.tolist() == [[True, False]]
