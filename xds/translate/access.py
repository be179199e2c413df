"""Who may call whom, as far as an ingress can tell: by the address that a connection comes from.

A name stands for the addresses of its instances now, so that a service that scales is let in by itself. In front of
HTTP the rules ride in the ingress' routes, where a change costs no connection; in front of TCP they can only be in the
listener. No security boundary: an address can be shared or forged, and whoever reaches the application's own port needs
no ingress (docs/breaker-policy.md).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from envoy_data_plane.envoy.config.core.v3 import CidrRange
from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal, RbacAction
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac, RbacPerRoute
from envoy_data_plane.google.protobuf import Any as AnyMessage

from xds.model.callers import Callers, prefix_of
from xds.model.instance import Instance
from xds.model.problems import Problem, Severity
from xds.model.reach import covers
from xds.model.view import ServiceView
from xds.wire.packing import pack_any

from .product import Product

HTTP = "envoy.filters.http.rbac"
_NOBODY = "255.255.255.255/32"  # never the source of a connection
Prefixes = tuple[str, ...]
"""Addresses and prefixes in order, as `10.0.0.9/32`; empty for nobody."""


def ranges(callers: Prefixes) -> list[CidrRange]:
    """Return the prefixes as Envoy compares them with the address of a peer; of nobody, one that no peer has."""
    pairs = (prefix.split("/") for prefix in callers or (_NOBODY,))
    return [CidrRange(address_prefix=address, prefix_len=int(length)) for address, length in pairs]


@functools.lru_cache(maxsize=1024)
def guard(callers: Prefixes | None) -> Mapping[str, AnyMessage]:
    """Return what a route to an application says to its HTTP filters: who may call, nothing for everybody."""
    if callers is None:
        return {}
    principals = [Principal(direct_remote_ip=each) for each in ranges(callers)]
    policy = Policy(permissions=[Permission(any=True)], principals=principals)
    rules = Rules(action=RbacAction.ALLOW, policies={"callers": policy})
    return {HTTP: pack_any(RbacPerRoute(rbac=Rbac(rules=rules)))}


class Access:
    """Which addresses may call each service that does not let everybody."""

    def __init__(self, views: Mapping[str, ServiceView], products: Mapping[str, Product]) -> None:
        """Read addresses in `views` and policies in `products`, which go on changing."""
        self._views = views
        self._products = products
        self._known: dict[str, Prefixes] = {}

    def changed(self, service: str) -> set[str]:
        """Forget what a service that changed has to do with; return it, and those whose callers it is among."""
        touched = {callee for callee in self._known if covers(self._allowed(callee) or (), service)} | {service}
        for callee in touched & self._known.keys():
            del self._known[callee]
        return touched

    def callers(self, service: str) -> Prefixes | None:
        """Return the prefixes that may call a service, None where everybody may."""
        allowed = self._allowed(service)
        if allowed is None:
            return None
        if service not in self._known:
            self._known[service] = self._find(allowed)
        return self._known[service]

    def _allowed(self, service: str) -> Callers | None:
        product = self._products.get(service)
        return None if product is None else product.shape.policy.allow_from

    def _find(self, allowed: Callers) -> Prefixes:
        found = {prefix for name in allowed if (prefix := prefix_of(name))}
        for name, view in self._views.items():
            if covers(allowed, name):
                found |= {prefix_of(host) for member in view.members for host in _hosts(member.instance)}
        return tuple(sorted(found))


def exposed(view: ServiceView, allowed: Callers | None) -> Iterable[Problem]:
    """Yield what is wrong where instances of a service that does not let everybody do so all the same."""
    if allowed is None:
        return
    if bare := [member.instance.id for member in view.members if member.instance.ingress is None]:
        shown = ", ".join(bare[:3]) + (f" and {len(bare) - 3} more" if len(bare) > 3 else "")
        message = f"no sidecar stands in front of {shown}: whoever gets there may call"
        yield Problem("service", str(view.key), "/allow_from", message, Severity.WARNING)


def _hosts(instance: Instance) -> Iterable[str]:
    """Return where an instance's calls may come from: its own address, and its sidecar's where that is another."""
    return (instance.address,) if instance.ingress is None else (instance.address, instance.ingress.host)
