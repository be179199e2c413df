"""The parts of the filter's benchmark that need neither load nor an Envoy."""

from __future__ import annotations

import pytest

from benchmarks.filter import absolute, middle
from benchmarks.loaded_envoy import Load, bootstrap, filters, read

REPORT = """  Thread Stats   Avg      Stdev     Max   +/- Stdev
  Latency Distribution
     50%  1.20ms
     75%  2.00ms
  4000 requests in 2.00s, 1.00MB read
Requests/sec:   2000.50
"""


def test_a_report_is_read_with_its_units() -> None:
    assert read(REPORT, 0.1) == Load(rps=2000.5, p50_us=1200.0, cpu_us=25.0)
    assert read(REPORT.replace("1.20ms", "85.00us"), 0.1).p50_us == 85.0


@pytest.mark.parametrize(
    "report", ["", REPORT + "  Non-2xx or 3xx responses: 3\n", REPORT + "  Socket errors: connect 0, read 1\n"]
)
def test_a_report_of_failures_or_of_nothing_ends_the_benchmark(report: str) -> None:
    with pytest.raises(SystemExit, match="filter:"):
        read(report, 0.1)


def test_listeners_differ_in_their_filter_alone_and_one_route_in_its_breaker() -> None:
    names = [*filters(b"")]
    made = bootstrap(b"", {name: port for port, name in enumerate((*names, "upstream", "admin"), start=1)})
    managers = [
        each["filter_chains"][0]["filters"][0]["typed_config"] for each in made["static_resources"]["listeners"]
    ]
    routes = [each["route_config"]["virtual_hosts"][0]["routes"][0] for each in managers[: len(names)]]
    facts = [each["metadata"]["filter_metadata"]["fairlead"] for each in routes]
    assert ["breaker" in each for each in facts] == [name == "breaker" for name in names]
    assert [len(each["http_filters"]) for each in managers] == [1, 2, 2, 2, 1]


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    rounds = [{"none": Load(10, 1, 1), "breaker": Load(rps, 2, 3)} for rps in (5, 9, 8)]
    assert middle(rounds, lambda each: each["breaker"].rps / each["none"].rps) == 0.8
    assert absolute(rounds, rounds)["breaker_cpu_us"] == 3
