"""`fairlead traffic` against a real control plane that an Envoy's flush has reached."""

from __future__ import annotations

import json

import grpc
import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.metrics.v3 import StreamMetricsMessage, StreamMetricsMessageIdentifier

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane
from tests.harness.repo import ROOT
from xds.wire.codec import encode

FLUSH = (ROOT / "tests" / "unit" / "telemetry" / "flush.bin").read_bytes()
"""What a real Envoy sent: 163 good answers of web/2.4.1, 100 bad ones of web/v2."""
METRICS = "/envoy.service.metrics.v3.MetricsService/StreamMetrics"


@pytest.fixture
def web(plane: Plane) -> None:
    """A service of two versions."""
    for number, version in enumerate(("2.4.1", "v2")):
        document = {"service": "web", "version": version, "address": f"10.0.0.{number + 1}", "port": 8080}
        plane.put(f"instances/web-{number}", document)


def hello(node: str) -> bytes:
    """The beginning of a stream of metrics: whose it is."""
    return encode(StreamMetricsMessage(identifier=StreamMetricsMessageIdentifier(node=Node(id=node))))


def flush(plane: Plane) -> None:
    """Report as an Envoy does, and return when it has been taken."""
    with grpc.insecure_channel(f"127.0.0.1:{plane.ads}") as channel:
        assert channel.stream_unary(METRICS)(iter([hello("edge-1") + FLUSH]), timeout=10) == b""


def test_a_service_of_which_nobody_spoke_says_so(fairlead: Fairlead, web: None) -> None:
    assert "no Envoy has told anything of it" in fairlead("traffic", "web").stdout


def test_answers_are_shown_by_subset_and_on_request_by_envoy(fairlead: Fairlead, plane: Plane, web: None) -> None:
    flush(plane)
    told = fairlead("traffic", "web", "--nodes").stdout
    lines = [line.split() for line in told.splitlines()]
    (good,) = [line for line in lines if line[:1] == ["2.4.1"]]
    (bad,) = [line for line in lines if line[:1] == ["v2"]]
    assert good[1:5] == ["163", "0", "100.0", "%"]
    assert bad[1:5] == ["100", "100", "0.0", "%"]
    assert good[-4:] == bad[-4:] == ["-"] * 4, "nothing of attempts: no load report has come"
    assert ["edge-1", "v2", "100", "100"] in [line[:4] for line in lines]


def test_the_document_is_the_api_s(fairlead: Fairlead, plane: Plane, web: None) -> None:
    flush(plane)
    found = json.loads(fairlead("traffic", "web", "--window", "30s", "-o", "json").stdout)
    assert found["window"] == "30s"
    assert found == plane.get("services/web:traffic", window="30s")


def test_an_unknown_service_and_a_wrong_window_are_explained(fairlead: Fairlead, web: None) -> None:
    assert "does not exist" in fairlead("traffic", "nobody", exit_code=1).stderr
    assert "not a duration" in fairlead("traffic", "web", "--window", "soon", exit_code=2).stderr
