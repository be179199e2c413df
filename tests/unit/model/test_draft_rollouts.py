"""Rollouts as declarations: what they do to the service's split, and what they keep others from doing."""

from __future__ import annotations

import pytest

from tests.harness.declared import WEB, Book, instance, service, split
from xds.model.intent import Kind
from xds.model.names import ServiceKey
from xds.model.problems import Conflict, InvalidInput, NotFound
from xds.model.rollout import WAITS, Abort, Acked, Elapsed, Event, Phase, Promote, Resume, Rollout, SetWeight, Step


@pytest.fixture
def book() -> Book:
    """A service with stable v1, and v2 waiting."""
    book = Book()
    book.put(instance("web-1", "v1"), instance("web-2", "v2"))
    return book


def test_starting_a_plan_sets_its_first_weight(book: Book) -> None:
    rollout = book.start("v2", Step(500), Step(5000))
    assert (rollout.id, rollout.owner) == ("web-v2-1", "api:test")
    assert book.service().split.weights == {"v1": 9500, "v2": 500}


def test_each_step_shifts_the_split_and_a_promotion_ends_with_a_new_stable_version(book: Book) -> None:
    rollout = book.step(book.start("v2", Step(500), Step(5000)), Acked(), Elapsed())
    assert book.service().split.weights == {"v1": 5000, "v2": 5000}
    book.step(rollout, Promote())
    assert (book.service().split.weights, book.service().stable) == ({"v2": 10_000}, "v1")
    book.step(rollout, Acked())
    assert book.service().stable == "v2"


def test_an_abort_returns_every_user_to_stable(book: Book) -> None:
    before = book.service().split
    rollout = book.step(book.start("v2"), SetWeight(2500), Abort())
    assert book.service().split == before
    assert book.step(rollout, Acked(), Abort()).phase is Phase.ABORTED


def test_without_a_plan_starting_moves_nobody(book: Book) -> None:
    book.put(service(split=split(v1=9000, v2=1000)))
    before = book.service().split
    assert book.start("v2").weight == 1000
    assert book.service().split == before


def test_a_rollout_owns_the_split_and_the_stable_version_while_it_is_in_progress(book: Book) -> None:
    rollout = book.start("v2", Step(500))
    for fields, pointer in (({"split": split(v1=10_000)}, "/split"), ({"stable": "v2"}, "/stable")):
        with pytest.raises(Conflict, match="rollout web-v2-1 owns the") as caught:
            book.put(service(**fields))
        assert (caught.value.code, caught.value.pointer) == ("rollout_active", pointer)
    book.put(service(timeout=1.0, split=split(v1=9500, v2=500)))  # what it is already
    book.step(rollout, Abort(), Acked())
    book.put(service(split=split(v1=6000, v2=4000)))


def test_a_service_has_one_rollout_at_a_time_and_numbers_them(book: Book) -> None:
    rollout = book.start("v2")
    with pytest.raises(Conflict) as caught:
        book.start("v2")
    assert caught.value.code == "rollout_active"
    book.step(rollout, Abort(), Acked())
    assert book.start("v2").id == "web-v2-2"


def test_a_version_without_instances_cannot_be_rolled_out(book: Book) -> None:
    with pytest.raises(InvalidInput, match="it has v1, v2") as caught:
        book.start("v3")
    assert (caught.value.code, caught.value.pointer) == ("unknown_version", "/version")


def test_the_stable_version_cannot_be_rolled_out(book: Book) -> None:
    with pytest.raises(InvalidInput):
        book.start("v1")


def test_a_rollout_of_a_service_that_does_not_exist_is_refused(book: Book) -> None:
    with pytest.raises(NotFound) as caught:
        book.start("v2", key=ServiceKey("default", "shop"))
    assert caught.value.pointer == "/service"


def test_a_rollout_does_not_take_users_from_a_third_version(book: Book) -> None:
    book.put(instance("web-3", "v3"), service(split=split(v1=8000, v3=2000)))
    with pytest.raises(Conflict, match="v3 of default/web has users") as caught:
        book.start("v2", Step(500))
    assert caught.value.code == "split_in_use"
    assert book.service().split.weights == {"v1": 8000, "v3": 2000}


def test_neither_the_service_nor_the_rollout_is_deleted_while_it_is_in_progress(book: Book) -> None:
    rollout = book.start("v2")
    book.delete(Kind.INSTANCE, "web-1")
    book.delete(Kind.INSTANCE, "web-2")
    for kind, key in ((Kind.SERVICE, str(WEB)), (Kind.ROLLOUT, rollout.id)):
        with pytest.raises(Conflict) as caught:
            book.delete(kind, key)
        assert caught.value.code == "rollout_active"
    book.step(rollout, Abort(), Acked())
    book.delete(Kind.ROLLOUT, rollout.id)
    book.delete(Kind.SERVICE, str(WEB))


def test_a_step_that_changes_nothing_writes_nothing(book: Book) -> None:
    rollout = book.step(book.start("v2"), Abort())
    revision = book.intent.revision
    book.step(rollout, Abort())
    assert book.intent.revision == revision


def test_a_step_of_an_unknown_rollout_is_not_found(book: Book) -> None:
    with pytest.raises(NotFound):
        book.step(Rollout("web-v2-9", WEB, "v2", "v1"), Abort())


def test_a_rollout_id_stays_an_id_however_long_the_names_are() -> None:
    book, long = Book(), ServiceKey("default", "s" * 100)
    book.put(instance("a", "v1", service=long), instance("b", "v" * 128, service=long))
    assert len(book.start("v" * 128, key=long).id) <= 128


def test_a_rollout_that_waits_for_its_first_word_gives_way_to_one_of_the_same_version(book: Book) -> None:
    waiting = book.step(book.start("v2", WAITS, Step(500)), Acked())
    assert (waiting.phase, waiting.weight) == (Phase.PAUSED, 0)
    taken = book.start("v2", Step(1000))
    assert (taken.id, taken.plan, taken.weight) == (waiting.id, (Step(1000),), 1000)
    assert len(book.intent.rollouts) == 1


def test_a_rollout_that_waits_gives_way_to_another_version_once_nothing_runs_its_own(book: Book) -> None:
    waiting = book.start("v2", WAITS, Step(500))
    book.put(instance("web-3", "v3"))
    with pytest.raises(Conflict):
        book.start("v3", WAITS)
    book.delete(Kind.INSTANCE, "web-2")
    assert book.start("v3", WAITS).id == "web-v3-1"
    over = book.intent.rollouts[waiting.id]
    assert (over.phase, over.reason) == (Phase.ABORTED, "v3 has taken its place: nothing ran v2 any more")
    assert book.service().split.weights == {"v1": 10_000}


@pytest.mark.parametrize("event", [SetWeight(0), Resume(), Promote(), Abort()])
def test_a_rollout_that_somebody_has_decided_about_gives_way_to_nobody(book: Book, event: Event) -> None:
    book.step(book.start("v2", WAITS, Step(500)), Acked(), event)
    with pytest.raises(Conflict, match="still"):
        book.start("v2", Step(1000))
