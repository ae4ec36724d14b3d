"""Bundles: a bitstream with everything that tells where it came from."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from warnings import warn

from attractor.gateware.report import TimingPath
from attractor.intake import IntakeError, refusing
from attractor.intake.archives import Archive, check_name
from attractor.intake.documents import parsed_object
from attractor.intake.files import read_file
from attractor.machine.files import write_whole
from attractor.spec import MemoryMap, Spec, find_family, spec_from_dict

__all__ = ["FORMAT", "MOST_BYTES", "OLDEST_FORMAT", "Bundle", "BundleError", "describe_memory_map"]

#: Raised when the meaning of a manifest's field changes.
FORMAT = 2
#: Oldest format that is read; what is written is always of format :data:`FORMAT`.
OLDEST_FORMAT = 1
#: Longest bundle in bytes: some times the bitstream of the largest device.
MOST_BYTES = 64 << 20

_MANIFEST = "manifest.json"
_MEMORY_MAP = "memory_map.json"
_MOST_MEMBERS, _MOST_MANIFEST = 16, 4 << 20
#: Greatest frequency, rate and seed in a manifest.
_MOST_NUMBER = 1 << 64
# The oldest time that a zip archive can hold, and the flags of an ordinary readable file on Unix.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_ATTRIBUTES = 0o644 << 16


class BundleError(IntakeError):
    """A file is no bundle, or it is damaged."""


@dataclass(frozen=True)
class Bundle:
    """A built network: a zip archive of bitstream, ``manifest.json`` and ``memory_map.json``.

    Parameters
    ----------
    bitstream:
        What the board loads.
    manifest:
        ``format``; ``attractor`` (version); ``network`` (what results depend on: the family and its fields); ``build``
        (``board``, ``clock_hz``, ``baud``, ``seed``, and the spec's own fields of the build, such as ``lanes``);
        ``fingerprint`` (of the spec, which is both); ``bitstream`` (file name) and ``bitstream_sha256``; ``tools``
        (version by name); ``utilisation`` (used and available by resource); ``fmax_hz`` (reached and required by
        clock); ``pll`` (its dividers; null where the oscillator clocks the design); ``critical_paths`` (the longest
        path between each two clocks, see :class:`attractor.gateware.report.TimingPath`); ``inputs_sha256`` (of all
        that the build read) and ``sources_sha256`` (of the source files of the gateware). Bundles of version 0.1 have
        neither ``pll`` nor ``critical_paths``.
    """

    bitstream: bytes
    manifest: dict[str, Any]

    @property
    def spec(self) -> Spec:
        """The network, in the folding that was built."""
        network, build = self.manifest["network"], self.manifest["build"]
        fields = find_family(network.get("family")).spec.build_fields()
        return spec_from_dict(network | {name: build[name] for name in fields if name in build})

    @property
    def board(self) -> str:
        """Name of the board."""
        return self.manifest["build"]["board"]

    @property
    def clock_hz(self) -> int:
        """Frequency of the design in Hz."""
        return self.manifest["build"]["clock_hz"]

    @property
    def seed(self) -> int:
        """Seed of its placement."""
        return self.manifest["build"]["seed"]

    @property
    def fmax_hz(self) -> int:
        """Highest frequency of the placed design in Hz, by place and route; that of its slowest clock."""
        return min(reached for reached, _ in self.manifest["fmax_hz"].values())

    @property
    def critical_paths(self) -> tuple[TimingPath, ...]:
        """The longest path between each two clocks, the longest first; none if the bundle does not tell."""
        return tuple(map(TimingPath.from_dict, self.manifest.get("critical_paths", ())))

    @property
    def bitstream_name(self) -> str:
        """Name of the bitstream's file."""
        return self.manifest["bitstream"]

    def check_manifest(self) -> None:
        """Raise :class:`IntakeError` if a field that is read has another type; what is missing is not known."""
        build = self.manifest["build"]
        for name in ("clock_hz", "baud", "seed"):
            _check_number(name, build.get(name, 0))
        if not isinstance(build.get("board", ""), str):
            raise IntakeError(f"the board in its manifest is {build['board']!r} instead of a name")
        for clock in self.manifest.get("fmax_hz", {}).values():
            reached, required = clock
            _check_number("fmax_hz", reached)
            _check_number("fmax_hz", required)
        _ = check_name(self.bitstream_name, "the bitstream"), self.critical_paths

    def to_bytes(self) -> bytes:
        """Return the archive; equal bundles give equal bytes."""
        files = {
            self.bitstream_name: self.bitstream,
            _MANIFEST: _json(self.manifest),
            _MEMORY_MAP: _json(self.spec.memory_map.describe()),
        }
        buffer = io.BytesIO()
        # Stored: how deflate packs depends on the zlib that Python was built with.
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, _TIMESTAMP)
                entry.create_system, entry.external_attr = 3, _ATTRIBUTES
                archive.writestr(entry, files[name])
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the archive to ``path``, whole or not at all, and return the path."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, self.to_bytes())
        return target

    def save_bitstream(self, folder: str | Path) -> Path:
        """Write the bitstream alone into ``folder``, whole or not at all, for a programming tool; return its path."""
        target = Path(folder) / check_name(self.bitstream_name, "the bitstream")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, self.bitstream)
        return target

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read an archive; one of format 1 becomes one of format 2.

        Raises
        ------
        BundleError
            If the file is no bundle of these formats, or its bitstream or spec is not the one that was built.
        OSError
            If the file cannot be read.
        """
        with refusing(BundleError, path, "is not a whole bundle", "build it again"):
            data = read_file(path, MOST_BYTES)
            with Archive(io.BytesIO(data), _MOST_MEMBERS, plain_names=True) as archive:
                manifest = parsed_object(archive.read(_MANIFEST, _MOST_MANIFEST))
                name = check_name(manifest["bitstream"], "the bitstream")
                bundle = cls(archive.read(name, MOST_BYTES), _upgraded(manifest, path))
            bundle.check_manifest()
            fingerprint = bundle.spec.fingerprint.hex()
        if hashlib.sha256(bundle.bitstream).hexdigest() != manifest.get("bitstream_sha256"):
            raise BundleError(f"the bitstream in {path} is not the one that was built; build it again")
        if fingerprint != manifest.get("fingerprint"):
            raise BundleError(
                f"{path} was built for a network with fingerprint {manifest.get('fingerprint')}, and its spec has "
                f"{fingerprint}; build it again"
            )
        missing = sorted({"board", "clock_hz"} - bundle.manifest["build"].keys())
        if missing:
            raise BundleError(f"the manifest in {path} does not say {' and '.join(missing)}; build it again")
        return bundle


def describe_memory_map(memory_map: MemoryMap) -> list[dict[str, Any]]:
    """Return what :meth:`MemoryMap.describe` does, by its name in version 0.1."""
    warn("describe_memory_map(map) is now map.describe()", DeprecationWarning, stacklevel=2)
    return memory_map.describe()


def _upgraded(manifest: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """Return a manifest of format :data:`FORMAT`."""
    if manifest["format"] == FORMAT:
        return dict(manifest)
    if manifest["format"] != OLDEST_FORMAT:
        raise BundleError(
            f"{path} is a bundle of format {manifest['format']}, and this version reads formats {OLDEST_FORMAT} to "
            f"{FORMAT}; build it again, or install the version that wrote it"
        )
    # The first format had the spec as a whole, and what else was of the build beside it.
    spec = spec_from_dict(manifest["spec"])
    build = {name: manifest[name] for name in ("board", "clock_hz", "baud", "seed") if name in manifest}
    kept = {name: value for name, value in manifest.items() if name not in build and name != "spec"}
    return kept | {
        "format": FORMAT,
        "network": spec.network_to_dict(),
        "build": spec.build_to_dict() | build,
    }


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_NUMBER:
        raise IntakeError(f"{name} in its manifest is {value!r} instead of a number from 0 to {_MOST_NUMBER}")


def _json(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=2) + "\n").encode()
