from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from attractor.hdl import sources
from attractor.hdl.sources import design_sources
from attractor.spec import OscillatorSpec, family_of

SPEC = OscillatorSpec(oscillators=4)


def test_a_design_is_made_of_descriptions_and_components() -> None:
    names = [name for name, _ in design_sources(SPEC)]
    assert {"attractor.spec/base.py", "attractor.hdl/crossbar.py", "attractor.hdl/oscillator/core.py"} <= set(names)
    assert len(set(names)) == len(names)


def test_a_core_from_elsewhere_belongs_to_its_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "settling_gates"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "core.py").write_text("first\n")
    (tmp_path / "settling_core.py").write_text("alone\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    own = len(design_sources(SPEC))
    family = family_of(SPEC)

    def elsewhere(core: str) -> list[tuple[str, bytes]]:
        monkeypatch.setattr(sources, "family_of", lambda _: dataclasses.replace(family, core=core))
        return design_sources(SPEC)[own:]

    assert elsewhere("settling_gates.core:Core") == [
        ("settling_gates/__init__.py", b""),
        ("settling_gates/core.py", b"first\n"),
    ]
    assert elsewhere("settling_core:Core") == [("settling_core", b"alone\n")]


def test_amaranth_is_not_needed_to_tell_one_design_from_another() -> None:
    program = (
        "import sys; sys.modules['amaranth'] = None\n"
        "from attractor.hdl.sources import design_sources\n"
        "from attractor.spec import OscillatorSpec\n"
        "print(len(design_sources(OscillatorSpec(oscillators=4))))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
