"""What Envoys told, turned into words about instances."""

from __future__ import annotations

from tests.harness.declared import Book, instance
from tests.harness.declared import service as declared_service
from xds.model.health import Health
from xds.model.names import ServiceKey
from xds.model.signal import Signal
from xds.model.traffic import Attempts
from xds.telemetry.breakers import Breakers
from xds.telemetry.opinions import SECONDS, Opinions
from xds.telemetry.reporter import Reporter
from xds.telemetry.settings import TelemetrySettings
from xds.telemetry.traffic import Traffic
from xds.telemetry.windows import Kind, Place

CLUSTERS = ("ghost/v1", "web/v1", "web/v2")
EDGE, SIDE = Reporter("edge", "default", frozenset()), Reporter("side", "default", frozenset())


class Office:
    """Two instances of each of two versions of web, and what Envoys tell of them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.book = Book()
        self.book.put(declared_service())
        for number in (1, 2, 3, 4):
            ports = {"http": 8080, "admin": 9000}
            version = "v1" if number < 3 else "v2"
            self.book.put(instance(f"web-{number}", version, address=f"10.0.0.{number}", ports=ports))
        settings = TelemetrySettings()
        self.traffic, self.breakers = (
            Traffic(lambda: self.now, settings),
            Breakers(lambda: self.now, lambda _: CLUSTERS, settings),
        )
        self.opinions = Opinions(self.traffic, self.breakers, self.book.intent.view, lambda: self.now)

    def report(self, cluster: str, *endpoints: tuple[str, int, int], by: Reporter = EDGE) -> None:
        """One load report: endpoint, requests, errors."""
        parts = [(Place(Kind.ENDPOINT, at), Attempts(requests, errors)) for at, requests, errors in endpoints]
        self.traffic.attempted(by, cluster, Attempts(), parts)

    def healths(self) -> dict[str, Health | None]:
        return {name: None if word is None else word.health for name, word in self.opinions.of_traffic().items()}


def test_reports_of_all_envoys_and_clusters_add_up_by_instance() -> None:
    office = Office()
    office.report("web/v1", ("10.0.0.1:8080", 40, 0), ("10.0.0.2:8080", 40, 30))
    office.report("web/-", ("10.0.0.2:8080", 40, 30), ("10.0.0.9:8080", 500, 500), by=SIDE)
    said = office.opinions.of_traffic()
    assert said["web-1"] == Signal(
        Health.HEALTHY,
        "0 of 40 requests failed at Envoys",
        {"requests": 40, "errors": 0, "success_rate": 1.0},
    )
    assert said["web-2"] is not None
    assert (said["web-2"].health, said["web-2"].numbers["requests"]) == (Health.UNHEALTHY, 80)
    assert said.keys() == {"web-1", "web-2"}, "an address that nobody has is nobody's"
    assert office.opinions.of_traffic() == {}, "and what was said is not said again"


def test_named_ports_are_the_same_instance() -> None:
    office = Office()
    office.report("web.admin/v1", ("10.0.0.1:9000", 100, 20), ("10.0.0.2:9000", 100, 0))
    assert office.healths() == {"web-1": Health.UNSTABLE, "web-2": Health.HEALTHY}


def test_what_is_no_longer_told_is_taken_back() -> None:
    office = Office()
    office.report("web/v1", ("10.0.0.1:8080", 100, 20), ("10.0.0.2:8080", 100, 0))
    office.opinions.of_traffic()
    office.now += 2 * SECONDS
    assert office.healths() == {"web-1": None, "web-2": None}


def test_a_subset_that_half_of_the_envoys_have_cut_off_is_unstable_until_they_let_it_in() -> None:
    office = Office()
    office.breakers.told(EDGE, "web/v2", "state", 1)
    office.breakers.told(SIDE, "web/v2", "state", 0)
    office.breakers.told(SIDE, "web/v1", "state", 0)
    said = office.opinions.of_breakers()
    assert said.keys() == {"web-3", "web-4"}
    assert said["web-3"] == Signal(
        Health.UNSTABLE, "its subset is cut off by the breakers of 1 of 2 Envoys", {"cut_off": 1, "envoys": 2}
    )
    assert office.opinions.of_breakers() == {}
    office.breakers.told(EDGE, "web/v2", "state", 0)
    assert office.opinions.of_breakers() == {"web-3": None, "web-4": None}


def test_a_cluster_of_a_service_that_is_gone_says_nothing() -> None:
    office = Office()
    office.report("ghost/v1", ("10.0.0.1:8080", 100, 100))
    office.breakers.told(EDGE, "ghost/v1", "state", 1)
    assert office.opinions.of_traffic() == {}
    assert office.opinions.of_breakers() == {}
    assert office.book.intent.view(ServiceKey.of("ghost")) is None
