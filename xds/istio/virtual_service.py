"""VirtualService: its HTTP rules become routes, and a rule without conditions the split and policy of its service.

Istio takes the first rule that matches; here a route's `priority` keeps that order. Source: istio.networking.v1,
VirtualService, HTTPRoute, HTTPRouteDestination, HTTPRetry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from xds.istio.fields import Fields
from xds.istio.matches import Document, Unsayable, match
from xds.istio.names import percents, plain, service
from xds.model.route import MAX_ATTEMPTS

_INSTEAD: Final = {
    "redirect": "nothing here answers for a service",
    "directResponse": "nothing here answers for a service",
    "delegate": "rules of other files are not followed",
}
"""What stands in the place of a destination."""
_BESIDES: Final = {
    "fault": "no faults are injected",
    "mirror": "nothing is mirrored", "mirrors": "nothing is mirrored", "mirrorPercentage": "nothing is mirrored",
    "mirror_percent": "nothing is mirrored", "mirrorPercent": "nothing is mirrored",
    "corsPolicy": "the service answers for itself",
    "headers": "headers are left as they are",
}  # fmt: skip


class Destination(NamedTuple):
    """Where a rule leads: one service, and the share of each of its subsets; no shares where Istio names no subset."""

    service: str
    weights: Mapping[str, float | int]


class Found(NamedTuple):
    """What a VirtualService comes to: routes, and what a rule without conditions says of its service."""

    routes: list[Document]
    services: dict[str, Document]


def read(document: Fields) -> Found:
    """Return what the spec of a VirtualService comes to; what did not map is reported."""
    found = Found([], {})
    metadata, spec = document.part("metadata"), document.part("spec")
    name = plain(metadata.text("name")) if metadata else "route"
    if spec is None:
        return found
    hosts = spec.texts("hosts")
    spec.texts("gateways")  # a gateway serves routes by their hosts
    spec.raw("exportTo")
    rules = spec.parts("http")
    for at, rule in enumerate(rules):
        try:
            _Rule(rule, name, at, hosts, priority=len(rules) - at if len(rules) > 1 else 0).read(found)
        except Unsayable:
            continue
    for kind in ("tls", "tcp"):
        if kind in spec:
            spec.leave(kind, "only HTTP is imported; a TCP service has a port of its own in every sidecar")
    spec.leave_rest()
    return found


class _Rule:
    """One HTTPRoute."""

    def __init__(self, rule: Fields, name: str, at: int, hosts: list[str], *, priority: int) -> None:
        self._rule, self._hosts, self._priority = rule, hosts, priority
        own = rule.text("name")
        self._name = plain(own) if own else name if at == 0 else f"{name}-{at + 1}"

    def read(self, found: Found) -> None:
        """Add what the rule comes to; Unsayable, reported, where it is nothing."""
        destination = self._destination()
        policy = self._policy()
        rewrite = self._rewrite()
        for name, why in _BESIDES.items():
            if name in self._rule:
                self._rule.leave(name, why)
        matches = list(self._matches())
        self._rule.leave_rest()
        if matches == [{}] and destination.service not in found.services:
            found.services[destination.service] = {
                **_split(destination),
                **(policy if self._is_own(destination) else {}),
            }
            self._beside(destination, policy, rewrite, found)
            return
        for at, matched in enumerate(matches):
            found.routes.extend(self._routes(destination, {**policy, **rewrite}, matched, at))

    def _is_own(self, to: Destination) -> bool:
        """Say whether the rule is for what a service does under its own name, inside the mesh."""
        return not self._hosts or any(service(host)[0] == to.service for host in self._hosts)

    def _beside(self, to: Destination, policy: Document, rewrite: Document, found: Found) -> None:
        """Add routes for what a service does not do by itself: under other hosts, or with a rewrite."""
        inherits = Destination(to.service, {})
        own = self._is_own(to)
        for route in self._routes(inherits, {**({} if own else policy), **rewrite}, {}, 0):
            if "hosts" in route or rewrite:
                found.routes.append(route)

    def _routes(self, to: Destination, policy: Document, matched: Document, at: int) -> Iterator[Document]:
        """Yield the route of one match: under the hosts that have names of their own, and under the service's own."""
        name = self._name if at == 0 else f"{self._name}-{at + 1}"
        hosts = [named for host in self._hosts if (named := service(host)[0]) != to.service]
        if "hosts" in matched or hosts:
            yield self._route(name, to, {"hosts": hosts, **matched}, policy)
        if "hosts" not in matched and self._is_own(to):
            yield self._route(f"{name}-mesh" if hosts else name, to, matched, policy)

    def _route(self, name: str, to: Destination, matched: Document, policy: Document) -> Document:
        route: Document = {"kind": "route", "name": name, "service": to.service}
        if len(to.weights) == 1:
            route["subset"] = next(iter(to.weights))
        elif to.weights:
            route |= _split(to)
        if self._priority:
            route["priority"] = self._priority
        return {**route, **matched, **policy}

    def _matches(self) -> Iterator[Document]:
        requests = self._rule.parts("match")
        if not requests:
            yield {}
        for request in requests:
            try:
                yield match(request)
            except Unsayable:
                continue

    def _destination(self) -> Destination:
        """Return where the rule leads; one rule leads to one service here."""
        for name, why in _INSTEAD.items():
            if name in self._rule:
                self._rule.leave(name, f"{why}; the rule is left out")
                raise Unsayable
        shares: dict[str, int] = {}
        services: dict[str, None] = {}
        named = False
        parts = self._rule.parts("route")
        for part in parts:
            target = part.part("destination")
            if target is None:
                continue
            host, namespace = service(target.text("host"))
            subset = target.text("subset")
            if namespace:
                target.leave("host", f"the namespace {namespace} is not kept; environments are walls here: apply --env")
            if "port" in target:
                target.leave("port", "ports have names here: a route's `port`")
            target.leave_rest()
            weight = part.number("weight")
            part.leave_rest()
            services[host], named = None, named or bool(subset)
            shares[subset or "-"] = shares.get(subset or "-", 0) + (1 if weight is None else weight)
        if len(services) != 1 or not sum(shares.values()) or min(shares.values()) < 0:
            words = (
                "leads nowhere"
                if not services
                else "has no weight"
                if len(services) == 1
                else "splits between services"
            )
            self._rule.leave("route", f"it {words}, and a route here leads to one service; the rule is left out")
            raise Unsayable
        weights = dict(zip(shares, percents(list(shares.values())), strict=True)) if named else {}
        return Destination(next(iter(services)), {name: weight for name, weight in weights.items() if weight})

    def _policy(self) -> Document:
        made: Document = {}
        if timeout := self._rule.text("timeout"):
            made["timeout"] = timeout
        if (retries := self._rule.part("retries")) is not None:
            retry: Document = {}
            attempts = retries.number("attempts")
            if attempts is not None:
                retry["attempts"] = min(attempts, MAX_ATTEMPTS)
                if attempts > MAX_ATTEMPTS:
                    retries.leave("attempts", f"{MAX_ATTEMPTS} at most")
            if on := retries.text("retryOn"):
                retry["on"] = [each.strip() for each in on.split(",") if each.strip()]
            if per_try := retries.text("perTryTimeout"):
                retry["per_try"] = per_try
            retries.leave_rest()
            made["retry"] = retry
        return made

    def _rewrite(self) -> Document:
        rewrite = self._rule.part("rewrite")
        if rewrite is None:
            return {}
        uri = rewrite.text("uri")
        rewrite.leave_rest("only the path is rewritten, by a prefix")
        return {"rewrite": uri} if uri else {}


def _split(to: Destination) -> Document:
    if not to.weights:
        return {}
    return {"split": [{"subset": subset, "weight": weight} for subset, weight in to.weights.items()]}
