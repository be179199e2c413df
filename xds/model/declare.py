"""Declarations: what callers ask for, and the rules that decide whether they get it.

A batch is validated in order against a draft, which lays the batch's own writes over the intent. A declaration that
is refused writes nothing, the others stand; the draft's writes are then committed as one, or thrown away as one. The
intent itself is never touched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xds.model.instance import Instance
from xds.model.intent import Declared, Intent, Kind, Ref, ref
from xds.model.names import ServiceKey
from xds.model.problems import Conflict, FairleadError, Forbidden, InvalidInput, NotFound, PreconditionFailed
from xds.model.rollout import Event, Phase, Rollout, Step, advance
from xds.model.service import EVERY, Service
from xds.model.split import Split


@dataclass(frozen=True, slots=True)
class Put:
    """Create or replace one declared object (any kind but a rollout)."""

    declared: Declared


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove one declared object by name."""

    name: Ref


@dataclass(frozen=True, slots=True)
class StartRollout:
    """Begin to move a service's users to `version`, along `plan`."""

    service: ServiceKey
    version: str
    plan: tuple[Step, ...] = ()
    auto_promote: bool = False


@dataclass(frozen=True, slots=True)
class StepRollout:
    """Tell a rollout what happened: an operator's word, or an observation (`Acked`, `Elapsed`)."""

    rollout: str
    event: Event


Change = Put | Delete | StartRollout | StepRollout


@dataclass(frozen=True, slots=True)
class Declaration:
    """One change, who asks for it and why.

    `if_match` is the revision that the caller saw (0: the object must not exist); `idempotency` a caller's key
    under which the answer is kept. An `operator` may touch what others own.
    """

    change: Change
    actor: str
    reason: str = ""
    if_match: int | None = None
    idempotency: str | None = None
    operator: bool = False


class Draft:
    """The intent as it will be once the batch is committed."""

    def __init__(self, intent: Intent) -> None:
        """Begin with no writes; the commit will be revision `intent.revision + 1`."""
        self._intent = intent
        self.revision = intent.revision + 1
        self.writes: dict[Ref, Declared | None] = {}

    def declare(self, declaration: Declaration) -> Ref:
        """Validate one declaration and add its writes; return the name of the object it is about.

        Errors: InvalidInput, NotFound, Conflict, Forbidden, PreconditionFailed. After an error the draft is as before.
        """
        match declaration.change:
            case Put(declared):
                return self._put(declared, declaration)
            case Delete(name):
                return self._delete(name, declaration)
            case StartRollout() as start:
                return self._start(start, declaration)
            case StepRollout(rollout, event):
                return self._step(rollout, event, declaration)

    def get(self, name: Ref) -> Declared | None:
        """Return the object as the draft has it."""
        return self.writes[name] if name in self.writes else self._intent.get(name)

    def service(self, key: ServiceKey) -> Service | None:
        """Return a service as the draft has it."""
        found = self.get(Ref(Kind.SERVICE, str(key)))
        return found if isinstance(found, Service) else None

    def versions(self, key: ServiceKey) -> set[str]:
        """Return the versions that have an instance, the draft's own counted."""
        members = {member: self._intent.instances[member] for member in self._intent.members_of(key)}
        for name, declared in self.writes.items():
            if name.kind is Kind.INSTANCE:
                members.pop(name.key, None)
                if isinstance(declared, Instance) and declared.service == key:
                    members[name.key] = declared
        return {instance.version for instance in members.values()}

    # -- put ----------------------------------------------------------------------------------------------------

    def _put(self, declared: Declared, declaration: Declaration) -> Ref:
        name = ref(declared)
        before = self.get(name)
        self._check_match(name, before, declaration)
        match declared:
            case Instance():
                after: Declared = self._instance(declared, before)
            case Service():
                after = self._service(declared, before)
            case Rollout():
                raise InvalidInput("a rollout is started, not put")
            case _:
                after = declared
        self._check_owner(name, before, after.owner, declaration)
        if isinstance(after, Instance):
            self._adopt(after)
        elif not isinstance(after, Service) and not hasattr(after, "listeners"):
            self._check_route(after)
        self.writes[name] = after
        return name

    def _instance(self, declared: Instance, before: Declared | None) -> Instance:
        """Refuse another identity and older messages; issue an epoch and a sequence number where none is given."""
        if not isinstance(before, Instance):
            return declared if declared.epoch else replace(declared, epoch=self.revision, seq=max(declared.seq, 1))
        if before.identity != declared.identity:
            raise Forbidden(
                f"instance {declared.id} belongs to service {before.service} (owner {before.owner}); "
                "another identity needs another id",
                pointer="/id",
                code="identity",
            )
        epoch = declared.epoch or before.epoch
        seq = declared.seq or before.seq + 1
        if (epoch, seq) < (before.epoch, before.seq if epoch == before.epoch else 0):
            raise Conflict(
                f"instance {declared.id} is at epoch {before.epoch}, seq {before.seq}; this is older",
                pointer="/epoch",
                code="stale_epoch",
            )
        return replace(declared, epoch=epoch, seq=seq)

    def _adopt(self, instance: Instance) -> None:
        """Bring the service into being with its first instance; its version becomes the stable one."""
        service = self.service(instance.service) or Service(instance.service, owner="auto")
        if not service.stable:
            split = Split.whole(instance.version, key=service.split.key, salt=service.split.salt or str(service.key))
            self.writes[ref(service)] = replace(service, stable=instance.version, split=split)

    def _service(self, declared: Service, before: Declared | None) -> Service:
        """Keep what the service owns (stable, split, upstream port) where the caller says nothing of it."""
        salt = declared.split.salt or (before.split.salt if isinstance(before, Service) else "") or str(declared.key)
        if not isinstance(before, Service):
            stable = declared.stable or next(iter(declared.split.weights), "")
            split = replace(declared.split, salt=salt)
            if stable and not split.segments:
                split = Split.whole(stable, key=split.key, salt=salt)
            return replace(declared, stable=stable, split=split)
        stable = declared.stable or before.stable
        upstream_port = declared.upstream_port or before.upstream_port
        segments = before.split.segments
        if declared.split.segments and declared.split.weights != before.split.weights:
            if rollout := self._active(declared.key):
                raise Conflict(
                    f"rollout {rollout.id} owns the split of {declared.key}", pointer="/split", code="rollout_active"
                )
            segments = before.split.shift(declared.split.weights).segments
        elif not segments and stable:
            segments = Split.whole(stable).segments
        split = Split(segments, declared.split.key, salt)
        return replace(declared, stable=stable, split=split, upstream_port=upstream_port)

    def _check_route(self, declared: Declared) -> None:
        """A route needs its service, and the subsets it names have to mean something there."""
        key, subset, split = declared.service, declared.subset, declared.split  # type: ignore[union-attr]  # only routes come here
        service = self.service(key)
        if service is None:
            raise InvalidInput(f"service {key} does not exist", pointer="/service", code="unknown_service")
        known = {EVERY, service.stable, *service.split.weights, *(s.name for s in service.subsets), *self.versions(key)}
        for name in [subset] if subset else list(split.weights) if split else []:
            if name not in known:
                raise InvalidInput(
                    f"{key} has no version or subset {name!r}; it has {', '.join(sorted(known - {''}))}",
                    pointer="/subset" if subset else "/split",
                    code="unknown_version",
                )

    # -- delete -------------------------------------------------------------------------------------------------

    def _delete(self, name: Ref, declaration: Declaration) -> Ref:
        before = self.get(name)
        if before is None:
            raise NotFound(f"{name.kind} {name.key} does not exist")
        self._check_match(name, before, declaration)
        self._check_owner(name, before, before.owner, declaration)
        match before:
            case Service(key=key):
                if self.versions(key):
                    raise Conflict(f"service {key} still has instances", code="in_use")
                if rollout := self._active(key):
                    raise Conflict(f"rollout {rollout.id} is in progress", code="rollout_active")
                if any(isinstance(self.get(ref(route)), type(route)) for route in self._intent.routes_of(key)):
                    raise Conflict(f"service {key} still has routes", code="in_use")
            case Rollout(phase=phase) if not phase.is_over:
                raise Conflict(f"rollout {name.key} is in progress; abort it first", code="rollout_active")
        self.writes[name] = None
        return name

    # -- rollouts -----------------------------------------------------------------------------------------------

    def _start(self, start: StartRollout, declaration: Declaration) -> Ref:
        service = self.service(start.service)
        if service is None:
            raise NotFound(f"service {start.service} does not exist", pointer="/service", code="unknown_service")
        self._check_match(ref(service), service, declaration)
        if rollout := self._active(start.service):
            raise Conflict(f"rollout {rollout.id} of {start.service} is still {rollout.phase}", code="rollout_active")
        versions = self.versions(start.service)
        if start.version not in versions:
            raise InvalidInput(
                f"{start.service} has no instance of version {start.version!r}; it has {', '.join(sorted(versions)) or 'none'}",
                pointer="/version",
                code="unknown_version",
            )
        stem, number = f"{start.service.name}-{start.version}"[:120], 1
        while self.get(Ref(Kind.ROLLOUT, f"{stem}-{number}")) is not None:
            number += 1
        rollout = Rollout.start(
            f"{stem}-{number}", start.service, start.version, service.stable, start.plan,
            auto_promote=start.auto_promote, owner=declaration.actor,
        )  # fmt: skip
        return self._save(rollout, service)

    def _step(self, rollout_id: str, event: Event, declaration: Declaration) -> Ref:
        name = Ref(Kind.ROLLOUT, rollout_id)
        before = self.get(name)
        if not isinstance(before, Rollout):
            raise NotFound(f"rollout {rollout_id} does not exist")
        self._check_match(name, before, declaration)
        after = advance(before, event)
        service = self.service(after.service)
        if service is None:
            raise NotFound(f"service {after.service} does not exist", code="unknown_service")
        return name if after == before else self._save(after, service)

    def _save(self, rollout: Rollout, service: Service) -> Ref:
        """Write the rollout, and the service where its weights or its stable version follow from it."""
        weights = rollout.weights
        stable = rollout.version if rollout.phase is Phase.SUCCEEDED else service.stable
        after = replace(service, stable=stable, split=service.split.shift(weights))
        if after != service:
            self.writes[ref(service)] = after
        self.writes[ref(rollout)] = rollout
        return ref(rollout)

    def _active(self, key: ServiceKey) -> Rollout | None:
        """Return the rollout in progress of a service as the draft has it."""
        drafted = [r for r in self.writes.values() if isinstance(r, Rollout)]
        held = [r for r in self._intent.rollouts.values() if ref(r) not in self.writes]
        return next((r for r in [*drafted, *held] if r.service == key and not r.phase.is_over), None)

    # -- who and when -------------------------------------------------------------------------------------------

    def _check_match(self, name: Ref, before: Declared | None, declaration: Declaration) -> None:
        if declaration.if_match is None:
            return
        actual = self.revision if name in self.writes else self._intent.revisions.get(name, 0)
        if before is None:
            actual = 0
        if actual != declaration.if_match:
            raise PreconditionFailed(
                f"{name.kind} {name.key} is at revision {actual}, not {declaration.if_match}: read it again"
            )

    def _check_owner(self, name: Ref, before: Declared | None, owner: str, declaration: Declaration) -> None:
        if before is None or declaration.operator or before.owner in {"auto", declaration.actor, owner}:
            return
        raise Forbidden(
            f"{name.kind} {name.key} belongs to {before.owner}, not to {declaration.actor}", code="not_owner"
        )


def declare_all(draft: Draft, declarations: list[Declaration]) -> list[Ref | FairleadError]:
    """Validate a batch in order; each place of the answer holds the object's name, or why it was refused."""
    outcome: list[Ref | FairleadError] = []
    for declaration in declarations:
        try:
            outcome.append(draft.declare(declaration))
        except FairleadError as error:
            outcome.append(error)
    return outcome


def changed(
    before: Intent, writes: Mapping[Ref, Declared | None]
) -> dict[Ref, tuple[Declared | None, Declared | None]]:
    """Return before and after of every write that changes something: the rows of the journal."""
    pairs = {name: (before.get(name), after) for name, after in writes.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
