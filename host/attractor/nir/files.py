"""NIR files: read with every doubt about them cleared first, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attractor.machine.files import replacing
from attractor.nir.library import NirError, h5py, nir

__all__ = ["MOST_BYTES", "MOST_ITEMS", "SUPPORTED", "read_graph", "refusal", "write_graph"]

#: Nodes that can be imported; graphs are inlined.
SUPPORTED = ("Input", "Output", "Linear", "Affine", "IF", "LIF", "CubaLIF", "Flatten", "Threshold", "NIRGraph")
#: Most bytes of a file's arrays once unpacked: weights of the largest network in double precision, eight times.
MOST_BYTES = 8 * 8 * 4096 * 4096
#: Most groups and arrays of a file: more than its nodes can need, for links may lead to the same one again and again.
MOST_ITEMS = 4096
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
    try:
        with h5py.File(path, "r") as file:
            _check(path, file)
        graph = nir.read(path, type_check=False)
    except NirError:
        raise
    except OSError as error:
        raise NirError(f"{path} cannot be read as HDF5: {error}; {_NEXT}") from error
    except Exception as error:  # The library meets damage with whatever error the damage leads to.
        raise NirError(f"{path} is no intact NIR file: {error or type(error).__name__}; {_NEXT}") from error
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


def _check(path: Path, file: Any) -> None:
    """Refuse what the library would unpack without a look, and nodes that it or we do not know, by name."""
    if "node" not in file:
        raise NirError(f"{path} is HDF5 but holds no NIR graph; check the name")
    size = 0
    for number, (name, item) in enumerate(_items(file["node"], "")):
        if number == MOST_ITEMS:
            raise NirError(
                f"{path} holds more than {MOST_ITEMS} groups and arrays, more than any network here; {_NEXT}"
            )
        if isinstance(item, h5py.Dataset):
            size += int(item.size or 0) * item.dtype.itemsize
            if size > MOST_BYTES:
                raise NirError(f"{path} unpacks to more than {MOST_BYTES} bytes, more than any network here; {_NEXT}")
        elif "type" in item:
            kind = item["type"][()]
            kind = kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind)
            if kind not in SUPPORTED:
                raise NirError(f"{path}: {refusal(name, kind)}")


def _items(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield a group and all that is in it, by the names of nodes."""
    yield prefix, group
    for name, item in group.items():
        inner = prefix if name == "nodes" else f"{prefix}.{name}".lstrip(".")
        if isinstance(item, h5py.Group):
            yield from _items(item, inner)
        else:
            yield inner, item


def refusal(name: str, kind: str) -> str:
    """Return the message for a node that is not supported."""
    return (
        f"node {name!r} is a {kind}, which is not supported; {', '.join(SUPPORTED[:-1])} are, also in nested graphs: "
        "replace it before the export"
    )
