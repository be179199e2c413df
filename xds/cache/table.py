"""The one place where resources are published and streams learn of it: publish, wake, read the latest.

Never a queue: a reader has at most one wake-up waiting and finds the newest snapshot when it comes. Single-threaded;
the only thing below the edges that knows asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from xds.wire.types import ResourceType

from .interest import Interests
from .resource import Resource, ResourceKey
from .snapshot import Change, Snapshot


class Wakeup:
    """One reader's bell. However often it rings before the reader looks, the reader is woken once."""

    __slots__ = ("_cache", "_loop", "_rung", "_waiter")

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._rung = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None

    def watch(
        self, type_: ResourceType, names: frozenset[str] | None, variants: tuple[str, ...] = ("",)
    ) -> frozenset[str] | None:
        """Ring for changes of these names of a type (None: of all) in these variants; return the set as others have it.

        Replaces what was watched of the type before.
        """
        return self._cache._interests.watch(self, type_, names, variants)

    def ring(self) -> None:
        """Wake the reader: something it should look at happened."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return as soon as the bell has rung since the last `wait`; at once if it already has. For one reader."""
        if not self._rung:
            # A future and nothing else: an asyncio.Event, which is for many, was a fortieth of the cost of a push.
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._rung = False

    def close(self) -> None:
        """Never ring again. Safe to call twice."""
        self._cache._interests.forget(self)


class Cache:
    """Every published resource, interned: the same content under the same key stays the same object.

    `revision` is the number from which snapshots count, for owners whose store already numbers its changes.
    """

    def __init__(self, revision: int = 0) -> None:
        self._revision = revision
        self._latest: Snapshot | None = None
        self._interests: Interests[Wakeup] = Interests()

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot; None until something, be it nothing, was published: not loaded is not empty."""
        return self._latest

    def publish(
        self,
        upserts: Iterable[Resource] = (),
        removals: Iterable[ResourceKey] = (),
        labels: Mapping[tuple[ResourceType, str], str] | None = None,
    ) -> Snapshot:
        """Put `upserts` in, take `removals` out, wake every reader of what changed; return the newest snapshot.

        A resource whose content is already there keeps its object, version and revision; a removal of something that is
        not there changes nothing. A key in both stays. The last upsert of a key wins. `labels` gives a type in a
        variant a version of the publisher's own, which responses carry from then on instead of a fingerprint; a new
        label alone wakes nobody.
        """
        before = self._latest if self._latest is not None else Snapshot(self._revision)
        revision = before.revision + 1
        changes = _changes(before, revision, {resource.key: resource for resource in upserts}, removals)
        for (type_, variant), label in (labels or {}).items():
            if before.table(type_).labels.get(variant) != label:
                changes.setdefault(type_, Change()).labels[variant] = label
        if not changes and self._latest is not None:
            return self._latest
        self._latest = before.after(revision, changes)
        for type_, change in changes.items():
            for bell in self._interests.of(type_, change.names(before.table(type_))):
                bell.ring()
        return self._latest

    def changed_since(self, type_: ResourceType, revision: int) -> frozenset[str] | None:
        """Return the names of `type_` that changed after `revision`; None = too long ago, compare everything."""
        return frozenset() if self._latest is None else self._latest.changed_since(type_, revision)

    def subscribe(self) -> Wakeup:
        """Return a bell that rings at changes of what it watches, until it is closed."""
        return Wakeup(self)


def _changes(
    before: Snapshot, revision: int, wanted: Mapping[ResourceKey, Resource], removals: Iterable[ResourceKey]
) -> dict[ResourceType, Change]:
    changes: dict[ResourceType, Change] = {}
    for key, resource in wanted.items():
        known = before.get(key)
        if known is None or known.version != resource.version:
            changes.setdefault(key.type, Change()).upserts.append(resource.appeared_at(revision))
        elif (known.warms, known.needs) != (resource.warms, resource.needs):
            changes.setdefault(key.type, Change()).upserts.append(resource.appeared_at(known.revision))
    for key in set(removals):
        if key not in wanted and before.get(key) is not None:
            changes.setdefault(key.type, Change()).removals.append(key)
    return changes
