"""The door for xDS clients: from what a node says of itself to the group of resources that it sees.

A node whose resources are new waits here until they are published, so that no stream ever gets an empty answer for want
of a translation. A node that is in stays in the right group: where a label or a route changes what it needs, it moves
once its new resources are published, and its stream goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from xds.cache.group import Group
from xds.cache.typestate import Node
from xds.control.groups import group_of
from xds.control.inbox import Inbox
from xds.control.ports import Entry
from xds.control.upstreams import decide
from xds.model.instance import Instance
from xds.model.intent import Intent
from xds.model.names import Key
from xds.model.node import NodeProfile, Role
from xds.model.problems import Unavailable
from xds.model.reach import UpstreamNames
from xds.model.service import Service

ADMISSION_TIMEOUT = 10.0
LINGER = 60.0
"""Seconds for which a gateway goes on seeing a service that its last route left, as a removed cluster lingers."""

Uses = Mapping[Key, frozenset[str]]
"""By gateway: the services that its routes lead to."""
Move = Callable[[Mapping[str, Group]], None]
"""Takes the nodes, by id, that see another group from now on; its resources are published."""
_Place = tuple[Role, str, str]  # role, environment, service or gateway


@dataclass(eq=False, slots=True)
class Membership:
    """One node: what it says of itself, the `profile` that this comes to, and the group it was put into.

    `upstreams` are the services that it sees, None for all of its environment; `because` says who decided that.
    """

    node: str
    said: NodeProfile
    profile: NodeProfile
    because: str = ""
    upstreams: UpstreamNames | None = None
    group: Group | None = None

    @property
    def place(self) -> _Place:
        """Return what its group depends on besides itself: the labels of a service, or the routes of a gateway."""
        return self.said.role, self.said.env, self.said.service or self.said.gateway


class Nodes:
    """Who is there; the loop publishes for all of them."""

    def __init__(self, inbox: Inbox, intent: Intent, move: Move) -> None:
        """Wake `inbox`'s loop when a profile is new; read labels in `intent`; report who changed groups to `move`."""
        self._inbox = inbox
        self._intent = intent
        self._move = move
        self._members: dict[str, Membership] = {}
        self._arriving: set[Membership] = set()
        self._at: dict[_Place, set[Membership]] = {}
        self._stale: set[_Place] = set()
        self._moving: set[Membership] = set()
        self._profiles: frozenset[NodeProfile] | None = frozenset()
        self._published: frozenset[NodeProfile] = frozenset()
        self._used: dict[Key, frozenset[str]] = {}
        self._needed: dict[Key, dict[str, float]] = {}
        self._seen: dict[Key, UpstreamNames] = {}
        self._news = asyncio.Condition()

    async def assign(self, node: Node) -> Group:
        """Return the node's group once its resources are published.

        PeerError for metadata that says nonsense, Unavailable when the loop does not come round in time.
        """
        said = NodeProfile.from_metadata(node.metadata, node.version)
        member = self._join(Membership(node.id, said, said))
        if member.profile not in self._published:
            self._arriving.add(member)
            self._inbox.nudge()
            try:
                async with asyncio.timeout(ADMISSION_TIMEOUT), self._news:
                    await self._news.wait_for(lambda: member.profile in self._published)
            except TimeoutError:
                raise Unavailable(f"the resources of {node.id} were not ready in time") from None
            finally:
                self._arriving.discard(member)
                self._profiles = None
        return self._put(member)

    def membership(self, node_id: str) -> Membership | None:
        """Return which group a node is in, and why; None for one that is not known."""
        return self._members.get(node_id)

    # -- for the loop -------------------------------------------------------------------------------------------

    @property
    def profiles(self) -> frozenset[NodeProfile]:
        """Return every profile that has to be translated for, as labels have it now."""
        for place in self._stale:
            for member in self._at.get(place, ()):
                self._decide(member)
                self._moving.add(member)
        self._stale.clear()
        if self._profiles is None:
            self._profiles = frozenset(member.profile for member in (*self._members.values(), *self._arriving))
        return self._profiles

    @property
    def are_new(self) -> bool:
        """Say whether a profile still waits for its first publish."""
        return any(member.profile not in self._published for member in self._arriving)

    def committed(self, entries: Iterable[Entry]) -> None:
        """Take note of instances and services that changed, since their labels may have."""
        for declared in (each for entry in entries for each in (entry.before, entry.after)):
            if isinstance(declared, Instance):
                self._stale.add((Role.SIDECAR, declared.service.env, declared.service.name))
            elif isinstance(declared, Service):
                self._stale.add((Role.SIDECAR, declared.key.env, declared.key.name))

    async def published(self, profiles: frozenset[NodeProfile], uses: Uses, now: float) -> None:
        """Let in those who wait for one of `profiles`, and move those who need another group now."""
        self._published = profiles
        for gateway in self._need(uses, now):
            self._moving |= self._at.get((Role.GATEWAY, *gateway), set())
        moving, self._moving = self._moving, set()
        moved: dict[str, Group] = {}
        for member in moving:
            before = member.group
            if before is not None and before != (group := self._put(member)):
                moved[member.node] = group
        if moved:
            self._move(moved)
        async with self._news:
            self._news.notify_all()

    def forget(self, known: Iterable[str]) -> None:
        """Keep only nodes that are known by id, or on their way in: let in and not yet awake."""
        for node in self._members.keys() - set(known) - {member.node for member in self._arriving}:
            self._leave(self._members.pop(node))

    # -- deciding -----------------------------------------------------------------------------------------------

    def _join(self, member: Membership) -> Membership:
        """Take in a node; a newer stream of the same id speaks for it from now on."""
        before = self._members.get(member.node)
        if before is not None:
            self._leave(before)
        self._members[member.node] = member
        self._at.setdefault(member.place, set()).add(member)
        self._decide(member)
        return member

    def _leave(self, member: Membership) -> None:
        self._profiles = None
        here = self._at[member.place]
        here.discard(member)
        if not here:
            del self._at[member.place]
        self._moving.discard(member)

    def _decide(self, member: Membership) -> None:
        self._profiles = None
        found = decide(member.said, member.node, self._intent)
        member.profile = replace(member.said, upstreams=found.upstreams)
        member.because = found.because

    def _put(self, member: Membership) -> Group:
        """Put a node into the group that its profile, or its gateway's routes, have now."""
        profile = member.profile
        if profile.role is Role.GATEWAY:
            member.upstreams = self._seen.get(Key(profile.env, profile.gateway), ())
        else:
            member.upstreams = profile.upstreams
        member.group = group_of(profile, member.upstreams)
        return member.group

    def _need(self, uses: Uses, now: float) -> list[Key]:
        """Return the gateways that see other services than before. None loses its last: Envoy would refuse that."""
        changed = []
        for gateway in uses.keys() | self._needed.keys():
            used, needed = uses.get(gateway, frozenset()), self._needed.get(gateway, {})
            if used == self._used.get(gateway) and len(used) == len(needed):
                continue
            stays = {name: now + LINGER if until == inf else until for name, until in needed.items() if until > now}
            needed = stays | dict.fromkeys(used, inf)
            self._used[gateway], self._needed[gateway] = used, needed
            seen = tuple(sorted(needed)) or self._seen.get(gateway, ())
            if seen != self._seen.get(gateway):
                self._seen[gateway] = seen
                changed.append(gateway)
        return changed
