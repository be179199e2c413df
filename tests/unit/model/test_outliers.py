"""What Envoys count decides, where it tells one instance from the others."""

from __future__ import annotations

from xds.model.health import Health
from xds.model.outliers import LEAST, LONGEST_OUT, OUT, Outliers
from xds.model.signal import Signal
from xds.model.traffic import Attempts

WELL = Attempts(1000, 5)


def healths(said: dict[str, Signal | None]) -> dict[str, Health | None]:
    return {member: None if word is None else word.health for member, word in said.items()}


def bad(share: float) -> Attempts:
    return Attempts(1000, round(1000 * share))


def test_m46_one_that_errs_more_than_the_others_is_unstable_and_then_unhealthy() -> None:
    outliers = Outliers()
    assert healths(outliers.judge({"a": WELL, "b": WELL, "c": bad(0.2)}, 3, 0.0))["c"] is Health.UNSTABLE
    said = outliers.judge({"a": WELL, "b": WELL, "c": bad(0.7)}, 3, 10.0)
    assert healths(said) == {"c": Health.UNHEALTHY}, "of the others nothing new is to be said"
    word = said["c"]
    assert word is not None
    assert word.why == "700 of 1,000 requests failed at Envoys"
    assert word.numbers == {"requests": 1000, "errors": 700, "success_rate": 0.3}


def test_when_all_err_alike_nobody_stands_out() -> None:
    assert set(healths(Outliers().judge({name: bad(0.6) for name in "abcd"}, 4, 0.0)).values()) == {Health.HEALTHY}


def test_one_alone_is_never_an_outlier() -> None:
    assert healths(Outliers().judge({"a": bad(0.9)}, 1, 0.0)) == {"a": Health.HEALTHY}


def test_at_most_half_of_a_service_is_taken_out_the_worst_of_them() -> None:
    attempts = {"a": bad(0.99), "b": bad(0.98), "c": bad(0.97), "d": Attempts(100_000, 10), "e": WELL}
    said = healths(Outliers().judge(attempts, 5, 0.0))
    assert [said[name] for name in "abc"] == [Health.UNHEALTHY, Health.UNHEALTHY, Health.UNSTABLE]


def test_a_few_requests_say_nothing() -> None:
    assert Outliers().judge({"a": WELL, "b": Attempts(LEAST - 1, LEAST - 1)}, 2, 0.0).keys() == {"a"}


def test_who_was_out_comes_back_by_a_part_and_is_out_for_longer_when_it_was_not_well() -> None:
    outliers = Outliers()
    outliers.judge({"a": WELL, "b": bad(0.9)}, 2, 0.0)
    assert outliers.judge({"a": WELL, "b": Attempts()}, 2, OUT - 1) == {}, "out gets no requests, which is no news"
    assert healths(outliers.judge({"a": WELL, "b": Attempts()}, 2, OUT))["b"] is Health.UNSTABLE
    assert healths(outliers.judge({"a": WELL, "b": bad(0.9)}, 2, OUT + 10))["b"] is Health.UNHEALTHY
    assert outliers.judge({"a": WELL, "b": Attempts()}, 2, OUT + 10 + 2 * OUT - 1) == {}
    assert healths(outliers.judge({"a": WELL, "b": WELL}, 2, OUT + 10 + 2 * OUT))["b"] is Health.HEALTHY


def test_it_is_never_out_for_longer_than_five_minutes_at_a_time() -> None:
    outliers, now = Outliers(), 0.0
    for out in (OUT, 2 * OUT, 4 * OUT, 8 * OUT, LONGEST_OUT, LONGEST_OUT):
        outliers.judge({"a": WELL, "b": bad(0.9)}, 2, now)
        assert outliers.silent({"a"}, now + out - 1) == {}
        now += out
        assert healths(outliers.silent({"a"}, now)) == {"b": Health.UNSTABLE}


def test_of_whom_nothing_is_counted_any_more_nothing_is_said() -> None:
    outliers = Outliers()
    outliers.judge({"a": WELL, "b": bad(0.3)}, 2, 0.0)
    assert healths(outliers.silent({"a"}, OUT)) == {"b": None}
    assert outliers.silent({"a"}, OUT) == {}
