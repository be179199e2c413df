"""The last word on each instance, and what of it the control plane has heard: a book, without a socket or a clock.

Words are told in the order in which they fell, in batches; while the control plane is away only the last word on each
instance is kept, so the book does not grow with time. Of a standing instance the lease is renewed. `epoch` and `seq` go
with every message, so that one that was overtaken on its way changes nothing. Moments are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, cast

BATCH: Final = 500  # items of one request
MOST: Final = 20_000  # instances: as many as one service may have
REFUSED_PAUSE: Final = 60.0  # seconds until something that was refused is said once more
FIRST_PAUSE: Final = 0.2  # seconds before the second attempt; each further one waits twice as long
LONGEST_PAUSE: Final = 15.0
TOGETHER: Final = 0.25  # of a renewal's interval: what is due that soon is said in the same request

Matter = Literal["register", "leave", "renew", "read"]


@dataclass(eq=False, slots=True)
class Entry:
    """One instance. `document` is None until its source said it (a book that was read back holds none).

    `word` counts what was said of it, `stands` whether the control plane has the last word; `refusal` is its no.
    `source` is the engine that it runs on. `runtime` is what that says of its health: every heartbeat carries it, since
    nobody else keeps it; `heard` is the last one that was told.
    """

    id: str
    epoch: int
    seq: int = 0
    source: str = ""
    document: Mapping[str, object] | None = None
    leaving: bool = False
    word: int = 0
    stands: bool = False
    unsure: bool = False
    due: float = 0.0
    failures: int = 0
    refusal: str = ""
    runtime: Mapping[str, object] | None = None
    heard: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the API: about which entries, and at which word of each."""

    matter: Matter
    method: str
    path: str
    body: Mapping[str, object] | None
    about: tuple[tuple[Entry, int], ...]


class Ledger:
    """Everything that one agent has to tell. `chance` returns numbers from 0 to 1."""

    def __init__(self, ttl: float, chance: Callable[[], float]) -> None:
        """Start with nothing; `ttl` is the lease of each instance in seconds.

        `moves` grows with whatever of it people are shown: an instance that is renewed is none.
        """
        self.ttl = ttl
        self.trouble = ""
        self._chance = chance
        self._entries: dict[str, Entry] = {}
        self._untold: dict[str, Entry] = {}  # those that do not stand
        self._renewal = inf  # no lease is to be renewed before
        self._words = 0
        self.moves = 0
        self._failures = 0
        self._not_before = 0.0

    # --------------------------------------------------------------------------------------------- what is to be told
    def put(self, instance: str, epoch: int, document: Mapping[str, object], source: str = "") -> bool:
        """Register an instance of an engine, or say something else of it; False if the book is full."""
        entry = self._entries.get(instance)
        if entry is None:
            if len(self._entries) >= MOST:
                return False
            entry = self._entries[instance] = Entry(instance, epoch)
        elif entry.stands and not entry.leaving and entry.epoch >= epoch and entry.document == document:
            return True
        entry.source = source
        if epoch > entry.epoch:
            entry.epoch, entry.seq, entry.runtime = epoch, 0, None
        entry.document, entry.leaving = document, False
        self._said(entry)
        return True

    def hear(self, instance: str, runtime: Mapping[str, object]) -> None:
        """Take what an instance's engine says of its health; it is told with a heartbeat, at once."""
        entry = self._entries.get(instance)
        if entry is not None and entry.runtime != runtime:
            entry.runtime = runtime
            if entry.stands:
                entry.due = self._renewal = 0.0

    def drop(self, instance: str) -> None:
        """Take an instance out."""
        entry = self._entries.get(instance)
        if entry is not None and not entry.leaving:
            entry.leaving, entry.document = True, None
            self._said(entry)

    def settle(self, wanted: Iterable[str], source: str | None = None) -> None:
        """Take out whatever is not among the instances that there are: what ended while nobody looked.

        `source` is the engine that they are all of; None for all that is followed.
        """
        for instance in self._entries.keys() - set(wanted):
            if source is None or self._entries[instance].source == source:
                self.drop(instance)

    def standing(self) -> dict[str, bool]:
        """Return every instance that is to be registered, and whether it is."""
        return {each.id: each.stands for each in self._entries.values() if not each.leaving}

    def refusals(self) -> dict[str, str]:
        """Return the control plane's no, by instance."""
        return {each.id: each.refusal for each in self._untold.values() if each.refusal}

    @property
    def words(self) -> int:
        """Return a number that grows with every word, to see whether there is anything new to keep."""
        return self._words

    # ------------------------------------------------------------------------------------------------- what is told
    def next(self, now: float) -> Ask | None:
        """Return what is to be said now, one request at a time; None when nothing is."""
        if now < self._not_before:
            return None
        waiting = sorted((each for each in self._untold.values() if self._waits(each, now)), key=lambda e: e.word)
        if waiting:
            return self._telling(waiting)
        if now < self._renewal:
            return None
        soon = now + TOGETHER * self.ttl / 3
        standing = sorted((each for each in self._entries.values() if each.stands), key=lambda each: each.due)
        is_time = bool(standing) and standing[0].due <= now
        due = [each for each in standing[:BATCH] if each.due <= soon] if is_time else []
        self._renewal = standing[len(due)].due if len(due) < len(standing) else inf
        return self._batch("renew", "/v1/heartbeats:batch", due) if due else None

    def pause(self, now: float) -> float:
        """Return for how many seconds there is nothing to say; infinity for ever."""
        tellable = (each.due for each in self._untold.values() if each.document is not None or each.leaving)
        due = min(tellable, default=inf)
        return max(0.0, max(min(due, self._renewal), self._not_before) - now)

    def answered(self, ask: Ask, answer: Mapping[str, object], now: float) -> None:
        """Take an answer in; one that does not say what became of each is none."""
        results = cast("Sequence[Mapping[str, object]]", answer.get("results") or ())
        if ask.matter != "read" and len(results) != len(ask.about):
            self.failed(ask, "it did not answer what it was asked", now)
            return
        self._failures, self.trouble = 0, ""
        if ask.matter == "read":
            self._adopt(ask.about[0][0], answer)
            return
        for (entry, word), result in zip(ask.about, results, strict=True):
            problem = cast("Mapping[str, object] | None", result.get("error"))
            if problem is not None:
                self._refused(ask.matter, entry, word, problem, now)
            elif ask.matter == "leave":
                self._gone(entry, word)
            else:
                self._stands(entry, word, now)

    def failed(self, ask: Ask, why: str, now: float) -> None:
        """Take note that there was no answer, or that it was a no to everybody; try again later and later."""
        if ask.matter == "read" and why == "not found":
            ask.about[0][0].unsure = False
            return
        self.trouble = why
        self._renewal = 0.0  # what it was about is still to be renewed
        self._not_before = now + self._pause(self._failures)
        self._failures += 1

    # -------------------------------------------------------------------------------------------------- what is kept
    def dump(self) -> list[list[object]]:
        """Return what a later book needs, in order: instance, epoch, seq, whether it leaves, and its engine."""
        entries = sorted(self._entries.values(), key=lambda each: each.word)
        return [[each.id, each.epoch, each.seq, each.leaving, each.source] for each in entries]

    def restore(self, lines: Iterable[tuple[str, int, int, bool, str]], now: float) -> None:
        """Take over what an earlier book held: who leaves is told again, who stood goes on being renewed."""
        for instance, epoch, seq, leaving, source in lines:
            if instance not in self._entries and len(self._entries) < MOST:
                entry = self._entries[instance] = Entry(instance, epoch, seq, source, leaving=leaving)
                self._said(entry)
                if not leaving:
                    self._stand(entry, now)

    # --------------------------------------------------------------------------------------------------------- inside
    def _said(self, entry: Entry) -> None:
        self._words += 1
        self.moves += 1
        self._untold[entry.id] = entry
        entry.word, entry.stands, entry.due, entry.failures, entry.refusal = self._words, False, 0.0, 0, ""

    def _waits(self, entry: Entry, now: float) -> bool:
        return not entry.stands and entry.due <= now and (entry.leaving or entry.document is not None)

    def _telling(self, waiting: Sequence[Entry]) -> Ask:
        """Return the first words in line, as many as are of one kind."""
        first = waiting[0]
        if first.unsure and not first.leaving:
            return Ask("read", "GET", f"/v1/instances/{first.id}", None, ((first, first.word),))
        alike = []
        for entry in waiting[:BATCH]:
            if entry.leaving != first.leaving or (entry.unsure and not entry.leaving):
                break
            alike.append(entry)
        if first.leaving:
            return self._batch("leave", "/v1/instances:deregister", alike)
        return self._batch("register", "/v1/instances:batch", alike)

    def _batch(self, matter: Matter, path: str, entries: Sequence[Entry]) -> Ask:
        items, about = [], []
        for entry in entries[:BATCH]:
            entry.seq += 1
            said: dict[str, object] = {"id": entry.id, "epoch": entry.epoch, "seq": entry.seq}
            if matter == "register" and entry.document:
                said, entry.heard = {**entry.document, **said}, None
            elif matter == "renew" and entry.runtime is not None:
                said["runtime"] = entry.heard = entry.runtime
            items.append(said)
            about.append((entry, entry.word))
        return Ask(matter, "POST", path, {"items": items}, tuple(about))

    def _stands(self, entry: Entry, word: int, now: float) -> None:
        if entry.word == word and not entry.leaving:
            entry.failures, entry.refusal = 0, ""
            heard = entry.heard is entry.runtime
            self._stand(entry, now + (self.ttl / 3 * (0.8 + 0.2 * self._chance()) if heard else 0.0))

    def _stand(self, entry: Entry, due: float) -> None:
        if self._untold.pop(entry.id, None) is not None:
            self.moves += 1
        entry.stands, entry.due = True, due
        self._renewal = min(self._renewal, due)

    def _gone(self, entry: Entry, word: int) -> None:
        if entry.word == word:
            self._entries.pop(entry.id, None)
            self._untold.pop(entry.id, None)

    def _adopt(self, entry: Entry, known: Mapping[str, object]) -> None:
        """Count on from what the control plane knows: an earlier agent's book was lost."""
        epoch, seq = known.get("epoch"), known.get("seq")
        entry.unsure = False
        if isinstance(epoch, int) and isinstance(seq, int) and epoch >= entry.epoch:
            entry.epoch, entry.seq = epoch, max(seq, entry.seq if epoch == entry.epoch else 0)

    def _refused(self, matter: Matter, entry: Entry, word: int, problem: Mapping[str, object], now: float) -> None:
        code, status = problem.get("code"), problem.get("status")
        if matter == "leave" and (status == 404 or code == "stale_epoch"):
            self._gone(entry, word)  # it is out, or somebody newer has its name
            return
        if entry.word != word:
            return
        entry.stands = False
        self.moves += 1
        self._untold[entry.id] = entry
        if code == "stale_epoch":
            entry.unsure, entry.due = True, now + (self._pause(entry.failures) if entry.failures else 0.0)
            entry.failures += 1
        elif code == "register_again" or status == 404:
            entry.due = now
        else:
            entry.refusal = f"{problem.get('pointer') or ''} {problem.get('detail') or problem.get('title')}".strip()
            later = status == 429 or (isinstance(status, int) and status >= 500)
            entry.due = now + (self._pause(entry.failures) if later else REFUSED_PAUSE)
            entry.failures += 1

    def _pause(self, failures: int) -> float:
        """Return how long to wait after so many failures before this one: longer and longer, and never in step."""
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 16)) * (0.5 + 0.5 * self._chance())
