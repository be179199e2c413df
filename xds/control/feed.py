"""The feed: the last revisions in memory, for watchers; what is older is read from the journal.

One ring for all of them. A watcher holds nothing but the number of the last revision that it was given, so a slow one
costs no memory; it reads on where it stands, from here or from the store, until the journal has forgotten that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from xds.control.ports import Change, Commit, Entry, Revision, Store
from xds.model.instance import Instance
from xds.model.intent import Declared
from xds.model.rollout import Rollout
from xds.model.route import Route
from xds.model.service import Service

MOST = 20_000  # changes in memory
PAGE = 1000  # changes that are read at once


class Feed:
    """Each revision once, in order."""

    def __init__(self, store: Store) -> None:
        """Start with nothing heard; read from `store` what is older."""
        self._store = store
        self._ring: deque[Commit] = deque()
        self._held = 0
        self._from = 0
        self._last = 0
        self._more = asyncio.Event()

    def begin(self, revision: int) -> None:
        """Start after `revision`, which everybody can read."""
        self._from = self._last = revision

    def add(self, commit: Commit) -> None:
        """Take what has become durable."""
        self._last = commit.revision
        self._ring.append(commit)
        self._held += len(commit.entries)
        while self._held > MOST and len(self._ring) > 1:
            gone = self._ring.popleft()
            self._held -= len(gone.entries)
            self._from = gone.revision
        self._more.set()
        self._more = asyncio.Event()

    @property
    def last(self) -> int:
        """Return the newest revision."""
        return self._last

    async def wait(self, after: int, at_most: float) -> bool:
        """Return True as soon as there is a revision above `after`, False after `at_most` seconds without one."""
        try:
            async with asyncio.timeout(at_most):
                while self._last <= after:
                    await self._more.wait()
        except TimeoutError:
            return False
        return True

    async def read(self, after: int) -> Sequence[Revision]:
        """Return the next revisions above `after`, a page of them; Gone when they are forgotten, Unavailable."""
        if after < self._from:
            return await self._store.revisions(after, PAGE)
        found: list[Revision] = []
        changes = 0
        for commit in self._ring:
            if commit.revision > after and changes < PAGE:
                found.append(_revision(commit))
                changes += len(commit.entries)
        return found


def _revision(commit: Commit) -> Revision:
    at = commit.at.isoformat(timespec="milliseconds")
    return Revision(commit.revision, at, [_change(entry) for entry in commit.entries])


def _change(entry: Entry) -> Change:
    what = "created" if entry.before is None else "removed" if entry.after is None else "changed"
    service = _service(entry.after or entry.before)
    return Change(entry.name.kind.value, entry.name.key, service, what, entry.actor, entry.reason)


def _service(declared: Declared | None) -> str:
    match declared:
        case Service():
            return str(declared.key)
        case Instance() | Route() | Rollout():
            return str(declared.service)
        case _:
            return ""
