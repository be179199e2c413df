"""All types of one ADS stream: which response may leave now, in which order.

Order and gates (xDS protocol, "Eventual consistency considerations"; rule 27): clusters first and their endpoints and
secrets at once, for a client answers clusters only when they are warm; listeners, extensions and routes wait for that
answer; what is removed goes last. A gate that a client keeps shut for too long is passed and reported, for waiting
for ever is worse. Knows types and answers, not what a listener refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic

from xds.cache.group import Group
from xds.cache.resource import Held
from xds.cache.snapshot import Snapshot
from xds.cache.typestate import Progress
from xds.wire.types import SEND_ORDER, ResourceType

from .exchange import Exchange, R
from .plan import NOBODY, Response
from .requests import Event, HeldBack, Outgoing, Overdue

PATIENCE: Final = 5.0
"""Seconds for which a gate waits for an answer."""

AFTER_CLUSTERS: Final = (
    ResourceType.LISTENER,
    ResourceType.EXTENSION,
    ResourceType.ROUTE,
    ResourceType.VIRTUAL_HOST,
)
"""Types that may refer to a cluster.

They wait for the answer to clusters, and removals of clusters wait for theirs.
"""

REMOVED_LAST: Final = (ResourceType.CLUSTER, ResourceType.ENDPOINT)

WARMED_BY: Final = {ResourceType.CLUSTER: ResourceType.ENDPOINT, ResourceType.LISTENER: ResourceType.ROUTE}
"""A client that was sent new content of the former needs the latter again to finish warming (rule 28)."""

CLEARED_BY: Final = {ResourceType.ROUTE: ResourceType.VIRTUAL_HOST}
"""New content of the former clears what the client fetched of the latter under its name (rule 31)."""


@dataclass(slots=True)
class Offer:
    """What leaves now, and what was learned on the way.

    `responses` in the order in which they must be written; `held`: contents that a reconnected client proved to hold;
    `overdue`: unanswered responses for which nobody waits any longer, each reported once; `held_back`: names that wait
    for a cluster, reported when they come to do so.
    """

    responses: list[Outgoing] = field(default_factory=list)
    held: dict[ResourceType, dict[str, Held]] = field(default_factory=dict)
    overdue: list[Overdue] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)


class Session(Generic[R]):
    """One stream. `exchange` makes the state of a type: `StateExchange` or `DeltaExchange`; `now` is monotonic
    seconds, `features` what the client says it can do.

        session = Session(group, DeltaExchange)
        event = session.receive(request, now)
        for response in session.offer(snapshot, now).responses: ...

    After `offer`, call it again when a request came and the session is `restless`, when a snapshot was published, or
    when `next_deadline()` has passed.
    """

    def __init__(
        self,
        group: Group,
        exchange: Callable[[ResourceType, frozenset[str]], Exchange[R]],
        *,
        features: frozenset[str] = NOBODY,
        patience: float = PATIENCE,
    ) -> None:
        self._group = group
        self._make: Callable[[ResourceType, frozenset[str]], Exchange[R]] = exchange
        self._features = features
        self._patience = patience
        self._exchanges: dict[ResourceType, Exchange[R]] = {}
        self._ordered: list[Exchange[R]] = []
        self._early: dict[ResourceType, set[str]] = {}
        self._nonces = 0
        self._deadline: float | None = None

    @property
    def group(self) -> Group:
        """The group whose resources this stream sees."""
        return self._group

    @property
    def restless(self) -> bool:
        """Whether an offer could have anything to say, as far as requests are concerned."""
        for exchange in self._ordered:  # noqa: SIM110 - a generator would cost more than what it asks
            if exchange.dirty or exchange.due or exchange.unread or exchange.beats:
                return True
        return False

    def regroup(self, group: Group) -> None:
        """See another group from the next `offer` on: what differs is sent, in the usual order, and nothing else."""
        if group != self._group:
            self._group = group
            for exchange in self._ordered:
                exchange.compare_anew()

    def receive(self, request: R, now: float) -> Event:
        """Take a request and return what it meant; the answer, if one is due, comes with the next `offer`."""
        exchange = self._exchanges.get(request.type)
        if exchange is None:
            exchange = self._exchanges[request.type] = self._make(request.type, self._features)
            self._ordered = [self._exchanges[type_] for type_ in SEND_ORDER if type_ in self._exchanges]
        return exchange.receive(request, now)

    def progress(self, type_: ResourceType) -> Progress:
        """Return where to read what is still to be done for a type that the client asked for."""
        return self._exchanges[type_]

    def asked(self) -> Iterator[tuple[ResourceType, frozenset[str] | None]]:
        """Yield the types that the client asked for with the names, None for everything."""
        for exchange in self._ordered:
            yield exchange.type, exchange.sub.named()

    def names(self, type_: ResourceType) -> frozenset[str] | None:
        """Return the names that the client asks for, None for everything. Empty if it never asked."""
        exchange = self._exchanges.get(type_)
        return frozenset() if exchange is None else exchange.sub.named()

    def next_deadline(self) -> float | None:
        """Return when to offer again although nothing happened: something waits until then."""
        return self._deadline

    def offer(self, snapshot: Snapshot, now: float) -> Offer:
        """Return what must leave now for the client to come to this snapshot."""
        offer, self._deadline = Offer(), None
        for exchange in self._ordered:
            exchange.absorb(snapshot, self._group)
            if exchange.held_back:
                exchange.held_back &= exchange.dirty
            early = self._early.pop(exchange.type, NOBODY) if self._early else NOBODY
            if exchange.proved:
                exchange.force(early & exchange.proved.keys())
                offer.held[exchange.type], exchange.proved = exchange.proved, {}
        for exchange in self._ordered:
            if exchange.owes(now) and not (exchange.type in AFTER_CLUSTERS and self._clusters_unanswered(offer, now)):
                self._respond(exchange, offer, now)
        for exchange in self._ordered:
            # Once more: what removals wait for may have turned out to owe nothing.
            if exchange.type in REMOVED_LAST and exchange.dirty:
                self._respond(exchange, offer, now)
        for exchange in self._ordered:
            if exchange.beats and exchange.unanswered is None and (at := exchange.beats.next()) is not None:
                self._wait_until(at, now)
        return offer

    def _respond(self, exchange: Exchange[R], offer: Offer, now: float) -> None:
        if exchange.unanswered is not None or not exchange.owes(now):
            return
        type_ = exchange.type
        keep = type_ in REMOVED_LAST and exchange.removes() and self._removals_wait(exchange, offer, now)
        hold = self._held_back(exchange, offer) if type_ in AFTER_CLUSTERS else NOBODY
        made = exchange.respond(str(self._nonces + 1), now, keep=keep, hold=hold)
        if made is not None:
            self._nonces += 1
            offer.responses.append(made.outgoing)
            if made.fresh:
                self._warm(type_, made)

    def _held_back(self, exchange: Exchange[R], offer: Offer) -> frozenset[str]:
        """Return what would lead the client to a cluster that it refused or lacks, and keep it as it has it.

        Such a route answers 503. What the client has in no version goes out all the same: a route configuration with
        one hole serves more than none.
        """
        clusters = self._exchanges.get(ResourceType.CLUSTER)
        held = NOBODY
        if clusters is not None and (clusters.doubtful or clusters.dirty):
            held = frozenset(
                name
                for name in exchange.dirty
                if exchange.sent.get(name) is not None
                and name not in exchange.doubtful
                and (present := exchange.view.find(name)) is not None
                and any(clusters.lacks(need) for need in present.needs)
            )
        if held - exchange.held_back:
            offer.held_back.append(HeldBack(exchange.type, held))
        exchange.held_back = held
        return held

    def _warm(self, type_: ResourceType, made: Response) -> None:
        """Owe again what the new contents need to warm, where the client has it already.

        A client that reconnects may say only afterwards that it has it; so these names are kept until it asks.
        """
        if type_ in WARMED_BY:
            names = {name for resource in made.fresh for name in resource.warms}
            dependent = self._exchanges.get(WARMED_BY[type_])
            if dependent is None:
                self._early.setdefault(WARMED_BY[type_], set()).update(names)
            else:
                dependent.force([name for name in names if name in dependent.sent and dependent.sub.covers(name)])
        elif type_ in CLEARED_BY and (dependent := self._exchanges.get(CLEARED_BY[type_])) is not None:
            prefixes = tuple(f"{resource.name}/" for resource in made.fresh)
            dependent.force([name for name in dependent.sent if name.startswith(prefixes)])

    def _clusters_unanswered(self, offer: Offer, now: float) -> bool:
        clusters = self._exchanges.get(ResourceType.CLUSTER)
        return clusters is not None and self._unanswered(clusters, offer, now)

    def _removals_wait(self, exchange: Exchange[R], offer: Offer, now: float) -> bool:
        """Whether the client may still use what would be removed: its listeners or routes have not settled."""
        before = AFTER_CLUSTERS if exchange.type is ResourceType.CLUSTER else (ResourceType.CLUSTER, *AFTER_CLUSTERS)
        wait = self._still_reconnecting(exchange, now)
        for other in (self._exchanges[type_] for type_ in before if type_ in self._exchanges):
            if other.unanswered is not None:
                wait = self._unanswered(other, offer, now) or wait
            elif other.owes(now):
                wait = True  # it goes out in this offer, or behind a gate that has its own deadline
        return wait

    def _still_reconnecting(self, exchange: Exchange[R], now: float) -> bool:
        """Whether the client brought contents along and has not yet asked for the types that may refer to them."""
        if exchange.reclaimed_at is None:
            return False
        if all(type_ in self._exchanges for type_ in (ResourceType.LISTENER, ResourceType.ROUTE)):
            return False
        return self._wait_until(exchange.reclaimed_at + self._patience, now)

    def _unanswered(self, exchange: Exchange[R], offer: Offer, now: float) -> bool:
        """Whether to go on waiting for this type's answer; reports it when not."""
        waiting = exchange.unanswered
        if waiting is None:
            return False
        if self._wait_until(waiting.at + self._patience, now):
            return True
        if not waiting.reported:
            waiting.reported = True
            offer.overdue.append(Overdue(exchange.type, waiting.at))
        return False

    def _wait_until(self, deadline: float, now: float) -> bool:
        if now >= deadline:
            return False
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        return True
