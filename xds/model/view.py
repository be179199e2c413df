"""One service as translation sees it: frozen, with everything that its resources depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.names import ServiceKey
from xds.model.policy import ServicePolicy
from xds.model.route import Route
from xds.model.service import Service


class Member(NamedTuple):
    """An instance as traffic sees it.

    `leaving` ones are gone, and stay in EDS until no route wants them; `held` ones are gone by absence alone, and count
    as before until somebody lets them go. `weighed` is what an overlay says of the weight, None where none does.
    """

    instance: Instance
    health: Health
    leaving: bool = False
    held: bool = False
    weighed: int | None = None

    @property
    def weight(self) -> int:
        """Return the weight that holds."""
        return self.instance.weight if self.weighed is None else self.weighed

    @property
    def serves(self) -> bool:
        """Say whether a subset may count on it."""
        return not self.leaving and self.weight > 0 and self.health.serves


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service with all that its resources depend on.

    `subsets` has one subset per version, the declared ones and `-` (every instance). A leaving member is in those only
    where nobody serves without it. `policies` are those that pick the service, the one that goes first first.
    """

    service: Service
    members: tuple[Member, ...]
    subsets: Mapping[str, tuple[Member, ...]]
    routes: tuple[Route, ...]
    policies: tuple[ServicePolicy, ...] = ()

    @property
    def key(self) -> ServiceKey:
        """Return the service's key."""
        return self.service.key

    @property
    def serving(self) -> frozenset[str]:
        """Return the subsets that have at least one member to count on."""
        return frozenset(name for name, members in self.subsets.items() if any(m.serves for m in members))
