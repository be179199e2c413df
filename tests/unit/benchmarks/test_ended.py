"""To which moment each failure of a benchmark's kill belongs, and which figures that makes."""

from __future__ import annotations

from benchmarks.docker import compared
from benchmarks.ended import Cost, killed
from benchmarks.peers.containers import End
from benchmarks.peers.loading import Failure


def cost(*left: float, known: float | None = 10.05, died: float = 10.02, rate: float = 880.0) -> Cost:
    """An end that was asked for at 10.0."""
    failures = tuple(Failure(each, each + 0.001, "503") for each in left)
    return Cost(failures, End(10.0, died), known, rate, 3.0)


def test_a_failure_was_in_flight_or_came_before_the_push_or_after_it() -> None:
    found = cost(10.019, 10.021, 10.03, 10.06)
    assert (found.in_flight, found.before_push, found.after_push) == (1, 2, 1)
    assert found.count == 4
    assert round(found.last_ms) == 60


def test_an_end_that_costs_nothing_has_no_last_failure() -> None:
    assert (cost().count, cost().last_ms) == (0, 0.0)


def test_the_worst_of_several_kills_counts_and_a_single_failure_after_a_push_is_not_lost() -> None:
    figures = killed([cost(10.03, rate=870.0), cost(10.01, 10.03, 10.04), cost(10.055)])
    assert figures["kill_failed"] == 3
    assert (figures["kill_failed_in_flight"], figures["kill_failed_before_push"]) == (1, 2)
    assert figures["kill_failed_after_push"] == 1
    assert round(figures["kill_last_failure_ms"]) == 55
    assert round(figures["death_to_push_ms"]) == 30
    assert figures["load_per_s"] == 870


def test_a_side_that_does_not_tell_when_it_knew_has_no_division() -> None:
    figures = killed([cost(10.03, known=None)])
    assert figures["kill_failed"] == 1
    assert not {"kill_failed_before_push", "death_to_push_ms"} & figures.keys()


def test_ratios_are_ours_over_theirs_and_only_of_what_both_have() -> None:
    ours = {"run_to_200_ms": 40.0, "stop_failed": 0.0, "kill_failed": 9.0, "agent_idle_cpu_percent": 0.5}
    theirs = {"traefik_run_to_200_ms": 80.0, "traefik_stop_failed": 0.0, "traefik_kill_failed": 18.0}
    assert compared({**ours, **theirs}) == {"run_to_200_vs_traefik": 0.5, "kill_failed_vs_traefik": 0.5}
    assert compared(ours) == {}
