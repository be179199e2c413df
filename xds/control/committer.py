"""From declarations to receipts: validate a batch, commit it, apply it; or refuse it whole when the store does.

It also keeps the answers that were given under idempotency keys.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from xds.control.inbox import Outcome, Submission
from xds.control.ports import Clock, Commit, Entry, Kept, Receipt, Store
from xds.model.declare import Declaration
from xds.model.draft import Draft
from xds.model.intent import Intent, Ref
from xds.model.problems import FairleadError, Inconsistent, InvalidInput, Unavailable
from xds.model.quota import Quotas

_log = logging.getLogger(__name__)

KEPT = 10_000


class Committer:
    """Nothing enters the intent but through here, and nothing that the store has not committed."""

    def __init__(self, intent: Intent, store: Store, clock: Clock, quotas: Quotas = Quotas()) -> None:
        """Write to `store` first, to `intent` afterwards, as far as the quotas go."""
        self._quotas = quotas
        self._intent = intent
        self._store = store
        self._clock = clock
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def remember(self, kept: Iterable[Kept]) -> None:
        """Take over answers that were given earlier, oldest first."""
        for item in kept:
            self._kept[item.key] = item
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def enter(self, submissions: Sequence[Submission]) -> tuple[Entry, ...]:
        """Commit everything acceptable as one batch, answer every submission, return what changed."""
        draft = Draft(self._intent, self._quotas)
        keys: dict[str, tuple[str, Ref]] = {}
        asked: list[list[tuple[Declaration, Ref | Outcome]]] = [
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
        try:
            if entries or kept:
                await self._store.commit(Commit(revision, self._clock.wall(), entries, kept))
        except Unavailable as error:
            for submission, pairs in zip(submissions, asked, strict=True):
                _answer(submission, [error if isinstance(found, Ref) else found for _, found in pairs])
            return ()
        if entries:
            absent = {entry.name for entry in entries if entry.absence and entry.after is None}
            self._intent.commit({entry.name: entry.after for entry in entries}, revision, absent)
        self.remember(kept)
        for submission, pairs in zip(submissions, asked, strict=True):
            _answer(submission, [self._receipt(found) if isinstance(found, Ref) else found for _, found in pairs])
        return entries

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

    def _receipt(self, name: Ref) -> Receipt:
        declared = self._intent.get(name)
        return Receipt(name, declared, self._intent.revisions.get(name, self._intent.revision))


def _keeps(pair: tuple[Declaration, Ref | Outcome]) -> bool:
    return pair[0].idempotency is not None and isinstance(pair[1], Ref)


def _answer(submission: Submission, outcomes: list[Outcome]) -> None:
    if not submission.answer.done():  # a caller that went away cancelled its future
        submission.answer.set_result(outcomes)
