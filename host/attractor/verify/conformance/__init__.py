"""The wire protocol as a standard: any device is checked against it, and any client by a line that misbehaves."""

from attractor.verify.conformance.client import CLIENT_RULES, FAULTS, CheckingLine
from attractor.verify.conformance.device import Conformance, Finding, check_device

__all__ = ["CLIENT_RULES", "FAULTS", "CheckingLine", "Conformance", "Finding", "check_device"]
