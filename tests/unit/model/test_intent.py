"""The intent: what a change makes dirty, who stays a little after it is gone, and indexes that keep step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.declared import WEB, Book, instance, route, service, split
from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Intent, Kind, Ref, ref
from xds.model.members import Members
from xds.model.names import Key, ServiceKey
from xds.model.selector import Selector
from xds.model.service import Subset
from xds.model.view import ServiceView

SHOP = ServiceKey("default", "shop")


@pytest.fixture
def book() -> Book:
    """Two instances of v1 and one of v2, which has a tenth of the users; another service beside it."""
    book = Book()
    book.put(instance("a1"), instance("a2"), instance("b1", "v2"), instance("shop-1", service=SHOP))
    book.put(service(split=split(v1=9000, v2=1000)))
    book.intent.take_dirty()
    return book


def view(book: Book) -> ServiceView:
    found = book.intent.view(WEB)
    assert found is not None
    return found


def members(book: Book, subset: str) -> list[str]:
    return [member.instance.id for member in view(book).subsets.get(subset, ())]


# -- dirty -------------------------------------------------------------------------------------------------------


def test_a_change_makes_its_own_service_dirty_and_no_other(book: Book) -> None:
    book.put(instance("a1", weight=1))
    assert book.intent.take_dirty().services == {WEB}
    book.put(route("shop.api", to=SHOP))
    assert book.intent.take_dirty().services == {SHOP}
    book.delete(Kind.ROUTE, "default/shop.api")
    assert book.intent.take_dirty().services == {SHOP}
    assert not book.intent.take_dirty()


def test_a_gateway_makes_its_environment_dirty_and_no_service(book: Book) -> None:
    book.put(Gateway(Key("prod", "edge")))
    dirty = book.intent.take_dirty()
    assert (dirty.services, dirty.gateways) == (set(), {"prod"})


def test_health_is_news_only_once_and_only_of_instances_that_are_known(book: Book) -> None:
    assert book.intent.observe_health({"a1": Health.UNHEALTHY, "ghost": Health.UNHEALTHY})
    assert book.intent.take_dirty().services == {WEB}
    assert not book.intent.observe_health({"a1": Health.UNHEALTHY, "a2": Health.HEALTHY})
    assert not book.intent.take_dirty()


def test_an_instance_that_comes_back_under_its_id_is_healthy_again(book: Book) -> None:
    book.intent.observe_health({"a1": Health.UNHEALTHY})
    book.delete(Kind.INSTANCE, "a1")
    book.put(instance("a1"))
    assert book.intent.health("a1") is Health.HEALTHY


# -- views -------------------------------------------------------------------------------------------------------


def test_a_view_has_a_subset_per_version_the_declared_ones_and_everybody(book: Book) -> None:
    book.put(service(subsets=(Subset("heavy", Selector.parse("id in (a1,b1)")), Subset("none", Selector.parse("x")))))
    assert {name: members(book, name) for name in view(book).subsets} == {
        "-": ["a1", "a2", "b1"],
        "v1": ["a1", "a2"],
        "v2": ["b1"],
        "heavy": ["a1", "b1"],
        "none": [],
    }
    assert view(book).serving == {"-", "v1", "v2", "heavy"}


def test_nothing_is_to_be_seen_of_a_service_that_nobody_declared(book: Book) -> None:
    assert book.intent.view(ServiceKey("prod", "web")) is None


@pytest.mark.parametrize("gone", [{"weight": 0}, {}], ids=["weight 0", "unhealthy"])
def test_who_has_no_weight_or_no_health_does_not_serve(book: Book, gone: dict[str, object]) -> None:
    book.put(instance("b1", "v2", **gone))  # type: ignore[arg-type]  # each is a field of Instance
    if not gone:
        book.intent.observe_health({"b1": Health.UNHEALTHY})
    assert "v2" not in view(book).serving


# -- leaving -----------------------------------------------------------------------------------------------------


def test_the_last_of_a_weighted_subset_stays_until_it_is_released(book: Book) -> None:
    book.delete(Kind.INSTANCE, "b1")
    assert set(book.intent.leaving) == {"b1"}
    assert members(book, "v2") == ["b1"]
    assert "v2" not in view(book).serving
    book.intent.take_dirty()
    book.intent.release("b1")
    assert book.intent.take_dirty().services == {WEB}
    assert members(book, "v2") == []
    book.intent.release("b1")
    assert not book.intent.take_dirty()


def test_who_leaves_is_not_shown_where_others_serve(book: Book) -> None:
    book.delete(Kind.INSTANCE, "b1")
    assert members(book, "-") == ["a1", "a2"]


def test_who_is_not_the_last_goes_at_once(book: Book) -> None:
    book.delete(Kind.INSTANCE, "a1")
    assert not book.intent.leaving


def test_the_last_of_a_version_without_users_goes_at_once(book: Book) -> None:
    book.put(service(split=split(v1=10_000)))
    book.delete(Kind.INSTANCE, "b1")
    assert not book.intent.leaving


def test_a_route_that_names_the_version_keeps_its_last_too(book: Book) -> None:
    book.put(service(split=split(v1=10_000)), route(subset="v2"))
    book.delete(Kind.INSTANCE, "b1")
    assert set(book.intent.leaving) == {"b1"}


def test_the_last_of_a_declared_subset_stays_though_its_version_serves_on(book: Book) -> None:
    book.put(service(subsets=(Subset("first", Selector.parse("id=a1")),)), route(subset="first"))
    book.delete(Kind.INSTANCE, "a1")
    assert members(book, "first") == ["a1"]
    assert members(book, "v1") == ["a2"]


def test_nobody_stays_when_nobody_is_left_to_fall_back_to(book: Book) -> None:
    book.delete(Kind.INSTANCE, "a1")
    book.intent.observe_health({"a2": Health.UNHEALTHY})
    book.delete(Kind.INSTANCE, "b1")
    assert not book.intent.leaving


@pytest.mark.parametrize("health", [Health.UNHEALTHY, Health.DRAINING])
def test_who_did_not_serve_any_more_is_not_kept(book: Book, health: Health) -> None:
    """Its users have been sent elsewhere already; kept, it would stand there as healthy."""
    book.intent.observe_health({"b1": health})
    book.delete(Kind.INSTANCE, "b1")
    assert not book.intent.leaving


def test_who_comes_back_is_not_leaving_any_more(book: Book) -> None:
    book.delete(Kind.INSTANCE, "b1")
    book.put(instance("b1", "v2"))
    assert not book.intent.leaving
    assert "v2" in view(book).serving


def test_a_removal_looks_at_one_other_member_as_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal must not cost the service: here it would cost three thousand times three thousand looks."""
    looks = 0

    class Counting(Members):
        def serving(self) -> Iterator[Instance]:
            nonlocal looks
            for one in super().serving():
                looks += 1
                yield one

    monkeypatch.setattr("xds.model.intent.Members", Counting)
    intent, many = Intent(), 3000
    intent.restore([(service(split=split(v1=10_000)), 1), *((instance(f"i{at}"), 1) for at in range(many))], 1)
    for at in range(many - 1):
        intent.commit({Ref(Kind.INSTANCE, f"i{at}"): None}, 2)
    assert 0 < looks <= 4 * many


# -- indexes -----------------------------------------------------------------------------------------------------


def test_the_label_index_keeps_step_with_every_change(book: Book) -> None:
    def selected(text: str) -> list[str]:
        return [found.id for found in book.intent.select(Selector.parse(text))]

    book.put(instance("a1", labels={"tier": "gold"}))
    assert selected("tier=gold") == ["a1"]
    book.put(instance("a1", "v3", labels={"tier": "tin"}))
    assert (selected("tier=gold"), selected("tier=tin,version=v3")) == ([], ["a1"])
    assert selected("service=web") == ["a1", "a2", "b1"]
    book.delete(Kind.INSTANCE, "a1")
    assert selected("tier") == []


def test_nothing_is_left_of_a_service_that_is_gone(book: Book) -> None:
    book.put(route("shop.api", to=SHOP))
    book.delete(Kind.INSTANCE, "shop-1")
    book.delete(Kind.ROUTE, "default/shop.api")
    book.delete(Kind.SERVICE, str(SHOP))
    intent = book.intent
    assert not any(SHOP in table for table in (intent.services, intent._members, intent._routes_of))
    assert not any(name.key.endswith("shop") or "shop-1" in name.key for name in intent.revisions)


def test_what_is_restored_is_what_was_committed_each_at_its_own_revision(book: Book) -> None:
    book.put(route(), Gateway(Key("default", "edge")))
    book.start("v2")
    restored = Intent()
    objects = [book.intent.get(name) for name in book.intent.revisions]
    restored.restore([(each, book.intent.revisions[ref(each)]) for each in objects if each], book.intent.revision)
    for table in ("revision", "instances", "services", "routes", "gateways", "rollouts", "revisions"):
        assert getattr(restored, table) == getattr(book.intent, table)
    assert restored.rollout_of(WEB) == book.intent.rollout_of(WEB)
    assert restored.rollout_of(SHOP) is None


def test_removing_what_is_not_there_does_nothing(book: Book) -> None:
    revisions = dict(book.intent.revisions)
    book.intent.commit({Ref(kind, "default/nothing"): None for kind in Kind}, book.intent.revision)
    assert book.intent.revisions == revisions
    assert not book.intent.take_dirty()
