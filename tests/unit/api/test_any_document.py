"""Whatever a document holds, it is accepted or refused in words; what is accepted reads back the same."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from xds.api.convert.documents import read_document
from xds.api.convert.gateway import gateway_out
from xds.api.convert.instance import instance_out
from xds.api.convert.route import route_out
from xds.api.convert.service import service_out
from xds.api.problem_document import document, status_of
from xds.api.schemas.base import Output
from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Declared
from xds.model.problems import FairleadError
from xds.model.route import Route
from xds.model.service import Service

_TEXT = st.text(max_size=12) | st.sampled_from(["", "web", "a/b", "*", "10.0.0.1", "::1", "/a", "5s", "\n"])
_NUMBER = st.integers(-2, 70_000) | st.floats(allow_nan=False) | st.sampled_from([0, 50, 99.99, 100])
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBER | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_WEIGHTS = st.sampled_from(
    [
        [{"subset": "v1", "weight": 100}],
        [{"subset": "v1", "weight": 0.01}, {"subset": "v2", "weight": 99.99}],
        [{"subset": "v1", "weight": 10}],
    ]
)
_DURATION = st.sampled_from(["0s", "250ms", "1m30s", 5, 0.5, "2h"])
_RETRY = st.fixed_dictionaries(
    {},
    optional={
        "attempts": st.integers(0, 10),
        "on": st.just(["reset"]),
        "per_try": _DURATION,
    },
)
_MATCHES = st.dictionaries(
    st.sampled_from(["x-a", "x-b"]),
    st.sampled_from(["v", {"prefix": "p"}, {"regex": "a+"}, {"present": True}, {"present": False}, {"exact": ""}]),
)
_LABELS = st.dictionaries(st.sampled_from(["a", "a/b", "team"]), st.text("abc /", max_size=5))
_PORTS = st.dictionaries(st.sampled_from(["http", "admin"]), st.integers(1, 65_535), min_size=1)

_CHECK = st.fixed_dictionaries(
    {"kind": st.sampled_from(["http", "tcp", "grpc", "ttl"])},
    optional={
        "port": st.integers(1, 65_535),
        "path": st.sampled_from(["/", "/healthz?full=1"]),
        "interval": st.sampled_from([1, "2s", "1h"]),
        "timeout": st.sampled_from(["50ms", 1]),
        "rise": st.integers(1, 9),
        "start_period": _DURATION,
    },
)
_INSTANCE = st.fixed_dictionaries(
    {
        "kind": st.just("instance"),
        "service": st.just("web"),
        "address": st.sampled_from(["10.0.0.7", "2001:db8::7"]),
        "ports": _PORTS,
    },
    optional={
        "weight": st.integers(0, 10_000),
        "zone": st.just("z"),
        "labels": _LABELS,
        "metadata": _LABELS,
        "ttl": _DURATION,
        "check": _CHECK,
        "ingress": st.sampled_from(["10.0.0.7:15006", "[::1]:15006"]),
        "epoch": st.integers(1, 9),
        "seq": st.integers(1, 9),
    },
)
_SERVICE = st.fixed_dictionaries(
    {"kind": st.just("service"), "name": st.just("web")},
    optional={
        "breaker": st.sampled_from([True, False, {}, {"errors": 30, "service": True}]),
        "limits": st.sampled_from([{}, {"connections": 9, "retries": 0}]),
        "allow_from": st.sampled_from([[], ["*"], ["shop", "10.0.0.0/24", "::1"]]),
        "protocol": st.sampled_from(["http", "h2c", "grpc", "tcp"]),
        "split": _WEIGHTS,
        "timeout": _DURATION,
        "retry": _RETRY,
        "connect_timeout": _DURATION,
        "labels": _LABELS,
        "balancing": st.sampled_from(["random", "round-robin"]),
        "hash_key": st.sampled_from(["source", {"header": "x-user"}]),
        "outlier": st.sampled_from([{}, {"consecutive_5xx": 3, "interval": "1s", "ejection": 9.5, "max_ejected": 100}]),
        "split_key": st.sampled_from(["source", {"header": "x-user"}, {"cookie": "sid"}]),
        "upstream_port": st.integers(1, 65_535),
        "subsets": st.just([{"name": "new", "selector": "version in (v2,v3),!canary"}]),
        "protocols": st.just({"admin": "h2c"}),
    },
)
_ROUTE = st.fixed_dictionaries(
    {"kind": st.just("route"), "service": st.just("web"), "name": st.just("api")},
    optional={
        "hosts": st.just(["a.example"]),
        "path": st.sampled_from(["/a", {"exact": "/a"}, {"regex": "/a.*"}]),
        "split": _WEIGHTS,
        "headers": _MATCHES,
        "cookies": _MATCHES,
        "queries": _MATCHES,
        "timeout": _DURATION,
        "idle_timeout": _DURATION,
        "retry": _RETRY,
        "methods": st.just(["GET"]),
        "priority": st.integers(-5, 5),
        "rewrite": st.just("/b"),
        "port": st.just("admin"),
    },
)
_GATEWAY = st.fixed_dictionaries(
    {"kind": st.just("gateway"), "name": st.just("edge")},
    optional={
        "hosts": st.just(["*.example.com"]),
        "listeners": st.just([{"name": "in", "address": "::", "port": 80}]),
    },
)
_GOOD = st.one_of(_INSTANCE, _SERVICE, _ROUTE, _GATEWAY)
_FIELDS = [
    "id",
    "name",
    "service",
    "address",
    "port",
    "ports",
    "weight",
    "labels",
    "ttl",
    "split",
    "path",
    "headers",
    "hosts",
    "listeners",
    "subsets",
    "retry",
    "timeout",
    "split_key",
    "env",
    "kind",
    "ingress",
    "methods",
    "stable",
    "breaker",
    "limits",
    "allow_from",
    "nonsense",
]


@given(_JSON)
def test_any_json_is_no_document_and_says_why(item: object) -> None:
    assert isinstance(read_document(item, "api:test"), FairleadError)


@given(_GOOD, st.dictionaries(st.sampled_from(_FIELDS), _JSON, min_size=1, max_size=3))
def test_a_document_with_wrong_parts_is_taken_or_refused_in_words(
    good: dict[str, object], bad: dict[str, object]
) -> None:
    found = read_document({**good, **bad}, "api:test")
    if isinstance(found, FairleadError):
        assert status_of(found) == 422
        assert found.message
        assert json.dumps(document(found), ensure_ascii=False).encode()
        assert not found.pointer or found.pointer.startswith("/")


@given(_GOOD)
def test_what_is_accepted_reads_back_the_same(good: dict[str, object]) -> None:
    declared = read_document(good, "api:test")
    if isinstance(declared, FairleadError):  # such as weights that do not add up
        return
    said = _said(declared).model_dump(mode="json")
    again = {name: value for name, value in said.items() if value not in (None, "")}
    ours = ("revision", "owner", "health", "lease", "instances", "segments", "forced", "drift")
    for name in (*ours, "port" if "ports" in again else ""):
        again.pop(name, None)
    assert read_document({"kind": good["kind"], **again}, "api:test") == declared


def _said(declared: Declared) -> Output:
    match declared:
        case Instance():
            return instance_out(declared, revision=1, health=Health.HEALTHY, lease=None)
        case Service():
            return service_out(declared, revision=1, instances=0)
        case Route():
            return route_out(declared, revision=1)
        case Gateway():
            return gateway_out(declared, revision=1)
    raise AssertionError(declared)
