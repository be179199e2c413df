"""From a container that runs to one that answers: when it is asked, where, and which address has proven itself.

Pure: moments are arguments, the asking is done elsewhere. A place is believed after as many good answers in a row as
the check demands; a better one that has begun to answer, or has not had the time to, is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
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
class Trial:
    """One place: when it is asked next, whether it is being asked, its good answers in a row, and the last one.

    `last` is "" for a good answer, else why not; None before the first.
    """

    place: Candidate
    next: float
    asking: bool = False
    good: int = 0
    last: str | None = None


@dataclass(slots=True)
class Proof:
    """One container on its way in. `check` None asks nothing: the first place is believed.

    Each place is asked by itself, so that one from which nobody answers (a network that cannot be reached from here)
    does not hold up the others.
    """

    check: Check | None
    places: Places
    begun: float
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Ask at once."""
        self.trials = [Trial(each, self.begun) for each in self.places.candidates]

    @property
    def at_once(self) -> Candidate | None:
        """Return the place that needs no proof."""
        return self.places.candidates[0] if self.check is None and self.places.candidates else None

    @property
    def due(self) -> float:
        """Return when a place is to be asked that is not being asked; infinity where none is."""
        waiting = () if self.check is None else (each.next for each in self.trials if not each.asking)
        return min(waiting, default=inf)

    def questions(self, now: float) -> list[int]:
        """Return the numbers of the places that are to be asked now, and take them as asked."""
        found = [at for at, each in enumerate(self.trials) if not each.asking and each.next <= now]
        for at in found:
            self.trials[at].asking = True
        return found

    def answered(self, at: int, why: str, now: float) -> Candidate | None:
        """Take the answer of one place ("" for well, else why not); return the place that is proven now, if any."""
        if self.check is None:
            return None
        trial = self.trials[at]
        trial.asking, trial.last, trial.good = False, why, 0 if why else trial.good + 1
        trial.next = now + self._pace(self.check, trial, now)
        for each in self.trials:
            if each.good >= self.check.rise:
                return each.place
            if each.good or each.last is None:
                return None  # a better one is on its way, or may be
        return None

    def rejected(self, chosen: Candidate | None) -> tuple[str, ...]:
        """Return why each place but the chosen one is none."""
        others = [each for each in self.trials if each.place is not chosen]
        asked = (f"{each.place.address} ({each.place.way}): {self._why(each)}" for each in others)
        return (*asked, *self.places.rejected)

    def _why(self, trial: Trial) -> str:
        if trial.last is None:
            return "not asked" if self.check is None else "no answer yet"
        return trial.last or "answers, too"

    def _pace(self, check: Check, trial: Trial, now: float) -> float:
        waited = now - self.begun
        if waited < EAGER:
            return PACE if trial.good else min(PACE, max(FIRST_PACE, waited / 2))
        return PATIENT_PACE if waited < check.start_period else max(PATIENT_PACE, check.period)
