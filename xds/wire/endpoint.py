"""Endpoints written by hand: the one message that changes with every instance, encoded from plain arguments.

Building an `LbEndpoint` from its seven message classes costs some 20 times what its bytes cost. Held byte-identical to
betterproto by a property test. Field numbers are those of envoy.config.endpoint.v3 and envoy.config.core.v3.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from .fragments import SHORT, VARINTS, field, join_repeated, text, varint

METADATA_KEY = "fairlead"
"""The filter_metadata key that holds what Fairlead says about an endpoint."""


def _sized(payload: bytes) -> bytes:
    size = len(payload)
    return (VARINTS[size] if size < SHORT else varint(size)) + payload


_METADATA_NAME = field(1, METADATA_KEY.encode())


def _metadata(values: Mapping[str, str]) -> bytes:
    """Return LbEndpoint.metadata: core.v3.Metadata with `filter_metadata["fairlead"]` a Struct of strings."""
    if len(values) == 1:
        ((key, value),) = values.items()
        encoded = value.encode()
        return _before(key, len(encoded)) + encoded
    entries = b"".join(_entry(key, value.encode()) for key, value in values.items())
    return b"\x1a" + _sized(b"\x0a" + _sized(_METADATA_NAME + b"\x12" + _sized(entries)))


def _entry(key: str, value: bytes) -> bytes:
    # Struct.fields (1) { key (1), value (2): Value { string_value (3) } }
    entry = b"\x0a" + _sized(key.encode()) + b"\x12" + _sized(b"\x1a" + _sized(value))
    return b"\x0a" + _sized(entry)


@functools.lru_cache(maxsize=1024)
def _before(key: str, size: int) -> bytes:
    """Return what stands before the only value, which is the end of the message: it depends on its size alone."""
    whole = b"\x1a" + _sized(b"\x0a" + _sized(_METADATA_NAME + b"\x12" + _sized(_entry(key, bytes(size)))))
    return whole[: len(whole) - size]


@functools.lru_cache(maxsize=8192)
def _around(size: int, port: int, hostname: str) -> tuple[bytes, bytes]:
    """Return what stands before and after an address of so many bytes in LbEndpoint.endpoint."""
    # SocketAddress: address (2), port_value (3), which is present even when 0 because it is in a oneof.
    head, tail = b"\x12" + varint(size) if size else b"", b"\x18" + varint(port)
    socket = len(head) + size + len(tail)
    # Endpoint: address (1) { socket_address (1) }, hostname (3)
    head = b"\x0a" + varint(socket) + head
    head = b"\x0a" + varint(len(head) + size + len(tail)) + head
    if hostname:
        tail += b"\x1a" + _sized(hostname.encode())
    return b"\x0a" + varint(len(head) + size + len(tail)) + head, tail


@functools.lru_cache(maxsize=1024)
def _weight(weight: int) -> bytes:
    return b"\x22" + _sized(b"\x08" + varint(weight))


def lb_endpoint(  # noqa: PLR0913 - these are the fields of one flat record, all but two optional
    address: str,
    port: int,
    *,
    hostname: str = "",
    health: int = 0,
    weight: int = 0,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return an encoded envoy.config.endpoint.v3.LbEndpoint for a TCP address.

    `address` is an IPv4 or IPv6 address in text (no brackets), `port` 0 to 65535, `health` the number of
    core.v3.HealthStatus (0 unknown, 1 healthy, 2 unhealthy, 3 draining, 4 timeout, 5 degraded), `weight` the
    load-balancing weight, left out when 0. `metadata` lies in `filter_metadata["fairlead"]` as strings, left out when
    empty; its order is kept, so a caller that wants equal bytes for equal content passes it sorted. Nothing is
    validated.
    """
    encoded = address.encode()
    before, after = _around(len(encoded), port, hostname)
    result = before + encoded + after
    if health:
        result += b"\x10" + varint(health)
    if metadata:
        result += _metadata(metadata)
    if weight:
        result += _weight(weight)
    return result


def entry(endpoint: bytes) -> bytes:
    """Return a result of `lb_endpoint` as it stands in its locality."""
    return b"\x12" + _sized(endpoint)


def locality_endpoints(  # noqa: PLR0913 - these are the fields of one flat record, all but two optional
    region: str,
    zone: str,
    *,
    weight: int = 0,
    priority: int = 0,
    endpoints: Iterable[bytes] = (),
    entries: Iterable[bytes] = (),
) -> bytes:
    """Return an encoded envoy.config.endpoint.v3.LocalityLbEndpoints.

    `endpoints` are results of `lb_endpoint`, `entries` the same as `entry` has made them. The locality is left out when
    both `region` and `zone` are empty, the weight and the priority when 0.
    """
    locality = text(1, region) + text(2, zone)
    return b"".join(
        (
            field(1, locality) if locality else b"",
            join_repeated(2, endpoints),
            *entries,
            field(3, b"\x08" + varint(weight)) if weight else b"",
            b"\x28" + varint(priority) if priority else b"",
        )
    )


def cluster_load_assignment(
    cluster_name: str, localities: Iterable[bytes] = (), *, overprovisioning_percent: int = 0
) -> bytes:
    """Return an encoded envoy.config.endpoint.v3.ClusterLoadAssignment.

    `localities` are results of `locality_endpoints`. `overprovisioning_percent` is the policy's overprovisioning
    factor, left out when 0 (Envoy's default is 140).
    """
    policy = field(4, field(3, b"\x08" + varint(overprovisioning_percent))) if overprovisioning_percent else b""
    return text(1, cluster_name) + join_repeated(2, localities) + policy
