"""Resources with a time to live, on one stream: who takes them, and when the client must hear of each again.

Rule 30 (xDS protocol, "TTL"): a client that can is sent the time to live with the resource and drops it when that runs
out; a heartbeat, which carries no content, lets it live on. One is due after half of the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from xds.cache.resource import Resource

TTL: Final = frozenset({"xds.config.supports-resource-ttl"})
"""The client feature without which no time to live may be sent."""
WRAPPED_TTL: Final = TTL | {"xds.config.supports-resource-in-sotw"}
"""The client features without which state of the world has no place for it."""


class Heartbeats:
    """Names and when they are due (monotonic seconds): none for a client that `takes` none. True while there are any."""

    __slots__ = ("_at", "takes")

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self._at: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether anything has to be heard of again."""
        return bool(self._at)

    def sent(self, name: str, resource: Resource, now: float) -> None:
        """Note that the client heard of `name`."""
        if resource.timed is not None:
            self._at[name] = now + resource.timed.ttl / 2
        elif self._at:
            self._at.pop(name, None)

    def forget(self, name: str) -> None:
        """Note that the client does not hold `name` any more."""
        if self._at:
            self._at.pop(name, None)

    def clear(self) -> None:
        """Note that the client holds nothing that we know of."""
        self._at.clear()

    def due(self, now: float) -> Iterable[str]:
        """Return the names of which the client should hear by now, in order."""
        return sorted(name for name, at in self._at.items() if at <= now)

    def next(self) -> float | None:
        """Return when the first is due."""
        return min(self._at.values(), default=None)
