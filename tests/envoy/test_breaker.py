"""The breaker in a real Envoy, two workers: who is cut off, when, and how users come back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.harness.breaker_envoy import QUICK, Guarded, by_version, facts, route
from tests.harness.filter_envoy import Json, cluster
from tests.harness.processes import Programs
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until
from xds.model.bucket import bucket

pytestmark = pytest.mark.envoy

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
FAILS = ("x-fails", "2")
ALL_FAIL = ("x-fails", "1,2")
RULES: dict[str, Json] = {
    "canary": {"open_ms": 60_000},
    "ratio": {"open_ms": 60_000, "consecutive": 0},
    "slow": {"open_ms": 60_000, "slow_ms": 100},
    "shared": {"open_ms": 60_000},
    "back": QUICK,
    "flapping": {"open_ms": 400, "ramp_ms": 200},
    "service": {"open_ms": 60_000, "service": True},
    "forced": {"force": {"web/2": "open"}},
}
RETRY: Json = {"retry_on": "gateway-error", "num_retries": 2, "refresh_cluster_on_retry": True}
"""As routes have it: a retry takes another entry of the split."""
USERS = {user: bucket("s", f"user-{user}".encode()) for user in range(2_000)}
CANARY = [user for user, placed in USERS.items() if placed >= 8_000]
STABLE = [user for user, placed in USERS.items() if placed < 8_000]


def outlier_detected(name: str, port: int) -> Json:
    """A cluster that Envoy's own detection looks after, as it comes, looking ten times as often."""
    return {**cluster(name, port), "outlier_detection": {"interval": "1s", "base_ejection_time": "60s"}}


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("breaker")
    programs = Programs(folder)
    made = Guarded(programs, envoy_binary, folder, HEALTH)
    others = [outlier_detected(f"own/{number}", port) for number, port in made.backends.items()]
    retried = route(facts("retried", {"open_ms": 60_000}))
    cast(dict[str, Json], retried)["route"]["retry_policy"] = RETRY
    told = [*(facts(name, rule) for name, rule in RULES.items()), facts("outlier", None, "own")]
    try:
        made.start([*map(route, told), retried], clusters=others)
        yield made
    finally:
        programs.stop_all()


def test_a_canary_that_fails_gets_five_requests_of_each_worker_and_its_users_good_answers(envoy: Guarded) -> None:
    """Beside it, the same requests to clusters with Envoy's outlier detection, which ejects no single host."""
    guarded = by_version(envoy.spread("canary", range(1_000), FAILS))
    detected = by_version(envoy.spread("outlier", range(1_000), FAILS))
    assert 5 <= guarded["2", 503] <= 10
    assert guarded["1", 200] == 1_000 - guarded["2", 503]
    assert detected["2", 503] > 150
    assert envoy.transitions("canary") == ["web/2 closed>open consecutive"]
    wait_until(lambda: envoy.metrics("canary").get("remapped_total", 0) > 150, what="a tick tells what was remapped")
    seen = envoy.metrics("canary")
    assert (seen["state"], seen["opens_total"], seen["probes_total"], seen["rejected_total"]) == (1, 1, 0, 0)


def test_two_answers_of_three_failing_are_found_by_the_ratio(envoy: Guarded) -> None:
    failed = 0
    for turn in range(0, 180, 3):
        failed += by_version(envoy.spread("ratio", CANARY[turn : turn + 2], FAILS))["2", 503]
        envoy.spread("ratio", [CANARY[turn + 2], *STABLE[:3]])
    assert envoy.transitions("ratio") == ["web/2 closed>open errors"]
    assert 14 <= failed <= 60


def test_slow_answers_are_cut_off_and_counted_by_the_time_of_the_version(envoy: Guarded) -> None:
    envoy.spread("slow", STABLE[:100])
    answers = by_version(envoy.ask("slow", CANARY[:80], ("x-slow", "2"), connections=4))
    assert envoy.transitions("slow") == ["web/2 closed>open slow"]
    assert 20 <= answers["2", 200] <= 50
    assert set(by_version(envoy.spread("slow", CANARY[:40]))) == {("1", 200)}


def test_a_failure_that_every_version_shares_cuts_off_none(envoy: Guarded) -> None:
    answers = by_version(envoy.spread("shared", range(600), ALL_FAIL))
    assert envoy.transitions("shared") == []
    assert answers["2", 503] == sum(user < 600 for user in CANARY)
    assert set(by_version(envoy.spread("shared", range(100)))) == {("1", 200), ("2", 200)}


def test_a_version_that_comes_back_gets_probes_then_a_growing_part_of_its_own_users(envoy: Guarded) -> None:
    users = CANARY[:100]
    envoy.spread("back", range(100))
    assert 5 <= by_version(envoy.spread("back", users, FAILS))["2", 503] <= 10
    wait_until(lambda: not by_version(envoy.spread("back", users[:40]))["2", 200], what="both workers know")
    shares = []

    def is_closed() -> bool:
        shares.append(by_version(envoy.spread("back", users))["2", 200])
        return envoy.metrics("back")["state"] == 0

    wait_until(is_closed, 15, every=0.1, what="the breaker closes")
    assert by_version(envoy.spread("back", users)) == {("2", 200): 100}
    steps = ["closed>open consecutive", "open>probing due", "probing>ramp good_probes", "ramp>closed ramped"]
    assert envoy.transitions("back") == [f"web/2 {step}" for step in steps]
    assert envoy.metrics("back")["probes_total"] == 3
    # Workers read the clock four times a second, so that for a moment they stand on different steps.
    assert all(later >= earlier - 15 for earlier, later in itertools.pairwise(shares)), shares
    assert any(3 < share < 40 for share in shares), shares
    assert any(40 <= share < 90 for share in shares), shares


def test_a_version_that_flaps_once_a_second_costs_a_small_part_of_the_errors_it_makes(envoy: Guarded) -> None:
    users = CANARY[:20]
    envoy.spread("flapping", range(100))
    began, asked, failed = time.monotonic(), 0, 0
    while (passed := time.monotonic() - began) < 6:
        is_sick = passed % 1 < 0.5
        answers = by_version(envoy.spread("flapping", users, *([FAILS] if is_sick else [])))
        asked += len(users) * is_sick
        failed += answers["2", 503]
    opens = sum(">open" in transition for transition in envoy.transitions("flapping"))
    assert 2 <= opens <= 10
    assert failed <= 12 * opens, "five of each of two workers, or two probes"
    assert failed * 4 < asked


def test_nobody_else_is_moved_while_a_canary_is_out_and_its_users_keep_their_substitute(envoy: Guarded) -> None:
    envoy.spread("canary", CANARY[:100], FAILS)
    assert {answer.version for answer in envoy.spread("canary", range(300))} == {"1"}


def test_a_rule_for_the_whole_service_answers_503_and_says_when_to_come_back(envoy: Guarded) -> None:
    answers = envoy.spread("service", range(400), ALL_FAIL)
    refused = [answer for answer in answers if not answer.version]
    assert len(answers) - len(refused) <= 20
    assert {answer.status for answer in refused} == {503}
    assert {answer.header("x-fairlead-breaker") for answer in refused} == {"open"}
    assert all(45 <= int(answer.header("retry-after") or 0) <= 72 for answer in refused)
    wait_until(lambda: envoy.metrics("service", "web/1").get("rejected_total"), what="a tick tells what was rejected")
    opened = sorted(envoy.transitions("service"))
    assert opened == ["web/1 closed>open consecutive", "web/2 closed>open consecutive"]


def test_failures_that_retries_hide_from_users_count_against_the_canary(envoy: Guarded) -> None:
    answers = by_version(envoy.spread("retried", range(600), FAILS))
    assert answers["1", 200] >= 590
    assert envoy.transitions("retried") == ["web/2 closed>open consecutive"]


def test_what_an_operator_forces_open_gets_nothing(envoy: Guarded) -> None:
    assert set(by_version(envoy.spread("forced", range(200)))) == {("1", 200)}
    wait_until(lambda: envoy.metrics("forced").get("state") == 4, what="the gauge says so")
    assert envoy.transitions("forced") == ["web/2 closed>forced_open operator"]


def test_a_breaker_that_was_open_when_the_machine_trapped_is_open_in_the_next_one(
    programs: Programs, envoy_binary: Path, tmp_path: Path
) -> None:
    trapping = (ROOT / "filters/health-trap.wasm").read_bytes()
    envoy = Guarded(programs, envoy_binary, tmp_path, trapping)
    envoy.start([route(facts("web", {"open_ms": 60_000}))])
    envoy.spread("web", range(300), FAILS)
    assert envoy.transitions("web") == ["web/2 closed>open consecutive"]
    answers = []
    for turn in range(6):
        assert envoy.ask("web", [turn], ("x-trap", "1"))[0].status == 503
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            answers += envoy.spread("web", range(20))
    failed = sum(answer.status != 200 for answer in answers)
    assert failed <= len(answers) / 50, (failed, len(answers))
    assert {answer.version for answer in answers if answer.status == 200} == {"1"}
    assert envoy.transitions("web") == ["web/2 closed>open consecutive"]
