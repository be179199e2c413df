"""What would change: declarations tried on an excerpt of the intent, and what Envoys would get of that.

Nothing is committed or published. The excerpt holds the services that the declarations touch, and those that share a
host with one of them, so that a plan costs what it touches and not the registry. It is translated twice by one builder,
before and after, and what the second time brings is the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xds.model.gateway import Gateway
from xds.model.instance import Instance
from xds.model.intent import Declared, Intent, Ref, ref
from xds.model.names import ServiceKey
from xds.model.node import NodeProfile
from xds.model.policy import ServicePolicy
from xds.model.problems import Problem
from xds.model.route import Route
from xds.model.service import Service
from xds.translate.build import Builder
from xds.translate.outputs import Built, FilterSpec, Output

Writes = Mapping[Ref, Declared | None]


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One Envoy resource that comes (no `before`), goes (no `after`), or differs."""

    before: Output | None
    after: Output | None

    @property
    def output(self) -> Output:
        """Return the one that says what it is called."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - a change has at least one side
        return found


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would change for Envoys, in order of type, name and variant, and the problems that would be new."""

    resources: tuple[ResourceChange, ...]
    problems: tuple[Problem, ...]


def excerpt(intent: Intent, writes: Writes) -> Intent:
    """Return an intent of its own with everything that `writes` have to do with, as it is now."""
    keys = _touched(intent, writes)
    envs = {key.env for key in keys} | {
        each.key.env for each in _sides(intent, writes) if isinstance(each, Gateway | ServicePolicy)
    }
    found: list[Declared] = [*intent.overlays, *intent.policies.by_key.values()]
    found += [gateway for gateway in intent.gateways.values() if gateway.key.env in envs]
    for key in sorted(keys & intent.services.keys()):
        found += [intent.services[key], *(intent.instances[member] for member in intent.members_of(key))]
        found += intent.routes_of(key)
    scratch = Intent()
    scratch.restore([(each, intent.revisions.get(ref(each), 0)) for each in found], intent.revision)
    held = [member for member in intent.held.values() if member.instance.service in keys]
    scratch.remain([gone for gone in intent.leaving.values() if gone.service in keys], held)
    scratch.observe_health({member: intent.health(member) for member in scratch.instances})
    return scratch


def rehearse(scratch: Intent, writes: Writes, profiles: frozenset[NodeProfile], spec: FilterSpec | None) -> Rehearsal:
    """Return what `writes` would change for nodes of these profiles; uses up `scratch`. Pure, so fit for a thread."""
    builder = Builder(spec)
    first = _build(builder, scratch, profiles)
    standing = {output.key: output for output in first.upserts}
    scratch.commit(writes, scratch.revision + 1)
    second = _build(builder, scratch, profiles)
    changes = [ResourceChange(standing.get(output.key), output) for output in second.upserts]
    changes += [ResourceChange(standing[key], None) for key in second.removals]
    changes.sort(key=lambda each: (each.output.type.short, each.output.name, each.output.variant))
    new = set(second.problems) - set(first.problems)
    return Rehearsal(tuple(changes), tuple(sorted(new)))


def _build(builder: Builder, scratch: Intent, profiles: frozenset[NodeProfile]) -> Built:
    dirty = scratch.take_dirty()
    gateways = {
        env: tuple(gateway for key, gateway in sorted(scratch.gateways.items()) if key.env == env)
        for env in dirty.gateways
    }
    return builder.build({key: scratch.view(key) for key in dirty.services}, gateways, profiles)


def _touched(intent: Intent, writes: Writes) -> set[ServiceKey]:
    """Return the services that `writes` are about, and those that share a host with one of them."""
    keys, hosts = set[ServiceKey](), set[tuple[str, str]]()
    for each in _sides(intent, writes):
        match each:
            case Instance(service=key) | Service(key=key):
                keys.add(key)
            case Route(service=key):
                keys.add(key)
                hosts |= {(key.env, host) for host in each.hosts}
            case ServicePolicy():
                keys |= {key for key, service in intent.services.items() if each.picks(service)}
            case Gateway(key=(env, _)):
                keys |= {route.service for route in intent.routes.values() if route.key.env == env and route.hosts}
    hosts |= {(key.env, host) for key in keys for route in intent.routes_of(key) for host in route.hosts}
    sharing = (route for route in intent.routes.values() if any((route.key.env, host) in hosts for host in route.hosts))
    return keys | {route.service for route in sharing}


def _sides(intent: Intent, writes: Writes) -> Iterable[Declared]:
    """Yield everything that `writes` replace, and everything they put in its place."""
    for name, after in writes.items():
        yield from (each for each in (intent.standing(name), after) if each is not None)
