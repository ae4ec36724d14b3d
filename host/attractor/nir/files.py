"""NIR files: read with every doubt about them cleared first, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attractor.intake import hdf5, refusing
from attractor.intake.text import printable
from attractor.machine.files import replacing
from attractor.nir.library import NirError, nir

__all__ = ["SUPPORTED", "read_graph", "refusal", "write_graph"]

#: Nodes that can be imported; graphs are inlined.
SUPPORTED = ("Input", "Output", "Linear", "Affine", "IF", "LIF", "CubaLIF", "Flatten", "Threshold", "NIRGraph")
_NEXT = "export it again from the framework it came from"


def read_graph(path: str | Path) -> nir.NIRGraph:
    """Read a graph from a ``.nir`` file.

    Raises
    ------
    NirError
        If the file is missing, damaged or too large, or has a node that is not supported; the message names both.
    """
    path = Path(path)
    if not path.is_file():
        raise NirError(f"{path}: {'this is no file' if path.exists() else 'no such file'}; check the name")
    with refusing(NirError, path, "is no intact NIR file", _NEXT, Exception):
        try:
            tree = hdf5.read_group(path, "node")
        except (hdf5.NoHDF5, OSError) as error:
            raise NirError(f"{path} cannot be read as HDF5: {error}; {_NEXT}") from error
        if tree is None:
            raise NirError(f"{path} is HDF5 but holds no NIR graph; check the name")
        _check_kinds(path, tree, "")
        graph = nir.dict2NIRNode({**tree, "type_check": False})
    if not isinstance(graph, nir.NIRGraph):
        raise NirError(f"{path} holds a lone {type(graph).__name__}; wrap it in a graph with Input and Output")
    return graph


def write_graph(path: str | Path, graph: nir.NIRGraph) -> None:
    """Write a graph to a file; raise :class:`NirError` if that fails."""
    path = Path(path)
    try:
        with replacing(path) as partial:
            nir.write(partial, graph)
    except OSError as error:
        raise NirError(
            f"{path} cannot be written: {error}; choose a folder that exists and that you may write to"
        ) from error


def _check_kinds(path: Path, group: Mapping[str, Any], prefix: str) -> None:
    """Refuse nodes that the library or we do not know, by name."""
    kind = group.get("type")
    if kind is not None and not isinstance(kind, Mapping):
        kind = kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind)
        if kind not in SUPPORTED:
            raise NirError(f"{path}: {refusal(printable(prefix, 200), printable(kind, 200))}")
    for name, item in group.items():
        if isinstance(item, Mapping):
            _check_kinds(path, item, prefix if name == "nodes" else f"{prefix}.{name}".lstrip("."))


def refusal(name: str, kind: str) -> str:
    """Return the message for a node that is not supported."""
    return (
        f"node {name!r} is a {kind}, which is not supported; {', '.join(SUPPORTED[:-1])} are, also in nested graphs: "
        "replace it before the export"
    )
