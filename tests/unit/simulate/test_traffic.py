"""What the options of `fairlead simulate` mean: who comes when, and how versions answer."""

from __future__ import annotations

import itertools

import pytest

from xds.model.problems import InvalidInput
from xds.simulate.request_log import Recorded
from xds.simulate.texts import NS_PER_MS, NS_PER_S, duration_ns
from xds.simulate.traffic import Answer, Generated, Request, read_versions

TWO = ("v1=90,errors=0", "v2=10,errors=50%,from=10s,to=40s,ms=20")


def generated(*versions: str, rate: float = 100.0, seconds: int = 10, seed: int = 1) -> Generated:
    return Generated(read_versions(versions or TWO), rate, seconds * NS_PER_S, 50, seed)


def at(seconds: float, chance: float = 0.0) -> Request:
    return Request(round(seconds * NS_PER_S), b"alice", chance)


def test_a_version_behaves_as_told_between_its_times_and_well_outside() -> None:
    traffic = generated()
    assert traffic.answer(at(9.9), "v2") == Answer(200, 10 * NS_PER_MS)
    assert traffic.answer(at(10, chance=0.49), "v2") == Answer(503, 20 * NS_PER_MS)
    assert traffic.answer(at(39.9, chance=0.5), "v2") == Answer(200, 20 * NS_PER_MS)
    assert traffic.answer(at(40), "v2") == Answer(200, 10 * NS_PER_MS)


def test_a_name_given_again_adds_a_phase_and_the_later_one_holds() -> None:
    traffic = generated("v1=100,ms=20", "v1,status=500,errors=100,from=5s,to=6s")
    assert traffic.answer(at(4), "v1") == Answer(200, 20 * NS_PER_MS)
    assert traffic.answer(at(5), "v1").status == 500


def test_the_same_seed_gives_the_same_requests_and_another_one_others() -> None:
    assert list(generated().requests()) == list(generated().requests())
    assert list(generated().requests()) != list(generated(seed=2).requests())


def test_requests_come_in_order_at_the_rate_that_was_asked_for() -> None:
    requests = list(generated(rate=1_000.0).requests())
    assert 9_500 < len(requests) < 10_500
    assert all(one.at_ns <= other.at_ns for one, other in itertools.pairwise(requests))
    assert len({request.key for request in requests}) == 50


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (["v1=90"], "add up to 90"),
        (["v1=x"], "a weight is a number"),
        (["v1=100,error=1"], "it has no 'error'"),
        (["v1=100,errors=101"], "'101' is no share"),
        (["v1=100,ms=-1"], "'-1' is no whole number"),
        (["v1=100,from=soon"], "'soon' is no time"),
        (["v1=100", "v1=10"], "has its weight already"),
        (["=100"], "without a name"),
    ],
)
def test_what_describes_no_version_is_refused_in_words(versions: list[str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_versions(versions)


def test_a_run_that_would_never_end_is_refused() -> None:
    with pytest.raises(InvalidInput, match="5,000,000"):
        generated(rate=1e9)


@pytest.mark.parametrize(
    ("text", "ns"), [("20ms", 20 * NS_PER_MS), ("1.5s", 1_500 * NS_PER_MS), ("2m", 120 * NS_PER_S)]
)
def test_times_have_a_unit(text: str, ns: int) -> None:
    assert duration_ns(text, pointer="/for") == ns


LOG = """
{"time": 101.0, "key": "bob", "version": "v2", "status": 503, "ms": 30}
{"time": 100.0, "key": "alice", "version": "v1", "ms": 12.5, "more": true}

{"time": 102.0, "key": "carol", "version": "v2"}
"""


def test_a_log_is_sorted_and_begins_at_zero() -> None:
    recorded = Recorded.read(LOG.splitlines())
    assert [(request.at_ns, request.key) for request in recorded.requests()] == [
        (0, b"alice"),
        (NS_PER_S, b"bob"),
        (2 * NS_PER_S, b"carol"),
    ]


def test_a_request_meets_its_own_answer_where_the_log_has_it_and_the_versions_latest_elsewhere() -> None:
    recorded = Recorded.read(LOG.splitlines())
    alice, bob, carol = recorded.requests()
    assert recorded.answer(alice, "v1") == Answer(200, 12_500_000)
    assert recorded.answer(bob, "v2") == Answer(503, 30 * NS_PER_MS)
    assert recorded.answer(bob, "v1") == Answer(200, 12_500_000)
    assert recorded.answer(carol, "v2") == Answer(200, 10 * NS_PER_MS)
    assert recorded.answer(alice, "v2") == Answer(503, 30 * NS_PER_MS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "line 1 is not JSON"),
        ("\n[1]", "line 2: it"),
        ('{"time": 1, "key": "a"}', "line 1: version"),
        ('{"time": -1, "key": "a", "version": "v"}', "line 1: time"),
        ("", "has 0 requests"),
    ],
)
def test_a_line_that_is_none_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Recorded.read(text.splitlines())


def test_a_version_that_the_log_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no request of 'v3'; it has v1, v2"):
        Recorded.read(LOG.splitlines()).check(["v3"])
