"""Every module says what it knows; every public name says what it is for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.harness.repo import files_under, name_of, tree_of

FEWEST_WORDS: Final = 4
MODULES = files_under("xds")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_a_sentence(path: Path) -> None:
    first = (ast.get_docstring(tree_of(path)) or "").split("\n\n")[0].strip()
    assert len(first.split()) >= FEWEST_WORDS, f"{name_of(path)}: say what it knows and refuses to know"
    assert first.endswith((".", ":", "?")), f"{name_of(path)}: the first paragraph is no sentence: {first!r}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_functions_and_classes_say_what_they_are_for(path: Path) -> None:
    silent = [
        f"{node.name} (line {node.lineno})"
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not silent
