"""What the control loop needs from the outside, as protocols; `xds.app` plugs the real parts in.

Nothing here knows SQLite, wasmtime or a wall clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Declared, Ref
from xds.model.problems import Problem
from xds.model.view import Member
from xds.wire.types import ResourceType


class Clock(Protocol):
    """The only source of time. Deadlines use `monotonic`; `wall` is for people and never decides anything."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def wall(self) -> datetime:
        """Return the present moment in UTC."""
        ...


class Entry(NamedTuple):
    """One row of the journal: what changed, from what to what (None: it was not there), who asked and why.

    `absence` tells of a removal that nothing but silence speaks for.
    """

    name: Ref
    before: Declared | None
    after: Declared | None
    actor: str
    reason: str = ""
    absence: bool = False


class Receipt(NamedTuple):
    """What became of an accepted declaration.

    `declared` is the object as it is now (None: removed), `revision` its revision. `replayed` says that the answer was
    given before, under the same idempotency key, and nothing was done this time.
    """

    name: Ref
    declared: Declared | None
    revision: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt under the idempotency key that it answers; `fingerprint` tells whether the same was asked."""

    key: str
    fingerprint: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Commit:
    """One batch, to be made durable as one: all of it or none. With `forgets`, no receipt from before it counts."""

    revision: int
    at: datetime
    entries: tuple[Entry, ...]
    kept: tuple[Kept, ...] = ()
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A row of the journal that no declaration made: what was observed of `about`, or decided about it.

    `kind` says what it tells (`health`, `lease`, `alarm`, `refused`, ...), `before` and `after` are plain JSON-able
    values, `service` is `env/name` where there is one.
    """

    at: datetime
    kind: str
    about: str
    before: object
    after: object
    actor: str
    reason: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """Which rows of the journal: later than row `after`, `since` <= time < `until`, about a service or an object.

    `service` is `env/name`, `about` an object's key, `kind` what a row tells; "" and None ask for everything.
    """

    after: int = 0
    limit: int = 500
    since: datetime | None = None
    until: datetime | None = None
    service: str = ""
    about: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One object that a revision created, changed or removed (`what`), by whom and why; `service` as `env/name`."""

    kind: str
    key: str
    service: str
    what: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit as watchers see it: its number, when it was made, what it changed."""

    number: int
    at: str
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Moment:
    """What was declared at some time: the revision that stood, when it was made ("": never), and every object.

    `health` has the instances whose health changed since then, as it was; `problems` are rows that cannot be read.
    """

    revision: int
    at: str
    objects: Mapping[Ref, Declared]
    health: Mapping[str, Health]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Remnant:
    """A published resource that nothing declares any more; `value` is its encoded message."""

    type: ResourceType
    name: str
    variant: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Remains:
    """What is served though nothing declares it: lingering resources, endpoints that leave or whose loss is held.

    And what was observed last of those that are not healthy, `ailing`.
    """

    resources: tuple[Remnant, ...] = ()
    leaving: tuple[Instance, ...] = ()
    held: tuple[Member, ...] = ()
    ailing: Mapping[str, Health] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything a store held when it was opened; `problems` are rows that could not be read and were left alone.

    `doubt` says why the store is not to be believed, and what to serve instead.
    """

    objects: tuple[tuple[Declared, int], ...] = ()
    revision: int = 0
    kept: tuple[Kept, ...] = ()
    problems: tuple[Problem, ...] = ()
    remains: Remains = Remains()
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a store is not believed (`reason`), and the last known good state; `aside` is where a bad file was moved."""

    reason: str
    good: Loaded
    aside: str = ""


class Store(Protocol):
    """Where declarations survive the process."""

    @property
    def failed(self) -> str:
        """Why nothing is written any more until the process starts anew, "" while it is."""

    async def load(self) -> Loaded:
        """Return everything; raises Unavailable when the store cannot be read now."""
        ...

    async def commit(self, commit: Commit) -> None:
        """Return when the batch is durable; raises Unavailable, and then nothing of it is."""
        ...

    async def note(self, notes: Sequence[Note]) -> None:
        """Add these to the journal, in order; raises Unavailable, and then none of them is there."""
        ...

    async def preserve(self, remains: Remains) -> None:
        """Keep `remains` in place of those before; raises Unavailable, and then those before are still kept."""
        ...

    async def journal(self, query: JournalQuery | None = None) -> Sequence[Mapping[str, object]]:
        """Return rows of the journal, oldest first, as plain JSON-able mappings; Unavailable."""
        ...

    async def revisions(self, after: int, limit: int) -> Sequence[Revision]:
        """Return what the revisions above `after` changed, in order; at least `limit` changes if there are so many.

        Gone when the journal does not reach back that far, Unavailable when it cannot be read now.
        """
        ...

    async def moment(self, at: datetime) -> Moment:
        """Return what was declared at a moment; Gone when the journal does not reach back that far, Unavailable."""
        ...

    async def tidy(self) -> None:
        """Do at leisure what no commit should pay for: index the journal, and forget what is beyond its bounds."""
        ...

    async def keep_good(self, revision: int, objects: int) -> None:
        """Keep the last known good state if it changed; Unavailable, also for less than `objects` at `revision`."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and let go of the store."""
        ...


class Verdict(Protocol):
    """What an admission check says of a module and its configuration."""

    @property
    def accepted(self) -> bool:
        """Whether it may be published."""
        ...

    @property
    def reason(self) -> str:
        """Why not, in words."""
        ...


class Admission(Protocol):
    """Starts and configures a filter module here, before any Envoy sees it."""

    def __call__(self, module: bytes, configuration: bytes) -> Verdict:
        """Return the verdict; never raises for what the module does."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """How long an instance stays known without another heartbeat, in seconds."""

    expires_in: float


class Leases(Protocol):
    """Who must say that it is alive, and when it last did."""

    def committed(self, entries: Sequence[Entry]) -> None:
        """Take note of instances that came, changed or went; every one that came has a full lease."""
        ...

    def renew(self, instance_id: str, seq: int = 0) -> Lease | None:
        """Give a known instance a full lease; None when it never had one.

        `seq` is the number of the message that asks, 0 for none. Conflict `stale_epoch` for one that was heard before.
        """
        ...

    def remaining(self, instance_id: str) -> Lease | None:
        """Return what is left, or None for an instance without a lease."""
        ...
