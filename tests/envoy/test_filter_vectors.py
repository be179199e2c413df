"""The filter in a real Envoy (V8): the same vectors as everywhere, and the split that follows its header."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until
from xds.model.bucket import bucket
from xds.model.split import Segment, Split
from xds.wire.filter_schema import FilterKey, RouteFacts

pytestmark = pytest.mark.envoy

Json = dict[str, object]

VECTORS = [v for v in json.loads((ROOT / "filters/vectors/buckets.json").read_text())["requests"] if v["envoy"]]
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
WASM = "envoy.extensions.filters.http.wasm.v3.Wasm"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
SEEN = "x-seen-bucket"
SPLIT = Split((Segment("v1", 8000), Segment("v2", 1000), Segment("v3", 1000)))


def typed(name: str, content: Mapping[str, object]) -> Json:
    return {"@type": f"type.googleapis.com/{name}", **content}


def wasm_filter(module: Path, configuration: str) -> Json:
    plugin = {
        "name": "fairlead.health",
        "failure_policy": "FAIL_RELOAD",
        "vm_config": {
            "vm_id": "vectors",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": str(module)}},
        },
        "configuration": typed("google.protobuf.StringValue", {"value": configuration}),
    }
    return {"name": "fairlead.health", "typed_config": typed(WASM, {"config": plugin})}


def listener(port: int, filters: Sequence[Json], routes: Sequence[Json]) -> Json:
    manager = {
        "stat_prefix": f"on-{port}",
        "max_request_headers_kb": 96,
        "http_filters": [*filters, {"name": "router", "typed_config": typed(ROUTER, {})}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": list(routes)}]},
    }
    chain = {"filters": [{"name": "hcm", "typed_config": typed(HCM, manager)}]}
    return {
        "name": f"on-{port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [chain],
    }


def echo_route(number: int, vector: Json) -> Json:
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
        "route": {"weighted_clusters": {"clusters": clusters, "header_name": "x-fairlead-bucket"}},
    }


class RunningEnvoy:
    """An Envoy with a listener per plugin configuration of the vectors, and one with a split."""

    def __init__(self, programs: Programs, binary: Path, folder: Path, port: Callable[[], int]) -> None:
        module = ROOT / "filters/health.wasm"
        configurations = sorted({str(vector["configuration"]) for vector in VECTORS})
        self.ports = {text: port() for text in configurations}
        self.split_port, backend, self.admin = port(), port(), port()
        listeners = [
            listener(at, [wasm_filter(module, text)], [echo_route(n, v) for n, v in enumerate(VECTORS)])
            for text, at in self.ports.items()
        ]
        listeners.append(listener(self.split_port, [wasm_filter(module, "")], [split_route()]))
        answer: Json = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
        listeners.append(listener(backend, [], [answer]))
        address = {"socket_address": {"address": "127.0.0.1", "port_value": backend}}
        endpoint = {"endpoint": {"address": address}}
        cluster = {
            "name": "self",
            "type": "STATIC",
            "load_assignment": {"cluster_name": "self", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }
        bootstrap = {
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.admin}}},
            "static_resources": {"listeners": listeners, "clusters": [cluster]},
        }
        path = folder / "bootstrap.json"
        path.write_text(json.dumps(bootstrap), encoding="utf-8")
        command: list[str | Path] = [binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
        self.program = programs.start(command, name="envoy")
        wait_until(self.is_ready, 30, what="Envoy is ready")

    def is_ready(self) -> bool:
        assert self.program.running, self.program.output()[-3000:]
        try:
            return self.get(self.admin, "/ready", [])[0] == 200
        except OSError:
            return False

    @staticmethod
    def get(port: int, path: str, headers: Sequence[tuple[str, bytes]]) -> tuple[int, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.putrequest("GET", path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            response.read()
            return response.status, response.headers
        finally:
            connection.close()


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[RunningEnvoy]:
    folder = tmp_path_factory.mktemp("filter")
    programs = Programs(folder)
    try:
        yield RunningEnvoy(programs, envoy_binary, folder, free_port)
    finally:
        programs.stop_all()


@pytest.mark.parametrize("number", range(len(VECTORS)), ids=[str(vector["name"]) for vector in VECTORS])
def test_envoy_leaves_the_bucket_that_the_vector_says(envoy: RunningEnvoy, number: int) -> None:
    vector = VECTORS[number]
    headers = [(header["name"], bytes.fromhex(header["value_hex"])) for header in vector["headers"]]
    status, answer = envoy.get(envoy.ports[vector["configuration"]], f"/{number}", headers)
    assert status == 200
    assert answer.get(SEEN) == vector["expect"]


def test_every_user_goes_to_the_segment_that_owns_the_bucket(envoy: RunningEnvoy) -> None:
    """Envoy has chosen a route before the filter runs: this holds only if the write makes it choose again."""
    for number in range(400):
        user = f"user-{number}"
        status, answer = envoy.get(envoy.split_port, "/", [("cookie", f"a=b; uid={user}".encode())])
        assert (status, answer["x-subset"]) == (200, SPLIT.owner(bucket("shop-1", user.encode())))


def test_a_client_without_its_cookie_stays_where_its_address_belongs(envoy: RunningEnvoy) -> None:
    answers = {envoy.get(envoy.split_port, "/", [])[1]["x-subset"] for _ in range(50)}
    assert answers == {SPLIT.owner(bucket("shop-1", b"127.0.0.1"))}
