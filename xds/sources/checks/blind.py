"""A checker that sees most of its targets fall silent at once has lost its own network, not they their lives.

Only silence counts: a refusal or an error is an answer, and whoever can be refused is not blind. Pure: it is told what
the targets look like, and when.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from xds.sources.checks.target import Stage, Target

SHARE: Final = 0.5
LEAST: Final = 5
"""Targets from which on the rule holds: of three, two may well die together."""
GOOD_ROUNDS: Final = 2
LONGEST_ROUND: Final = 10.0
RECOUNT: Final = 0.25
"""Seconds for which a count holds: when thousands fall silent, they are not counted thousands of times."""


class Blindness:
    """Whether the checker trusts its eyes."""

    def __init__(self) -> None:
        """Start trusting them."""
        self.blind = False
        self._counted: dict[float, tuple[float, bool]] = {}
        self._round_since = 0.0
        self._round_ends = 0.0
        self._good = 0

    def doubts(self, fallen: Target, targets: Iterable[Target], now: float) -> bool:
        """Say whether one that is about to fall has fallen silent together with most others; then we are blind."""
        if not fallen.silent:
            return False
        since = fallen.missing if fallen.missing is not None else now
        at, verdict = self._counted.get(fallen.check.period, (-RECOUNT, False))
        if now - at >= RECOUNT:
            verdict = _mostly_silent(targets, since)
            self._counted[fallen.check.period] = (now, verdict)
        if verdict:
            self.blind = True
            self._good = 0
            self._begin(now, fallen.check.period)
        return verdict

    def look(self, targets: Iterable[Target], now: float) -> bool:
        """Say whether sight has just come back: two rounds in a row in which most targets answered."""
        if not self.blind or now < self._round_ends:
            return False
        known = list(targets)
        if not any(target.asked is not None and target.asked >= self._round_since for target in known):
            self._round_ends = now + 1.0
            return False
        self._good = 0 if _mostly_silent(known, self._round_since, least=1) else self._good + 1
        self._begin(now, max((target.check.period for target in known), default=1.0))
        self.blind = self._good < GOOD_ROUNDS
        return not self.blind

    @property
    def next_look(self) -> float | None:
        """Return when to look again, None while there is nothing to look for."""
        return self._round_ends if self.blind else None

    def _begin(self, now: float, period: float) -> None:
        self._round_since, self._round_ends = now, now + min(max(period, 1.0), LONGEST_ROUND)
        self._counted.clear()


def _mostly_silent(targets: Iterable[Target], since: float, *, least: int = LEAST) -> bool:
    """Say whether of the targets that could have fallen, and were asked lately, most did not answer.

    Those that boot or were down before say nothing about our sight.
    """
    asked = silent = 0
    for target in targets:
        if target.stage in {Stage.UP, Stage.UNKNOWN} and target.asked is not None and target.asked >= since:
            asked += 1
            silent += target.silent
    return asked >= least and silent > SHARE * asked
