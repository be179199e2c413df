"""Discovery responses: joins of ready bytes.

A resource keeps its entry for both protocols encoded (`resource_field`, `delta_resource_field` and their kin), so that
a response costs one join however large its resources are, and streams with equal subscriptions share the body.
Knows nothing of subscriptions, versions or nonces beyond their place in the message. Field numbers:
service/discovery/v3/discovery.proto.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .fragments import VARINT, any_bytes, field, tag, text, varint

_WRAPPER: Final = "type.googleapis.com/envoy.service.discovery.v3.Resource"
_NANOS: Final = 1_000_000_000
_ERROR: Final = tag(7)
"""The key of DiscoveryResponse.resource_errors."""

NOT_FOUND: Final = 5
"""google.rpc.Code.NOT_FOUND: as an error of a resource it means the same as its removal (discovery.proto)."""


def resource_field(any_bytes: bytes) -> bytes:
    """Return the entry of DiscoveryResponse.resources for an encoded Any."""
    return field(2, any_bytes)


def is_error(entry: bytes) -> bool:
    """Return whether an entry of a DiscoveryResponse says why there is no resource."""
    return entry.startswith(_ERROR)


def entry_content(entry: bytes) -> bytes:
    """Return what `resource_field` was made of: the encoded Any."""
    pos = 1
    while entry[pos] >= 0x80:  # the length, a varint
        pos += 1
    return entry[pos + 1 :]


def delta_resource_field(name: str, version: str, any_bytes: bytes | None, aliases: Iterable[str] = ()) -> bytes:
    """Return the entry of DeltaDiscoveryResponse.resources for an encoded Any; None says that there is no such host."""
    return field(2, _resource(name, version, any_bytes, aliases=aliases))


def timed_fields(
    name: str, version: str, any_bytes: bytes | None, ttl: float, aliases: Iterable[str] = ()
) -> tuple[bytes, bytes]:
    """Return the entries for either protocol (state of the world, delta) of a resource that lives `ttl` seconds.

    With None it is a heartbeat: what the client holds in this version lives that much longer (rule 30). State of
    the world has no place for a time to live, so the resource is wrapped.
    """
    resource = _resource(name, version, any_bytes, ttl=ttl, aliases=aliases)
    return field(2, _wrapped(resource)), field(2, resource)


def error_fields(name: str, code: int, message: str) -> tuple[bytes, bytes]:
    """Return the entries for either protocol that say why there is no resource `name`; `code` is a google.rpc.Code."""
    status = tag(1, VARINT) + varint(code) + text(2, message)
    error = field(1, text(1, name)) + field(2, status)
    removed = field(6, name.encode()) if code == NOT_FOUND else b""
    return field(7, error), field(9, error) + removed


def response(version_info: str, resource_fields: Iterable[bytes], type_url: str, nonce: str) -> bytes:
    """Return an encoded DiscoveryResponse; `resource_fields` are entries made for state of the world."""
    return b"".join((text(1, version_info), *resource_fields, text(4, type_url), text(5, nonce)))


def delta_response(
    system_version_info: str,
    resource_fields: Iterable[bytes],
    removed_names: Iterable[str],
    type_url: str,
    nonce: str,
) -> bytes:
    """Return an encoded DeltaDiscoveryResponse; `resource_fields` are entries made for delta."""
    removed = (field(6, name.encode()) for name in removed_names)
    head = text(1, system_version_info)
    return b"".join((head, *resource_fields, text(4, type_url), *removed, text(5, nonce)))


def _resource(
    name: str, version: str, any_bytes: bytes | None, *, ttl: float | None = None, aliases: Iterable[str] = ()
) -> bytes:
    body = b"" if any_bytes is None else field(2, any_bytes)
    others = (field(4, alias.encode()) for alias in aliases)
    lives = b"" if ttl is None else field(6, _duration(ttl))
    return b"".join((text(3, name), text(1, version), body, *others, lives))


def _wrapped(resource: bytes) -> bytes:
    return any_bytes(_WRAPPER, resource)


def _duration(seconds: float) -> bytes:
    whole, nanos = divmod(round(seconds * _NANOS), _NANOS)
    return b"".join(tag(n, VARINT) + varint(value) for n, value in ((1, whole), (2, nanos)) if value)
