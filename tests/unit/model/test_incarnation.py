"""Which message is the newer one, and which process it comes from."""

from __future__ import annotations

import pytest

from tests.harness.declared import Book, instance
from xds.model.declare import Delete
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.problems import Conflict, TooMany
from xds.model.quota import Quotas

NAME = Ref(Kind.INSTANCE, "web-1")


def known(book: Book) -> Instance:
    return book.intent.instances["web-1"]


def test_another_start_is_another_incarnation() -> None:
    """M67: the id is made of service, address and port; who started there anew begins a new epoch."""
    book = Book()
    book.put(instance(start="first"))
    before = known(book)
    book.put(instance(start="second"))
    assert known(book).epoch > before.epoch
    assert (known(book).seq, known(book).start) == (1, "second")


def test_the_same_start_is_the_same_incarnation() -> None:
    book = Book()
    book.put(instance(start="first"))
    before = known(book)
    book.put(instance(start="first"))
    assert known(book) == before
    book.put(instance(start="first", weight=1))
    assert (known(book).epoch, known(book).seq) == (before.epoch, before.seq + 1)


def test_a_new_epoch_is_above_one_that_was_given() -> None:
    book = Book()
    book.put(instance(start="first", epoch=1_700_000_000))
    book.put(instance(start="second"))
    assert known(book).epoch == 1_700_000_001


def test_r3_an_epoch_that_is_given_counts_whatever_the_start() -> None:
    book = Book()
    book.put(instance(start="first", epoch=7))
    with pytest.raises(Conflict) as caught:
        book.put(instance(start="second", epoch=6))
    assert caught.value.code == "stale_epoch"


@pytest.mark.parametrize(("epoch", "seq", "pointer"), [(4, 9, "/epoch"), (5, 6, "/seq")])
def test_r3_a_deregistration_of_an_older_incarnation_is_refused(epoch: int, seq: int, pointer: str) -> None:
    book = Book()
    book.put(instance(epoch=5, seq=7))
    with pytest.raises(Conflict) as caught:
        book.enter(Delete(NAME, epoch, seq))
    assert (caught.value.code, caught.value.pointer) == ("stale_epoch", pointer)
    book.enter(Delete(NAME, 5, 7))
    assert "web-1" not in book.intent.instances


@pytest.mark.parametrize("quotas", [Quotas(instances=2), Quotas(per_service=2)])
def test_r6_a_quota_refuses_who_is_new_and_nobody_who_is_known(quotas: Quotas) -> None:
    book = Book(quotas)
    book.put(instance("a"), instance("b"))
    with pytest.raises(TooMany) as caught:
        book.put(instance("c"))
    assert caught.value.code == "quota"
    book.put(instance("a", weight=1))
    book.delete(Kind.INSTANCE, "b")
    book.put(instance("c"))
