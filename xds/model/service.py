"""A service: a name, the policy of its traffic, and the split between its subsets.

A service comes to be when it is declared or when its first instance registers; from then on it owns its split.
The first version to register becomes `stable`; another version gets no traffic until a rollout or a declared split
says otherwise, and all of it only when stable has no instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from xds.model.balancing import BY_HASH, Balancing, Outlier
from xds.model.breaker import Forced, Limits, Rule
from xds.model.callers import parse_callers
from xds.model.instance import check_port
from xds.model.labels import check_labels
from xds.model.names import EVERY as _EVERY
from xds.model.names import ServiceKey, check_id
from xds.model.preview import Preview
from xds.model.problems import InvalidInput
from xds.model.route import Retry, check_subsets, check_timeout
from xds.model.selector import Selector
from xds.model.split import Split, SplitKey

EVERY = _EVERY  # the subset of all instances, whatever their version


class Protocol(StrEnum):
    """What the instances speak; TCP services are split per connection, at random."""

    HTTP = "http"
    H2C = "h2c"
    GRPC = "grpc"
    TCP = "tcp"

    @property
    def is_http(self) -> bool:
        """Say whether requests can be told apart, so that routes and sticky splits work."""
        return self is not Protocol.TCP


@dataclass(frozen=True, slots=True)
class Subset:
    """A named selection of the service's instances. Every version is one by itself, without being declared."""

    name: str
    selector: Selector

    def __post_init__(self) -> None:
        """Refuse a name that is no id."""
        check_id(self.name, pointer="/name", what="subset name")


@dataclass(frozen=True, slots=True)
class Service:
    """The declared policy and the persisted split of one service; times are seconds.

    `protocol` is that of the service's own port, `protocols` those of the named ports that differ from HTTP.
    `hash_key` is what balancing by hash looks at (for a request without it, the client's address); `outlier` None
    leaves no instance out for what it answers. `upstream_port` opens a local port of its own in every sidecar (a TCP
    service always gets one). `breaker` is a rule, False for none, and `allow_from` who may call (`*` is everybody);
    where one of these or `limits` is None, labels decide, and
    then policies; where `timeout` or `retry` is, policies do. `forced` are breakers held by operators, by subset; they
    stay when the policy is declared anew, as does the `preview` of a rollout in progress.
    """

    key: ServiceKey
    protocol: Protocol = Protocol.HTTP
    protocols: Mapping[str, Protocol] = field(default_factory=dict)
    subsets: tuple[Subset, ...] = ()
    stable: str = ""
    split: Split = Split()
    preview: Preview | None = None
    balancing: Balancing = Balancing.ROUND_ROBIN
    hash_key: SplitKey = SplitKey()
    outlier: Outlier | None = None
    connect_timeout: float = 2.0
    timeout: float | None = None
    retry: Retry | None = None
    upstream_port: int | None = None
    breaker: Rule | Literal[False] | None = None
    forced: Mapping[str, Forced] = field(default_factory=dict)
    limits: Limits | None = None
    allow_from: tuple[str, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse policy that Envoy could not run, with a pointer to the field."""
        if self.timeout is not None:
            check_timeout(self.timeout, pointer="/timeout")
        if not 0 < self.connect_timeout <= 60:
            raise InvalidInput(f"{self.connect_timeout} is not between 0 and 60 seconds", pointer="/connect_timeout")
        if self.upstream_port is not None:
            check_port(self.upstream_port, pointer="/upstream_port")
        if self.allow_from is not None:
            parse_callers(self.allow_from, pointer="/allow_from")
        if self.balancing in BY_HASH and not self.protocol.is_http:
            raise InvalidInput(f"{self.balancing} needs requests, and TCP has none", pointer="/balancing")
        if self.preview is not None and not self.protocol.is_http:
            raise InvalidInput("a TCP service has no requests to match or to copy", pointer="/preview")
        check_labels(self.labels)
        check_id(self.key.env, pointer="/env", what="env")
        check_id(self.key.name, pointer="/name", what="service name")
        if self.stable:
            check_id(self.stable, pointer="/stable", what="version")
        check_subsets(self.split, pointer="/split")
        names = [subset.name for subset in self.subsets]
        if twice := {name for name in names if names.count(name) > 1}:
            raise InvalidInput(f"subset {min(twice)!r} is declared twice", pointer="/subsets")

    def protocol_of(self, port: str) -> Protocol:
        """Return what is spoken on `port` ("" is the service's own)."""
        return self.protocols.get(port, Protocol.HTTP) if port else self.protocol
