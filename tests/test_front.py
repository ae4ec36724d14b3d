"""What ``import attractor`` gives: a few names, each imported when it is asked for, and nothing heavy before."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import attractor
from attractor import _front

#: Libraries that are imported with the first name that needs them, not before.
HEAVY = ("numpy", "scipy", "sklearn", "safetensors", "serial", "amaranth", "typer", "rich", "dimod", "cocotb")


def ran(program: str) -> Any:
    """Run a program in a fresh interpreter; return what it prints, which is JSON."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def loaded_after(statement: str) -> set[str]:
    return set(ran(f"import sys, json, attractor\n{statement}\nprint(json.dumps(list(sys.modules)))"))


def test_it_tells_what_it_is() -> None:
    assert attractor.__doc__ is not None
    assert attractor.__doc__.startswith("Networks that compute by settling")
    for name in ("OscillatorClassifier", "EqPropClassifier", "HopfieldNetwork", "OscillatorSampler", "Model", "Device"):
        assert name in attractor.__doc__
    assert attractor.__version__ == metadata.version("attractor")


@pytest.mark.parametrize("statement", ["", "attractor.__version__", "dir(attractor)", "attractor.__doc__"])
def test_nothing_heavy_is_loaded_before_it_is_used(statement: str) -> None:
    loaded = loaded_after(statement)
    assert loaded.isdisjoint(HEAVY)
    own = {name for name in loaded if name.startswith("attractor.")}
    assert own == {"attractor._front", "attractor._moved"}


def test_a_name_loads_what_it_needs_and_no_more() -> None:
    assert "numpy" in loaded_after("attractor.OscillatorSpec")
    assert "sklearn" not in loaded_after("attractor.Device")
    assert "amaranth" not in loaded_after("attractor.OscillatorClassifier")


@pytest.mark.parametrize("name", attractor.__all__)
def test_every_name_is_what_its_home_calls_so(name: str) -> None:
    found = getattr(attractor, name)
    if name != "__version__":
        home = importlib.import_module(_front._HOMES[name])
        assert found is getattr(home, name)
        assert name in home.__all__
        assert found.__doc__


def test_type_checkers_see_the_same_names() -> None:
    """They read imports that never run; those must lead to the homes that are used."""
    assert _front.__file__ is not None
    (block,) = (
        node
        for node in ast.parse(Path(_front.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in imports for alias in node.names} == _front._HOMES
    assert set(attractor.__all__) == {*_front._HOMES, "__version__"}


def test_all_names_are_listed() -> None:
    assert {*attractor.__all__, "__doc__", "__path__"} <= set(dir(attractor))
    assert ran("import json\nfrom attractor import *\nprint(json.dumps([Model.__name__, build.__name__]))") == [
        "Model",
        "build",
    ]


def test_other_names_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(AttributeError, match=r"'Oscilator'; it has Device, EqPropClassifier, .*load_spec"):
        _ = attractor.Oscilator  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError, match="cannot import name 'Oscilator'"):
        exec("from attractor import Oscilator")
