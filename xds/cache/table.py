"""The one place where resources are published and streams learn of it: publish, wake, read the latest.

Never a queue: a reader has at most one wake-up waiting and finds the newest snapshot when it comes. Single-threaded;
the only thing below the edges that knows asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from xds.wire.types import ResourceType

from .resource import Resource, ResourceKey
from .snapshot import Snapshot


class Wakeup:
    """One reader's bell. However often it rings before the reader looks, the reader is woken once."""

    __slots__ = ("_cache", "_event")

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the reader: something it should look at happened."""
        self._event.set()

    async def wait(self) -> None:
        """Return as soon as the bell has rung since the last `wait`; at once if it already has."""
        await self._event.wait()
        self._event.clear()

    def close(self) -> None:
        """Never ring again. Safe to call twice."""
        self._cache._forget(self)


class Cache:
    """Every published resource, interned: the same content under the same key stays the same object.

    `revision` is the number from which snapshots count, for owners whose store already numbers its changes.
    """

    def __init__(self, revision: int = 0) -> None:
        self._revision = revision
        self._latest: Snapshot | None = None
        self._bells: set[Wakeup] = set()

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot; None until something, be it nothing, was published: not loaded is not empty."""
        return self._latest

    def publish(self, upserts: Iterable[Resource] = (), removals: Iterable[ResourceKey] = ()) -> Snapshot:
        """Put `upserts` in, take `removals` out, wake every reader if anything changed; return the newest snapshot.

        A resource whose content and warming list are already there keeps its object, version and revision; a removal of
        something that is not there changes nothing. A key in both stays. The last upsert of a key wins.
        """
        before = self._latest if self._latest is not None else Snapshot(self._revision)
        wanted = {resource.key: resource for resource in upserts}
        revision = before.revision + 1
        changed: dict[ResourceType, list[Resource]] = {}
        gone: dict[ResourceType, list[ResourceKey]] = {}
        for key, resource in wanted.items():
            known = before.get(key)
            if known is None or known.version != resource.version:
                changed.setdefault(key.type, []).append(resource.appeared_at(revision))
            elif known.warms != resource.warms:
                changed.setdefault(key.type, []).append(resource.appeared_at(known.revision))
        for key in set(removals):
            if key not in wanted and before.get(key) is not None:
                gone.setdefault(key.type, []).append(key)
        if not changed and not gone and self._latest is not None:
            return self._latest
        self._latest = before.after(revision, changed, gone)
        self.wake()
        return self._latest

    def wake(self) -> None:
        """Wake every reader: what it sees of the table may have changed, if not the table."""
        for bell in self._bells:
            bell.ring()

    def changed_since(self, type_: ResourceType, revision: int) -> frozenset[str] | None:
        """Return the names of `type_` that changed after `revision`; None = too long ago, compare everything."""
        return frozenset() if self._latest is None else self._latest.changed_since(type_, revision)

    def subscribe(self) -> Wakeup:
        """Return a bell that rings at every change until it is closed."""
        bell = Wakeup(self)
        self._bells.add(bell)
        return bell

    def _forget(self, bell: Wakeup) -> None:
        self._bells.discard(bell)
