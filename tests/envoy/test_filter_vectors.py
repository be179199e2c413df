"""The filter in a real Envoy (V8): the same vectors as everywhere, and the split that follows its header."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # the vectors are JSON; use asserts their shape

import pytest

from tests.harness.filter_envoy import HEADER, SLOT, Json, cluster, get, listener, start, wasm
from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.repo import ROOT
from xds.model.bucket import bucket
from xds.model.split import Segment, Split
from xds.wire.filter_schema import FilterKey, RouteFacts

pytestmark = pytest.mark.envoy

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
VECTORS: list[dict[str, Any]] = [
    vector for vector in json.loads((ROOT / "filters/vectors/buckets.json").read_text())["requests"] if vector["envoy"]
]
SEEN = "x-seen-bucket"
SPLIT = Split((Segment("v1", 8000), Segment("v2", 1000), Segment("v3", 1000)))


def echo_route(number: int, vector: dict[str, Any]) -> Json:
    """Answers with the header as the filter left it."""
    seen = {"header": {"key": SEEN, "value": f"%REQ({vector['header']})%"}}
    route: Json = {
        "match": {"path": f"/{number}"},
        "direct_response": {"status": 200},
        "response_headers_to_add": [seen],
    }
    if vector["metadata"] is not None:
        route["metadata"] = {"filter_metadata": vector["metadata"]}
    return route


def split_route() -> Json:
    """Three clusters by weight; each answers with its own name."""
    facts = RouteFacts(service="shop", key=FilterKey(cookie="uid"), salt="shop-1")
    clusters = [
        {
            "name": "self",
            "weight": segment.weight,
            "response_headers_to_add": [{"header": {"key": "x-subset", "value": segment.subset}}],
        }
        for segment in SPLIT.segments
    ]
    return {
        "match": {"prefix": "/"},
        "metadata": {"filter_metadata": {"fairlead": facts.to_struct()}},
        "route": {"weighted_clusters": {"clusters": clusters, "header_name": HEADER}},
    }


@dataclass(frozen=True)
class Ports:
    """One listener per plugin configuration of the vectors, all in one machine, and one with a split."""

    configured: dict[str, int]
    split: int


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[Ports]:
    folder = tmp_path_factory.mktemp("filter")
    chosen = Ports({text: free_port() for text in sorted({v["configuration"] for v in VECTORS})}, free_port())
    backend = free_port()
    echoes = [echo_route(number, vector) for number, vector in enumerate(VECTORS)]
    listeners = [
        listener(port, [{"name": SLOT, "typed_config": wasm(HEALTH, text)}], echoes)
        for text, port in chosen.configured.items()
    ]
    listeners.append(listener(chosen.split, [{"name": SLOT, "typed_config": wasm(HEALTH)}], [split_route()]))
    listeners.append(listener(backend, [], [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]))
    programs = Programs(folder)
    try:
        resources = {"listeners": listeners, "clusters": [cluster("self", backend)]}
        start(programs, envoy_binary, folder, {"static_resources": resources}, free_port())
        yield chosen
    finally:
        programs.stop_all()


@pytest.mark.parametrize("number", range(len(VECTORS)), ids=[vector["name"] for vector in VECTORS])
def test_envoy_leaves_the_bucket_that_the_vector_says(ports: Ports, number: int) -> None:
    vector = VECTORS[number]
    headers = [(header["name"], bytes.fromhex(header["value_hex"])) for header in vector["headers"]]
    status, answer = get(ports.configured[vector["configuration"]], f"/{number}", headers)
    assert status == 200
    assert answer.get(SEEN) == vector["expect"]


def test_every_user_goes_to_the_segment_that_owns_the_bucket(ports: Ports) -> None:
    """Envoy has chosen a route before the filter runs: this holds only if the write makes it choose again."""
    for number in range(400):
        user = f"user-{number}"
        status, answer = get(ports.split, "/", [("cookie", f"a=b; uid={user}".encode())])
        assert (status, answer["x-subset"]) == (200, SPLIT.owner(bucket("shop-1", user.encode())))


def test_a_client_without_its_cookie_stays_where_its_address_belongs(ports: Ports) -> None:
    answers = {get(ports.split)[1]["x-subset"] for _ in range(50)}
    assert answers == {SPLIT.owner(bucket("shop-1", b"127.0.0.1"))}
