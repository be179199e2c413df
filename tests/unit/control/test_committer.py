"""Nothing enters the intent that the store has not committed; a refused declaration costs itself only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.harness.waiting import until
from xds.control.clock import SystemClock
from xds.control.committer import Committer
from xds.control.inbox import Outcome, Submission
from xds.control.ports import Commit, Entry, Receipt
from xds.model.declare import Declaration, Delete, Put, StartRollout
from xds.model.instance import Instance
from xds.model.intent import Intent, Kind, Ref
from xds.model.names import ServiceKey
from xds.model.problems import Inconsistent, InvalidInput, NotFound, PreconditionFailed, Unavailable
from xds.store.sqlite import SqliteStore

WEB = ServiceKey.of("web")


class Desk:
    """A committer on a real store, and what callers of it see."""

    def __init__(self, store: SqliteStore) -> None:
        self.intent = Intent()
        self.store = store
        self.clock = SystemClock()
        self.nudges = 0
        self.committer = Committer(self.intent, store, self.clock, self._nudged)

    def _nudged(self) -> None:
        self.nudges += 1

    async def hand_in(self, *declarations: Declaration) -> tuple[list[Outcome], Sequence[Entry]]:
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        entries = await self.committer.enter([Submission(declarations, answer)])
        while not answer.done():
            entries += await self.committer.enter(())
        return answer.result(), entries


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = SqliteStore(tmp_path / "fairlead.db")
    await store.load()
    yield Desk(store)
    await store.close()


def put(name: str, version: str = "v1", **more: object) -> Declaration:
    instance = Instance(name, WEB, "127.0.0.1", {"http": 8080}, version=version)
    return Declaration(Put(instance), "api:test", **more)  # type: ignore[arg-type]  # the keywords are Declaration's own


async def test_an_accepted_declaration_is_answered_with_its_revision(desk: Desk) -> None:
    (receipt,), entries = await desk.hand_in(put("web-1"))
    assert isinstance(receipt, Receipt)
    assert receipt.revision == desk.intent.revision == 1
    assert {entry.name.kind for entry in entries} == {Kind.INSTANCE, Kind.SERVICE}


async def test_a_batch_is_one_revision_and_a_bad_item_costs_only_itself(desk: Desk) -> None:
    outcomes, _ = await desk.hand_in(
        put("web-1"), Declaration(Delete(Ref(Kind.ROUTE, "default/x")), "api:test"), put("web-2")
    )
    assert [type(outcome) for outcome in outcomes] == [Receipt, NotFound, Receipt]
    assert set(desk.intent.instances) == {"web-1", "web-2"}
    assert desk.intent.revision == 1


async def test_a_declaration_that_nobody_foresaw_costs_itself_only(desk: Desk) -> None:
    """Here the key of a service without its environment, which no edge lets through."""
    outcomes, _ = await desk.hand_in(
        put("web-1"), Declaration(Delete(Ref(Kind.SERVICE, "web")), "api:test"), put("web-2")
    )
    assert [type(outcome) for outcome in outcomes] == [Receipt, Inconsistent, Receipt]
    assert set(desk.intent.instances) == {"web-1", "web-2"}


async def test_later_declarations_of_a_batch_see_the_earlier_ones(desk: Desk) -> None:
    outcomes, _ = await desk.hand_in(put("web-1"), put("web-2", "v2"), Declaration(StartRollout(WEB, "v2"), "api:test"))
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)


async def test_a_declaration_that_changes_nothing_makes_no_revision(desk: Desk) -> None:
    await desk.hand_in(put("web-1"))
    (receipt,), entries = await desk.hand_in(put("web-1"))
    assert isinstance(receipt, Receipt)
    assert (receipt.revision, entries, desk.intent.revision) == (1, (), 1)


async def test_a_stale_if_match_is_refused_and_nothing_is_written(desk: Desk) -> None:
    await desk.hand_in(put("web-1"))
    (outcome,), entries = await desk.hand_in(put("web-1", "v9", if_match=7))
    assert isinstance(outcome, PreconditionFailed)
    assert entries == ()
    assert desk.intent.instances["web-1"].version == "v1"


async def test_the_same_idempotency_key_gets_the_same_answer_also_after_a_restart(desk: Desk) -> None:
    start = Declaration(StartRollout(WEB, "v2"), "api:test", idempotency="api:test/k1", fingerprint="f")
    await desk.hand_in(put("web-1"), put("web-2", "v2"))
    (first,), _ = await desk.hand_in(start)
    (second,), entries = await desk.hand_in(start)
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (second.name, second.revision, second.replayed, entries) == (first.name, first.revision, True, ())
    restarted = Desk(desk.store)
    restarted.committer.remember((await desk.store.load()).kept)
    (third,), _ = await restarted.hand_in(start)
    assert isinstance(third, Receipt)
    assert (third.name, third.replayed) == (first.name, True)


async def test_an_idempotency_key_is_refused_for_another_request(desk: Desk) -> None:
    await desk.hand_in(put("web-1", idempotency="k", fingerprint="one"))
    (outcome,), _ = await desk.hand_in(put("web-2", idempotency="k", fingerprint="two"))
    assert isinstance(outcome, InvalidInput)
    assert outcome.code == "idempotency_key_reused"


async def test_a_store_that_fails_discards_the_whole_batch(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing disk cannot be had on demand here; the store's own tests fill a real one."""

    async def full(_: Commit) -> None:
        raise Unavailable("the disk is full", code="store")

    monkeypatch.setattr(desk.store, "commit", full)
    outcomes, entries = await desk.hand_in(put("web-1"), put("web-2"))
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert (entries, desk.intent.instances, desk.intent.revision) == ((), {}, 0)


async def test_s4_a_store_that_takes_its_time_holds_up_nobody_else_and_what_it_takes_at_last_is_applied(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that hangs cannot be had on demand here; the faults of the whole plane lock a real file."""
    real, go = desk.store.commit, asyncio.Event()

    async def slow(commit: Commit) -> None:
        await go.wait()
        await real(commit)

    monkeypatch.setattr(desk.store, "commit", slow)
    monkeypatch.setattr("xds.control.committer.PATIENCE", 0.001)
    first, second = handed_in(put("web-1")), handed_in(put("web-2"))
    assert await desk.committer.enter([first]) == ()
    assert await desk.committer.enter([second]) == ()
    assert (first.answer.done(), second.answer.done(), desk.nudges) == (False, False, 0)

    go.set()
    await until(lambda: desk.nudges == 1, timeout=5, what="the loop is woken when the store has it")
    monkeypatch.undo()
    entries = await desk.committer.enter(())
    while not second.answer.done():
        entries += await desk.committer.enter(())
    assert [entry.name.key for entry in entries] == ["default/web", "web-1", "web-2"]
    assert [
        each.revision for each in (*first.answer.result(), *second.answer.result()) if isinstance(each, Receipt)
    ] == [1, 2]


async def test_s4_whoever_waited_long_enough_is_told_that_it_may_or_may_not_be_done(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = asyncio.Event()
    real = desk.store.commit

    async def slow(commit: Commit) -> None:
        await go.wait()
        await real(commit)

    monkeypatch.setattr(desk.store, "commit", slow)
    monkeypatch.setattr("xds.control.committer.PATIENCE", 0.001)
    monkeypatch.setattr("xds.control.committer.ANSWER_BY", 0.05)
    first, second = handed_in(put("web-1")), handed_in(put("web-2"))
    await desk.committer.enter([first])
    await asyncio.sleep(0.06)
    await desk.committer.enter([second])
    assert "may or may not" in only(first).message
    assert "has not answered" in only(second).message
    assert desk.committer.away(desk.clock.monotonic() + 2.0) >= 2.0

    go.set()
    await until(lambda: desk.nudges == 1, timeout=5, what="the store has it")
    assert [entry.name.key for entry in await desk.committer.enter(())] == ["default/web", "web-1"]
    assert set(desk.intent.instances) == {"web-1"}
    assert desk.committer.away(desk.clock.monotonic()) == 0.0


def handed_in(*declarations: Declaration) -> Submission:
    return Submission(declarations, asyncio.get_running_loop().create_future())


def only(submission: Submission) -> Unavailable:
    (outcome,) = submission.answer.result()
    assert isinstance(outcome, Unavailable)
    return outcome


async def test_the_journal_names_who_and_why(desk: Desk) -> None:
    await desk.hand_in(put("web-1", reason="first light"))
    rows = await desk.store.journal()
    assert {(row["actor"], row["reason"]) for row in rows} == {("api:test", "first light")}
