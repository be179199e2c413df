"""What enters and leaves the protocol: requests, the events they turn into, and responses.

Small frozen values of our own, so that a conversation needs no protobuf; the edge translates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from xds.cache.resource import Held
from xds.wire.fragments import tag
from xds.wire.types import ResourceType

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_NONCE: Final = tag(5)
"""The key of `nonce`, in responses of both protocols; its length, a count in decimals, is one byte."""

WILDCARD = "*"
"""The name that asks for everything (xDS protocol, "How the client specifies what resources to return")."""


class StateRequest(NamedTuple):
    """A DiscoveryRequest.

    `error` is None unless the client refuses (error_detail is present, whatever it says: rule 1).
    """

    type: ResourceType
    names: Collection[str] = ()
    version: str = ""
    nonce: str = ""
    error: str | None = None


class DeltaRequest(NamedTuple):
    """A DeltaDiscoveryRequest.

    `initial` is initial_resource_versions: what a reconnecting client holds, name -> version.
    """

    type: ResourceType
    subscribe: Collection[str] = ()
    unsubscribe: Collection[str] = ()
    initial: Mapping[str, str] = NOTHING
    nonce: str = ""
    error: str | None = None


class Answer(StrEnum):
    """What a request says about the last response of its type."""

    NONE = "none"
    """Nothing: a subscription, or a repetition."""
    ACK = "ack"
    NACK = "nack"
    STALE = "stale"
    """It answers a response that is not the last one."""


class Event(NamedTuple):
    """What a request meant. One request can be an answer and a changed subscription at once (rules 3 and 4).

    `message` is the client's own words with a NACK; `subscribed` tells whether what it asks for changed.
    """

    type: ResourceType
    answer: Answer
    message: str = ""
    subscribed: bool = False


class Body:
    """An encoded response but for its nonce, shared by all streams that are sent the same.

    Such streams are often in step, and their nonces the same count: so the last message made of it is kept, for a copy
    of a large one costs more than all else about it.
    """

    __slots__ = ("_message", "_nonce", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._nonce = self._message = b""

    def message(self, nonce: str) -> bytes:
        """Return the message with its nonce: fields of protobuf messages may come in any order, so it goes last."""
        wanted = nonce.encode()
        if wanted != self._nonce:
            self._message = b"%b%b%c%b" % (self.data, _NONCE, len(wanted), wanted)
            self._nonce = wanted
        return self._message


class Outgoing(NamedTuple):
    """One response. `body` is all of it but its nonce.

    `version` is the response's version_info (system_version_info in delta), `sent` the contents it carries by name,
    `removed` the names it takes away: named in a delta response, missing from a full state.
    """

    type: ResourceType
    nonce: str
    version: str
    body: Body
    sent: Mapping[str, Held] = NOTHING
    removed: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        return self.body.message(self.nonce)


class HeldBack(NamedTuple):
    """Names of `type` that are kept from the client, which refers it to clusters that it refused or lacks."""

    type: ResourceType
    names: frozenset[str]


class Overdue(NamedTuple):
    """A client has not answered a response of `type` sent at `since`, and what waited for it goes on without."""

    type: ResourceType
    since: float
