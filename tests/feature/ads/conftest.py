"""A server with a cache and a roster, in process, on a free port."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from tests.feature.ads.wire_client import WireClient, connect
from xds.ads import AdsServer, AdsSettings
from xds.ads.observer import Nobody
from xds.cache import Cache, Group, Node, NodeState, Resource, Roster, TypeState
from xds.control.clock import SystemClock
from xds.wire.types import ResourceType


class Told(Nobody):
    """An observer that remembers refusals, limits, answers and ends, in order."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, str]] = []

    def closed(self, protocol: str, reason: str) -> None:
        self.facts.append(("closed", reason))

    def refused(self, reason: str) -> None:
        self.facts.append(("refused", reason))

    def limited(self, limit: str) -> None:
        self.facts.append(("limited", limit))

    def nacked(self, type: ResourceType) -> None:  # noqa: A002 - the domain's word
        self.facts.append(("nacked", type.short))


@dataclass
class Plane:
    """The parts around the server. What a test wants otherwise, it replaces before a stream opens."""

    cache: Cache = field(default_factory=Cache)
    roster: Roster = field(default_factory=Roster)
    token: str | None = None
    assigned: list[Node] = field(default_factory=list)
    group: Group = field(default_factory=lambda: Group("all"))
    refusal: Exception | None = None
    port: int = 0
    told: Told = field(default_factory=Told)

    async def assign(self, node: Node) -> Group:
        self.assigned.append(node)
        if self.refusal is not None:
            raise self.refusal
        return self.group

    def authorize(self, metadata: Mapping[str, str], peer: str) -> str | None:
        if self.token is None or metadata.get("authorization") == f"Bearer {self.token}":
            return None
        return f"no valid token from {peer.split(':', maxsplit=1)[0]}"

    def wall(self) -> datetime:
        return SystemClock().wall()

    def server(self, settings: AdsSettings) -> AdsServer:
        return AdsServer(
            self.cache,
            self.roster,
            assign=self.assign,
            authorize=self.authorize,
            clock=time.monotonic,
            wall=self.wall,
            settings=settings,
            observer=self.told,
        )

    def publish(self, type_: ResourceType, **contents: str) -> None:
        self.cache.publish([Resource.of(type_, name, value.encode()) for name, value in contents.items()])

    def gone(self, id_: str = "sidecar-1") -> bool:
        state = self.roster.node(id_)
        return state is not None and not state.connected

    def types(self, id_: str = "sidecar-1") -> dict[ResourceType, TypeState]:
        state = self.roster.node(id_)
        return {} if state is None else state.types

    def node(self, id_: str = "sidecar-1") -> NodeState | None:
        return self.roster.node(id_)


SETTINGS = AdsSettings(addresses=("127.0.0.1:0",), gate_patience=0.5, drain_grace=2.0)


@pytest.fixture
def settings() -> AdsSettings:
    """The server's settings; a test file overrides the fixture for others."""
    return SETTINGS


@pytest.fixture
async def plane(settings: AdsSettings) -> AsyncIterator[Plane]:
    parts = Plane()
    server = parts.server(settings)
    await server.start()
    parts.port = server.ports[0]
    try:
        yield parts
    finally:
        await server.stop()


@pytest.fixture
async def client(plane: Plane) -> AsyncIterator[WireClient]:
    async with connect(plane.port) as wire:
        yield wire
