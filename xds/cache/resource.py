"""One resource, encoded once: its name, the digest of its content, and its bytes as responses carry them.

Knows the frame around a message (Any, response field), never the message in it. Two resources with the same content
have the same version, whoever made them and whenever.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from xds.wire.digest import digest
from xds.wire.discovery import (
    delta_resource_field,
    entry_content,
    error_fields,
    is_error,
    resource_field,
    timed_fields,
)
from xds.wire.fragments import any_bytes, text
from xds.wire.types import ResourceType


class ResourceKey(NamedTuple):
    """What names one resource in the table. `variant` is "" for a resource that is the same for every node."""

    type: ResourceType
    name: str
    variant: str = ""


class Held(NamedTuple):
    """A content that a client was sent or holds: its version, and the revision at which that content appeared."""

    version: str
    revision: int


class Timed(NamedTuple):
    """The entries of a resource with a time to live of `ttl` seconds, for clients that understand it (rule 30).

    `state` and `delta` carry it whole; `heartbeat` says in delta that it lives on.
    """

    ttl: float
    state: bytes
    delta: bytes
    heartbeat: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource as it leaves: made by `Resource.of`, interned and given its revision by `Cache.publish`.

    `version` is the digest of the message, 16 hex digits. `revision` is the snapshot at which this content appeared,
    0 before it was published. `state` is its ready entry in a DiscoveryResponse, `delta` the one in a
    DeltaDiscoveryResponse. `warms` names what a client needs again after it was sent this: a cluster's endpoint
    resources, a listener's route configurations (xDS protocol, "Resource warming"). `needs` names the clusters it
    refers to. `aliases` are further names it answers to. Identity is equality: the table holds one object per content.
    """

    type: ResourceType
    name: str
    variant: str
    version: str
    revision: int
    state: bytes = field(repr=False)
    delta: bytes = field(repr=False)
    warms: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    timed: Timed | None = field(default=None, repr=False)
    mark: int = field(default=0, repr=False)
    """A number drawn from name and version; the sum over a set of resources is the set's fingerprint."""
    held: Held = field(init=False, repr=False)
    """Version and revision as one shared value, so that a thousand streams that were sent this keep no copies."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", Held(self.version, self.revision))

    @classmethod
    def of(  # noqa: PLR0913 - all but four are said by name, and rarely
        cls,
        type: ResourceType,  # noqa: A002 - the domain's word, and the field's
        name: str,
        value: bytes,
        variant: str = "",
        *,
        warms: tuple[str, ...] | None = None,
        needs: tuple[str, ...] = (),
        aliases: tuple[str, ...] = (),
        ttl: float | None = None,
    ) -> Resource:
        """Return the resource `name` whose encoded message is `value`.

        `warms` of None means the usual: a cluster warms the endpoints of its own name, anything else nothing. With a
        `ttl` (seconds) clients that understand it drop the resource unless they hear of it again in time; they are
        sent heartbeats as long as it is published.
        """
        extras = "\0".join((*aliases, "" if ttl is None else f"ttl={ttl}"))
        version = digest(value + b"\0" + extras.encode()) if extras else digest(value)
        packed = any_bytes(type.url, value)
        state, delta = resource_field(packed), delta_resource_field(name, version, packed, aliases)
        if warms is None:
            warms = (name,) if type is ResourceType.CLUSTER else ()
        timed = None if ttl is None else _timed(name, version, packed, ttl, aliases)
        fingerprint = mark(name, version)
        return cls(type, name, variant, version, 0, state, delta, warms, needs, aliases, timed, fingerprint)

    @classmethod
    def failed(
        cls,
        type: ResourceType,  # noqa: A002 - as above
        name: str,
        code: int,
        message: str,
        variant: str = "",
    ) -> Resource:
        """Return, in place of a resource, the reason why there is none: a google.rpc.Code and words.

        Clients that know resource errors learn it at once and keep what they had; for others nothing is there. The code
        NOT_FOUND (5) means the same as a removal.
        """
        state, delta = error_fields(name, code, message)
        version = digest(state)
        return cls(type, name, variant, version, 0, state, delta, mark=mark(name, version))

    @property
    def key(self) -> ResourceKey:
        """Return the key under which the table holds it."""
        return ResourceKey(self.type, self.name, self.variant)

    def in_variant(self, variant: str) -> Resource:
        """Return the same content for another variant."""
        return replace(self, variant=variant)

    @property
    def fails(self) -> bool:
        """Whether it stands in place of a resource, with the reason why there is none."""
        return is_error(self.state)

    @property
    def packed(self) -> bytes:
        """Return the google.protobuf.Any that holds it, encoded; nothing for one that `fails`."""
        return b"" if self.fails else entry_content(self.state)

    @property
    def value(self) -> bytes:
        """Return the encoded message."""
        message = self.packed[len(text(1, self.type.url)) :]
        return entry_content(message) if message else b""

    def appeared_at(self, revision: int) -> Resource:
        """Return the same content as first published at `revision`."""
        return replace(self, revision=revision)


MARK_MODULUS = 1 << 64


def mark(*parts: str) -> int:
    """Return 64 bits drawn from `parts`; sums of marks modulo 2**64 tell sets of parts from one another.

    A sum, so that a set that loses one member and wins another costs two additions, however large it is.
    """
    joined = "\0".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "big")


def _timed(name: str, version: str, packed: bytes, ttl: float, aliases: tuple[str, ...]) -> Timed:
    state, delta = timed_fields(name, version, packed, ttl, aliases)
    _, heartbeat = timed_fields(name, version, None, ttl)
    return Timed(ttl, state, delta, heartbeat)
