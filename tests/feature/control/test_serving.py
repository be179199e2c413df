"""The whole process as `serve` makes it: a start that fails leaves nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from xds.app import serve
from xds.config import Settings
from xds.model.problems import Unavailable
from xds.store.sqlite import SqliteStore


async def test_a_start_that_fails_at_the_apis_port_gives_back_the_other_port_and_the_database(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ads = free_port()
        flags = {"data_dir": str(tmp_path), "api": f"127.0.0.1:{taken.getsockname()[1]}", "ads": f"127.0.0.1:{ads}"}
        settings = Settings.read({}, {**flags, "filter": "none"})
        with pytest.raises(ExceptionGroup) as raised:
            await serve(settings)
    assert raised.group_contains(Unavailable, match="is in use by another program")
    with socket.create_server(("127.0.0.1", ads)):
        await SqliteStore(tmp_path / "fairlead.db").close()
