"""Every story becomes exactly the resources that lie beside it.

`UPDATE_GOLDEN=1 pytest tests/golden` writes them anew; the diff is then what a change means for Envoy.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.golden.story import FILES, read, stories

UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
NAMES = {f"{name}.yaml" for name in FILES.values()} | {"problems.yaml"}


@pytest.mark.parametrize("folder", stories(), ids=lambda folder: folder.name)
def test_a_story_becomes_these_resources(folder: Path) -> None:
    made = read(folder).files()
    if UPDATE:
        for name in NAMES:
            (folder / name).unlink(missing_ok=True)
        for name, text in made.items():
            (folder / name).write_text(text, encoding="utf-8")
    kept = {name: (folder / name).read_text(encoding="utf-8") for name in NAMES if (folder / name).exists()}
    assert made == kept


@pytest.mark.parametrize("folder", stories(), ids=lambda folder: folder.name)
def test_the_same_story_gives_the_same_bytes_every_time(folder: Path) -> None:
    assert read(folder).built == read(folder).built


def test_there_are_stories() -> None:
    assert len(stories()) >= 20
