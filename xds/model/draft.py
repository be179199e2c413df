"""The draft: declarations in order, laid over the intent, before anything is committed.

A declaration that is refused writes nothing, the others stand; the draft's writes are then committed as one, or thrown
away as one. The intent itself is never touched here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from xds.model.declare import Declaration, Delete, ForceBreaker, Put, StartRollout, StepRollout
from xds.model.drift import remembered
from xds.model.gateway import Gateway
from xds.model.incarnation import check_age, check_succession, numbered
from xds.model.instance import Instance
from xds.model.intent import INSTANCE, Declared, Intent, Kind, Ref, ref
from xds.model.laying import lay
from xds.model.names import ServiceKey
from xds.model.overlay import Overlay
from xds.model.ownership import check_owner
from xds.model.policy import ServicePolicy
from xds.model.problems import Conflict, Forbidden, InvalidInput, NotFound, PreconditionFailed
from xds.model.quota import Admitted, Quotas
from xds.model.rollout import Event, Phase, Rollout, advance
from xds.model.route import Route
from xds.model.service import EVERY, Protocol, Service
from xds.model.split import Split
from xds.model.upstream import UpstreamPorts

_SERVICE: Final = Kind.SERVICE  # as INSTANCE, for the same reason


class Draft:
    """The intent as it will be once the batch is committed."""

    def __init__(self, intent: Intent, quotas: Quotas = Quotas()) -> None:
        """Begin with no writes; the commit will be revision `intent.revision + 1`."""
        self._intent = intent
        self.revision = intent.revision + 1
        self.writes: dict[Ref, Declared | None] = {}
        self.authors: dict[Ref, Declaration] = {}
        self._services: dict[ServiceKey, Service | None] = {}  # those among the writes
        self._admitted = Admitted(quotas, intent)
        self._ports: UpstreamPorts | None = None  # made when the first service asks

    def declare(self, declaration: Declaration) -> Ref:
        """Validate one declaration and add its writes; return the name of the object it is about.

        Errors: InvalidInput, NotFound, Conflict, Forbidden, PreconditionFailed. After an error the draft is as before.
        """
        match declaration.change:
            case Put(declared):
                return self._put(declared, declaration)
            case Delete() as removal:
                return self._delete(removal, declaration)
            case StartRollout() as start:
                return self._start(start, declaration)
            case StepRollout(rollout, event):
                return self._step(rollout, event, declaration)
            case ForceBreaker() as force:
                return self._force(force, declaration)

    def get(self, name: Ref) -> Declared | None:
        """Return the object as the draft has it."""
        return self.writes[name] if name in self.writes else self._intent.get(name)

    def service(self, key: ServiceKey) -> Service | None:
        """Return a service as the draft has it."""
        return self._services[key] if key in self._services else self._intent.services.get(key)

    def versions(self, key: ServiceKey) -> set[str]:
        """Return the versions that have an instance, the draft's own counted."""
        members = {member: self._intent.instances[member] for member in self._intent.members_of(key)}
        for name, declared in self.writes.items():
            if name.kind is INSTANCE:
                members.pop(name.key, None)
                if isinstance(declared, Instance) and declared.service == key:
                    members[name.key] = declared
        return {instance.version for instance in members.values()}

    def routes(self, key: ServiceKey) -> list[Route]:
        """Return the routes of a service, the draft's own counted."""
        held = [route for route in self._intent.routes_of(key) if ref(route) not in self.writes]
        return [*held, *(r for r in self.writes.values() if isinstance(r, Route) and r.service == key)]

    # -- put ----------------------------------------------------------------------------------------------------

    def _put(self, declared: Declared, declaration: Declaration) -> Ref:
        name, owner = ref(declared), declared.owner
        before = self.get(name)
        self._check_match(name, before, declaration)
        if before is not None:
            check_owner(name, before, declaration, declared.owner)
            if isinstance(before, Instance) and isinstance(declared, Instance):
                check_succession(before, declared)
            if before.owner not in {"", "auto", declared.owner}:
                declared = replace(declared, owner=before.owner)
        match declared:
            case Instance():
                if before is None:
                    self._admitted.admit(declared)
                instance = numbered(remembered(declared, before, owner), before, self.revision)
                self._adopt(instance, declaration)
                self._enter(name, instance, declaration)
            case Service():
                self._write(self._with_port(self._service(declared, before)), declaration)
            case Route():
                self._check_route(declared, before)
                self._write(declared, declaration)
            case Gateway() | ServicePolicy():
                self._write(declared, declaration)
            case Overlay():
                if (pinned := declared.pinned) is not None:
                    self._check_subset(self._known(pinned), declared.version, pointer="/version")
                asked = lay(declared, before, self._intent, self.writes.values(), declaration)
                self._write(replace(declared, since=self.revision), asked)
            case Rollout():
                raise InvalidInput("a rollout is started, not put")
        return name

    def _adopt(self, instance: Instance, declaration: Declaration) -> None:
        """Bring the service into being with its first instance; its version becomes the stable one."""
        service = self.service(instance.service)
        if service is None or not service.stable:
            service = service or Service(instance.service, owner="auto")
            split = Split.whole(instance.version, key=service.split.key, salt=service.split.salt or str(service.key))
            self._write(self._with_port(replace(service, stable=instance.version, split=split)), declaration)

    def _service(self, declared: Service, before: Declared | None) -> Service:
        """Keep what the service owns (stable, split, upstream port) where the caller says nothing of it.

        What operators force is theirs, whatever the caller says.
        """
        held = before if isinstance(before, Service) else Service(declared.key)
        stable = declared.stable or held.stable or next(iter(declared.split.weights), "")
        segments = held.split.segments
        moves = bool(declared.split.segments) and declared.split.weights != held.split.weights
        if (moves or stable != held.stable) and (rollout := self._active(declared.key)):
            what, pointer = ("split", "/split") if moves else ("stable version", "/stable")
            raise Conflict(
                f"rollout {rollout.id} owns the {what} of {declared.key}", pointer=pointer, code="rollout_active"
            )
        if moves:
            segments = held.split.shift(declared.split.weights).segments
        elif not segments and stable:
            segments = Split.whole(stable).segments
        salt = declared.split.salt or held.split.salt or str(declared.key)
        port = declared.upstream_port or held.upstream_port
        split = Split(segments, declared.split.key, salt)
        declared = replace(declared, stable=stable, split=split, upstream_port=port)
        return replace(declared, forced=held.forced, preview=held.preview)

    def _with_port(self, service: Service) -> Service:
        """Give a TCP service the local port that tells it apart, and refuse one that another service has."""
        if service.upstream_port is None and service.protocol is not Protocol.TCP:
            return service
        if self._ports is None:
            held = (self.service(key) for key in self._intent.services)
            drafted = (write for write in self.writes.values() if isinstance(write, Service))
            self._ports = UpstreamPorts(each for each in (*held, *drafted) if each is not None)
        return self._ports.assign(service)

    def _check_route(self, declared: Route, before: Declared | None) -> None:
        """A route needs its service, and the subsets it names have to mean something there."""
        if isinstance(before, Route) and before.service != declared.service:
            raise Forbidden(
                f"route {declared.key} belongs to service {before.service}", pointer="/service", code="identity"
            )
        key, subset, split = declared.service, declared.subset, declared.split
        service = self.service(key)
        if service is None:
            raise InvalidInput(f"service {key} does not exist", pointer="/service", code="unknown_service")
        wanted = [subset] if subset else list(split.weights) if split else []
        if not wanted:
            return
        for name in wanted:
            self._check_subset(service, name, pointer="/subset" if subset else "/split")

    def _check_subset(self, service: Service, name: str, *, pointer: str) -> None:
        named = {subset.name for subset in service.subsets}
        known = {EVERY, service.stable, *service.split.weights, *named, *self.versions(service.key)}
        if name not in known:
            raise InvalidInput(
                f"{service.key} has no version or subset {name[:64]!r}; it has {', '.join(sorted(known - {''}))}",
                pointer=pointer,
                code="unknown_version",
            )

    def _known(self, key: ServiceKey, pointer: str = "/service") -> Service:
        service = self.service(key)
        if service is None:
            raise NotFound(f"service {key} does not exist", pointer=pointer, code="unknown_service")
        return service

    def _force(self, force: ForceBreaker, declaration: Declaration) -> Ref:
        """Hold a breaker or let it go; what is held stays with the service until then."""
        service = self._known(force.service, pointer="")
        self._check_match(ref(service), service, declaration)
        check_owner(ref(service), service, declaration)
        forced = {subset: held for subset, held in service.forced.items() if subset != force.subset}
        if force.forced is not None:
            self._check_subset(service, force.subset, pointer="/subset")
            forced[force.subset] = replace(force.forced, since=self.revision)
        elif force.subset not in service.forced:
            raise NotFound(f"nobody forces the breaker of {force.subset[:64]} of {force.service}")
        return self._write(replace(service, forced=forced), declaration)

    # -- delete -------------------------------------------------------------------------------------------------

    def _delete(self, removal: Delete, declaration: Declaration) -> Ref:
        name = removal.name
        before = self.get(name) or self._intent.standing(name)
        if before is None:
            raise NotFound(f"{name.kind} {name.key} does not exist")
        self._check_match(name, before, declaration)
        check_owner(name, before, declaration)
        match before:
            case Instance() if removal.epoch or removal.seq:
                check_age(before, removal.epoch, removal.seq)
            case Service(key=key):
                if self.versions(key):
                    raise Conflict(f"service {key} still has instances", code="in_use")
                if rollout := self._active(key):
                    raise Conflict(f"rollout {rollout.id} is in progress", code="rollout_active")
                if self.routes(key):
                    raise Conflict(f"service {key} still has routes", code="in_use")
            case Rollout(phase=phase) if not phase.is_over:
                raise Conflict(f"rollout {name.key} is in progress; abort it first", code="rollout_active")
        return self._enter(name, None, declaration)

    # -- rollouts -----------------------------------------------------------------------------------------------

    def _start(self, start: StartRollout, declaration: Declaration) -> Ref:
        service = self._known(start.service)
        self._check_match(ref(service), service, declaration)
        versions, active = self.versions(start.service), self._active(start.service)
        if active and not (active.is_untouched and (active.version == start.version or active.version not in versions)):
            raise Conflict(f"rollout {active.id} of {start.service} is still {active.phase}", code="rollout_active")
        if start.version not in versions:
            there = ", ".join(sorted(versions)) or "none"
            raise InvalidInput(
                f"{start.service} has no instance of version {start.version[:64]!r}; it has {there}",
                pointer="/version",
                code="unknown_version",
            )
        held = service.split.weights
        if others := held.keys() - {service.stable, start.version}:
            raise Conflict(
                f"{', '.join(sorted(others))} of {start.service} has users, and a rollout moves them between "
                f"{service.stable} and {start.version} only: give them to one of these first",
                pointer="/version",
                code="split_in_use",
            )
        stem, number = f"{start.service.name}-{start.version}"[:120], 1
        while (known := self.get(Ref(Kind.ROLLOUT, f"{stem}-{number}"))) is not None and known != active:
            number += 1
        rollout = start.rollout(f"{stem}-{number}", service.stable, declaration.actor)
        if not start.plan:
            rollout = replace(rollout, weight=held.get(start.version, 0))  # nobody has asked to move anybody yet
        if active and active.id != rollout.id:
            reason = f"{start.version} has taken its place: nothing ran {active.version} any more"
            self._write(replace(active, phase=Phase.ABORTED, reason=reason), declaration)
        return self._save(rollout, service, declaration)

    def _step(self, rollout_id: str, event: Event, declaration: Declaration) -> Ref:
        name = Ref(Kind.ROLLOUT, rollout_id)
        before = self.get(name)
        if not isinstance(before, Rollout):
            raise NotFound(f"rollout {rollout_id} does not exist")
        self._check_match(name, before, declaration)
        after = advance(before, event)
        service = self._known(after.service, pointer="")
        return name if after == before else self._save(after, service, declaration)

    def _save(self, rollout: Rollout, service: Service, declaration: Declaration) -> Ref:
        """Write the rollout, and the service where its weights or its stable version follow from it."""
        weights = rollout.weights
        stable = rollout.version if rollout.phase is Phase.SUCCEEDED else service.stable
        after = replace(service, stable=stable, split=service.split.shift(weights), preview=rollout.shown)
        if after != service:
            self._write(after, declaration)
        return self._write(rollout, declaration)

    def _active(self, key: ServiceKey) -> Rollout | None:
        """Return the rollout in progress of a service as the draft has it."""
        drafted = [r for r in self.writes.values() if isinstance(r, Rollout)]
        held = [r for r in self._intent.rollouts.values() if ref(r) not in self.writes]
        return next((r for r in [*drafted, *held] if r.service == key and not r.phase.is_over), None)

    # -- who and when -------------------------------------------------------------------------------------------

    def _check_match(self, name: Ref, before: Declared | None, declaration: Declaration) -> None:
        if declaration.if_match is None:
            return
        changed = name in self.writes and self.writes[name] != self._intent.get(name)
        actual = self.revision if changed else self._intent.revisions.get(name, 0)
        if before is None:
            actual = 0
        if actual != declaration.if_match:
            raise PreconditionFailed(
                f"{name.kind} {name.key} is at revision {actual}, not {declaration.if_match}: read it again"
            )

    def _write(self, declared: Declared, declaration: Declaration) -> Ref:
        return self._enter(ref(declared), declared, declaration)

    def _enter(self, name: Ref, after: Declared | None, declaration: Declaration) -> Ref:
        is_service = name.kind is _SERVICE
        if self._ports is not None and is_service:
            before = self.get(name)
            self._ports.note(
                before if isinstance(before, Service) else None, after if isinstance(after, Service) else None
            )
        if is_service:
            self._services[ServiceKey(*name.key.split("/", 1))] = after if isinstance(after, Service) else None
        self.writes[name] = after
        self.authors[name] = declaration
        return name
