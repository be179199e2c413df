"""Self-preservation: how much silence is believed at once, before it is more likely to be ours than theirs.

Silent instances are marked and stay in EDS; who may leave, and how many, is decided here. Too much silence, of a
service or of all, is *held*: nobody goes until renewals return, or one by one when their checks have failed as well, or
after a long time. Pure: time is an argument.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, fields

from xds.model.names import ServiceKey
from xds.model.problems import InvalidInput

FLOOR = 5  # silent leases in all, up to which the services decide for themselves


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers; seconds, and shares of one.

    Where more than `share` of the expected renewals are missing, those who went within the last `window` counted,
    nobody goes. A held instance goes when its check has failed for `failed_for`, or after `hard_limit` without a word.
    Where a check can be asked, its answer is waited for `patience`.
    """

    share: float = 0.15
    window: float = 60.0
    failed_for: float = 60.0
    hard_limit: float = 3600.0
    patience: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; the field is the pointer."""
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0 <= value < float("inf"):  # NaN fails both comparisons
                raise InvalidInput(f"{each.name} {value} is not zero or more", pointer=f"/{each.name}")
        if self.share > 1:
            raise InvalidInput(f"share {self.share} is more than all", pointer="/share")

    def allowed(self, expected: int) -> int:
        """Return how many of so many renewals may be missing; one always may."""
        return max(1, int(expected * self.share))


class Losses:
    """Who went by lease within the window, so that what dribbles away does not slip under the rule."""

    def __init__(self, window: float) -> None:
        """Start with none."""
        self._window = window
        self._went: deque[tuple[float, ServiceKey]] = deque()
        self.of: Counter[ServiceKey] = Counter()

    def add(self, service: ServiceKey, now: float) -> None:
        """Count one."""
        self._went.append((now, service))
        self.of[service] += 1

    def forget(self, now: float) -> None:
        """Forget what is older than the window."""
        while self._went and self._went[0][0] <= now - self._window:
            _, service = self._went.popleft()
            self.of[service] -= 1
            if not self.of[service]:
                del self.of[service]

    @property
    def total(self) -> int:
        """Return how many went."""
        return len(self._went)


@dataclass(frozen=True, slots=True)
class Silence:
    """How a service, or the whole registry, stands: leases `silent` now, `held` in all, `lost` within the window."""

    silent: int
    held: int
    lost: int

    @property
    def missing(self) -> int:
        """Return how many renewals are missing."""
        return self.silent + self.lost

    @property
    def expected(self) -> int:
        """Return how many were expected."""
        return self.held + self.lost


def is_too_much(silence: Silence, rules: Rules, *, floor: int = 1) -> bool:
    """Say whether so much silence is held."""
    return silence.silent > 0 and silence.missing > max(floor, rules.allowed(silence.expected))
