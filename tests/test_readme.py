"""The front page says what the project does."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tour_is_the_example() -> None:
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    example = (ROOT / "examples" / "tour.py").read_text(encoding="utf-8")
    assert example.split('"""\n\n', 1)[1] == block.group(1)


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_named_commands_exist() -> None:
    from attractor.cli.app import app

    known = {command.name for command in app.registered_commands}
    named = set(re.findall(r"^attractor ([a-z]+)", README, re.MULTILINE))
    assert named
    assert named <= known


def test_benchmarks_named_exist() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for name in re.findall(r"benchmarks/(\w+\.py)", page.read_text(encoding="utf-8")):
            assert (ROOT / "benchmarks" / name).exists(), f"{page.name} names benchmarks/{name}"
