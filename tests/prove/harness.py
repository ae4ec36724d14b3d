# amaranth: UnusedElaboratable=no
"""What is said of a component in a proof: claims and lemmas about its signals, also those that it does not show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
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
    """A component as it was elaborated, and what is inside of it.

    What a component does not show are mostly local variables of the methods that build it. They are looked at as these
    return, so that the component neither has to know of proofs nor has to give a signal another name for them.

    Parameters
    ----------
    component:
        It must not have been elaborated before.
    prepare:
        Changes its module, for example by a further read port of a memory.
    """

    def __init__(self, component: wiring.Component, prepare: Callable[[Any], None] | None = None) -> None:
        self._component: Any = component
        self._variables: dict[int, dict[str, Any]] = {}
        with self._watching():
            self._module = self._component.elaborate(None)
            if prepare is not None:
                prepare(self._module)
            self.fragment = Fragment.get(self._module, None)

    def get(self, path: str, of: wiring.Component | None = None) -> Any:
        """Return a local variable or an attribute of the component, or those of its parts, such as ``walker.chunk``.

        ``of`` is a part to begin with instead.

        Raises
        ------
        LookupError
            If there is none.
        """
        found: Any = of or self._component
        for name in path.split("."):
            variables = self._variables.get(id(found), {})
            if name not in variables and not hasattr(found, name):
                raise LookupError(
                    f"nothing is called {name} on the way to {path}; the proof has to follow the component"
                )
            found = variables[name] if name in variables else getattr(found, name)
        return found

    def state(self, path: str = "fsm") -> Callable[..., Value]:
        """Return a function that tells whether a state machine is in one of the states that it is given."""
        signal = self.get(path).state
        states = dict(_states(signal))

        def within(*names: str) -> Value:
            unknown = set(names) - set(states)
            if unknown:
                raise LookupError(f"{path} has no state {', '.join(sorted(unknown))}; there are {', '.join(states)}")
            return signal.matches(*(states[name] for name in names))

        return within

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Keep the local variables of all methods of components that return meanwhile."""

        def watch(frame: FrameType, event: str, _: Any) -> None:
            if event == "return" and isinstance(owner := frame.f_locals.get("self"), wiring.Component):
                self._variables.setdefault(id(owner), {}).update(frame.f_locals)

        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            yield
        finally:
            sys.setprofile(before)


class Harness:
    """A design around a component, with everything that a proof says of it.

    Claims are what the component promises. Lemmas are what holds inside of it, which induction needs to know; they are
    proven with the claims, and left out where a broken copy has to break a claim. The reset may come at any time; a
    register of the harness is reset with those of the component.

    Parameters
    ----------
    lemmas:
        Have lemmas.

    Attributes
    ----------
    scenario:
        Testbench in which everything that is covered happens, and each fault breaks a claim: for components in which
        this takes more cycles than a solver looks at.
    assumptions, claims, covers:
        What was said, each with its text.
    """

    scenario: Callable[[Any], Coroutine[Any, Any, None]] | None = None

    def __init__(self, *, lemmas: bool) -> None:
        self.m = Module()
        self.assumptions: list[tuple[Signal, str]] = []
        self.claims: list[tuple[Signal, str]] = []
        self.covers: list[tuple[Signal, str]] = []
        self._lemmas = lemmas
        domain: Any = ClockDomain("sync")
        self.m.domains += domain
        self._reset = domain.rst
        self._inputs: list[Signal] = [domain.clk, domain.rst]
        self._components = 0

    def open(self, component: wiring.Component, prepare: Callable[[Any], None] | None = None) -> Inside:
        """Add a component, whose inputs are free until they are driven; ``prepare`` may change its module."""
        inside = Inside(component, prepare)
        self.m.submodules[f"dut_{self._components}" if self._components else "dut"] = inside.fragment
        self._components += 1
        for _, member, value in component.signature.flatten(component):
            signal: Any = Value.cast(value)
            if member.flow == In and isinstance(signal, Signal) and len(signal):
                self._inputs.append(signal)
        return inside

    def never_reset(self) -> None:
        """Let there be no reset but that with which everything begins."""
        self.drive(self._reset, 0)

    def free(self, shape: ShapeLike, name: str) -> Any:
        """Return an input, which may be anything in each cycle."""
        signal = Signal(shape, name=name)
        self._inputs.append(Value.cast(signal))  # pyright: ignore[reportArgumentType]
        return signal

    def input(self, name: str) -> Signal:
        """Return the input with a name."""
        return next(signal for signal in self._inputs if signal.name == name)

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

    def assume(self, condition: ValueLike, text: str = "something is assumed") -> None:
        """Let only that happen in which the condition holds in each cycle."""
        self._say(self.assumptions, condition, text)

    def assume_stream(self, stream: Any) -> None:
        """Let who offers something to a component go on to do so until it is taken."""
        payload = Value.cast(stream.payload)
        waits = self.past(stream.valid & ~stream.ready)
        self.assume(~waits | (stream.valid & (payload == self.past(payload))), "an offer stays")

    def claim_stream(self, stream: Any, name: str) -> None:
        """Claim that a component goes on to offer what it offers until it is taken."""
        payload = Value.cast(stream.payload)
        waits = self.past(stream.valid & ~stream.ready)
        self.claim(~waits | (stream.valid & (payload == self.past(payload))), f"{name} changes while it is offered")

    def claim(self, condition: ValueLike, otherwise: str) -> None:
        """Claim that a condition holds in each cycle; ``otherwise`` says what happened where it does not."""
        self._say(self.claims, condition, otherwise)

    def lemma(self, condition: ValueLike, text: str) -> None:
        """Claim something that no one sees from outside; ``text`` says what holds."""
        if self._lemmas:
            self._say(self.claims, condition, f"not so: {text}")

    def cover(self, condition: ValueLike, name: str) -> None:
        """Claim that a condition can hold, so that nothing is proven of what never happens."""
        self._say(self.covers, condition, name)

    def _say(self, what: list[tuple[Signal, str]], condition: ValueLike, text: str) -> None:
        holds = Signal()
        self.m.d.comb += holds.eq(Value.cast(condition).bool())
        what.append((holds, text))

    def convert(self) -> str:
        """Return the design in RTLIL, with the name ``top``."""
        for statement, said in ((Assume, self.assumptions), (Assert, self.claims), (Cover, self.covers)):
            self.m.d.comb += [statement(holds, text) for holds, text in said]
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


def _states(signal: Signal) -> Iterator[tuple[str, int]]:
    decoder: Any = signal.decoder
    for number in range(1 << len(signal)):
        try:
            yield decoder(number).rpartition("/")[0], number
        except KeyError:
            return
