"""Fixtures every test may ask for. What they do lives in tests/harness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.harness import forks, ports, soak
from tests.harness.envoy import envoy_path
from tests.harness.processes import Programs

# One example may take as long as a busy machine makes it take; a test that hangs is ended by its own timeout. Where the
# variable CI is set, hypothesis itself chooses the same examples at every run; that is inherited here.
settings.register_profile("house", settings(deadline=None))
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make soak` runs: every test of a fault that lasts there."""
    for item in items:
        if soak.faults_of(item.name) & soak.PART_OF_SOAK:
            item.add_marker(pytest.mark.soak)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that gives a port nobody listens on, another one at each call."""
    return ports.free_port


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    """The real Envoy. Fails where it is missing."""
    return envoy_path()


@pytest.fixture(scope="session", autouse=True)
def _no_fork_server_stays() -> Iterator[None]:
    yield
    forks.close()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Starts programs; exactly those are ended when the test ends, however it ends."""
    logs = tmp_path / "logs"
    logs.mkdir()
    started = Programs(logs)
    try:
        yield started
    finally:
        started.stop_all()
