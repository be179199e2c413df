"""From declarations to receipts: validate a batch, commit it, apply it; or refuse it whole when the store does.

It also keeps the answers that were given under idempotency keys. A store that takes its time holds nobody up but those
who asked for something: the loop goes on, and hears of the commit when it is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from xds.control.failpoints import failpoint
from xds.control.hold import Decision, Hold
from xds.control.inbox import Outcome, Submission
from xds.control.ports import Clock, Commit, Entry, Kept, Receipt, Store
from xds.model.declare import Declaration
from xds.model.draft import Draft
from xds.model.intent import Intent, Ref
from xds.model.problems import Conflict, FairleadError, Inconsistent, InvalidInput, Unavailable
from xds.model.quota import Quotas

_log = logging.getLogger(__name__)

KEPT = 10_000
PATIENCE = 0.05  # seconds for which a turn of the loop waits for the store; most commits are there by then
ANSWER_BY = 10.0  # seconds after which callers are told that the store does not answer

_Asked = list[tuple[Declaration, Ref | Outcome]]


@dataclass(slots=True)
class _Batch:
    """What is on its way to the store since `since`, on the monotonic clock.

    `is_late`: the loop went on without it, and is woken for it. `given_up`: its callers were told.
    """

    asked: Sequence[tuple[Submission, _Asked]]
    commit: Commit
    task: asyncio.Task[None]
    since: float
    decision: Decision | None = None
    is_late: bool = False
    given_up: bool = False


class Committer:
    """Nothing enters the intent but through here, and nothing that the store has not committed."""

    def __init__(
        self,
        intent: Intent,
        store: Store,
        clock: Clock,
        nudge: Callable[[], None] = lambda: None,
        quotas: Quotas = Quotas(),
    ) -> None:
        """Write to `store` first, to `intent` afterwards; `nudge` is called when the store is done with a batch."""
        self._quotas = quotas
        self._intent = intent
        self._store = store
        self._clock = clock
        self._nudge = nudge
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._waiting: list[Submission] = []
        self._batch: _Batch | None = None
        self._lost_at: float | None = None
        self._heard: list[Callable[[Commit], None]] = []
        self.hold: Hold | None = None
        """While it stands, whatever is handed in is refused."""

    def listen(self, heard: Callable[[Commit], None]) -> None:
        """Call `heard` with each commit that changed something, once the intent has it."""
        self._heard.append(heard)

    def remember(self, kept: Iterable[Kept]) -> None:
        """Take over answers that were given earlier, oldest first."""
        for item in kept:
            self._kept[item.key] = item
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    @property
    def is_busy(self) -> bool:
        """Say whether the store has a batch that it has not answered yet."""
        return self._batch is not None

    @property
    def deadline(self) -> float | None:
        """Return when callers have waited long enough for the store; None while nobody waits."""
        return self._batch.since + ANSWER_BY if self._batch and not self._batch.given_up else None

    @property
    def failed(self) -> str:
        """Return why the store takes nothing any more until the process starts anew, "" while it may."""
        return self._store.failed

    def away(self, now: float) -> float:
        """Return for how many seconds the store has been failing, or owing an answer for more than a second."""
        owes = now - self._batch.since if self._batch else 0.0
        return max(now - self._lost_at if self._lost_at is not None else 0.0, owes if owes > 1.0 else 0.0)

    async def enter(self, submissions: Sequence[Submission]) -> tuple[Entry, ...]:
        """Commit everything acceptable as one batch, answer every submission, return what changed.

        Waits for the store a moment only. What it has not answered by then is returned by a later call, which `nudge`
        asks for; what is handed in meanwhile is the batch after that.
        """
        if self.hold is not None:
            for submission in submissions:
                _answer(submission, [self.hold.refusal] * len(submission.declarations))
        else:
            self._waiting += submissions
        entries: tuple[Entry, ...] = ()
        while self._batch or self._waiting:
            if self._batch is None:
                waiting, self._waiting = self._waiting, []
                self._batch = self._begin(waiting)
                continue
            if not self._batch.task.done():
                await asyncio.wait({self._batch.task}, timeout=PATIENCE)
            if not self._batch.task.done():
                self._put_off(self._batch)
                break
            entries += self._finish(self._batch)
        return entries

    def decide(self, decision: Decision) -> None:
        """Begin to make an operator's decision hold; Conflict, as the answer, when there is nothing to decide."""
        if self.hold is None or self._batch is not None:
            words = "nothing is held" if self.hold is None else "a decision is being written already"
            decision.answer.set_exception(Conflict(words, code="hold"))
            return
        self._batch = self._send((), self.hold.decided(decision, self._clock.wall()))
        self._batch.decision = decision

    def _begin(self, submissions: Sequence[Submission]) -> _Batch | None:
        """Validate everything and hand it to the store; None when there is nothing to write, and all are answered."""
        draft = Draft(self._intent, self._quotas)
        keys: dict[str, tuple[str, Ref]] = {}
        asked: list[_Asked] = [
            [(declaration, self._declare(draft, declaration, keys)) for declaration in submission.declarations]
            for submission in submissions
        ]
        entries = tuple(
            Entry(name, before, after, author.actor, author.reason, author.absence)
            for name, after in draft.writes.items()
            for author in (draft.authors[name],)
            if (before := self._intent.get(name) if after else self._intent.standing(name)) != after
        )
        revision = draft.revision if entries else self._intent.revision
        changed = {entry.name for entry in entries}
        found = [self._keep(draft, pair, changed, revision) for pairs in asked for pair in pairs if _keeps(pair)]
        kept = tuple({item.key: item for item in found}.values())
        if not entries and not kept:
            for submission, pairs in zip(submissions, asked, strict=True):
                _answer(submission, self._receipts(pairs))
            return None
        commit = Commit(revision, self._clock.wall(), entries, kept)
        return self._send([*zip(submissions, asked, strict=True)], commit)

    def _send(self, asked: Sequence[tuple[Submission, _Asked]], commit: Commit) -> _Batch:
        failpoint("commit.accepted")
        task = asyncio.get_running_loop().create_task(self._store.commit(commit), name="commit")
        return _Batch(asked, commit, task, self._clock.monotonic())

    def _finish(self, batch: _Batch) -> tuple[Entry, ...]:
        """Apply what the store has taken, or discard what it has not; return what changed."""
        self._batch = None
        try:
            batch.task.result()
        except Unavailable as error:
            self._lost_at = batch.since if self._lost_at is None else self._lost_at
            for submission, pairs in batch.asked:
                _answer(submission, [error if isinstance(found, Ref) else found for _, found in pairs])
            if batch.decision is not None and not batch.decision.answer.done():
                batch.decision.answer.set_exception(error)
            return ()
        failpoint("commit.durable")
        self._lost_at = None
        entries = batch.commit.entries
        if entries:
            absent = {entry.name for entry in entries if entry.absence and entry.after is None}
            self._intent.commit({entry.name: entry.after for entry in entries}, batch.commit.revision, absent)
            for heard in self._heard:
                heard(batch.commit)
        elif batch.decision is not None:
            self._intent.commit({}, batch.commit.revision)
        failpoint("commit.applied")
        if batch.commit.forgets:
            self._kept.clear()
        self.remember(batch.commit.kept)
        for submission, pairs in batch.asked:
            _answer(submission, self._receipts(pairs))
        if batch.decision is not None:
            self.hold = None
            if not batch.decision.answer.done():
                batch.decision.answer.set_result(batch.commit.revision)
        failpoint("commit.answered")
        return entries

    def _put_off(self, batch: _Batch) -> None:
        """Let the loop go on, and tell those who have waited long enough, and all who come after them."""
        if not batch.is_late:
            batch.is_late = True
            batch.task.add_done_callback(lambda _: self._nudge())
        if (waited := self._clock.monotonic() - batch.since) < ANSWER_BY:
            return
        words = f"the store has not answered for {waited:.0f} s"
        if not batch.given_up:
            batch.given_up = True
            error = Unavailable(f"{words}: it may or may not be done yet, read it again", code="store")
            for submission, pairs in batch.asked:
                _answer(submission, [error if isinstance(found, Ref) else found for _, found in pairs])
        waiting, self._waiting = self._waiting, []
        for submission in waiting:
            _answer(submission, [Unavailable(words, code="store")] * len(submission.declarations))

    def _declare(self, draft: Draft, declaration: Declaration, keys: dict[str, tuple[str, Ref]]) -> Ref | Outcome:
        """Return what became of one declaration; `keys` has the fingerprints and objects of this batch's own keys."""
        key = declaration.idempotency or ""
        kept, twin = self._kept.get(key), keys.get(key)
        asked = kept.fingerprint if kept else twin[0] if twin else declaration.fingerprint
        if asked != declaration.fingerprint:
            return InvalidInput("this idempotency key was used for another request", code="idempotency_key_reused")
        if kept:
            return Receipt(kept.receipt.name, kept.receipt.declared, kept.receipt.revision, replayed=True)
        if twin:
            return twin[1]
        try:
            name = draft.declare(declaration)
        except FairleadError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs its own declaration; it is logged whole
            _log.exception("a declaration of %s failed", declaration.actor)
            return Inconsistent(
                f"the control plane failed at this declaration ({type(error).__name__}), and logged why"
            )
        if key:
            keys[key] = (declaration.fingerprint, name)
        return name

    def _keep(self, draft: Draft, pair: tuple[Declaration, Ref | Outcome], changed: set[Ref], revision: int) -> Kept:
        declaration, name = pair
        assert isinstance(name, Ref)  # noqa: S101 - _keeps let only accepted declarations through
        at = revision if name in changed else self._intent.revisions.get(name, 0)
        return Kept(declaration.idempotency or "", declaration.fingerprint, Receipt(name, draft.get(name), at))

    def _receipts(self, pairs: _Asked) -> list[Outcome]:
        return [self._receipt(found) if isinstance(found, Ref) else found for _, found in pairs]

    def _receipt(self, name: Ref) -> Receipt:
        declared = self._intent.get(name)
        return Receipt(name, declared, self._intent.revisions.get(name, self._intent.revision))


def _keeps(pair: tuple[Declaration, Ref | Outcome]) -> bool:
    return pair[0].idempotency is not None and isinstance(pair[1], Ref)


def _answer(submission: Submission, outcomes: list[Outcome]) -> None:
    if not submission.answer.done():  # a caller that went away cancelled its future
        submission.answer.set_result(outcomes)
