"""Resources with a time to live, on one stream: who takes them, and when the client must hear of each again.

Rule 30 (xDS protocol, "TTL"): a client that can is sent the time to live with the resource and drops it when that runs
out; a heartbeat, which in delta carries no content, lets it live on. One is due after half of the time. A client that
refuses a content keeps the one before, so it is that one which lives on: Envoy refuses a heartbeat of another version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from xds.cache.resource import Resource

TTL: Final = "xds.config.supports-resource-ttl"
"""The client feature without which no time to live may be sent. Envoy 1.40 has it and does not say so by itself: it
says what its bootstrap lists under `node.client_features`."""
WRAPPED: Final = frozenset({"xds.config.resource-in-sotw", "xds.config.supports-resource-in-sotw"})
"""The client feature without which state of the world has no place for it, as Envoy's list of features and gRPC's
clients call it, and as the page on the protocol does."""


def takes_ttl(features: Collection[str], *, wrapped: bool) -> bool:
    """Return whether a client with these features can be sent a time to live; `wrapped`: with the resource inside."""
    return TTL in features and not (wrapped and WRAPPED.isdisjoint(features))


class Heartbeats:
    """What a client holds for a time, by name as asked for, and when it must hear of each (monotonic seconds).

    Empty for a client that `takes` no times to live. True while there are any.
    """

    __slots__ = ("_at", "_before", "_held", "takes")

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self._held: dict[str, Resource] = {}
        self._at: dict[str, float] = {}
        self._before: dict[str, Resource] = {}  # what the client keeps if it refuses what is under way

    def __bool__(self) -> bool:
        """Whether the client holds anything for a time only."""
        return bool(self._held)

    def sent(self, name: str, resource: Resource, now: float) -> None:
        """Note that the client is told of `name`: a content, or that it lives on."""
        if name in self._held:
            self._before[name] = self._held[name]
        if resource.timed is not None:
            self._held[name] = resource
            self._at[name] = now + resource.timed.ttl / 2
        elif self._held:
            self._held.pop(name, None)
            self._at.pop(name, None)

    def accepted(self) -> None:
        """Note that the client took what was under way."""
        if self._before:
            self._before.clear()

    def refused(self, names: Iterable[str], now: float) -> None:
        """Note that the client refused the contents of `names`."""
        before = dict(self._before)
        for name in names:
            self.forget(name)
            if name in before:
                self._held[name], self._at[name] = before[name], now
        self._before.clear()

    def pause(self) -> None:
        """Let nothing be due until `all_sent`."""
        self._at.clear()

    def all_sent(self, now: float) -> None:
        """Note that the client is told of everything that it holds."""
        for name, resource in self._held.items():
            self.sent(name, resource, now)

    def forget(self, name: str) -> None:
        """Note that the client does not hold `name` any more."""
        if self._held or self._before:
            for of_name in (self._held, self._at, self._before):
                of_name.pop(name, None)

    def clear(self) -> None:
        """Note that the client holds nothing that we know of."""
        for known in (self._held, self._at, self._before):
            known.clear()

    def due(self, now: float) -> dict[str, Resource]:
        """Return what the client should hear of by now, in the order of names."""
        return {name: self._held[name] for name, at in sorted(self._at.items()) if at <= now}

    def next(self) -> float | None:
        """Return when the first is due."""
        return min(self._at.values(), default=None)
