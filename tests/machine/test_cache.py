from __future__ import annotations

import threading
from pathlib import Path

import pytest

from attractor.machine import cache


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))
    assert cache.cache_folder(cache.SIMULATORS) == tmp_path / "simulators"
    assert cache.cache_folder(cache.BUNDLES) == tmp_path / "bundles"
    monkeypatch.delenv(cache.CACHE_VARIABLE)
    assert cache.cache_folder(cache.BUNDLES) != tmp_path / "bundles"
    assert cache.cache_folder(cache.BUNDLES).parent.name in ("attractor", "Cache")


def test_parts_of_a_digest_do_not_run_together() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc")
    assert cache.digest("a") == cache.digest(b"a")


def test_a_file_that_is_built_twice_at_once_is_whole(tmp_path: Path) -> None:
    target, together, results = tmp_path / "new" / "file", threading.Barrier(2, timeout=60), []

    def build(path: Path) -> None:
        path.write_text("half")
        together.wait()
        assert not target.exists()
        together.wait()
        path.write_text("whole")

    threads = [threading.Thread(target=lambda: results.append(cache.build_once(target, build))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [target, target]
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_what_is_there_is_not_built_again(tmp_path: Path) -> None:
    target = cache.build_once(tmp_path / "file", lambda path: path.write_text("first") and None)
    assert cache.build_once(target, lambda path: path.write_text("second") and None).read_text() == "first"
