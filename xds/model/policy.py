"""A policy: how the services that a selector picks are treated, wherever they say nothing of it themselves.

It picks services by their own labels, name, environment and protocol; never by what instances say, since a canary must
not change how its service is treated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xds.model.breaker import Limits, Rule
from xds.model.callers import parse_callers
from xds.model.names import Key, check_id
from xds.model.problems import InvalidInput
from xds.model.route import MAX_PRIORITY, Retry, check_timeout
from xds.model.selector import Selector
from xds.model.service import Service
from xds.model.split import TOTAL


@dataclass(frozen=True, slots=True)
class Mirror:
    """A share of the requests (10,000ths) that a subset gets a copy of; `service` "" is the one that is asked.

    Nobody waits for a copy, and nobody sees what it is answered.
    """

    subset: str
    share: int = TOTAL
    service: str = ""

    def __post_init__(self) -> None:
        """Refuse a copy of nothing, and names that can be none."""
        check_id(self.subset, pointer="/mirror/subset", what="subset")
        if self.service:
            check_id(self.service, pointer="/mirror/service", what="service")
        if not 1 <= self.share <= TOTAL:
            raise InvalidInput("a mirror takes from 0.01 to 100 percent", pointer="/mirror/share")


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """What a policy says; a field that is None says nothing. Times are seconds.

    Of several that pick a service the one with the highest `priority` goes first, then the one whose selector asks for
    more, then the first by name. Each field is decided by itself.
    """

    key: Key
    selector: Selector
    priority: int = 0
    timeout: float | None = None
    retry: Retry | None = None
    breaker: Rule | Literal[False] | None = None
    limits: Limits | None = None
    allow_from: tuple[str, ...] | None = None
    mirror: Mirror | None = None
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse what Envoy could not run, with a pointer to the field."""
        check_id(self.key.env, pointer="/env", what="env")
        check_id(self.key.name, pointer="/name", what="policy name")
        if abs(self.priority) > MAX_PRIORITY:
            raise InvalidInput(f"priority {self.priority} is beyond {MAX_PRIORITY}", pointer="/priority")
        if self.timeout is not None:
            check_timeout(self.timeout, pointer="/timeout")
        if self.allow_from is not None:
            parse_callers(self.allow_from, pointer="/allow_from")

    @property
    def rank(self) -> tuple[int, int]:
        """Return what decides who goes first, the lowest; equals are ordered by name."""
        return -self.priority, -len(self.selector.requirements)

    def picks(self, service: Service) -> bool:
        """Say whether a service is one of those that this policy is about."""
        return service.key.env == self.key.env and self.selector.matches(_facts(service))


def _facts(service: Service) -> Mapping[str, str]:
    own = {"service": service.key.name, "env": service.key.env, "protocol": service.protocol.value}
    return {**service.labels, **own}


class Policies:
    """The policies that stand: a table with one owner."""

    def __init__(self) -> None:
        """Start without any."""
        self.by_key: dict[Key, ServicePolicy] = {}

    def replace(self, key: Key, after: ServicePolicy | None) -> None:
        """Let `after` stand under a name, None for nothing."""
        if after is None:
            self.by_key.pop(key, None)
        else:
            self.by_key[key] = after

    def of(self, service: Service) -> tuple[ServicePolicy, ...]:
        """Return the policies that pick a service, the one that goes first first."""
        if not self.by_key:
            return ()
        found = (policy for policy in self.by_key.values() if policy.picks(service))
        return tuple(sorted(found, key=lambda policy: (policy.rank, policy.key.name)))
