"""One service translated: its clusters, its rules and what it asks of the listeners, reported problems included.

Knows one view at a time; refuses to know other services, hosts that several share, and nodes. What depends on the
declarations and on which subsets serve is made anew only when one of those changed; an endpoint's change costs its
fragment and a join.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Set
from dataclasses import dataclass

from xds.model.labels import escape
from xds.model.names import Key
from xds.model.policy import Mirror, ServicePolicy
from xds.model.problems import InvalidInput, Problem, Severity
from xds.model.route import Route
from xds.model.service import Protocol, Service
from xds.model.split import Split
from xds.model.view import ServiceView

from . import naming
from .assembly import Assembly
from .clusters import cluster
from .policy import OwnLabels, Policy, policy
from .routes import Rule, Shown, Target, catch_all, rule
from .splits import Effective, effective
from .treatment import RETRY_CONDITIONS, Treated
from .validate import REFUSED

Serving = Mapping[str, Set[str]]
"""Port ("" is the service's own) -> the subsets that have a member to count on there."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A local port of its own in every sidecar. `split` is the effective one."""

    service: str
    port: int
    protocol: Protocol
    split: Split


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything but the endpoints themselves that a service's resources depend on."""

    service: Service
    routes: tuple[Route, ...]
    subsets: tuple[str, ...]
    ports: tuple[str, ...]
    own_ports: frozenset[str]
    serving: Serving
    labels: Mapping[str, Mapping[OwnLabels, int]]
    policies: tuple[ServicePolicy, ...]
    policy: Policy

    @property
    def anybody(self) -> bool:
        """Say whether there is a subset that can take the requests of others."""
        return bool(self.serving[""])


@dataclass(frozen=True, slots=True)
class Product:
    """One service's share of everything. `by_host` are rules under declared hosts, `inside` under names in the mesh.

    `splits` are the effective ones of its ports that speak HTTP, "" for its own. `good` are the routes behind those
    rules: the declared ones, or for one that Envoy would refuse the one before it. `endpoints` go on changing with the
    service, `assignments` are what they were.
    """

    shape: Shape
    clusters: Mapping[str, bytes]
    by_host: Mapping[str, tuple[Rule, ...]]
    inside: Mapping[str, tuple[Rule, ...]]
    splits: Mapping[str, Split]
    upstream: Upstream | None
    problems: tuple[Problem, ...]
    good: Mapping[Key, Route]
    endpoints: Assembly
    assignments: Mapping[str, bytes]


def product(view: ServiceView, ports: Set[str], before: Product | None, endpoints: Assembly | None = None) -> Product:
    """Translate one view; `ports` are the named ports it may offer, `before` what it gave last time.

    `endpoints` have taken the view already; without them they are assembled from it.
    """
    if endpoints is None:
        endpoints = Assembly()
        endpoints.take(view)
    shape = _shape(view, ports, endpoints, before)
    clusters: Mapping[str, bytes]
    made: _Made
    if before is None or before.shape != shape:
        clusters = {
            naming.cluster(view.key.name, subset, port): cluster(view.service, subset, port, shape.policy.limits)
            for port in ("", *shape.ports)
            for subset in shape.subsets
        }
        made = _Maker(shape, before.good if before else {}).make()
    else:
        shape, clusters = before.shape, before.clusters
        made = before.by_host, before.inside, before.splits, before.upstream, before.problems, before.good
    assignments: dict[str, bytes] = {}
    for subset in shape.subsets:
        for port in ("", *shape.ports):
            name = naming.cluster(view.key.name, subset, port)
            assignments[name] = endpoints.assignment(name, subset, port, elsewhere=shape.anybody)
    return Product(shape, clusters, *made, endpoints, assignments)


def _shape(view: ServiceView, ports: Set[str], endpoints: Assembly, before: Product | None) -> Shape:
    wanted = set(view.subsets) | set(view.service.split.weights)
    if view.service.preview is not None:
        wanted.add(view.service.preview.version)
    for route in view.routes:
        wanted |= {route.subset} - {""} if route.split is None else set(route.split.weights)
    offered = tuple(sorted(ports))
    serving = {port: endpoints.serving(port) for port in ("", *offered)}
    labels = endpoints.labels
    said = (view.service, view.policies, labels)
    if before is not None and (before.shape.service, before.shape.policies, before.shape.labels) == said:
        holds = before.shape.policy
    else:
        holds = policy(view.service, labels, view.policies)
    subsets = tuple(sorted(wanted))
    return Shape(
        view.service, view.routes, subsets, offered, endpoints.own_ports, serving, labels, view.policies, holds
    )


_Rules = Mapping[str, tuple[Rule, ...]]
_Made = tuple[_Rules, _Rules, Mapping[str, Split], Upstream | None, tuple[Problem, ...], Mapping[Key, Route]]
"""Rules by declared host, rules by name inside the mesh, splits by port, the upstream port, the problems, the routes
that stand."""


class _Maker:
    """The rules of one shape, and what is wrong with it. `good` are the routes that stood before."""

    def __init__(self, shape: Shape, good: Mapping[Key, Route]) -> None:
        self._shape = shape
        self._before = good
        self._good: dict[Key, Route] = {}
        self._service = shape.service
        self._problems: list[Problem] = [*shape.policy.problems]

    def make(self) -> _Made:
        """Return what the shape gives."""
        service, name = self._service, self._service.key.name
        own = effective(service.split, self._shape.serving[""], service.stable)
        self._report(own, "service", str(service.key))
        self._check_conditions(self._shape.policy.retry.on, "service", str(service.key))
        if (mirror := self._shape.policy.mirror) is not None and self._treated().mirror is None:
            message = f"there is no version or subset {mirror.subset!r} to mirror to; nothing is copied until there is"
            self._warn("service", str(service.key), "/mirror/subset", message)
        if (preview := service.preview) is not None and preview.version not in self._shape.serving[""]:
            message = f"no instance of {preview.version!r} can serve: what its preview matches follows the split"
            self._warn("service", str(service.key), "/preview", message)
        by_host: dict[str, list[Rule]] = {}
        inside: dict[str, list[Rule]] = {name: []} if service.protocol.is_http else {}
        for declared in self._shape.routes:
            route, made = self._standing(declared)
            if made is None:
                continue
            self._good[route.key] = route
            for host in dict.fromkeys(route.hosts):
                by_host.setdefault(host, []).append(made)
            if not route.hosts:
                inside.setdefault(name, []).append(made)
        splits: dict[str, Split] = {}
        if service.protocol.is_http:
            inside[name].append(self._catch_all(own.split))
            splits[""] = own.split
        for port in self._shape.ports:
            if service.protocol_of(port).is_http:
                found = effective(service.split, self._shape.serving[port], service.stable)
                inside[naming.host(name, port)] = [self._catch_all(found.split, port)]
                splits[port] = found.split
            else:
                message = f"port {port!r} speaks TCP and has no local port of its own: nobody can reach it by name"
                self._warn("service", str(service.key), f"/protocols/{escape(port)}", message)
        upstream = self._upstream(own.split)
        return _frozen(by_host), _frozen(inside), splits, upstream, tuple(self._problems), self._good

    def _standing(self, declared: Route) -> tuple[Route, Rule | None]:
        """Return a route with its rule; one that Envoy would refuse is reported, and the one before it stands."""
        try:
            return declared, self._route(declared)
        except InvalidInput as error:
            made, before, then = None, self._before.get(declared.key), "the route is left out"
            if before is not None and error.code in REFUSED:
                with contextlib.suppress(InvalidInput):
                    made, then = self._route(before), "the route stays as it was before"
            self._problems.append(Problem("route", str(declared.key), error.pointer, f"{error.message}; {then}"))
            return before or declared, made

    def _route(self, route: Route) -> Rule:
        """Return the route's rule; InvalidInput says why there cannot be one."""
        service, key = self._service, str(route.key)
        port = self._port(route)
        split = route.split or (Split.whole(route.subset) if route.subset else service.split)
        if split is not service.split:
            key_of = split.key if split.key.name else service.split.key
            split = Split(split.segments, key_of, split.salt or service.split.salt)
        found = effective(split, self._shape.serving.get(port, frozenset()), service.stable)
        inherits = not (route.split or route.subset)
        shown = self._shown(port) if inherits else None
        made = rule(self._treated(), route, self._target(found.split, port), shown, inherits=inherits)
        if route.split or route.subset or port:
            self._report(found, "route", key, "/subset" if route.subset else "/split")
        if route.retry:
            self._check_conditions(route.retry.on, "route", key)
        return made

    def _catch_all(self, split: Split, port: str = "") -> Rule:
        return catch_all(self._treated(), self._target(split, port), self._shown(port))

    def _shown(self, port: str) -> Shown | None:
        """Return where the requests go that the service's preview is for; None where nobody there serves them."""
        preview, split = self._service.preview, self._service.split
        if preview is None or preview.version not in self._shape.serving.get(port, ()):
            return None
        return Shown(preview, self._target(Split.whole(preview.version, key=split.key, salt=split.salt), port))

    def _treated(self) -> Treated:
        """Return the service with how its requests are treated; copies for nobody are left out.

        A preview's copies go before those of policies: Envoy would make both, and a policy's do not end with a rollout.
        """
        holds, mirror = self._shape.policy, self._shape.policy.mirror
        if (preview := self._service.preview) is not None and preview.mirror:
            mirror = Mirror(preview.version, preview.mirror)
        known = mirror is None or bool(mirror.service) or mirror.subset in self._shape.subsets
        return Treated(self._service, holds.timeout, holds.retry, mirror if known else None)

    def _target(self, split: Split, port: str) -> Target:
        clusters = {naming.cluster(self._service.key.name, subset, port): subset for subset in split.weights}
        return Target(split, port, self._shape.policy.at(clusters, self._service))

    def _port(self, route: Route) -> str:
        """Return the named port that a route goes to, "" for the service's own; InvalidInput if it cannot be."""
        port = "" if route.port in self._shape.own_ports and route.port not in self._shape.ports else route.port
        if port and port not in self._shape.ports and self._shape.own_ports:
            known = ", ".join(sorted({*self._shape.ports, *self._shape.own_ports}))
            raise InvalidInput(
                f"no instance of {self._service.key} has a port {port!r}; they have {known}", pointer="/port"
            )
        if not self._service.protocol_of(port).is_http:
            raise InvalidInput("a TCP service has no requests to match, only its own port", pointer="/service")
        return port

    def _upstream(self, split: Split) -> Upstream | None:
        service = self._service
        if service.upstream_port is None:
            if not service.protocol.is_http:
                message = "a TCP service is reached by a port of its own in every sidecar, and it has none yet"
                self._warn("service", str(service.key), "/upstream_port", message)
            return None
        return Upstream(service.key.name, service.upstream_port, service.protocol, split)

    def _report(self, found: Effective, kind: str, name: str, pointer: str = "/split") -> None:
        for subset in found.empty:
            then = f"{found.instead!r} takes its share until one does" if found.instead else "nothing else does"
            self._warn(kind, name, pointer, f"no instance of {subset!r} can serve; {then}")

    def _check_conditions(self, conditions: tuple[str, ...], kind: str, name: str) -> None:
        for at, condition in enumerate(conditions):
            if condition not in RETRY_CONDITIONS:
                message = f"Envoy knows no retry condition {condition!r}; it is left out"
                self._warn(kind, name, f"/retry/on/{at}", message)

    def _warn(self, kind: str, name: str, pointer: str, message: str) -> None:
        self._problems.append(Problem(kind, name, pointer, message, Severity.WARNING))


def _frozen(rules: Mapping[str, list[Rule]]) -> dict[str, tuple[Rule, ...]]:
    return {host: tuple(found) for host, found in rules.items()}
