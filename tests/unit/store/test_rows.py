"""Stored objects come back as they were, from this release and from its neighbours."""

from __future__ import annotations

import json

import pytest

from tests.harness.declared import WEB, instance, route, service, split
from xds.model.analysis import Analysis, Finding, Judged, Judgement, NoData, Ruling, Verdict
from xds.model.balancing import Balancing, Outlier
from xds.model.gateway import Gateway, GatewayListener
from xds.model.instance import Address, Instance
from xds.model.intent import Declared, Kind, ref
from xds.model.names import Key, ServiceKey
from xds.model.problems import InvalidInput
from xds.model.rollout import Phase, Rollout, Step
from xds.model.route import MatchKind, PathKind, PathMatch, Retry, ValueMatch
from xds.model.selector import Selector
from xds.model.service import Protocol, Subset
from xds.model.split import KeySource, Split, SplitKey
from xds.store import rows

FINDINGS = (
    Finding("success-rate", Verdict.FAIL, 91.2, 99.0, "%", 1204, "too little", certain=True),
    Finding("p99", Verdict.NO_DATA, None, 250.0, "ms", 0, "no data"),
)
JUDGEMENT = Judgement(Verdict.FAIL, FINDINGS, 32.5)
OBJECTS: tuple[Declared, ...] = (
    instance(),
    instance(
        ports={"http": 80, "grpc": 81}, ingress=Address("::1", 15006), ttl=7.25, epoch=2**62, seq=3, weight=0,
        region="eu", zone="a", labels={"name": "ünïcode 東京 \U0001f9ed"}, metadata={"a/b": ""}, owner="agent:one",
    ),
    service(),
    service(
        protocol=Protocol.TCP, protocols={"grpc": Protocol.GRPC}, balancing=Balancing.RANDOM, stable="v1",
        hash_key=SplitKey(KeySource.HEADER, "x-user"), outlier=Outlier(3, 1.5, 20.0, 25),
        subsets=(Subset("eu", Selector.parse("region in (eu,us),!canary,zone")),), retry=Retry(0, (), 0.5),
        split=Split(split(v1=8000, v2=2000).segments, SplitKey(KeySource.COOKIE, "sid"), "salt"), upstream_port=16_000,
        connect_timeout=0.1, timeout=0.0, labels={"team": "a"},
    ),
    route(),
    route(
        hosts=("*", "a.b"), path=PathMatch(PathKind.REGEX, "/a.*"), methods=("GET",), priority=-3,
        split=split(v1=10_000),
        headers=(ValueMatch("x", MatchKind.ABSENT),), cookies=(ValueMatch("y", MatchKind.EXACT, "z"),), timeout=1.5,
        queries=(ValueMatch("q", MatchKind.PRESENT),),
        idle_timeout=0.0, retry=Retry(), port="grpc", owner="file:set",
    ),
    Gateway(Key("prod", "edge"), (GatewayListener("a", "::", 80), GatewayListener("b", "::", 81)), ("*.example.com",)),
    Rollout(
        "web-v2-1", WEB, "v2", "v1", (Step(500, None), Step(10_000, 3.5)), auto_promote=True, phase=Phase.ABORTING,
        step=1, weight=7, acked=True, manual=True, reason="why", owner="api:a",
        analysis=Analysis(200, 9950, 0.5, 50, NoData.FAIL, 60.0, rollback=False),
        judged=(Judged(0, 500, JUDGEMENT, Ruling.STOP),),
    ),
)  # fmt: skip


@pytest.mark.parametrize("declared", OBJECTS, ids=lambda declared: f"{ref(declared).kind}-{len(repr(declared))}")
def test_what_is_written_is_read_back_equal_in_every_part(declared: Declared) -> None:
    kind = ref(declared).kind
    back = rows.read(kind, rows.write(kind, declared))
    assert back == declared
    assert repr(back) == repr(declared)  # the classes of keys and enums too: a tuple equals a key and is none


def test_keys_come_back_as_keys() -> None:
    back = rows.read(Kind.INSTANCE, rows.write(Kind.INSTANCE, instance()))
    assert isinstance(back, Instance)
    assert type(back.service) is ServiceKey


def test_a_field_of_a_newer_release_is_ignored_and_one_that_is_missing_takes_its_default() -> None:
    body = json.loads(rows.write(Kind.INSTANCE, instance()))
    body |= {"colour": {"from": "the future"}}
    del body["weight"], body["labels"]
    assert rows.read(Kind.INSTANCE, json.dumps(body).encode()) == instance()


def test_a_rollout_of_before_there_were_judgements_has_none() -> None:
    body = json.loads(rows.write(Kind.ROLLOUT, Rollout("web-v2-1", WEB, "v2", "v1")))
    del body["analysis"], body["judged"]
    assert rows.read(Kind.ROLLOUT, json.dumps(body).encode()) == Rollout("web-v2-1", WEB, "v2", "v1")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("instance", b""),
        ("instance", b"{"),
        ("instance", b"null"),
        ("instance", b"[" * 100_000),
        ("instance", b"\xff\xfe"),
        ("instance", rows.write(Kind.SERVICE, service())),
        ("instance", rows.write(Kind.INSTANCE, instance()).replace(b"8080", b"70000")),
        ("overlay", b"{}"),
        ("instance", 7),
        ("instance", None),
    ],
)
def test_what_cannot_be_read_is_an_error_of_that_row(kind: str, body: bytes) -> None:
    with pytest.raises(InvalidInput, match=f"a stored {kind} cannot be read"):
        rows.read(kind, body)
