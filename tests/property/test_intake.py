"""Two ways in, one result: what the short way takes, the long way takes, and both make the same of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from xds.api import json_text
from xds.api.convert.instance import instance_of
from xds.api.routers import heartbeats
from xds.api.schemas.instance import InstanceIn
from xds.model import intake
from xds.model.instance import Instance
from xds.model.intent import Kind
from xds.model.names import ServiceKey
from xds.model.problems import FairleadError
from xds.store import rows

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, -1, 8080, 8080.0, 2**63, 70_000, 1e300, "", "v1", "V1", "ä", "a\x00", "10.0.0.7", [], {}]
)
TEXT = st.sampled_from(["v1", "web", "", "Web", "a b", "a" * 128, "a" * 129]) | st.text(max_size=4)
LABELS = st.dictionaries(
    st.sampled_from(["team", "a.b/c", "-", "", "k" * 254]),
    st.sampled_from(["shop", "", "x\ty", "\x85", "ä", "v" * 4097]),
)
ADDRESSES = st.just("10.0.0.7") | st.sampled_from(
    ["010.0.0.7", "0.0.0.0", "224.0.0.1", "223.255.255.255", "::1", "256.1.1.1", "10.0.0.7\n", "a"]
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": TEXT,
    "env": TEXT,
    "port": st.integers(-1, 70_000),
    "ports": st.dictionaries(st.sampled_from(["http", "admin", "", "A"]), st.integers(0, 66_000) | ODD, max_size=3),
    "version": TEXT,
    "weight": st.integers(-1, 10_001),
    "region": TEXT,
    "zone": TEXT,
    "labels": LABELS,
    "metadata": LABELS,
    "ingress": st.sampled_from([None, "10.0.0.7:80", "x"]),
    "ttl": st.sampled_from([0, 1, 10, 10.5, "10s", "1m30s", "5", 7200, "-1s"]),
    "epoch": st.integers(-1, 5),
    "seq": st.integers(-1, 5),
    "start": TEXT,
    "weigth": st.just(1),
}
PLAIN = st.fixed_dictionaries(
    {"service": st.sampled_from(["web", "db"])},
    optional={"port": st.just(8080), **{name: found | ODD for name, found in FIELDS.items()}, "address": ADDRESSES},
)
_ITEM = TypeAdapter(InstanceIn)


def the_long_way(document: object, name: str | None) -> Instance | None:
    """What schema and model make of a document, None where they refuse it."""
    try:
        return instance_of(_ITEM.validate_python(document), "api:test", name)
    except (ValidationError, FairleadError):
        return None


@settings(max_examples=300)
@given(PLAIN, st.sampled_from([None, "web-1", "v1"]))
def test_what_the_short_way_takes_the_long_way_takes_and_makes_the_same_of(
    document: dict[str, Any], name: str | None
) -> None:
    found = intake.declared(document, "api:test", name)
    if found is not None:
        expected = the_long_way(document, name)
        assert found == expected
        assert repr(found) == repr(expected)  # 1 is not 1.0, and not True


def test_the_usual_registration_takes_the_short_way() -> None:
    labels = {"team": "shop", "tier": "gold"}
    document = {
        "service": "web",
        "address": "10.0.0.7",
        "port": 8080,
        "version": "v1",
        "zone": "eu-1a",
        "labels": labels,
    }
    for more in (
        {},
        {"id": "web-1"},
        {"ttl": "10s", "epoch": 3, "seq": 1},
        {"env": "prod", "weight": 5, "metadata": {}},
    ):
        found = intake.declared(document | more, "api:test")
        assert found is not None
        assert found == the_long_way(document | more, None)


@settings(max_examples=300)
@given(PLAIN)
def test_what_is_read_from_a_store_the_short_way_is_what_was_written(document: dict[str, Any]) -> None:
    declared = the_long_way(document, None)
    if declared is not None:
        found = rows.read(Kind.INSTANCE, rows.write(Kind.INSTANCE, declared))
        assert found == declared
        assert repr(found) == repr(declared)


@settings(max_examples=300)
@given(PLAIN)
def test_what_is_written_to_a_store_the_short_way_is_what_pydantic_writes(document: dict[str, Any]) -> None:
    declared = the_long_way(document, None)
    if declared is not None:
        assert rows.write(Kind.INSTANCE, declared) == TypeAdapter(Instance).dump_json(declared)


HEARTBEATS = st.fixed_dictionaries(
    {"id": st.sampled_from(["web-1", "", "Web", 'we"b']) | ODD},
    optional={"epoch": st.integers(-1, 3) | ODD, "seq": st.integers(-1, 3) | ODD, "more": ODD},
)


@settings(max_examples=300)
@given(HEARTBEATS | ODD)
def test_a_heartbeat_has_one_meaning_however_fast_it_is_read(item: object) -> None:
    found = heartbeats._plainly(item)
    if found is not None:
        assert found == heartbeats._said(item)


def test_the_usual_heartbeat_is_read_the_short_way() -> None:
    assert heartbeats._plainly({"id": "web-1", "epoch": 4, "seq": 17}) == ("web-1", 4, 17, None)


def test_the_usual_row_is_read_the_short_way() -> None:
    declared = Instance("web-1", ServiceKey("default", "web"), "10.0.0.7", {"http": 80}, ttl=10.0, labels={"a": "b"})
    assert intake.stored(json.loads(rows.write(Kind.INSTANCE, declared))) == declared


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
BROKEN = st.sampled_from(
    [
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":1}}',
        "1e999",
        "1E5",
        "-0",
        "-0.0",
        "01",
        "[1,]",
        "NaN",
        "Infinity",
        '"\x01"',
        "",
    ]
    + ["[" * depth + "]" * depth for depth in (63, 64, 65, 250)]
    + [
        '"\\ud800"',
        '"\\u00e9"',
        '{"a":"x:y","a":1}',
        '["a","a"]',
        "1" * 18,
        "1" * 19,
        "1" * 20,
        "-" + "1" * 19,
        "0." + "1" * 70,
    ]
)


@settings(max_examples=300)
@given(
    JSON.map(json.dumps) | JSON.map(lambda value: json.dumps(value, ensure_ascii=False)) | BROKEN | st.text(max_size=12)
)
def test_json_has_one_meaning_however_fast_it_is_read(text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    found = json_text._plain(body)
    if found is not json_text._UNSURE:
        assert repr(found) == repr(json_text._parse(body))


@pytest.mark.parametrize(
    "body", [b'{"items":[{"id":"a","labels":{"b":"c"}},{"port":8080,"weight":1.5}]}', b"[]", b"{}"]
)
def test_the_usual_json_is_read_the_fast_way(body: bytes) -> None:
    assert json_text._plain(body) == json.loads(body)
