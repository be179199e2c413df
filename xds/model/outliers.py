"""What Envoys' counts say of single instances: which of a service answer worse than the others.

Pure: it sees the attempts of one service by instance, and is told what time it is. When all are bad together, the cause
is common, and taking one out only sends its requests to the next; so an outlier is bad both by itself and beside the
others, at most half of a service is taken out, and who was out comes back by a part first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from xds.model.health import Health
from xds.model.signal import Signal
from xds.model.traffic import Attempts

LEAST: Final = 20
"""Requests within the window before anything is said: of ten, one error would be ten percent."""
UNSTABLE: Final = 0.9
UNHEALTHY: Final = 0.5
"""Success rates below which an instance is unstable, and unhealthy."""
WORSE: Final = 2.0
"""How many times the error rate of all others it must have: what they have in common is not its fault."""
MOST: Final = 0.5
"""The share of a service that may be taken out by this at all."""
OUT: Final = 30.0
LONGEST_OUT: Final = 300.0
"""Seconds that an unhealthy one stays out, doubling each time, at most; it then comes back unstable, with a part."""


@dataclass(slots=True)
class _Past:
    said: Signal
    out_until: float = 0.0
    outs: int = 0


class Outliers:
    """What was said of whom, so that it is said once, and who was out how often."""

    def __init__(self) -> None:
        """Start with nothing said."""
        self._pasts: dict[str, _Past] = {}

    def judge(self, attempts: Mapping[str, Attempts], size: int, now: float) -> dict[str, Signal | None]:
        """Return what is to be said now of the instances of one service of `size`; None takes the last word back.

        `attempts` are those within the last window, by instance.
        """
        wanted = {member: self._word(member, attempts, now) for member in attempts}
        for member in _too_many(wanted, attempts, size):
            wanted[member] = _said(Health.UNSTABLE, attempts[member], "too many are as bad to take it out")
        said: dict[str, Signal | None] = {}
        for member, word in wanted.items():
            past = self._pasts.get(member)
            if word is None:
                if past is not None:
                    said[member] = None
                    del self._pasts[member]
                continue
            if past is None:
                past = self._pasts[member] = _Past(word)
            elif past.said.health is word.health:
                self._reckon(past, word, now)
                continue
            self._reckon(past, word, now)
            past.said = word
            said[member] = word
        return said

    def silent(self, members: set[str], now: float) -> dict[str, Signal | None]:
        """Return what is to be said of those of whom there is no count any more: all but `members`."""
        said: dict[str, Signal | None] = {}
        for member in [*self._pasts]:
            if member in members:
                continue
            word = self._word(member, {}, now)
            if word is None:
                del self._pasts[member]
                said[member] = None
            elif word.health is not self._pasts[member].said.health:
                self._pasts[member].said = word
                said[member] = word
        return said

    def _word(self, member: str, attempts: Mapping[str, Attempts], now: float) -> Signal | None:
        own, past = attempts.get(member, Attempts()), self._pasts.get(member)
        if past is not None and now < past.out_until:
            return past.said
        if own.requests < LEAST:
            if past is None or past.said.health is Health.HEALTHY or now >= past.out_until + OUT:
                return None
            return _said(Health.UNSTABLE, own, "was taken out, and comes back by a part")
        rate = 1 - own.errors / own.requests
        if rate >= UNSTABLE or not _stands_out(own, attempts):
            return _said(Health.HEALTHY, own)
        return _said(Health.UNHEALTHY if rate < UNHEALTHY else Health.UNSTABLE, own)

    @staticmethod
    def _reckon(past: _Past, word: Signal, now: float) -> None:
        """Count how often it was out, and until when it is."""
        if word.health is Health.UNHEALTHY and now >= past.out_until:
            past.out_until = now + min(LONGEST_OUT, OUT * 2**past.outs)
            past.outs += 1
        elif word.health is Health.HEALTHY:
            past.outs = 0


def _stands_out(own: Attempts, attempts: Mapping[str, Attempts]) -> bool:
    """Say whether it errs at least twice as often as all others together; alone, nobody does."""
    requests = sum(each.requests for each in attempts.values()) - own.requests
    errors = sum(each.errors for each in attempts.values()) - own.errors
    return requests >= LEAST and own.errors / own.requests >= WORSE * errors / requests


def _too_many(wanted: Mapping[str, Signal | None], attempts: Mapping[str, Attempts], size: int) -> list[str]:
    """Return who may not be taken out, because the worst half of the service is already."""
    out = [member for member, word in wanted.items() if word is not None and word.health is Health.UNHEALTHY]
    out.sort(key=lambda member: (-attempts[member].errors / max(1, attempts[member].requests), member))
    return out[int(size * MOST) :]


def _said(health: Health, own: Attempts, why: str = "") -> Signal:
    rate = 1 - own.errors / own.requests if own.requests else 1.0
    counted = f"{own.errors:,} of {own.requests:,} requests failed at Envoys"
    numbers = {"requests": own.requests, "errors": own.errors, "success_rate": round(rate, 4)}
    return Signal(health, f"{counted}; {why}" if why else counted, numbers)
