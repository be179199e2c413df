"""The schedule of checks: who is to be asked now, what the answers come to, and what is said about it.

Pure: time is an argument, chance a callable given once, and the asking itself happens elsewhere. A pass costs those who
are due, not the registry. A question that is asked late is late and nothing else: only an answer, or none, counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from xds.control.ports import Entry
from xds.model.alarm import Alarm, Priority
from xds.model.check import CheckKind
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import INSTANCE
from xds.model.signal import Signal
from xds.sources.checks.blind import Blindness
from xds.sources.checks.target import BOOT_FIRST, Outcome, Stage, Target

SPARE: Final = 1024  # entries of the heap that may be out of date beyond one for each target
ALARMS: Final = 20  # instances that are named one by one when they are not ready; the others are many


@dataclass(frozen=True, slots=True)
class Question:
    """One target to be asked now; `late` is by how many seconds after it was due."""

    target: Target
    at: float
    late: float


class Schedule:
    """Targets in a heap by when they are due. `chance` returns numbers from 0 to 1."""

    def __init__(self, chance: Callable[[], float], health: Callable[[str], Health]) -> None:
        """Start with nobody to check; `health` is the effective health of an instance, asked when it comes."""
        self._chance = chance
        self._health = health
        self._targets: dict[str, Target] = {}
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._asking: set[str] = set()
        self._blindness = Blindness()
        self.late = 0

    # -- who is checked -----------------------------------------------------------------------------------------

    def committed(self, entries: Sequence[Entry], now: float) -> None:
        """Take up instances that came with a check, go on with those that changed, forget those that went."""
        for entry in entries:
            if entry.name.kind is not INSTANCE:
                continue
            after = entry.after
            if isinstance(after, Instance) and after.check is not None:
                self._take_up(after, now)
            else:
                self._forget(entry.name.key)

    def _take_up(self, instance: Instance, now: float) -> None:
        check = instance.check
        if check is None:
            return
        asked = (check, instance.address, tuple(instance.ports.items()))
        behind = instance.ingress is not None
        known = self._targets.get(instance.id)
        if known and (known.check, known.host, known.ports, known.behind) == (*asked, behind):
            return
        health = self._health(instance.id)
        stage = Stage.STARTING if health is Health.STARTING else Stage.UNKNOWN
        self._targets[instance.id] = Target(instance.id, *asked, stage, now, behind)
        spread = check.period if stage is Stage.UNKNOWN or check.kind is CheckKind.TTL else BOOT_FIRST
        wait = check.interval if check.kind is CheckKind.TTL else spread * self._chance()
        self._push(now + wait, instance.id)

    def _forget(self, member: str) -> None:
        self._targets.pop(member, None)
        self._due.pop(member, None)

    # -- asking -------------------------------------------------------------------------------------------------

    def due(self, now: float, most: int) -> list[Question]:
        """Take at most that many who are due, the longest waiting first; heartbeats that did not come are counted."""
        found: list[Question] = []
        while self._heap and self._heap[0][0] <= now and len(found) < most:
            at, member = heapq.heappop(self._heap)
            target = self._targets.get(member)
            if target is None or self._due.get(member) != at:
                continue
            del self._due[member]
            self.late += now - at > target.check.period
            self._asking.add(member)
            found.append(Question(target, now, now - at))
        return found

    @property
    def next(self) -> float | None:
        """Return when there is something to do."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        wanted = [self._heap[0][0]] if self._heap else []
        if (look := self._blindness.next_look) is not None:
            wanted.append(look)
        return min(wanted, default=None)

    def answered(self, question: Question, outcome: Outcome | None, now: float) -> Mapping[str, Signal]:
        """Count an answer and return what is to be said now. None is a question that was lost by our own fault."""
        target = question.target
        self._asking.discard(target.id)
        if self._targets.get(target.id) is not target:
            return {}  # it went, or changed, while it was asked
        if outcome is not None:
            target.take(outcome, question.at, blind=self._blindness.blind)
        due = max(now, question.at + target.period(self._chance()))
        if target.suspected is not None and target.suspected > question.at:
            due = now  # the suspicion is younger than the question
        elif outcome is not None:
            target.suspected = None
        self._push(due, target.id)
        if outcome is None or self._blindness.blind:
            return {}
        if target.falls and self._blindness.doubts(target, self._targets.values(), now):
            return self._take_back(now)
        word = target.judge(outcome)
        return {} if word is None else {target.id: word}

    def look(self, now: float) -> None:
        """See whether sight has come back; then everybody starts anew, and what was said before stands."""
        if self._blindness.look(self._targets.values(), now):
            for target in self._targets.values():
                target.good = target.bad = 0
                target.missing = None

    def forgive(self, now: float) -> None:
        """Give every awaited heartbeat its full time: we were away, and could hear nobody."""
        for target in self._targets.values():
            if target.check.kind is CheckKind.TTL:
                self._push(now + target.check.interval, target.id)

    def beat(self, member: str, now: float) -> Mapping[str, Signal]:
        """Note a heartbeat of an instance: a good answer, if that is what its check waits for."""
        target = self._targets.get(member)
        if target is None or target.check.kind is not CheckKind.TTL:
            return {}
        outcome = Outcome(good=True, why="its heartbeat came in time")
        target.take(outcome, now)
        self._push(now + target.check.interval, member)
        word = target.judge(outcome)
        return {} if word is None else {member: word}

    # -- suspicion ----------------------------------------------------------------------------------------------

    def suspect(self, members: Iterable[str], now: float) -> None:
        """Ask these at once, because something else speaks against them."""
        for member in members:
            target = self._targets.get(member)
            if target is not None and target.check.kind is not CheckKind.TTL and target.suspected is None:
                target.suspected = now
                if member not in self._asking:
                    self._push(now, member)

    def verdict(self, member: str, since: float) -> bool | None:
        """Return whether the last answer asked for after `since` was good; None without one, or without a check."""
        target = self._targets.get(member)
        if target is None or target.check.kind is CheckKind.TTL or target.asked is None or target.asked < since:
            return None
        return None if self._blindness.blind else target.bad == 0

    # -- telling ------------------------------------------------------------------------------------------------

    @property
    def blind(self) -> bool:
        """Say whether the checker has stopped to trust itself."""
        return self._blindness.blind

    def alarms(self, now: float) -> Collection[Alarm]:
        """Return what a person should know of the checks."""
        found: list[Alarm] = []
        if self.blind:
            text = "most targets fell silent at once: this control plane has lost its own network, and judges nobody"
            found.append(Alarm("blind", "checks", text, Priority.PAGE))
        late = [
            target
            for target in self._targets.values()
            if target.stage is Stage.STARTING and now - target.since > target.check.start_period
        ]
        for target in late[:ALARMS]:
            why = target.word.why if target.word else "not ready yet: nobody asked it so far"
            found.append(Alarm("not_ready", target.id, f"{why}, {now - target.since:.0f} s after it came"))
        if len(late) > ALARMS:
            found.append(Alarm("not_ready", "others", f"{len(late) - ALARMS} more instances do not get ready"))
        return found

    def __len__(self) -> int:
        """Return how many are checked."""
        return len(self._targets)

    def _take_back(self, now: float) -> Mapping[str, Signal]:
        """Return the words that put back who fell silent in the moments before we knew that it was us."""
        back: dict[str, Signal] = {}
        for target in self._targets.values():
            if target.silent:
                target.window.forgive()
            lately = target.missing is not None and now - target.missing <= 2 * target.check.period * target.check.fall
            if target.stage is Stage.DOWN and target.silent and lately:
                target.stage = Stage.UP
                target.word = Signal(Health.HEALTHY, "fell silent together with most others: nobody is judged")
                back[target.id] = target.word
        return back

    def _push(self, at: float, member: str) -> None:
        self._due[member] = at
        heapq.heappush(self._heap, (at, member))
        if len(self._heap) > 2 * len(self._targets) + SPARE:
            self._due = {m: at for m, at in self._due.items() if m in self._targets}
            self._heap = [(at, m) for m, at in self._due.items()]
            heapq.heapify(self._heap)
