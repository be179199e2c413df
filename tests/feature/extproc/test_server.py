"""The processor's server over gRPC: who comes in, what is bounded, and how it ends. No Envoy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import grpc
import grpc.aio
import pytest
from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue
from envoy_data_plane.envoy.service.ext_proc.v3 import HttpHeaders, ProcessingRequest, ProcessingResponse

from tests.harness.repo import ROOT
from tests.harness.waiting import until
from xds.extproc.server import SERVICE, ExtProcServer
from xds.extproc.settings import Bounds
from xds.model.problems import Conflict
from xds.proxywasm.machine import Host
from xds.proxywasm.plugin import Plugin
from xds.wire.codec import decode, encode

METHOD = f"/{SERVICE}/Process"
CHECK = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
REQUEST = encode(
    ProcessingRequest(
        request_headers=HttpHeaders(headers=HeaderMap(headers=[HeaderValue(key=":path", raw_value=b"/")]))
    )
)


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    with Plugin((ROOT / "filters/health.wasm").read_bytes(), host=Host(now_ns=time.monotonic_ns)) as made:
        yield made


async def serve(plugin: Plugin, bounds: Bounds | None = None, token: str = "") -> ExtProcServer:
    def authorize(metadata: object, _: str) -> str | None:
        return None if not token or (isinstance(metadata, dict) and metadata.get("authorization") == token) else "who?"

    server = ExtProcServer(plugin, now_ns=time.monotonic_ns, bounds=bounds or Bounds(), authorize=authorize)
    await server.start("127.0.0.1:0")
    return server


@pytest.fixture
async def server(plugin: Plugin) -> AsyncIterator[ExtProcServer]:
    made = await serve(plugin, Bounds(max_streams=2, max_message=4_096, drain=0.2))
    yield made
    await made.stop()


def channel(server: ExtProcServer) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=[("grpc.use_local_subchannel_pool", 1)])


async def begin(door: grpc.aio.Channel) -> grpc.aio.StreamStreamCall:
    """A request that got its first answer and has not ended."""
    call = door.stream_stream(METHOD)()
    await call.write(REQUEST)
    assert decode(ProcessingResponse, await call.read()).request_headers is not None
    return call


async def test_a_stream_is_answered_message_by_message_and_ends_with_its_client(server: ExtProcServer) -> None:
    async with channel(server) as door:
        call = await begin(door)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
    assert server.open == 0


async def test_one_stream_too_many_is_refused_until_another_ends(server: ExtProcServer) -> None:
    async with channel(server) as one, channel(server) as other:
        calls = [await begin(one), await begin(one)]
        refused = other.stream_stream(METHOD)()
        assert await refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        calls[0].cancel()
        await until(lambda: server.open == 1, what="the first stream has ended")
        await begin(other)


async def test_a_message_too_long_ends_its_stream_only(server: ExtProcServer) -> None:
    async with channel(server) as door:
        good = await begin(door)
        call = door.stream_stream(METHOD)()
        await call.write(b"\0" * 5_000)
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await good.done_writing()
        assert await good.code() is grpc.StatusCode.OK


async def test_nonsense_is_the_clients_fault(server: ExtProcServer) -> None:
    async with channel(server) as door:
        call = door.stream_stream(METHOD)()
        await call.write(b"\xff")
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "ProcessingRequest" in (await call.details() or "")


@pytest.mark.parametrize("says_something", [False, True])
async def test_a_stream_has_a_time_to_begin_and_a_time_to_end(plugin: Plugin, says_something: bool) -> None:
    server = await serve(plugin, Bounds(first_message=0.1, deadline=0.1, drain=0.1))
    try:
        async with channel(server) as door:
            call = await begin(door) if says_something else door.stream_stream(METHOD)()
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    finally:
        await server.stop()


async def test_where_there_is_a_token_nobody_comes_in_without_it(plugin: Plugin) -> None:
    server = await serve(plugin, Bounds(drain=0.1), token="Bearer secret")
    try:
        async with channel(server) as door:
            assert await door.stream_stream(METHOD)().code() is grpc.StatusCode.UNAUTHENTICATED
            call = door.stream_stream(METHOD)(metadata=[("authorization", "Bearer secret")])
            await call.write(REQUEST)
            assert await call.read() is not grpc.aio.EOF
    finally:
        await server.stop()


async def test_health_is_told_and_a_drain_gives_requests_their_time(plugin: Plugin) -> None:
    server = await serve(plugin, Bounds(drain=5.0))
    async with channel(server) as door, channel(server) as other:
        check = other.unary_unary(CHECK)
        name = b"\x0a" + bytes([len(SERVICE)]) + SERVICE.encode()
        assert (await check(b""), await check(name)) == (SERVING, SERVING)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await check(b"\x0a\x01x")
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        watched = other.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert await watched.read() == SERVING
        call = await begin(door)
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(server.stop())
            assert await watched.read() == NOT_SERVING
            assert not stopping.done()
            await call.done_writing()
            assert await call.code() is grpc.StatusCode.OK


async def test_a_taken_address_is_refused_in_words(server: ExtProcServer, plugin: Plugin) -> None:
    second = ExtProcServer(plugin, now_ns=time.monotonic_ns, bounds=Bounds())
    with pytest.raises(Conflict, match=r"extproc cannot listen on 127\.0\.0\.1"):
        await second.start(f"127.0.0.1:{server.port}")
