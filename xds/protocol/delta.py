"""The incremental protocol for one type on one stream: what changed goes out, what vanished is named.

Rules: a nonce only ties an answer to its response, a stale one still changes the subscription (rule 7); unknown names
are answered with their removal and remembered (rule 18), unknown virtual hosts with a host that is empty (rule 31); the
first wildcard response goes out even if empty (rule 20), unless the client proves that it was served before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xds.cache.resource import Resource
from xds.cache.snapshot import View
from xds.wire.discovery import delta_resource_field, delta_response
from xds.wire.types import ResourceType

from .exchange import Exchange
from .plan import NOBODY, Response, plan, unique
from .requests import Answer, Body, DeltaRequest, Event, Outgoing


@dataclass(slots=True)
class DeltaExchange(Exchange[DeltaRequest]):
    """One type on one delta stream."""

    wraps = False

    initial: dict[str, str] = field(default_factory=dict)

    def receive(self, request: DeltaRequest, now: float) -> Event:
        """Take a request: an answer if its nonce is that of the unanswered response, a subscription in any case."""
        first = not self.sub.asked
        answer = self._settle(request.nonce, request.error, now) if request.nonce else Answer.NONE
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
        made = plan(view, self.owed_but(hold))
        gone = [name for name in made.missing if not (keep and name in self.sent)] if made.missing else []
        beats = self._beats(now, made, gone) if self.beats else {}
        if not made.contents and not gone and not beats and not self.due:
            return None
        version = view.label or str(view.revision)
        removed, unknown = self._absent(gone, made.contents) if gone or self.aliased else ((), ())
        heard = unique(beats.values())
        key = (made.names, removed, unknown, heard, self.beats.takes)
        body = view.shared(key, lambda: self._body(version, made.resources, removed, unknown, heard))
        fresh = self._fresh(made.contents)
        self._sent(nonce, now, made, gone)
        if beats:
            self._heard(beats, now)
        return Response(Outgoing(self.type, nonce, version, body, made.held, removed), fresh)

    def _heard(self, beats: Mapping[str, Resource], now: float) -> None:
        for name, resource in beats.items():
            self.beats.sent(name, resource, now)
        if self.unanswered is not None:
            self.unanswered.beats = frozenset(beats)

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

    def _absent(
        self, gone: Collection[str], contents: Mapping[str, Resource]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names to say "removed" of, and those of virtual hosts on demand that there are not."""
        on_demand = self.type is ResourceType.VIRTUAL_HOST
        unknown = tuple(name for name in gone if on_demand and name not in self.sent and name in self.sub.names)
        removed = [name for name in gone if name not in unknown]
        return tuple(self._own_names(removed, contents) if self.aliased else removed), unknown

    def _own_names(self, gone: Collection[str], contents: Mapping[str, Resource]) -> Iterable[str]:
        """Return the names by which the client knows what it loses.

        It knows a resource by its own name, whatever it asked for; and it loses one, too, whose alias is another's now.
        What it still has under another name it does not lose.
        """
        kept = {name: r for name, r in {**self.sent, **contents}.items() if r is not None and name not in gone}
        held = {resource.name for resource in kept.values()}
        before = {name: known.name for name in (*gone, *contents) if (known := self.sent.get(name)) is not None}
        left = {own: None for own in before.values() if own not in held}
        left.update({name: None for name in gone if before.get(name) not in left and name not in held})
        return left

    def _body(
        self,
        version: str,
        resources: Sequence[Resource],
        removed: Sequence[str],
        unknown: Sequence[str],
        beats: Sequence[Resource],
    ) -> Body:
        timed = self.beats.takes
        entries = [r.timed.delta if timed and r.timed is not None else r.delta for r in resources]
        entries += [r.timed.heartbeat for r in beats if r.timed is not None]
        entries += [delta_resource_field(name, "", None, (name,)) for name in unknown]
        return Body(delta_response(version, entries, removed, self.type.url, ""))
