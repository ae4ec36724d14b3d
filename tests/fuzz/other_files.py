"""Kinds of files that others write: problems, NIR graphs, data sets; how they are damaged, and what reads them."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .kinds import FileKind, Random, saved
from .mutations import changed_json, damaged, damaged_text

__all__ = ["OTHER_FILES"]


# Problems


def _json_file(data: bytes, rng: Random) -> bytes:
    return json.dumps(changed_json(json.loads(data), rng)).encode(errors="surrogatepass")


def _graphs() -> list[bytes]:
    return [b"4 3\n1 2 1\n4 3 -2  # comment\n1 3\n", b"5 0\n", b"# first\n3 3\n1 2\n2 3\n1 3 0.5\n"]


def _coordinates() -> list[bytes]:
    return [b"# vartype=SPIN\n0 1 1\n1 1 -2.5\n", b"# vartype: BINARY\n0 3 1e-3\n2 2 -1\n0 0 4\n"]


def _bqm() -> Any:
    import dimod

    return dimod.BinaryQuadraticModel({"a": 1.0, ("x", 1): 2.0, "c": 0.5}, {("a", ("x", 1)): -1.5}, 0.5, "SPIN")


def _dimacs() -> list[bytes]:
    return [
        b"c a graph\np edge 5 4\ne 1 2\ne 2 3\nn 1 7\ne 3 4\ne 5 1\n",
        b"c a QUBO problem\np qubo 0 4 2 2\n0 0 3.4\n3 3 -2\n0 1 2.2\n1 3 -0.5\n",
    ]


def _packed() -> list[bytes]:
    return [gzip.compress(data, mtime=0) for data in _dimacs() + _graphs()]


def _json_problems() -> list[bytes]:
    return [json.dumps(_bqm().to_serializable()).encode()]


def _binary_problems() -> list[bytes]:
    with _bqm().to_file() as file:
        return [file.read()]


def _binary_header(data: bytes, rng: Random) -> bytes:
    begin = data.index(b"{")
    end = begin + int.from_bytes(data[begin - 4 : begin], "little")
    header = json.dumps(changed_json(json.loads(data[begin:end]), rng)).encode()
    return data[: begin - 4] + len(header).to_bytes(4, "little") + header + data[end:]


def _formulas() -> list[bytes]:
    return [
        b"c a formula\np cnf 5 3\n1 -2 3 0 4 5\n-1 2 3 0\n-5 0\n%\n0\n",
        b"p wcnf 3 3 10\n10 1 2 0\n3 -1 0\n2.5 2 -3 0\n",
        b"c new\nh 1 2 0\n3 -1 0\n4 -2 3 0\n",
    ]


def _forms() -> list[bytes]:
    return [b"1\n3 4\n1 1 2\n1 2 3\n2 3 -4\n3 3 7\n", b"2\n2 1\n1 1 5\n1 1\n1 1 2\n"]


def _matrices() -> list[bytes]:
    return [
        b"%%MatrixMarket matrix coordinate real symmetric\n% a graph\n4 4 3\n2 1 1.5\n3 2 -1\n4 1 1e3\n",
        b"%%MatrixMarket matrix coordinate pattern general\n3 3 2\n2 1\n3 1\n",
        b"%%MatrixMarket matrix array integer general\n2 2\n0\n3\n3\n0\n",
    ]


def _tours() -> list[bytes]:
    head = b"NAME: x\nTYPE: TSP\nCOMMENT: y\nDIMENSION: 4\n"
    return [
        head + b"EDGE_WEIGHT_TYPE: " + kind + b"\nNODE_COORD_SECTION\n1 0 0\n2 1.5 3\n3 -4 1e1\n4 7 2\nEOF\n"
        for kind in (b"EUC_2D", b"CEIL_2D", b"GEO", b"ATT")
    ] + [head + b"EDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: UPPER_ROW\nEDGE_WEIGHT_SECTION\n1 2 3\n4 5\n6\nEOF\n"]


def _programs() -> list[bytes]:
    return [
        b"\\ a program\nMaximize\n obj: 3 x + 4 y + 2 n + [ x * y ] / 2\nSubject To\n w: 2 x + 3 y + n <= 8\n"
        b" c: x + y = 1\nBounds\n 1 <= n <= 3\nBinary\n x y\nGeneral\n n\nEnd\n"
    ]


def _constrained() -> list[bytes]:
    import dimod

    whole, bit, spin = dimod.Integer("i", lower_bound=-2, upper_bound=5), dimod.Binary(("b", 1)), dimod.Spin("s")
    quadratic: Any = spin * bit + 3 * whole * bit - 2 * whole + whole * whole
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(quadratic)
    cqm.add_constraint(2 * spin + whole - bit >= -1, label="c")
    found = []
    for model in (cqm, quadratic):
        with model.to_file() as file:
            found.append(file.read())
    return found


def _read_as(kind: Any) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        from attractor.solve.problem_files import read_problem
        from attractor.solve.problems import Graph, max_cut

        problem = read_problem(path, kind)
        return max_cut(problem) if isinstance(problem, Graph) and problem.vertices < 10_000 else problem

    return read


_read_problem = _read_as(None)


# NIR graphs


def _nir() -> list[bytes]:
    import nir

    from attractor.nir import write_graph

    ones = np.ones(3)
    common = {"v_threshold": ones, "v_reset": 0 * ones, "v_leak": 0 * ones}
    neurons: list[Any] = [
        nir.LIF(tau=0.02 * ones, r=20 * ones, **common),
        nir.CubaLIF(tau_mem=0.02 * ones, tau_syn=0.01 * ones, r=20 * ones, w_in=ones, **common),
        nir.IF(r=1000 * ones, v_threshold=ones, v_reset=0 * ones),
        nir.Threshold(ones),
    ]
    found = []
    for node in neurons:
        nodes: dict[str, Any] = {
            "in": nir.Input({"input": np.array([2])}),
            "w": nir.Affine(np.ones((3, 2)), 0.1 * ones),
            "n": node,
            "r": nir.Linear(0.5 * np.eye(3)),
            "out": nir.Output({"output": np.array([3])}),
        }
        edges = [("in", "w"), ("w", "n"), ("n", "r"), ("r", "n"), ("n", "out")]
        graph = nir.NIRGraph(nodes, edges)
        found.append(saved(lambda path, graph=graph: write_graph(path, graph), "a.nir"))
    return found


def _hdf5(data: bytes, rng: Random) -> bytes:
    """Change groups and arrays with the library that writes them."""
    import h5py

    file = io.BytesIO(data)
    with h5py.File(file, "r+") as opened:
        nodes: Any = opened["node/nodes"]
        node = nodes[rng.choice(list(nodes))]
        field = rng.choice(list(node))
        values: list[Any] = [
            3,
            b"x",
            "\x1b[31m",
            np.zeros((2, 2)),
            np.array([np.nan]),
            np.zeros(0),
            "LIF",
            -1e308,
            1j,
            [b"a"],
        ]
        action = rng.random()
        del node[field]
        if action < 0.5:
            node[field] = rng.choice(values)
        elif action < 0.6:
            node.create_dataset(field, (1 << rng.choice((8, 20, 30, 40)),), "f8", chunks=(16,), compression="gzip")
        elif action < 0.65:
            node.create_dataset(
                field, (1 << rng.choice((4, 16, 24)),), h5py.string_dtype(), chunks=(16,), compression="gzip"
            )
        elif action < 0.7:
            node[field] = h5py.ExternalLink("/etc/passwd", "/x")
        elif action < 0.75:
            node[field] = h5py.SoftLink(rng.choice(("/", "/node", "/missing", "/node/nodes")))
        elif action < 0.8:
            level = node
            for _ in range(rng.choice((3, 30, 300))):
                level = level.create_group("a")
        elif action < 0.85:
            node.create_dataset(field, (4,), "f8", external=[("/etc/passwd", 0, 32)])
    return file.getvalue()


def _read_nir(path: Path) -> object:
    from attractor.nir import from_nir

    return from_nir(path, dt=1e-3, ticks=4)


# Data sets: another file than the one that was published is refused, once it has been unpacked


def _digits() -> list[bytes]:
    values = struct.pack(">HBB3I", 0, 8, 3, 2, 28, 28) + bytes(2 * 28 * 28)
    return [gzip.compress(values), gzip.compress(bytes(1 << 20)), gzip.compress(bytes(60 << 20))]


def _read_digits(path: Path) -> object:
    from attractor.data.mnist import mnist

    return mnist(path.parent)


def _chorales() -> list[bytes]:
    return [json.dumps({"train": [[[60, 64], [62]]], "valid": [], "test": [[[50]]]}).encode()]


def _read_chorales(path: Path) -> object:
    from attractor.data.chorales import chorales

    return chorales(path.parent)


OTHER_FILES = (
    FileKind("graph", "a.txt", _graphs, (damaged_text,), _read_as("cut")),
    FileKind("table", "a.txt", _graphs, (damaged_text,), _read_as("qubo")),
    FileKind("graph or table", "a.txt", _graphs, (damaged_text,), _read_problem),
    FileKind("formula", "a.cnf", _formulas, (damaged_text,), _read_problem),
    FileKind("OR-Library", "a.txt", _forms, (damaged_text,), _read_problem),
    FileKind("Matrix Market as a graph", "a.mtx", _matrices, (damaged_text,), _read_as("cut")),
    FileKind("Matrix Market as a form", "a.mtx", _matrices, (damaged_text,), _read_as("qubo")),
    FileKind("TSPLIB", "a.tsp", _tours, (damaged_text,), _read_problem),
    FileKind("linear program", "a.lp", _programs, (damaged_text,), _read_problem),
    FileKind("dimod's constrained models", "a.cqm", _constrained, (damaged, _binary_header), _read_problem),
    FileKind("coordinates", "a.txt", _coordinates, (damaged_text,), _read_problem),
    FileKind("DIMACS and qbsolv", "a.txt", _dimacs, (damaged_text,), _read_problem),
    FileKind("packed problems", "a.gz", _packed, (damaged,), _read_problem),
    FileKind("dimod as JSON", "a.json", _json_problems, (damaged_text, _json_file), _read_problem),
    FileKind("dimod as binary", "a.bqm", _binary_problems, (damaged, _binary_header), _read_problem),
    FileKind("nir", "a.nir", _nir, (damaged, _hdf5), _read_nir),
    FileKind("mnist", "train-images-idx3-ubyte.gz", _digits, (damaged,), _read_digits),
    FileKind("chorales", "jsb-chorales-quarter.json", _chorales, (damaged_text, _json_file), _read_chorales),
)
