"""Bundles: a bitstream with everything that tells where it came from."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attractor.spec import MemoryMap, Spec, spec_from_dict

__all__ = ["FORMAT", "Bundle", "BundleError", "describe_memory_map"]

#: Raised when the meaning of a manifest's field changes.
FORMAT = 1

_MANIFEST = "manifest.json"
_MEMORY_MAP = "memory_map.json"
# The oldest time that a zip archive can hold, and the flags of an ordinary readable file on Unix.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_ATTRIBUTES = 0o644 << 16


class BundleError(ValueError):
    """A file is no bundle, or it is damaged."""


@dataclass(frozen=True)
class Bundle:
    """A built network: a zip archive of bitstream, ``manifest.json`` and ``memory_map.json``.

    Parameters
    ----------
    bitstream:
        What the board loads.
    manifest:
        ``format``; ``attractor`` (version); ``spec`` and its ``fingerprint``; ``board``, ``clock_hz``, ``baud``,
        ``seed``; ``bitstream`` (file name) and ``bitstream_sha256``; ``tools`` (version by name); ``utilisation``
        (used and available by resource); ``fmax_hz`` (reached and required by clock); ``inputs_sha256`` (of all that
        the build read) and ``sources_sha256`` (of the gateware's source files).
    """

    bitstream: bytes
    manifest: dict[str, Any]

    @property
    def spec(self) -> Spec:
        """The network."""
        return spec_from_dict(self.manifest["spec"])

    @property
    def board(self) -> str:
        """Name of the board."""
        return self.manifest["board"]

    @property
    def bitstream_name(self) -> str:
        """Name of the bitstream's file."""
        return self.manifest["bitstream"]

    def to_bytes(self) -> bytes:
        """Return the archive; equal bundles give equal bytes."""
        files = {
            self.bitstream_name: self.bitstream,
            _MANIFEST: _json(self.manifest),
            _MEMORY_MAP: _json(describe_memory_map(self.spec.memory_map)),
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
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            partial.write_bytes(self.to_bytes())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def save_bitstream(self, folder: str | Path) -> Path:
        """Write the bitstream alone into ``folder``, for a programming tool, and return its path."""
        target = Path(folder) / self.bitstream_name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.bitstream)
        return target

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read an archive.

        Raises
        ------
        BundleError
            If the file is no bundle of this format, or its bitstream or spec is not the one that was built.
        OSError
            If the file cannot be read.
        """
        data = Path(path).read_bytes()
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                manifest = json.loads(archive.read(_MANIFEST))
                if manifest["format"] != FORMAT:
                    raise BundleError(
                        f"{path} is a bundle of format {manifest['format']}, and this version reads format {FORMAT}; "
                        "build it again"
                    )
                bundle = cls(archive.read(manifest["bitstream"]), manifest)
            fingerprint = bundle.spec.fingerprint.hex()
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError(f"{path} is not a whole bundle ({error}); build it again") from error
        if hashlib.sha256(bundle.bitstream).hexdigest() != manifest.get("bitstream_sha256"):
            raise BundleError(f"the bitstream in {path} is not the one that was built; build it again")
        if fingerprint != manifest.get("fingerprint"):
            raise BundleError(
                f"{path} was built for a network with fingerprint {manifest.get('fingerprint')}, and its spec has "
                f"{fingerprint}; build it again"
            )
        return bundle


def describe_memory_map(memory_map: MemoryMap) -> list[dict[str, Any]]:
    """Return the windows as JSON objects in order, with the numbers by which the link addresses them."""
    return [
        {
            "number": memory_map.number(window.name),
            "name": window.name,
            "region": window.region.value,
            "words": window.words,
            "word_bits": window.word_bits,
        }
        for window in memory_map.windows
    ]


def _json(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=2) + "\n").encode()
