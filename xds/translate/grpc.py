"""What gRPC's own clients see: a program that dials `xds:///web` is its own proxy, and a strict one.

A listener named by the target, its routes, and clusters with their endpoints, all in a variant of their own: gRPC
refuses HTTP filters other than the router, balancing policies that it does not know, localities without a name and an
address that is there twice, and no Envoy should have to do without these for its sake. It splits at random (it has no
filter, and ignores `header_name`), drops endpoints that are not healthy, all of them if need be, and of the circuit
breakers minds the number of requests. Sources: gRPC proposals A27, A28, A31, A32 and A44; measured with grpcio 1.85.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence, Set

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
    ClusterEdsClusterConfig,
    ClusterLbPolicy,
)
from envoy_data_plane.envoy.config.listener.v3 import ApiListener, Listener
from envoy_data_plane.envoy.config.route.v3 import RetryPolicy, RouteAction
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)

from xds.model.health import Health
from xds.model.node import grpc_variant
from xds.model.route import Retry
from xds.model.split import Split
from xds.wire.codec import encode
from xds.wire.endpoint import cluster_load_assignment, lb_endpoint, locality_endpoints
from xds.wire.fragments import field, join_repeated, text, varint
from xds.wire.packing import pack_any
from xds.wire.types import ResourceType

from . import naming
from .clusters import MAX_REQUESTS, ads
from .endpoints import Endpoint
from .matches import everything
from .outputs import Ledger, OutputKey, Weights
from .product import Product
from .routes import route_configuration, virtual_host

RETRY_CONDITIONS = frozenset({"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"})
"""Conditions by which gRPC tries a call again; it ignores all others (gRPC proposal A44)."""
_CLUSTER_NAME = 1
_ROUTE_MATCH, _ROUTE_ACTION, _ACTION_WEIGHTED = 1, 2, 3  # fields of envoy.config.route.v3
_WEIGHTED_CLUSTERS, _WEIGHT_NAME, _WEIGHT = 1, 1, 2
_LOCALITY = 1  # field of LocalityLbEndpoints

_Made = Iterator[tuple[OutputKey, bytes, Weights]]


class GrpcClients:
    """The resources of one environment for gRPC's own clients, as long as there are any."""

    def __init__(self, env: str, ledger: Ledger) -> None:
        """Start without any."""
        self._variant = grpc_variant(env)
        self._ledger = ledger
        self._wanted = False
        self._owners: dict[OutputKey, str] = {}
        self._keys: dict[str, set[OutputKey]] = {}
        self._splits: dict[str, Mapping[str, Split]] = {}

    def settle(self, products: Mapping[str, Product], changed: Set[str], *, wanted: bool) -> None:
        """Bring everything up to date with all `products`, of which `changed` did; `wanted`: somebody uses it."""
        if not wanted and not self._wanted:
            return
        if wanted is not self._wanted:
            changed = products.keys() | self._keys.keys()
        self._wanted = wanted
        for service in sorted(changed):
            self._replace(service, products.get(service) if wanted else None)

    def _replace(self, service: str, product: Product | None) -> None:
        before, keys = self._keys.pop(service, set()), set[OutputKey]()
        splits = self._splits.pop(service, None)
        if product is not None:
            self._keys[service], self._splits[service] = keys, product.splits
            if splits is not product.splits:
                keys |= self._put(service, self._shapes(product))
            else:
                keys |= {key for key in before if key.type is not ResourceType.ENDPOINT}
            keys |= self._put(service, self._endpoints(product))
        for key in before - keys:
            if self._owners.get(key) == service:
                del self._owners[key]
                self._ledger.drop(key)

    def _put(self, service: str, made: _Made) -> set[OutputKey]:
        keys = set()
        for key, value, weights in made:
            self._owners[key] = service
            self._ledger.put(key, value, weights)
            keys.add(key)
        return keys

    def _shapes(self, product: Product) -> _Made:
        """Yield everything of a service but its endpoints."""
        service = product.shape.service
        for port, split in product.splits.items():
            host = naming.host(service.key.name, port)
            yield self._key(ResourceType.LISTENER, host), _listener(host), {}
            routes = naming.grpc(host)
            value = _routes(routes, host, service.key.name, port, split, product.shape.policy.retry)
            yield self._key(ResourceType.ROUTE, routes), value, {service.key: split.weights}
            for subset in product.shape.subsets:
                name = naming.cluster(service.key.name, subset, port)
                yield (
                    self._key(ResourceType.CLUSTER, name),
                    text(_CLUSTER_NAME, name) + _policy(product.shape.policy.limits.requests),
                    {},
                )

    def _endpoints(self, product: Product) -> _Made:
        for port in product.splits:
            for subset in product.shape.subsets:
                shown = product.endpoints.shown(subset, elsewhere=product.shape.anybody)
                name = naming.cluster(product.shape.service.key.name, subset, port)
                yield self._key(ResourceType.ENDPOINT, name), assignment(name, shown, port), {}

    def _key(self, type_: ResourceType, name: str) -> OutputKey:
        return OutputKey(type_, name, self._variant)


def assignment(cluster: str, endpoints: Sequence[Endpoint], port: str = "") -> bytes:
    """Return the encoded ClusterLoadAssignment of those that are healthy, or of all where none is.

    A locality gets calls by its weight, here what its endpoints weigh together; inside it they take turns.
    """
    healthy = [endpoint for endpoint in endpoints if endpoint.member.health is not Health.UNHEALTHY]
    seen: set[object] = set()
    groups: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
    for endpoint in healthy or endpoints:
        instance = endpoint.member.instance
        address = instance.endpoint(port or next(iter(instance.ports)))
        if address is None or address in seen:
            continue
        seen.add(address)
        weight = max(1, endpoint.member.weight)
        encoded = lb_endpoint(address.host, address.port, weight=weight, metadata={"instance": instance.id})
        groups.setdefault(endpoint.locality, []).append((weight, encoded))
    localities = []
    for region, zone in sorted(groups):
        found = groups[region, zone]
        nameless = b"" if region or zone else field(_LOCALITY, b"")  # an empty locality is one, none is refused
        total = sum(weight for weight, _ in found)
        encoded = locality_endpoints(region, zone, weight=total, endpoints=[each for _, each in found])
        localities.append(nameless + encoded)
    return cluster_load_assignment(cluster, localities)


@functools.lru_cache(maxsize=4096)
def _listener(target: str) -> bytes:
    manager = HttpConnectionManager(
        rds=Rds(config_source=ads(), route_config_name=naming.grpc(target)),
        http_filters=[HttpFilter(name="envoy.filters.http.router", typed_config=pack_any(Router()))],
    )
    return encode(Listener(name=target, api_listener=ApiListener(api_listener=pack_any(manager))))


def _routes(name: str, host: str, service: str, port: str, split: Split, retry: Retry) -> bytes:  # noqa: PLR0913 - the parts of one message
    """Return the encoded routes of one target, whatever the authority that its channel was given."""
    clusters = (
        text(_WEIGHT_NAME, naming.cluster(service, subset, port)) + field(_WEIGHT, b"\x08" + varint(weight))
        for subset, weight in split.weights.items()
    )
    action = _retry(retry) + field(_ACTION_WEIGHTED, join_repeated(_WEIGHTED_CLUSTERS, clusters))
    route = field(_ROUTE_MATCH, everything()) + field(_ROUTE_ACTION, action)
    return route_configuration(name, [virtual_host(host, "*", [route])])


@functools.lru_cache(maxsize=1024)
def _retry(retry: Retry) -> bytes:
    """Return an encoded RouteAction of the retries alone."""
    conditions = [condition for condition in retry.on if condition in RETRY_CONDITIONS]
    if not retry.attempts or not conditions:
        return b""
    return encode(RouteAction(retry_policy=RetryPolicy(retry_on=",".join(conditions), num_retries=retry.attempts)))


@functools.lru_cache(maxsize=1024)
def _policy(requests: int | None) -> bytes:
    """Return all of a cluster but its name; of the limits gRPC minds that of requests in flight (proposal A32)."""
    most = CircuitBreakersThresholds(max_requests=MAX_REQUESTS if requests is None else requests)
    return encode(
        Cluster(
            type=ClusterDiscoveryType.EDS,
            eds_cluster_config=ClusterEdsClusterConfig(eds_config=ads()),
            lb_policy=ClusterLbPolicy.ROUND_ROBIN,
            circuit_breakers=CircuitBreakers(thresholds=[most]),
        )
    )
