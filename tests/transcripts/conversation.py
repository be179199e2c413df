"""Plays one conversation against the pure protocol and writes down what happened."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse

from xds.cache import Cache, Group, Held, Resource, ResourceKey
from xds.protocol import Answer, DeltaExchange, DeltaRequest, Outgoing, Session, StateExchange, StateRequest
from xds.protocol.heartbeats import TTL, WRAPPED
from xds.wire.digest import digest
from xds.wire.types import ResourceType

TYPES = {type_.short.upper(): type_ for type_ in ResourceType}


class Conversation:
    """One cache, one client, one clock. `play` takes a command and returns the lines that it causes."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.now = 0.0
        self.streams: dict[str, Session[StateRequest] | Session[DeltaRequest]] = {}
        self.state: Session[StateRequest] | None = None
        self.delta: Session[DeltaRequest] | None = None
        self.labels: dict[str, str] = {}
        self.versions: dict[ResourceType, str] = {}

    def play(self, command: str) -> list[str]:
        verb, *words = shlex.split(command)
        said = getattr(self, f"_{verb}")(words)
        sent = self._offer()
        return [*said, *sent]

    def _stream(self, words: list[str]) -> list[str]:
        protocol, *able = words
        features = frozenset({TTL, *WRAPPED}) if able == ["ttl"] else frozenset[str]()
        self.state = Session(Group("all"), StateExchange, features=features) if protocol == "sotw" else None
        self.delta = Session(Group("all"), DeltaExchange, features=features) if protocol == "delta" else None
        assert self.state or self.delta, "stream sotw | stream delta"
        return []

    def _group(self, words: list[str]) -> list[str]:
        session = self.state or self.delta
        assert session is not None
        session.regroup(Group(" ".join(words), admits=lambda _type, name: name in words))
        return []

    def _publish(self, words: list[str]) -> list[str]:
        type_ = TYPES[words[0]]
        upserts, removals = [], []
        for word in words[1:]:
            if word in TYPES:
                type_ = TYPES[word]
            elif word.startswith("-"):
                removals.append(ResourceKey(type_, word[1:]))
            else:
                upserts.append(self._resource(type_, word))
        self.cache.publish(upserts, removals)
        return []

    def _resource(self, type_: ResourceType, word: str) -> Resource:
        what, *more = word.split(";")
        extra = dict(pair.split("=") for pair in more)
        if "!" in what:
            name, content = what.split("!")
            made = Resource.failed(type_, name, int(content), "no")
        else:
            name, content = what.split("=")
            made = Resource.of(
                type_,
                name,
                content.encode(),
                aliases=(extra["alias"],) if "alias" in extra else (),
                ttl=float(extra["ttl"]) if "ttl" in extra else None,
                needs=(extra["needs"],) if "needs" in extra else (),
            )
        self.labels[made.version] = f"error {content}" if "!" in what else content
        return made

    def _request(self, words: list[str]) -> list[str]:
        type_, given = TYPES[words[0]], dict(word.split("=", 1) for word in words[1:])
        lists = {
            key: tuple(filter(None, given.get(key, "").split(","))) for key in ("names", "subscribe", "unsubscribe")
        }
        nonce, error = given.get("nonce", ""), given.get("error")
        if self.state is not None:
            version = self.versions.get(type_, "") if given.get("version") == "last" else ""
            event = self.state.receive(StateRequest(type_, lists["names"], version, nonce, error), self.now)
        else:
            assert self.delta is not None
            pairs = (pair.split(":") for pair in given.get("initial", "").split(",") if pair)
            initial = {name: digest(content.encode()) for name, content in pairs}
            request = DeltaRequest(type_, lists["subscribe"], lists["unsubscribe"], initial, nonce, error)
            event = self.delta.receive(request, self.now)
        lines = [] if event.answer is Answer.NONE else [f"{event.answer} {words[0]} {event.message}".rstrip()]
        if event.subscribed:
            names = (self.state or self.delta).names(type_)  # type: ignore[union-attr] # one of them is set
            lines.append(f"subscribed {words[0]} {'*' if names is None else ' '.join(sorted(names)) or 'nothing'}")
        return lines

    def _wait(self, words: list[str]) -> list[str]:
        self.now += float(words[0])
        return []

    def _offer(self) -> list[str]:
        snapshot, session = self.cache.latest(), self.state or self.delta
        if snapshot is None or session is None:
            return []
        offer = session.offer(snapshot, self.now)
        lines = [f"held {type_.short.upper()} {self._contents(held)}" for type_, held in offer.held.items()]
        lines += [f"held back {back.type.short.upper()} {' '.join(sorted(back.names))}" for back in offer.held_back]
        lines += [f"overdue {late.type.short.upper()}, sent at {late.since:g}" for late in offer.overdue]
        for out in offer.responses:
            version = f" v={out.version[:4]}" if self.state else ""
            removed = f" removed [{' '.join(out.removed)}]" if out.removed else ""
            empty = self._empty(out) if self.delta else ""
            line = f"-> {out.type.short.upper()} nonce={out.nonce}{version} {self._contents(out.sent)}{empty}{removed}"
            lines.append(line)
            self.versions[out.type] = out.version
        if (deadline := session.next_deadline()) is not None:
            lines.append(f"waits until {deadline:g}")
        return lines

    def _empty(self, out: Outgoing) -> str:
        """Entries without content: what lives on, and what there is not although somebody may ask for it."""
        entries = [entry for entry in DeltaDiscoveryResponse.parse(out.encode()).resources if entry.resource is None]
        alive = [entry.name for entry in entries if not entry.aliases]
        unknown = [entry.name for entry in entries if entry.aliases]
        said = ((" alive", alive), (" unknown", unknown))
        return "".join(f"{what} [{' '.join(names)}]" for what, names in said if names)

    def _contents(self, held: Mapping[str, Held]) -> str:
        return f"[{' '.join(f'{name}={self.labels[at.version]}' for name, at in held.items())}]"


def rewritten(text: str) -> str:
    """Return the file with what happens now below each command; a line `== title` begins a new conversation."""
    conversation, out = Conversation(), list[str]()
    for line in text.splitlines():
        if line.startswith("  "):
            continue
        out.append(line)
        if line.startswith("=="):
            conversation = Conversation()
        elif line and not line.startswith("#"):
            out += [f"  {happened}" for happened in conversation.play(line)]
    return "\n".join(out) + "\n"
