"""Answers and breakers of clusters, out of what Envoy's metrics service sends: the few families that are wanted.

Reads io.prometheus.client.MetricFamily at the wire, because a flush carries every statistic of an Envoy: stepping over
one costs a microsecond or two, a decoded histogram 180. Wanted are `cluster.upstream_rq_xx` and
`cluster.upstream_rq_time` of clusters that our bootstrap's tags name, and what the health filter tells of breakers.
Counters are deltas there, and histograms always are (docs/design/telemetry.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from xds.model.traffic import Answers, Latency
from xds.translate import naming
from xds.wire.errors import DecodeError
from xds.wire.fragments import FIXED64, VARINT, field
from xds.wire.scan import double, key, number, text, walk

SERVICE: Final = b"fairlead.service"
SUBSET: Final = b"fairlead.subset"
CODE_CLASS: Final = b"envoy.response_code_class"

_FAMILY: Final = key(2)  # StreamMetricsMessage.envoy_metrics
_METRIC: Final = key(4)  # of MetricFamily
_LABEL, _GAUGE, _COUNTER, _HISTOGRAM = key(1), key(2), key(3), key(7)  # Metric
_LABEL_NAME, _LABEL_VALUE = key(1), key(2)
_VALUE: Final = key(1, FIXED64)  # Counter.value, Gauge.value
_SAMPLES, _BUCKET = key(1, VARINT), key(3)  # Histogram
_UPTO_COUNT, _UPTO = key(1, VARINT), key(2, FIXED64)  # Bucket

_RESPONSES: Final = field(1, b"cluster.upstream_rq_xx")
_TIMES: Final = field(1, b"cluster.upstream_rq_time")
"""How a wanted family begins: with its name, which every writer puts first."""
CLUSTER: Final = b"cluster"
_BREAKER: Final = b"wasmcustom.fairlead_breaker_"
"""How Envoy calls what the filter defines; its label `cluster` is the name as in a split."""
_BREAKERS: Final = {
    b"state": "state", b"opens_total": "opens", b"probes_total": "probes", b"remapped_total": "remapped",
    b"rejected_total": "rejected",
}  # fmt: skip
_NAME: Final = 2  # bytes before a name of less than 128 bytes: its key and its length
_MOST: Final = float(1 << 53)
"""Requests in one flush that a double can still count one by one."""


class Family(NamedTuple):
    """Where a wanted family lies in its message, and which field of its metrics has the value.

    `breaker` is what of a breaker it tells, "" for answers.
    """

    value: int
    start: int
    stop: int
    breaker: str = ""


def families(data: bytes) -> Iterator[Family | None]:
    """Yield each metric family of a StreamMetricsMessage, None for one that is not wanted; DecodeError."""
    for found, start, stop in walk(data):
        if found != _FAMILY:
            continue
        if data.startswith(_RESPONSES, start, stop):
            yield Family(_COUNTER, start, stop)
        elif data.startswith(_TIMES, start, stop):
            yield Family(_HISTOGRAM, start, stop)
        elif data.startswith(_BREAKER, start + _NAME, stop):
            yield _breaker(data, start, stop)
        else:
            yield None


def _breaker(data: bytes, start: int, stop: int) -> Family | None:
    """Return the family if it is one that is known here; a newer filter may define others."""
    begin = start + _NAME + len(_BREAKER)
    told = _BREAKERS.get(data[begin : start + _NAME + data[start + 1]])
    return None if told is None else Family(_GAUGE if told == "state" else _COUNTER, start, stop, told)


def breakers(data: bytes, family: Family) -> Iterator[tuple[str, int]]:
    """Yield (cluster name, number) for each metric of a family that tells of breakers; DecodeError."""
    for found, start, stop in walk(data, family.start, family.stop):
        if found == _METRIC:
            labels, value = _parts(data, family.value, start, stop)
            if value is not None and labels.get(CLUSTER):
                yield labels[CLUSTER], _counter(data, *value)


def answers(data: bytes, family: Family) -> Iterator[tuple[str, Answers]]:
    """Yield (cluster name, answers) for each metric of ours in a wanted family; DecodeError."""
    for found, start, stop in walk(data, family.start, family.stop):
        if found == _METRIC:
            measured = _metric(data, family.value, start, stop)
            if measured is not None:
                yield measured


def _parts(data: bytes, wanted: int, start: int, stop: int) -> tuple[dict[bytes, str], tuple[int, int] | None]:
    """Return a metric's labels, and where its value lies."""
    labels: dict[bytes, str] = {}
    value: tuple[int, int] | None = None
    for found, begin, end in walk(data, start, stop):
        if found == _LABEL:
            _label(data, begin, end, labels)
        elif found == wanted:
            value = begin, end
    return labels, value


def _metric(data: bytes, wanted: int, start: int, stop: int) -> tuple[str, Answers] | None:
    labels, value = _parts(data, wanted, start, stop)
    service, subset = labels.get(SERVICE), labels.get(SUBSET)
    if value is None or not service or not subset:  # a summary under the histogram's name; a cluster that is not ours
        return None
    cluster = naming.from_stat_name(f"{service}/{subset}")
    if wanted == _HISTOGRAM:
        return cluster, Answers(latency=_histogram(data, *value))
    return _counted(cluster, labels.get(CODE_CLASS, ""), _counter(data, *value))


def _counted(cluster: str, code_class: str, count: int) -> tuple[str, Answers] | None:
    """Return answers of one class of status; 1xx come before an answer and are none."""
    if code_class == "1":
        return None
    return cluster, Answers(count, count if code_class == "5" else 0)


def _label(data: bytes, start: int, stop: int, labels: dict[bytes, str]) -> None:
    name, value = b"", ""
    for found, begin, end in walk(data, start, stop):
        if found == _LABEL_NAME:
            name = data[begin:end]
        elif found == _LABEL_VALUE:
            value = text(data, begin, end)
    labels[name] = value


def _counter(data: bytes, start: int, stop: int) -> int:
    value = 0.0
    for found, begin, _ in walk(data, start, stop):
        if found == _VALUE:
            value = double(data, begin)
    if not 0 <= value <= _MOST:
        raise DecodeError(f"{value} is no count", start)
    return int(value)


def _histogram(data: bytes, start: int, stop: int) -> Latency:
    """Return the buckets that hold something. Once they hold every sample, the rest of them is not read."""
    samples = below = 0
    above = 0.0
    buckets: dict[tuple[float, float], int] = {}
    for found, begin, end in walk(data, start, stop):
        if found == _SAMPLES:
            samples = number(data, begin)
        elif found == _BUCKET and below < samples:
            upto, count = _bucket(data, begin, end)
            if not above < upto or not below <= count <= samples:
                raise DecodeError("the buckets of a histogram do not grow", begin)
            if count > below:
                buckets[above, upto] = count - below
            above, below = upto, count
    if below < samples:
        buckets[above, math.inf] = samples - below
    return Latency(buckets)


def _bucket(data: bytes, start: int, stop: int) -> tuple[float, int]:
    upto, count = 0.0, 0
    for found, begin, _ in walk(data, start, stop):
        if found == _UPTO:
            upto = double(data, begin)
        elif found == _UPTO_COUNT:
            count = number(data, begin)
    return upto, count
