"""The agent's book on disk: kept whole, read back, and put aside where it is none (row M28)."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds.agent.spool import Spool


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new")
    assert spool.read() == []
    spool.write([["a", 7, 1, False], ["b", 8, 2, True, "unix:///x"]])
    assert Spool(tmp_path / "new").read() == [("a", 7, 1, False, ""), ("b", 8, 2, True, "unix:///x")]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 9, "entries": []}', '{"version": 1, "entries": [["a", "7", 1, false]]}', "[" * 9999],
)
def test_a_file_that_is_no_book_is_put_aside_and_costs_nothing_else(tmp_path: Path, text: str) -> None:
    spool = Spool(tmp_path)
    spool.path.write_text(text)
    assert spool.read() == []
    assert (tmp_path / "agent.unreadable").read_text() == text
    spool.write([["a", 7, 1, False]])
    assert spool.read() == [("a", 7, 1, False, "")]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write([["a", 7, 1, False]])
    with pytest.raises(TypeError):
        spool.write([object()])
    assert spool.read() == [("a", 7, 1, False, "")]
