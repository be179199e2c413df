"""From a container that runs to one that answers: when it is asked, where, and which address has proven itself.

Pure: moments are arguments, the asking is done elsewhere. A place is believed after as many good answers in a row as
the check demands; a better one that has begun to answer is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from xds.model.check import Check, CheckKind
from xds.sources.docker.addresses import Candidate, Places

EAGER: Final = 5.0  # seconds for which it is asked every PACE: most programs are up by then
PACE: Final = 0.05
FIRST_PACE: Final = (
    0.005  # many programs are up within a few milliseconds: at first they are asked as often, until they answer
)
PATIENT_PACE: Final = 0.25
REACHES: Final = Check(CheckKind.TCP, rise=1)
"""What proves an address where the engine's own check says the rest."""


@dataclass(slots=True)
class Proof:
    """One container on its way in. `check` None asks nothing: the first place is believed."""

    check: Check | None
    places: Places
    begun: float
    next: float = 0.0
    asking: bool = False
    good: list[int] = field(default_factory=list)
    last: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Ask at once."""
        self.next = self.begun
        self.good = [0] * len(self.places.candidates)

    @property
    def at_once(self) -> Candidate | None:
        """Return the place that needs no proof."""
        return self.places.candidates[0] if self.check is None and self.places.candidates else None

    @property
    def askable(self) -> bool:
        """Say whether there is anything to ask that has not been asked yet."""
        return self.check is not None and bool(self.places.candidates) and not self.asking

    def overdue(self, now: float) -> bool:
        """Say whether it takes longer than its labels gave it."""
        return self.check is not None and now - self.begun > self.check.start_period

    def answered(self, answers: Sequence[str], now: float) -> Candidate | None:
        """Take what each place answered ("" for well, else why not); return the one that is proven now, if any."""
        self.asking = False
        check = self.check
        if check is None or len(answers) != len(self.good):
            return None
        self.good = [count + 1 if not why else 0 for count, why in zip(self.good, answers, strict=True)]
        self.last = tuple(answers)
        self.next = now + self._pace(check, now)
        for count, place in zip(self.good, self.places.candidates, strict=True):
            if count >= check.rise:
                return place
            if count:
                return None  # a better one is on its way
        return None

    def rejected(self, chosen: Candidate | None) -> tuple[str, ...]:
        """Return why each place but the chosen one is none."""
        answers = self.last or ("not asked",) * len(self.places.candidates)
        others = zip(self.places.candidates, answers, strict=True)
        asked = (f"{each.address} ({each.way}): {why or 'answers, too'}" for each, why in others if each is not chosen)
        return (*asked, *self.places.rejected)

    def _pace(self, check: Check, now: float) -> float:
        waited = now - self.begun
        if waited < EAGER:
            return PACE if any(self.good) else min(PACE, max(FIRST_PACE, waited / 2))
        return PATIENT_PACE if waited < check.start_period else max(PATIENT_PACE, check.period)
