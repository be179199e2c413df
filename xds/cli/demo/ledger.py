"""The ledger: which user was answered by which version, and what should have been.

Pure bookkeeping, without clock or network. The split that is wanted is the only thing it believes; where each user
belongs follows from it by `xds.model.bucket`, the same hash that the filter computes inside Envoy. While a weight is on
its way to the Envoys a user may be where the old split or the new one says, and nowhere else. While the new version is
sick its users may be anywhere, and what they lose is counted apart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from xds.model.bucket import bucket
from xds.model.split import Split

MOST_EXAMPLES = 3


class Direction(Enum):
    """Which way users may move at the moment."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request under way: whose it is, and what was wanted when it left."""

    user: int
    wanted: tuple[Split, ...]
    window: Window | None
    left_sick: bool = False


@dataclass(slots=True)
class Window:
    """The requests that left after a weight was done: whole rounds, so that every user is in it equally often."""

    size: int
    left: int = 0
    answered: int = 0
    by_version: dict[str, int] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    turncoats: int = 0  # users that two versions answered

    @property
    def is_full(self) -> bool:
        """Say whether every request of the window has ended."""
        return self.answered >= self.size


@dataclass(slots=True)
class Count:
    """How often something happened, and the first few times in words."""

    number: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more."""
        self.number += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(example)

    def __str__(self) -> str:
        """Return the number, with the examples when there are any."""
        return f"{self.number} ({'; '.join(self.examples)})" if self.number else "0"


class Ledger:
    """What happened to a fixed set of users since the beginning.

    `old` and `new` are the two versions; `salt` is the one of the service's split. A user `went_back` who was answered
    by the new version and then by the old one while users may only move forward (or the other way round in an abort).
    `misplaced` counts answers of a version that neither the wanted split nor the one before it gives to that user.
    `suffered` counts what got no good answer while the new version was sick.
    """

    def __init__(self, users: Sequence[str], *, old: str, new: str, salt: str) -> None:
        """Know `users`, all of them at `old`, and nothing of what happened."""
        self.users = tuple(users)
        self.old, self.new = old, new
        self.buckets = tuple(bucket(salt, user.encode()) for user in users)
        self.requests = 0
        self.failed = Count()
        self.suffered = Count()
        self.went_back = Count()
        self.misplaced = Count()
        self._direction = Direction.FORWARD
        self._wanted: tuple[Split, ...] = (Split.whole(old),)
        self._last: list[str] = [""] * len(self.users)
        self._window: Window | None = None
        self._is_sick = False

    @property
    def wanted(self) -> Split:
        """Return the split that is wanted now."""
        return self._wanted[-1]

    def moving(self, weight: int, direction: Direction = Direction.FORWARD) -> None:
        """From now on `weight` 10,000ths of the users belong to the new version, or are on their way."""
        self._window = None
        self._direction = direction
        target = self.wanted.shift({self.old: 10_000 - weight, self.new: weight})
        self._wanted = (*self._wanted, target)

    def sickens(self) -> Window:
        """The new version is sick from now on: open a window without an end."""
        self._is_sick = True
        self._window = Window(sys.maxsize)
        return self._window

    def recovers(self) -> None:
        """From now on every user has to be where the wanted split says, again."""
        self._is_sick = False
        self._window = None

    def moved(self, requests: int) -> Window:
        """The wanted weight is done: open a window of at least `requests` requests, in whole rounds of all users."""
        self._wanted = self._wanted[-1:]
        rounds = -(-requests // len(self.users))
        self._window = Window(rounds * len(self.users))
        return self._window

    def on_new(self, split: Split) -> int:
        """Return how many of the users `split` gives to the new version: a count, not an estimate."""
        return sum(split.owner(number) == self.new for number in self.buckets)

    def leave(self, user: int) -> Attempt:
        """A request of `user` (an index) leaves."""
        window = self._window
        if window is not None:
            if window.left >= window.size:
                window = self._window = None
            else:
                window.left += 1
        return Attempt(user, self._wanted, window, self._is_sick)

    def answered(self, attempt: Attempt, version: str) -> None:
        """It was answered by `version`."""
        user = attempt.user
        name = self.users[user]
        self.requests += 1
        if (last := self._last[user]) != version:
            forbidden = (self.new, self.old) if self._direction is Direction.FORWARD else (self.old, self.new)
            if (last, version) == forbidden and not self._is_excused(attempt):
                self.went_back.add(f"{name} from {last} to {version}")
            self._last[user] = version
        wanted = {split.owner(self.buckets[user]) for split in (*attempt.wanted, *self._wanted)}
        if version not in wanted and not self._is_excused(attempt):
            self.misplaced.add(f"{name} in bucket {self.buckets[user]} was answered by {version}")
        if (window := attempt.window) is not None:
            window.answered += 1
            window.by_version[version] = window.by_version.get(version, 0) + 1
            if window.users.setdefault(user, version) != version:
                window.turncoats += 1

    def lost(self, attempt: Attempt, reason: str) -> None:
        """It got no good answer; `reason` says what came instead."""
        self.requests += 1
        (self.suffered if self._is_excused(attempt) else self.failed).add(f"{self.users[attempt.user]}: {reason}")
        if attempt.window is not None:
            attempt.window.answered += 1

    def _is_excused(self, attempt: Attempt) -> bool:
        """Say whether the new version was sick when it left, or is now, when its answer is here."""
        return attempt.left_sick or self._is_sick
