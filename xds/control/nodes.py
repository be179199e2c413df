"""The door for Envoys: from what a node says of itself to the group of resources that it sees.

A node whose profile is new waits here until its listeners are published, so that no stream ever gets an empty answer
for want of a translation.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from xds.cache.group import Group
from xds.cache.typestate import Node
from xds.control.inbox import Inbox
from xds.model.node import NodeProfile
from xds.model.problems import Unavailable

ADMISSION_TIMEOUT = 10.0


class Nodes:
    """The profiles in use; the loop publishes for all of them."""

    def __init__(self, inbox: Inbox) -> None:
        """Wake `inbox`'s loop when a profile is new."""
        self._inbox = inbox
        self._wanted: set[NodeProfile] = set()
        self._published: frozenset[NodeProfile] = frozenset()
        self._arriving: Counter[NodeProfile] = Counter()
        self._news = asyncio.Condition()

    async def assign(self, node: Node) -> Group:
        """Return the node's group once its resources are published.

        PeerError for metadata that says nonsense, Unavailable when the loop does not come round in time.
        """
        profile = NodeProfile.from_metadata(node.metadata)
        if profile not in self._published:
            self._wanted.add(profile)
            self._arriving[profile] += 1
            self._inbox.nudge()
            try:
                async with asyncio.timeout(ADMISSION_TIMEOUT), self._news:
                    await self._news.wait_for(lambda: profile in self._published)
            except TimeoutError:
                raise Unavailable(f"the resources of {node.id} were not ready in time") from None
            finally:
                self._arriving[profile] -= 1
        return group(profile)

    @property
    def profiles(self) -> frozenset[NodeProfile]:
        """Return every profile that has to be translated for."""
        return frozenset(self._wanted)

    @property
    def are_new(self) -> bool:
        """Say whether a profile still waits for its first publish."""
        return not self._wanted <= self._published

    async def published(self, profiles: frozenset[NodeProfile]) -> None:
        """Let in those who wait for one of `profiles`."""
        self._published = profiles
        async with self._news:
            self._news.notify_all()

    def forget(self, known: Iterable[Group]) -> None:
        """Keep only the profiles of nodes that are still known, or on their way in: let in and not yet awake."""
        self._arriving = +self._arriving
        here = {seen.id for seen in known}
        self._wanted = {p for p in self._wanted if p in self._arriving or p.variant in here}


def group(profile: NodeProfile) -> Group:
    """Return the group of nodes with this profile: their own listeners, their environment's resources, everybody's."""
    return Group(profile.variant, (profile.variant, profile.env, ""))
