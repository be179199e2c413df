"""The mesh that tests share, and the logs of any mesh whose test failed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any  # pytest's hook wrappers are loosely typed

import pytest

from tests.harness.mesh import Mesh, Town, mesh


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[Town]:
    """Shared by every test that disturbs nobody: services, routes and rollouts of its own, no Envoys of its own."""
    with mesh(envoy_binary, tmp_path_factory.mktemp("town")) as made:
        apps, _ = made.apps("v1", "v2", "v3")
        gateway, sidecar = made.gateway("edge"), made.sidecar("client")
        made.ready(gateway, sidecar)
        yield Town(made, gateway, sidecar, apps)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            found = value.mesh if isinstance(value, Town) else value
            if isinstance(found, Mesh):
                report.sections.append((f"logs of {name} in {found.folder}", found.last_words()))
    return report
