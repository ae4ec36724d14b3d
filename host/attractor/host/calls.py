"""What the calls of all families share: a device that runs its core, and the spec of the network that it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attractor.host.errors import ModelMismatch
from attractor.host.reports import decoded_result, reported
from attractor.spec import IntegerArray, Region, Spec

if TYPE_CHECKING:
    from attractor.host.device import Device
    from attractor.host.interface import Interface
    from attractor.host.model import Model

__all__ = ["WINNER_BYTES", "AnySpec", "Calls", "Progress", "spec_as"]

#: Bytes of the outputs that hold flags and winner, in every family.
WINNER_BYTES = 4

AnySpec = TypeVar("AnySpec", bound=Spec)
#: Called with the number of finished pieces of work and that of all.
Progress = Callable[[int, int], None]


class Calls:
    """What a device does as a network of its family; families derive from it and add methods of their own.

    Parameters
    ----------
    device:
        The open device.
    """

    def __init__(self, device: Device) -> None:
        self.device = device

    @property
    def spec(self) -> Spec:
        """The network that the device holds."""
        return self.device.spec

    def spec_of(self, kind: type[AnySpec]) -> AnySpec:
        """Return the device's spec as one of ``kind``; raise :class:`ModelMismatch` if it is of another family."""
        return spec_as(self.spec, kind)

    def call(self, inputs: bytes, *, time_limit: float | None = None) -> bytes:
        """Run the core once on the bytes of the input region; return those of the output region."""
        return self.device.call(inputs, time_limit=time_limit)

    def results(
        self,
        inputs: Iterable[bytes],
        total: int,
        *,
        progress: Progress | None = None,
        before: int = 0,
        time_limit: float | None = None,
        together: int = 1,
        repeatable: bool = True,
    ) -> Iterator[Any]:
        """Make calls one after the other; many are on their way at once, so inputs are taken well before their results.

        Parameters
        ----------
        inputs:
            Input regions.
        total:
            Calls that there can be, for ``progress``.
        progress:
            Called with the number of finished calls and ``total``, once a result has been taken.
        before:
            Calls that were finished before.
        time_limit:
            Seconds for each call; None for :data:`attractor.host.link.CALL_SECONDS`.
        together, repeatable:
            As in :meth:`Device.calls`.

        Yields
        ------
        Any
            What each call reports, as :meth:`Spec.decode_output` returns it.

        Raises
        ------
        LinkError
            If a call failed, or the device reports what this network cannot.
        """
        outputs = self.device.calls(inputs, time_limit=time_limit, together=together, repeatable=repeatable)
        for done, data in enumerate(outputs, start=before + 1):
            yield decoded_result(self.spec, data, self.device.name)
            if progress is not None:
                progress(done, total)

    def winners(
        self,
        inputs: Iterable[bytes],
        total: int,
        *,
        progress: Progress | None = None,
        time_limit: float | None = None,
        repeatable: bool = True,
    ) -> Iterator[int]:
        """Make calls as :meth:`results` does, and yield what each names the winner: four bytes come back for each."""
        (record,) = (window.record for window in self.spec.memory_map.region(Region.OUTPUT)[:1])
        assert record is not None
        options = {"progress": progress, "time_limit": time_limit, "repeatable": repeatable}
        for data in self.beginnings(inputs, total, WINNER_BYTES, **options):
            winner = record.decode_start(data)["winner"]
            with reported(self.device.name):
                self.spec.check_winner(winner)
            yield winner

    def beginnings(
        self,
        inputs: Iterable[bytes],
        total: int,
        want: int,
        *,
        progress: Progress | None = None,
        time_limit: float | None = None,
        repeatable: bool = True,
    ) -> Iterator[bytes]:
        """Make calls as :meth:`results` does, and yield the first ``want`` bytes of each one's packed outputs."""
        outputs = self.device.calls(inputs, want=want, time_limit=time_limit, repeatable=repeatable)
        for done, data in enumerate(outputs, start=1):
            yield data
            if progress is not None:
                progress(done, total)

    def last(self) -> Any:
        """Return what the device's outputs report of the last call, which may have been aborted.

        Raises
        ------
        LinkError
            If they could not be read, or report what this network cannot.
        """
        return decoded_result(self.spec, self.device.read_outputs(), self.device.name)

    def read_parameters(self) -> dict[str, IntegerArray]:
        """Read all parameters back."""
        return self.device.read_parameters()

    def read_model(self, provenance: Mapping[str, Any] | None = None, interface: Interface | None = None) -> Model:
        """Read all parameters back as a model."""
        return self.device.read_model(provenance, interface)


def spec_as(spec: Spec, kind: type[AnySpec]) -> AnySpec:
    """Return a spec as one of ``kind``; raise :class:`ModelMismatch` if it is of another family."""
    if not isinstance(spec, kind):
        raise ModelMismatch(f"the device holds a network of family {spec.family!r}, not {kind.family!r}")
    return spec
