"""Every fault that a soak tries has tests with its id in their names, and a line on the page of the faults."""

from __future__ import annotations

import ast
import re

import pytest

from tests.harness.repo import files_under, text_of, tree_of
from tests.harness.soak import PART_OF_SOAK, faults_of


@pytest.fixture(scope="module")
def named() -> set[str]:
    """The ids that the names of tests carry."""
    nodes = (node for path in files_under("tests") for node in ast.walk(tree_of(path)))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {fault for each in functions if each.name.startswith("test_") for fault in faults_of(each.name)}


@pytest.fixture(scope="module")
def tried() -> set[str]:
    """The ids in the table of what is tried."""
    (page,) = (path for path in files_under("docs", suffix=".md") if path.name == "faults.md")
    text = text_of(page) or ""
    rows = re.findall(r"^\| ([A-Z]\d+(?:, [A-Z]\d+)*) \|", text.partition("\n## Protocol\n")[0], re.MULTILINE)
    return {fault.lower() for row in rows for fault in row.split(", ")}


@pytest.mark.parametrize("fault", sorted(PART_OF_SOAK))
def test_a_fault_of_the_soak_has_tests_with_its_id(fault: str, named: set[str]) -> None:
    assert fault in named


def test_a_fault_that_tests_name_is_on_the_page(named: set[str], tried: set[str]) -> None:
    assert named <= tried
    assert tried >= PART_OF_SOAK
