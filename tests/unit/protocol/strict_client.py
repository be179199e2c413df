"""What a client makes of the bytes of one type: what it asks for, holds, and has not answered yet.

It is as strict as Envoy: a name twice in a response, a heartbeat of a version that it does not hold, or one that it
cannot understand is an error. What it refuses it refuses whole, removals included.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse, DiscoveryResponse
from envoy_data_plane.envoy.service.discovery.v3 import Resource as Entry

from xds.cache import Resource
from xds.protocol import Outgoing
from xds.wire.types import ResourceType

BAD = "bad"
TTL = 20.0
_WRAPPED = "type.googleapis.com/envoy.service.discovery.v3.Resource"


class Content(NamedTuple):
    """A resource as the client knows it; two are the same if text and aliases are."""

    text: str
    aliases: frozenset[str] = frozenset()
    version: str = ""
    ttl: float | None = None

    def same(self, other: Content | None) -> bool:
        """Whether the client can tell no difference."""
        return other is not None and (self.text, self.aliases) == (other.text, other.aliases)


class Told(NamedTuple):
    """One response, read."""

    type: ResourceType
    nonce: str
    version: str
    contents: dict[str, Content]
    beats: dict[str, str]
    removed: frozenset[str]

    @property
    def is_bad(self) -> bool:
        """Whether the client refuses it."""
        return any(content.text == BAD for content in self.contents.values())


def published(type_: ResourceType, name: str, text: str, variant: str = "", alias: str = "") -> Resource:
    """Return a resource whose bytes say its name; "timed" lives for a while, a route needs the cluster of its text."""
    return Resource.of(
        type_,
        name,
        f"{name}={text}".encode(),
        variant,
        aliases=(alias,) if alias else (),
        ttl=TTL if text == "timed" else None,
        needs=("a",) if type_ is ResourceType.ROUTE and text == "2" else (),
    )


@functools.lru_cache(maxsize=4096)
def content_of(resource: Resource) -> tuple[str, Content]:
    """Return name and content of a published resource as a client of delta would read them."""
    entry = DeltaDiscoveryResponse.parse(resource.timed.delta if resource.timed else resource.delta).resources[0]
    return entry.name, _content(entry)


def read_delta(out: Outgoing) -> Told:
    """Read a delta response."""
    contents, beats, removed = _delta(out.body.data)
    return Told(out.type, out.nonce, "", contents, beats, removed)


def read_state(out: Outgoing) -> Told:
    """Read a response of state of the world, which says nothing of aliases."""
    version, contents, beats = _state(out.body.data)
    return Told(out.type, out.nonce, version, contents, beats, frozenset())


@functools.lru_cache(maxsize=4096)
def _delta(body: bytes) -> tuple[dict[str, Content], dict[str, str], frozenset[str]]:
    parsed = DeltaDiscoveryResponse.parse(body)
    names = [entry.name for entry in parsed.resources] + parsed.removed_resources
    assert len(names) == len(set(names)), f"a name twice: {names}"
    beats = {entry.name: entry.version for entry in parsed.resources if entry.resource is None}
    contents = {entry.name: _content(entry) for entry in parsed.resources if entry.resource is not None}
    return contents, beats, frozenset(parsed.removed_resources)


@functools.lru_cache(maxsize=4096)
def _state(body: bytes) -> tuple[str, dict[str, Content], dict[str, str]]:
    parsed = DiscoveryResponse.parse(body)
    contents, beats = dict[str, Content](), dict[str, str]()
    for packed in parsed.resources:
        entry = Entry.parse(packed.value) if packed.type_url == _WRAPPED else Entry(resource=packed)
        if entry.resource is None:
            beats[entry.name] = entry.version
        else:
            contents[entry.resource.value.decode().partition("=")[0]] = _content(entry)
    assert len(contents) + len(beats) == len(parsed.resources), "a name twice"
    return parsed.version_info, contents, beats


def _content(entry: Entry) -> Content:
    assert entry.resource is not None
    text = entry.resource.value.decode().partition("=")[2]
    ttl = None if entry.ttl is None else entry.ttl.total_seconds()
    return Content(text, frozenset(entry.aliases), entry.version, ttl)


class Side:
    """One type of the client. `excused`: names that may come although held unchanged: asked for again, refused, warm-
    ing; `owed`: an answer is due even if it is empty; `until`: when what lives for a time only is dropped.
    """

    def __init__(self, type_: ResourceType) -> None:
        self.type = type_
        self.asked = self.wildcard = self.legacy = False
        self.names: frozenset[str] = frozenset()
        self.held: dict[str, Content] = {}
        self.until: dict[str, float] = {}
        self.version = self.nonce = ""
        self.waiting: Told | None = None
        self.excused: set[str] = set()
        self.owed = self.refused = False

    @property
    def list(self) -> tuple[str, ...]:
        """The names of a request."""
        return (*(["*"] if self.wildcard and not self.legacy else []), *sorted(self.names))

    def wants(self, name: str, aliases: Iterable[str] = ()) -> bool:
        """Whether it asks for this."""
        return self.wildcard or name in self.names or not self.names.isdisjoint(aliases)

    def ask_for(self, names: Iterable[str], *, wildcard: bool) -> None:
        """Ask for these from now on, and forget what is not asked for any more."""
        before, self.names = self.names, frozenset(names)
        self.wildcard, self.asked = wildcard, True
        still = before & self.names  # an alias asked for only now says nothing of what is held
        kept = {n: c for n, c in self.held.items() if self.wants(n) or not still.isdisjoint(c.aliases)}
        self.held, self.until = kept, {name: at for name, at in self.until.items() if name in kept}

    def take(self, told: Told, now: float, *, whole: bool) -> None:
        """Take a response over; `whole`: what is missing is gone."""
        new = {name: content for name, content in told.contents.items() if self.wants(name, content.aliases)}
        self.held = new if whole else {**self.held, **new}
        for name in told.removed:
            self.held.pop(name, None)
        self.until = {name: at for name, at in self.until.items() if name in self.held and name not in new}
        self.until.update({name: now + c.ttl for name, c in new.items() if c.ttl is not None})
        self.version, self.refused = told.version, False
