"""What a container comes to: an instance, what it says of its service, its routes, and how it would like to come in.

Values only. What holds for the service is not decided here, since one container does not know the others (`merge.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from xds.labels.words import Entry
from xds.model.analysis import Analysis
from xds.model.balancing import Balancing, Outlier
from xds.model.breaker import Limits, Rule
from xds.model.check import Check
from xds.model.instance import DEFAULT_WEIGHT, Address, Instance
from xds.model.names import ServiceKey
from xds.model.preview import Preview
from xds.model.problems import Problem
from xds.model.rollout import WAITS, Step
from xds.model.route import Retry, Route
from xds.model.service import Protocol
from xds.model.split import TOTAL, SplitKey

DEFAULT_DRAIN: Final = 10.0
_SHORT_ID: Final = 12  # digits of a container's id, as the engine's own tools show them
_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Container:
    """What an engine knows of a container before anybody reads its labels.

    `id` is the long one and `digest` the image's (`sha256:...`). `ports` are the TCP ports that it exposes, inside;
    `networks` the names of those that it is in; `healthcheck` whether the engine checks it.
    """

    id: str = ""
    name: str = ""
    image: str = ""
    digest: str = ""
    ports: tuple[int, ...] = ()
    networks: tuple[str, ...] = ()
    healthcheck: bool = False


@dataclass(frozen=True, slots=True)
class ServiceLabels:
    """What a container says of its service; None and nothing are silence. Times are seconds.

    `breaker`, `limits` and `allow_from` also ride on the instance, where translation reads those of the stable version.
    """

    protocol: Protocol | None = None
    timeout: float | None = None
    retry: Retry | None = None
    balancing: Balancing | None = None
    hash_key: SplitKey | None = None
    outlier: Outlier | None = None
    split_key: SplitKey | None = None
    breaker: Rule | Literal[False] | None = None
    limits: Limits | None = None
    allow_from: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """How a version would like to come in. `steps` and `most` are 10,000ths; `interval` None waits for somebody.

    With `by_evidence` it waits for nobody then, but for enough good requests, as `analysis` has them.
    """

    entry: Entry = Entry.AUTO
    steps: tuple[int, ...] = ()
    interval: float | None = None
    most: int = TOTAL
    auto_promote: bool = False
    preview: Preview | None = None
    analysis: Analysis | None = None
    by_evidence: bool = False

    @property
    def plan(self) -> tuple[Step, ...]:
        """Return the plan of its rollout: one that waits at 0 % for somebody, or (`off`) one step to everybody.

        Nothing where it comes in by hand.
        """
        if self.entry is Entry.OFF:
            return (Step(TOTAL, 0.0),)
        if self.entry is Entry.MANUAL:
            return ()
        pause = 0.0 if self.interval is None and self.by_evidence else self.interval
        return (WAITS, *(Step(weight, pause) for weight in self.steps if weight <= self.most))

    @property
    def criteria(self) -> Analysis | None:
        """Return by what its rollout is judged; what comes in with everybody at once is not."""
        return None if self.entry is Entry.OFF else self.analysis

    @property
    def shown(self) -> Preview | None:
        """Return who sees it while its rollout lasts; nobody where it begins none that waits."""
        return self.preview if self.entry is Entry.AUTO else None

    @property
    def promotes(self) -> bool:
        """Say whether its rollout ends by itself."""
        return self.entry is Entry.OFF or (self.entry is Entry.AUTO and self.auto_promote)


@dataclass(frozen=True, slots=True)
class Description:
    """One container, understood. `ports` by name, the first is its own; `labels` are what its instance carries.

    `network` and `address` say where to look for its address: `auto`, `container`, `published`, `host`, or an IP
    address. `ingress` is where its sidecar listens, at its own address where it has no host. `check` is how to ask it,
    None for not at all; `awaits_engine` whether the engine's word counts as well.
    """

    container: Container
    service: ServiceKey
    version: str
    ports: Mapping[str, int]
    weight: int = DEFAULT_WEIGHT
    region: str = ""
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    address: str = "auto"
    ingress: Address | None = None
    check: Check | None = None
    awaits_engine: bool = False
    drain: float = DEFAULT_DRAIN
    policy: ServiceLabels = ServiceLabels()
    routes: tuple[Route, ...] = ()
    canary: Canary = Canary()

    @property
    def instance_id(self) -> str:
        """Return an id for its instance: the service's name, and the container's id as tools show it."""
        return f"{self.service.name[:100]}-{short_id(self.container.id or self.container.name) or 'container'}"

    def instance(
        self,
        address: str,
        *,
        owner: str = "",
        ports: Mapping[str, int] | None = None,
        ingress: Address | None = None,
    ) -> Instance:
        """Return its instance at an address; `ports`, `ingress` where others lead there, as published ones do.

        InvalidInput for an address that no instance can have. Lease, epoch and seq are for those who register it.
        """
        if ingress is None and self.ingress is not None:
            ingress = Address(self.ingress.host or address, self.ingress.port)
        check = self.check
        if check is not None and check.port is None and ingress is not None and ingress.host == address:
            check = replace(check, port=ingress.port)  # the way of its users; its own port may be on loopback
        return Instance(
            id=self.instance_id,
            service=self.service,
            address=address,
            ports=self.ports if ports is None else ports,
            version=self.version,
            weight=self.weight,
            region=self.region,
            zone=self.zone,
            labels=self.labels,
            metadata=self.metadata,
            ingress=ingress,
            check=check,
            owner=owner,
        )


def short_id(container: str) -> str:
    """Return a container's id as it ends its instance's."""
    return _NOT_IN_IDS.sub("-", container.lower())[:_SHORT_ID]


@dataclass(frozen=True, slots=True)
class Described:
    """What became of one container: a description or none, and what is wrong with it.

    Without `wanted` it has not opted in, and nobody expects it to be registered.
    """

    description: Description | None
    problems: tuple[Problem, ...] = ()
    wanted: bool = False
