"""How the instances of one subset share its requests, and when one of them is left out for a while.

Both are Envoy's own machinery, for each Envoy by itself: what a whole version's failures mean is the breaker's business
(`breaker.py`), and whether an instance is well that of its health.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from xds.model.problems import InvalidInput

MOST_FAILURES: Final = 1_000_000
SHORTEST: Final = 0.1
LONGEST: Final = 86_400.0


class Balancing(StrEnum):
    """How instances of one subset share its requests. The last two keep a key with its instance."""

    ROUND_ROBIN = "round-robin"
    LEAST_REQUEST = "least-request"
    RANDOM = "random"
    RING_HASH = "ring-hash"
    MAGLEV = "maglev"


BY_HASH: Final = frozenset({Balancing.RING_HASH, Balancing.MAGLEV})
"""Where a request's key decides."""


@dataclass(frozen=True, slots=True)
class Outlier:
    """When Envoy leaves out an instance by what it answers: times are seconds, `max_ejected` is percent of a subset.

    `consecutive_5xx` failures in a row (connections that fail count), looked at every `interval`, cost it `ejection`,
    and longer each time it happens again.
    """

    consecutive_5xx: int = 5
    interval: float = 10.0
    ejection: float = 30.0
    max_ejected: int = 50

    def __post_init__(self) -> None:
        """Refuse what Envoy would refuse, and what could never eject anybody."""
        bounds = (
            ("consecutive_5xx", 1, MOST_FAILURES),
            ("interval", SHORTEST, LONGEST),
            ("ejection", SHORTEST, LONGEST),
            ("max_ejected", 1, 100),
        )
        for name, least, most in bounds:
            value = getattr(self, name)
            if isinstance(value, bool) or not least <= value <= most:  # NaN fails both comparisons
                raise InvalidInput(f"{value} is not between {least:g} and {most:g}", pointer=f"/outlier/{name}")
