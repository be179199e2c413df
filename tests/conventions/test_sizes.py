"""A file is for one reader, a function for one glance."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.harness.repo import files_under, name_of, tree_of

FILE_LINES: Final = 320
FUNCTION_LINES: Final = 60

PYTHON = files_under("xds", "filters")
RUST = [path for path in files_under("filters", suffix=".rs") if "target" not in path.parts]


@pytest.mark.parametrize("path", PYTHON + RUST, ids=name_of)
def test_no_file_outgrows_a_reader(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES, f"{name_of(path)} has {lines} lines; split it by idea, not by size"


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_no_function_outgrows_a_glance(path: Path) -> None:
    too_long = [
        f"{node.name} (line {node.lineno}): {length}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not too_long
