"""One environment translated: products put together, names that services share, listeners of its nodes.

It remembers what stands between builds and works out what a change touches: a service's own clusters and endpoints,
the virtual hosts it has a rule in, the route configurations that hold those, the listeners of its upstream port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from xds.model.gateway import Gateway
from xds.model.names import ServiceKey
from xds.model.node import NodeProfile, Role
from xds.model.problems import Problem, Severity
from xds.model.reach import UpstreamNames
from xds.model.service import Protocol
from xds.model.view import ServiceView
from xds.wire.types import ResourceType

from . import naming
from .access import Access, exposed
from .assembly import Assembly
from .endpoints import Locality
from .grpc import GrpcClients
from .hosts import Hosts, Site, carried
from .localities import Localities
from .nodes import Front, Nodes
from .outputs import Ledger, OutputKey
from .policy import Policy
from .ports import Claims, Upstreams
from .product import Product, product
from .routes import route_configuration
from .scopes import Scopes


@dataclass(slots=True)
class Change:
    """What one build brings to one environment. `gateways` None: they did not change; `profiles` are all in use."""

    services: dict[str, ServiceView | None] = field(default_factory=dict)
    gateways: tuple[Gateway, ...] | None = None
    profiles: frozenset[NodeProfile] = frozenset()


class Environment:
    """The state of one environment; every result goes to the ledger."""

    def __init__(self, name: str, ledger: Ledger, *, with_filter: bool) -> None:
        """Start empty."""
        self._name = name
        self._ledger = ledger
        self._with_filter = with_filter
        self._views: dict[str, ServiceView] = {}
        self._products: dict[str, Product] = {}
        self._endpoints: dict[str, Assembly] = {}
        self._access = Access(self._views, self._products)
        self._claims = Claims()
        self._upstreams = Upstreams()
        self._hosts = Hosts()
        self._scopes = Scopes()
        self._scopes_in_use: dict[UpstreamNames, str] = {}
        self._standing_scopes: dict[UpstreamNames, str] = {}
        self._localities, self._places = Localities(name, ledger), frozenset[Locality]()
        self._grpc = GrpcClients(name, ledger)
        self._gateways: dict[str, Gateway] = {}
        self._nodes = Nodes(name, ledger, with_filter=with_filter)
        self._profiles: frozenset[NodeProfile] = frozenset()
        self._listening: frozenset[NodeProfile] = frozenset()
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._left: set[OutputKey] = set()
        self._taken: set[OutputKey] = set()
        self.uses: dict[str, frozenset[str]] = {}
        """By gateway: the services that its routes lead to."""
        self._put_routes(naming.EGRESS, [])

    def apply(self, change: Change) -> None:
        """Translate what changed."""
        dirty = self._take_views(change.services)
        fronts = set[str]()
        for service in sorted(dirty):
            self._translate(service)
            fronts |= self._access.changed(service)
        self._sweep()
        gateways = self._take_gateways(change.gateways)
        upstreams = self._upstreams.settle()
        hosts = self._hosts.settle()
        self._take_profiles(change.profiles)
        self._localities.settle(self._products, dirty, self._places)
        self._publish_routes(hosts, gateways, upstreams)
        self._publish_scopes(hosts)
        upstreams_changed, gateways_changed = (self._upstreams.standing, upstreams), (self._gateways, gateways)
        self._nodes.settle(self._listening, (self._front_of, fronts), upstreams_changed, gateways_changed)
        self._grpc.settle(self._products, dirty, wanted=any(each.role is Role.GRPC for each in self._profiles))

    @property
    def problems(self) -> Iterable[Problem]:
        """Everything that is wrong here now."""
        for service in sorted(self._problems):
            yield from self._problems[service]
        yield from self._claims.problems(self._name)
        yield from self._upstreams.problems(self._name)
        yield from self._hosts.problems
        yield from self._nodes.problems

    def policy(self, service: str) -> Policy:
        """Return the policy that holds for a service as it was last translated."""
        found = self._products.get(service)
        return Policy() if found is None else found.shape.policy

    def _take_profiles(self, profiles: frozenset[NodeProfile]) -> None:
        """Keep the profiles in use; listeners do not depend on what their nodes may call."""
        if profiles is not self._profiles:
            self._profiles = profiles
            self._places = frozenset((each.region, each.zone) for each in profiles if each.place)
            self._scopes_in_use = {each.upstreams or (): each.scope for each in profiles if each.is_restricted}
            envoys = (profile for profile in profiles if profile.role is not Role.GRPC)
            listening = frozenset(replace(profile, upstreams=None, region="", zone="") for profile in envoys)
            if listening != self._listening:
                self._listening = listening

    # -- services -----------------------------------------------------------------------------------------------

    def _take_views(self, changed: Mapping[str, ServiceView | None]) -> set[str]:
        """Keep the new views; return what must be translated, those included whose named ports won or lost a name."""
        dirty = set(changed)
        for name, view in changed.items():
            if view is None:
                self._views.pop(name, None)
                self._endpoints.pop(name, None)
                dirty |= self._claims.state(name, None)
            elif self._assemble(name, view):
                dirty |= self._claims.state(name, self._endpoints[name].named_ports)
        return dirty

    def _assemble(self, name: str, view: ServiceView) -> bool:
        """Let a service's endpoints follow; say whether they could. If not, `_translate` meets the reason too."""
        self._views[name] = view
        endpoints = self._endpoints.setdefault(name, Assembly())
        try:
            endpoints.take(view)
        except Exception:  # noqa: BLE001 - as in `_translate`, where it is said in full
            del self._endpoints[name]
            return False
        return True

    def _translate(self, service: str) -> None:
        before, view = self._products.get(service), self._views.get(service)
        self._problems.pop(service, None)
        try:
            endpoints = self._endpoints.get(service)
            after = product(view, self._claims.granted(service), before, endpoints) if view else None
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this service only and is said in full
            what = f"{type(error).__name__}: {error}"
            message = f"it cannot be translated ({what}); what Envoys have of it stays as it was"
            self._problems[service] = (Problem("service", str(ServiceKey(self._name, service)), "", message),)
            return
        if before is None or after is None or before.clusters is not after.clusters:
            self._replace(ResourceType.CLUSTER, before.clusters if before else {}, after.clusters if after else {})
        self._replace(ResourceType.ENDPOINT, before.assignments if before else {}, after.assignments if after else {})
        if view is None or after is None:
            self._products.pop(service, None)
            self._hosts.put(service, {}, {})
            self._upstreams.put(service, None)
            return
        self._products[service] = after
        if before is None or before.by_host is not after.by_host:
            self._hosts.put(service, after.by_host, after.inside)
            self._upstreams.put(service, after.upstream)
        if problems := (*after.problems, *self._unmet(view, after.shape.policy)):
            self._problems[service] = problems

    def _unmet(self, view: ServiceView, policy: Policy) -> Iterable[Problem]:
        """Yield what a policy asks for and does not get here."""
        yield from exposed(view, policy.allow_from)
        if policy.breaker is not None and not self._with_filter:
            message = "this control plane runs without the health filter: there is no breaker"
            yield Problem("service", str(view.key), "/breaker", message, Severity.WARNING)

    def _replace(self, kind: ResourceType, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
        """Put what differs; leave what has no place any more to `_sweep`, since another service may take its name."""
        self._left |= {OutputKey(kind, name, self._name) for name in before.keys() - after.keys()}
        for name, value in after.items():
            if before.get(name) != value:
                key = OutputKey(kind, name, self._name)
                self._ledger.put(key, value)
                self._taken.add(key)

    def _sweep(self) -> None:
        """Drop what one service left and no other took in this build."""
        for key in self._left - self._taken:
            self._ledger.drop(key)
        self._left, self._taken = set(), set()

    def _front_of(self, service: str) -> Front:
        view = self._views.get(service)
        return Front(view.service.protocol if view else Protocol.HTTP, self._access.callers(service))

    # -- routes -------------------------------------------------------------------------------------------------

    def _take_gateways(self, gateways: tuple[Gateway, ...] | None) -> Set[str]:
        """Keep the new gateways; return the names of those that came, went or changed."""
        if gateways is None:
            return frozenset()
        before, self._gateways = self._gateways, {gateway.key.name: gateway for gateway in gateways}
        names = before.keys() | self._gateways.keys()
        return frozenset(name for name in names if before.get(name) != self._gateways.get(name))

    def _publish_routes(self, hosts: Set[str], gateways: Set[str], upstreams: Set[str]) -> None:
        """Join the route configurations that hold one of `hosts`, and those of what came, went or changed."""
        if hosts:
            self._put_routes(naming.EGRESS, self._hosts.mesh)
        for name in gateways - self._gateways.keys():
            self._ledger.drop(OutputKey(ResourceType.ROUTE, naming.gateway(name), self._name))
            self.uses.pop(name, None)
        for name, gateway in self._gateways.items():
            if name in gateways or any(gateway.covers(host) for host in hosts):
                sites = self._hosts.public(gateway)
                self._put_routes(naming.gateway(name), sites)
                self.uses[name] = frozenset[str]().union(*(site.services for site in sites))
        for service in upstreams | (hosts & self._upstreams.standing.keys()):
            found = self._upstreams.standing.get(service)
            if found is not None and found.protocol.is_http:
                self._put_routes(naming.upstream(service), [self._hosts.own(service)])
            else:
                self._ledger.drop(OutputKey(ResourceType.ROUTE, naming.upstream(service), self._name))

    def _publish_scopes(self, hosts: Set[str]) -> None:
        """Join the egress of each set of upstreams in use that something changed for."""
        before, self._standing_scopes = self._standing_scopes, self._scopes_in_use
        for upstreams in before.keys() - self._scopes_in_use.keys():
            self._ledger.drop(OutputKey(ResourceType.ROUTE, naming.EGRESS, before[upstreams]))
        for upstreams in self._scopes.settle(self._scopes_in_use.keys(), self._hosts.by_name, hosts):
            self._put_routes(naming.EGRESS, self._scopes.sites(upstreams), self._scopes_in_use[upstreams])

    def _put_routes(self, name: str, sites: list[Site], variant: str = "") -> None:
        value = route_configuration(name, (site.body for site in sites))
        needs = frozenset[str]().union(*(site.needs for site in sites))
        self._ledger.put(OutputKey(ResourceType.ROUTE, name, variant or self._name), value, carried(sites), needs)
