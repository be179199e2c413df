"""One target: how its answers add up to a word about it, and when it is to be asked again.

It knows its check and its own past. Clocks, sockets and other targets are known elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from xds.model.check import Check, CheckKind
from xds.model.fusion import SILENT
from xds.model.health import Health
from xds.model.signal import Signal
from xds.model.window import Window

BOOT_FIRST: Final = 0.1
BOOT_LAST: Final = 2.0
"""Seconds between two questions while an instance boots: doubling, from the first to the last."""
CONFIRM: Final = 0.05
"""Seconds after a good answer until the next question, while the good ones in a row do not suffice."""
SPREAD: Final = 0.1
"""The share of a period by which questions are spread at random, so that they do not come in step."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question. `silent`: nobody answered at all, which may be our own fault; a refusal is one."""

    good: bool
    why: str = "answered"
    seconds: float = 0.0
    silent: bool = False


class Stage(Enum):
    """How a target stands: never ready yet, not judged since we started, or judged."""

    STARTING = "starting"
    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(slots=True)
class Target:
    """One instance that is checked, `behind` a sidecar or not. Times are monotonic seconds."""

    id: str
    check: Check
    host: str
    ports: tuple[tuple[str, int], ...]
    stage: Stage
    since: float
    behind: bool = False
    good: int = 0
    bad: int = 0
    boot: float = BOOT_FIRST
    asked: float | None = None
    missing: float | None = None
    silent: bool = False
    suspected: float | None = None
    word: Signal | None = None
    window: Window = field(default_factory=Window)

    @property
    def port(self) -> int:
        """Return where the check goes."""
        return self.check.port or self.ports[0][1]

    @property
    def elsewhere(self) -> tuple[tuple[str, int], ...]:
        """Return the registered ports that the check itself says nothing of, while they have to prove themselves.

        The first of one that is behind a sidecar is reached by that one alone.
        """
        if self.stage is not Stage.STARTING or any(number == self.port for _, number in self.ports):
            return ()
        return self.ports[1:] if self.behind else self.ports

    def take(self, outcome: Outcome, at: float, *, blind: bool = False) -> None:
        """Count one answer; `at` is when the question was asked. Silence is no loss to a checker that is `blind`."""
        self.asked, self.silent = at, outcome.silent
        if not (blind and outcome.silent):
            self.window.add(good=outcome.good, seconds=outcome.seconds)
        if outcome.good:
            self.good, self.bad, self.boot, self.missing = self.good + 1, 0, CONFIRM, None
        else:
            self.good, self.bad = 0, self.bad + 1
            self.boot = min(BOOT_LAST, 2 * self.boot) if self.bad > 1 else BOOT_FIRST
            self.missing = at if self.missing is None else self.missing

    @property
    def falls(self) -> bool:
        """Say whether the next word would be the one that takes it out of traffic."""
        return self.stage in {Stage.UP, Stage.UNKNOWN} and self.bad >= self.check.fall

    def judge(self, outcome: Outcome) -> Signal | None:
        """Return the word that is to be said now, None when the last one still stands."""
        word = self._word(outcome)
        if word is None or (self.word is not None and (word.health, word.why) == (self.word.health, self.word.why)):
            return None
        self.word = word
        return word

    def _word(self, outcome: Outcome) -> Signal | None:
        check, numbers = self.check, self.window.numbers()
        if self.stage is not Stage.UP and self.good >= check.rise:
            self.stage = Stage.UP
        elif self.falls:
            self.stage = Stage.DOWN
        match self.stage:
            case Stage.STARTING:
                text = outcome.why if not outcome.good else f"good answers, {check.rise} in a row are wanted"
                return Signal(Health.STARTING, f"not ready yet: {text}", numbers)
            case Stage.DOWN if outcome.good:
                return self.word
            case Stage.DOWN:
                return Signal(Health.UNHEALTHY, outcome.why, {**numbers, "bad_in_a_row": self.bad, SILENT: self.silent})
            case Stage.UP:
                return self.window.weak() or Signal(Health.HEALTHY, "answers well", numbers)
            case Stage.UNKNOWN:
                return None

    def period(self, chance: float) -> float:
        """Return the seconds until the next question; `chance` from 0 to 1 spreads it."""
        wanted = self.check.period
        if self.stage is Stage.STARTING and self.check.kind is not CheckKind.TTL:
            wanted = min(self.boot, wanted)
        return wanted * (1 + SPREAD * (chance - 0.5))
