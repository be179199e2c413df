"""What overlays make of instances and services, and when one is refused."""

from __future__ import annotations

import pytest

from tests.harness.declared import WEB, Book, instance, service, split
from xds.model.health import Health
from xds.model.intent import Kind
from xds.model.names import ServiceKey
from xds.model.overlay import Act, Overlay
from xds.model.problems import Conflict, FairleadError, InvalidInput, NotFound
from xds.model.selector import Selector

DEV = ServiceKey("dev", "web")


def drain(selector: str, name: str = "drain", **more: object) -> Overlay:
    return Overlay(name, Act.DRAIN, selector=Selector.parse(selector), **more)  # type: ignore[arg-type]  # Overlay's own


def weigh(selector: str, weight: int, name: str = "weigh") -> Overlay:
    return Overlay(name, Act.WEIGHT, selector=Selector.parse(selector), weight=weight)


def pin(version: str, name: str = "pin") -> Overlay:
    return Overlay(name, Act.PIN, service="web", version=version)


@pytest.fixture
def book() -> Book:
    """Two instances of v1, which is stable, and one of v2."""
    book = Book()
    book.put(instance("web-1"), instance("web-2", labels={"rack": "b"}), instance("web-3", "v2"))
    return book


def held(book: Book, key: ServiceKey = WEB) -> dict[str, tuple[Health, int]]:
    view = book.intent.view(key)
    assert view is not None
    return {member.instance.id: (member.health, member.weight) for member in view.members}


def test_a_drained_instance_gets_no_requests_and_the_others_stay(book: Book) -> None:
    book.put(drain("id=web-1"))
    assert held(book) == {
        "web-1": (Health.DRAINING, 100),
        "web-2": (Health.HEALTHY, 100),
        "web-3": (Health.HEALTHY, 100),
    }


def test_a_weight_holds_over_the_one_that_was_registered_and_over_the_next(book: Book) -> None:
    book.put(weigh("rack=b", 5))
    book.put(instance("web-2", labels={"rack": "b"}, weight=300))
    assert held(book)["web-2"] == (Health.HEALTHY, 5)


def test_an_overlay_outlives_the_instance_and_meets_it_again(book: Book) -> None:
    book.put(drain("id=web-1"))
    book.delete(Kind.INSTANCE, "web-1")
    book.put(instance("web-1", epoch=9))
    assert held(book)["web-1"][0] is Health.DRAINING


def test_only_the_services_it_touches_are_made_anew(book: Book) -> None:
    book.put(instance("api-1", service=ServiceKey("default", "api")))
    book.intent.take_dirty()
    book.put(drain("id=web-1"))
    assert book.intent.take_dirty().services == {WEB}
    book.delete(Kind.OVERLAY, "drain")
    assert book.intent.take_dirty().services == {WEB}
    assert held(book)["web-1"][0] is Health.HEALTHY


def test_a_drain_beats_a_weight_and_of_two_weights_the_later_word_holds(book: Book) -> None:
    book.put(weigh("version=v1", 7, "a"), weigh("id=web-2", 9, "b"))
    assert (held(book)["web-1"][1], held(book)["web-2"][1]) == (7, 9)
    book.put(weigh("version=v1", 7, "a"))
    assert held(book)["web-2"][1] == 7
    book.put(drain("id=web-2"), weigh("id=web-2", 50, "b"))
    assert held(book)["web-2"][0] is Health.DRAINING
    assert [overlay.id for overlay in book.intent.overlays.on(book.intent.instances["web-2"])] == ["drain", "b", "a"]


def test_no_overlay_reaches_into_another_environment(book: Book) -> None:
    book.put(instance("dev-1", service=DEV), instance("dev-2", service=DEV))
    book.put(drain("id in (web-1,dev-1)"))
    assert held(book)["web-1"][0] is Health.DRAINING
    assert held(book, DEV)["dev-1"][0] is Health.HEALTHY
    with pytest.raises(Conflict, match="no instance of env default matches env=dev"):
        book.put(drain("env=dev", "other"))


def test_a_pin_sends_everybody_to_one_version_and_leaves_the_split_beneath(book: Book) -> None:
    book.put(service(split=split(v1=9_000, v2=1_000)))
    book.put(pin("v2"))
    view = book.intent.view(WEB)
    assert view is not None
    assert view.service.split.weights == {"v2": 10_000}
    assert (view.service.split.salt, view.service.split.key) == (book.service().split.salt, book.service().split.key)
    assert book.service().split.weights == {"v1": 9_000, "v2": 1_000}
    book.delete(Kind.OVERLAY, "pin")
    view = book.intent.view(WEB)
    assert view is not None
    assert view.service.split.weights == {"v1": 9_000, "v2": 1_000}


def test_who_cannot_be_pinned_to_is_refused(book: Book) -> None:
    with pytest.raises(InvalidInput, match="no version or subset 'v9'") as refused:
        book.put(pin("v9"))
    assert refused.value.pointer == "/version"
    with pytest.raises(NotFound, match="default/shop does not exist"):
        book.put(Overlay("pin", Act.PIN, service="shop", version="v1"))


def test_the_last_who_serve_users_are_not_drained_unless_it_is_forced_c3(book: Book) -> None:
    book.put(drain("id=web-1"))
    with pytest.raises(Conflict, match="nobody would be left to serve default/web v1") as refused:
        book.put(drain("id=web-2", "second"))
    assert (refused.value.code, refused.value.pointer) == ("would_empty", "/selector")
    assert book.intent.overlays.get("second") is None
    book.put(drain("id=web-2", "second"), force=True)
    assert held(book)["web-2"][0] is Health.DRAINING


def test_a_weight_of_0_is_judged_like_a_drain_and_any_other_weight_is_not_c3(book: Book) -> None:
    with pytest.raises(Conflict, match="nobody would be left"):
        book.put(weigh("version=v1", 0))
    book.put(weigh("version=v1", 1))


def test_a_version_without_users_may_be_drained_as_a_whole(book: Book) -> None:
    book.put(drain("version=v2"))
    assert held(book)["web-3"][0] is Health.DRAINING


def test_an_instance_that_is_sick_counts_for_nobody(book: Book) -> None:
    book.intent.observe_health({"web-1": Health.UNHEALTHY})
    with pytest.raises(Conflict, match="nobody would be left"):
        book.put(drain("id=web-2"))
    book.put(drain("id=web-1"))


def test_a_selector_that_picks_nothing_is_refused_and_one_that_says_nothing_too_c3(book: Book) -> None:
    with pytest.raises(Conflict, match="matches id=web-9") as refused:
        book.put(drain("id=web-9"))
    assert refused.value.code == "matches_nothing"
    book.put(drain("id=web-9"), force=True)
    with pytest.raises(InvalidInput, match="nothing of which instances"):
        drain("")


def test_an_id_is_not_given_to_another_target(book: Book) -> None:
    book.put(drain("id=web-1", "mine", reason="disk"))
    book.put(drain("id=web-1", "mine", reason="disk and fan"))
    with pytest.raises(Conflict, match="is a drain of something else"):
        book.put(drain("id=web-2", "mine"))
    kept = book.intent.overlays.get("mine")
    assert kept is not None
    assert kept.reason == "disk and fan"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"act": Act.WEIGHT, "selector": Selector.parse("id=a")}, "/weight"),
        ({"act": Act.WEIGHT, "selector": Selector.parse("id=a"), "weight": 10_001}, "/weight"),
        ({"act": Act.DRAIN, "selector": Selector.parse("id=a"), "weight": 1}, "/weight"),
        ({"act": Act.PIN, "service": "web"}, "/version"),
        ({"act": Act.PIN, "version": "v1"}, "/service"),
        ({"act": Act.DRAIN, "selector": Selector.parse("id=a"), "lasts": 0.5}, "/expires_in"),
        ({"act": Act.DRAIN, "selector": Selector.parse("id=a"), "lasts": float("nan")}, "/expires_in"),
    ],
)
def test_an_act_says_what_it_needs_and_nothing_else(fields: dict[str, object], pointer: str) -> None:
    with pytest.raises(FairleadError) as refused:
        Overlay("x", **fields)  # type: ignore[arg-type]  # the keywords are Overlay's own
    assert refused.value.pointer == pointer
