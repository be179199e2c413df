"""The loop: one task that owns the intent and is the only one that publishes.

Each turn takes what has arrived, commits it, applies it, publishes what is due, and then asks the driver what the
observations mean for the rollouts in progress. It waits for nothing but the store, and for the next arrival or
deadline.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf

from xds.cache.roster import Nacked, NodeEvent, Roster
from xds.control.committer import Committer
from xds.control.drift import Drifting
from xds.control.expiries import Expiries
from xds.control.failpoints import failpoint
from xds.control.forces import Forces
from xds.control.gate import behind
from xds.control.health import HealthBoard, Noted
from xds.control.hold import Hold
from xds.control.inbox import Inbox, Submission
from xds.control.nodes import Nodes
from xds.control.pace import Pace
from xds.control.ports import Clock, Entry, Leases, Store
from xds.control.preserver import Preserver
from xds.control.publisher import Publisher
from xds.control.rollouts import RECONNECT, RolloutDriver
from xds.control.shrink import ShrinkGuard
from xds.model.instance import Instance
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.problems import FairleadError, Problem, Unavailable
from xds.model.quota import Quotas

SLICE = 32  # services that are translated at a stretch: some tens of milliseconds at most
RETRY = 1.0  # seconds until a rollout's step is tried again that the store did not take

Follower = Callable[[Sequence[Entry]], None]
"""Hears of every commit, after it is durable and applied."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop works with; `moved` is called after every turn, `noted` when a health changes."""

    intent: Intent
    store: Store
    publisher: Publisher
    nodes: Nodes
    roster: Roster
    inbox: Inbox
    leases: Leases
    clock: Clock
    moved: Callable[[], None]
    noted: Noted
    quotas: Quotas = Quotas()


class Loop:
    """Owns the intent. `start` loads and publishes once, `run` goes on until it is cancelled."""

    def __init__(self, parts: Parts) -> None:
        """Plug the parts together; nothing happens before `start`."""
        self._intent = parts.intent
        self._store = parts.store
        self._publisher = parts.publisher
        self._nodes = parts.nodes
        self._roster = parts.roster
        self._inbox = parts.inbox
        self._leases = parts.leases
        self._clock = parts.clock
        self._moved = parts.moved
        self._pace = Pace()
        self._deadline: float | None = None
        self._refused = False
        self._guard_at: float | None = None
        self._preserver = Preserver(parts.intent, parts.publisher, parts.store)
        self.guard = ShrinkGuard()
        self.health = HealthBoard(parts.intent, parts.noted)
        self.followers: list[Follower] = []
        self.committer = Committer(parts.intent, parts.store, parts.clock, parts.inbox.nudge, parts.quotas)
        self.driver = RolloutDriver(parts.intent, parts.publisher)
        self.forces = Forces(parts.intent)
        self.expiries = Expiries(parts.intent)
        self.drifting = Drifting(parts.intent)
        self.problems: tuple[Problem, ...] = ()

    async def start(self) -> None:
        """Load everything and publish it, before anybody is served; Unavailable when the store cannot be read."""
        loaded = await self._store.load()
        if loaded.doubt is not None:
            self.committer.hold = hold = Hold(loaded.doubt, loaded)
            _log.error("%s: the last known good state of revision %d is served", hold.reason, hold.served.revision)
            loaded = hold.served
        self._intent.restore(loaded.objects, loaded.revision)
        self.committer.remember(loaded.kept)
        self.problems = loaded.problems
        known = [Entry(name, None, self._intent.get(name), "store") for name in self._intent.revisions]
        self._leases.committed(known)
        now = self._clock.monotonic()
        self._preserver.restore(loaded.remains, now + RECONNECT)
        for follower in self.followers:
            follower(known)
        self.driver.restored(now)
        wall = self._clock.wall()
        self.forces.restored(now, wall)
        self.expiries.restored(now, wall)
        self.drifting.restored()
        await self._publish(now, most=None)
        self._hold(now)

    def heard(self, event: NodeEvent) -> None:
        """Take note of what a node did, and take a turn."""
        self._refused = self._refused or isinstance(event, Nacked)
        self._inbox.nudge()

    async def run(self) -> None:
        """Take turns for ever."""
        while True:
            await self._inbox.wait(self._timeout())
            await self._turn()

    async def _turn(self) -> None:
        arrivals = self._inbox.take()
        if arrivals.decision is not None:
            self.committer.decide(arrivals.decision)
        entries = await self._enter(arrivals.submissions)
        now = self._clock.monotonic()
        seen = self.health.hear(arrivals.words, now) | self.health.due(now)
        failing = [m for m, health in seen.items() if not health.serves and not self.health.flaps(m, now)]
        gone = [entry.before for entry in entries if isinstance(entry.before, Instance) and entry.after is None]
        if self._intent.observe_health(seen):
            self._pace.changed(now)
        if entries or (self._guard_at is not None and self._guard_at <= now):
            self._hold(now)
        if entries:
            self._pace.changed(now)
        if arrivals.filter is not None:
            self._publisher.use(arrivals.filter)
            self._pace.changed(now)
        if self._nodes.are_new:
            self._pace.changed(now, urgent=True)
        worse = {one.service for one in (*map(self._intent.instances.get, failing), *gone) if one is not None}
        if not worse.isdisjoint(self._intent.stale):  # an endpoint that goes down waits for nobody
            await self._publish(now, worse)
        elif (due := self._pace.due()) is not None and due <= now:
            await self._publish(now)
        verdict = self._judge(now)
        sweep = self._publisher.sweep(lambda variant: self._behind(variant, now), now)
        look = await self._drive(now)
        kept = self._preserver.keep(now) if self.committer.hold is None else None
        deadlines = (verdict, sweep, look, kept, self._guard_at, self.committer.deadline, self.health.deadline)
        self._deadline = min((at for at in deadlines if at is not None), default=None)
        if entries:
            self._pace.worked(self._clock.monotonic())
        self._moved()

    async def _enter(self, submissions: Sequence[Submission]) -> tuple[Entry, ...]:
        if not submissions and not self.committer.is_busy:
            return ()
        entries = await self.committer.enter(submissions)
        if not entries:
            return ()
        self._leases.committed(entries)
        self._intent.observe_health(self.health.committed(entries, self._clock.monotonic()))
        for follower in self.followers:
            follower(entries)
        self._nodes.committed(entries)
        now = self._clock.monotonic()
        self.forces.committed(entries, now)
        self.expiries.committed(entries, now)
        self.drifting.committed(entries)
        return entries

    async def _publish(self, now: float, only: Collection[ServiceKey] = (), most: int | None = SLICE) -> None:
        """Publish these services, or the oldest changes: a slice of them, since what is urgent can come at any time."""
        self._nodes.forget(state.node.id for state in self._roster.nodes())
        profiles = self._nodes.profiles
        dirty = self._intent.take_dirty(only, most)
        failpoint("publish.before")
        before = self._clock.monotonic()
        self._publisher.publish(self._intent, dirty, profiles, self._roster.nodes(), now=now)
        failpoint("publish.after")
        after = self._clock.monotonic()
        self._pace.spent(after - before)
        if not self._intent.stale:
            self._pace.published(after)
        await self._nodes.published(profiles, self._publisher.uses, now)

    def _hold(self, now: float) -> None:
        """Let go what the guard lets pass of that which is gone by absence alone; the rest stays published."""
        if not self._intent.held and not self.guard.problems:
            return
        going, self._guard_at = self.guard.judge(self._intent, self._publisher.clusters, now)
        for member in going:
            self._intent.release(member)
        if going:
            self._pace.changed(now, urgent=True)

    def _behind(self, variant: str, now: float) -> list[str]:
        return behind(self._publisher, self._roster.nodes(), variant, now=now)

    def _judge(self, now: float) -> float | None:
        """Take back what Envoys refuse, as far as that can be said now."""
        if not self._refused:
            return None
        again = self._publisher.judge(self._roster.nodes(), now)
        self._refused = again is not None
        return again

    async def _drive(self, now: float) -> float | None:
        """Let observations move the rollouts, and time end what is forced and laid over.

        Only what has been published counts, so changes of those services come first.
        """
        concerned = {r.service for r in self._intent.rollouts.values() if not r.phase.is_over}
        concerned.update(instance.service for instance in self._intent.leaving.values())
        if self.committer.hold is not None or not concerned.isdisjoint(self._intent.stale):
            return None
        moves = self.driver.look(self._roster.nodes(), now)
        for member in moves.release:
            self._intent.release(member)
            self._pace.changed(now)
        given_back, lapse = self.forces.look(now)
        taken_back, expiry = self.expiries.look(now)
        deadline = min((at for at in (moves.deadline, lapse, expiry) if at is not None), default=None)
        declarations = (*moves.declarations, *given_back, *taken_back)
        if declarations and not self.committer.is_busy:
            answer = asyncio.get_running_loop().create_future()
            if await self._enter([Submission(declarations, answer)]):
                self._pace.changed(now, urgent=True)
            if not answer.done():
                return deadline  # the store takes its time, and wakes the loop when it has it
            for outcome in answer.result():
                if isinstance(outcome, FairleadError):
                    _log.warning("a rollout, a breaker or an overlay could not move: %s", outcome.message)
            if any(isinstance(outcome, Unavailable) for outcome in answer.result()):
                return min(deadline or inf, now + RETRY)  # nobody says when the store is back
        return deadline

    def _timeout(self) -> float | None:
        wanted = [at for at in (self._pace.due(), self._deadline) if at is not None]
        return max(0.0, min(wanted) - self._clock.monotonic()) if wanted else None
