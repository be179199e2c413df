"""Layers are a contract. import-linter holds the whole chain; here stands what it cannot express."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grimp
import pytest

from tests.harness.repo import ROOT, files_under, name_of, tree_of

CLOCKS_AND_CHANCE: Final = {
    "asyncio",
    "grpc",
    "time",
    "random",
    "secrets",
    "uuid",
    "logging",
    "threading",
    "socket",
}
WEB: Final = {"httpx", "fastapi", "starlette", "uvicorn"}
PURE: Final = {
    "model": CLOCKS_AND_CHANCE | WEB | {"os"},
    "labels": CLOCKS_AND_CHANCE | WEB,
    "translate": CLOCKS_AND_CHANCE | WEB,
    "protocol": CLOCKS_AND_CHANCE | WEB,
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _modules(layer: str) -> list[Path]:
    return [path for path in files_under("xds") if path.relative_to(ROOT).parts[1] == layer]


def test_imports_go_down_only() -> None:
    """The contracts of pyproject.toml, as `make lint` runs them."""
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("xds", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize("layer", PURE)
def test_time_and_chance_are_arguments(graph: grimp.ImportGraph, layer: str) -> None:
    """What is pure can be tested without a clock, replayed, and compared with another replica."""
    importer = f"xds.{layer}"
    chains = [
        " -> ".join(chain)
        for foreign in sorted(PURE[layer])
        if {importer, foreign} <= graph.modules
        and (chain := graph.find_shortest_chain(importer=importer, imported=foreign, as_packages=True))
    ]
    assert not chains


def test_the_model_needs_the_standard_library_only() -> None:
    seen = {
        f"{name_of(path)} imports {module}"
        for path in _modules("model")
        for module in _imports(path)
        if module.split(".")[0] not in sys.stdlib_module_names and not module.startswith("xds.model")
    }
    assert not seen
