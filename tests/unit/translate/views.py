"""Small views and what a builder's answers add up to, for tests of translation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envoy_data_plane.message_pool import default_message_pool

from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.names import DEFAULT_ENV, EVERY, Key, ServiceKey
from xds.model.node import EGRESS, NodeProfile, Role
from xds.model.route import PathKind, PathMatch, Route
from xds.model.service import Service
from xds.model.split import Segment, Split
from xds.model.view import Member, ServiceView
from xds.translate import Builder, Built, Output, OutputKey
from xds.wire.codec import decode
from xds.wire.plain import to_plain
from xds.wire.types import ResourceType

SIDECAR = NodeProfile(Role.SIDECAR, egress=EGRESS)
EDGE = NodeProfile(Role.GATEWAY, gateway="edge")
NODES = frozenset({SIDECAR, EDGE})


def member(service: str, number: int, version: str = "v1", **more: Any) -> Member:
    """One healthy instance, unless `health` or `leaving` say otherwise; the rest goes to the instance."""
    health, leaving = more.pop("health", Health.HEALTHY), more.pop("leaving", False)
    env, ports = more.pop("env", DEFAULT_ENV), more.pop("ports", {"http": 8080})
    instance = Instance(f"{service}-{number}", ServiceKey(env, service), f"10.0.0.{number}", ports, version, **more)
    return Member(instance, health, leaving)


def view(name: str, *members: Member, routes: Iterable[Route] = (), env: str = DEFAULT_ENV, **more: Any) -> ServiceView:
    """A service with these members; `split` as subset -> percent."""
    weights: Mapping[str, int] = more.pop("split", {"v1": 100})
    split = Split(tuple(Segment(subset, weight * 100) for subset, weight in weights.items()), salt=name)
    service = Service(ServiceKey(env, name), stable="v1", split=split, **more)
    subsets: dict[str, list[Member]] = {EVERY: list(members)}
    for one in members:
        subsets.setdefault(one.instance.version, []).append(one)
    return ServiceView(service, members, {key: tuple(found) for key, found in subsets.items()}, tuple(routes))


def route(service: str, name: str, path: str = "/", kind: PathKind = PathKind.PREFIX, **more: Any) -> Route:
    """A route of a service in the default environment."""
    key = ServiceKey(DEFAULT_ENV, service)
    return Route(Key(key.env, f"{service}.{name}"), key, path=PathMatch(kind, path), **more)


class Published:
    """A builder, and the resources that stand after all it said so far."""

    def __init__(self, builder: Builder | None = None, nodes: frozenset[NodeProfile] = NODES) -> None:
        self.builder = builder or Builder()
        self.nodes = nodes
        self.standing: dict[OutputKey, Output] = {}
        self.last = Built((), (), (), {})

    def build(
        self, *views: ServiceView, gone: Iterable[ServiceKey] = (), gateways: Iterable[Gateway] | None = None
    ) -> Built:
        """One build; the gateways are those of the default environment."""
        changed: dict[ServiceKey, ServiceView | None] = {one.key: one for one in views}
        changed |= dict.fromkeys(gone)
        by_env = {} if gateways is None else {DEFAULT_ENV: tuple(gateways)}
        self.last = self.builder.build(changed, by_env, self.nodes)
        for key in self.last.removals:
            del self.standing[key]
        self.standing |= {output.key: output for output in self.last.upserts}
        return self.last

    def changed(self) -> list[tuple[str, str]]:
        """What the last build changed, as type and name."""
        return [(output.type.short, output.name) for output in self.last.upserts]

    def message(self, type_: ResourceType, name: str, variant: str = DEFAULT_ENV) -> dict[str, Any]:
        """A standing resource as a plain message."""
        output = self.standing[OutputKey(type_, name, variant)]
        return to_plain(decode(default_message_pool.url_to_type[type_.url], output.value))

    def endpoints(self, cluster: str) -> dict[str, int]:
        """The addresses of a cluster and their weights."""
        found = self.message(ResourceType.ENDPOINT, cluster).get("endpoints", [])
        return {
            one["endpoint"]["address"]["socket_address"]["address"]: one["load_balancing_weight"]
            for locality in found
            for one in locality["lb_endpoints"]
        }
