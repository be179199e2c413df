"""Nothing is left for later without a word, and nothing is switched off without a reason."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import Final

import pytest

from tests.harness.repo import ROOT, files_under, name_of, text_of, tracked_files

THIS_FILE: Final = Path(__file__).resolve()
LATER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
LEFT_OUT = re.compile(
    r"\bpytest\.(?:skip|xfail|importorskip)\b|\bmark\.(?:skip|skipif|xfail)\b|\b(?:unittest\.skip|skipTest)\b|#\[ignore"
)
DIRECTIVES = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[^\]]*\])?|pragma: no cover)"
)
FEWEST_WORDS: Final = 2

PYTHON = files_under("xds", "tests", "benchmarks", "filters", "scripts")


def _texts() -> list[tuple[Path, str]]:
    return [(path, text) for path in tracked_files() if path != THIS_FILE and (text := text_of(path)) is not None]


def test_nothing_is_left_for_later_in_a_comment() -> None:
    assert not [name_of(path) for path, text in _texts() if LATER.search(text)]


def test_no_test_is_left_out() -> None:
    """A part that cannot start is a failure. A skipped test is one nobody knows is missing."""
    tests = [(path, text) for path, text in _texts() if path.suffix in {".py", ".rs"}]
    assert not [name_of(path) for path, text in tests if LEFT_OUT.search(text)]


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_every_silenced_rule_carries_its_reason(path: Path) -> None:
    bare = []
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type != tokenize.COMMENT or not DIRECTIVES.search(token.string):
            continue
        reason = re.sub(r"[^\w\s]", " ", DIRECTIVES.sub("", token.string))
        if len(reason.split()) < FEWEST_WORDS:
            bare.append(f"line {token.start[0]}: {token.string}")
    assert not bare


def test_every_rule_ignored_in_the_configuration_carries_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text[text.index("\nignore = [") : text.index("[tool.ruff.lint.flake8-tidy-imports]")]
    bare = [line for line in section.splitlines() if re.match(r'\s+"[A-Z]+\d+"', line) and "#" not in line]
    assert not bare
