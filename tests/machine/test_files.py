from __future__ import annotations

import threading
from pathlib import Path

import pytest

from attractor.machine.files import replacing, write_whole


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "Größe\r\n")
    assert path.read_bytes() == "Größe\r\n".encode()
    write_whole(str(path), b"\0\n")
    assert path.read_bytes() == b"\0\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path
    assert path.read_text() == "new"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "file", b"")


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """Threads of one process: a name that is made of the process alone would be the same for both."""
    path, together = tmp_path / "file", threading.Barrier(2, timeout=60)

    def write(text: str) -> None:
        with replacing(path) as partial:
            partial.write_text(text)
            together.wait()
            assert partial.read_text() == text
            together.wait()

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert path.read_text() in ("one", "two")
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_can_be_read_by_others(tmp_path: Path) -> None:
    """As any file that is simply written; those of the module tempfile are the owner's alone."""
    plain, whole = tmp_path / "plain", tmp_path / "whole"
    plain.write_text("")
    write_whole(whole, "")
    assert whole.stat().st_mode == plain.stat().st_mode
