"""What devices say, checked before anybody uses it: descriptions, results, parameters, counters.

A device is another program, perhaps a broken or a hostile one. The link makes sure that bytes are those that it sent;
here is checked that they are some that a device of its network can send. What is not ends in :class:`WrongReport`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attractor.host.errors import DeviceError, WrongReport
from attractor.host.flight import Answer
from attractor.intake.errors import told
from attractor.intake.text import printable
from attractor.spec import Spec, SpecError
from attractor.spec.protocol import FrameError, Status

__all__ = ["checked_description", "checked_results", "decoded_result", "reported"]

#: Longest text in a description, in characters; all that a board is called is far shorter.
_MOST_TEXT = 200
#: Greatest clock and rate, in Hz.
_MOST_HZ = 10**15
_NEXT = "the gateware does not fit its description: build it again"


@contextmanager
def reported(name: str) -> Iterator[None]:
    """Raise :class:`WrongReport` with the device's name for what the block finds wrong in its bytes.

    A refusal gets the device's name, too.
    """
    try:
        yield
    except WrongReport:
        raise
    except DeviceError as error:
        raise (error if error.device else DeviceError(error.command, error.status, name)) from error.__cause__
    except (FrameError, SpecError) as error:
        raise WrongReport(f"{name}: the device reports what it cannot: {told(error)}; {_NEXT}") from error


def checked_description(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description with all texts fit to print, and what it leaves out as unknown.

    Raises
    ------
    SpecError
        If board or gateware are no texts, or clock or rate no numbers that there can be.
    """
    known = {"board": "unknown", "gateware": "unknown", "clock_hz": 0, "baud": 0} | _plain(description)
    for name in ("board", "gateware"):
        if not isinstance(known[name], str):
            raise SpecError(f"{name} in its description is {printable(repr(known[name]), 80)} instead of a name")
    for name in ("clock_hz", "baud"):
        number = isinstance(known[name], int | float) and not isinstance(known[name], bool)
        if not number or not 0 <= known[name] <= _MOST_HZ:
            raise SpecError(f"{name} in its description is {printable(repr(known[name]), 80)} instead of a frequency")
    return known


def checked_results(answer: Answer, size: int, name: str) -> list[bytes]:
    """Return the results, of ``size`` bytes each, of the calls that an answer is to; one that was aborted is none.

    Raises
    ------
    WrongReport
        If there are more than there were calls, or less and the device says that all is well.
    """
    calls, found = answer.ask.calls, len(answer.payload)
    most = size * calls
    if found > most or (answer.status == Status.OK and found < most):
        raise WrongReport(
            f"{name}: {found} bytes of results came back where {most} were asked for ({calls} calls); {_NEXT}"
        )
    results = [answer.payload[end - size : end] for end in range(size, found + 1, size)]
    return results[:-1] if answer.status == Status.ABORTED else results


def decoded_result(spec: Spec, data: bytes, name: str) -> Any:
    """Return what an output region reports; raise :class:`WrongReport` if this network can report no such thing."""
    with reported(name):
        result = spec.decode_output(data)
        spec.check_result(result)
        return result


def _plain(value: Any) -> Any:
    """Return a part of a description with all texts fit to print."""
    if isinstance(value, str):
        return printable(value, _MOST_TEXT)
    if isinstance(value, Mapping):
        return {printable(str(name), _MOST_TEXT): _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
