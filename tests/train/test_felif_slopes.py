"""Slopes of single neurons against finite differences, and whole gradients against loops over single numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.physics.felif import FelifDevice, FelifTwin
from attractor.train.felif import FelifNeurons, FullFelifNeurons, LifNeurons, Readout, Synapses, TrainedNetwork
from attractor.train.felif.bruno import SURROGATES, CoarseStep, Form
from attractor.train.felif.neurons import TrainedNeurons

DEVICE = FelifDevice()
TICK = 1e-3


def states(count: int, seed: int, *, low: float = 0.85, high: float = 1.6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return voltages, polarisations and currents whose fields lie where the polarisation moves, shape (1, count)."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(-1, 1, (1, count))
    u = p + rng.uniform(low, high, (1, count)) * rng.choice([-1, 1], (1, count))
    return u, p, rng.uniform(-1, 1, (1, count))


# One coarse step


def test_form_b_is_the_derivative_of_the_coarse_step() -> None:
    coarse = CoarseStep(DEVICE, TICK, "B")
    u, p, i = states(400, 0)
    slopes = coarse.slopes(u, p, i)
    assert slopes.p_u is not None
    h = 1e-7
    for by, found in (
        ((h, 0, 0), (slopes.u_u, slopes.p_u)),
        ((0, h, 0), (slopes.u_p, slopes.p_p)),
        ((0, 0, h), (slopes.inside, np.zeros_like(u))),
    ):
        up, down = (coarse.step(*(x + sign * d for x, d in zip((u, p, i), by, strict=True))) for sign in (1, -1))
        clipped = slopes.inside == 0
        expected_u = np.where(clipped, 0, (up[0] - down[0]) / (2 * h))
        expected_p = (up[1] - down[1]) / (2 * h)
        assert found[0] == pytest.approx(expected_u, rel=2e-5, abs=2e-5)
        assert found[1] == pytest.approx(expected_p, rel=2e-5, abs=2e-5)
    # All kinds of states were among them: rates at their limit, voltages that are clipped, and neither.
    limited = coarse.step(u, p, i)[1] - np.sign(u - p) == 0
    assert all(0.05 < share.mean() < 0.95 for share in (limited, slopes.inside))


def test_form_a_holds_the_switching_time() -> None:
    a, b = (CoarseStep(DEVICE, TICK, form).slopes(*states(300, 1)) for form in ("A", "B"))
    u, p, _ = states(300, 1)
    assert a.p_u is None
    rate = np.minimum(TICK / DEVICE.switching_time(u - p), 1)
    assert a.p_p == pytest.approx(1 - rate)
    assert a.u_p == pytest.approx(DEVICE.coupling * rate * a.inside)
    assert np.array_equal(a.inside, b.inside)
    # Where the rate is limited both forms agree.
    limited = rate == 1
    assert b.p_u is not None
    assert limited.any()
    assert (b.p_u[limited] == 0).all()
    assert b.u_p[limited] == pytest.approx(a.u_p[limited])
    assert not np.allclose(b.u_p[~limited], a.u_p[~limited])


def test_slopes_stay_finite_everywhere() -> None:
    u, p = (grid.reshape(1, -1) for grid in np.meshgrid(np.linspace(-5, 5, 41), np.linspace(-1, 1, 41)))
    for form in ("A", "B"):
        slopes = CoarseStep(DEVICE, TICK, form).slopes(u, p, np.zeros_like(u))
        for array in (slopes.u_u, slopes.u_p, slopes.p_p, slopes.inside):
            assert np.isfinite(array).all()
        assert abs(slopes.u_p).max() <= (1 if form == "A" else 10) * DEVICE.coupling + 40


def test_constants_of_each_neuron() -> None:
    varied = DEVICE.varied(3, 0.1, np.random.default_rng(0))
    u, p, i = states(3, 2)
    whole = CoarseStep(varied, TICK, "B").slopes(u, p, i)
    for index in range(3):
        values = {name: getattr(varied, name) for name in varied.__dataclass_fields__}
        alone = FelifDevice(**{name: value[index] if np.ndim(value) else value for name, value in values.items()})
        one = CoarseStep(alone, TICK, "B").slopes(*(x[:, [index]] for x in (u, p, i)))
        assert one.u_p == pytest.approx(whole.u_p[:, [index]])
        assert one.u_u == pytest.approx(whole.u_u[:, [index]])


def test_surrogates() -> None:
    x = np.array([-2.0, 0.0, 0.3])
    assert SURROGATES["superspike"](x) == pytest.approx([1 / 21, 1, 1 / 4])
    assert SURROGATES["hyperbolic"](x) == pytest.approx([1 - math.tanh(2) ** 2, 1, 1 - math.tanh(0.3) ** 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CoarseStep(DEVICE, TICK, "C"), "form is 'C'"),  # pyright: ignore[reportArgumentType]
        (lambda: FelifNeurons(DEVICE, 1, surrogate="box"), "surrogate is 'box'; it must be one of superspike"),
        (lambda: LifNeurons(1, decay=1.1), "decay is 1.1; it must lie between 0 and 1"),
        (lambda: LifNeurons(1, decay=1, synapse_decay=-1), "synapse_decay is -1"),
        (lambda: Readout(size=1, decay=2), "decay is 2"),
        (lambda: Readout(size=1, synapses=Synapses(recurrent=True)), "a read-out sends nothing"),
        (lambda: TrainedNetwork(3, []), "layers is empty"),
    ],
)
def test_what_cannot_be(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # pyright: ignore[reportCallIssue]


# The true gradient through the fine model


@pytest.mark.parametrize("steps", [40, 1000])
def test_full_backpropagation_is_the_derivative_of_the_fine_model(steps: int) -> None:
    """By finite differences of the last voltages and polarisations, over three ticks without spikes."""
    device = replace(DEVICE, threshold=4.9)
    neurons, rng = FullFelifNeurons(device, 5, steps=steps), np.random.default_rng(3)
    currents = rng.uniform(1.0, 6.0, (3, 1, 5)) * rng.choice([1, 1, -0.5], (3, 1, 5))
    by_u, by_p = rng.standard_normal((2, 1, 5))

    def value(given_currents: np.ndarray) -> np.ndarray:
        state = FelifTwin(device, steps=steps).start(1, 5)
        twin = FelifNeurons(device, 5, steps=steps)
        for current in given_currents:
            twin.advance(state, current)
        u, p = state.voltage * device.per_volt, state.polarisation / device.saturation
        return u * by_u + p * by_p

    state = neurons.begin(1)
    records = [neurons.advance(state, current) for current in currents]
    carried, found = (by_u, by_p), np.empty_like(currents)
    for tick in reversed(range(3)):
        found[tick], carried = neurons.backward(records[tick], np.zeros((1, 5)), carried)
    expected = np.empty_like(currents)
    for tick in range(3):
        # Neurons do not see each other, so all are nudged at once.
        nudge = np.zeros_like(currents)
        nudge[tick] = 1e-5
        expected[tick] = (value(currents + nudge) - value(currents - nudge)) / 2e-5
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert abs(state.polarisation).min() < 0.2


def test_frozen_steps_pass_nothing_on() -> None:
    """After the threshold the current does not count, so the earlier a neuron spikes the smaller its slope."""
    neurons = FullFelifNeurons(DEVICE, 2)
    state = neurons.begin(1)
    state.polarisation[:] = 0.22
    record = neurons.advance(state, np.array([[2.6, 10.0]]))
    assert record.spikes.all()
    by_current, _ = neurons.backward(record, np.zeros((1, 2)), (np.ones((1, 2)), np.zeros((1, 2))))
    assert by_current[0] == pytest.approx([2.43 / 2.6, 2.42 / 10], rel=0.02)


# Whole networks, number by number


def loop_gradient(
    kind: str, form: Form, weights: list[np.ndarray], frames: np.ndarray, by_outputs: np.ndarray
) -> list[np.ndarray]:
    """Return the gradient by all weights of a network of one recurrent layer and a read-out, for one sequence.

    Plain loops over neurons and ticks, with the published recursion in volts and C/m^2 written out; values of the
    forward run come from the device twin or from LIF equations.
    """
    w, v = weights
    size, inputs, ticks = len(w), frames.shape[1], len(frames)
    slope = SURROGATES["hyperbolic" if kind == "felif" else "superspike"]
    twin = FelifTwin(DEVICE, steps=250)
    state = twin.start(1, size)
    lif = np.zeros(size)
    tape: list[tuple[np.ndarray, ...]] = []
    spikes = np.zeros(size)
    for frame in frames:
        sources = np.concatenate([frame, spikes])
        sums = w @ sources
        if kind == "felif":
            before = state.voltage[0].copy(), state.polarisation[0].copy(), spikes.copy()
            twin.advance(state, sums[None] * 1e-8)
            spikes = state.spikes[0].astype(float)
            tape.append((sources, sums * 1e-8, *before, state.voltage[0].copy(), spikes))
        else:
            voltage = 0.9 * lif + sums
            spikes = (voltage >= 1).astype(float)
            lif = voltage * (1 - spikes)
            tape.append((sources, voltage, spikes))
    by_w, by_v = np.zeros_like(w), np.zeros_like(v)
    gv, gp, by_next = np.zeros(size), np.zeros(size), np.zeros(size)
    for tick in reversed(range(ticks)):
        sources, *rest = tape[tick]
        by_spikes = v.T @ by_outputs[tick] + w[:, inputs:].T @ by_next
        by_v += np.outer(by_outputs[tick], rest[-1])
        by_sum = np.zeros(size)
        for n in range(size):
            if kind == "felif":
                current, v0, p0, s0, v1, _ = (float(array[n]) for array in rest)
                g = gv[n] + by_spikes[n] * slope(np.array(v1 - DEVICE.threshold))
                by_i, gv[n], gp[n] = felif_back(form, v0, p0, current, g * (1 - s0), gp[n] * (1 - s0))
                by_sum[n] = by_i * 1e-8
            else:
                voltage, spike = float(rest[0][n]), float(rest[1][n])
                by_sum[n] = gv[n] * (1 - spike) + by_spikes[n] * slope(np.array(voltage - 1))
                gv[n] = 0.9 * by_sum[n]
        by_w += np.outer(by_sum, sources)
        by_next = by_sum
    return [by_w, by_v, by_outputs.sum(axis=0)]


def felif_back(form: str, v: float, p: float, current: float, gv: float, gp: float) -> tuple[float, float, float]:
    """Return gradients by I, v and p before a tick of 1 ms, by the published Jacobian in SI units."""
    d = DEVICE
    kc, kd, c, a = (float(x) for x in (d.applied_divider, d.depolarisation_divider, d.capacitance, d.area))
    ps, ea, alpha, delta = float(d.saturation), float(d.activation_field), d.exponent, 1e-3
    e = v * kc - p * kd
    x = (ea / abs(e)) ** alpha
    sign = math.copysign(1, e)
    rho = math.exp(min(-x - math.log(d.attempt_time), 700))
    limited = delta * rho >= 1
    rho = min(rho, 1 / delta)
    i0a = float(d.leak_density) * a
    leak = (i0a * (math.exp(v / d.leak_voltage) - 1) + float(d.discharge)) * math.copysign(1, v) * (v != 0)
    by_leak = i0a / d.leak_voltage * math.exp(v / d.leak_voltage) * math.copysign(1, v) * (v != 0)
    moved = a * (sign * ps - p) * rho
    mask = float(abs(v + delta * (current - leak - moved) / c) <= d.limit)
    if form == "A":
        dv, dp = 1 - delta / c * by_leak, delta * a * rho / c
        pv, pp = 0.0, 1 - delta * rho
    else:
        rising = 0.0 if limited else sign * alpha * x * rho / abs(e)
        by_v, by_p = a * (sign * ps - p) * rising * kc, -a * rho - a * (sign * ps - p) * rising * kd
        dv, dp = 1 - delta / c * (by_leak + by_v), -delta / c * by_p
        pv, pp = delta / a * by_v, 1 + delta / a * by_p
    return gv * mask * delta / c, gv * mask * dv + gp * pv, gv * mask * dp + gp * pp


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([("felif", "A"), ("felif", "B"), ("lif", "A")]), st.booleans(), st.integers(0, 2**32 - 1))
def test_gradients_equal_loops_over_single_numbers(kind: tuple[str, Form], recurrent: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ticks, batch, inputs, size, outputs = 12, 2, 4, 5, 3
    neurons: TrainedNeurons = (
        FelifNeurons(DEVICE, size, form=kind[1], steps=250) if kind[0] == "felif" else LifNeurons(size, decay=0.9)
    )
    network = TrainedNetwork(inputs, [(neurons, Synapses(recurrent=recurrent))], Readout(size=outputs))
    high = 0.25 if kind[0] == "felif" else 0.6
    parameters = {
        "weights_0": rng.uniform(-high / 3, high, network.shapes["weights_0"]),
        "weights_1": rng.standard_normal((outputs, size)),
        "bias": rng.standard_normal(outputs),
    }
    frames = rng.integers(0, 2, (ticks, batch, inputs)).astype(float)
    run = network.forward(parameters, frames)
    by_outputs = rng.standard_normal(run.outputs.shape)
    found = network.backward(run, by_outputs)
    w = parameters["weights_0"] if recurrent else np.pad(parameters["weights_0"], ((0, 0), (0, size)))
    expected = [
        loop_gradient(kind[0], kind[1], [w, parameters["weights_1"]], frames[:, b], by_outputs[:, b])
        for b in range(batch)
    ]
    for name, parts in zip(("weights_0", "weights_1", "bias"), zip(*expected, strict=True), strict=True):
        total = sum(parts)
        if name == "weights_0":
            total = total[:, : found[name].shape[1]]
        assert found[name] == pytest.approx(total, rel=1e-6, abs=1e-9 * max(1.0, float(np.abs(total).max())))
    assert np.isfinite(run.outputs).all()


def test_a_leaky_readout_and_a_synaptic_state_by_finite_differences() -> None:
    """Below the threshold a surrogate slope does not enter the derivative of what the read-out adds."""
    readout, rng = Readout(size=2, decay=0.7), np.random.default_rng(0)
    neurons = LifNeurons(3, decay=0.8, synapse_decay=0.6)
    by_outputs = rng.standard_normal((6, 2, 2))
    drives = rng.standard_normal((6, 2, 2))

    def read(values: np.ndarray) -> float:
        state, total = np.zeros((2, 2)), 0.0
        for value, by in zip(values, by_outputs, strict=True):
            state = 0.7 * state + value
            total += float((state * by).sum())
        return total

    back = readout.backward(by_outputs)
    for index in [(0, 0, 0), (3, 1, 1), (5, 0, 1)]:
        nudge = np.zeros_like(drives)
        nudge[index] = 1e-6
        assert back[index] == pytest.approx((read(drives + nudge) - read(drives - nudge)) / 2e-6, rel=1e-6)
    # The voltage after six ticks, by the current of each.
    state = neurons.begin(1)
    records = [neurons.advance(state, np.full((1, 3), 0.05)) for _ in range(6)]
    assert not any(record.spikes.any() for record in records)
    carried = np.ones((1, 3)), np.zeros((1, 3))
    slopes = []
    for record in reversed(records):
        by_current, carried = neurons.backward(record, np.zeros((1, 3)), carried)
        slopes.append(by_current[0, 0])
    expected = [sum(0.8 ** (age - k) * 0.6**k for k in range(age + 1)) for age in range(6)]
    assert slopes == pytest.approx(expected)
