"""The incremental protocol for one type on one stream: what changed goes out, what vanished is named.

Rules: a nonce only ties an answer to its response, a stale one still changes the subscription (rule 7); unknown names
are answered with their removal and remembered (rule 18), unknown virtual hosts with a host that is empty (rule 31); the
first wildcard response goes out even if empty (rule 20), unless the client proves that it was served before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from xds.cache.resource import Resource
from xds.cache.snapshot import View
from xds.wire.discovery import delta_resource_field, delta_response
from xds.wire.types import ResourceType

from .exchange import NOBODY, Body, Exchange, Response
from .heartbeats import TTL
from .requests import Answer, DeltaRequest, Event, Outgoing


@dataclass(slots=True)
class DeltaExchange(Exchange[DeltaRequest]):
    """One type on one delta stream."""

    needed_for_ttl = TTL

    initial: dict[str, str] = field(default_factory=dict)

    def receive(self, request: DeltaRequest, now: float) -> Event:
        """Take a request: an answer if its nonce is that of the unanswered response, a subscription in any case."""
        first = not self.sub.asked
        answer = self._settle(request.nonce, request.error) if request.nonce else Answer.NONE
        if request.nonce and answer is Answer.NONE and not first:
            answer = Answer.STALE
        change = self.sub.adjust(request.subscribe, request.unsubscribe)
        if first and request.initial:
            self.initial = {name: version for name, version in request.initial.items() if self.sub.covers(name)}
            self.reclaimed_at = now
        if change:
            self._subscribed(change)
            self.due = self.due or (change.opened and not self.initial)
        message = request.error or "" if answer is Answer.NACK else ""
        return Event(self.type, answer, message, subscribed=first or bool(change))

    def respond(self, nonce: str, now: float, *, keep: bool, hold: Collection[str] = NOBODY) -> Response | None:
        """Return what changed, and a heartbeat of what is due.

        With `keep`, removals of what the client holds stay owed; answers to unknown names go.
        """
        view = self.view
        contents: dict[str, Resource] = {}
        gone: list[str] = []
        for name in sorted(self.dirty):
            if name in hold:
                continue
            present = view.find(name)
            if present is not None:
                contents[name] = present
            elif not (keep and name in self.sent):
                gone.append(name)
        beats = self._beats(now)
        if not contents and not gone and not beats and not self.due:
            return None
        unknown = [name for name in gone if name not in self.sent and self._is_on_demand(name)]
        removed = tuple(_called(self.sent.get(name), name) for name in gone if name not in unknown)
        resources = tuple({resource.name: resource for resource in contents.values()}.values())
        version = view.label or str(view.revision)
        key = ("delta", self.beats.takes, resources, removed, tuple(unknown), tuple(beats))
        body = view.shared(key, lambda: self._body(view, version, resources, removed, unknown, beats))
        fresh = self._fresh(contents)
        self._sent(nonce, now, contents, gone)
        for resource in beats:
            self.beats.sent(resource.name, resource, now)
        outgoing = Outgoing(self.type, nonce, version, body.data, body.contents, removed)
        return Response(outgoing, fresh)

    def _recall(self, view: View) -> None:
        """Believe initial_resource_versions (rule 26).

        What matches is held, what differs is owed, what is gone is removed.
        """
        for name, version in self.initial.items():
            present = view.find(name)
            if present is not None and present.version == version:
                self.sent[name] = present
                self.total += present.mark
                self.forced.discard(name)
                self.proved[name] = present.held
                if present.timed is not None:
                    self.force((name,))  # how long it has to live there, only the client knows
            else:
                self.sent[name] = None
                self.dirty.add(name)
        self.dirty -= self.proved.keys() - self.forced
        self.initial = {}

    def _is_on_demand(self, name: str) -> bool:
        """Whether the client waits for an answer about this very host (`<route configuration>/<host>`)."""
        return self.type is ResourceType.VIRTUAL_HOST and name in self.sub.names

    def _body(  # noqa: PLR0913 - the parts of a response
        self,
        view: View,
        version: str,
        resources: Sequence[Resource],
        removed: Sequence[str],
        unknown: Sequence[str],
        beats: Sequence[Resource],
    ) -> Body:
        timed = self.beats.takes
        entries = [r.timed.delta if timed and r.timed is not None else r.delta for r in resources]
        entries += [r.timed.delta_heartbeat for r in beats if r.timed is not None]
        entries += [delta_resource_field(name, "", None, (name,)) for name in unknown]
        data = delta_response(version, entries, removed, view.type.url, "")
        return Body(data, {resource.name: resource.held for resource in resources})


def _called(known: Resource | None, name: str) -> str:
    """Return what the client knows it by: a resource that was asked for by an alias goes under its own name."""
    return name if known is None else known.name
