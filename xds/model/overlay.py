"""An overlay: an operator's act on what is declared, laid over it for a time, with owner and reason.

Declarations say how things should be, an overlay how they are treated meanwhile: instances that a selector picks are
drained or weighted otherwise, a service's users are pinned to one version. It outlives re-registrations and restarts,
and what it picks need not exist all the time. Knows no clock: whoever declares it says when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.model.breaker import LONGEST_FORCE, SHORTEST_FORCE
from xds.model.instance import MAX_WEIGHT
from xds.model.names import DEFAULT_ENV, ServiceKey, check_id
from xds.model.problems import InvalidInput
from xds.model.selector import EVERYTHING, Operator, Requirement, Selector


class Act(StrEnum):
    """What an overlay does: take instances out of traffic, give them a weight, or send all users to one version."""

    DRAIN = "drain"
    WEIGHT = "weight"
    PIN = "pin"


@dataclass(frozen=True, slots=True)
class Overlay:
    """One act. `selector` picks instances of `env` (drain, weight); `service` and `version` are what is pinned (pin).

    `lasts` is in seconds and `until` the moment it ends for people, both None until it is taken back. `since` is the
    revision at which it was said: of two that contradict each other the later one holds.
    """

    id: str
    act: Act
    env: str = DEFAULT_ENV
    selector: Selector = EVERYTHING
    service: str = ""
    version: str = ""
    weight: int | None = None
    reason: str = ""
    lasts: float | None = None
    until: datetime | None = None
    since: int = 0
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse an act that says too little or too much, with a pointer to the field."""
        check_id(self.id, pointer="/id", what="overlay id")
        check_id(self.env, pointer="/env", what="env")
        if self.act is Act.PIN:
            check_id(self.service, pointer="/service", what="service")
            check_id(self.version, pointer="/version", what="version")
        elif not self.selector.requirements:
            raise InvalidInput("it says nothing of which instances: name some", pointer="/selector")
        if (self.act is Act.WEIGHT) != (self.weight is not None):
            words = "needs one" if self.weight is None else "has none"
            raise InvalidInput(f"an overlay that {_VERBS[self.act]} {words}", pointer="/weight")
        if self.weight is not None and (isinstance(self.weight, bool) or not 0 <= self.weight <= MAX_WEIGHT):
            raise InvalidInput(f"weight {self.weight} is not between 0 and {MAX_WEIGHT}", pointer="/weight")
        if self.lasts is not None and not SHORTEST_FORCE <= self.lasts <= LONGEST_FORCE:  # NaN fails both comparisons
            raise InvalidInput(f"{self.lasts:g} s is not between a second and 30 days", pointer="/expires_in")

    @property
    def target(self) -> tuple[str, Act, str, str]:
        """Return what it is about: an overlay is declared again, never turned into another."""
        return self.env, self.act, str(self.selector), self.service

    @property
    def within(self) -> Selector:
        """Return the selector with its environment: instances of no other are picked."""
        return Selector((Requirement("env", Operator.IN, (self.env,)),)) & self.selector

    @property
    def pinned(self) -> ServiceKey | None:
        """Return the service whose users it pins, None for one about instances."""
        return ServiceKey(self.env, self.service) if self.act is Act.PIN else None

    @property
    def stops(self) -> bool:
        """Say whether the instances that it picks get no new requests."""
        return self.act is Act.DRAIN or self.weight == 0


_VERBS = {Act.DRAIN: "drains", Act.WEIGHT: "weighs instances", Act.PIN: "pins"}
