"""The repository works on any machine: it names no package index and no path of the machine it was written on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.harness.repo import ROOT, name_of, text_of, tracked_files

THIS_FILE: Final = Path(__file__).resolve()
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/[\w.]")
PACKAGE_INDEX = re.compile(
    r"pypi\.org|pythonhosted\.org|crates\.io\b|registry\.npmjs|proxy\.golang|(?:--|_)?(?:extra-)?index-url|--find-links"
    r"|https?://\S+/simple\b",
    re.IGNORECASE,
)


def _matching(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name_of(path)}: {found.group()}"
        for path in tracked_files()
        if path != THIS_FILE and (text := text_of(path)) is not None and (found := pattern.search(text))
    ]


def test_no_path_of_one_machine_is_named() -> None:
    assert not _matching(MACHINE_PATH)


def test_no_package_index_is_named() -> None:
    assert not _matching(PACKAGE_INDEX)


def test_constraints_are_plain_exact_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    odd = [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)]
    assert not odd
