"""The state-of-the-world protocol for one type on one stream.

Rules: a response of clusters or listeners is their full state, anything else may be partial and cannot remove (rules
21, 22); a request with a stale nonce gets no response (rule 7), one without a nonce begins anew (rule 8); an unknown
name is met with silence and remembered (rule 18).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xds.cache.resource import MARK_MODULUS, Resource, mark
from xds.cache.snapshot import View
from xds.wire.discovery import response

from .exchange import Body, Exchange, Response
from .requests import Answer, Event, Outgoing, StateRequest


@dataclass(slots=True)
class StateExchange(Exchange[StateRequest]):
    """One type on one state-of-the-world stream. `claimed` is the version_info of its first request."""

    nonce: str = ""
    claimed: str = ""

    def receive(self, request: StateRequest, now: float) -> Event:  # noqa: ARG002 - both protocols have one face
        """Take a request. A nonce of another stream, on the first request of a type, means nothing (rule 5)."""
        first = not self.sub.asked
        if not first and request.nonce and request.nonce != self.nonce:
            return Event(self.type, Answer.STALE)
        answer = self._settle(request.nonce, request.error) if request.nonce and not first else Answer.NONE
        change = self.sub.replace(request.names)
        if first:
            self.claimed = request.version if self.type.full_state else ""
        elif not request.nonce and self.nonce:
            self._begin_anew()
        self._subscribed(change)
        if self.type.full_state:
            self.due = self.due or first or change.opened or bool(change.added or change.uncovered)
        message = request.error or "" if answer is Answer.NACK else ""
        return Event(self.type, answer, message, subscribed=first or bool(change))

    def respond(self, view: View, nonce: str, now: float, *, keep: bool) -> Response | None:
        """Return what is owed.

        With `keep`, a full state still carries what the client holds and should not lose yet.
        """
        made = self._full(view, nonce, now, keep=keep) if self.type.full_state else self._partial(view, nonce, now)
        if made is not None:
            self.nonce = nonce
        return made

    def _full(self, view: View, nonce: str, now: float, *, keep: bool) -> Response | None:
        present = [r for name in sorted(self.dirty) if (r := view.find(name)) is not None]
        gone = {name for name in self.dirty & self.sent.keys() if view.find(name) is None}
        if not self.due and not present and (keep or not gone):
            self.dirty = gone  # a name that is unknown to both sides is no change of the state
            return None
        fresh = self._fresh(present)
        lingering = [r for name in sorted(gone) if keep and (r := self.sent[name]) is not None]
        removed = () if keep else tuple(sorted(gone))
        self._sent(nonce, now, present, removed)
        self.dirty = {r.name for r in lingering}
        for names in (self.forced, self.parked, self.retry):  # everything goes together: nothing is left for later
            names.clear()
        version = self._version()
        body = view.shared(("full", version), lambda: _body([*self._asked(view), *lingering], view, version))
        return Response(Outgoing(self.type, nonce, version, body.data, body.contents, removed), fresh)

    def _asked(self, view: View) -> Iterable[Resource]:
        """Return everything there is of what the client asks for, by name."""
        if self.sub.wildcard:
            return view.all().values()
        return [r for name in sorted(self.sub.names) if (r := view.find(name)) is not None]

    def _partial(self, view: View, nonce: str, now: float) -> Response | None:
        contents: list[Resource] = []
        for name in sorted(self.dirty):
            present = view.find(name)
            if present is not None:
                contents.append(present)
            else:  # it cannot be removed, only not be sent; when it comes back it is new
                self._drop(name)
        if not contents:
            self.dirty.clear()
            self.forced.clear()
            # A refused name that vanished is out of the way, and no answer will tell.
            return self._partial(view, nonce, now) if self._try_again() else None
        fresh = self._fresh(contents)
        self._sent(nonce, now, contents, ())
        self.dirty.clear()
        self.forced.clear()
        version = self._version()
        key = ("part", version, tuple(r.name for r in contents))
        body = view.shared(key, lambda: _body(contents, view, version))
        return Response(Outgoing(self.type, nonce, version, body.data, body.contents), fresh)

    def _version(self) -> str:
        """Return the fingerprint of what the client was sent in all; of full state, also of what it asked for."""
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
        self.force(self.sub.names)
        self.unread = True
        self.due = self.type.full_state

    def _recall(self, view: View) -> None:
        """Skip the first full state of a client that holds it already (rule 25).

        Others are answered, they may be warming.
        """
        claimed, self.claimed = self.claimed, ""
        if not claimed or not self.type.full_state:
            return
        held = {resource.name: resource for resource in self._asked(view)}
        self.total = sum(resource.mark for resource in held.values()) % MARK_MODULUS
        if self._version() != claimed:
            self.total = 0
            return
        self.sent = dict(held)
        self.proved = {name: resource.held for name, resource in held.items()}
        self.dirty.clear()
        self.forced.clear()
        self.due = False


def _body(contents: list[Resource], view: View, version: str) -> Body:
    data = response(version, (resource.state for resource in contents), view.type.url, "")
    return Body(data, {resource.name: resource.held for resource in contents})
