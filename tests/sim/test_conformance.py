"""The gateware keeps every rule of the wire protocol, down to the bits on its line."""

from __future__ import annotations

import pytest

from attractor.sim.rtl_board import RtlBoard
from attractor.verify.conformance import check_device

from .requests import SMALL

pytestmark = pytest.mark.usefixtures("tools")


def test_the_gateware_keeps_every_rule() -> None:
    with RtlBoard(SMALL) as board:
        found = check_device(board)
    assert found.holds, [finding for finding in found.findings if not finding.holds]
