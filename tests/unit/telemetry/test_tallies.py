"""A tally counts from its moment on: what a report covers from before is not of it, and it forgets nothing."""

from __future__ import annotations

from xds.model.traffic import Answers, Attempts, Counts, Latency, Sample
from xds.telemetry.reporter import Reporter
from xds.telemetry.settings import TelemetrySettings
from xds.telemetry.tallies import Tally
from xds.telemetry.traffic import Traffic

EDGE, OTHER = Reporter("edge-1", "default", frozenset()), Reporter("edge-1", "prod", frozenset())


class Desk:
    """Traffic with a clock of the test's own, and a tally of both versions of `web`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.traffic = Traffic(lambda: self.now, TelemetrySettings())
        self.tally: Tally = self.traffic.tally("default", [["web/v2", "web.admin/v2"], ["web/v1"]])

    def report(self, requests: int, errors: int = 0, cluster: str = "web/v2", *, covers: float = 2.0) -> None:
        self.traffic.attempted(EDGE, cluster, Attempts(requests, errors), (), covers=covers)

    def flush(self, requests: int, cluster: str = "web/v2", *, by: str = "edge-1") -> None:
        times = Latency({(1.0, 2.0): requests})
        self.traffic.answered(Reporter(by, "default", frozenset()), cluster, Answers(requests, 0, times))

    def canary(self) -> Sample:
        return self.tally.read()[0]


def test_nothing_was_heard_of_what_nobody_reports() -> None:
    assert Desk().tally.read() == [Sample(), Sample()]


def test_clusters_are_counted_by_their_group_and_their_environment() -> None:
    desk = Desk()
    desk.now += 5
    desk.report(10, 1)
    desk.report(3, 2, "web.admin/v2")
    desk.report(50, 4, "web/v1")
    desk.report(9, 9, "web/v3")
    desk.traffic.attempted(OTHER, "web/v2", Attempts(7, 7), (), covers=1.0)
    assert [each.asked for each in desk.tally.read()] == [Counts(13, 3), Counts(50, 4)]


def test_a_report_that_began_before_is_left_out_as_a_whole() -> None:
    desk = Desk()
    desk.now += 1.9
    desk.report(100, 100)
    assert desk.canary() == Sample()
    desk.now += 2
    desk.report(10)
    assert desk.canary().asked == Counts(10, 0)


def test_nothing_is_forgotten_but_what_was_of_late_is_told_apart() -> None:
    desk = Desk()
    for _ in range(30):
        desk.now += 10
        desk.report(100)
    desk.now += 10
    desk.report(20, 20)
    found = desk.canary()
    assert (found.asked, found.lately) == (Counts(3020, 20), Counts(220, 20))
    desk.now += 31
    assert (desk.canary().lately, desk.canary().age) == (Counts(), 31.0)


def test_zero_was_heard_too() -> None:
    desk = Desk()
    desk.now += 5
    desk.report(0)
    assert desk.canary() == Sample(age=0.0)


def test_the_first_flush_of_each_node_covers_an_unknown_time_and_is_left_out() -> None:
    desk = Desk()
    desk.flush(100)
    desk.now += 0.1
    desk.flush(100, "web.admin/v2")
    desk.now += 10
    desk.flush(7)
    desk.flush(100, by="edge-2")
    assert desk.canary().latency.count == 7


def test_without_load_reports_answers_are_counted() -> None:
    desk = Desk()
    desk.flush(1)
    desk.now += 10
    desk.flush(7)
    assert desk.canary().asked == Counts(7, 0)
    desk.report(9, 2)
    assert desk.canary().asked == Counts(9, 2), "attempts tell of the failures that retries hide"


def test_a_tally_that_is_closed_counts_no_more_and_asks_for_nothing() -> None:
    desk = Desk()
    other = desk.traffic.tally("default", [["web/v2"], ["web/v1"]])
    desk.tally.close()
    desk.tally.close()
    assert desk.traffic.tallies.is_open("default")
    desk.now += 5
    desk.report(10)
    assert (desk.canary(), other.read()[0].asked) == (Sample(), Counts(10, 0))
    other.close()
    assert not desk.traffic.tallies.is_open("default")
