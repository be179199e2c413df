"""Environments are walls: what dev sees of prod is what somebody registered in dev, and nothing else (M69)."""

from __future__ import annotations

from tests.harness.declared import Book, instance, route
from xds.model.names import ServiceKey
from xds.translate.build import Builder
from xds.translate.outputs import Output
from xds.wire.types import ResourceType

PROD, DEV, OWN = ServiceKey("prod", "payments"), ServiceKey("dev", "payments"), ServiceKey("dev", "web")


def seen_from_dev(book: Book) -> dict[tuple[ResourceType, str], Output]:
    """What Envoys of environment dev get: resources of its own variant, and those of everybody."""
    dirty = book.intent.take_dirty()
    views = {key: book.intent.view(key) for key in (*dirty.services, *book.intent.services)}
    built = Builder().build(views, {}, frozenset())
    return {(output.type, output.name): output for output in built.upserts if output.variant in {"", "dev"}}


def test_nothing_of_another_environment_is_seen_even_under_a_host_of_its_own() -> None:
    book = Book()
    book.put(instance("web-1", service=OWN), instance("pay-1", service=PROD, address="10.9.9.9"))
    book.put(route("payments.all", to=PROD, hosts=("web.test", "payments.test")))
    seen = seen_from_dev(book)
    assert (ResourceType.CLUSTER, "web/v1") in seen
    assert not [name for _, name in seen if "payments" in name]
    assert all(b"payments" not in output.value and b"10.9.9.9" not in output.value for output in seen.values())


def test_it_is_reached_where_somebody_says_so_by_registering_it_in_this_environment() -> None:
    book = Book()
    book.put(instance("web-1", service=OWN), instance("pay-1", service=PROD, address="10.9.9.9"))
    book.put(instance("prod-payments-from-dev", service=DEV, address="10.9.9.1", labels={"stands-for": "prod"}))
    seen = seen_from_dev(book)
    assert b"10.9.9.1" in seen[ResourceType.ENDPOINT, "payments/v1"].value
    assert all(b"10.9.9.9" not in output.value for output in seen.values())
