"""Declared objects with the least that they need, and a book of declarations without store or loop around it."""

from __future__ import annotations

import zlib
from dataclasses import replace

from xds.model.declare import Change, Declaration, Delete, Put, StartRollout, StepRollout
from xds.model.draft import Draft
from xds.model.instance import Instance
from xds.model.intent import Declared, Intent, Kind, Ref
from xds.model.names import Key, ServiceKey
from xds.model.quota import Quotas
from xds.model.rollout import Event, Rollout, Step
from xds.model.route import Route
from xds.model.service import Service
from xds.model.split import Segment, Split

WEB = ServiceKey("default", "web")


def instance(name: str = "web-1", version: str = "v1", *, service: ServiceKey = WEB, **more: object) -> Instance:
    """An instance on port 8080 of an address of its own, web-1 on 10.0.0.1; `more` are fields of Instance."""
    number = zlib.crc32(f"{service}/{name}".encode())
    address = "10.0.0.1" if name == "web-1" else f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    plain = Instance(name, service, address, {"http": 8080}, version=version)
    return replace(plain, **more)  # type: ignore[arg-type]  # the keywords are Instance's own


def service(key: ServiceKey = WEB, **more: object) -> Service:
    """A service about which nothing is said; `more` are fields of Service."""
    return replace(Service(key), **more)  # type: ignore[arg-type]  # the keywords are Service's own


def route(name: str = "web.api", *, to: ServiceKey = WEB, **more: object) -> Route:
    """A route to everything of a service; `more` are fields of Route."""
    return replace(Route(Key(to.env, name), to), **more)  # type: ignore[arg-type]  # the keywords are Route's own


def split(**weights: int) -> Split:
    """A split in 10,000ths, in the order of the keywords."""
    return Split(tuple(Segment(name, weight) for name, weight in weights.items()))


class Book:
    """An intent into which declarations are entered and committed one by one."""

    def __init__(self, quotas: Quotas = Quotas()) -> None:
        self.intent = Intent()
        self._quotas = quotas

    def enter(self, change: Change, actor: str = "api:test", **more: object) -> Declared | None:
        """Declare, commit and return the object as it is now; `more` are fields of Declaration."""
        draft = Draft(self.intent, self._quotas)
        declaration = Declaration(change, actor, **more)  # type: ignore[arg-type]  # the keywords are Declaration's own
        name = draft.declare(declaration)
        writes = {at: after for at, after in draft.writes.items() if self._standing(at, after) != after}
        if writes:
            self.intent.commit(writes, draft.revision)
        return self.intent.get(name)

    def put(self, *objects: Declared, actor: str = "api:test", **more: object) -> None:
        """Put each object, one commit each."""
        for declared in objects:
            self.enter(Put(declared), actor, **more)

    def delete(self, kind: Kind, key: str, actor: str = "api:test", **more: object) -> None:
        """Delete one object by name."""
        self.enter(Delete(Ref(kind, key)), actor, **more)

    def start(self, version: str, *plan: Step, key: ServiceKey = WEB, auto_promote: bool = False) -> Rollout:
        """Start a rollout."""
        started = self.enter(StartRollout(key, version, plan, auto_promote))
        assert isinstance(started, Rollout)
        return started

    def step(self, rollout: Rollout, *events: Event) -> Rollout:
        """Tell a rollout what happened, in order."""
        for event in events:
            after = self.enter(StepRollout(rollout.id, event))
            assert isinstance(after, Rollout)
            rollout = after
        return rollout

    def service(self, key: ServiceKey = WEB) -> Service:
        """The service as it is now."""
        return self.intent.services[key]

    def _standing(self, name: Ref, after: Declared | None) -> Declared | None:
        return self.intent.get(name) if after else self.intent.standing(name)
