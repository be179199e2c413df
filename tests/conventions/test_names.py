"""A name says what is inside. A drawer for everything has no name."""

from __future__ import annotations

import re
from typing import Final

from tests.harness.repo import name_of, tracked_files

FORBIDDEN: Final = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}


def test_no_file_or_folder_is_a_drawer_for_everything() -> None:
    drawers = [
        name_of(path)
        for path in tracked_files()
        for part in name_of(path).split("/")
        if FORBIDDEN & set(re.split(r"[._-]", part.lower()))
    ]
    assert not drawers


def test_dependencies_are_locked_by_constraints_alone() -> None:
    """Other lock files name the host they were resolved from."""
    others = {"uv.lock", "Cargo.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json"}
    assert not [name_of(path) for path in tracked_files() if path.name in others]
