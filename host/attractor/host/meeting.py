"""Meeting a device: who is at the other end of a line, and which network it holds."""

from __future__ import annotations

from typing import Any

from attractor.host import memory, version_1
from attractor.host.errors import DeviceError, LinkError, LinkTimeout, NotADevice
from attractor.host.link import LinkClient
from attractor.host.reports import checked_description
from attractor.intake.errors import DAMAGE, told
from attractor.spec import Region, Spec, SpecError, Window, spec_from_dict
from attractor.spec.description import described_map
from attractor.spec.protocol import DESCRIPTION_WINDOW, PROTOCOL_VERSION, Identity, decode_description

__all__ = ["meet"]


def meet(link: LinkClient) -> tuple[Identity, dict[str, Any], Spec]:
    """Return identity, description and spec of the device at the other end; end a call that is still under way there.

    Raises
    ------
    NotADevice
        If nothing there answers as a device of this protocol version.
    LinkError
        If the line fails.
    """
    try:
        identity = link.begin()
        raw = decode_description(_read_description(link, identity))
        spec, description = _described_spec(identity, raw), checked_description(raw)
    except LinkTimeout as error:
        raise NotADevice(_why_silent(link)) from error
    except DeviceError as error:
        raise DeviceError(error.command, error.status, link.port.name) from error
    except LinkError:  # one that says what it cannot say, too
        raise
    except DAMAGE as error:  # no identity, no description, no spec
        raise NotADevice(
            f"{link.port.name}: a device answers, but not as this version expects: {told(error)}; "
            "build its gateware with this version"
        ) from error
    return identity, description, spec


def _read_description(link: LinkClient, identity: Identity) -> bytes:
    size = identity.description_bytes
    rom = Window("description", Region.OUTPUT, size, 8)
    return memory.read(link, memory.Piece(DESCRIPTION_WINDOW, rom, 0, size))


def _described_spec(identity: Identity, description: dict[str, Any]) -> Spec:
    fields = description.get("spec")
    if not isinstance(fields, dict):
        raise SpecError("its description has no spec")
    spec = spec_from_dict(fields)
    _ = spec.memory_map  # which must fit the link
    if spec.fingerprint != identity.fingerprint:
        raise SpecError(
            f"its description is of a spec with fingerprint {spec.fingerprint.hex()}, its core's is "
            f"{identity.fingerprint.hex()}"
        )
    expected = described_map(spec.memory_map)
    if description.get("map", expected) != expected:
        raise SpecError("it lays its memory out otherwise than this version does")
    return spec


def _why_silent(link: LinkClient) -> str:
    seen, name = link.statistics, link.port.name
    builder = version_1.built_by(link.port, link.timeout, link.clock)
    if builder is not None:
        return (
            f"{name}: the device speaks protocol version 1, this program {PROTOCOL_VERSION}; its gateware was built by "
            f"attractor {builder}: build it with this version, or install that one"
        )
    if seen.received_bytes == 0:
        return (
            f"{name}: nothing answers; check that the board is powered and holds this project's bitstream, "
            "and that the port is the right one"
        )
    return (
        f"{name}: {seen.received_bytes} bytes arrived but no answer ({seen.damaged} damaged frames); "
        "another baud, another program's device or a wrong port"
    )
