"""Listeners of the nodes in use: one set per profile, made anew for what changed.

Knows profiles, not nodes: two Envoys that say the same of themselves share every listener.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import NamedTuple

from xds.model.gateway import Gateway
from xds.model.names import ServiceKey
from xds.model.node import NodeProfile, Role
from xds.model.problems import Problem, Severity
from xds.model.service import Protocol
from xds.wire.types import ResourceType

from . import access, listeners, naming
from .clusters import local_cluster
from .outputs import Ledger, OutputKey
from .product import Upstream
from .routes import route_configuration, to_application, virtual_host
from .splits import clusters_of


class Front(NamedTuple):
    """What stands in front of an application: what it speaks, and who may call it (None: everybody)."""

    protocol: Protocol = Protocol.HTTP
    callers: access.Prefixes | None = None


class Nodes:
    """What the Envoys of one environment listen on."""

    def __init__(self, env: str, ledger: Ledger, *, with_filter: bool) -> None:
        """Start without any."""
        self._env = env
        self._ledger = ledger
        self._with_filter = with_filter
        self._profiles: frozenset[NodeProfile] = frozenset()
        self._gateways: dict[NodeProfile, frozenset[str]] = {}
        self._fronts: dict[str, Front] = {}
        self._problems: dict[tuple[str, str], Problem] = {}
        self._undeclared: frozenset[str] = frozenset()

    def settle(
        self,
        profiles: frozenset[NodeProfile],
        fronts: tuple[Callable[[str], Front], Set[str]],
        upstreams: tuple[Mapping[str, Upstream], Set[str]],
        gateways: tuple[Mapping[str, Gateway], Set[str]],
    ) -> None:
        """Bring the listeners up to date with all that stands and the names of what changed, for each table."""
        before, self._profiles = self._profiles, profiles
        if before is profiles and not (upstreams[1] or gateways[1]):
            self._settle_ingresses(before, *fronts)
            return
        for profile in before - profiles:
            self._sidecar(profile, upstreams[0].keys() | upstreams[1], upstreams[0], gone=True)
            self._gateway(profile, {})
        for profile in profiles:
            new = profile not in before
            if profile.role is Role.GATEWAY:
                if new or profile.gateway in gateways[1]:
                    self._gateway(profile, gateways[0])
            elif new or upstreams[1]:
                names = upstreams[0].keys() if new else upstreams[1]
                self._sidecar(profile, names, upstreams[0])
        asked = {profile.gateway for profile in profiles if profile.role is Role.GATEWAY}
        self._undeclared = frozenset(asked - gateways[0].keys())
        self._settle_ingresses(before, *fronts)

    @property
    def problems(self) -> Iterable[Problem]:
        """The upstream ports that a node has no room for, and gateways that Envoys run for and nobody declared."""
        yield from (self._problems[key] for key in sorted(self._problems))
        for name in sorted(self._undeclared):
            message = "Envoys run for this gateway, and it is not declared: they listen nowhere"
            yield Problem("gateway", str(ServiceKey(self._env, name)), "", message, Severity.WARNING)

    def _gateway(self, profile: NodeProfile, gateways: Mapping[str, Gateway]) -> None:
        found = gateways.get(profile.gateway)
        made = listeners.gateway(found, profile.bind, with_filter=self._with_filter) if found else {}
        for name in self._gateways.pop(profile, frozenset()) - made.keys():
            self._ledger.drop(OutputKey(ResourceType.LISTENER, name, profile.variant))
        for name, value in made.items():
            self._ledger.put(OutputKey(ResourceType.LISTENER, name, profile.variant), value)
        if made:
            self._gateways[profile] = frozenset(made)

    def _sidecar(
        self, profile: NodeProfile, names: Iterable[str], standing: Mapping[str, Upstream], *, gone: bool = False
    ) -> None:
        """Put or drop the egress and the upstream ports of `names`."""
        variant, bind = profile.variant, None if gone else profile.egress
        egress = OutputKey(ResourceType.LISTENER, naming.EGRESS, variant)
        if bind is None:
            self._ledger.drop(egress)
        else:
            self._ledger.put(egress, listeners.egress(bind, with_filter=self._with_filter))
        taken = {address.port for address in (profile.egress, profile.ingress) if address}
        for name in names:
            key = OutputKey(ResourceType.LISTENER, naming.upstream(name), variant)
            upstream = standing.get(name)
            self._problems.pop((variant, name), None)
            if bind is None or upstream is None:
                self._ledger.drop(key)
            elif upstream.port in taken:
                self._ledger.drop(key)
                message = f"port {upstream.port} is the egress or ingress of sidecars of profile {variant!r}"
                problem = Problem(
                    "service", str(ServiceKey(self._env, name)), "/upstream_port", f"{message}; not opened there"
                )
                self._problems[variant, name] = problem
            else:
                weights = {} if upstream.protocol.is_http else {ServiceKey(self._env, name): upstream.split.weights}
                value = listeners.upstream(upstream, bind.host, with_filter=self._with_filter)
                needs = frozenset() if upstream.protocol.is_http else clusters_of(name, upstream.split)
                self._ledger.put(key, value, weights, needs)

    def _settle_ingresses(
        self, before: frozenset[NodeProfile], front_of: Callable[[str], Front], changed: Set[str]
    ) -> None:
        """Put or drop what stands in front of applications, where a profile came or went or a front changed."""
        same = self._profiles is before
        if same and changed.isdisjoint(self._fronts):
            return
        served = self._fronts if same else {profile.service for profile in self._profiles if _serves(profile)}
        known, self._fronts = self._fronts, {service: front_of(service) for service in served}
        if same and known == self._fronts:
            return
        for profile in before - self._profiles:
            service, variant = profile.service, profile.variant
            self._ledger.drop(OutputKey(ResourceType.LISTENER, naming.ingress(service), variant))
            self._ledger.drop(OutputKey(ResourceType.CLUSTER, naming.application(service), variant))
        for profile in self._profiles:
            front = self._fronts.get(profile.service)
            if profile not in before or front != known.get(profile.service):
                self._put_ingress(profile, front)
        for service in self._fronts.keys() | known.keys():
            name = naming.ingress(service)
            routes, found = OutputKey(ResourceType.ROUTE, name, self._env), self._fronts.get(service)
            if found is None or not found.protocol.is_http:
                self._ledger.drop(routes)
            else:
                host = virtual_host(service, "*", [to_application(service, access.guard(found.callers))])
                self._ledger.put(routes, route_configuration(name, [host]))

    def _put_ingress(self, profile: NodeProfile, front: Front | None) -> None:
        if front is None or profile.ingress is None or profile.app is None:
            return
        name, variant = naming.ingress(profile.service), profile.variant
        listener = listeners.ingress(profile.service, front.protocol, profile.ingress, front.callers)
        self._ledger.put(OutputKey(ResourceType.LISTENER, name, variant), listener)
        cluster = local_cluster(profile.service, front.protocol, profile.app)
        self._ledger.put(OutputKey(ResourceType.CLUSTER, naming.application(profile.service), variant), cluster)


def _serves(profile: NodeProfile) -> bool:
    """Say whether nodes of that profile stand in front of an application."""
    return bool(profile.service and profile.ingress and profile.app)
