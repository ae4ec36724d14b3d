"""What can go wrong between a host and a device. Every message names the culprit and the next step."""

from __future__ import annotations

from attractor.intake import IntakeError
from attractor.spec import SpecError
from attractor.spec.protocol import Command, Status

__all__ = [
    "DeviceError",
    "HostError",
    "LearningError",
    "LinkError",
    "LinkTimeout",
    "LoadError",
    "ModelFileError",
    "ModelMismatch",
    "NotADevice",
    "PoolError",
    "PortError",
    "RateError",
    "SessionLost",
    "WrongReport",
]

_MEANINGS = {
    Status.BAD_COMMAND: "the device does not know this command; rebuild its gateware with this version",
    Status.BAD_ADDRESS: "the device has no such window or word, or it is read-only; open the device again",
    Status.BAD_LENGTH: "the payload does not fit the command; open the device again",
    Status.INVALID_PARAMETERS: "the device holds no valid parameters; load a model first",
    Status.COMMIT_MISMATCH: "the parameters in the device differ from the model; load it again",
    Status.ABORTED: "the call was aborted; call again",
}


#: What is said of a status with which no device refuses anything.
_STRANGE = "no device refuses so; rebuild its gateware with this version"


class HostError(Exception):
    """Base of the errors below."""


class PortError(HostError):
    """A port cannot be opened, or it broke down."""


class PoolError(HostError):
    """The devices of a pool do not fit together, or none is left."""


class LinkError(HostError):
    """Talking to a device failed."""


class LinkTimeout(LinkError):  # noqa: N818
    """A device did not answer within the time limit, repeats included."""


class SessionLost(LinkError):  # noqa: N818
    """A device no longer knows what was said before: it was reset, or another program talked to it."""


class RateError(LinkError):
    """Host and device could not agree on a rate; the line is as before."""


class NotADevice(LinkError):  # noqa: N818
    """Whatever is at the port is no device that this version can talk to."""


class WrongReport(LinkError, SpecError):  # noqa: N818
    """A device says what its network cannot: numbers out of range, too few or too many bytes, parameters that none has.

    It is data that do not fit the description, too, as which it can be caught.
    """


class DeviceError(LinkError):
    """A device refused a request.

    Parameters
    ----------
    command:
        What was asked for.
    status:
        How it ended; unknown numbers are kept.
    device:
        Name of the device, where it is known.
    """

    def __init__(self, command: int, status: int, device: str = "") -> None:
        self.command = command
        self.status = status
        self.device = device
        name = Command(command).name if command in set(Command) else f"command {command}"
        try:
            reason = f"{Status(status).name}: {_MEANINGS.get(Status(status), _STRANGE)}"
        except ValueError:
            reason = f"unknown status {status}; was the gateware built by a newer version?"
        super().__init__(f"{device + ': ' if device else ''}{name} was refused with {reason}")


class LearningError(LinkError):
    """Learning ended before its last sample.

    Parameters
    ----------
    reason:
        Why a call failed.
    learnt:
        Samples that were learnt for sure, the first ones in order.
    samples:
        Samples that there were.
    most:
        Samples that may have been learnt: those whose reports were still on their way count, unless the device refused
        them.
    lost:
        True if the device holds no valid parameters, as after a reset; otherwise what was learnt stays in it.
    """

    def __init__(self, reason: str, learnt: int, samples: int, *, most: int, lost: bool = False) -> None:
        self.learnt = learnt
        self.samples = samples
        self.most = most
        self.lost = lost
        count = f"{learnt}" if most == learnt else f"at least {learnt} and at most {most}"
        if lost:
            fate = (
                f"what it had learnt by then, {count} of {samples} samples, is lost with its parameters: load the "
                "last model that was read, and learn from there"
            )
        else:
            fate = (
                f"{count} of {samples} samples were learnt, in order, and stay so: reconnect and go on, or load the "
                "last model that was read and learn from there"
            )
        super().__init__(f"{reason}; {fate}")

    @property
    def refused(self) -> bool:
        """True if it is known which samples were learnt."""
        return self.most == self.learnt


class LoadError(LinkError):
    """A model could not be loaded; the device holds no valid parameters and refuses calls."""


class ModelMismatch(HostError):  # noqa: N818
    """A model is for another spec than the device's."""


class ModelFileError(HostError, IntakeError):
    """A model file cannot be read or written, or its contents were altered."""
