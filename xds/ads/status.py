"""Client Status Discovery Service: what every connected node asked for, was sent, accepted and refused (csds.proto).

Reads the roster and the latest snapshot, changes nothing. An answer about many nodes is made and written in parts, so
that it neither stops pushes nor fills memory. The contents of secrets never leave here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final, NoReturn

import grpc.aio
from envoy_data_plane.envoy.admin.v3 import ClientResourceStatus, UpdateFailureState
from envoy_data_plane.envoy.config.core.v3 import Node as WireNode
from envoy_data_plane.envoy.service.status.v3 import ClientConfigGenericXdsConfig, ClientStatusRequest, ConfigStatus
from envoy_data_plane.google.protobuf import Struct

from xds.cache.resource import Resource
from xds.cache.roster import NodeState, Roster
from xds.cache.standing import Standing, standings
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.model.problems import PeerError, Unavailable
from xds.wire.codec import decode, encode
from xds.wire.errors import DecodeError
from xds.wire.fragments import field
from xds.wire.types import SEND_ORDER, ResourceType

from .limits import LimitReached
from .matching import matching
from .stream import Call, ClientGone, SlowReader

PART: Final = 1 << 20
"""Bytes after which a part of an answer ends; a node with more to say goes on in the next part."""
FETCHED_AT_MOST: Final = 4 * PART
"""Bytes of an answer in one message: what a gRPC client takes unless it was told otherwise."""
AT_ONCE: Final = 128
"""Resources described before others get their turn: a few milliseconds, where each has to be encoded first."""

_NODE, _STATUS, _CONFIG, _CONTENT = 1, 3, 1, 4
"""Fields: ClientConfig.node and .generic_xds_configs, ClientStatusResponse.config, GenericXdsConfig.xds_config."""

Clock = Callable[[], float]
Wall = Callable[[], datetime]


class StatusService:
    """Answers about connected nodes: `stream` in as many messages as it takes, `fetch` in one of bounded size.

    `clock` gives monotonic seconds, as the roster was told them; `wall` the time for people, without which refusals
    have none. A response has `write_deadline` seconds to be taken.
    """

    def __init__(self, cache: Cache, roster: Roster, *, clock: Clock, wall: Wall | None, write_deadline: float) -> None:
        self._cache = cache
        self._roster = roster
        self._clock = clock
        self._wall = wall
        self._write_deadline = write_deadline
        self._turn = asyncio.Lock()
        self._drained = asyncio.Event()

    def drain(self) -> None:
        """End every stream with UNAVAILABLE."""
        self._drained.set()

    async def fetch(self, data: bytes) -> bytes:
        """Return the answer to an encoded ClientStatusRequest as one message.

        PeerError if it makes no sense, LimitReached if the answer is too long for one message.
        """
        whole: list[bytes] = []
        size = 0
        async with aclosing(self._answer(data)) as parts:
            async for part in parts:
                whole.append(part)
                size += len(part)
                if size > FETCHED_AT_MOST:
                    words = (
                        f"the answer is longer than {FETCHED_AT_MOST} bytes: name fewer nodes with node_matchers, set"
                        " exclude_resource_contents, or use StreamClientStatus, which answers in parts"
                    )
                    raise LimitReached(words, "answer")
        return b"".join(whole)

    async def stream(self, call: Call) -> None:
        """Answer each request of a stream until the client is done; raises as `fetch` does, and when we shut down."""
        try:
            async with asyncio.TaskGroup() as tasks:
                drained = tasks.create_task(self._until_drained())
                while isinstance(data := await call.read(), bytes):
                    async with aclosing(self._answer(data)) as parts:
                        async for part in parts:
                            await self._write(call, part)
                drained.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _until_drained(self) -> NoReturn:
        await self._drained.wait()
        raise Unavailable("the control plane is shutting down; reconnect")

    async def _write(self, call: Call, part: bytes) -> None:
        try:
            async with asyncio.timeout(self._write_deadline):
                await call.write(part)
        except TimeoutError:
            raise SlowReader(f"the client did not take a status response in {self._write_deadline:g} s") from None
        except grpc.aio.InternalError as error:
            raise ClientGone from error

    async def _answer(self, data: bytes) -> AsyncGenerator[bytes, None]:
        """Yield ClientStatusResponses that are one answer, at least one; joined they are one message, too."""
        try:
            request = decode(ClientStatusRequest, data)
        except DecodeError as error:
            raise PeerError(f"not a client status request: {error}") from error
        fits = matching(request.node_matchers)
        part: list[bytes] = []
        size, said = 0, False
        async with aclosing(self._configs(fits, contents=not request.exclude_resource_contents)) as configs:
            async for config in configs:
                part.append(field(_CONFIG, config))
                size += len(config)
                if size >= PART:
                    yield b"".join(part)
                    part, size, said = [], 0, True
        if part or not said:
            yield b"".join(part)

    async def _configs(self, fits: Callable[[Node], bool], *, contents: bool) -> AsyncGenerator[bytes, None]:
        """Yield a ClientConfig for each connected node that fits, or several for one with very much in it."""
        describe = _Describer(self._wall_of, contents=contents)
        done = 0
        for state in self._roster.nodes():
            if not state.connected or not fits(state.node):
                continue
            head = field(_NODE, encode(_introduced(state.node)))
            config, size = [head], len(head)
            for type_ in SEND_ORDER:
                for standing in self._standings(state, type_):
                    entry = describe.entry(type_, standing)
                    config.append(entry)
                    size += len(entry)
                    done += 1
                    if size >= PART:
                        yield b"".join(config)
                        config, size = [head], len(head)
                    if done % AT_ONCE == 0:
                        await self._let_others()
            yield b"".join(config)
            await self._let_others()

    def _standings(self, state: NodeState, type_: ResourceType) -> Iterable[Standing]:
        held, snapshot = state.types.get(type_), self._cache.latest()
        return () if held is None or snapshot is None else standings(held, snapshot.view(type_, state.group))

    async def _let_others(self) -> None:
        """Let one turn of the loop pass, and let many callers share it: a crowd of them makes pushes no later."""
        async with self._turn:
            await asyncio.sleep(0)

    def _wall_of(self, moment: float) -> datetime | None:
        return None if self._wall is None else self._wall() - timedelta(seconds=self._clock() - moment)


class _Describer:
    """Encodes entries, each once for an answer in which a thousand nodes stand alike to one resource."""

    def __init__(self, wall_of: Callable[[float], datetime | None], *, contents: bool) -> None:
        self._wall_of = wall_of
        self._contents = contents
        self._known: dict[tuple[Resource, str, str], bytes] = {}

    def entry(self, type_: ResourceType, standing: Standing) -> bytes:
        """Return a field `generic_xds_configs`."""
        resource = standing.resource
        if resource is None or resource.name != standing.name or standing.refusal is not None:
            return self._made(type_, standing)
        key = (resource, standing.status, standing.client)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._made(type_, standing)
        return found

    def _made(self, type_: ResourceType, standing: Standing) -> bytes:
        resource, held = standing.resource, standing.held
        shown = resource if resource is not None else held
        message = ClientConfigGenericXdsConfig(
            type_url=type_.url,
            name=standing.name,
            version_info="" if shown is None else shown.version,
            config_status=ConfigStatus[standing.status.name],
            client_status=ClientResourceStatus[standing.client.name],
            error_state=self._refusal(standing),
        )
        return field(_STATUS, encode(message) + self._content(resource))

    def _content(self, resource: Resource | None) -> bytes:
        if resource is None or resource.fails or resource.type is ResourceType.SECRET or not self._contents:
            return b""
        return field(_CONTENT, resource.packed)

    def _refusal(self, standing: Standing) -> UpdateFailureState | None:
        refusal = standing.refusal
        if refusal is None:
            return None
        return UpdateFailureState(
            last_update_attempt=self._wall_of(refusal.at),
            details=refusal.message,
            version_info=refusal.versions[standing.name].version,
        )


def _introduced(node: Node) -> WireNode:
    """Return a node as it introduced itself, as far as it is remembered."""
    name, _, version = node.version.rpartition(" ")
    return WireNode(
        id=node.id,
        cluster=node.cluster,
        metadata=Struct.from_dict(dict(node.metadata)) if node.metadata else None,
        user_agent_name=name or version,
        user_agent_version=version if name else None,
        client_features=sorted(node.features),
    )
