"""Several devices that serve one batch as one device."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Any, Self

from attractor.host.device import Device
from attractor.host.errors import HostError, LinkTimeout, ModelMismatch, PoolError, PortError, SessionLost
from attractor.host.link import Progress
from attractor.host.model import Model
from attractor.spec import IntegerArray, Region, Spec

__all__ = ["DevicePool"]


class DevicePool(Device):
    """Several open devices of one network, used as one: where a device can be, a pool can be.

    Calls go to whichever device has room for them, and results come in the order of the inputs. A device that fails is
    dropped, and others make the calls whose results it owed. Calls that must not be made twice, because they learn or
    go on from the call before, are made by the first device alone; if it fails, they end as on that device. What it
    learnt is loaded into the others before they are used again.

    Parameters
    ----------
    devices:
        Open devices, at least one. The pool closes them.

    Raises
    ------
    ModelMismatch
        If two of them hold different networks, or one network with different lanes: noise depends on them.
    PoolError
        If there is none.
    """

    def __init__(self, devices: Sequence[Device]) -> None:
        if not devices:
            raise PoolError("a pool has no device; give at least one port")
        self.devices = list(devices)
        #: Devices that were dropped, and how they failed.
        self.failed: list[tuple[Device, HostError]] = []
        self._stale = False
        first = self.devices[0]
        for device in self.devices[1:]:
            if device.spec != first.spec:
                differences = "; ".join(first.spec.differences(device.spec))
                raise ModelMismatch(
                    f"{device.name} is built otherwise than {first.name} (field: {first.name}, {device.name}): "
                    f"{differences}; a pool needs the same gateware on all"
                )
        self.spec: Spec = first.spec
        self.identity, self.description = first.identity, first.description

    @classmethod
    def open(cls, ports: Sequence[Any], spec: Spec | None = None, **options: Any) -> Self:  # type: ignore[override]
        """Open several ports as :meth:`Device.open` opens one, all with the same options."""
        devices: list[Device] = []
        try:
            devices.extend(Device.open(port, spec, **options) for port in ports)
            return cls(devices)
        except BaseException:
            for device in devices:
                device.close()
            raise

    @property
    def first(self) -> Device:
        """The device that learns."""
        if not self.devices:
            raise PoolError(f"no device of the pool is left: {_told(self.failed)}; check them, and open the pool anew")
        return self.devices[0]

    @property
    def name(self) -> str:
        """Names of the ports."""
        return ", ".join(device.name for device in self.devices)

    @property
    def link(self) -> Any:
        """The client of the first device."""
        return self.first.link

    @property
    def unanswered_calls(self) -> int:
        """As of the first device, which alone makes calls that matter here."""
        return self.first.unanswered_calls

    def close(self) -> None:
        """Close all ports."""
        for device in self.devices:
            device.close()

    def reconnect(self) -> None:
        """Open the ports anew; errors as of :meth:`Device.reconnect`."""
        for device in self.devices:
            device.reconnect()

    def abort(self) -> None:
        """End the calls that other programs have left under way."""
        for device in self.devices:
            device.abort()

    # Parameters

    def load(self, model: Model, *, progress: Progress | None = None, verify: bool = True) -> None:
        """Load a model into all devices, one after the other; errors as of :meth:`Device.load`."""
        for index, device in enumerate(self.devices):
            told = None if progress is None else _shifted(progress, index, len(self.devices))
            device.load(model, progress=told, verify=verify)
        self._stale = False
        self.identity = self.first.identity

    def holds(self, model: Model) -> bool:
        """Return whether all devices hold exactly this model's parameters, and they are valid."""
        return all(device.holds(model) for device in self.devices)

    def read_parameters(self) -> dict[str, IntegerArray]:
        """Read all parameters back from the first device."""
        return self.first.read_parameters()

    def read_outputs(self) -> bytes:
        """Return the output region of the first device."""
        return self.first.read_outputs()

    def digest(self, window: str) -> int:
        """Return the CRC-32 that the first device computes of one window."""
        return self.first.digest(window)

    # Running

    def calls(
        self,
        inputs: Iterable[bytes],
        *,
        want: int | None = None,
        time_limit: float | None = None,
        together: int = 1,
        repeatable: bool = True,
    ) -> Generator[bytes, None, None]:
        """Make calls as :meth:`Device.calls` does, spread over the devices.

        Raises
        ------
        PoolError
            If the devices do not hold the same parameters, or none is left.
        """
        options: dict[str, Any] = {"want": want, "time_limit": time_limit, "together": together}
        if not repeatable:
            self._stale = len(self.devices) > 1
            yield from self.first.calls(inputs, **options, repeatable=False)
            return
        self._make_equal()
        batch = _Batch(inputs, together, len(self.devices))
        workers = [threading.Thread(target=batch.work, args=(device, options)) for device in self.devices]
        for worker in workers:
            worker.start()
        try:
            yield from batch.results()
        finally:
            batch.stop()
            for worker in workers:
                worker.join()
            self._drop(batch)

    def _make_equal(self) -> None:
        """Load into all devices what the first one learnt; raise :class:`PoolError` if they differ otherwise."""
        first = self.first
        if self._stale:
            model = first.read_model()
            for device in self.devices[1:]:
                device.load(model)
            self._stale = False
        windows = [window.name for window in self.spec.memory_map.region(Region.PARAMETERS)]
        held = [[device.digest(name) for name in windows] for device in self.devices]
        for device, digests in zip(self.devices, held, strict=True):
            if digests != held[0]:
                raise PoolError(f"{device.name} holds other parameters than {first.name}; load a model into the pool")

    def _drop(self, batch: _Batch) -> None:
        for device, _ in batch.failed:
            self.devices.remove(device)
            device.close()
        self.failed += batch.failed


class _Batch:
    """Calls that several threads make, each for its device.

    Parameters
    ----------
    inputs:
        Input regions.
    together:
        So many calls in a row belong to one device.
    workers:
        Threads that will call :meth:`work`.
    """

    def __init__(self, inputs: Iterable[bytes], together: int, workers: int) -> None:
        self.failed: list[tuple[Device, HostError]] = []
        self._source = enumerate(_groups(inputs, together))
        #: Groups that a device took and did not finish.
        self._again: deque[tuple[int, list[bytes]]] = deque()
        self._results: dict[int, list[bytes]] = {}
        self._workers, self._busy = workers, 0
        self._ended = False
        self._error: BaseException | None = None
        self._change = threading.Condition(threading.RLock())

    def results(self) -> Iterator[bytes]:
        """Yield the results in order as they come; raise what ended them before their time."""
        for index in count():
            with self._change:
                self._change.wait_for(lambda index=index: index in self._results or not self._workers)
                if index not in self._results:
                    if self._error is not None:
                        raise self._error
                    if self._again or not self._ended:
                        raise PoolError(f"all devices of the pool failed; {_told(self.failed)}")
                    return
                group = self._results.pop(index)
            yield from group

    def stop(self) -> None:
        """Let the devices finish what they have taken, and give them nothing more."""
        with self._change:
            self._ended = True
            self._again.clear()
            self._change.notify_all()

    def work(self, device: Device, options: dict[str, Any]) -> None:
        """Make calls with one device until all are made, or it fails."""
        taken: deque[tuple[int, list[bytes]]] = deque()
        try:
            while self._wait_for_work():
                try:
                    self._make(device, options, taken)
                finally:
                    self._rest()
        except (LinkTimeout, SessionLost, PortError) as error:
            self._give_up(device, error, taken)
        except BaseException as error:  # refused calls, inputs that do not fit: other devices would fare alike
            self._end(error)
        finally:
            with self._change:
                self._workers -= 1
                self._change.notify_all()

    def _make(self, device: Device, options: dict[str, Any], taken: deque[tuple[int, list[bytes]]]) -> None:
        made: list[bytes] = []
        for result in device.calls(self._inputs(taken), **options):
            made.append(result)
            if len(made) == len(taken[0][1]):
                index, _ = taken.popleft()
                with self._change:
                    self._results[index], made = made, []
                    self._change.notify_all()

    def _inputs(self, taken: deque[tuple[int, list[bytes]]]) -> Iterator[bytes]:
        """Take groups for a device as long as there are any; never wait for one, as the device has results to give."""
        while (group := self._take()) is not None:
            taken.append(group)
            yield from group[1]

    def _take(self) -> tuple[int, list[bytes]] | None:
        with self._change:
            if self._again:
                return self._again.popleft()
            group = None if self._ended else next(self._source, None)
            self._ended = group is None
            return group

    def _wait_for_work(self) -> bool:
        """Wait until there is something to do, or nobody can leave any more; return whether there is."""
        with self._change:
            self._change.wait_for(lambda: self._again or not self._ended or not self._busy)
            works = bool(self._again) or not self._ended
            self._busy += works
            return works

    def _rest(self) -> None:
        with self._change:
            self._busy -= 1
            self._change.notify_all()

    def _give_up(self, device: Device, error: HostError, taken: deque[tuple[int, list[bytes]]]) -> None:
        """Leave what a device owes to the others."""
        with self._change:
            self.failed.append((device, error))
            self._again.extendleft(reversed(taken))

    def _end(self, error: BaseException) -> None:
        """End all because of an error that every device would give."""
        with self._change:
            self._error = self._error or error
            self.stop()


def _groups(inputs: Iterable[bytes], together: int) -> Iterator[list[bytes]]:
    source = iter(inputs)
    while group := list(islice(source, together)):
        yield group


def _told(failed: list[tuple[Device, HostError]]) -> str:
    return "; ".join(str(error) for _, error in failed)


def _shifted(progress: Progress, index: int, devices: int) -> Progress:
    return lambda done, total: progress(index * total + done, devices * total)
