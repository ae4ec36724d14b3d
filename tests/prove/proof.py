"""A proof, and the broken copies that it has to tell from the component."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .harness import Harness

__all__ = ["Fault", "Proof"]


@dataclass(frozen=True)
class Fault:
    """A broken copy: ``old`` occurs once in the source of the component's module and becomes ``new``.

    A claim must then be broken within ``depth`` cycles.
    """

    old: str
    new: str
    depth: int = 12

    def put_into(self, component: type[Any]) -> type[Any]:
        """Return the component with the fault."""
        module = sys.modules[component.__module__]
        source = inspect.getsource(module)
        if source.count(self.old) != 1:
            raise LookupError(f"{self.old!r} occurs {source.count(self.old)} times in {module.__file__}")
        broken = ModuleType(module.__name__)
        broken.__file__ = module.__file__
        code = compile(source.replace(self.old, self.new), str(module.__file__), "exec", dont_inherit=True)
        exec(code, broken.__dict__)
        return getattr(broken, component.__name__)


@dataclass(frozen=True)
class Proof:
    """What is proven of a component.

    Attributes
    ----------
    name:
        What the table of ``make prove`` calls it.
    component:
        The class that claims are made about.
    build:
        Adds a component of that class to a harness, and what is claimed of it.
    depth:
        Greatest depth of the induction.
    cover_depth:
        Cycles in which everything that is covered has happened.
    faults:
        Broken copies.
    """

    name: str
    component: type[Any]
    build: Callable[[Harness, type[Any]], None]
    faults: tuple[Fault, ...]
    depth: int = 4
    cover_depth: int = 20

    def design(self, component: type[Any], *, lemmas: bool) -> Harness:
        """Return the design of this proof for the component or a broken copy."""
        harness = Harness(lemmas=lemmas)
        self.build(harness, component)
        return harness
