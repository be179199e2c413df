"""What the package imports is declared and explained, and nothing else is."""

from __future__ import annotations

import ast
import itertools
import re
import sys
import tomllib
from collections.abc import Iterable
from typing import Any  # pyproject.toml is whatever TOML holds

from tests.harness.repo import ROOT, files_under, tree_of

MODULES = {"google-re2": "re2", "grpcio": "grpc", "ruamel.yaml": "ruamel"}
"""Distributions whose module has another name."""


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def _modules(lines: Iterable[str]) -> dict[str, str]:
    """Distributions by the module that each brings."""
    names = [re.split(r"[<>=; ]", line)[0] for line in lines]
    return {MODULES.get(name, name.replace("-", "_")): name for name in names}


def _declared() -> dict[str, str]:
    """Run-time dependencies."""
    return _modules(_project()["dependencies"])


def _extras() -> dict[str, str]:
    """What an installation may lack."""
    return _modules(itertools.chain.from_iterable(_project()["optional-dependencies"].values()))


def _imported() -> set[str]:
    """Top-level modules that are imported in xds/ and are neither ours nor the standard library's."""
    found = set()
    for path in files_under("xds"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"xds"}


def test_every_package_that_is_imported_is_declared_and_every_declared_one_is_imported() -> None:
    """What an extra brings may be imported, or be a program."""
    assert set(_declared()) <= _imported() <= set(_declared() | _extras())


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert not [name for name in (_declared() | _extras()).values() if f"\n| {name} |" not in page]
