"""Who sees a new version beside its share, and until when."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.declared import WEB, Book, instance, service
from xds.model.declare import StartRollout
from xds.model.intent import Kind
from xds.model.overlay import Act, Overlay
from xds.model.preview import Preview
from xds.model.problems import InvalidInput
from xds.model.rollout import WAITS, Abort, Acked, Pause, Promote, Resume, Rollout, SetWeight, Step
from xds.model.route import MatchKind, ValueMatch
from xds.model.service import Protocol
from xds.store.rows import read, write

INSIDER = ValueMatch("x-canary", MatchKind.EXACT, "insider")
ALWAYS = ValueMatch("canary", MatchKind.EXACT, "always")
SHOWN = Preview("v2", (INSIDER,), (ALWAYS,), 1_000)


@pytest.fixture
def book() -> Book:
    """A service with stable v1, and v2 waiting."""
    book = Book()
    book.put(instance("web-1", "v1"), instance("web-2", "v2"))
    return book


def begin(book: Book, *plan: Step, preview: Preview | None = SHOWN) -> Rollout:
    started = book.enter(StartRollout(WEB, "v2", plan, preview=preview))
    assert isinstance(started, Rollout)
    return started


def test_it_begins_with_the_rollout_while_the_share_is_still_nothing(book: Book) -> None:
    begin(book, WAITS, Step(500))
    assert (book.service().split.weights, book.service().preview) == ({"v1": 10_000}, SHOWN)


def test_it_lasts_over_steps_pauses_and_weights_by_hand(book: Book) -> None:
    book.step(begin(book, WAITS, Step(500)), Acked(), Resume(), Acked(), Pause(), SetWeight(2500))
    assert book.service().preview == SHOWN


@pytest.mark.parametrize("end", [Promote(), Abort()])
def test_it_ends_the_moment_that_everybody_goes_there_or_back(book: Book, end: Promote | Abort) -> None:
    rollout = book.step(begin(book, WAITS), Acked(), end)
    assert book.service().preview is None
    assert book.step(rollout, Acked()).preview == SHOWN, "the record tells what it was"


def test_a_rollout_that_takes_its_place_brings_its_own(book: Book) -> None:
    begin(book, WAITS)
    begin(book, Step(500), preview=None)
    assert book.service().preview is None


def test_it_stays_when_the_service_is_declared_anew(book: Book) -> None:
    begin(book, WAITS)
    book.put(service(timeout=5.0))
    assert (book.service().timeout, book.service().preview) == (5.0, SHOWN)


def test_who_is_pinned_sees_no_preview(book: Book) -> None:
    begin(book, WAITS)
    book.put(Overlay("freeze", Act.PIN, service=WEB.name, version="v1"))
    view = book.intent.view(WEB)
    assert view is not None
    assert view.service.preview is None


def test_a_tcp_service_has_nothing_to_tell_apart(book: Book) -> None:
    book.put(service(protocol=Protocol.TCP))
    with pytest.raises(InvalidInput, match="no requests to match or to copy") as refused:
        begin(book, WAITS)
    assert refused.value.pointer == "/preview"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/preview"),
        ({"mirror": 10_001}, "/preview/mirror"),
        ({"headers": (INSIDER,) * 17}, "/preview"),
        ({"headers": (INSIDER, ValueMatch("x y", MatchKind.EXACT, "1"))}, "/preview/headers/1"),
        ({"cookies": (ValueMatch("beta", MatchKind.PREFIX),)}, "/preview/cookies/0"),
        ({"version": "V", "mirror": 1}, "/version"),
    ],
)
def test_what_can_be_no_preview_says_where(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Preview(**{"version": "v2", **fields})
    assert refused.value.pointer == pointer


def test_one_of_its_conditions_is_enough() -> None:
    assert list(SHOWN.alternatives) == [((INSIDER,), ()), ((), (ALWAYS,))]


def test_a_store_keeps_it_and_reads_rows_from_before_it(book: Book) -> None:
    rollout = begin(book, WAITS)
    assert read(Kind.ROLLOUT, write(Kind.ROLLOUT, rollout)) == rollout
    assert read(Kind.SERVICE, write(Kind.SERVICE, book.service())) == book.service()
    plain = write(Kind.SERVICE, service()).replace(b'"preview":null,', b"")
    assert b"preview" not in plain
    assert read(Kind.SERVICE, plain) == service()
