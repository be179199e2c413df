"""A raw ADS client over real gRPC: bytes out, bytes in, one stream, and no opinion of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from envoy_data_plane.envoy.config.core.v3 import BuildVersion, Node
from envoy_data_plane.envoy.service.discovery.v3 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from envoy_data_plane.envoy.type.v3 import SemanticVersion
from envoy_data_plane.google.protobuf import Struct, Value
from envoy_data_plane.google.rpc import Status

from xds.wire.types import ResourceType

SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
SOON = 5.0


def node(id_: str = "sidecar-1", metadata: Mapping[str, str] | None = None) -> Node:
    struct = Struct(fields={key: Value(string_value=value) for key, value in (metadata or {}).items()})
    version = BuildVersion(version=SemanticVersion(major_number=1, minor_number=40))
    return Node(id=id_, cluster="c", metadata=struct, user_agent_name="envoy", user_agent_build_version=version)


class WireStream:
    """One open call."""

    def __init__(self, call: Any) -> None:  # grpc ships no types
        self.call = call

    async def write(self, data: bytes) -> None:
        await asyncio.wait_for(self.call.write(data), SOON)

    async def read(self) -> bytes:
        data = await asyncio.wait_for(self.call.read(), SOON)
        assert isinstance(data, bytes), f"the stream ended: {await self.call.code()} {await self.call.details()}"
        return data

    async def silence(self, seconds: float = 0.15) -> None:
        """Nothing comes. A grace for what would have come by now."""
        task = asyncio.ensure_future(self.call.read())  # noqa: TID251 - cancelling a read of grpc.aio ends the call
        done, _ = await asyncio.wait({task}, timeout=seconds)
        assert not done, f"{done.pop().result()!r}"
        self.call.cancel()
        await asyncio.wait({task})

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """Wait for the server to end the stream; responses under way are dropped."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            while isinstance(await asyncio.wait_for(self.call.read(), SOON), bytes):
                pass
        return await self.call.code(), await self.call.details()


class DeltaStream(WireStream):
    """Delta, in messages."""

    async def ask(
        self,
        type_: ResourceType,
        subscribe: Sequence[str] = (),
        *,
        unsubscribe: Sequence[str] = (),
        initial: Mapping[str, str] | None = None,
        nonce: str = "",
        error: str | None = None,
        as_node: Node | None = None,
    ) -> None:
        request = DeltaDiscoveryRequest(
            node=as_node,
            type_url=type_.url,
            resource_names_subscribe=list(subscribe),
            resource_names_unsubscribe=list(unsubscribe),
            initial_resource_versions=dict(initial or {}),
            response_nonce=nonce,
            error_detail=None if error is None else Status(code=3, message=error),
        )
        await self.write(bytes(request))

    async def response(self) -> DeltaDiscoveryResponse:
        return DeltaDiscoveryResponse.parse(await self.read())


class StateStream(WireStream):
    """State of the world, in messages."""

    async def ask(
        self,
        type_: ResourceType,
        names: Sequence[str] = (),
        *,
        version: str = "",
        nonce: str = "",
        error: str | None = None,
        as_node: Node | None = None,
    ) -> None:
        request = DiscoveryRequest(
            node=as_node,
            type_url=type_.url,
            resource_names=list(names),
            version_info=version,
            response_nonce=nonce,
            error_detail=None if error is None else Status(code=3, message=error),
        )
        await self.write(bytes(request))

    async def response(self) -> DiscoveryResponse:
        return DiscoveryResponse.parse(await self.read())


class WireClient:
    """One connection."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def delta(self, metadata: Sequence[tuple[str, str]] = ()) -> DeltaStream:
        return DeltaStream(self.channel.stream_stream(SERVICE + "DeltaAggregatedResources")(metadata=metadata))

    def state(self, metadata: Sequence[tuple[str, str]] = ()) -> StateStream:
        return StateStream(self.channel.stream_stream(SERVICE + "StreamAggregatedResources")(metadata=metadata))


@asynccontextmanager
async def connect(port: int, *options: tuple[str, int]) -> AsyncIterator[WireClient]:
    # A connection of its own: grpc would share one between channels to the same address.
    async with grpc.aio.insecure_channel(
        f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1), *options]
    ) as channel:
        yield WireClient(channel)
