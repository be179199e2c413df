"""One resource, encoded once: its name, the digest of its content, and its bytes as responses carry them.

Knows the frame around a message (Any, response field), never the message in it. Two resources with the same content
have the same version, whoever made them and whenever.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from xds.wire.digest import digest
from xds.wire.discovery import delta_resource_field, resource_field
from xds.wire.fragments import any_bytes
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


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource as it leaves: made by `Resource.of`, interned and given its revision by `Cache.publish`.

    `version` is the digest of the message, 16 hex digits. `revision` is the snapshot at which this content appeared,
    0 before it was published. `state` is a ready entry of DiscoveryResponse.resources, `delta` one of
    DeltaDiscoveryResponse.resources. `warms` names what a client needs again after it was sent this: a
    cluster's endpoint resources, a listener's route configurations (xDS protocol, "Resource warming").
    Identity is equality: the table holds one object per content.
    """

    type: ResourceType
    name: str
    variant: str
    version: str
    revision: int
    state: bytes = field(repr=False)
    delta: bytes = field(repr=False)
    warms: tuple[str, ...] = ()
    mark: int = field(default=0, repr=False)
    """A number drawn from name and version; the sum over a set of resources is the set's fingerprint."""
    held: Held = field(init=False, repr=False)
    """Version and revision as one shared value, so that a thousand streams that were sent this keep no copies."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", Held(self.version, self.revision))

    @classmethod
    def of(
        cls,
        type: ResourceType,  # noqa: A002 - the domain's word, and the field's
        name: str,
        value: bytes,
        variant: str = "",
        *,
        warms: tuple[str, ...] | None = None,
    ) -> Resource:
        """Return the resource `name` whose encoded message is `value`.

        `warms` of None means the usual: a cluster warms the endpoints of its own name, anything else nothing.
        """
        version = digest(value)
        packed = any_bytes(type.url, value)
        state, delta = resource_field(packed), delta_resource_field(name, version, packed)
        if warms is None:
            warms = (name,) if type is ResourceType.CLUSTER else ()
        return cls(type, name, variant, version, 0, state, delta, warms, mark(name, version))

    @property
    def key(self) -> ResourceKey:
        """Return the key under which the table holds it."""
        return ResourceKey(self.type, self.name, self.variant)

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
