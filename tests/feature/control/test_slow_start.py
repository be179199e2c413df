"""Fault P6: Envoys that are there before the store is loaded hear that it is not, and never that there is nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from pathlib import Path

import grpc
import httpx
import pytest
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse

from tests.feature.ads.wire_client import WireClient, connect, node
from tests.feature.control.test_serving import Place
from tests.harness.waiting import until
from xds.app import serve
from xds.control.ports import Loaded
from xds.store.sqlite import SqliteStore
from xds.wire.types import ResourceType

ENVOYS = 200
UNDER_A_WRITE = "Internal error from Core"
"""What grpc.aio's client says of a stream that the server ended while it wrote, whatever the status was."""


class Door:
    """The store's load, which takes as long as the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = asyncio.Event()
        load = SqliteStore.load

        async def slow(store: SqliteStore) -> Loaded:
            await self.open.wait()
            return await load(store)

        monkeypatch.setattr(SqliteStore, "load", slow)


async def test_p6_with_200_envoys_at_a_slow_store_each_is_told_unavailable_until_everything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    base = f"http://127.0.0.1:{place.api}"
    async with httpx.AsyncClient(trust_env=False, base_url=base) as api:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(place.settings()))
            await until(lambda: _is(api, "/readyz", 200), what="it serves")
            document = {"service": "web", "address": "127.0.0.1", "port": 8080, "version": "v1"}
            assert (await api.put("/v1/instances/web-1", json=document)).status_code == 201
            os.kill(os.getpid(), signal.SIGTERM)
        door = Door(monkeypatch)
        heard: Counter[str] = Counter()
        served: list[int] = []
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(place.settings()))
            await until(lambda: _is(api, "/healthz", 200), what="it is alive")
            for number in range(ENVOYS):
                tasks.create_task(_envoy(place.ads, number, heard, served))
            await until(lambda: heard["unavailable"] >= 2 * ENVOYS, 30, what="all were refused, and came again")
            for path in ("/readyz", "/v1/nodes", "/v1/services"):
                assert await _is(api, path, 503)
            assert await _is(api, "/healthz", 200)
            assert served == []
            door.open.set()
            await until(lambda: len(served) == ENVOYS, 60, what="all are served")
            assert await _is(api, "/readyz", 200)
            os.kill(os.getpid(), signal.SIGTERM)
    assert heard.keys() <= {"unavailable", UNDER_A_WRITE}
    assert min(served) > 0, "nobody was told that there are no clusters"
    await place.is_left_free()


async def test_p6_a_store_that_cannot_be_read_ends_the_process_and_nobody_was_sent_anything(tmp_path: Path) -> None:
    """What is no database of ours is left alone; whoever supervises the process sees it end, in words."""
    (tmp_path / "fairlead.db").write_bytes(b"this is no database" * 1000)
    place = Place(tmp_path)
    with pytest.raises(Exception, match="cannot be opened as a Fairlead database"):
        await serve(place.settings())
    assert (tmp_path / "fairlead.db").read_bytes().startswith(b"this is no database")


async def _is(api: httpx.AsyncClient, path: str, status: int) -> bool:
    try:
        return (await api.get(path)).status_code == status
    except httpx.TransportError:
        return False


async def _envoy(port: int, number: int, heard: Counter[str], served: list[int]) -> None:
    """Ask until it is served; note every refusal, and how many clusters the first answer had."""
    async with connect(port) as client:
        while True:
            code, clusters = await _ask(client, number)
            if clusters is not None:
                served.append(clusters)
                return
            heard[code] += 1
            await asyncio.sleep(0.3)


async def _ask(client: WireClient, number: int) -> tuple[str, int | None]:
    """Open a stream; the number of clusters in its first response, or how it was refused."""
    stream = client.delta()
    # A stream that is refused ends at once; to write into one that ends would hide its status.
    read = asyncio.ensure_future(stream.call.read())  # noqa: TID251 - cancelling a read of grpc.aio ends the call
    await asyncio.wait({read}, timeout=0.5)
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        if not read.done():
            await stream.ask(ResourceType.CLUSTER, as_node=node(f"envoy-{number}"))
        if isinstance(data := await read, bytes):
            return "ok", len(DeltaDiscoveryResponse.parse(data).resources)
    with contextlib.suppress(grpc.aio.AioRpcError):
        await read
    details = str(await stream.call.details())
    return UNDER_A_WRITE if details == UNDER_A_WRITE else (await stream.call.code()).name.lower(), None
