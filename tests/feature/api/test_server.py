"""The API on a real socket: what clients do to a connection, what a second control plane is told (fault A5)."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import signal
import socket
import time

import httpx
import pytest

from tests.feature.api.running import serving, telemetry_of
from xds.api import connection
from xds.api.server import ApiServer, listen
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.instance import Address
from xds.model.problems import InvalidInput, Unavailable

QUICK = ApiSettings(port=0, body_deadline=0.3)
HEAD = b"PUT /v1/gateways/edge HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


async def _talk(at: Address, *parts: bytes) -> tuple[int, dict[str, object]]:
    """Send `parts`, then read until the server closes: its status and its problem document."""
    reader, writer = await asyncio.open_connection(at.host, at.port)
    for part in parts:
        writer.write(part)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
    try:
        async with asyncio.timeout(10):
            answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


async def test_it_serves_and_stops(plane: ControlPlane) -> None:
    async with serving(plane, QUICK) as at, httpx.AsyncClient(base_url=f"http://{at}") as client:
        assert (await client.get("/readyz")).json() == {"status": "ready", "revision": 0}
        assert (await client.put("/v1/gateways/edge", json={})).status_code == 201
        assert "server" not in (await client.get("/healthz")).headers
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(at.host, at.port)


async def test_it_serves_ipv6(plane: ControlPlane) -> None:
    settings = ApiSettings(host="::1", port=0)
    async with serving(plane, settings) as at, httpx.AsyncClient(base_url=f"http://{at}") as client:
        assert (await client.get("/v1/services")).status_code == 200


async def test_a_port_in_use_is_named(plane: ControlPlane) -> None:
    async with serving(plane, QUICK) as at:
        with pytest.raises(Unavailable, match=str(at.port)) as caught:
            await ApiServer(plane, ApiSettings(port=at.port), telemetry_of(plane)).bind()
        assert (caught.value.code, caught.value.pointer) == ("port_in_use", "/port")


async def test_a_port_shared_by_reuseport_is_not_joined(plane: ControlPlane) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Unavailable, match="in use"):
            listen("127.0.0.1", other.getsockname()[1])


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 8080)
    with pytest.raises(InvalidInput, match="cannot listen"):
        listen("no such host", 8080)


async def test_the_signals_of_the_process_are_left_alone(plane: ControlPlane) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with serving(plane, QUICK) as at, httpx.AsyncClient(base_url=f"http://{at}") as client:
        await client.get("/healthz")
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_a_request_in_progress_is_finished_at_the_end(plane: ControlPlane) -> None:
    server = ApiServer(plane, QUICK, telemetry_of(plane))
    at = await server.bind()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        reader, writer = await asyncio.open_connection(at.host, at.port)
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{")
        await writer.drain()
        stopping = tasks.create_task(server.stop())
        writer.write(b"}")
        answer = await reader.read()
        await stopping
        writer.close()
    assert answer.startswith(b"HTTP/1.1 201")


async def test_a_watcher_does_not_hold_up_the_end(plane: ControlPlane) -> None:
    server = ApiServer(plane, QUICK, telemetry_of(plane))
    at = await server.bind()
    async with asyncio.TaskGroup() as tasks, httpx.AsyncClient(base_url=f"http://{at}") as client:
        tasks.create_task(server.serve())
        items = [{"service": "web", "address": f"10.0.0.{n}", "port": 80, "version": f"v{n}"} for n in (1, 2)]
        await client.post("/v1/instances:batch", json={"items": items})
        change = (await client.post("/v1/rollouts", json={"service": "web", "version": "v2"})).json()["change"]
        watch = f"/v1/rollouts/web-v2-1?wait={change}&timeout=60"
        watching = tasks.create_task(client.get(watch))
        await asyncio.sleep(0.1)  # so that it watches already; if not, it is refused, and the test still holds
        started = time.monotonic()
        await server.stop()
        assert time.monotonic() - started < 3
        with contextlib.suppress(httpx.TransportError):
            assert (await watching).status_code == 200


async def test_a5_a_slow_body_is_given_up(plane: ControlPlane) -> None:
    async with serving(plane, QUICK) as at:
        status, problem = await _talk(at, HEAD + b"Content-Length: 10\r\n\r\n{")
        assert (status, problem["code"]) == (408, "too_slow")


async def test_a5_a_slow_head_is_given_up(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_DEADLINE", 0.3)
    async with serving(plane, QUICK) as at:
        for sent in (b"", b"GET /healthz HT", HEAD):
            status, problem = await _talk(at, sent)
            assert (status, problem["code"]) == (408, "too_slow")


async def test_what_is_no_http_is_a_problem_document_too(plane: ControlPlane) -> None:
    async with serving(plane, QUICK) as at:
        status, problem = await _talk(at, b"\x16\x03\x01 hello\r\n\r\n")
        assert (status, problem["code"]) == (400, "broken_http")


async def test_a5_more_bytes_than_allowed_are_refused_whatever_was_claimed(plane: ControlPlane) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with serving(plane, QUICK) as at:
        claimed = await _talk(at, HEAD + b"Content-Length: 999999999999\r\n\r\n{")
        endless = await _talk(at, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 20)
    for status, problem in (claimed, endless):
        assert (status, problem["code"]) == (413, "too_large")
    assert plane.intent.revision == 0


async def test_a_client_that_sent_too_much_sees_why(plane: ControlPlane) -> None:
    """Closing on unread bytes would reset the connection, and the answer with it."""
    body = json.dumps({"labels": {"k": "x" * (8 << 20)}}).encode()
    kind = {"content-type": "application/json"}
    async with serving(plane, ApiSettings(port=0)) as at, httpx.AsyncClient(base_url=f"http://{at}") as client:
        assert (await client.put("/v1/services/web", content=body, headers=kind)).status_code == 413
        foreign = {**kind, "host": "evil.example"}
        assert (await client.put("/v1/services/web", content=body, headers=foreign)).status_code == 403


async def test_a_batch_may_be_larger_than_one_object_and_not_without_end(plane: ControlPlane) -> None:
    padding = {"service": "web", "address": "10.0.0.1", "port": 1, "metadata": {"k": "x" * 4000}}
    body = {"items": [{**padding, "id": f"i{at}"} for at in range(300)]}
    settings = ApiSettings(port=0, max_batch_items=300)
    async with serving(plane, settings) as at, httpx.AsyncClient(base_url=f"http://{at}") as client:
        assert (await client.post("/v1/instances:batch", json=body)).json()["failed"] == 0
        body["items"].append({**padding, "id": "one-too-many"})
        answer = await client.post("/v1/instances:batch", json=body)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert len(plane.intent.instances) == 300


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "text/plain"}, b"{}"),
        ({}, b"{}"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, gzip.compress(b"{}", mtime=0)),
        ({"content-type": "application/json; charset=utf-16"}, "{}".encode("utf-16")),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=b"),
    ],
)
async def test_a_body_that_is_not_declared_as_plain_json_is_refused(
    plane: ControlPlane, headers: dict[str, str], body: bytes
) -> None:
    async with serving(plane, QUICK) as at, httpx.AsyncClient(base_url=f"http://{at}") as client:
        answer = await client.put("/v1/gateways/edge", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "media_type")
    assert plane.intent.revision == 0


async def test_a5_others_are_served_while_somebody_is_slow(plane: ControlPlane) -> None:
    async with serving(plane, ApiSettings(port=0)) as at, httpx.AsyncClient(base_url=f"http://{at}") as client:
        slow = [await asyncio.open_connection(at.host, at.port) for _ in range(50)]
        for _, writer in slow:
            writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        started = time.monotonic()
        try:
            assert (await client.put("/v1/gateways/edge", json={})).status_code == 201
            took = time.monotonic() - started
        finally:
            for _, writer in slow:
                writer.close()
        assert took < ApiSettings().body_deadline, "nobody waits until the slow ones are given up"


async def test_a_connection_is_used_again_after_an_answer(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_DEADLINE", 0.2)
    async with serving(plane, ApiSettings(port=0)) as at:
        reader, writer = await asyncio.open_connection(at.host, at.port)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            await asyncio.sleep(0.4)  # longer than a head may take, shorter than an idle connection is kept
        writer.close()
