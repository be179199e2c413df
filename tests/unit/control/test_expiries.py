"""Overlays end when their time is over: by the monotonic clock, and after a restart by the wall within bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.harness.declared import Book, instance
from xds.control.expiries import ACTOR, Expiries
from xds.control.ports import Entry
from xds.model.declare import Delete
from xds.model.intent import ref
from xds.model.overlay import Act, Overlay
from xds.model.selector import Selector

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
TEN_MINUTES = Overlay(
    "drain-web-1", Act.DRAIN, selector=Selector.parse("id=web-1"), lasts=600.0, until=NOON + timedelta(minutes=10)
)


def standing(overlay: Overlay) -> tuple[Book, Expiries]:
    book = Book()
    book.put(instance("web-1"), instance("web-2"), overlay)
    return book, Expiries(book.intent)


def came(overlay: Overlay) -> list[Entry]:
    return [Entry(ref(overlay), None, overlay, "api")]


def test_it_is_taken_back_when_its_time_is_over_and_not_before() -> None:
    _, expiries = standing(TEN_MINUTES)
    expiries.committed(came(TEN_MINUTES), 1_000.0)
    assert expiries.look(1_599.0) == ((), 1_600.0)
    assert expiries.remaining("drain-web-1", 1_400.0) == 200.0
    (declaration,), deadline = expiries.look(1_600.0)
    assert declaration.change == Delete(ref(TEN_MINUTES))
    assert (declaration.actor, declaration.operator, deadline) == (ACTOR, True, None)


def test_to_say_it_again_begins_its_time_again_and_to_undo_it_ends_it() -> None:
    _, expiries = standing(TEN_MINUTES)
    expiries.committed(came(TEN_MINUTES), 1_000.0)
    expiries.committed(came(replace(TEN_MINUTES, since=9)), 1_500.0)
    assert expiries.look(1_600.0) == ((), 2_100.0)
    expiries.committed([Entry(ref(TEN_MINUTES), TEN_MINUTES, None, "api")], 1_600.0)
    assert expiries.look(9_999.0) == ((), None)


def test_one_without_an_end_is_never_taken_back() -> None:
    endless = replace(TEN_MINUTES, lasts=None, until=None)
    _, expiries = standing(endless)
    expiries.committed(came(endless), 1_000.0)
    expiries.restored(1_000.0, NOON)
    assert expiries.look(1e9) == ((), None)
    assert expiries.remaining("drain-web-1", 1e9) is None


def test_after_a_restart_what_is_left_is_left() -> None:
    _, expiries = standing(TEN_MINUTES)
    expiries.restored(50.0, NOON + timedelta(minutes=7))
    assert expiries.look(50.0) == ((), 50.0 + 180.0)


def test_what_ended_while_nothing_ran_is_taken_back_at_once() -> None:
    _, expiries = standing(TEN_MINUTES)
    expiries.restored(50.0, NOON + timedelta(hours=2))
    assert [declaration.change for declaration in expiries.look(50.0)[0]] == [Delete(ref(TEN_MINUTES))]


def test_a_wall_clock_that_went_back_gives_no_more_than_the_whole_time() -> None:
    _, expiries = standing(TEN_MINUTES)
    expiries.restored(50.0, NOON - timedelta(days=400))
    assert expiries.look(50.0) == ((), 650.0)
