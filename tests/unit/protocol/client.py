"""A client of the pure protocol for tests: one stream, one cache, one clock, and short names for both."""

from __future__ import annotations

from typing import Generic

from xds.cache import Cache, Group, Resource, ResourceKey
from xds.protocol import (
    DeltaExchange,
    DeltaRequest,
    Event,
    Offer,
    Outgoing,
    Session,
    StateExchange,
    StateRequest,
)
from xds.protocol.exchange import R
from xds.wire.types import ResourceType

CDS, EDS, LDS = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER
RDS, ECDS = ResourceType.ROUTE, ResourceType.EXTENSION
ALL = Group("all")


def resource(type_: ResourceType, name: str, content: str = "1", variant: str = "") -> Resource:
    return Resource.of(type_, name, content.encode(), variant)


class Client(Generic[R]):
    """`ask` sends a request, `look` reads what came; both leave the last offer in `last`."""

    def __init__(self, session: Session[R], cache: Cache | None = None) -> None:
        self.session: Session[R] = session
        self.cache = cache or Cache()
        self.now = 0.0
        self.last = Offer()

    def publish(self, type_: ResourceType, gone: tuple[str, ...] = (), **contents: str) -> list[Outgoing]:
        upserts = [resource(type_, name, content) for name, content in contents.items()]
        self.cache.publish(upserts, [ResourceKey(type_, name) for name in gone])
        return self.look()

    def send(self, request: R) -> Event:
        return self.session.receive(request, self.now)

    def ask(self, request: R) -> list[Outgoing]:
        self.send(request)
        return self.look()

    def look(self, seconds: float = 0.0) -> list[Outgoing]:
        self.now += seconds
        snapshot = self.cache.latest()
        assert snapshot is not None
        self.last = self.session.offer(snapshot, self.now)
        return self.last.responses


def delta(cache: Cache | None = None, features: frozenset[str] = frozenset()) -> Client[DeltaRequest]:
    return Client(Session(ALL, DeltaExchange, features=features), cache)


def sotw(cache: Cache | None = None, features: frozenset[str] = frozenset()) -> Client[StateRequest]:
    return Client(Session(ALL, StateExchange, features=features), cache)


def contents(responses: list[Outgoing]) -> list[tuple[str, list[str], list[str]]]:
    """Short name of the type, names carried, names removed, per response."""
    return [(r.type.short, list(r.sent), list(r.removed)) for r in responses]
