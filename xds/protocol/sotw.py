"""The state-of-the-world protocol for one type on one stream.

Rules: a response of clusters or listeners is their full state, anything else may be partial and cannot remove (rules
21, 22); a request with a stale nonce gets no response (rule 7), one without a nonce begins anew (rule 8); an unknown
name is met with silence and remembered (rule 18). A heartbeat is the content again (rule 30): one without content does
not keep anything alive in Envoy 1.40, and in a full state it would say that all is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from xds.cache.resource import MARK_MODULUS, Held, Resource, mark
from xds.cache.snapshot import View
from xds.wire.discovery import response

from .exchange import Exchange
from .plan import NOBODY, Response, plan, unique
from .requests import Answer, Body, Event, Outgoing, StateRequest


@dataclass(slots=True)
class StateExchange(Exchange[StateRequest]):
    """One type on one state-of-the-world stream. `claimed` is the version_info of its first request."""

    wraps = True

    nonce: str = ""
    claimed: str = ""

    def receive(self, request: StateRequest, now: float) -> Event:
        """Take a request. A nonce of another stream, on the first request of a type, means nothing (rule 5)."""
        first = not self.sub.asked
        if not first and request.nonce and request.nonce != self.nonce:
            return Event(self.type, Answer.STALE)
        answer = self._settle(request.nonce, request.error, now) if request.nonce and not first else Answer.NONE
        if answer is Answer.ACK and self.type.full_state:  # with what is new it took the rest
            self.doubtful.clear()
        change = self.sub.replace(request.names)
        if first:
            self.claimed = request.version if self.type.full_state else ""
        elif not request.nonce and self.nonce:
            self._begin_anew()
        if change:
            self._subscribed(change)
        if self.type.full_state:
            self.due = self.due or first or change.opened or bool(change.added or change.uncovered)
        message = request.error or "" if answer is Answer.NACK else ""
        return Event(self.type, answer, message, subscribed=first or bool(change))

    def respond(self, nonce: str, now: float, *, keep: bool, hold: Collection[str] = NOBODY) -> Response | None:
        """Return what is owed.

        With `keep`, a full state still carries what the client holds and should not lose yet.
        """
        if self.type.full_state:
            made = self._full(self.view, nonce, now, keep=keep, hold=hold)
        else:
            made = self._partial(self.view, nonce, now, hold)
        if made is not None:
            self.nonce = nonce
        return made

    def _full(self, view: View, nonce: str, now: float, *, keep: bool, hold: Collection[str]) -> Response | None:
        """Return the state as a whole, which is a heartbeat, too."""
        made = plan(view, self.owed_but(hold))
        gone = {name for name in made.missing if name in self.sent}
        beats = self.beats.due(now) if self.beats else {}
        if not self.due and not made.contents and not beats and (keep or not gone):
            self.dirty = gone | self.dirty.intersection(hold)  # unknown to both sides is no change of the state
            return None
        fresh = self._fresh(made.contents)
        older = {name: r for name in hold if (r := self.sent.get(name)) is not None}
        lingering = {name: r for name in sorted(gone) if keep and (r := self.sent[name]) is not None}
        removed = () if keep else tuple(sorted(gone))
        self._sent(nonce, now, made, removed)
        self.dirty = lingering.keys() | older.keys()
        for names in (self.forced, self.parked, self.retry):  # everything goes together: nothing is left for later
            names.clear()
        if self.beats:
            self.beats.all_sent(now)
        version = self._version(view)

        def contents() -> tuple[Body, dict[str, Held]]:
            asked = self._asked(view)
            carried = {**asked, **older, **{name: r for name, r in lingering.items() if r.name not in asked}}
            return self._body(unique(carried.values()), version), {name: r.held for name, r in carried.items()}

        body, held = view.shared(("full", version, self.total, self.beats.takes), contents)
        return Response(Outgoing(self.type, nonce, version, body, held, removed), fresh)

    def _asked(self, view: View) -> Mapping[str, Resource]:
        """Return everything there is of what the client asks for, by the names that it knows."""
        named = {name: r for name in sorted(self.sub.names) if (r := view.find(name)) is not None}
        return {**named, **view.all()} if self.sub.wildcard else named

    def _partial(self, view: View, nonce: str, now: float, hold: Collection[str]) -> Response | None:
        kept = self.dirty.intersection(hold) if hold else set[str]()
        made = plan(view, self.owed_but(kept))
        for name in made.missing:  # it cannot be removed, only not be sent; when it comes back it is new
            self._drop(name)
        if not self.parked.isdisjoint(made.missing):
            self.retry |= self.parked.difference(made.missing)
            self.parked.clear()
        beats = self._beats(now, made) if self.beats else {}
        if not made.contents and not beats:
            self._leave(kept)
            # A refused name that vanished is out of the way, and no answer will tell.
            return self._partial(view, nonce, now, hold) if self._try_again() else None
        fresh = self._fresh(made.contents)
        self._sent(nonce, now, made)
        self._leave(kept)
        for name, resource in beats.items():
            self.beats.sent(name, resource, now)
        heard = unique(beats.values())
        version = self._version(view)
        whole = (*made.resources, *heard)
        key = (version, made.names, heard, self.beats.takes)
        body = view.shared(key, lambda: self._body(whole, version))
        held = {**made.held, **{name: r.held for name, r in beats.items()}} if beats else made.held
        return Response(Outgoing(self.type, nonce, version, body, held), fresh)

    def _leave(self, kept: set[str]) -> None:
        """Owe these names still, and no others."""
        self.dirty = kept
        self.forced &= kept

    def _version(self, view: View) -> str:
        """Return the fingerprint of what the client was sent in all; of full state, also of what it asked for."""
        return view.label or self._fingerprint()

    def _fingerprint(self) -> str:
        asked = sum(mark("asked", name) for name in self.sub.names) if self._names_matter() else 0
        return f"{(self.total + asked) % MARK_MODULUS:016x}"

    def _names_matter(self) -> bool:
        return self.type.full_state and not self.sub.wildcard

    def _begin_anew(self) -> None:
        """The client lost its place: what it holds is unknown, so everything it asks for is owed."""
        self.sent.clear()
        self.total = 0
        self.unanswered = None
        self.parked.clear()
        self.retry.clear()
        self.beats.clear()
        self.force(self.sub.names)
        self.unread = True
        self.due = self.type.full_state

    def _recall(self, view: View) -> None:
        """Skip the first full state of a client that holds it already (rule 25).

        Others are answered, they may be warming. A publisher's own version is no proof: it says nothing of the names
        that were asked for, nor that nobody used it twice.
        """
        claimed, self.claimed = self.claimed, ""
        if not claimed or not self.type.full_state or view.label:
            return
        held = self._asked(view)
        self.total = sum(resource.mark for resource in held.values()) % MARK_MODULUS
        if self._version(view) != claimed or any(r.timed for r in held.values()):
            self.total = 0
            return
        self.sent = dict(held)
        self.proved = {name: resource.held for name, resource in held.items()}
        self.dirty.clear()
        self.forced.clear()
        self.due = False

    def _outlived(self, refused: set[str], beats: Collection[str], now: float) -> None:
        """A full state could live on only as a whole, and what was refused is not sent again."""
        if self.type.full_state:
            self.beats.pause()
        else:
            super(StateExchange, self)._outlived(refused, beats, now)  # slots=True makes the class anew: no short form

    def _body(self, resources: Iterable[Resource], version: str) -> Body:
        timed = self.beats.takes
        entries = [r.timed.state if timed and r.timed is not None else r.state for r in resources]
        return Body(response(version, entries, self.type.url, ""))
