from __future__ import annotations

import pytest

from attractor.sim.verilator import ToolError, find_compiler, find_verilator


@pytest.fixture(scope="session")
def tools() -> None:
    """Skip where designs cannot be compiled."""
    try:
        find_verilator()
        find_compiler()
    except ToolError as error:
        pytest.skip(str(error))
