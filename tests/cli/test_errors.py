"""Bad input: one message with the offending value and the next step, a non-zero exit code, nothing half done."""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from attractor.cli import main
from attractor.cli.output import output
from attractor.host import Model
from attractor.host.model_files import Contents, encoded
from attractor.sim.golden_board import GoldenBoard
from attractor.sim.pty_server import serve
from attractor.spec import OscillatorSpec, Spec
from attractor.spec.files import load_spec

#: Seconds: only a hang takes that long.
PATIENCE = 30.0


# The command line


def test_no_command_shows_the_commands(run: Callable) -> None:
    outcome = run()
    assert outcome.code == 2
    assert "classify" in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("clasify",), "clasify"),
        (("classify", "--colour"), "--colour"),
        (("info", "--baud", "0"), "--baud"),
        (("board", "--sim", "x.json", "--tcp", "70000"), "--tcp"),
        (("bench", "x.safetensors", "--calls", "0"), "--calls"),
        (("test", "x.json", "--simulator", "spice"), "spice"),
        (("build", "x.json"), "--board"),
    ],
)
def test_usage_errors(run: Callable, words: tuple[str, ...], says: str) -> None:
    outcome = run(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err
    assert "--help" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("words", [("info", "--port"), ("load", "x", "--port", "--json")])
def test_port_without_an_address(refused: Callable, words: tuple[str, ...]) -> None:
    refused(*words, says=("--port needs an address", "sim:FILE"))


@pytest.mark.parametrize("command", ["info", "load", "bench"])
def test_no_port(refused: Callable, classifier: Path, command: str) -> None:
    files = () if command == "info" else (classifier,)
    refused(command, *files, says=("no port", "--port", "sim:FILE"))


def test_nothing_to_test(refused: Callable) -> None:
    refused("test", says=("nothing to test", "--port"))


@pytest.mark.parametrize("words", [(), ("--sim", "a.json", "--rtl", "b.json")])
def test_which_board(refused: Callable, words: tuple[str, ...]) -> None:
    refused("board", *words, says=("--sim FILE", "--rtl FILE"))


def test_verbose_shows_where_it_happened_in_one_run_only(refused: Callable, classifier: Path) -> None:
    with pytest.raises(ValueError, match="no port"):
        main(["-v", "load", str(classifier)])
    refused("info", "--port", says=("--port needs an address",))


@pytest.mark.parametrize("kind", [TypeError, KeyError, AssertionError, NotImplementedError, RecursionError])
def test_errors_of_ours_are_not_shown_as_errors_of_the_user(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    monkeypatch.setattr("attractor.spec.files.load_spec", lambda _: (_ for _ in ()).throw(kind("ours")))
    with pytest.raises(kind, match="ours"):
        main(["info", "network.json"])
    assert capsys.readouterr().err == ""


def test_an_error_of_ours_ends_a_process_with_a_traceback(tmp_path: Path) -> None:
    program = (
        "import attractor.spec.files as files; from attractor.cli import main\n"
        "def load_spec(path): raise TypeError('ours')\n"
        "files.load_spec = load_spec; main(['info', 'network.json'])"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" in ended.stderr
    assert "in load_spec" in ended.stderr


# Files


def test_missing_files(refused: Callable, classifier: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    for words in (("info", missing), ("load", missing), ("info", "--port", f"sim:{missing}")):
        refused(*words, says=(missing, "no such file", "check the name"))
    refused("build", tmp_path / "missing.json", "--board", "icebreaker", says=("missing.json", "no such file"))
    refused("test", tmp_path / "missing.json", says=("missing.json", "no such file"))
    refused("classify", classifier, tmp_path / "missing.npy", says=("missing.npy", "no such file"))
    refused("train", tmp_path / "m.npz", "-o", tmp_path / "x.safetensors", says=("m.npz", "no such file"))


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_model(refused: Callable, classifier: Path, images: Path, kept: int) -> None:
    classifier.write_bytes(classifier.read_bytes()[:kept])
    for words in (("info", classifier), ("classify", classifier, images)):
        refused(*words, says=(classifier, "no intact model file", "copy it again or train it again"))


def test_altered_model(refused: Callable, classifier: Path) -> None:
    data = bytearray(classifier.read_bytes())
    parameters = Model.load(classifier).parameters
    weights = parameters["weights"].tobytes()
    place = data.index(weights)
    data[place : place + 1] = np.int8(parameters["weights"].flat[0] ^ 1).tobytes()
    classifier.write_bytes(data)
    refused("load", classifier, "--port", "sim:unused", says=(classifier, "SHA-256", "copy it again or train it again"))


def test_weights_out_of_range(refused: Callable, classifier: Path) -> None:
    model = Model.load(classifier)
    tensors = {name: array.copy() for name, array in model.parameters.items()}
    tensors["weights"][1, 2] = 99
    classifier.write_bytes(encoded(Contents(model.spec, tensors, model.interface, {})))
    refused("load", classifier, "--port", "sim:unused", says=(classifier, "weights", "99", "15"))


@pytest.mark.parametrize("value", ['{"family": "oscillator", "oscillators": 1}', '{"family": "x"}', "{", "[]", ""])
def test_wrong_spec(refused: Callable, tmp_path: Path, value: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(value)
    refused("info", path, says=(path,))


@pytest.mark.parametrize("content", [b"", b"1 2 3\n", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_files_that_hold_no_arrays(refused: Callable, classifier: Path, tmp_path: Path, content: bytes) -> None:
    for name in ("bad.npy", "bad.npz"):
        path = tmp_path / name
        path.write_bytes(content)
        refused("train", path, "-o", tmp_path / "x.safetensors", says=(path, "numpy.save"))
    refused("classify", classifier, tmp_path / "bad.npy", says=("bad.npy", "numpy.save"))


def test_arrays_of_the_wrong_kind(refused: Callable, classifier: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    np.savez(tmp_path / "lacking.npz", images=np.zeros((3, 4)))
    refused("train", tmp_path / "lacking.npz", "-o", out, says=("no array labels", "images", "numpy.savez"))
    refused("classify", classifier, tmp_path / "lacking.npz", says=("lacking.npz", "several arrays", "numpy.save"))
    np.save(tmp_path / "flat.npy", np.zeros(16))
    refused("classify", classifier, tmp_path / "flat.npy", says=("flat.npy", "(16,)", "one row for each"))
    np.save(tmp_path / "objects.npy", np.array([{}, {}]), allow_pickle=True)
    refused("train", tmp_path / "objects.npy", "-o", out, says=("objects.npy", "numpy.save"))
    np.save(tmp_path / "complex.npy", np.ones((2, 16), complex))
    refused("classify", classifier, tmp_path / "complex.npy", says=("complex.npy", "complex128", ".astype(float)"))
    refused("train", "numbers", "-o", out, says=("'numbers'", "'digits'", ".npz"))
    assert not out.exists()


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (np.zeros((2, 9), [("grey", "f4"), ("red", "f4")]), np.arange(2), ("images in", "grey", ".astype(float)")),
        (np.full((2, 9), "dark"), np.arange(2), ("images in", "<U4", ".astype(float)")),
        (np.zeros((2, 9)), np.array([b"a", b"b"]), ("labels in", "|S1", "one number or string for each image")),
        (np.zeros((2, 9)), np.array(3), ("labels in", "shape ()", "one number or string for each image")),
    ],
)
def test_images_and_labels_of_the_wrong_type(
    refused: Callable, tmp_path: Path, images: np.ndarray, labels: np.ndarray, says: tuple[str, ...]
) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, images=images, labels=labels)
    for family in ("oscillator", "eqprop"):
        words = ("train", path, "--family", family, "-o", tmp_path / "x.safetensors")
        refused(*words, says=(path, *says))


def test_images_of_the_wrong_size(refused: Callable, classifier: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((3, 25)))
    for port in ((), ("--port", f"sim:{classifier}")):
        refused("classify", classifier, tmp_path / "large.npy", *port, says=("25", "16 values"))


def test_patterns_that_cannot_be_stored_together(refused: Callable, tmp_path: Path) -> None:
    np.save(tmp_path / "patterns.npy", [[1, 1, 1, -1], [-1, 1, 1, -1]])  # differ in one place
    out = tmp_path / "memory.safetensors"
    refused("train", tmp_path / "patterns.npy", "-o", out, says=("of 8 pattern values are not stable", "store fewer"))
    assert not out.exists()


def test_patterns_that_are_none(refused: Callable, memory: Path, images: Path) -> None:
    refused("recall", memory, images, says=("X holds 0.5", "+1 and -1"))


def test_patterns_that_cannot_all_be_stored(refused: Callable, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.sign(np.random.default_rng(0).standard_normal((40, 16))))
    refused("train", tmp_path / "many.npy", "-o", tmp_path / "x.safetensors", says=("not stable", "store fewer"))
    assert not (tmp_path / "x.safetensors").exists()


def test_models_for_another_command(refused: Callable, classifier: Path, memory: Path, images: Path) -> None:
    refused("recall", classifier, images, says=("no associative memory", "classify"))
    refused("classify", memory, images, says=("no classifier", "recall"))


def test_places_that_cannot_be_written_are_found_before_the_work(
    refused: Callable, classifier: Path, memory: Path, images: Path, tmp_path: Path
) -> None:
    refused("train", "digits", "-o", tmp_path / "model.bin", says=("model.bin", ".safetensors"))
    place = tmp_path / "nowhere" / "x.safetensors"
    refused("train", "digits", "-o", place, says=(place, "no folder", "create it"))
    refused("recall", memory, images, "-o", tmp_path / "found.txt", says=("found.txt", ".npy"))
    refused("build", classifier, "--board", "icebreaker", "-o", tmp_path / "x.bin", says=("x.bin", ".zip"))


# Boards and builds


@pytest.fixture
def _no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where synthesis would begin."""
    module = importlib.import_module("attractor.gateware.placements")
    monkeypatch.setattr(module, "synthesise", lambda *_, **__: pytest.fail("tools were run"))


def spec_file(folder: Path, spec: Spec) -> Path:
    path = folder / "spec.json"
    path.write_text(spec.to_json())
    return path


@pytest.mark.usefixtures("_no_tools")
@pytest.mark.parametrize(
    ("spec", "resource"),
    [
        (
            OscillatorSpec(oscillators=1024),
            "of 30 for its parameters alone; use fewer oscillators or narrower weights",
        ),
        (OscillatorSpec(oscillators=480, lanes=4), "with the board ulx3s"),
    ],
)
def test_a_network_that_no_board_holds(refused: Callable, tmp_path: Path, spec: OscillatorSpec, resource: str) -> None:
    path = spec_file(tmp_path, spec)
    refused("build", path, "--board", "icebreaker", "--no-cache", says=("icebreaker", resource))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("_no_tools")
def test_bauds_that_cannot_be_made(refused: Callable, classifier: Path) -> None:
    words = ("build", classifier, "--board", "icebreaker", "--no-cache", "--baud")
    refused(*words, 50, "--clock", 16.125, says=("16125000 Hz", "50 baud", "choose 46 or 62"))
    refused(*words, 12_345_678, says=("12345678 baud", "icebreaker", "3000000"))


@pytest.mark.usefixtures("_no_tools")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--clock", "14"), ("14 MHz", "the nearest it makes: 16.125 MHz", "12 MHz")),
        (("--clock", "0"), ("0 MHz", "more than 0")),
        (("--clock", "-24"), ("-24 MHz", "more than 0")),
        (("--clock", "nan"), ("nan MHz", "more than 0")),
        (("--clock", "inf"), ("inf MHz", "finite", "12 MHz")),
        (("--clock", "1e305"), ("inf MHz", "finite", "12 MHz")),
        (("--clock", "1e9"), ("1e+09 MHz", "the nearest it makes: 270 MHz")),
        (("--clock", "1e-300"), ("1e-300 MHz", "the nearest it makes: 16.125 MHz")),
        (("--clock", "fast"), ("--clock fast", "in MHz", "auto")),
        (("--seeds", "0"), ("0 seeds", "from 1 to 64")),
        (("--seeds", "65"), ("65 seeds", "a whole placement", "64")),
        (("--seed", "2147483648"), ("seed 2147483648", "at most 2147483647")),
        (("--seed", "2147483640", "--seeds", "9"), ("seed 2147483648", "at most 2147483647")),
    ],
)
def test_clocks_and_seeds_that_cannot_be(
    refused: Callable, classifier: Path, words: tuple[str, ...], says: tuple[str, ...]
) -> None:
    refused("build", classifier, "--board", "icebreaker", "--no-cache", *words, says=says)
    assert list(classifier.parent.iterdir()) == [classifier]


def test_a_clock_that_the_design_misses(refused: Callable, classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placements = importlib.import_module("attractor.gateware.placements").Placements
    monkeypatch.setattr(placements, "best", lambda *_, **__: SimpleNamespace(fmax_hz=21_900_000, clock_hz=48_000_000))
    words = ("build", classifier, "--board", "icebreaker", "--clock", 48)
    refused(
        *words, says=("reaches 21.9 MHz", "its clock is 48 MHz", "try a clock of 21 MHz", "more seeds", "fewer lanes")
    )
    assert list(classifier.parent.iterdir()) == [classifier]


@pytest.mark.parametrize(
    ("board", "says"), [("icebraker", "did you mean icebreaker"), ("ulx3s85", "ulx3s-85f"), ("?", "hx8k-evn")]
)
def test_unknown_board(refused: Callable, classifier: Path, board: str, says: str) -> None:
    refused("build", classifier, "--board", board, says=(f"'{board}'", says))


# Devices


def test_a_model_for_another_network(refused: Callable, classifier: Path, other: Path, images: Path) -> None:
    for words in (("load", other), ("classify", other, images), ("bench", other)):
        refused(*words, "--port", f"sim:{classifier}", says=("weight_bits: 5, 6", "build gateware", "train a model"))


@pytest.mark.parametrize(
    ("port", "says"),
    [
        ("/dev/no-such-port", "no such port"),
        ("rlt:x.json", "known: rtl:, sim:"),
        ("sim:", "is a board made for a network, and none is known here"),
    ],
)
def test_wrong_ports(refused: Callable, port: str, says: str) -> None:
    refused("info", "--port", port, says=(port.removeprefix("sim:"), says))


def test_a_closed_tcp_port(refused: Callable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"socket://127.0.0.1:{listener.getsockname()[1]}"
    refused("info", "--port", address, says=(address, "refused"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a silent device up after one repeat."""
    monkeypatch.setattr("attractor.host.link.SILENT_REPEATS", 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("noise", [b"\xff" * 40, b"Welcome to the modem\r\n\0OK\0", bytes(range(256))])
def test_a_terminal_that_answers_nonsense(refused: Callable, noise: bytes) -> None:
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)

    def babble() -> None:
        os.read(ours, 1)
        os.write(ours, noise)

    thread = threading.Thread(target=babble, daemon=True)
    thread.start()
    try:
        refused("info", "--port", name, says=(name, "bytes arrived but no answer", "another baud"))
        thread.join(PATIENCE)
        assert not thread.is_alive()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.usefixtures("impatient")
def test_a_terminal_on_which_nobody_answers(refused: Callable) -> None:
    ours, theirs = os.openpty()
    try:
        refused("info", "--port", os.ttyname(theirs), says=("nothing answers", "powered"))
    finally:
        os.close(ours)
        os.close(theirs)


class FailingBoard:
    """A golden board that fails once so many bytes have come, by not listening or by hanging up."""

    def __init__(self, spec: Spec) -> None:
        self.board = GoldenBoard(spec)
        self.left: int | None = None
        self.hangs_up = False
        self.stop = threading.Event()

    def write(self, data: bytes) -> None:
        if self.left is None:
            self.board.write(data)
            return
        self.board.write(data[: self.left])
        self.left = max(0, self.left - len(data))
        if not self.left and self.hangs_up:
            self.stop.set()

    def read(self, timeout: float) -> bytes:
        return self.board.read(timeout)


@contextmanager
def served(board: FailingBoard) -> Iterator[str]:
    """Offer the board on a TCP port and give its address."""
    ready, addresses = threading.Event(), []

    def announce(address: str) -> None:
        addresses.append(address)
        ready.set()

    board.stop.clear()
    thread = threading.Thread(
        target=serve, args=(board, announce), kwargs={"tcp_port": 0, "stop": board.stop}, daemon=True
    )
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield addresses[0]
    finally:
        board.stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_board_that_stops_in_the_middle_of_a_load(
    run: Callable, refused: Callable, classifier: Path, tmp_path: Path, hangs_up: bool
) -> None:
    spec = load_spec(classifier)
    assert isinstance(spec, OscillatorSpec)
    board = FailingBoard(spec)
    changed = tmp_path / "changed.safetensors"
    model = Model.load(classifier)
    Model(spec, dict(model.parameters) | {"schedule": spec.schedule(3)}, {}).save(changed)
    with served(board) as port:
        assert run("load", classifier, "--port", port, "--json").json["valid"]
        assert run("info", "--port", port, "--json").json["parameters_valid"]
        board.left, board.hangs_up = 150, hangs_up  # the greeting, and a part of the load
        error = refused("load", changed, "--port", port, says=(port,))
        assert "broke down" in error if hangs_up else "the device refuses calls" in error
    board.left = None
    with served(board) as port:
        told = run("info", "--port", port, "--json").json
        assert told["parameters_valid"] is False
        assert told["spec"] == spec.to_dict()
        assert run("load", changed, "--port", port, "--json").json["valid"]
        assert run("info", "--port", port, "--json").json["parameters_valid"]


@pytest.mark.parametrize("place", [0, -1])
def test_errors_are_one_document_for_programs(run: Callable, tmp_path: Path, place: int) -> None:
    words = ["info", tmp_path / "missing.safetensors"]
    words.insert(place % (len(words) + 1), "--json")
    outcome = run(*words)
    assert outcome.code == 1
    error = outcome.error
    assert error["kind"] == "ModelFileError"
    assert error["message"].endswith(f"; {error['next']}")
    assert "check the name" in error["next"]
    assert "error: " in outcome.err


@pytest.mark.parametrize("words", [("clasify",), ("info", "--colour"), ("info", "--baud", "0"), ("info", "--port"), ()])
def test_usage_errors_are_one_document_too(run: Callable, words: tuple[str, ...]) -> None:
    outcome = run("--json", *words)
    assert outcome.code in {1, 2}
    assert outcome.error["next"]


def test_an_interrupt_is_one_document_too(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Path) -> Spec:
        raise KeyboardInterrupt

    monkeypatch.setattr("attractor.spec.files.load_spec", interrupted)
    outcome = run("--json", "info", "network.json")
    assert outcome.code == 130
    assert outcome.error["kind"] == "interrupted"


def test_an_error_of_ours_is_one_document_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("attractor.spec.files.load_spec", lambda _: (_ for _ in ()).throw(KeyError("ours")))
    with pytest.raises(KeyError, match="ours"):
        main(["--json", "info", "network.json"])
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "internal"


def test_after_a_result_an_error_is_no_second_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def told(_: Path) -> Spec:
        output.result({"rows": []})
        raise ValueError("some differ")

    monkeypatch.setattr("attractor.spec.files.load_spec", told)
    with pytest.raises(SystemExit) as ended:
        main(["--json", "info", str(tmp_path / "network.json")])
    assert ended.value.code == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"rows": []}
    assert "some differ" in captured.err
