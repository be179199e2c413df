"""A real Envoy reports what it sees: requests and errors by endpoint over LRS, answers and times over metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Mesh, mesh
from tests.harness.plane import Json
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

REPORTED = 30.0
"""Load reports and metrics come every ten seconds each, and an Envoy's first report covers nothing yet."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[Mesh]:
    with mesh(envoy_binary, tmp_path_factory.mktemp("telemetry")) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(here: Mesh) -> Proxy:
    """A gateway to `web`, half of whose users are on a version that answers nothing but 500."""
    apps, _ = here.apps("v1", "bad+v2")
    found = here.gateway("edge")
    here.two_versions("web", apps)
    here.ready(found)
    rollout = here.plane.post("rollouts", {"service": "web", "version": "v2", "plan": [{"weight": 50, "pause": None}]})
    here.plane.rollout(str(rollout["id"]))
    here.plane.acked("web")
    return found


def subsets(here: Mesh, **query: str) -> dict[str, Json]:
    """The traffic of `web` by subset; answers and attempts are there for both versions."""
    found = {each["name"]: each for each in here.plane.get("services/web:traffic", **query)["subsets"]}
    for version in ("v1", "v2"):
        assert found[version]["answers"], found[version]
        assert found[version]["attempts"], found[version]
    return found


def test_requests_errors_and_times_of_both_versions_are_shown(here: Mesh, gateway: Proxy) -> None:
    _, requests = users(100, lambda name: request("web.test", (USER, name)))
    wait_until(lambda: ask(gateway.port, requests[:1])[0].version, what="web.test is answered")

    def told() -> dict[str, Json]:
        found = subsets(here, nodes="true")
        for version in ("v1", "v2"):
            for kind in ("answers", "attempts"):
                assert found[version][kind]["requests"] > 100, (version, kind, found[version])
        return found

    with Load(gateway.port, requests):
        found = wait_until(told, REPORTED, every=0.5, what="requests are reported, by both services")
    for name, success in (("v1", 100.0), ("v2", 0.0)):
        subset = found[name]
        assert subset["answers"]["success"] == subset["attempts"]["success"] == success
        assert 0 < subset["answers"]["p50_ms"] <= subset["answers"]["p99_ms"] < 10_000
        (endpoint,) = subset["endpoints"]
        assert (endpoint["instance"], endpoint["success"]) == (f"default-web-{name}", success)
        assert endpoint["requests"] == subset["attempts"]["requests"]
        (node,) = subset["nodes"]
        assert (node["node"], node["answers"], node["attempts"]) == (
            gateway.id,
            subset["answers"],
            subset["attempts"],
        )
    assert found["v2"]["answers"]["errors"] == found["v2"]["answers"]["requests"]
    assert found["-"]["answers"] is None, "nobody is sent to every instance, so nobody can tell anything of it"


def test_once_a_cluster_is_reported_both_services_count_every_request_once(here: Mesh, gateway: Proxy) -> None:
    """Load reports leave out what came before an Envoy's first report of a cluster: two seconds or so."""
    apps, _ = here.apps("v1")
    here.service("twin", hosts=["twin.test"])
    here.register("twin", "v1", apps["v1"])
    here.plane.acked("twin")

    def told(kind: str) -> int | None:
        found = here.plane.get("services/twin:traffic")["subsets"]
        measured = next(each[kind] for each in found if each["name"] == "v1")
        return None if measured is None else int(measured["requests"])

    wait_until(lambda: told("attempts") == 0, REPORTED, every=0.2, what="the cluster is reported, without traffic")
    assert told("answers") is None, "a statistic that was never counted is not sent"
    here.reachable(gateway.port, "twin.test")
    answers = ask(gateway.port, [request("twin.test")] * 300)
    assert {answer.version for answer in answers} == {"v1"}
    wait_until(lambda: told("attempts") == told("answers") == 301, REPORTED, every=0.2, what="301 requests are told")


def test_an_endpoint_that_is_not_there_counts_as_errors_of_its_own(here: Mesh, gateway: Proxy) -> None:
    """What Envoy answers itself (503) is an error of the caller's answer, and a failed attempt at that endpoint."""
    here.service("gone", hosts=["gone.test"])
    apps, program = here.apps("v1")
    here.register("gone", "v1", apps["v1"], id="gone-1")
    here.plane.acked("gone")
    here.reachable(gateway.port, "gone.test")
    program.stop()
    wait_until(lambda: ask(gateway.port, [request("gone.test")])[0].status == 503, what="it is gone")

    def told() -> Json:
        ask(gateway.port, [request("gone.test")] * 2)
        (found,) = [each for each in here.plane.get("services/gone:traffic")["subsets"] if each["name"] == "v1"]
        for kind in ("answers", "attempts"):
            assert found[kind], found
            assert found[kind]["errors"] > 0, found
        return dict(found)

    (endpoint,) = wait_until(told, REPORTED, every=0.5, what="the failure is reported")["endpoints"]
    assert endpoint["instance"] == "gone-1"
    assert endpoint["errors"] > 0


def test_the_control_plane_counts_what_it_received(here: Mesh, gateway: Proxy) -> None:
    def told() -> dict[str, float]:
        text = httpx.get(f"http://127.0.0.1:{here.plane.api}/metrics").text
        found = {
            sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert found["fairlead_load_reports_total"] >= 1, found
        assert found["fairlead_metrics_messages_total"] >= 1, found
        return found

    found = wait_until(told, REPORTED, what="reports have come")
    assert found["fairlead_nodes live"] == found["fairlead_nodes_connected"] == 1
    assert found["fairlead_telemetry_streams lrs"] == found["fairlead_telemetry_streams metrics"] == 1
    assert found["fairlead_telemetry_lost_total"] == 0
    assert found["fairlead_snapshot_revision"] > 0
    assert found["fairlead_loop_lag_seconds_count"] > 10
