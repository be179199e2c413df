"""What was measured of a service's traffic, as a document. `null` is no data, which is not zero."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.schemas.base import Output

_ANSWERS: JsonDict = {"requests": 1200, "errors": 3, "success": 99.75, "p50_ms": 4.2, "p99_ms": 41.0}
_ATTEMPTS: JsonDict = {
    "requests": 1204,
    "errors": 7,
    "success": 99.42,
    "issued": 1206,
    "in_progress": 2,
    "drops": {},
}
_PLACE: JsonDict = {"requests": 1204, "errors": 7, "success": 99.42}
_OUT: JsonDict = {
    "service": "web",
    "env": "default",
    "window": "1m",
    "subsets": [
        {
            "name": "v1",
            "clusters": ["web/v1"],
            "answers": _ANSWERS,
            "attempts": _ATTEMPTS,
            "endpoints": [{"address": "10.0.0.7:8080", "instance": "web-10-0-0-7-8080", **_PLACE}],
            "localities": [{"locality": "eu/eu-1", **_PLACE}],
            "nodes": [{"node": "edge-1", "answers": _ANSWERS, "attempts": _ATTEMPTS}],
        }
    ],
}

_SUCCESS = Field(description="percent of `requests` that were no error; null when there were none")


class AnswersOut(Output):
    """What callers got, after retries, as Envoy's statistics tell it. Errors are 5xx."""

    requests: int
    errors: int
    success: float | None = _SUCCESS
    p50_ms: float | None = Field(description="half of all answers took at most this, estimated from buckets")
    p99_ms: float | None


class AttemptsOut(Output):
    """What endpoints were asked, retries included, as load reports tell it. Errors are 5xx, resets and timeouts."""

    requests: int = Field(description="those that are over")
    errors: int
    success: float | None = _SUCCESS
    issued: int = Field(description="those that were begun")
    in_progress: int = Field(description="under way at the last report of each Envoy")
    drops: dict[str, int] = Field(description="by category; they reached no endpoint")


class EndpointTraffic(Output):
    """Attempts at one endpoint; `instance` is null where none has this address any more."""

    address: str
    instance: str | None
    requests: int
    errors: int
    success: float | None = _SUCCESS


class LocalityTraffic(Output):
    """Attempts at one locality, `region/zone`."""

    locality: str
    requests: int
    errors: int
    success: float | None = _SUCCESS


class NodeTraffic(Output):
    """What one Envoy measured."""

    node: str
    answers: AnswersOut | None
    attempts: AttemptsOut | None


class SubsetTraffic(Output):
    """One subset, all its ports together."""

    name: str
    clusters: list[str]
    answers: AnswersOut | None = Field(description="null: no Envoy has told anything in the window")
    attempts: AttemptsOut | None = Field(description="null: no Envoy has told anything in the window")
    endpoints: list[EndpointTraffic]
    localities: list[LocalityTraffic]
    nodes: list[NodeTraffic] | None = Field(description="null unless asked for with `nodes=true`")


class TrafficOut(Output):
    """A service's traffic over the last seconds, by subset."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    service: str
    env: str
    window: str = Field(description="how far back the sums reach; the newest reports may be ten seconds old")
    subsets: list[SubsetTraffic]
