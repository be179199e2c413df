"""A control plane with a real store, and a client of its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.feature.api.running import client_of, telemetry_of
from tests.feature.control.plane_on_disk import running_plane
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.telemetry.station import Telemetry


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with running_plane(tmp_path) as plane:
        yield plane


@pytest.fixture
def telemetry(plane: ControlPlane) -> Telemetry:
    """What Envoys have told, which `api` shows."""
    return telemetry_of(plane)


@pytest.fixture
async def api(plane: ControlPlane, telemetry: Telemetry) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token, as localhost."""
    async with client_of(plane, ApiSettings(), telemetry) as client:
        yield client


@pytest.fixture
async def web(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same client, with service `web`: an instance of v1, which is stable, and one of v2."""
    for number, version in ((7, "v1"), (8, "v2")):
        answer = await api.post(
            "/v1/instances",
            json={"service": "web", "address": f"10.0.0.{number}", "port": 8080, "version": version},
        )
        assert answer.status_code == 201, answer.text
    return api
