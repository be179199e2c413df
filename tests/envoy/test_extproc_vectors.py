"""The breaker's vectors in a real Envoy through `fairlead extproc`: those that need no clock of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any  # the vectors are JSON; use asserts their shape

import pytest

from tests.envoy.test_breaker_vectors import VECTORS, seen, told
from tests.harness.breaker_envoy import VERSIONS, route, version
from tests.harness.extproc import run_extproc
from tests.harness.filter_envoy import Json, cluster, listener, start, typed
from tests.harness.load import ask
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

EXT_PROC = "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"
ASKS: Json = {
    "grpc_service": {"envoy_grpc": {"cluster_name": "extproc"}},
    "message_timeout": "10s",
    "processing_mode": {"request_header_mode": "SEND", "response_header_mode": "SEND"},
    "request_attributes": ["xds.route_metadata", "source.address"],
    "response_attributes": ["response.flags", "response.code", "upstream.request_attempt_count", "xds.cluster_name"],
}
"""The filter of docs/extproc.md with patience, and without its way out: nothing here may go on at random."""


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[tuple[int, Program]]:
    """The port of an Envoy with the vectors' routes, and the processor that it asks."""
    folder = tmp_path_factory.mktemp("vectors")
    programs, port, asked = Programs(folder), free_port(), free_port()
    backends = {number: free_port() for number in VERSIONS}
    routes = [route(vector["facts"]) for vector in VECTORS]
    front = listener(port, [{"name": "extproc", "typed_config": typed(EXT_PROC, ASKS)}], routes)
    resources = {
        "listeners": [front, *(version(number, at) for number, at in backends.items())],
        "clusters": [
            cluster("extproc", asked, http2=True),
            *(cluster(f"web/{number}", at) for number, at in backends.items()),
        ],
    }
    try:
        processor = run_extproc(programs, asked)
        start(programs, envoy_binary, folder, {"static_resources": resources}, free_port())
        yield port, processor
    finally:
        programs.stop_all()


def states(processor: Program, vector: dict[str, Any]) -> dict[str, str]:
    """Of each cluster, from what the processor has logged so far."""
    found = {cluster: "closed" for cluster, _ in vector["facts"]["split"]}
    for line in re.findall(r"fairlead\.breaker (\{.*?\})", processor.output()):
        change = json.loads(line)
        if change["service"] == vector["name"]:
            found[change["cluster"]] = change["to"]
    return found


def wait_for_states(processor: Program, vector: dict[str, Any], wanted: dict[str, str]) -> None:
    """A request's end is heard of after its answer."""
    wait_until(lambda: states(processor, vector) == wanted, what=f"{vector['name']}: {wanted}")


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_processor_decides_for_envoy_as_the_vector_says(envoy: tuple[int, Program], vector: dict[str, Any]) -> None:
    port, processor = envoy
    for step in vector["steps"]:
        expected = step["expect"]
        (answer,) = ask(port, [told(vector, step)])
        assert seen(answer) == (expected["bucket"], expected["subset"]), step
        wait_for_states(processor, vector, expected["states"])
