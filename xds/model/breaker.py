"""What a service says of its circuit breaker and its limits, and what an operator forces.

A breaker's rule is kept as it was said, number by number: what nobody said follows the defaults of the release that
runs, which live with the filter's schema (`xds.wire.filter_schema.BreakerRule`) and are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from xds.model.problems import InvalidInput

Rule = Mapping[str, int | bool]
"""The fields of a breaker's rule that somebody set; empty for a breaker with all defaults."""
MOST: Final = 0xFFFF_FFFF
SHORTEST_FORCE: Final = 1.0
LONGEST_FORCE: Final = 30 * 86_400.0


class ForcedState(StrEnum):
    """What an operator holds a breaker at: nobody is sent there, or everybody whatever it answers."""

    OPEN = "open"
    CLOSED = "closed"


class BreakerState(IntEnum):
    """How a breaker stands in one Envoy; the numbers are the filter's, UNKNOWN is one that a newer filter has.

    GONE is one whose cluster no longer exists: an Envoy tells its last number until it ends.
    """

    GONE = -2
    UNKNOWN = -1
    CLOSED = 0
    OPEN = 1
    PROBING = 2
    RAMP = 3
    FORCED_OPEN = 4
    FORCED_CLOSED = 5

    @classmethod
    def of(cls, number: float) -> BreakerState:
        """Return the state of a number."""
        return cls(int(number)) if number in set(cls) and number >= 0 else cls.UNKNOWN

    @property
    def words(self) -> str:
        """Return it as people and programs read it: `forced open`."""
        return self.name.lower().replace("_", " ")


@dataclass(slots=True)
class Reported:
    """What one Envoy tells of a breaker; the counts are since it was first heard of, or heard of again."""

    state: BreakerState = BreakerState.UNKNOWN
    opens: int = 0
    probes: int = 0
    remapped: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Forced:
    """One subset's breaker held by an operator, by whom and why. `lasts` is in seconds, None until it is taken back.

    `until` is the moment it ends by the clock of the wall, for people and for a restart; None where nobody said.
    `since` is the revision at which it was said: saying it again begins the time again.
    """

    state: ForcedState
    by: str = ""
    reason: str = ""
    lasts: float | None = None
    since: int = 0
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse times that no clock here can tell."""
        if self.lasts is not None and not SHORTEST_FORCE <= self.lasts <= LONGEST_FORCE:  # NaN fails both comparisons
            raise InvalidInput(f"{self.lasts:g} s is not between a second and 30 days", pointer="/expires_in")


@dataclass(frozen=True, slots=True)
class Limits:
    """What each Envoy may have under way to one cluster; None leaves Fairlead's default.

    `pending` waits for a connection, `requests` and `retries` are in flight. Beyond a limit Envoy answers 503 at once.
    `retry_budget` is percent of the requests in flight, and takes the place of `retries`.
    """

    connections: int | None = None
    pending: int | None = None
    requests: int | None = None
    retries: int | None = None
    retry_budget: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would let nothing through, save for retries, and what Envoy cannot count."""
        bounds = dict.fromkeys(("connections", "pending", "requests"), (1, MOST))
        for name, (least, most) in {**bounds, "retries": (0, MOST), "retry_budget": (0, 100)}.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not least <= value <= most):
                raise InvalidInput(f"{value} is not between {least} and {most}", pointer=f"/limits/{name}")


NO_LIMITS: Final = Limits()
"""Fairlead's defaults for everything."""
