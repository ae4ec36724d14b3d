"""Modules under the names that they had in version 0.1: the same modules, with a warning that names the new place."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import Any

import pytest

from attractor._moved import MOVED, MOVED_NAMES

#: Modules below those that moved: old name, and new one.
BELOW = {
    "attractor.host.problems.graph": "attractor.solve.problems.graph",
    "attractor.host.estimators.eqprop": "attractor.estimators.eqprop",
    "attractor.host.nir.report": "attractor.nir.report",
}
#: A class of some modules, to be the same by both names; isinstance would fail otherwise.
CLASSES = {
    "attractor.host.problems.graph": "Graph",
    "attractor.host.problems": "Graph",
    "attractor.host.estimators.eqprop": "EqPropClassifier",
    "attractor.host.estimators": "OscillatorClassifier",
    "attractor.host.annealing": "Annealing",
    "attractor.golden.felif.device": "FelifDevice",
    "attractor.spec.felif_layer": "FelifLayer",
    "attractor.cli.families.base": "FamilyCommands",
    "attractor.train.digits": "Digits",
}
ALL = MOVED | BELOW
# Old names first: that is how old programs begin. Each is imported twice, the second time without a warning.
PROGRAM = """
import json, sys, warnings
told = {}
for old in json.loads(sys.argv[1]):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(f"import {old}", "old_program.py", "exec"))
        told[old] = {"warned": [(w.category.__name__, str(w.message), w.filename) for w in caught]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(f"import {old}")
        told[old]["again"] = len(caught)
for old, new in json.loads(sys.argv[1]).items():
    __import__(new)
    told[old]["same"] = sys.modules[old] is sys.modules[new]
    told[old]["name"] = sys.modules[old].__name__
for old, kind in json.loads(sys.argv[2]).items():
    new = json.loads(sys.argv[1])[old]
    told[old]["class"] = getattr(sys.modules[old], kind) is getattr(sys.modules[new], kind)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What happens to a program that imports all modules by their old names."""
    words = [sys.executable, "-c", PROGRAM, json.dumps(ALL), json.dumps(CLASSES)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("old", ALL)
def test_an_old_name_warns_once_and_gives_the_same_module(told: dict[str, Any], old: str) -> None:
    new, found = ALL[old], told[old]
    assert found["same"] is True
    assert found["name"] == new
    own = [(kind, said, where) for kind, said, where in found["warned"] if said.startswith(f"{old} is now ")]
    assert [(kind, where) for kind, _, where in own] == [("DeprecationWarning", "old_program.py")]
    assert f"{old} is now {new};" in own[0][1]
    # A package above may have moved, too, and says so; nobody else complains.
    assert all(old.startswith(said.split(" is now ")[0]) for _, said, _ in found["warned"])
    assert found["again"] == 0


@pytest.mark.parametrize("old", CLASSES)
def test_classes_are_the_same_by_both_names(told: dict[str, Any], old: str) -> None:
    assert told[old]["class"] is True


@pytest.mark.filterwarnings("ignore:attractor.host.problems:DeprecationWarning")
@pytest.mark.parametrize("name", ["attractor.host.problems.springs", "attractor.springs", "attractor.host.springs"])
def test_names_that_never_were_are_not_found(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="springs"):
        importlib.import_module(name)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, (_, names) in MOVED_NAMES.items() for name in sorted(names)]
)
def test_names_that_left_a_module_are_found_where_they_are_now(module: str, name: str) -> None:
    home = importlib.import_module(MOVED_NAMES[module][0])
    with pytest.warns(DeprecationWarning, match=f"{name} is now {home.__name__}.{name}"):
        assert getattr(importlib.import_module(module), name) is getattr(home, name)


def test_a_name_that_never_was_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'FelifDevise'"):
        getattr(importlib.import_module("attractor.golden.felif"), "FelifDevise")  # noqa: B009
