"""What is known of one container, and which of its lives it leads: it may end and start again under the same id.

Ends and starts are told apart by the engine's own clock (microseconds), never by the order in which words arrive; where
that clock was set back, by what the engine goes on saying.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Final

from xds.labels.description import Description
from xds.labels.dialect import Reading
from xds.model.health import Health
from xds.model.problems import Problem
from xds.model.sighting import Standing
from xds.model.signal import Signal
from xds.sources.docker.effects import Ask
from xds.sources.docker.facts import DEFAULT_STOP, Facts
from xds.sources.docker.proving import Proof
from xds.sources.docker.registration import Registration
from xds.sources.docker.stream import Event

KILL: Final = 9
SURVIVED: Final = 2.0  # seconds beyond its time to stop, or a death, after which a container has outlived it
NO_LABEL: Final = "it did not opt in: fairlead.enable is not true, and it has no label fairlead.service"


@dataclass(eq=False, slots=True)
class Life:
    """One container. `number` counts its proofs, so that answers to an earlier one are known as such.

    `ended` and `signalled` are the last moments at which it ended and was asked to; whatever started later is another
    life. `heard` is when the last word of an end came, `dead` the process whose end the kernel told. `drained` is when
    it has outlived that signal, `retry` when to inspect it again (monotonic; infinity: never). `rejected` is why it is
    registered nowhere else. `reported` is the last word of the engine's own check that was passed on, `mark` how it
    looked in the last list, `trouble` and `hint` what is wrong with it and may explain it, in words.
    """

    id: str
    facts: Facts | None = None
    said: Description | None = None
    problems: tuple[Problem, ...] = ()
    wanted: bool = False
    mark: str = ""
    number: int = 0
    proof: Proof | None = None
    told: Registration | None = None
    reported: Signal | None = None
    ended: int = -1
    heard: float = -inf
    dead: int = 0
    signalled: int = -1
    drained: float = inf
    inspecting: bool = False
    again: bool = False
    failures: int = 0
    retry: float = inf
    trouble: str = ""
    hint: str = ""
    rejected: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return its name, "" while it is not known."""
        return self.facts.name if self.facts else ""

    @property
    def serves(self) -> bool:
        """Say whether it runs, as far as anybody knows."""
        return self.facts is not None and self.facts.serves and self.facts.started > self.ended

    @property
    def leaving(self) -> bool:
        """Say whether this life of it was asked to end."""
        return self.facts is not None and self.facts.started <= self.signalled

    def due(self) -> float:
        """Return the next moment at which time changes something."""
        return min(inf if self.proof is None else self.proof.due, self.drained, self.retry)

    def questions(self, now: float) -> list[Ask]:
        """Return what is to be asked now; it is taken as asked."""
        proof = self.proof
        if proof is None or proof.check is None:
            return []
        return [Ask(self.id, self.number, at, proof.trials[at].place, proof.check) for at in proof.questions(now)]

    def end(self, moment: int, now: float) -> None:
        """Take the word that it ended at a moment of the engine's clock."""
        self.ended, self.heard = max(self.ended, moment), now

    def weigh(self, now: float) -> None:
        """Inspect it again where the engine says that it runs, and said that it ended; later, believe that it runs.

        What was killed is gone by then, so the engine's clock was set back. The kernel is believed in any case.
        """
        if self.facts is not None and self.facts.serves and not self.serves and self.facts.pid != self.dead:
            self.retry = self.heard + SURVIVED
            if self.retry <= now:
                self.ended, self.retry = -1, inf

    def hear(self, event: Event, now: float) -> str:
        """Take an event; return in words what has come to an end by it, "" where nothing has."""
        moment = event.at // 1000 or (self.facts.started if self.facts else 0)
        match event.action:
            case "die" | "destroy":
                self.end(moment, now)
                return f"it ended ({event.action})"
            case "kill" if event.signal == KILL:
                self.end(moment, now)
                return "it was killed"
            case "kill" if event.signal in (self.facts.stops_by if self.facts else DEFAULT_STOP):
                self.signalled = max(self.signalled, moment)
                return f"it was asked to stop (signal {event.signal})"
            case "pause" if self.facts is not None:
                self.facts = replace(self.facts, paused=True)
                return "it is paused"
        return ""

    def learn(self, facts: Facts, reading: Reading) -> bool:
        """Take what the engine says; True when this is another life than the one that was known."""
        before, self.facts = self.facts, facts
        if before is None or _identity(before) != _identity(facts):
            found = reading.describe(facts.labels, facts.container, facts.env)
            self.said, self.problems, self.wanted = found.description, found.problems, found.wanted
        another = before is not None and before.started != facts.started
        if another:
            self.proof, self.drained = None, inf
        return another

    def state(self) -> str:
        """Return how it stands, in words."""
        return self.stands()[1]

    def stands(self) -> tuple[Standing, str]:
        """Return how it stands, in one word and in several."""
        words = "; ".join(f"{problem.pointer}: {problem.message}" for problem in self.problems)
        if self.told is not None:
            at = f"registered at {self.told.place.address} ({self.told.place.way})"
            ill = self.reported.why if self.reported and self.reported.health is Health.UNHEALTHY else ""
            return Standing.REGISTERED, "; ".join(filter(None, (at, ill, words)))
        if self.trouble:
            return Standing.UNKNOWN, self.trouble
        if self.facts is None or not self.serves:
            return Standing.ENDED, "is paused" if self.facts and self.facts.paused else "does not run"
        if not self.wanted:
            return Standing.UNLABELLED, words or NO_LABEL
        if self.said is None:
            return Standing.REFUSED, f"refused: {words}"
        if self.leaving:
            return Standing.DRAINING, "draining"
        if self.proof is None and self.said.awaits_engine and self.facts.health != "healthy":
            return Standing.UNREADY, f"waits for its HEALTHCHECK, which says {self.facts.health or 'nothing'}"
        if self.proof is None:
            return Standing.UNREADY, f"waits for the engine's word on the container {self.facts.joins[:12]}"
        why = "; ".join(self.proof.rejected(None)) or "it has no address"
        return Standing.UNREADY, f"not ready: {why}" + (f"; {self.hint}" if self.hint else "")


def _identity(facts: Facts) -> tuple[object, ...]:
    """Return what a description is made of."""
    return facts.labels, facts.env, facts.container
