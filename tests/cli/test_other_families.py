"""Families from other packages in the commands: one that brings commands, one that brings none, a broken one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attractor.host import Model
from attractor.spec import family

#: A package outside of the project, whose family "threshold" brings no commands.
OUTSIDE = Path(__file__).parents[1] / "fourth_family"
#: A package with a family "gates" that brings everything for the commands.
PACKAGE = """
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from attractor.cli.family import Demo, FamilyCommands, Outcome, TrainOption, Trained
from attractor.golden import network
from attractor.host import Model
from attractor.spec import Family
from threshold_gates.spec import ThresholdSpec


@dataclass(frozen=True, kw_only=True)
class GateSpec(ThresholdSpec):
    family = "gates"


def majority(inputs):
    spec = GateSpec(inputs=inputs, gates=1)
    weights = np.ones((1, inputs), np.int8)
    return Model(spec, {"weights": weights, "thresholds": np.full(1, inputs // 2 + 1, np.int16)})


class GateDemo(Demo):
    shows = "a majority of five"
    picture = Path("gates.svg")
    model = Path("gates.safetensors")
    board = "none"

    def prepare(self):
        return majority(5)

    def perform(self, device, model):
        device.load(model)
        inputs = model.spec.encode_input(np.array([1, 0, 1, 1, 0]))
        found = device.call(inputs) == network(model.spec, model.parameters).call(inputs)
        picture = SimpleNamespace(savefig=lambda path: path.write_text("<svg/>"))
        return Outcome(model, {"agreement": float(found)}, [("votes", "3 of 5")], lambda: picture)


class GateCommands(FamilyCommands):
    data = "'majority'"
    options = (
        TrainOption("fan_in", int, "Inputs of the gate.", least=1),
        TrainOption("lanes", str, "few or many."),
        TrainOption("steep", bool, "Count only."),
        TrainOption("share", float, "Part of the inputs that must be on.", only="majorities"),
        TrainOption("layer", int, "Gates of a layer.", repeated=True),
    )

    def demo(self):
        return GateDemo()

    def train(self, data, given):
        return Trained(majority(given.get("fan_in", 3)), {"data": data, "given": dict(given)})

    def measure(self, device, model, calls, progress):
        return {"calls": calls, "held": device.holds(model)}


FAMILY = Family(
    name="gates",
    spec=GateSpec,
    golden="threshold_gates.golden:ThresholdNetwork",
    core="threshold_gates.core:ThresholdCore",
    commands="many_gates:GateCommands",
)
"""


def install(folder: Path, package: str, entry: str, text: str | None) -> None:
    """Put a package with a family where installed ones are; without ``text`` its module is missing."""
    if text is not None:
        (folder / f"{package}.py").write_text(text)
    told = folder / f"{package}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(f"[attractor.families]\n{entry} = {package}:FAMILY\n")


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("packages")
    install(folder, "many_gates", "gates", PACKAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.syspath_prepend(OUTSIDE)
        family.forget()
        yield
    family.forget()


def told_by(text: str) -> str:
    """Return help without frames and line breaks."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gates.json"
    path.write_text('{"family": "threshold", "inputs": 5, "gates": 3}')
    return path


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and no compiler."""
    monkeypatch.setattr("attractor.machine.programs.has_compiler", lambda: False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# A family that brings commands


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ((), {}),
        (("--fan-in", 7, "--lanes", "few"), {"fan_in": 7, "lanes": "few"}),
        (("--no-steep", "--share=0.5"), {"steep": False, "share": 0.5}),
        (("--steep", "--layer", 4, "--layer", "2"), {"steep": True, "layer": [4, 2]}),
    ],
)
def test_its_options_are_read_as_it_declares_them(
    run: Callable, tmp_path: Path, words: tuple[Any, ...], given: dict[str, Any]
) -> None:
    path = tmp_path / "gates.safetensors"
    for order in (("--family", "gates", *words), (*words, "--family=gates")):
        result = run("train", *order, "majority", "-o", path, "--json").json
        assert (result["data"], result["given"]) == ("majority", given)
        assert Model.load(path).spec.to_dict()["inputs"] == given.get("fan_in", 3)


def test_a_number_below_the_least_is_a_usage_error(run: Callable) -> None:
    outcome = run("train", "majority", "-o", "x.safetensors", "--family", "gates", "--fan-in", 0)
    assert (outcome.code, outcome.out) == (2, "")
    assert "--fan-in" in outcome.err


def test_options_of_another_family_mean_nothing(run: Callable, refused: Callable) -> None:
    words = ("train", "majority", "-o", "x.safetensors", "--family")
    takes = "which takes --fan-in, --lanes, --layer, --share, --steep"
    refused(*words, "gates", "--rule=hebb", says=(f"--rule means nothing to family gates, {takes}",))
    refused(
        *words, "eqprop", "--no-steep", says=("--steep means nothing to family eqprop, which takes --counter-bits",)
    )
    refused(*words[:-1], "--fan-in", 3, says=("--fan-in means nothing to family oscillator",))
    outcome = run(*words, "gates", "--colour", "red")  # an option of no family
    assert (outcome.code, outcome.out) == (2, "")
    assert "No such option" in outcome.err


def test_words_after_a_double_dash_are_no_options(refused: Callable, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    refused("train", "-o", out, "--", "--rule", says=("'--rule' is nothing to train on",))


def test_the_help_groups_options_by_family(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("train", "--help")
    assert shown.code == 0
    groups = re.split(r"Options of (\w+)", shown.out)
    assert groups[1::2] == ["eqprop", "felif", "gates", "oscillator"]  # threshold has none
    options = {name: set(re.findall(r"--[a-z-]+", text)) for name, text in zip(groups[1::2], groups[2::2], strict=True)}
    assert options["gates"] == {"--fan-in", "--lanes", "--steep", "--no-steep", "--share", "--layer"}
    assert {"--rule", "--phase-bits", "--lanes"} <= options["oscillator"]
    assert {"--counters", "--replicas", "--lanes"} <= options["eqprop"]
    assert {"--neuron", "--lanes"} <= options["felif"]
    assert "'majority' (gates)" in groups[0]
    assert "Part of the inputs that must be on (majorities)." in shown.out
    own = run("train", "--family", "gates", "--help").out
    assert "--fan-in" in own
    assert "--neuron" not in own


def test_its_demo(run: Callable, in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("demo", "--family", "gates", "--json").json
    assert (result["agreement"], result["board"]) == (1.0, "golden model")
    assert (in_folder / "gates.svg").read_text() == "<svg/>"
    assert Model.load(in_folder / "gates.safetensors").spec.family == "gates"
    assert "votes      3 of 5" in run("demo", "--family", "gates").out
    monkeypatch.setenv("COLUMNS", "200")
    shown = told_by(run("demo", "--help").out)
    assert "a majority of five (gates)" in shown
    assert "gates.svg (gates)" in shown


def test_it_is_measured(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "gates.safetensors"
    run("train", "majority", "-o", path, "--family", "gates")
    measured = run("bench", path, "--calls", 9, "--port", f"sim:{path}", "--json").json
    assert (measured["calls"], measured["held"]) == (9, True)
    assert measured["link"]["sent"] > 0


# A family that brings none


def test_what_needs_commands_says_so(refused: Callable, file: Path, tmp_path: Path) -> None:
    says = ("the family 'threshold' brings nothing for this command", "info, load, test, board and build")
    refused("train", "x", "-o", tmp_path / "x.safetensors", "--family", "threshold", says=says)
    refused("demo", "--family", "threshold", says=says)
    spec = family.find_family("threshold").spec.from_dict({"family": "threshold", "inputs": 5, "gates": 3})
    model = tmp_path / "model.safetensors"
    Model(spec, {name: np.zeros(each.shape, each.dtype) for name, each in spec.parameters.items()}).save(model)
    refused("bench", model, "--port", f"sim:{file}", says=says)


def test_what_needs_none_works(run: Callable, file: Path) -> None:
    told = run("info", file, "--json").json
    assert told["network"] == {"family": "threshold", "inputs": 5, "gates": 3, "weight_bits": 4}
    assert told["build"] == {"lanes": 3}
    assert run("info", "--port", f"sim:{file}", "--json").json["network"] == told["network"]
    assert run("test", "--port", f"sim:{file}", "--calls", 2, "--json").json["exact"] is True


# A broken one


def test_a_broken_family_is_told_of_and_keeps_no_other_from_working(
    run: Callable, refused: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "lost_gates", "lost", None)
    monkeypatch.syspath_prepend(tmp_path)
    family.forget()
    try:
        shown = run("train", "--help")
        assert shown.code == 0
        assert "family lost is left out" in shown.err
        assert "--fan-in" in shown.out
        words = ("train", "majority", "-o", tmp_path / "x.safetensors", "--family")
        assert run(*words, "gates").code == 0
        refused(*words, "lost", says=("the family 'lost' cannot be imported", "lost_gates"))
    finally:
        family.forget()
