"""Clients of the API, in memory and on a socket, and an Envoy as the ADS server enters it in the roster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx

from xds.api.app import create_app
from xds.api.server import ApiServer
from xds.api.settings import ApiSettings
from xds.cache.typestate import Node
from xds.control.plane import ControlPlane
from xds.model.instance import Address
from xds.telemetry.station import Telemetry
from xds.wire.types import ResourceType


def telemetry_of(plane: ControlPlane) -> Telemetry:
    """The telemetry of a control plane, as the composition root makes it; everybody may report."""
    return Telemetry(
        roster=plane.roster,
        cache=plane.cache,
        problems=lambda: plane.problems,
        clusters=plane.clusters,
        view=plane.intent.view,
        authorize=lambda _metadata, _peer: None,
        clock=plane.clock.monotonic,
        alarms=lambda: plane.alarms.standing,
        store_age=plane.store_keeping.age,
    )


@contextlib.asynccontextmanager
async def client_of(
    plane: ControlPlane, settings: ApiSettings, telemetry: Telemetry | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application itself, without a socket; it looks like one from this machine."""
    app = create_app(plane, settings, telemetry or telemetry_of(plane))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield client


@contextlib.asynccontextmanager
async def serving(plane: ControlPlane, settings: ApiSettings) -> AsyncIterator[Address]:
    """The API on a real socket, stopped when the block ends."""
    server = ApiServer(plane, settings, telemetry_of(plane))
    at = await server.bind()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        try:
            yield at
        finally:
            await server.stop()


class Egress:
    """A sidecar that asks for its egress routes, and answers when it is told to."""

    def __init__(self, plane: ControlPlane, name: str, stream: int) -> None:
        self._plane = plane
        self._stream = stream
        self.node = Node(name, "egress", "1.40.0", {"fairlead": {"role": "sidecar"}}, "10.0.0.9:41822")

    async def connect(self) -> None:
        group = await self._plane.assign(self.node)
        self._plane.roster.opened(self._stream, self.node, group, self._now())
        self._plane.roster.subscribed(self._stream, ResourceType.ROUTE, ["egress"])

    def take(self) -> None:
        state, snapshot = self._plane.roster.node(self.node.id), self._plane.cache.latest()
        assert state is not None
        assert snapshot is not None
        resource = snapshot.view(ResourceType.ROUTE, state.group)["egress"]
        self._plane.roster.sent(self._stream, ResourceType.ROUTE, {"egress": resource.held}, (), self._now())

    def ack(self) -> None:
        self.take()
        self._plane.roster.acked(self._stream, ResourceType.ROUTE, self._now())

    def nack(self, words: str) -> None:
        self.take()
        self._plane.roster.nacked(self._stream, ResourceType.ROUTE, words, self._now())

    def close(self) -> None:
        self._plane.roster.closed(self._stream, self._now())

    def _now(self) -> float:
        return self._plane.clock.monotonic()
