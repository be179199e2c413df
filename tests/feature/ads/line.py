"""One type spoken of with the server, in any of four ways: both protocols, on the aggregated service and on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.discovery.v3 import Resource as Entry
from envoy_data_plane.google.protobuf import Any as Packed

from tests.feature.ads.wire_client import DeltaStream, StateStream, WireClient, node
from xds.wire.types import ResourceType

WAYS: Final = ("sotw-ads", "sotw-own", "delta-ads", "delta-own")
DELTA: Final = ("delta-ads", "delta-own")
SOTW: Final = ("sotw-ads", "sotw-own")
ADS: Final = ("sotw-ads", "delta-ads")
OWN: Final = ("sotw-own", "delta-own")

_WRAPPED: Final = "type.googleapis.com/envoy.service.discovery.v3.Resource"

Test = TypeVar("Test", bound=Callable[..., Any])


def on(*ways: str) -> Callable[[Test], Test]:
    """Run a test in each of these ways, and let tests/conventions/test_rules.py know of it."""

    def mark(test: Test) -> Test:
        test.ways = ways  # type: ignore[attr-defined] # a note for the convention test
        marked: Test = pytest.mark.parametrize("way", ways)(test)
        return marked

    return mark


class Heard(NamedTuple):
    """A response: its contents and heartbeats by name (tests publish `name=content`), what is removed, and errors."""

    contents: dict[str, str]
    beats: set[str]
    removed: set[str]
    errors: dict[str, int]
    nonce: str
    version: str
    type_url: str
    versions: dict[str, str]


class Line:
    """A stream that speaks of one type. `ask` says what is wanted from now on, whatever that takes on the wire."""

    def __init__(self, client: WireClient, way: str, type_: ResourceType, as_node: Node | None = None) -> None:
        self.type = type_
        self.way = way
        only = None if way.endswith("ads") else type_
        self.stream: DeltaStream | StateStream = (
            client.delta(only=only) if way.startswith("delta") else client.state(only=only)
        )
        self.names: tuple[str, ...] = ()
        self.version = ""
        self._node = as_node or node()

    @property
    def delta(self) -> bool:
        """Whether it speaks delta."""
        return isinstance(self.stream, DeltaStream)

    async def ask(
        self,
        *names: str,
        nonce: str = "",
        error: str | None = None,
        again: Sequence[str] = (),
        initial: Mapping[str, str] | None = None,
        type_: ResourceType | None = None,
    ) -> None:
        """Want exactly `names`; `again` are subscribed to although they were before. May answer a response, too."""
        type_, who, self._node = type_ or self.type, self._node, None  # type: ignore[assignment] # said once
        if isinstance(self.stream, DeltaStream):
            added = [*(name for name in names if name not in self.names), *again]
            dropped = [name for name in self.names if name not in names]
            await self.stream.ask(
                type_, added, unsubscribe=dropped, initial=initial, nonce=nonce, error=error, as_node=who
            )
        else:
            await self.stream.ask(type_, names, version=self.version, nonce=nonce, error=error, as_node=who)
        self.names = names

    async def ack(self, heard: Heard) -> None:
        """Take a response, and want what was wanted."""
        self.version = heard.version
        await self.ask(*self.names, nonce=heard.nonce)

    async def nack(self, heard: Heard, *names: str) -> None:
        """Refuse a response, and want `names`, or what was wanted."""
        await self.ask(*(names or self.names), nonce=heard.nonce, error="no")

    async def hear(self) -> Heard:
        """Return the next response."""
        if isinstance(self.stream, DeltaStream):
            delta = await self.stream.response()
            entries, removed = delta.resources, set(delta.removed_resources)
            version, nonce, url, errors = delta.system_version_info, delta.nonce, delta.type_url, delta.resource_errors
        else:
            state = await self.stream.response()
            entries, removed = [_unwrapped(each.type_url, each.value) for each in state.resources], set[str]()
            version, nonce, url, errors = state.version_info, state.nonce, state.type_url, state.resource_errors
        full = [entry for entry in entries if entry.resource is not None]
        texts = [entry.resource.value.decode().partition("=") for entry in full if entry.resource is not None]
        assert len({name for name, _, _ in texts}) == len(texts), "a name twice"
        beats = {entry.name for entry in entries if entry.resource is None}
        versions = {entry.name: entry.version for entry in entries}
        refused = {
            error.resource_name.name: error.error_detail.code
            for error in errors
            if error.resource_name is not None and error.error_detail is not None
        }
        contents = {name: text for name, _, text in texts}
        return Heard(contents, beats, removed, refused, nonce, version, url, versions)

    async def told(self) -> dict[str, str]:
        """Return what the next response carries, and take it."""
        heard = await self.hear()
        await self.ack(heard)
        return heard.contents


def _unwrapped(url: str, value: bytes) -> Entry:
    if url == _WRAPPED:
        return Entry.parse(value)
    return Entry(resource=Packed(type_url=url, value=value))
