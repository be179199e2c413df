"""The arithmetic of the fan-out benchmark, its processes, and what it says where it cannot measure. Needs no Go."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryResponse

from benchmarks.fanout import CASES, OTHERS, figures, ratios
from benchmarks.peers import programs
from benchmarks.peers.fairlead import assignment
from benchmarks.peers.processes import CORES, SERVER_CORE, Program
from benchmarks.peers.sides import FAIRLEAD, LINEAR, SNAPSHOT, Flips, Load, Measured, command, expect
from tests.harness.repo import ROOT
from xds.wire.codec import decode, encode
from xds.wire.endpoint import lb_endpoint

GOALS = {"delta_1000", "sotw_1000", "sotw_100", "delta_10", "delta_10_snapshot", "rss_1000", "rss_10", "first_answers"}
BURDENS = {
    "all_reading_p99_ms": 50.0,
    "one_stopped_p99_ms": 55.0,
    "subscribers_alone_us": 100.0,
    "subscribers_among_many_us": 105.0,
    "one_group_us": 100.0,
    "many_groups_us": 130.0,
    "push_p99_ms": 20.0,
    "push_p99_under_registrations_ms": 30.0,
}
CORE = "import os\nprint('{\"core\": %d}' % os.sched_getaffinity(0).pop(), flush=True)"
ECHO = 'import sys\nfor line in sys.stdin: print(\'{"event": "flip", "marker": %d}\' % int(line), flush=True)'


def _measured(cost: float) -> Measured:
    return Measured(first_ms=1000 * cost, flips=Flips(100 * cost, 90 * cost, 80 * cost), stream_kib=50 * cost)


def _sides() -> dict[str, dict[str, Measured]]:
    sides = {case: {FAIRLEAD: _measured(1), LINEAR: _measured(4)} for case in CASES}
    sides["delta_10"][SNAPSHOT] = _measured(2)
    return sides


def _python(program: str) -> Program:
    return Program([sys.executable, "-c", program], SERVER_CORE)


def test_ratios_are_fairleads_cost_over_its_peers() -> None:
    found = ratios(_sides(), BURDENS)
    assert {key: found[key] for key in GOALS} == {key: 0.5 if key == "delta_10_snapshot" else 0.25 for key in GOALS}


def test_burdens_are_fairleads_cost_over_its_own_without_them() -> None:
    found = ratios(_sides(), BURDENS)
    assert (found["slow_reader"], found["bystanders"], found["groups_200"]) == (1.1, 1.05, 1.3)
    assert found["under_registrations"] == 1.5


def test_every_case_and_peer_has_its_figures() -> None:
    named = figures(_sides())
    assert len(named) == 4 * (2 * len(CASES) + 1)
    assert (named["sotw_100_linear_us"], named["sotw_100_linear_ms"]) == (400, 360)
    assert (named["delta_10_snapshot_kib"], named["delta_10_snapshot_first_ms"]) == (100, 2000)


def test_without_go_it_says_so_and_measures_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"Go is not installed.*Nothing was measured.*Install Go") as ended:
        programs.build()
    assert ended.value.code != 0


def test_a_program_that_does_not_build_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 1\n", encoding="utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(SystemExit, match=r"benchmarks/peers/fanout-client does not build(.|\n)*no such module"):
        programs.build()


def test_a_program_runs_on_its_core_and_answers_lines() -> None:
    with _python(f"{CORE}\n{ECHO}") as program:
        assert program.hear() == {"core": CORES[SERVER_CORE]}
        program.tell("7")
        assert expect(program, "flip", 7) == {"event": "flip", "marker": 7}


def test_an_answer_that_is_not_due_ends_the_run() -> None:
    with _python(ECHO) as program:
        program.tell("7")
        with pytest.raises(SystemExit, match="when flip 8 was due; nothing is written"):
            expect(program, "flip", 8)


def test_a_program_that_dies_is_named_with_its_last_words() -> None:
    with (
        _python("raise SystemExit('the port is taken')") as program,
        pytest.raises(SystemExit, match=r"ended with 1; nothing is written\nthe port is taken"),
    ):
        program.hear()


def test_the_kernel_counts_what_a_program_costs() -> None:
    spin = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nprint(1, flush=True)"
    with _python(f"{spin}\n{ECHO}") as program:
        program.hear()
        assert program.cpu >= 0.2
        assert program.peak_rss >= program.rss > 1000


def test_one_name_more_is_served_than_asked_for_so_that_streams_can_leave_out_the_first() -> None:
    built = programs.Programs(Path("client"), Path("peer"))
    asked = command(built, LINEAR, Load(names=1000))
    assert asked[:5] == ["peer", "-cache", "linear", "-names", "1001"]


def test_fairlead_serves_what_its_peer_serves() -> None:
    """One locality, addresses by number, everybody healthy and of weight 1 but the first."""
    resource = assignment(258, 3, weight=9)
    (packed,) = DiscoveryResponse.parse(resource.state).resources
    shown = decode(ClusterLoadAssignment, packed.value)
    endpoints = [lb_endpoint(f"10.1.2.{at}", 8080, health=1, weight=weight) for at, weight in enumerate((9, 1, 1))]
    assert shown.cluster_name == resource.name == "service-0258"
    assert [encode(one) for one in shown.endpoints[0].lb_endpoints] == endpoints


def test_every_burden_has_a_name_of_its_own() -> None:
    assert not set(CASES) & set(OTHERS)


def test_the_go_modules_pin_everything_they_use() -> None:
    for name in (programs.CLIENT, programs.GO_CONTROL_PLANE):
        folder = ROOT / "benchmarks" / "peers" / name
        assert (folder / "go.sum").read_text(encoding="utf-8").strip()
        assert "replace" not in (folder / "go.mod").read_text(encoding="utf-8")
