"""DestinationRule: subsets by selector, balancing, limits and outliers of one service.

A subset that picks a version of its own name needs no declaration: every version is a subset by itself. Source:
istio.networking.v1, DestinationRule, TrafficPolicy, ConnectionPoolSettings, OutlierDetection.
"""

from __future__ import annotations

from typing import Final

from xds.istio.fields import Fields
from xds.istio.matches import Document
from xds.istio.names import service

_SIMPLE: Final = {
    "ROUND_ROBIN": "round-robin", "LEAST_REQUEST": "least-request", "LEAST_CONN": "least-request", "RANDOM": "random",
}  # fmt: skip


def read(document: Fields) -> Document | None:
    """Return the service that a DestinationRule describes, None for one that names no single service."""
    document.part("metadata")
    spec = document.part("spec")
    if spec is None:
        return None
    host, namespace = service(spec.text("host"))
    if not host or "*" in host:
        spec.leave("host", "a policy belongs to one service here")
        return None
    if namespace:
        spec.leave("host", f"the namespace {namespace} is not kept; environments are walls here: apply --env")
    made: Document = {"kind": "service", "name": host}
    if (policy := spec.part("trafficPolicy")) is not None:
        made |= _policy(policy)
    if subsets := [made_of for each in spec.parts("subsets") if (made_of := _subset(each))]:
        made["subsets"] = subsets
    spec.raw("exportTo")
    spec.leave_rest()
    return made


def _subset(subset: Fields) -> Document | None:
    name, labels = subset.text("name"), subset.part("labels")
    selector = {} if labels is None else {label: labels.text(label) for label in labels.names()}
    if "trafficPolicy" in subset:
        subset.leave("trafficPolicy", "policy belongs to the service, and its stable version speaks for it")
    subset.leave_rest()
    if selector == {"version": name}:
        return None
    return {"name": name, "selector": ",".join(f"{label}={value}" for label, value in selector.items())}


def _policy(policy: Fields) -> Document:
    made: Document = {}
    if (balancer := policy.part("loadBalancer")) is not None:
        made |= _balancing(balancer)
    if (pool := policy.part("connectionPool")) is not None:
        made |= _limits(pool)
    if (outlier := policy.part("outlierDetection")) is not None:
        made |= _outlier(outlier)
    policy.leave_rest()
    return made


def _balancing(balancer: Fields) -> Document:
    made: Document = {}
    if simple := balancer.text("simple"):
        if simple in _SIMPLE:
            made["balancing"] = _SIMPLE[simple]
        else:
            balancer.leave("simple", f"nothing here balances by {simple}")
    if (consistent := balancer.part("consistentHash")) is not None:
        made |= _hash(consistent)
    balancer.leave_rest()
    return made


def _hash(consistent: Fields) -> Document:
    made: Document = {"balancing": "maglev" if consistent.part("maglev") is not None else "ring-hash"}
    if header := consistent.text("httpHeaderName"):
        made["hash_key"] = {"header": header}
    elif (cookie := consistent.part("httpCookie")) is not None:
        made["hash_key"] = {"cookie": cookie.text("name")}
        cookie.leave_rest("the cookie is read, not set")
    elif consistent.flag("useSourceIp"):
        made["hash_key"] = "source"
    elif "httpQueryParameterName" in consistent:
        consistent.leave(
            "httpQueryParameterName", "a key is a header, a cookie or the client's address, which it is now"
        )
    consistent.leave_rest()
    return made


def _limits(pool: Fields) -> Document:
    made: Document = {}
    limits: Document = {}
    if (tcp := pool.part("tcp")) is not None:
        if (connections := tcp.number("maxConnections")) is not None:
            limits["connections"] = connections
        if timeout := tcp.text("connectTimeout"):
            made["connect_timeout"] = timeout
        tcp.leave_rest()
    if (http := pool.part("http")) is not None:
        for name, field in (
            ("http1MaxPendingRequests", "pending"), ("http2MaxRequests", "requests"), ("maxRetries", "retries"),
        ):  # fmt: skip
            if (value := http.number(name)) is not None:
                limits[field] = value
        http.leave_rest()
    pool.leave_rest()
    return {**made, **({"limits": limits} if limits else {})}


def _outlier(outlier: Fields) -> Document:
    made: Document = {}
    for name in ("consecutive5xxErrors", "consecutiveErrors"):  # the second is what it was called before 1.5
        if (failures := outlier.number(name)) is not None:
            made["consecutive_5xx"] = failures
    for name, field in (("interval", "interval"), ("baseEjectionTime", "ejection")):
        if time := outlier.text(name):
            made[field] = time
    if (most := outlier.number("maxEjectionPercent")) is not None:
        made["max_ejected"] = most
    outlier.leave_rest()
    if made.get("consecutive_5xx") == 0:  # off, in Istio's words
        return {}
    return {"outlier": made}
