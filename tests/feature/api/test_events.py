"""Events: each revision once, in order, taken up again where they broke off; who does not read costs no memory (R5)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.feature.api.running import serving
from tests.feature.control.plane_on_disk import say
from tests.harness.declared import instance
from tests.harness.waiting import until
from xds.api import connection
from xds.api.routers import events
from xds.api.settings import ApiSettings
from xds.control import feed
from xds.control.plane import ControlPlane
from xds.model.declare import Declaration, Put
from xds.model.names import ServiceKey

Told = list[tuple[int, list[str]]]


@pytest.fixture
async def http(plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(plane, ApiSettings(port=0)) as at,
        httpx.AsyncClient(base_url=f"http://{at}", trust_env=False) as client,
    ):
        yield client


async def change(plane: ControlPlane, *numbers: int, service: str = "web") -> None:
    for number in numbers:
        await say(plane, Put(instance(f"{service}-{number}", service=ServiceKey.of(service), weight=number + 1)))


@asynccontextmanager
async def watching(http: httpx.AsyncClient, **query: object) -> AsyncIterator[AsyncIterator[tuple[int, list[str]]]]:
    """Follow the stream; yields (revision, objects) for each event."""
    async with http.stream("GET", "/v1/events", params=query) as answer:  # type: ignore[arg-type]  # as httpx encodes them
        assert answer.status_code == 200, await answer.aread()
        yield _told(answer)


async def _told(answer: httpx.Response) -> AsyncIterator[tuple[int, list[str]]]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            yield data["revision"], [change["object"] for change in data["changes"]]


async def take(stream: AsyncIterator[tuple[int, list[str]]], count: int) -> Told:
    async with asyncio.timeout(10):
        return [await anext(stream) for _ in range(count)]


async def test_every_revision_is_told_once_in_order_first_the_old_ones_then_as_they_come(
    plane: ControlPlane, http: httpx.AsyncClient
) -> None:
    await change(plane, 1, 2)
    async with watching(http, after=0) as stream:
        assert await take(stream, 2) == [(1, ["default/web", "web-1"]), (2, ["web-2"])]
        await change(plane, 3, 4)
        assert await take(stream, 2) == [(3, ["web-3"]), (4, ["web-4"])]


async def test_a_watcher_goes_on_where_it_broke_off_also_from_the_disk(
    plane: ControlPlane, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST", 3)
    monkeypatch.setattr(feed, "PAGE", 2)
    await change(plane, *range(20))
    async with watching(http, after=4) as stream:
        told = await take(stream, 16)
        await change(plane, 20)
        told += await take(stream, 1)
    assert [revision for revision, _ in told] == list(range(5, 22))
    async with http.stream("GET", "/v1/events", headers={"last-event-id": "19"}) as answer:
        assert [revision for revision, _ in await take(_told(answer), 2)] == [20, 21]


async def test_a_watcher_is_told_only_what_it_asked_for(plane: ControlPlane, http: httpx.AsyncClient) -> None:
    await change(plane, 1)
    await change(plane, 1, service="shop")
    await change(plane, 2)
    async with watching(http, after=0, kind="instance", service="web") as stream:
        assert await take(stream, 2) == [(1, ["web-1"]), (3, ["web-2"])]


async def test_a_quiet_stream_says_that_it_lives_and_moves_the_resume_point(
    plane: ControlPlane, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT", 0.05)
    async with http.stream("GET", "/v1/events", params={"service": "other"}) as answer:
        await change(plane, 1)
        async with asyncio.timeout(10):
            async for line in answer.aiter_lines():
                if line == "id: 1":
                    break


async def test_a_resume_point_that_nobody_keeps_is_gone_in_words(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/events", params={"after": "99"})
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")
    assert "list what there is" in answer.json()["detail"]


async def test_there_are_only_so_many_watchers(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STREAMS", 1)
    async with watching(http):
        answer = await http.get("/v1/events")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")


async def test_a_watcher_that_does_not_read_is_cut_off(
    plane: ControlPlane, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds nothing but a number; what was written for it is the socket's, and that is let go of as well."""
    monkeypatch.setattr(connection, "WRITE_DEADLINE", 0.3)

    async def go_on() -> None:
        for weight in range(1, 10_000):
            await plane.submit([Declaration(Put(instance(f"i{at}", weight=weight)), "api:test") for at in range(50)])

    def is_cut_off() -> bool:
        try:
            return lazy.send(b" ") < 0
        except (BrokenPipeError, ConnectionResetError):
            return True

    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect((http.base_url.host, http.base_url.port))
        lazy.sendall(b"GET /v1/events?after=0 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            changing = group.create_task(go_on())
            await until(is_cut_off, timeout=60, what="it is cut off")
            changing.cancel()


async def test_the_stream_ends_when_the_server_stops(plane: ControlPlane) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        async with serving(plane, ApiSettings(port=0)) as at:
            answer = await client.send(client.build_request("GET", f"http://{at}/v1/events"), stream=True)
        async with asyncio.timeout(10):
            await answer.aread()
        await until(lambda: answer.is_closed, timeout=5, what="the stream has ended")
