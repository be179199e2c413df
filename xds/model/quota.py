"""How many instances the registry takes, of one service and in all: what one hostile or broken source may cost.

What is known already may always change and renew; only what would be new is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from xds.model.instance import Instance
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.problems import InvalidInput, TooMany


@dataclass(frozen=True, slots=True)
class Quotas:
    """The numbers; InvalidInput, with the field as pointer, for what lets nobody in."""

    instances: int = 250_000
    per_service: int = 20_000

    def __post_init__(self) -> None:
        """Refuse numbers below one."""
        for name in ("instances", "per_service"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is {getattr(self, name)}, and has to be 1 at least", pointer=f"/{name}")


@dataclass(slots=True)
class Admitted:
    """The instances that one batch adds; those that it removes count until it is committed."""

    quotas: Quotas
    intent: Intent
    of_service: Counter[ServiceKey] = field(default_factory=Counter)
    total: int = 0

    def admit(self, instance: Instance) -> None:
        """Count a new instance, or refuse it (TooMany)."""
        key = instance.service
        if len(self.intent.members_of(key)) + self.of_service[key] >= self.quotas.per_service:
            raise TooMany(f"service {key} has {self.quotas.per_service} instances, as many as one may have")
        if len(self.intent.instances) + self.total >= self.quotas.instances:
            raise TooMany(f"there are {self.quotas.instances} instances, as many as this registry takes")
        self.of_service[key] += 1
        self.total += 1
