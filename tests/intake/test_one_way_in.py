"""Nothing comes in but through :mod:`attractor.intake`: what else opens or unpacks something is listed, with why."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import attractor

#: Calls that open, parse or unpack what may come from outside, as the source writes them.
DOORS = {"open", "read_bytes", "read_text", "load", "loads", "safe_open", "ZipFile", "File", "fromfile", "memmap"}
DOORS |= {
    "loadtxt",
    "genfromtxt",
    "decompress",
    "decompressobj",
    "eval",
    "exec",
    "literal_eval",
    "load_file",
    "Unpickler",
}
#: Calls of these names that read nothing.
HARMLESS = {
    "Device.open": "a device, whose bytes the link checks and attractor.host.reports",
    "DevicePool.open": "devices, as above",
    "Bundle.open": "attractor.gateware.bundle, which reads through the intake",
    "Model.load": "attractor.host.model, which reads through the intake",
    "device.load": "writes a model into a device",
    "opened.load": "as above",
    "loader.load": "as above",
    "bench.load": "writes parameters into a device that is checked",
    "bench.read_bytes": "words of such a device, whose frames and lengths are checked",
    "self.read_bytes": "as above",
    "entry.load": "an entry point of an installed package",
}
#: Modules that read what this project has written for itself, or the machine under it, and nobody else hands over.
OURS = {
    "gateware/boards.py": "our own sources and those of platforms, hashed",
    "gateware/flow.py": "files of a build that has just run, in its own folder",
    "gateware/report.py": "the report of a placement that has just run",
    "host/latency.py": "a number that Linux shows",
    "host/model.py": "provenance that was just written as JSON, read back as plain data",
    "host/model_files.py": "bytes that were just encoded, and tensors whose header the intake has checked",
    "machine/programs.py": "a program, whose bytes are hashed",
    "machine/sources.py": "our own sources, hashed",
    "sim/lockstep/eqprop/bench.py": "a function of that name, which loads parameters into a core",
    "sim/lockstep/felif/bench.py": "as above",
    "sim/lockstep/driver.py": "what the process that started this one wrote for it",
    "sim/lockstep/regression.py": "the report of a simulation that has just run",
    "sim/rtl_board.py": "our own sources and the Verilog that was made from them",
    "sim/verilator.py": "sources and programs that were made here",
    "solve/files/dimod_child.py": "the child in which dimod may break, and requests of the process that started it",
    "train/checkpoints.py": "an identity that was just written as JSON, read back as plain data",
    "train/eqprop/published.py": "as above, and tensors whose header the intake has checked",
}


def sources() -> list[tuple[str, Path]]:
    found = []
    for folder in attractor.__path__:
        found += [(path.relative_to(folder).as_posix(), path) for path in sorted(Path(folder).rglob("*.py"))]
    return [(name, path) for name, path in found if not name.startswith("intake/")]


def doors(path: Path) -> list[str]:
    """Return the calls in a source that open, parse or unpack something."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = [ast.unparse(call.func) for call in calls]
    writes = ["'w" in ast.unparse(call) for call in calls]
    return [
        name
        for name, writes in zip(names, writes, strict=True)
        if name.rpartition(".")[2] in DOORS and ".".join(name.split(".")[-2:]) not in HARMLESS and not writes
    ]


@pytest.mark.parametrize(("name", "path"), sources(), ids=lambda part: part if isinstance(part, str) else "")
def test_nothing_else_reads(name: str, path: Path) -> None:
    if name not in OURS:
        assert doors(path) == [], "read it through attractor.intake, or say here why it cannot harm"


def test_nothing_is_ever_unpickled() -> None:
    for name, path in sources():
        text = path.read_text()
        assert "allow_pickle=True" not in text, name
        assert "import pickle" not in text, name
        assert "joblib" not in text, name
