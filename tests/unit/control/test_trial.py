"""Documents of a set tried on a draft: what becomes of each, what is pruned, and what that costs (M72, C3)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.harness.declared import WEB, Book, instance, route, service, split
from xds.control.planning import excerpt, rehearse
from xds.control.trial import Trial, try_out
from xds.model.declare import Change, Declaration, Delete
from xds.model.gateway import Gateway
from xds.model.intent import Declared, Intent
from xds.model.names import Key, ServiceKey
from xds.model.problems import FairleadError, InvalidInput
from xds.wire.types import ResourceType

SHOP = "file:shop"
API = ServiceKey("default", "api")


def ask(change: Change) -> Declaration:
    return Declaration(change, "api:test", operator=True)


def shop(*more: Declared) -> Book:
    """What set `shop` declared: web with two versions of one instance each, and a route to it."""
    book = Book()
    book.put(
        service(owner=SHOP, split=split(v1=9_000, v2=1_000), stable="v1"),
        instance("web-1", owner=SHOP),
        instance("web-2", "v2", owner=SHOP),
        route(owner=SHOP, hosts=("web.test",)),
        *more,
    )
    return book


def standing(book: Book, *without: str) -> list[Declared]:
    """What the set says now: everything it said before but for what has one of these names."""
    tables = (book.intent.services, book.intent.instances, book.intent.routes)
    found: list[Declared] = [each for table in tables for each in table.values() if each.owner == SHOP]
    return [
        each
        for each in found
        if getattr(each, "id", None) not in without and str(getattr(each, "key", "")) not in without
    ]


def tried(book: Book, documents: Sequence[Declared | FairleadError], *, prune: bool = True) -> Trial:
    return try_out(book.intent, documents, ask, SHOP if prune else None)


def pruned(trial: Trial) -> list[str]:
    return [f"{step.word} {step.name.key}" for step in trial.pruned if step.name is not None]


def test_documents_are_tried_services_first_and_told_in_their_own_order() -> None:
    trial = tried(Book(), [route(owner=SHOP), service(owner=SHOP)], prune=False)
    assert [step.word for step in trial.documents] == ["created", "created"]
    assert [at for at, _ in trial.changes] == [1, 0]


def test_what_the_set_names_no_more_goes_and_what_others_declared_stays() -> None:
    book = shop(instance("web-3", owner="api:somebody"))
    trial = tried(book, standing(book, "web-2", "default/web.api"))
    assert pruned(trial) == ["removed default/web.api", "removed web-2"]
    assert all(isinstance(change, Delete) for _, change in trial.changes[-2:])
    assert "web-3" not in str(trial.pruned)


def test_nothing_is_pruned_when_a_document_is_refused_c1() -> None:
    book = shop()
    trial = tried(book, [*standing(book, "web-2"), InvalidInput("a typing error", pointer="/kind")])
    assert (pruned(trial), trial.documents[-1].word) == ([], "refused")


def test_the_last_who_serve_users_take_force_c3() -> None:
    book = shop()
    trial = tried(book, standing(book, "web-2"))
    assert trial.cost == ("nobody would be left to serve default/web v2",)


def test_who_comes_in_their_place_counts() -> None:
    book = shop()
    new = instance("web-9", "v2", owner=SHOP, address="10.0.0.9")
    assert tried(book, [*standing(book, "web-2"), new]).cost == ()


def test_to_prune_everything_takes_force_c3() -> None:
    assert "all 4 objects of file:shop would be pruned" in tried(shop(), []).cost
    assert tried(shop(), [service(API, owner=SHOP)]).cost[0].startswith("all 4 objects")


def test_a_trial_changes_nothing() -> None:
    book = shop()
    before = (book.intent.revision, dict(book.intent.instances), dict(book.intent.services))
    tried(book, [])
    assert (book.intent.revision, dict(book.intent.instances), dict(book.intent.services)) == before


# -- what that would be for Envoys ------------------------------------------------------------------------------


def resources(intent: Intent, trial: Trial) -> dict[tuple[str, str], tuple[bool, bool]]:
    """The changes by type and name: whether there is something before, and after."""
    found = rehearse(excerpt(intent, trial.writes), trial.writes, frozenset(), None)
    names = {(each.output.type.short, each.output.name): each for each in found.resources}
    return {name: (each.before is not None, each.after is not None) for name, each in names.items()}


def test_a_plan_shows_the_resources_that_would_come_change_and_go() -> None:
    book = shop(Gateway(Key("default", "edge"), hosts=("*",), owner=SHOP))
    more = instance("web-3", "v3", owner=SHOP, address="10.0.0.3")
    found = resources(book.intent, tried(book, [more], prune=False))
    assert found == {
        ("cds", "web/v3"): (False, True),
        ("eds", "web/v3"): (False, True),
        ("eds", "web/-"): (True, True),
    }


def test_a_plan_tells_the_weights_before_and_after() -> None:
    book = shop()
    trial = tried(book, [service(owner=SHOP, split=split(v1=5_000, v2=5_000))], prune=False)
    found = rehearse(excerpt(book.intent, trial.writes), trial.writes, frozenset(), None)
    (egress,) = [each for each in found.resources if each.output.type is ResourceType.ROUTE]
    assert egress.before is not None
    assert egress.after is not None
    assert egress.before.weights[WEB] == {"v1": 9_000, "v2": 1_000}
    assert egress.after.weights[WEB] == {"v1": 5_000, "v2": 5_000}


def test_a_plan_knows_the_services_that_share_a_host_with_what_changes() -> None:
    book = shop()
    book.put(service(API), instance("api-1", service=API), route("api.api", to=API, hosts=("other.test",)))
    same = route("api.api", to=API, hosts=("web.test",))
    trial = tried(book, [same], prune=False)
    found = rehearse(excerpt(book.intent, trial.writes), trial.writes, frozenset(), None)
    assert any("matches the same requests for host 'web.test'" in problem.message for problem in found.problems)


def test_what_changes_nothing_changes_no_resource() -> None:
    book = shop()
    trial = tried(book, standing(book))
    assert [step.word for step in trial.documents] == ["unchanged"] * 4
    assert resources(book.intent, trial) == {}
