"""All containers of one engine, and what each comes to: the order of things, without an engine, a socket or a clock.

Senses call in (`listed`, `event`, `inspected`, `answered`, `died`); `turn` does what time brings; `effects` is what to
do about it. Three rules bear the rest:

- *An inspection is the truth, the others are reasons to make one.* So events may be lost, doubled or out of order, and
  a container that a list lacks is only gone once the engine says so of that container.
- *An end needs no confirmation.* A death or a stop withdraws at once; the engine's clock decides whether it concerns
  the life that a container leads now.
- *One container costs itself.* What cannot be read, inspected or proven leaves the others, and what is known, alone.

Moments (`now`) are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import Final

from xds.labels.description import Description, short_id
from xds.labels.dialect import OURS_ALONE, Reading
from xds.sources.docker.addresses import Standpoint, mapped_for_own, places
from xds.sources.docker.effects import Ask, Effect, Inspect, Watch
from xds.sources.docker.facts import Facts, Summary
from xds.sources.docker.life import SURVIVED, Life
from xds.sources.docker.proving import REACHES, Proof
from xds.sources.docker.registration import Registration
from xds.sources.docker.strangers import Strangers
from xds.sources.docker.stream import Event
from xds.sources.docker.telling import Telling
from xds.sources.docker.timers import Timers

RETRY: Final = 1.0  # seconds until an inspection that failed is made again, twice as many each time
LONGEST_RETRY: Final = 30.0


class Containers:
    """Every container that opted in, on one engine; `host` names the engine's host in what is told."""

    def __init__(
        self,
        *,
        reading: Reading = OURS_ALONE,
        stand: Standpoint | None = None,
        host: str = "",
        first_answer: bool = False,
    ) -> None:
        """Start with none. `first_answer` believes a place at once: somebody else counts the good answers after it."""
        self.reading = reading
        self._first_answer = first_answer
        self._stand = stand or Standpoint()
        self._lives: dict[str, Life] = {}
        self._joined: dict[str, set[str]] = {}  # who uses the network of whom
        self._absent: set[str] = set()  # whose network is used, and whom the engine does not have
        self._timers = Timers()
        self._touched: set[str] = set()  # whose next moment may be another one
        self._effects: list[Effect] = []
        self._telling = Telling(host, self._effects.append)
        self.strangers = Strangers()
        self._doubted = False  # the last list was empty, and nobody believed it

    # ------------------------------------------------------------------------------------------------ what is known
    def effects(self) -> list[Effect]:
        """Return what is to be done since the last call, in order."""
        effects = [*self._effects]
        self._effects.clear()
        return effects

    def due(self) -> float:
        """Return the moment of the next `turn`; infinity if nothing waits for time to pass."""
        for each in self._touched:
            life = self._lives.get(each)
            self._timers.set(each, life.due() if life else inf)
        self._touched.clear()
        return self._timers.next()

    def knows(self, container: str) -> bool:
        """Say whether a container is followed."""
        return container in self._lives

    def registered(self) -> dict[str, Registration]:
        """Return what stands registered, by the container's id."""
        return {each: life.told for each, life in self._lives.items() if life.told is not None}

    def lives(self) -> Iterable[Life]:
        """Return everything that is known of each container, for whoever tells more of it than its instance."""
        return self._lives.values()

    def runs(self, instances: Iterable[str]) -> set[str]:
        """Return which of some instances are of containers that run, proven or not, or have not been looked at yet."""
        unseen, lives = self.unseen, self._lives.values()
        running = {life.said.instance_id for life in lives if life.said and life.serves}
        return {each for each in instances if each in running or each.rpartition("-")[2] in unseen}

    @property
    def unseen(self) -> set[str]:
        """Return the short ids of containers that have not been inspected yet, or could not be."""
        return {short_id(life.id) for life in self._lives.values() if life.facts is None}

    def settled(self) -> bool:
        """Say whether every container that is known has been inspected, or could not be."""
        return not any(life.facts is None and life.inspecting for life in self._lives.values())

    def states(self) -> dict[str, str]:
        """Return how each container that opted in stands, in words, by its name."""
        return {life.name or each[:12]: life.state() for each, life in self._lives.items() if life.wanted}

    # ------------------------------------------------------------------------------------------------------- senses
    def listed(self, lines: Sequence[Summary], *, afresh: bool) -> bool:
        """Take the list of running containers; False if it is empty and has to be seen again to be believed.

        `afresh` says that events may have been missed: everybody is inspected, not only who looks different.
        """
        if not lines and any(life.told for life in self._lives.values()) and not self._doubted:
            self._doubted = True
            return False
        self._doubted = False
        if afresh:
            self._absent.clear()
        listed = {line.id: line for line in lines}
        strange = {line.id for line in lines if line.id not in self._lives and not self.reading.concerns(line.labels)}
        self.strangers.listed([line for line in lines if line.id in strange])
        for line in lines:
            if line.id in strange:
                continue
            life = self._life(line.id)
            if afresh or life.mark != line.mark or life.facts is None:
                self._inspect(life)
            life.mark = line.mark
        for each, life in self._lives.items():
            if each not in listed and (life.serves or afresh):
                self._inspect(life)
        return True

    def event(self, event: Event, now: float) -> None:
        """Take an event; the engine may have said it before, or out of order."""
        life = self._touch(event.id)
        if life is None:
            if not event.ours or event.action in {"die", "destroy", "kill"}:
                self.strangers.event(event)
                return
            life = self._life(event.id)
        if why := life.hear(event, now):
            self._judge(life, now, why)
        if event.action != "kill":
            self._inspect(life)

    def inspected(self, container: str, facts: Facts | None, now: float) -> None:
        """Take what the engine says of a container; None when it knows none of that id."""
        life = self._touch(container)
        if life is None:
            return
        life.inspecting, life.failures, life.retry, life.trouble = False, 0, inf, ""
        if facts is None:
            self._telling.ended(life, "the engine has it no more")
            del self._lives[container]
            if container in self._joined:
                self._absent.add(container)
            self._judge_joined(container, now)
            return
        changed = life.facts is None or life.facts != facts
        if life.learn(facts, self.reading) and life.told is not None:
            self._telling.ended(life, "it was started anew")
        life.weigh(now)
        if life.again:
            life.again = False
            self._inspect(life)
        if changed or life.proof is None:
            self._judge(life, now, "")
            self._judge_joined(container, now)

    def not_inspected(self, container: str, why: str, now: float) -> None:
        """Take note that the engine did not answer about a container: what is known of it stays."""
        life = self._touch(container)
        if life is not None:
            life.inspecting, life.again, life.trouble = False, False, why
            life.retry = now + min(LONGEST_RETRY, RETRY * 2.0 ** min(life.failures, 8))
            life.failures += 1

    def answered(self, question: Ask, why: str, now: float) -> None:
        """Take what a place of a container answered; that of an earlier life is of no interest."""
        life = self._touch(question.id)
        if life is None or life.proof is None or life.number != question.life:
            return
        place = life.proof.answered(question.at, why, now)
        if place is not None:
            self._telling.registered(life, place)

    def died(self, container: str, pid: int, now: float) -> None:
        """Take the kernel's word that a process ended; it comes before the engine's, or instead of it."""
        life = self._lives.get(container)
        if life is not None and life.facts is not None and life.facts.pid == pid:
            life.dead = pid
            life.end(life.facts.started, now)
            self._judge(life, now, "its process ended")
            self._inspect(life)

    def turn(self, now: float) -> None:
        """Do what time brings: the next question, another attempt, the return of who outlived a signal."""
        self.due()
        for each in self._timers.take(now):
            if (life := self._touch(each)) is None:
                continue
            if life.retry <= now:
                life.retry = inf
                self._inspect(life)
            if life.drained <= now:
                life.drained, life.signalled = inf, 0
                self._judge(life, now, "")
            self._effects += life.questions(now)

    # --------------------------------------------------------------------------------------------------- what follows
    def _touch(self, container: str) -> Life | None:
        self._touched.add(container)
        return self._lives.get(container)

    def _life(self, container: str) -> Life:
        return self._lives.setdefault(container, Life(container))

    def _inspect(self, life: Life) -> None:
        if life.inspecting:
            life.again = True  # the answer under way may be older than the reason for this one
            return
        life.inspecting = True
        self._effects.append(Inspect(life.id))

    def _judge(self, life: Life, now: float, why: str) -> None:
        """Decide what follows from what is known of a container now; `why` says what has just ended, if anything."""
        self._touched.add(life.id)
        facts, said = life.facts, life.said
        if facts is None or not life.serves:
            self._telling.ended(life, why or "it does not run")
            self._judge_joined(life.id, now)
        elif life.leaving:
            self._telling.ended(life, why or "it was asked to stop")
            if life.drained == inf:
                patience = max(facts.patience, said.drain if said else 0.0)
                life.drained = now + patience + SURVIVED
        elif said is None:
            self._telling.ended(life, "its labels do not make an instance")
        elif said.awaits_engine and facts.health != "healthy" and life.told is None:
            life.proof = None
            self._telling.reported(life)  # an earlier agent may have registered it
        else:
            self._prove(life, said, facts, now)
            self._telling.reported(life)

    def _prove(self, life: Life, said: Description, facts: Facts, now: float) -> None:
        owner = self._lives.get(facts.joins)
        if facts.joins:
            self._joined.setdefault(facts.joins, set()).add(life.id)
            if (owner is None or owner.facts is None) and facts.joins not in self._absent:
                self._inspect(owner or self._life(facts.joins))
                return
        found = places(said, facts, owner.facts if owner and owner.serves else None, self._stand)
        if life.told is not None and life.told.place in found.candidates:
            self._telling.refreshed(life)
            return
        if life.told is not None:
            self._telling.ended(life, "it is not at that address any more")
            self._judge(life, now, "")
            return
        if life.proof is not None and life.proof.places == found:
            return
        life.number += 1
        check = REACHES if said.check is None and said.awaits_engine else said.check
        if check is not None and self._first_answer:
            check = replace(check, rise=1)
        life.proof = Proof(check, found, now)
        life.hint = mapped_for_own(said, facts)
        if facts.pid:
            self._effects.append(Watch(life.id, facts.pid))
        if life.proof.at_once is not None:
            self._telling.registered(life, life.proof.at_once)

    def _judge_joined(self, owner: str, now: float) -> None:
        """Look again at the containers that use another one's network: theirs comes and goes with it."""
        for each in self._joined.pop(owner, ()):
            life = self._lives.get(each)
            if life is not None and life.facts is not None and life.facts.joins == owner:
                self._joined.setdefault(owner, set()).add(each)
                self._judge(life, now, "")
