"""What the calls of all families share: a device that runs its core, and says which network it holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from attractor.host.errors import ModelMismatch
from attractor.spec import IntegerArray, Spec

AnySpec = TypeVar("AnySpec", bound=Spec)


class Calls(ABC):
    """Base of the methods that only devices of one family have."""

    spec: Spec

    @abstractmethod
    def call(self, inputs: bytes, *, time_limit: float | None = None) -> bytes:
        """Run the core once on the bytes of the input region; return those of the output region."""

    @abstractmethod
    def read_parameters(self) -> dict[str, IntegerArray]:
        """Read all parameters back."""

    def spec_of(self, kind: type[AnySpec]) -> AnySpec:
        """Return the device's spec as one of ``kind``; raise :class:`ModelMismatch` if it is of another family."""
        if not isinstance(self.spec, kind):
            raise ModelMismatch(f"the device holds a network of family {self.spec.family!r}, not {kind.family!r}")
        return self.spec
