"""Checks a device against every rule of the standard, and leaves it as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from attractor.host.errors import NotADevice, PortError
from attractor.host.port import Port
from attractor.verify.conformance import numbers, requests  # noqa: F401 - they have the rules
from attractor.verify.conformance.bench import PATIENCE, QUIET, RULES, Bench, Broken, Rule

__all__ = ["Conformance", "Finding", "check_device"]


@dataclass(frozen=True)
class Finding:
    """What was found about a rule.

    Parameters
    ----------
    rule, meaning:
        The rule.
    holds:
        Whether it is kept.
    found:
        What is done instead; empty if it is kept.
    """

    rule: str
    meaning: str
    holds: bool
    found: str = ""


@dataclass(frozen=True)
class Conformance:
    """All that was found.

    Parameters
    ----------
    findings:
        One for each rule.
    parameters:
        What became of the parameters that a device held: ``restored``, ``lost``, or ``none`` if it held no valid ones.
    """

    findings: tuple[Finding, ...]
    parameters: str = "none"

    @property
    def holds(self) -> bool:
        """Whether every rule is kept."""
        return all(finding.holds for finding in self.findings)

    @property
    def broken(self) -> list[str]:
        """Names of the rules that are not."""
        return [finding.rule for finding in self.findings if not finding.holds]


def check_device(
    port: Port,
    *,
    rules: Iterable[Rule] | None = None,
    patience: float = PATIENCE,
    quiet: float = QUIET,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Conformance:
    """Check a device; the line must be clean, as nothing is sent again.

    Valid parameters are read first and loaded again at the end, also if the check is interrupted.

    Parameters
    ----------
    port:
        The device.
    rules:
        Rules to check; all by default.
    patience, quiet, seed:
        As for :class:`~attractor.verify.conformance.bench.Bench`.
    progress:
        Called after each rule with the number of checked ones and that of all.

    Raises
    ------
    NotADevice
        If nothing there answers to IDENTIFY, or its description cannot be read.
    PortError
        If the port breaks down.
    """
    wanted = tuple(RULES if rules is None else rules)
    try:
        bench = Bench(port, patience=patience, quiet=quiet, seed=seed)
        bench.describe()
        kept = bench.parameters() if bench.identity.parameters_valid else None
    except (Broken, ValueError, KeyError, TypeError) as error:
        raise NotADevice(
            f"{port.name}: no device that could be checked: {error}; check port, power and cable, and that no other "
            "program uses the line"
        ) from error
    findings: list[Finding] = []
    try:
        for rule in wanted:
            findings.append(_checked(bench, rule))
            if progress is not None:
                progress(len(findings), len(wanted))
    except BaseException:  # also an interrupt by the keyboard
        with suppress(PortError):
            _restored(bench, kept)
        raise
    return Conformance(tuple(findings), _restored(bench, kept))


def _checked(bench: Bench, rule: Rule) -> Finding:
    """Check a rule in a session of its own."""
    try:
        bench.begin()
        rule.check(bench)
    except (Broken, ValueError) as error:
        return Finding(rule.name, rule.meaning, False, str(error))
    return Finding(rule.name, rule.meaning, True)


def _restored(bench: Bench, kept: list[bytes] | None) -> str:
    """Load what the device held; return what became of it."""
    if kept is None:
        return "none"
    try:
        bench.begin()
        bench.load(kept)
    except Broken:
        return "lost"
    return "restored"
