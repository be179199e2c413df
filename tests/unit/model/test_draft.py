"""Declarations: what is kept, what is refused and why, and that a refusal leaves nothing behind."""

from __future__ import annotations

import pytest

from tests.harness.declared import WEB, Book, instance, route, service, split
from xds.model.declare import Change, Declaration, Delete, Put
from xds.model.draft import Draft
from xds.model.gateway import Gateway
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import Key, ServiceKey
from xds.model.problems import (
    Conflict,
    FairleadError,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
)
from xds.model.rollout import Rollout
from xds.model.selector import Selector
from xds.model.service import Protocol, Service, Subset
from xds.model.split import KeySource, Segment, Split, SplitKey
from xds.model.upstream import FIRST_UPSTREAM_PORT


@pytest.fixture
def book() -> Book:
    return Book()


# -- the service owns its split ----------------------------------------------------------------------------------


def test_the_first_version_to_register_becomes_stable_and_gets_everything(book: Book) -> None:
    book.put(instance(version="v1"))
    assert (book.service().stable, book.service().split.weights) == ("v1", {"v1": 10_000})
    assert book.service().split.salt == "default/web"


def test_an_unseen_version_gets_nothing_until_somebody_says_so(book: Book) -> None:
    book.put(instance(version="v1"), instance("web-2", "v2"))
    assert book.service().split.weights == {"v1": 10_000}


def test_a_service_declared_before_its_instances_keeps_its_policy_and_takes_the_first_version(book: Book) -> None:
    book.put(service(timeout=3.0, split=Split(key=SplitKey(KeySource.COOKIE, "sid"))), instance(version="v7"))
    assert (book.service().timeout, book.service().stable) == (3.0, "v7")
    assert book.service().split.key == SplitKey(KeySource.COOKIE, "sid")


def test_a_declared_split_shifts_the_one_that_is_there(book: Book) -> None:
    book.put(instance(version="v1"), service(split=split(v1=8000, v2=1000, v3=1000)))
    book.put(service(split=split(v1=7000, v2=1000, v3=2000)))
    assert book.service().split.segments == (Segment("v1", 7000), Segment("v3", 2000), Segment("v2", 1000))


def test_a_service_put_without_a_split_keeps_split_stable_version_and_port(book: Book) -> None:
    book.put(instance(), service(split=split(v1=9000, v2=1000), protocol=Protocol.TCP))
    before = book.service()
    book.put(service(timeout=1.0, protocol=Protocol.TCP))
    after = book.service()
    assert (after.split, after.stable, after.upstream_port) == (before.split, before.stable, before.upstream_port)


def test_a_split_with_weights_in_another_order_moves_nobody(book: Book) -> None:
    book.put(instance(), service(split=split(v1=9000, v2=1000)))
    before = book.service().split
    book.put(service(split=split(v2=1000, v1=9000)))
    assert book.service().split == before


# -- the same again changes nothing ------------------------------------------------------------------------------


def test_the_same_instance_again_changes_nothing(book: Book) -> None:
    book.put(instance(), service(protocol=Protocol.TCP), route(), Gateway(Key("default", "edge")))
    revision = book.intent.revision
    book.put(instance(), service(protocol=Protocol.TCP), route(), Gateway(Key("default", "edge")))
    assert book.intent.revision == revision
    assert book.intent.take_dirty()
    book.put(instance())
    assert not book.intent.take_dirty()


# -- identity and succession -------------------------------------------------------------------------------------


def test_an_absent_epoch_is_issued_and_a_change_counts_on(book: Book) -> None:
    book.put(instance())
    first = book.intent.instances["web-1"]
    assert (first.epoch, first.seq) == (1, 1)
    book.put(instance(weight=50))
    assert (book.intent.instances["web-1"].epoch, book.intent.instances["web-1"].seq) == (1, 2)


@pytest.mark.parametrize(("epoch", "seq"), [(4, 9), (5, 6), (4, 0)])
def test_what_is_older_than_known_is_refused(book: Book, epoch: int, seq: int) -> None:
    book.put(instance(epoch=5, seq=7))
    with pytest.raises(Conflict) as caught:
        book.put(instance(epoch=epoch, seq=seq, weight=1))
    assert caught.value.code == "stale_epoch"
    assert caught.value.pointer == ("/epoch" if epoch < 5 else "/seq")


def test_a_new_incarnation_begins_to_count_anew(book: Book) -> None:
    book.put(instance(epoch=5, seq=7))
    book.put(instance(epoch=6))
    book.put(instance(epoch=6, seq=1, weight=1))
    assert (book.intent.instances["web-1"].epoch, book.intent.instances["web-1"].seq) == (6, 1)


def test_a_message_that_says_nothing_new_still_outdates_what_was_sent_before_it(book: Book) -> None:
    book.put(instance(epoch=1, seq=1))
    book.put(instance(epoch=1, seq=3))
    with pytest.raises(Conflict):
        book.put(instance(epoch=1, seq=2, weight=0))


def test_an_id_names_one_service_for_as_long_as_it_is_registered(book: Book) -> None:
    book.put(instance())
    with pytest.raises(Forbidden) as caught:
        book.put(instance(service=ServiceKey("default", "shop")))
    assert (caught.value.code, caught.value.pointer) == ("identity", "/id")
    book.delete(Kind.INSTANCE, "web-1")
    book.put(instance(service=ServiceKey("default", "shop")))


def test_a_route_name_that_reads_two_ways_stays_with_its_first_service(book: Book) -> None:
    """`web.a.x` is route `a.x` of `web` and route `x` of `web.a`."""
    other = ServiceKey("default", "web.a")
    book.put(service(), service(other), route("web.a.x"))
    with pytest.raises(Forbidden) as caught:
        book.put(route("web.a.x", to=other))
    assert caught.value.code == "identity"


# -- owners ------------------------------------------------------------------------------------------------------


def test_only_its_owner_or_an_operator_changes_or_deletes_an_object(book: Book) -> None:
    book.put(instance(owner="agent:one"), actor="agent:one")
    with pytest.raises(Forbidden) as caught:
        book.put(instance(weight=1, owner="agent:two"), actor="agent:two")
    assert caught.value.code == "not_owner"
    with pytest.raises(Forbidden):
        book.delete(Kind.INSTANCE, "web-1", actor="agent:two")
    book.put(instance(weight=1, owner="api:ops"), actor="api:ops", operator=True)
    assert book.intent.instances["web-1"].owner == "agent:one"
    book.delete(Kind.INSTANCE, "web-1", actor="agent:one")
    assert not book.intent.instances


def test_who_speaks_for_a_set_of_files_may_change_what_the_set_owns(book: Book) -> None:
    book.put(service(owner="file:shop"), actor="api:alice")
    book.put(service(owner="file:shop", timeout=1.0), actor="api:bob")
    assert book.service().timeout == 1.0


def test_a_service_that_came_by_itself_belongs_to_whoever_declares_it_first(book: Book) -> None:
    book.put(instance(owner="agent:one"), actor="agent:one")
    assert book.service().owner == "auto"
    book.put(service(owner="file:shop"), actor="file:shop")
    assert book.service().owner == "file:shop"


# -- if-match ----------------------------------------------------------------------------------------------------


def test_a_write_goes_through_only_at_the_revision_that_the_caller_saw(book: Book) -> None:
    book.put(service(), if_match=0)
    book.put(service(timeout=1.0), if_match=1)
    for stale in (0, 1, 7):
        with pytest.raises(PreconditionFailed, match="is at revision 2"):
            book.put(service(timeout=2.0), if_match=stale)
    with pytest.raises(PreconditionFailed):
        book.delete(Kind.SERVICE, "default/web", if_match=1)
    book.delete(Kind.SERVICE, "default/web", if_match=2)
    with pytest.raises(PreconditionFailed, match="is at revision 0"):
        book.put(service(), if_match=2)


def test_within_a_batch_the_revision_moves_only_with_a_change(book: Book) -> None:
    book.put(service())
    draft = Draft(book.intent)
    draft.declare(Declaration(Put(service()), "api:a"))
    draft.declare(Declaration(Put(service(timeout=1.0)), "api:a", if_match=1))
    with pytest.raises(PreconditionFailed, match="revision 2"):
        draft.declare(Declaration(Put(service(timeout=2.0)), "api:b", if_match=1))


# -- upstream ports ----------------------------------------------------------------------------------------------


def test_every_tcp_service_gets_a_local_port_of_its_own_per_environment(book: Book) -> None:
    keys = [ServiceKey("default", "a"), ServiceKey("default", "b"), ServiceKey("prod", "c")]
    book.put(*[service(key, protocol=Protocol.TCP) for key in keys])
    assert [book.service(key).upstream_port for key in keys] == [
        FIRST_UPSTREAM_PORT,
        FIRST_UPSTREAM_PORT + 1,
        FIRST_UPSTREAM_PORT,
    ]


def test_ports_are_unique_within_one_batch_too(book: Book) -> None:
    draft = Draft(book.intent)
    for at in range(20):
        draft.declare(Declaration(Put(service(ServiceKey("default", f"s{at}"), protocol=Protocol.TCP)), "api:a"))
    ports = [written.upstream_port for written in draft.writes.values() if isinstance(written, Service)]
    assert sorted(port for port in ports if port) == list(range(FIRST_UPSTREAM_PORT, FIRST_UPSTREAM_PORT + 20))


def test_a_port_is_free_again_within_the_batch_that_gave_it_up(book: Book) -> None:
    book.put(service(upstream_port=16_005))
    draft = Draft(book.intent)
    other = service(ServiceKey("default", "db"), upstream_port=16_005)
    with pytest.raises(InvalidInput):
        draft.declare(Declaration(Put(other), "api:a"))
    draft.declare(Declaration(Put(service(upstream_port=16_006)), "api:a"))
    draft.declare(Declaration(Put(other), "api:a"))
    with pytest.raises(InvalidInput):
        draft.declare(Declaration(Put(service(upstream_port=16_005)), "api:a"))


def test_a_port_that_another_service_has_is_refused_by_name(book: Book) -> None:
    book.put(service(upstream_port=16_005))
    with pytest.raises(InvalidInput, match="belongs to service default/web") as caught:
        book.put(service(ServiceKey("default", "db"), upstream_port=16_005))
    assert caught.value.pointer == "/upstream_port"
    book.delete(Kind.SERVICE, "default/web")
    book.put(service(ServiceKey("default", "db"), upstream_port=16_005))


# -- routes and deletes ------------------------------------------------------------------------------------------


def test_a_route_needs_its_service(book: Book) -> None:
    with pytest.raises(InvalidInput) as caught:
        book.put(route())
    assert (caught.value.code, caught.value.pointer) == ("unknown_service", "/service")


def test_a_route_names_versions_and_subsets_that_are_there(book: Book) -> None:
    book.put(instance(), instance("web-2", "v2"), service(subsets=(Subset("eu", Selector.parse("region=eu")),)))
    for name in ("v1", "v2", "eu", "-"):
        book.put(route(subset=name))
    book.put(route(split=split(v2=5000, eu=5000)))
    for fields, pointer in (({"subset": "v9"}, "/subset"), ({"split": split(v1=5000, v9=5000)}, "/split")):
        with pytest.raises(InvalidInput, match="it has -, eu, v1, v2") as caught:
            book.put(route(**fields))
        assert (caught.value.code, caught.value.pointer) == ("unknown_version", pointer)


def test_a_service_is_deleted_last(book: Book) -> None:
    book.put(instance(), route())
    with pytest.raises(Conflict, match="still has instances"):
        book.delete(Kind.SERVICE, "default/web")
    book.delete(Kind.INSTANCE, "web-1")
    with pytest.raises(Conflict, match="still has routes"):
        book.delete(Kind.SERVICE, "default/web")
    book.delete(Kind.ROUTE, "default/web.api")
    book.delete(Kind.SERVICE, "default/web")
    assert not book.intent.services


def test_what_the_batch_itself_adds_or_removes_counts_for_a_delete(book: Book) -> None:
    book.put(service())
    draft = Draft(book.intent)
    draft.declare(Declaration(Put(route()), "api:a"))
    with pytest.raises(Conflict, match="still has routes"):
        draft.declare(Declaration(Delete(Ref(Kind.SERVICE, "default/web")), "api:a"))
    draft.declare(Declaration(Delete(Ref(Kind.ROUTE, "default/web.api")), "api:a"))
    draft.declare(Declaration(Delete(Ref(Kind.SERVICE, "default/web")), "api:a"))
    assert draft.get(Ref(Kind.SERVICE, "default/web")) is None


@pytest.mark.parametrize("kind", Kind)
def test_what_does_not_exist_cannot_be_deleted(book: Book, kind: Kind) -> None:
    with pytest.raises(NotFound):
        book.delete(kind, "default/nothing")


def test_a_rollout_is_started_and_not_put(book: Book) -> None:
    with pytest.raises(InvalidInput):
        book.put(Rollout("web-v2-1", WEB, "v2", "v1"))


# -- a refusal leaves nothing ------------------------------------------------------------------------------------


def test_what_is_refused_writes_nothing(book: Book) -> None:
    book.put(instance(), service(ServiceKey("default", "db"), protocol=Protocol.TCP, upstream_port=FIRST_UPSTREAM_PORT))
    draft = Draft(book.intent)
    refused: list[Change] = [
        Put(instance(service=ServiceKey("default", "shop"))),
        Put(instance(epoch=1, seq=2**63 - 1, service=ServiceKey("default", "shop"))),
        Put(route(to=ServiceKey("default", "shop"), name="shop.api")),
        Put(service(upstream_port=FIRST_UPSTREAM_PORT)),
        Delete(Ref(Kind.SERVICE, "default/web")),
        Delete(Ref(Kind.ROUTE, "default/web.api")),
    ]
    for change in refused:
        with pytest.raises(FairleadError):
            draft.declare(Declaration(change, "api:a"))
    assert not draft.writes
    assert not draft.authors


def test_when_every_port_is_taken_a_tcp_service_is_refused_in_words(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The range is cut to one port; filling the real one takes fifty thousand services."""
    monkeypatch.setattr("xds.model.upstream.FIRST_UPSTREAM_PORT", 65_535)
    book.put(service(ServiceKey("default", "a"), protocol=Protocol.TCP))
    draft = Draft(book.intent)
    with pytest.raises(Conflict) as caught:
        draft.declare(Declaration(Put(service(protocol=Protocol.TCP)), "api:a"))
    assert caught.value.code == "no_port"
    assert not draft.writes


def test_the_author_of_every_write_is_kept(book: Book) -> None:
    draft = Draft(book.intent)
    draft.declare(Declaration(Put(instance()), "agent:one", reason="started"))
    assert {(name.kind, by.actor, by.reason) for name, by in draft.authors.items()} == {
        (Kind.INSTANCE, "agent:one", "started"),
        (Kind.SERVICE, "agent:one", "started"),
    }
    assert isinstance(draft.get(Ref(Kind.INSTANCE, "web-1")), Instance)
