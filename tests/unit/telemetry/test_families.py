"""The two wanted families, out of a flush that a real Envoy 1.40 sent."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from envoy_data_plane.envoy.service.metrics.v3 import StreamMetricsMessage
from envoy_data_plane.io.prometheus.client import (
    Bucket,
    Counter,
    Histogram,
    LabelPair,
    Metric,
    MetricFamily,
    MetricType,
    Summary,
)

from xds.model.traffic import Answers, Latency
from xds.telemetry.families import answers, families
from xds.wire.codec import decode, encode
from xds.wire.errors import DecodeError

FLUSH = Path(__file__).with_name("flush.bin").read_bytes()
"""One flush: 163 requests to web/2.4.1 that were answered 200, 100 to web/v2 that were answered 500 after a retry."""
OURS = {"fairlead.service": "web", "fairlead.subset": "v2"}


def read(data: bytes) -> dict[str, Answers]:
    found: dict[str, Answers] = {}
    for family in families(data):
        for cluster, measured in answers(data, family) if family is not None else ():
            found.setdefault(cluster, Answers()).follow(measured)
    return found


def family(name: str, labels: dict[str, str], **value: Counter | Histogram | Summary) -> bytes:
    metric = Metric(label=[LabelPair(name=label, value=text) for label, text in labels.items()], **value)  # type: ignore[arg-type]  # by the field's name
    return encode(StreamMetricsMessage(envoy_metrics=[MetricFamily(name=name, metric=[metric])]))


def times(samples: int, *buckets: tuple[float, int]) -> bytes:
    histogram = Histogram(
        sample_count=samples,
        bucket=[Bucket(upper_bound=upto, cumulative_count=count) for upto, count in buckets],
    )
    return family("cluster.upstream_rq_time", OURS, histogram=histogram)


def test_answers_of_our_clusters_are_what_envoy_counted() -> None:
    found = read(FLUSH)
    assert found.keys() == {"web/2.4.1", "web/v2"}
    assert (found["web/2.4.1"].requests, found["web/2.4.1"].errors) == (163, 0)
    assert (found["web/v2"].requests, found["web/v2"].errors) == (100, 100)
    assert found["web/2.4.1"].latency.count == 163
    assert found["web/v2"].latency.count == 100


def test_what_is_read_at_the_wire_is_what_the_decoder_reads() -> None:
    expected: dict[str, int] = {}
    message = decode(StreamMetricsMessage, FLUSH)
    for each in message.envoy_metrics:
        labels = {label.name: label.value for label in each.metric[0].label}
        if each.name == "cluster.upstream_rq_time" and labels.get("fairlead.service") == "web":
            assert each.type is MetricType.HISTOGRAM
            assert each.metric[0].histogram is not None
            expected[labels["fairlead.subset"]] = each.metric[0].histogram.sample_count
    assert expected == {name.partition("/")[2].replace(".", "~"): a.latency.count for name, a in read(FLUSH).items()}
    assert len(list(families(FLUSH))) == len(message.envoy_metrics) == 190


def test_dots_of_a_version_come_back() -> None:
    labels = {"fairlead.service": "web~admin", "fairlead.subset": "2~4~1", "envoy.response_code_class": "2"}
    assert read(family("cluster.upstream_rq_xx", labels, counter=Counter(value=3))) == {
        "web.admin/2.4.1": Answers(3, 0)
    }


def test_a_counter_that_stood_still_is_zero_and_not_no_data() -> None:
    """Envoy leaves the value out, and goes on to send a counter that was ever used."""
    labels = OURS | {"envoy.response_code_class": "5"}
    assert read(family("cluster.upstream_rq_xx", labels, counter=Counter())) == {"web/v2": Answers()}


def test_a_status_that_comes_before_an_answer_is_none() -> None:
    labels = OURS | {"envoy.response_code_class": "1"}
    assert read(family("cluster.upstream_rq_xx", labels, counter=Counter(value=3))) == {}


def test_a_summary_under_the_name_of_the_histogram_is_stepped_over() -> None:
    assert read(family("cluster.upstream_rq_time", OURS, summary=Summary(sample_count=3))) == {}


def test_statistics_of_other_clusters_are_stepped_over() -> None:
    assert read(family("cluster.upstream_rq_xx", {"envoy.cluster_name": "x"}, counter=Counter(value=3))) == {}


def test_buckets_lose_what_is_below_and_keep_what_is_beyond_the_last() -> None:
    assert read(times(10, (1, 0), (5, 4), (10, 4), (20, 9)))["web/v2"].latency == Latency(
        {(1.0, 5.0): 4, (10.0, 20.0): 5, (20.0, math.inf): 1}
    )


@pytest.mark.parametrize(
    "data",
    [
        times(10, (5, 4), (5, 6)),
        times(10, (5, 4), (10, 3)),
        times(10, (5, 11)),
        times(10, (math.nan, 3)),
        family("cluster.upstream_rq_xx", OURS, counter=Counter(value=-1)),
        family("cluster.upstream_rq_xx", OURS, counter=Counter(value=math.nan)),
        family("cluster.upstream_rq_xx", OURS, counter=Counter(value=1e300)),
        FLUSH[:-3],
    ],
)
def test_numbers_that_cannot_be_are_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read(data)
