"""The source files that decide what a design is. Needs no Amaranth."""

from __future__ import annotations

from attractor.machine.sources import source_files
from attractor.spec import Spec, family_of

__all__ = ["design_sources"]

_COMMON = ("attractor.spec", "attractor.hdl")


def design_sources(spec: Spec) -> list[tuple[str, bytes]]:
    """Return names and contents of all source files of which the design of a network is made.

    These are the descriptions and components of this project, and of a family from elsewhere the packages, or the
    modules where there is no package, that hold its spec and its core.
    """
    own = {module.rpartition(".")[0] or module for module in (type(spec).__module__, _module(family_of(spec).core))}
    elsewhere = {name for name in own if not f"{name}.".startswith(tuple(f"{common}." for common in _COMMON))}
    return [file for name in (*_COMMON, *sorted(elsewhere)) for file in source_files(name)]


def _module(view: str) -> str:
    return view.partition(":")[0]
