"""Models, ports and devices. Estimators are in :mod:`attractor.estimators`."""

from attractor.host.build import Build
from attractor.host.device import Device
from attractor.host.errors import (
    DeviceError,
    HostError,
    LearningError,
    LinkError,
    LinkTimeout,
    LoadError,
    ModelFileError,
    ModelMismatch,
    NotADevice,
    PoolError,
    PortError,
    RateError,
    SessionLost,
)
from attractor.host.interface import Interface
from attractor.host.link import LinkClient
from attractor.host.model import Model
from attractor.host.pool import DevicePool
from attractor.host.port import Port, open_port

__all__ = [
    "Build",
    "Device",
    "DeviceError",
    "DevicePool",
    "HostError",
    "Interface",
    "LearningError",
    "LinkClient",
    "LinkError",
    "LinkTimeout",
    "LoadError",
    "Model",
    "ModelFileError",
    "ModelMismatch",
    "NotADevice",
    "PoolError",
    "Port",
    "PortError",
    "RateError",
    "SessionLost",
    "open_port",
]
