"""Plays one conversation against the pure protocol and writes down what happened."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from xds.cache import Cache, Group, Held, Resource, ResourceKey
from xds.protocol import Answer, DeltaExchange, DeltaRequest, Session, StateExchange, StateRequest
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
        self.state = Session(Group("all"), StateExchange) if words == ["sotw"] else None
        self.delta = Session(Group("all"), DeltaExchange) if words == ["delta"] else None
        assert self.state or self.delta, "stream sotw | stream delta"
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
                name, content = word.split("=")
                self.labels[digest(content.encode())] = content
                upserts.append(Resource.of(type_, name, content.encode()))
        self.cache.publish(upserts, removals)
        return []

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
        lines += [f"overdue {late.type.short.upper()}, sent at {late.since:g}" for late in offer.overdue]
        for out in offer.responses:
            version = f" v={out.version[:4]}" if self.state else ""
            removed = f" removed [{' '.join(out.removed)}]" if out.removed else ""
            lines.append(f"-> {out.type.short.upper()} nonce={out.nonce}{version} {self._contents(out.sent)}{removed}")
            self.versions[out.type] = out.version
        if (deadline := session.next_deadline()) is not None:
            lines.append(f"waits until {deadline:g}")
        return lines

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
