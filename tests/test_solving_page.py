"""The page on solving: its example does what it says, and its table names what there is."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from attractor.cli import main
from attractor.cli.targets import read_targets
from attractor.solve import problems

PAGE = (Path(__file__).parent.parent / "docs" / "solving.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for program, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, {})
        assert printed.getvalue() == expected


def test_a_board_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but the times that were measured, and what follows from them."""
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(import random.*?)```", PAGE, re.DOTALL)
    exec(program, {})
    (command, expected) = re.findall(r"`attractor (solve torus.*?)` then prints:\n\n```\n(.*?)```", PAGE, re.DOTALL)[0]
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["-q", *command.split()])
    assert ended.value.code == 0
    printed, said = capsys.readouterr().out.splitlines(), expected.splitlines()
    measured = ("seconds", "- golden model", "- simulated annealing", "fastest")
    kept = [[line for line in lines if not line.startswith(measured)] for lines in (printed, said)]
    assert kept[0] == kept[1]
    assert len(printed) == len(said)


def test_the_list_of_targets_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "torus.toml"
    path.write_text(text)
    first, second = read_targets(path)
    assert (first.target, first.reads, second.annealing) == (74, 200, {"periods": 30})


def test_the_table_has_every_problem() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for name in problems.__all__ if name.islower()}


def test_options_in_the_commands_exist() -> None:
    from typer.main import get_command

    from attractor.cli.app import app

    command = get_command(app).commands["solve"]  # pyright: ignore
    known = {option for parameter in command.params for option in parameter.opts} | {"--port"}
    for line in re.findall(r"^attractor solve (.*?)(?: +#.*)?$", PAGE, re.MULTILINE):
        assert {word for word in line.split() if word.startswith("-")} <= known
