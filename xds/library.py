"""A control plane for any resources: publish messages for groups of nodes, serve them, and know who acknowledged what.

    async with xds.Server("127.0.0.1:18000", group=lambda node: node.cluster) as server:
        server.publish("edge", {xds.ResourceType.CLUSTER: [cluster], xds.ResourceType.LISTENER: [listener]})
        print(await server.acked("edge", within=10))

No registry, no HTTP, no policy: what is published is what nodes get, in the order and with the care of `xds.protocol`.
Everything runs on one event loop and is not for use from other threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import betterproto2

from xds.ads.observer import Observer
from xds.ads.server import AdsServer, Authorize
from xds.ads.settings import AdsSettings
from xds.cache.group import Group
from xds.cache.resource import Resource, ResourceKey
from xds.cache.roster import NodeState, Roster
from xds.cache.snapshot import Snapshot
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.model.problems import Unavailable
from xds.wire.codec import encode
from xds.wire.references import named, references
from xds.wire.types import ResourceType

Published = betterproto2.Message | Resource
"""A resource as a message of `envoy_data_plane`, or ready made by `Resource.of` from bytes."""

EVERYBODY = ""
"""The group whose resources all groups see, unless they have their own of the same name."""


@dataclass(frozen=True, slots=True)
class Acks:
    """What the connected nodes of a group say of what is published: ids, and the words of those who refuse."""

    acked: tuple[str, ...]
    waiting: tuple[str, ...]
    refused: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether there is somebody, and everybody has acknowledged everything that he asks for."""
        return bool(self.acked) and not self.waiting and not self.refused


class Server:
    """An xDS server (ADS, and a service for each type; state of the world and delta) for groups of nodes.

    `group` names the group of a node that connects; nodes of a group for which nothing was ever published are told
    UNAVAILABLE and come back. `authorize` is given a stream's metadata and the peer's address, and returns why it may
    not come in, or None. The ports are in `ports` after `start`.
    """

    def __init__(
        self,
        *addresses: str,
        group: Callable[[Node], str] = lambda node: node.cluster,
        authorize: Authorize = lambda _metadata, _peer: None,
        settings: AdsSettings | None = None,
        observer: Observer | None = None,
    ) -> None:
        given = settings or AdsSettings()
        self._settings = given.listening_on(*addresses) if addresses else given
        self._group = group
        self._groups: set[str] = set()
        self._cache = Cache()
        self._roster = Roster()
        self._moved = asyncio.Event()
        self._roster.listen(lambda _event: self._moved.set())
        self._ads = AdsServer(
            self._cache,
            self._roster,
            assign=self._assign,
            authorize=authorize,
            clock=time.monotonic,
            settings=self._settings,
            observer=observer,
        )

    async def start(self) -> None:
        """Listen. Raises Conflict, in words, if an address is taken."""
        await self._ads.start()

    async def stop(self) -> None:
        """End every stream with UNAVAILABLE, so that its client goes elsewhere, and stop listening."""
        await self._ads.stop()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    @property
    def ports(self) -> Sequence[int]:
        """The ports that it listens on, in the order of the addresses."""
        return self._ads.ports

    def publish(
        self,
        group: str,
        state: Mapping[ResourceType, Iterable[Published]],
        versions: Mapping[ResourceType, str] | None = None,
    ) -> None:
        """Replace what a group sees of the types in `state`, all at once; other types stay as they are.

        `versions` gives types a version of your own, which state-of-the-world responses carry: equal versions promise
        equal contents. Without one the version follows from the contents.
        """
        upserts: list[Resource] = []
        removals: list[ResourceKey] = []
        for type_, wanted in state.items():
            made = [_resource(each, type_, group) for each in wanted]
            standing = self._standing(type_, group)
            removals += [ResourceKey(type_, name, group) for name in standing - {each.name for each in made}]
            upserts += made
        labels = {(type_, group): version for type_, version in (versions or {}).items()}
        self._groups.add(group)
        self._cache.publish(upserts, removals, labels)

    def update(
        self, group: str, upserts: Iterable[Published] = (), removals: Iterable[tuple[ResourceType, str]] = ()
    ) -> None:
        """Put single resources in, or take them out by type and name. Costs what changes, however much there is."""
        self._groups.add(group)
        made = [_resource(each, None, group) for each in upserts]
        self._cache.publish(made, [ResourceKey(type_, name, group) for type_, name in removals])

    def nodes(self) -> Sequence[NodeState]:
        """Return every node that has been seen, with what it was sent, acknowledged and refused, by type."""
        return self._roster.nodes()

    def acks(self, group: str) -> Acks:
        """Return what the connected nodes of a group say of what is published now."""
        acked: list[str] = []
        waiting: list[str] = []
        refused: dict[str, str] = {}
        for state in self._roster.nodes():
            if not state.connected or state.group.id != group:
                continue
            words = _refusal(state, self._cache.latest())
            if words:
                refused[state.node.id] = words
            elif _has_all(state, self._cache.latest()):
                acked.append(state.node.id)
            else:
                waiting.append(state.node.id)
        return Acks(tuple(acked), tuple(waiting), refused)

    async def acked(self, group: str, *, within: float) -> Acks:
        """Return as soon as every connected node of the group, at least one, has acknowledged what is published.

        After `within` seconds, or as soon as nobody is left who has not answered and somebody refuses, return how
        things stand.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    self._moved.clear()
                    found = self.acks(group)
                    if found.complete or (found.refused and not found.waiting):
                        return found
                    await self._moved.wait()
        except TimeoutError:
            return self.acks(group)

    async def _assign(self, node: Node) -> Group:
        name = self._group(node)
        if name not in self._groups:
            raise Unavailable(f"nothing was published for group {name!r} yet; reconnect")
        return Group(name, (name, EVERYBODY))

    def _standing(self, type_: ResourceType, group: str) -> set[str]:
        snapshot = self._cache.latest()
        return set() if snapshot is None else set(snapshot.table(type_).layers.get(group, ()))


def _resource(given: Published, type_: ResourceType | None, group: str) -> Resource:
    """Return the resource in this group's variant; TypeError where it is of another type than it is listed under."""
    if isinstance(given, Resource):
        made = given.in_variant(group)
    else:
        found, name = named(given)
        refers = references(given)
        needs, warms = tuple(sorted(refers.needs)), tuple(sorted(refers.warms))
        made = Resource.of(found, name, encode(given), group, needs=needs, warms=warms)
    if type_ is not None and made.type is not type_:
        raise TypeError(f"{made.name!r} is a {made.type.short} resource, listed under {type_.short}")
    return made


def _refusal(state: NodeState, snapshot: Snapshot | None) -> str:
    """Return the words in which a node refuses something that is published still, "" if it does not."""
    for type_, held in state.types.items():
        if held.nack is not None and snapshot is not None:
            view = snapshot.view(type_, state.group)
            if any((r := view.find(name)) is not None and r.held == at for name, at in held.nack.versions.items()):
                return held.nack.message or "refused without a word"
    return ""


def _has_all(state: NodeState, snapshot: Snapshot | None) -> bool:
    """Whether a node has acknowledged everything that it asks for, as it is published."""
    if snapshot is None:
        return False
    for type_, held in state.types.items():
        view = snapshot.view(type_, state.group)
        wanted = view.all() if held.wildcard else {name: r for name in held.names if (r := view.find(name)) is not None}
        if held.pending is not None or any(held.acked.get(name) != r.held for name, r in wanted.items()):
            return False
    return True
