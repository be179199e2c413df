"""What follows change by change is what would be made from nothing: views, and all that Envoys are sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.declared import WEB, instance, route, service, split
from tests.unit.translate.views import NODES
from xds.model.health import Health
from xds.model.intent import Intent, Kind, Ref
from xds.model.node import NodeProfile, Role
from xds.model.selector import Selector
from xds.model.service import EVERY, Service, Subset
from xds.model.view import Member, ServiceView
from xds.translate import Builder, Output, OutputKey

NAMES = [f"i{at}" for at in range(6)]
SERVICES = [
    service(split=split(v1=9000, v2=1000), stable="v1"),
    service(split=split(v1=10_000), stable="v1", subsets=(Subset("gold", Selector.parse("tier=gold")),)),
    service(split=split(v2=10_000), stable="v2", subsets=(Subset("v1", Selector.parse("zone!=b")),)),
]
PROFILES = NODES | {NodeProfile(Role.GRPC)}


@dataclass
class World:
    """An intent that changes, a builder that follows it now and then, and what stands for Envoys."""

    intent: Intent = field(default_factory=Intent)
    builder: Builder = field(default_factory=Builder)
    standing: dict[OutputKey, Output] = field(default_factory=dict)

    def follow(self) -> None:
        """Translate what changed since the last time."""
        dirty = self.intent.take_dirty()
        built = self.builder.build({key: self.intent.view(key) for key in dirty.services}, {}, PROFILES)
        for key in built.removals:
            del self.standing[key]
        self.standing |= {output.key: output for output in built.upserts}


def put(intent: Intent, **declared: object) -> None:
    """Register an instance."""
    name, version = str(declared.pop("name")), str(declared.pop("version"))
    found = instance(name, version, **declared)  # type: ignore[arg-type]  # the keywords are Instance's own
    intent.commit({Ref(Kind.INSTANCE, name): found}, intent.revision + 1)


def gone(intent: Intent, name: str, *, absent: bool) -> None:
    """Remove an instance, by absence alone or with evidence."""
    at = Ref(Kind.INSTANCE, name)
    intent.commit({at: None}, intent.revision + 1, {at} if absent else ())


def declare(intent: Intent, declared: Service) -> None:
    """Put the service."""
    intent.commit({Ref(Kind.SERVICE, str(WEB)): declared}, intent.revision + 1)


Step = Callable[[World], object]
PUT: st.SearchStrategy[Step] = st.builds(
    lambda **declared: lambda world: put(world.intent, **declared),
    name=st.sampled_from(NAMES),
    version=st.sampled_from(["v1", "v2", "v3"]),
    weight=st.sampled_from([0, 1, 100]),
    zone=st.sampled_from(["", "a", "b"]),
    ports=st.sampled_from([{"http": 8080}, {"http": 8080, "admin": 9090}, {"main": 1, "admin": 2, "x": 3}]),
    labels=st.sampled_from([{}, {"tier": "gold"}, {"fairlead.breaker": "true"}, {"fairlead.breaker.errors": "5"}]),
)
GONE: st.SearchStrategy[Step] = st.builds(
    lambda name, absent: lambda world: gone(world.intent, name, absent=absent), st.sampled_from(NAMES), st.booleans()
)
RELEASED: st.SearchStrategy[Step] = st.builds(
    lambda name: lambda world: world.intent.release(name), st.sampled_from(NAMES)
)
SEEN: st.SearchStrategy[Step] = st.builds(
    lambda name, health: lambda world: world.intent.observe_health({name: health}),
    st.sampled_from(NAMES),
    st.sampled_from(list(Health)),
)
DECLARED: st.SearchStrategy[Step] = st.builds(
    lambda declared: lambda world: declare(world.intent, declared), st.sampled_from(SERVICES)
)
FOLLOWED: st.SearchStrategy[Step] = st.just(World.follow)


def from_nothing(intent: Intent) -> ServiceView:
    """The view of the service, made by looking at everybody."""
    declared = intent.services[WEB]
    members = {name: Member(found, intent.health(name)) for name, found in intent.instances.items()}
    members |= {name: Member(found, Health.HEALTHY, leaving=True) for name, found in intent.leaving.items()}
    members |= intent.held
    everybody = [members[name] for name in sorted(members)]
    subsets = {EVERY: everybody}
    for member in everybody:
        subsets.setdefault(member.instance.version, []).append(member)
    for subset in declared.subsets:
        subsets[subset.name] = [m for m in everybody if subset.selector.matches(m.instance.facts)]
    shown = {
        name: tuple(m for m in found if not m.leaving or not any(other.serves for other in found))
        for name, found in sorted(subsets.items())
    }
    return ServiceView(declared, tuple(everybody), shown, tuple(intent.routes_of(WEB)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(PUT, PUT, GONE, RELEASED, SEEN, DECLARED, FOLLOWED), max_size=40))
def test_what_follows_change_by_change_is_what_is_made_from_nothing(steps: list[Step]) -> None:
    world = World()
    declare(world.intent, SERVICES[0])
    world.intent.commit({Ref(Kind.ROUTE, "default/web.api"): route(subset="v2")}, 2)
    for step in steps:
        step(world)
    world.follow()
    view = from_nothing(world.intent)
    assert world.intent.view(WEB) == view
    assert set(world.intent.members_of(WEB)) == set(world.intent.instances)
    fresh = Builder().build({WEB: view}, {}, PROFILES)
    assert world.standing == {output.key: output for output in fresh.upserts}
