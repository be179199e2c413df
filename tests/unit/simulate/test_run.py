"""Traffic through the real filter in virtual time: what users see with and without the breaker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.repo import ROOT
from xds.model.problems import InvalidInput
from xds.simulate import drawing
from xds.simulate.proxy import Setting, split_of
from xds.simulate.report import chart, figures
from xds.simulate.run import Run, simulate
from xds.simulate.settings import read_rule, read_settings
from xds.simulate.several import simulate_all
from xds.simulate.texts import NS_PER_S
from xds.simulate.traffic import Generated, read_versions

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
SECONDS = 30
SICK = ("v1=80", "v2=20,errors=100,from=5s,to=10s")


def traffic(*versions: str, seed: int = 1) -> Generated:
    return Generated(read_versions(versions), 50.0, SECONDS * NS_PER_S, 200, seed)


def settings(made: Generated, rule: str = "", *compared: str, workers: int = 1) -> list[Setting]:
    split = split_of({version.name: version.weight for version in made.versions})
    return read_settings(split, read_rule(rule), compared, workers=workers, seed=1)


def run(*versions: str, rule: str = "", workers: int = 1, seed: int = 1) -> Run:
    made = traffic(*versions, seed=seed)
    (setting,) = settings(made, rule, workers=workers)
    return simulate(HEALTH, made, setting, SECONDS * NS_PER_S)


@pytest.fixture(scope="module")
def sick() -> Run:
    """A fifth of the users is on a version that fails for five seconds."""
    return run(*SICK)


def test_a_version_that_fails_is_cut_off_after_so_many_failures_and_comes_back(sick: Run) -> None:
    assert sick.total.would_fail > 30
    assert sick.total.failures["v2"] < 10
    assert [each.after for each in sick.transitions] == ["open", "probing", "ramp", "closed"]
    assert sick.transitions[0].why == "consecutive"


def test_its_users_are_served_by_the_other_version_meanwhile(sick: Run) -> None:
    assert sick.total.remapped > 30
    assert sick.total.rejected == 0
    assert sum(sick.total.served.values()) == sick.total.requests == sum(sick.total.home.values())
    away = [counts for at, counts in enumerate(sick.bins) if sick.state("v2", at * NS_PER_S // 2) == "open"]
    assert sum(counts.served.get("v2", 0) for counts in away[1:-1]) == 0


def test_after_a_stop_of_half_a_minute_probes_come_one_by_one_and_users_step_by_step() -> None:
    made = Generated(read_versions(("v1=80", "v2=20,errors=100,from=5s,to=35s")), 50.0, 60 * NS_PER_S, 200, 1)
    (setting,) = settings(made, "open_ms=2000,open_max_ms=4000", workers=2)
    back = simulate(HEALTH, made, setting, 60 * NS_PER_S)  # one bin a second
    ways = [each.after for each in back.transitions]
    assert (ways[0], ways[-3:]) == ("open", ["probing", "ramp", "closed"])
    assert back.total.failures["v2"] <= 2 * 5 + 2 * (back.opens - 1)  # five of each worker, then two probes at a time
    assert back.total.failures["v2"] * 10 < back.total.would_fail
    ramp, closed = (each.at_ns // NS_PER_S for each in back.transitions[-2:])
    went = [counts.served.get("v2", 0) for counts in back.bins]
    own = [counts.home.get("v2", 0) for counts in back.bins]
    assert max(went[7:ramp]) <= 3
    shares = [sum(went[at : at + 4]) / sum(own[at : at + 4]) for at in (ramp + 1, ramp + 5)]
    assert shares[0] < 0.5 < shares[1] < 1
    assert went[closed + 1 :] == own[closed + 1 :]


def test_without_trouble_nothing_differs() -> None:
    well = run("v1=80", "v2=20")
    assert well.total.served == well.total.home
    assert (well.total.failed, well.total.would_fail, list(well.transitions)) == (0, 0, [])


def test_the_last_version_is_never_cut_off_unless_the_service_says_so() -> None:
    assert run("v1=100,errors=100").opens == 0
    whole = run("v1=100,errors=100", rule="service=true")
    assert whole.opens > 0
    assert whole.total.rejected > whole.total.requests // 2


def test_workers_share_what_they_know() -> None:
    several = run(*SICK, workers=4)
    assert several.opens == 1
    assert several.total.failures["v2"] <= 5 * 4


def test_the_same_seed_gives_the_same_run(sick: Run) -> None:
    assert figures(run(*SICK)) == figures(sick)
    assert figures(run(*SICK, seed=2)) != figures(sick)


def test_several_thresholds_are_compared_over_the_same_traffic() -> None:
    made = traffic(*SICK)
    runs = simulate_all(HEALTH, made, settings(made, "", "consecutive=3,10"), SECONDS * NS_PER_S)
    assert [each.setting.name for each in runs] == ["consecutive=3", "consecutive=10"]
    assert runs[0].total.home == runs[1].total.home
    assert runs[0].total.failed < runs[1].total.failed < runs[0].total.would_fail


def test_values_to_compare_are_combined() -> None:
    names = [each.name for each in settings(traffic("v1=100"), "minimum=5", "consecutive=3,5", "open-ms=100,200")]
    assert names == [f"consecutive={count} open_ms={ms}" for count in (3, 5) for ms in (100, 200)]


@pytest.mark.parametrize(
    ("rule", "compared", "words"),
    [
        ("consecutiv=3", [], "a rule has no 'consecutiv'; it has consecutive, errors"),
        ("errors=101", [], "errors: Input should be less than or equal to 100"),
        ("errors=many", [], "neither a whole number nor true or false"),
        ("", ["consecutive"], "compares nothing"),
        ("", ["consecutive=" + ",".join(map(str, range(30)))], "at most 24"),
    ],
)
def test_a_rule_that_is_none_is_refused_in_words(rule: str, compared: list[str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        settings(traffic("v1=100"), rule, *compared)


def test_the_terminal_shows_errors_and_states(sick: Run) -> None:
    without, with_it, first, second, *_ = chart(sick).splitlines()
    assert without.startswith("errors without ")
    assert with_it.count("█") + with_it.count("▁") < without.count("█") + without.count("▁") + 10
    assert set(first.removeprefix("v1").strip()) == {"·"}
    assert "█" in second
    assert "▒" in second


@pytest.mark.parametrize("name", ["chart.svg", "chart.png"])
def test_a_picture_is_the_same_for_the_same_run(sick: Run, tmp_path: Path, name: str) -> None:
    drawing.check(tmp_path / name)
    drawing.draw([sick, sick], tmp_path / name)
    first = (tmp_path / name).read_bytes()
    drawing.draw([sick, sick], tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    assert first.startswith((b"<?xml", b"\x89PNG"))


def test_a_picture_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"neither \.svg nor \.png"):
        drawing.check(Path("chart.gif"))
