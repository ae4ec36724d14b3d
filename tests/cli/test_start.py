"""What the command loads before it knows what to do: modules, not seconds, because those depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from attractor.cli.app import app

#: Libraries that take long to load, and packages of this project that load them.
HEAVY = {"numpy", "scipy", "sklearn", "safetensors", "serial", "matplotlib", "amaranth", "dimod", "nir", "platformdirs"}
ROOMS = {f"attractor.{room}" for room in ("spec", "golden", "host", "train", "estimators", "verify", "plot", "solve")}
#: Runs the command, then tells on standard error what is loaded.
PROGRAM = """
import sys
from attractor.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def loaded_by(*words: str) -> set[str]:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True)
    assert ended.stdout
    return set(ended.stderr.split())


def test_what_is_loaded_is_seen() -> None:
    """The checks below would pass if nothing were told."""
    assert {"typer", "attractor.cli.app", "attractor.spec", "numpy"} <= loaded_by("boards")


def test_help_loads_no_network_and_no_library_for_numbers() -> None:
    assert loaded_by("--help") & (HEAVY | ROOMS) == set()


@pytest.mark.parametrize("words", [("--version",), ("--json", "--version"), ("--version", "-q")])
def test_the_version_does_not_even_load_the_commands(words: tuple[str, ...]) -> None:
    assert loaded_by(*words) & (HEAVY | ROOMS | {"typer", "rich", "attractor.cli.app"}) == set()


@pytest.mark.parametrize("name", [command.name for command in app.registered_commands if command.name != "demo"])
def test_the_help_of_a_command_loads_no_trainer_and_no_port(name: str) -> None:
    """NumPy is loaded by those that show the default of --baud, which is the protocol's, and by the families."""
    loaded = loaded_by(name, "--help")
    assert loaded & (HEAVY - {"numpy"}) == set()
    assert loaded & (ROOMS - {"attractor.spec"}) == set()
