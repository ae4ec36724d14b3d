"""What is said of a component in a proof: claims and lemmas about its signals, also those that it does not show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    ClockDomain,
    Cover,
    Fragment,
    Module,
    Mux,
    ShapeLike,
    Signal,
    Value,
    ValueLike,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["Harness", "Inside"]


class Inside:
    """A component as it was elaborated, and the signals inside of it.

    A read port that a proof needs is added to a memory of ``module`` before :meth:`signal` is first asked.

    Parameters
    ----------
    component:
        It must not have been elaborated before.
    """

    def __init__(self, component: wiring.Component) -> None:
        self.module: Any = component.elaborate(None)
        self._fragment: Fragment | None = None
        self._signals: dict[str, list[Any]] = {}

    @property
    def fragment(self) -> Fragment:
        """What the component became; the same each time, so that it has the signals which were named."""
        if self._fragment is None:
            self._fragment = Fragment.get(self.module, None)
            _, names = rtlil.convert_fragment(self._fragment, ports=[])
            for signal, path in names.items():
                self._signals.setdefault(path[-1], []).append((path[1:-1], signal))
            _forget_domains(self._fragment)
        return self._fragment

    def signal(self, path: str) -> Signal:
        """Return the signal with a name, behind the names of the submodules that lead to it, such as ``walker.chunk``.

        Raises
        ------
        LookupError
            If there is not exactly one.
        """
        assert self.fragment is not None
        *parents, name = path.split(".")
        found = [signal for where, signal in self._signals.get(name, []) if where[: len(parents)] == tuple(parents)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} signals are named {path}; the proof has to follow the component")
        return found[0]

    def state(self, path: str = "fsm_state") -> Callable[..., Value]:
        """Return a function that tells whether a state machine is in one of the states that it is given."""
        signal = self.signal(path)
        states = dict(_states(signal))

        def within(*names: str) -> Value:
            unknown = set(names) - set(states)
            if unknown:
                raise LookupError(f"{path} has no state {', '.join(sorted(unknown))}; there are {', '.join(states)}")
            return signal.matches(*(states[name] for name in names))

        return within


class Harness:
    """A design around a component, with everything that a proof says of it.

    Claims are what the component promises. Lemmas are what holds inside of it, which induction needs to know; they are
    proven with the claims, and left out where a broken copy has to break a claim. The reset may come at any time; a
    register of the harness is reset with those of the component.

    Parameters
    ----------
    lemmas:
        Have lemmas.
    """

    def __init__(self, *, lemmas: bool) -> None:
        self.m = Module()
        self._lemmas = lemmas
        domain = ClockDomain("sync")
        self.m.domains += domain
        self._inputs: list[Signal] = [domain.clk, domain.rst]
        self._components = 0

    def open(self, component: wiring.Component, prepare: Callable[[Any], None] | None = None) -> Inside:
        """Add a component, whose inputs are free until they are driven; ``prepare`` may change its module."""
        inside = Inside(component)
        if prepare is not None:
            prepare(inside.module)
        self.m.submodules[f"dut_{self._components}" if self._components else "dut"] = inside.fragment
        self._components += 1
        for _, member, value in component.signature.flatten(component):
            signal: Any = Value.cast(value)
            if member.flow == In and len(signal):
                self._inputs.append(signal)
        return inside

    def free(self, shape: ShapeLike, name: str) -> Any:
        """Return an input, which may be anything in each cycle."""
        signal = Signal(shape, name=name)
        self._inputs.append(Value.cast(signal))  # pyright: ignore[reportArgumentType]
        return signal

    def constant(self, shape: ShapeLike, name: str) -> Any:
        """Return a number that may be anything, but always is the same."""
        free, value = self.free(shape, f"any_{name}"), Signal(shape, name=name)
        held, started = Signal(shape, name=f"held_{name}", reset_less=True), Signal(reset_less=True)
        self.m.d.sync += [started.eq(1), held.eq(value)]
        self.m.d.comb += Value.cast(value).eq(Mux(started, held, free))
        return value

    def drive(self, signal: ValueLike, value: ValueLike) -> None:
        """Drive an input of a component."""
        driven: Any = Value.cast(signal)
        self._inputs = [free for free in self._inputs if free is not driven]
        self.m.d.comb += driven.eq(value)

    def past(self, value: ValueLike) -> Signal:
        """Return what a value was in the cycle before; 0 after a reset."""
        before = Signal(Value.cast(value).shape())
        self.m.d.sync += before.eq(value)
        return before

    def assume(self, condition: ValueLike) -> None:
        """Let only that happen in which the condition holds in each cycle."""
        self.m.d.comb += Assume(condition, src_loc_at=1)

    def assume_stream(self, stream: Any) -> None:
        """Let who offers something to a component go on to do so until it is taken."""
        payload = Value.cast(stream.payload)
        waits = self.past(stream.valid & ~stream.ready)
        self.m.d.comb += Assume(~waits | (stream.valid & (payload == self.past(payload))))

    def claim_stream(self, stream: Any, name: str) -> None:
        """Claim that a component goes on to offer what it offers until it is taken."""
        payload = Value.cast(stream.payload)
        waits = self.past(stream.valid & ~stream.ready)
        self.claim(~waits | (stream.valid & (payload == self.past(payload))), f"{name} changes while it is offered")

    def claim(self, condition: ValueLike, otherwise: str) -> None:
        """Claim that a condition holds in each cycle; ``otherwise`` says what happened where it does not."""
        self.m.d.comb += Assert(condition, otherwise, src_loc_at=1)

    def lemma(self, condition: ValueLike, otherwise: str) -> None:
        """Say the same of what no one sees from outside."""
        if self._lemmas:
            self.m.d.comb += Assert(condition, f"lemma: {otherwise}", src_loc_at=1)

    def cover(self, condition: ValueLike, name: str) -> None:
        """Claim that a condition can hold, so that nothing is proven of what never happens."""
        self.m.d.comb += Cover(condition, name, src_loc_at=1)

    def convert(self) -> str:
        """Return the design in RTLIL, with the name ``top``."""
        return rtlil.convert(self.m, ports=self._inputs, emit_src=False)


def all_of(conditions: Iterable[Value]) -> Value:
    """Return whether all conditions hold."""
    result = Value.cast(1)
    for condition in conditions:
        result = result & condition.bool()
    return result


def any_of(conditions: Iterable[Value]) -> Value:
    """Return whether one of the conditions holds."""
    result = Value.cast(0)
    for condition in conditions:
        result = result | condition.bool()
    return result


def _forget_domains(fragment: Any) -> None:
    """Let a fragment find its clock domains again, where it becomes part of a design."""
    fragment.domains.clear()
    for part, *_ in fragment.subfragments:
        _forget_domains(part)


def _states(signal: Signal) -> Iterator[tuple[str, int]]:
    decoder: Any = signal.decoder
    for number in range(1 << len(signal)):
        try:
            yield decoder(number).rpartition("/")[0], number
        except KeyError:
            return
