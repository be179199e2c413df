"""A control plane in this process, on a socket, and on the same port again when it was away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane
from xds.control.plane import ControlPlane


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with running_plane(tmp_path) as plane:
        yield plane
