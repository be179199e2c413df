"""The last answers of one instance as a sliding window: success rate, P99, and what of it is out of the ordinary.

Losses, a jump of the time that answers take, and stalls are weak signs each, because a network does all three without
anybody being ill. They are added up, and only together, or again and again, do they make an instance unstable. Nothing
here makes it unhealthy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from statistics import median
from typing import Final

from xds.model.health import Health
from xds.model.signal import Signal

SIZE: Final = 20
"""Answers that count: with fewer, one loss is too much; with more, what is over is remembered for too long."""
LEAST: Final = 10
"""Answers before anything is said: a start is always out of the ordinary."""
LOSSES: Final = 4
"""Losses that are a sign by themselves: where one answer in a hundred is lost, four of twenty are 1 in 25,000."""
JUMP: Final = 4.0
JUMP_LEAST: Final = 0.02
"""How many times longer than usual answers take, and how much longer in seconds, to be half a sign."""
RECENT: Final = 5
"""Answers whose median is compared with what is usual: one that is slow is no jump."""
MEMORY: Final = 1 / 64
"""The share by which each answer moves what is usual: a new normal is one after a few minutes, a jump is none yet."""
CALM: Final = 0.5
"""Below this, what was out of the ordinary is over; at 1 it begins."""


@dataclass(slots=True)
class Window:
    """The last answers in seconds, lost ones as infinity; `usual` is how long they take in general."""

    answers: deque[float] = field(default_factory=lambda: deque(maxlen=SIZE))
    usual: float | None = None
    odd: bool = False

    def add(self, *, good: bool, seconds: float) -> None:
        """Note one answer."""
        self.answers.append(seconds if good else inf)
        if good:
            self.usual = seconds if self.usual is None else self.usual + MEMORY * (seconds - self.usual)

    def forgive(self) -> None:
        """Forget the losses since the last good answer: they were nobody's but ours."""
        while self.answers and self.answers[-1] == inf:
            self.answers.pop()

    @property
    def losses(self) -> int:
        """Return how many of the last answers were bad."""
        return sum(answer == inf for answer in self.answers)

    @property
    def p99(self) -> float | None:
        """Return the seconds within which 99 % of the good ones came, None without any."""
        good = sorted(answer for answer in self.answers if answer != inf)
        return good[ceil(0.99 * len(good)) - 1] if good else None

    @property
    def jump(self) -> float:
        """Return how many times longer than usual the last good answers took; 1 is nothing special."""
        recent = [answer for answer in self.answers if answer != inf][-RECENT:]
        if len(recent) < RECENT or not self.usual:
            return 1.0
        now = median(recent)
        return now / self.usual if now - self.usual >= JUMP_LEAST else 1.0

    @property
    def evidence(self) -> float:
        """Return what the signs add up to: 1 is out of the ordinary."""
        if len(self.answers) < LEAST:
            return 0.0
        jumped = min(1.0, 0.5 * self.jump / JUMP) if self.jump >= JUMP else 0.0
        return self.losses / LOSSES + jumped

    def numbers(self) -> Mapping[str, float]:
        """Return what a word can rest on, by name."""
        told: dict[str, float] = {"answers": len(self.answers)}
        if self.answers:
            told["success_rate"] = round(1 - self.losses / len(self.answers), 3)
        if self.p99 is not None:
            told |= {"p99_ms": round(1000 * self.p99, 1), "usual_ms": round(1000 * (self.usual or 0.0), 1)}
        return told

    def weak(self) -> Signal | None:
        """Return the word that the signs add up to, None while nothing is out of the ordinary."""
        evidence = self.evidence
        self.odd = evidence >= (CALM if self.odd else 1.0)
        if not self.odd:
            return None
        signs = [f"{self.losses} of the last {len(self.answers)} answers were bad"] if self.losses else []
        if self.jump >= JUMP:
            signs.append(f"answers take {self.jump:.0f} times as long as usual")
        return Signal(Health.UNSTABLE, " and ".join(signs), {**self.numbers(), "evidence": round(evidence, 2)})
