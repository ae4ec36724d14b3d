"""A device: what is at a port, how to load a model into it and how to run it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self, TypeVar
from warnings import warn

from attractor.host import memory, rate
from attractor.host.build import Build
from attractor.host.calls import AnySpec, Calls, spec_as
from attractor.host.errors import HostError, LinkTimeout, LoadError, ModelMismatch, NotADevice, RateError
from attractor.host.flight import Answer, Ask
from attractor.host.inputs import CallWriter, Pace
from attractor.host.interface import Interface
from attractor.host.link import CALL_SECONDS, TIMEOUT, LinkClient, Progress, accept
from attractor.host.loading import Loader, parameter_pieces
from attractor.host.meeting import meet
from attractor.host.model import Model
from attractor.host.port import Port, open_port
from attractor.host.reports import checked_results, reported
from attractor.spec import IntegerArray, Region, Spec, SpecError, family_of
from attractor.spec.protocol import DEFAULT_BAUD, BaudError, Command, Counters, FrameError, Identity

__all__ = ["AnyCalls", "Device"]


AnyCalls = TypeVar("AnyCalls", bound=Calls)
# Attributes that a device has once it was met.
_MET = ("spec", "identity", "description")


class Device:
    """A device behind a port, identified and ready; use it in a ``with`` statement.

    Make one with :meth:`open`. Not safe for use by several threads.

    Parameters
    ----------
    link:
        Client of the port.
    reopen:
        Opens the port anew; None if somebody else owns it.

    Attributes
    ----------
    identity: Identity
        As the device gave it when it was opened, loaded or reconnected last.
    description: dict
        What the device says about itself: ``spec``, ``gateware`` version, ``board``, ``clock_hz``, ``baud``.
    spec: Spec
        The network that it holds.
    """

    identity: Identity
    description: dict[str, Any]

    def __init__(self, link: LinkClient, reopen: Callable[[], Port] | None = None) -> None:
        self._link = link
        self._reopen = reopen
        self._meet()

    @classmethod
    def open(
        cls,
        port: str | Port,
        spec: Spec | None = None,
        *,
        baud: int = DEFAULT_BAUD,
        fastest: int | None = None,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Open a port and meet the device there. A call that is still under way is aborted.

        Parameters
        ----------
        port:
            Address for :func:`open_port`, or an open port.
        spec:
            Network for which a simulated board is made if the address is ``sim:`` or ``rtl:`` alone. It means nothing
            to any other: what is there is met, and :meth:`load` compares.
        baud:
            Bits each second on the line at first: the rate with which the gateware was built.
        fastest:
            Rate to change to afterwards; None for the one that :func:`attractor.host.rate.measure` found for this
            device at this port, if it did.
        timeout:
            Seconds without an answer after which a request is repeated.
        clock:
            Time in seconds, for ports with a time of their own.

        Raises
        ------
        PortError
            If the port cannot be opened.
        NotADevice
            If nothing there answers as a device of this protocol version.
        BaudError, RateError
            If the device or the port cannot run at ``fastest``.
        """
        reopen = None
        if isinstance(port, str):
            reopen = partial(open_port, port, baud, spec)
            port = reopen()
        try:
            device = cls(LinkClient(port, baud=baud, timeout=timeout, clock=clock), reopen)
            with reported(device.name):
                device._hasten(fastest)
            return device
        except BaseException:
            port.close()
            raise

    def _hasten(self, fastest: int | None) -> None:
        """Change to a rate that was asked for, or remembered."""
        clock_hz, known = self.build.clock_hz, rate.remembered(self.name, self.spec.fingerprint)
        if fastest is not None:
            rate.agree(self._link, clock_hz, fastest)
        elif known is not None:
            with suppress(RateError, BaudError):  # it was clean once; now the first rate will do
                rate.agree(self._link, clock_hz, known)

    def close(self) -> None:
        """Close the port; the device keeps its parameters, and goes back to the rate at which it starts."""
        with suppress(HostError, BaudError):  # the port may be gone
            rate.leave(self._link, self.build.clock_hz)
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return itself: there is only one of it. Estimators that use a device can so be cloned."""
        return self

    def __getattr__(self, name: str) -> Any:
        """Give the calls of the network under the names that they had here before."""
        if name.startswith("_") or name in _MET:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # a property that failed: it does so again, and says why
        if not hasattr(type(self.network), name):
            raise AttributeError(
                f"{name!r} is nothing that a device has, nor its network of family {self.spec.family!r}; "
                f"device.network has {', '.join(_calls_of(self.network))}"
            )
        warn(
            f"device.{name} is now device.network.{name}; the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(self.network, name)

    @cached_property
    def network(self) -> Any:
        """The calls of the network that the device holds, of its family: ``device.network.recall(...)``.

        :meth:`network_as` gives the same with its type.
        """
        return (family_of(self.spec).view("calls") or Calls)(self)

    def network_as(self, kind: type[AnyCalls]) -> AnyCalls:
        """Return :attr:`network` as calls of ``kind``; raise :class:`ModelMismatch` if it is of another family."""
        if not isinstance(self.network, kind):
            raise ModelMismatch(
                f"{self.name} holds a network of family {self.spec.family!r}, whose calls are "
                f"{type(self.network).__name__}, not {kind.__name__}"
            )
        return self.network

    def spec_of(self, kind: type[AnySpec]) -> AnySpec:
        """Return the spec as one of ``kind``; raise :class:`ModelMismatch` if it is of another family."""
        return spec_as(self.spec, kind)

    @property
    def build(self) -> Build:
        """How the network was put on the device: its folding, the board, its clock and line."""
        return Build.of(self.spec, self.description)

    @property
    def name(self) -> str:
        """Name of the port."""
        return self._link.port.name

    @property
    def link(self) -> LinkClient:
        """The client, for its statistics."""
        return self._link

    def reconnect(self) -> None:
        """Open the port anew if it was opened by address, and meet the device again.

        Raises
        ------
        LinkError
            As :meth:`open`; also if another network is there now.
        """
        before = self.spec
        if self._reopen is not None:
            self._link.close()
            self._link.port = self._reopen()
        self._meet()
        if self.spec != before:
            raise NotADevice(
                f"{self.name}: another network is there now ({'; '.join(before.differences(self.spec))}); open it anew"
            )

    # Parameters

    def load(self, model: Model, *, progress: Progress | None = None, verify: bool = True) -> None:
        """Load a model's parameters and make them valid.

        Parameters
        ----------
        model:
            A model of the network that the device holds, whatever lanes either was made with.
        progress:
            Called with the number of frames that the device has acknowledged and that of all.
        verify:
            Make sure that the device says itself that its parameters are valid, after it has compared the CRC-32 of
            all of them.

        Raises
        ------
        ModelMismatch
            If the model is for another network; nothing was written.
        LoadError
            If the device stopped answering, or its memory does not keep what is written. A device in which a load was
            not finished refuses calls.
        """
        differences = self.spec.network_differences(model.spec)
        if differences:
            raise ModelMismatch(
                f"{self.name}: the model is for another network than the device's (field: device, model): "
                f"{'; '.join(differences)}; build gateware for this model or train a model for this device"
            )
        contents = self.spec.encode_parameters(model.parameters)
        self._pace = Pace()  # calls of another model may take any time
        loader = Loader(self._link, self.spec.memory_map, contents, self.identity)
        try:
            with reported(self.name):
                loader.load(progress, verify=verify)
        except LinkTimeout as error:
            raise LoadError(f"{error}; the model was not loaded, so the device refuses calls until one is") from error
        finally:
            self.identity = loader.identity

    def holds(self, model: Model) -> bool:
        """Return whether the device holds exactly this model's parameters, and they are valid."""
        if not self.spec.same_network(model.spec):
            return False
        self._begin()
        contents, pieces = self.spec.encode_parameters(model.parameters), parameter_pieces(self.spec.memory_map)
        with reported(self.name):
            return self.identity.parameters_valid and not memory.differing(self._link, pieces, contents)

    def read_parameters(self) -> dict[str, IntegerArray]:
        """Read all parameters back, valid or not; raise :class:`LinkError` if that failed."""
        with reported(self.name):
            return self.spec.decode_parameters(
                {piece.window.name: memory.read(self._link, piece) for piece in parameter_pieces(self.spec.memory_map)}
            )

    def read_model(self, provenance: Mapping[str, Any] | None = None, interface: Interface | None = None) -> Model:
        """Read all parameters back as a model: one that learnt can be saved, and loaded to go on from there.

        Parameters
        ----------
        provenance, interface:
            As in :class:`Model`; a device keeps neither, so those of the model that was loaded are of use.

        Raises
        ------
        LinkError
            If that failed.
        WrongReport
            If the device holds parameters that are out of range, as one may that was never loaded. It is a
            :class:`LinkError` and a :class:`SpecError`.
        """
        parameters = self.read_parameters()
        with reported(self.name):
            checked = self.spec.check_parameters(parameters)
        return Model(self.spec, checked, provenance or {}, interface or Interface())

    def digest(self, window: str) -> int:
        """Return the CRC-32 that the device computes of one window, by its name in the spec's memory map."""
        memory_map = self.spec.memory_map
        with reported(self.name):
            return memory.digests(self._link, [memory.whole(memory_map, memory_map[window])])[0]

    # Running

    def call(self, inputs: bytes, *, time_limit: float | None = None) -> bytes:
        """Run the core once.

        Parameters
        ----------
        inputs:
            The input region.
        time_limit:
            Seconds after which the call is aborted; None for :data:`attractor.host.link.CALL_SECONDS`. A device that
            dies in the middle of a call is noticed only then: while it is busy it answers nothing.

        Returns
        -------
        bytes
            The output region.

        Raises
        ------
        SpecError
            If the inputs have another length.
        DeviceError
            If the device refuses the call, as it does without valid parameters.
        LinkTimeout
            If there are no results within the time limit.
        """
        (outputs,) = self.calls([inputs], time_limit=time_limit)
        return outputs

    def calls(
        self,
        inputs: Iterable[bytes],
        *,
        want: int | None = None,
        time_limit: float | None = None,
        together: int = 1,
        repeatable: bool = True,
    ) -> Generator[bytes, None, None]:
        """Run the core again and again, each time exactly once, with as many calls on the line as it holds.

        Parameters
        ----------
        inputs:
            Input regions; taken well before their results come.
        want:
            Bytes that each call answers with, from the start of the packed outputs
            (:meth:`~attractor.spec.memory_map.MemoryMap.packed`), at least 1: 4 are flags and winner of every family.
            None for all, unpacked.
        time_limit:
            Seconds without any result after which calls are aborted; None for
            :data:`attractor.host.link.CALL_SECONDS`. Calls that were short so far share frames, and their results come
            together.
        together, repeatable:
            For a :class:`~attractor.host.pool.DevicePool`: how many calls in a row must be made by one device, and
            whether calls leave nothing behind in it, so that another one could make them again.

        Yields
        ------
        bytes
            What each call answers.

        Raises
        ------
        SpecError
            If inputs have another length; calls whose results did not come may have been made or not. Also if ``want``
            is none of the bytes that there are; no call is made then.
        DeviceError
            If the device refuses a call, as it does without valid parameters.
        LinkError
            If there are no results within the time limit, or the device was reset. Calls whose results did not come
            may have been made or not.
        """
        del together, repeatable  # one device makes all calls, and each once
        memory_map, size = self.spec.memory_map, self._wanted(want)
        limit = CALL_SECONDS if time_limit is None else time_limit
        with reported(self.name):
            self._link.settle()
        writer = self._writer if self._inputs_known_in == self._link.sessions else CallWriter(memory_map)
        self._writer, self._inputs_known_in = writer, 0
        asks = writer.asks(map(self._checked, inputs), size, limit, self._pace)
        for answer in self._answers(asks):
            self._pace.answered(answer)
            for result in checked_results(answer, size, self.name):
                yield result if want is not None else memory_map.unpacked(Region.OUTPUT, result)
            with reported(self.name):
                accept(answer)
        if self._writer is writer:  # only now are the device's inputs known for sure, if no other calls came in between
            self._inputs_known_in = self._link.sessions

    def _wanted(self, want: int | None) -> int:
        most = self.spec.memory_map.packed_size(Region.OUTPUT)
        if want is not None and not 1 <= want <= most:
            raise SpecError(
                f"{want} bytes wanted of each call; this network's outputs have 1 to {most}: ask for some of these, or "
                "leave want out for all"
            )
        return most if want is None else want

    def _answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        try:
            yield from self._link.stream(asks)
        except FrameError:  # an identity or a state that is none; errors in what is asked are the caller's
            with reported(self.name):
                raise

    def _checked(self, inputs: bytes) -> bytes:
        size = self.spec.memory_map.size(Region.INPUT)
        if len(inputs) != size:
            raise SpecError(f"the inputs have {len(inputs)} bytes; this network's have {size}")
        return inputs

    @property
    def unanswered_calls(self) -> int:
        """Calls that were on their way when an error ended the last batch: each was made or not."""
        return self._link.unanswered_calls

    def read_outputs(self) -> bytes:
        """Return the output region as the last call left it, also one that was aborted; raise :class:`LinkError`."""
        memory_map = self.spec.memory_map
        with reported(self.name):
            windows = memory_map.region(Region.OUTPUT)
            contents = {each.name: memory.read(self._link, memory.whole(memory_map, each)) for each in windows}
        return memory_map.join(Region.OUTPUT, contents)

    def abort(self) -> None:
        """End a call that another program, or an interrupted one, has left under way."""
        self._begin()

    def counters(self) -> Counters:
        """Return what the device has counted since its reset."""
        with reported(self.name):
            return Counters.unpack(self._link.ask(Command.COUNTERS, reply_bytes=Counters.STRUCT.size))

    def _begin(self) -> None:
        with reported(self.name):
            self.identity = self._link.begin()

    def _meet(self) -> None:
        self.identity, self.description, self.spec = meet(self._link)
        with reported(self.name):
            self._writer = CallWriter(self.spec.memory_map)
        # The session in which the writer knows the device's inputs; 0 for none.
        self._inputs_known_in = 0
        self._pace = Pace()


def _calls_of(network: Calls) -> list[str]:
    """Return the names of what only calls of this family have."""
    return sorted(name for name in dir(type(network)) if not name.startswith("_") and not hasattr(Calls, name))
