"""The incremental protocol for one type on one stream: what changed goes out, what vanished is named.

Rules: a nonce only ties an answer to its response, a stale one still changes the subscription (rule 7); unknown names
are answered with their removal and remembered (rule 18); the first wildcard response goes out even if empty (rule
20), unless the client proves that it was served before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xds.cache.resource import Resource
from xds.cache.snapshot import View
from xds.wire.discovery import delta_response

from .exchange import Body, Exchange, Response
from .requests import Answer, DeltaRequest, Event, Outgoing


@dataclass(slots=True)
class DeltaExchange(Exchange[DeltaRequest]):
    """One type on one delta stream."""

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
        self._subscribed(change)
        self.due = self.due or (change.opened and not self.initial)
        message = request.error or "" if answer is Answer.NACK else ""
        return Event(self.type, answer, message, subscribed=first or bool(change))

    def respond(self, view: View, nonce: str, now: float, *, keep: bool) -> Response | None:
        """Return what changed.

        With `keep`, removals of what the client holds stay owed; answers to unknown names go.
        """
        contents: list[Resource] = []
        removed: list[str] = []
        for name in sorted(self.dirty):
            present = view.find(name)
            if present is not None:
                contents.append(present)
            elif not (keep and name in self.sent):
                removed.append(name)
        if not contents and not removed and not self.due:
            return None
        version = str(view.revision)
        names = tuple(resource.name for resource in contents)
        key = ("delta", names, tuple(removed))
        body = view.shared(key, lambda: _body(view, contents, removed, version))
        fresh = self._fresh(contents)
        self._sent(nonce, now, contents, removed)
        outgoing = Outgoing(self.type, nonce, version, body.data, body.contents, tuple(removed))
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
            else:
                self.sent[name] = None
                self.dirty.add(name)
        self.dirty -= self.proved.keys()
        self.initial = {}


def _body(view: View, contents: list[Resource], removed: list[str], version: str) -> Body:
    data = delta_response(version, (resource.delta for resource in contents), removed, view.type.url, "")
    return Body(data, {resource.name: resource.held for resource in contents})
