"""The page on solving: its example does what it says, and its table names what there is."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from attractor.solve import problems

PAGE = (Path(__file__).parent.parent / "docs" / "solving.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says() -> None:
    blocks = re.findall(r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for program, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, {})
        assert printed.getvalue() == expected


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
