"""The conversations of this folder, replayed. UPDATE_GOLDEN=1 in the environment writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.transcripts.conversation import rewritten

FILES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_conversation_goes_as_written(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    now = rewritten(text)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(now, encoding="utf-8")
    else:
        assert now == text


def test_there_are_conversations() -> None:
    assert len(FILES) >= 12
