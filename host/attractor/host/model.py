"""Models: a network, trained parameters, what they mean and where they came from, in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors import SafetensorError

from attractor.host.errors import ModelFileError
from attractor.host.interface import Interface
from attractor.host.model_files import (
    FORMAT,
    MOST_BYTES,
    SUFFIX,
    Contents,
    Damage,
    Unknown,
    canonical,
    decoded,
    encoded,
    hash_of,
)
from attractor.intake.errors import DAMAGE, advised, told
from attractor.intake.files import read_file
from attractor.machine.files import write_whole
from attractor.spec import IntegerArray, Spec

__all__ = ["FORMAT", "SUFFIX", "Model"]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, checked and read-only.

    Models are equal if their networks, parameters, interfaces and provenances are. The folding is none of these: it is
    the one that was asked for, a preference that files keep, and results do not depend on it.

    Parameters
    ----------
    spec:
        The network, in the folding that gateware for it gets unless another is asked for.
    parameters:
        Integer arrays as ``spec.parameters`` describes them; copied.
    provenance:
        Where they came from: data set, rule, seed, metrics. Anything that JSON can hold; copied. Nothing is read from
        it but by people.
    interface:
        How inputs are made and outputs are read.

    Raises
    ------
    SpecError
        If a parameter does not fit the spec.
    ValueError
        If JSON cannot hold the provenance.
    """

    spec: Spec
    parameters: Mapping[str, IntegerArray]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    interface: Interface = field(default_factory=Interface)

    def __post_init__(self) -> None:
        checked = self.spec.check_parameters(self.parameters)
        # In C order, because the library saves other arrays' memory as if it were.
        arrays = {name: np.array(array, order="C") for name, array in checked.items()}
        for array in arrays.values():
            array.setflags(write=False)
        object.__setattr__(self, "parameters", MappingProxyType(arrays))
        object.__setattr__(self, "provenance", MappingProxyType(json.loads(canonical(dict(self.provenance)))))

    @property
    def digest(self) -> str:
        """SHA-256 of network, interface, provenance and parameters, in hexadecimal; whatever the folding."""
        described = (self.spec.network_to_dict(), self.interface.to_dict(), dict(self.provenance))
        return hash_of([FORMAT, *map(canonical, described)], self.parameters)

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Model) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.spec, dict(self.parameters), dict(self.provenance), self.interface)

    def save(self, path: str | Path) -> None:
        """Write the model to a ``.safetensors`` file, whole or not at all.

        Equal models of the same folding give equal bytes; see :mod:`attractor.host.model_files` for the format.

        Raises
        ------
        ModelFileError
            If the file cannot be written, or its name does not end in ``.safetensors``.
        """
        path = Path(path)
        if path.suffix != SUFFIX:
            raise ModelFileError(f"{path}: the name of a model file ends in {SUFFIX}")
        try:
            write_whole(path, encoded(Contents(self.spec, self.parameters, self.interface, self.provenance)))
        except OSError as error:
            raise ModelFileError(
                f"{path} cannot be written: {error.strerror}; choose a folder that exists and that you may write to"
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a model file, of this format or that of version 0.1, and check that nothing in it was altered.

        What an older version of the format did not have gets its default.

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, altered, of a newer version or no model; the message names the file, the
            reason and the next step.
        """
        path = Path(path)
        try:
            spec, parameters, interface, provenance = decoded(read_file(path, MOST_BYTES))
            return cls(spec, parameters, provenance, interface)
        except FileNotFoundError as error:
            raise ModelFileError(f"{path}: no such file; check the name, or train a model first") from error
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
        except Unknown as error:
            raise ModelFileError(
                f"{path} is no model that this version knows: {advised(error, 'save it again')}"
            ) from error
        except (SafetensorError, Damage, *DAMAGE) as error:
            raise ModelFileError(
                f"{path} is no intact model file: {told(error)}; copy it again or train it again"
            ) from error
