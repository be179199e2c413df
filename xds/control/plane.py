"""The control plane as its edges see it: submit, observe, read, and be told when something moved.

A facade over the loop and its parts; it decides nothing. Reading is safe between awaits, because everything lives on
one event loop and the intent changes only after a commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from xds.cache.group import Group
from xds.cache.roster import Roster
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.control.admission import Admitted
from xds.control.agents import Agents
from xds.control.alarms import Alarms
from xds.control.drift import DriftAlarms
from xds.control.duplicates import Duplicates
from xds.control.feed import Feed
from xds.control.gate import gate, refusals, unpublished
from xds.control.health import noting
from xds.control.housekeeping import Housekeeping, StandingAlarms, StoreKeeping
from xds.control.inbox import Inbox, Outcome
from xds.control.loop import Loop, Parts
from xds.control.nodes import Membership, Nodes
from xds.control.notes import Notes
from xds.control.ports import Clock, Lease, Leases, Receipt, Store
from xds.control.publisher import Publisher
from xds.control.reach import NodeReach, reached
from xds.control.rollout_alarms import RolloutAlarms
from xds.control.sightings import Sightings
from xds.control.status import RolloutStatus, ServiceStatus
from xds.model.declare import Declaration, subject
from xds.model.incarnation import check_age
from xds.model.instance import Instance
from xds.model.intent import Intent, ref
from xds.model.names import ServiceKey
from xds.model.node import NodeProfile
from xds.model.problems import FairleadError, Forbidden, NotFound, Problem
from xds.model.quota import Quotas
from xds.model.signal import Signal
from xds.translate.build import Builder
from xds.translate.outputs import FilterSpec
from xds.translate.policy import Policy
from xds.translate.warmup import warm_up
from xds.wire.types import ResourceType


class ControlPlane:
    """Everything that the HTTP API, the ADS server and the sources talk to.

    `followers` hear of every commit, and at the start of all that is known; `heartbeats` of who says it is alive.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        leases: Leases,
        filter: Admitted,  # noqa: A002 - its name
        quotas: Quotas = Quotas(),
    ) -> None:
        """Assemble the parts around an empty intent; nothing runs before `start`."""
        self._filter = filter
        self.clock = clock
        self.intent = Intent()
        self.cache = Cache()
        self.roster = Roster()
        self.store = store
        self._leases = leases
        self._inbox = Inbox()
        self._nodes = Nodes(self._inbox, self.intent, self._regroup)
        self._publisher = Publisher(Builder(filter.spec), self.cache)
        self._changes = 0
        self._changed = asyncio.Event()
        self._ready = False
        self._loop = Loop(
            Parts(
                self.intent,
                store,
                self._publisher,
                self._nodes,
                self.roster,
                self._inbox,
                leases,
                clock,
                self._moved,
                noting(self.note),
                quotas,
            )
        )
        self.roster.listen(self._loop.heard)
        self.alarms = Alarms(clock.wall)
        self._notes = Notes(store, self.intent, clock)
        self.alarms.listen(self._notes.alarm)
        self.agents = Agents(clock, self.alarms)
        self.sightings = Sightings(self.agents)
        standing = StandingAlarms(self.alarms, self._loop, self.roster, clock)
        self._duplicates = Duplicates(self.intent, self.alarms, self.observe, self._loop.health.words)
        self._loop.followers.append(self._duplicates.committed)
        drift, judged = DriftAlarms(self.alarms, self._loop.drifting), RolloutAlarms(self.alarms, self.intent)
        looks = (standing.look, drift.look, judged.look, self.agents.look)
        self.housekeeping = Housekeeping((*looks, self._duplicates.look, self._write_notes))
        self.store_keeping = StoreKeeping(store, self.alarms, self._loop, self._inbox, self.intent, clock)
        self.feed = Feed(store)
        self._loop.committer.listen(self.feed.add)
        self.health, self.followers = self._loop.health, self._loop.followers
        self.analyst = self._loop.driver.analyst
        self.heartbeats: list[Callable[[str], None]] = []

    def use_filter(self, admitted: Admitted) -> None:
        """Publish another filter, or show why the one that was asked for is not; what runs is then left alone."""
        had_place = self._filter.spec is not None
        if admitted.spec is not None and not had_place:
            message = "this control plane was started without a filter: restart it to use one"
            admitted = Admitted(None, Problem("filter", "fairlead.health", "", message))
        elif admitted.problem is None and admitted.spec is not None:
            self._inbox.use(admitted.spec)
        self._filter = Admitted(admitted.spec or self._filter.spec, admitted.problem)
        self._moved()

    async def start(self) -> None:
        """Load the store and publish once; Unavailable when that is not possible now."""
        warm_up()
        await self._loop.start()
        self.feed.begin(self.intent.revision)
        self._ready = True

    async def run(self) -> None:
        """Run the loop, and the housekeeping beside it, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            at_leisure = Housekeeping((self.store_keeping.tidy, self.store_keeping.keep_good))
            for name, steps in (("housekeeping", self.housekeeping), ("store keeping", at_leisure)):
                tasks.create_task(steps.run(), name=name)
            await self._loop.run()

    def ready(self) -> bool:
        """Say whether everything stored has been loaded and published."""
        return self._ready

    # -- writing ------------------------------------------------------------------------------------------------

    async def submit(self, declarations: Sequence[Declaration]) -> list[Outcome]:
        """Return a receipt or the reason of refusal for each declaration, once the accepted ones are durable."""
        outcomes = await self._inbox.submit(declarations)
        for declaration, outcome in zip(declarations, outcomes, strict=True):
            if isinstance(outcome, Forbidden):
                about = subject(declaration.change).key
                self.note("refused", about, None, None, declaration.actor, outcome.message)
            elif type(outcome) is Receipt and type(outcome.declared) is Instance:
                self._leases.renew(outcome.name.key)  # also by what changed nothing: whoever registers is alive
        return outcomes

    async def declare(self, declaration: Declaration) -> Receipt:
        """Return the receipt of one declaration; raises the reason when it is refused."""
        (outcome,) = await self.submit([declaration])
        if isinstance(outcome, FairleadError):
            raise outcome
        return outcome

    def note(  # noqa: PLR0913 - a row of the journal, field by field
        self, kind: str, about: str, before: object, after: object, actor: str, reason: str = ""
    ) -> None:
        """Write down in the journal, soon, what was observed of an object or decided about it; returns at once.

        `kind` says what it tells (`health`, `lease`, ...), `about` is the object's key; `before` and `after` are plain
        JSON-able values.
        """
        self._notes.note(kind, about, before, after, actor, reason)

    def observe(self, source: str, seen: Mapping[str, Signal | None]) -> None:
        """Note what a source saw of instances; its word about each stands until it says otherwise, or takes it back."""
        self._inbox.observe(source, seen)

    def renew(self, instance_id: str, *, epoch: int = 0, seq: int = 0) -> Lease | None:
        """Give an instance a full lease; None when it has none to renew.

        A heartbeat creates nothing: NotFound `register_again` for an unknown instance or incarnation, Conflict
        `stale_epoch` for an older incarnation or an older message than what is known, heartbeats included.
        """
        instance = self.intent.instances.get(instance_id)
        if instance is None:
            raise NotFound(f"instance {instance_id} is not known: register it again", code="register_again")
        if epoch > instance.epoch:
            raise NotFound(f"epoch {epoch} of instance {instance_id} is not known: register it", code="register_again")
        check_age(instance, epoch, seq)
        lease = self._leases.renew(instance_id, seq)
        for heard in self.heartbeats:
            heard(instance_id)
        return lease

    def lease(self, instance_id: str) -> Lease | None:
        """Return what is left of an instance's lease, or None when it has none."""
        return self._leases.remaining(instance_id)

    async def assign(self, node: Node) -> Group:
        """Return the group of resources that a node sees; the door for ADS streams."""
        return await self._nodes.assign(node)

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return every problem that stands now: ours, the declared objects', and what live Envoys refuse."""
        filter_problem = () if self._filter.problem is None else (self._filter.problem,)
        now = self.clock.monotonic()
        refused = refusals(self.roster.nodes(), now)
        ours = (*filter_problem, *self._loop.problems, *self._loop.guard.problems, *self._duplicates.problems)
        lingering = self._publisher.lingering.problems(now)
        return tuple(sorted((*ours, *self._publisher.problems, *lingering, *refused)))

    @property
    def filter_spec(self) -> FilterSpec | None:
        """Return the filter that is published."""
        return self._filter.spec

    @property
    def profiles(self) -> frozenset[NodeProfile]:
        """Return the profiles of the Envoys that are known."""
        return self._nodes.profiles

    def clusters(self, env: str) -> tuple[str, ...]:
        """Return the names of the clusters published in an environment, made once as long as no cluster changes."""
        snapshot = self.cache.latest()
        if snapshot is None:
            return ()
        view = snapshot.view(ResourceType.CLUSTER, Group(f"everything in {env}", (env, "")))
        return view.shared("names", lambda: tuple(view))

    def rollout_status(self, rollout_id: str) -> RolloutStatus:
        """Return a rollout with its gate and its judgement; NotFound."""
        rollout = self.intent.rollouts.get(rollout_id)
        if rollout is None:
            raise NotFound(f"rollout {rollout_id} does not exist")
        now = self.clock.monotonic()
        found = self._loop.driver.status(rollout, self.roster.nodes(), now)
        judgement = self.analyst.judgement(rollout, now)
        return RolloutStatus(rollout, self.intent.revisions.get(ref(rollout), 0), found, judgement)

    def service_status(self, key: ServiceKey) -> ServiceStatus:
        """Return a service as wanted, as published and as acknowledged; NotFound."""
        view = self.intent.view(key)
        if view is None:
            raise NotFound(f"service {key} does not exist")
        found = gate(key, self._publisher, self.roster.nodes(), waited=0.0, now=self.clock.monotonic())
        published = [self._publisher.published(carrier, key) for carrier in self._publisher.carriers(key)]
        effective = next((weights for weights in published if weights is not None), {})
        about = {str(key), *(str(route.key) for route in view.routes), *(m.instance.id for m in view.members)}
        problems = tuple(problem for problem in self.problems if problem.object in about)
        wanted = self.intent.services[key].split.weights  # what a pin is laid over
        revision = self.intent.revisions.get(ref(view.service), 0)
        nodes = unpublished(found.nodes) if key in self.intent.stale else found.nodes
        return ServiceStatus(view, revision, wanted, effective, nodes, problems)

    def reach(self, env: str, clusters: Collection[str]) -> list[NodeReach]:
        """Return how each live Envoy of an environment stands to the endpoints of the clusters that it asks for."""
        return list(reached(clusters, self.cache.latest(), self.roster.nodes(), env, self.clock.monotonic()))

    def policy(self, key: ServiceKey) -> Policy:
        """Return the policy that holds for a service as it was last published, labels considered."""
        return self._publisher.policy(key)

    @property
    def translating(self) -> tuple[frozenset[NodeProfile], FilterSpec | None]:
        """Return what translation works with beside the intent: the profiles of nodes in use, and the filter."""
        return self._nodes.profiles, self._filter.spec

    def forced_for(self, key: ServiceKey, subset: str) -> float | None:
        """Return for how many seconds a breaker is still forced, None when that has no end."""
        return self._loop.forces.remaining(key, subset, self.clock.monotonic())

    def overlaid_for(self, overlay: str) -> float | None:
        """Return for how many seconds an overlay still stands, None when that has no end."""
        return self._loop.expiries.remaining(overlay, self.clock.monotonic())

    def membership(self, node_id: str) -> Membership | None:
        """Return which group a node is in and why, or None for a node that is not known."""
        return self._nodes.membership(node_id)

    # -- being told ---------------------------------------------------------------------------------------------

    @property
    def changes(self) -> int:
        """Return a number that grows with everything visible: commits, publishes, ACKs, NACKs, rollout moves."""
        return self._changes

    async def wait_change(self, after: int) -> int:
        """Return the number of changes once it exceeds `after`."""
        while self._changes <= after:
            await self._changed.wait()
        return self._changes

    async def _write_notes(self) -> None:
        if self.store_keeping.hold is None:
            await self._notes.write()

    def _regroup(self, groups: Mapping[str, Group]) -> None:
        """Let nodes see other groups from now on; their streams are woken to send what that changes."""
        for node_id, group in groups.items():
            self.roster.regroup(node_id, group)

    def _moved(self) -> None:
        self._changes += 1
        self._changed.set()
        self._changed = asyncio.Event()
