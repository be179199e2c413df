"""The breaker's vectors in a real Envoy (V8): those that need no clock of their own. One worker, so order is exact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any  # the vectors are JSON; use asserts their shape

import pytest

from tests.harness.breaker_envoy import Guarded, route
from tests.harness.load import Answer, ask, request
from tests.harness.processes import Programs
from tests.harness.repo import ROOT

pytestmark = pytest.mark.envoy

FILES = [json.loads(path.read_text()) for path in sorted((ROOT / "filters/vectors/breaker").glob("*.json"))]
VECTORS: list[dict[str, Any]] = [vector for vector in FILES if vector["envoy"]]
STATES = ("closed", "open", "probing", "ramp", "forced_open", "forced_closed")


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("vectors")
    programs = Programs(folder)
    made = Guarded(programs, envoy_binary, folder, (ROOT / "filters/health.wasm").read_bytes(), workers=1)
    try:
        made.start([route(vector["facts"]) for vector in VECTORS])
        yield made
    finally:
        programs.stop_all()


def told(vector: dict[str, Any], step: dict[str, Any]) -> bytes:
    fails = [("x-fails", "1,2,3")] if step["answer"]["code"] == 503 else []
    return request("web", ("x-user", step["key"]), *fails, path=f"/{vector['name']}")


def seen(answer: Answer) -> tuple[int | None, str | None]:
    saw = answer.header("x-saw-bucket")
    return (int(saw), f"web/{answer.version}") if saw else (None, None)


def states(envoy: Guarded, vector: dict[str, Any]) -> dict[str, str]:
    clusters = {cluster for cluster, _ in vector["facts"]["split"]}
    return {name: STATES[int(envoy.metrics(vector["name"], name).get("state", 0))] for name in clusters}


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_envoy_decides_as_the_vector_says(envoy: Guarded, vector: dict[str, Any]) -> None:
    before: dict[str, str] = {}
    for step in vector["steps"]:
        expected = step["expect"]
        (answer,) = ask(envoy.port, [told(vector, step)])
        assert seen(answer) == (expected["bucket"], expected["subset"]), step
        if expected["states"] != before or step is vector["steps"][-1]:
            assert states(envoy, vector) == expected["states"], step
            before = expected["states"]
