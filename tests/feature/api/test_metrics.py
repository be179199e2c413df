"""GET /metrics: what Prometheus reads, and whether it is what happened."""

from __future__ import annotations

import asyncio
import re
import time

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.feature.api.running import Egress, client_of, telemetry_of
from tests.harness.repo import ROOT
from tests.harness.waiting import until
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.alarm import Alarm
from xds.telemetry.prometheus import HELP
from xds.telemetry.station import Telemetry
from xds.wire.types import ResourceType

CDS = ResourceType.CLUSTER


async def _scrape(api: httpx.AsyncClient) -> dict[str, Metric]:
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


async def _values(api: httpx.AsyncClient, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one family by their labels."""
    found = (await _scrape(api))[name]
    return {tuple(sample.labels.values()): sample.value for sample in found.samples if "_bucket" not in sample.name}


async def test_every_family_is_there_from_the_start_with_its_help(api: httpx.AsyncClient) -> None:
    found = await _scrape(api)
    assert {name: found[name].documentation for name in HELP} == HELP
    assert all(found[name].type in {"counter", "gauge", "histogram"} for name in HELP)
    assert "process_resident_memory_bytes" in found
    assert not [name for name in found if name.startswith("python_")], "nothing of the default registry"


async def test_alarms_are_counted_by_kind_and_priority_and_a_store_that_works_has_no_age(
    plane: ControlPlane,
) -> None:
    telemetry = telemetry_of(plane)
    async with client_of(plane, ApiSettings(), telemetry) as api:
        plane.alarms.set("test", [Alarm("nack", "edge-1", "x"), Alarm("nack", "edge-2", "x")])
        assert await _values(api, "fairlead_alarms") == {("nack", "ticket"): 2.0}
        assert await _values(api, "fairlead_store_age_seconds") == {(): 0.0}


async def test_what_streams_do_is_counted_by_type(api: httpx.AsyncClient, telemetry: Telemetry) -> None:
    counts = telemetry.streams
    for size in (100, 250):
        counts.pushed(CDS, size)
    counts.nacked(CDS)
    counts.overdue(ResourceType.LISTENER)
    counts.acked(CDS, 0.004)
    counts.acked(CDS, 99.0)
    assert (await _values(api, "fairlead_xds_pushes"))["cds",] == 2
    assert (await _values(api, "fairlead_xds_push_bytes"))["cds",] == 350
    assert (await _values(api, "fairlead_xds_nacks"))["cds",] == 1
    assert (await _values(api, "fairlead_xds_gates_passed"))["lds",] == 1
    samples = (await _scrape(api))["fairlead_xds_ack_seconds"].samples
    buckets = {
        sample.labels["le"]: sample.value
        for sample in samples
        if sample.name.endswith("_bucket") and sample.labels["type"] == "cds"
    }
    assert (buckets["0.0025"], buckets["0.005"], buckets["10.0"], buckets["+Inf"]) == (0, 1, 1, 2)


async def test_streams_are_counted_from_their_beginning_to_their_end(
    api: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    counts = telemetry.streams
    counts.opened("sotw")
    counts.opened("delta")
    counts.closed("delta", "slow_reader")
    counts.refused("unauthenticated")
    counts.limited("names")
    assert await _values(api, "fairlead_xds_streams") == {("sotw",): 1, ("delta",): 0}
    assert await _values(api, "fairlead_xds_streams_closed") == {("delta", "slow_reader"): 1}
    assert await _values(api, "fairlead_xds_streams_refused") == {("unauthenticated",): 1}
    assert await _values(api, "fairlead_xds_limits") == {("names",): 1}


async def test_nodes_and_what_they_owe_are_looked_up_when_asked(
    api: httpx.AsyncClient, web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    envoy.take()
    assert await _values(api, "fairlead_nodes") == {("live",): 1, ("unknown",): 0}
    assert await _values(api, "fairlead_xds_unanswered") == {("rds",): 1}
    envoy.nack("no such thing")
    assert await _values(api, "fairlead_xds_unanswered") == {("rds",): 0}
    assert await _values(api, "fairlead_xds_nacks_standing") == {("rds",): 1}
    assert (await _values(api, "fairlead_problems"))["error",] == 1
    envoy.close()
    assert await _values(api, "fairlead_nodes_connected") == {(): 0}


async def test_the_snapshot_has_the_revision_that_was_published(api: httpx.AsyncClient, web: httpx.AsyncClient) -> None:
    assert (await _values(api, "fairlead_snapshot_revision"))[()] > 0


async def test_a_loop_that_is_held_up_shows_it(api: httpx.AsyncClient, telemetry: Telemetry) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(telemetry.run())
        await until(lambda: telemetry._lag.seconds.cumulative()[-1][1] > 0, what="the loop has been looked at")
        asyncio.get_running_loop().call_soon(_hold_up)
        await until(lambda: telemetry._lag.seconds.total > 0.15, what="the delay was seen")
        running.cancel()
    samples = {s.name: s.value for s in (await _scrape(api))["fairlead_loop_lag_seconds"].samples}
    assert samples["fairlead_loop_lag_seconds_sum"] > 0.15
    assert samples["fairlead_loop_lag_seconds_count"] >= 2


def _hold_up() -> None:
    """Keep the loop to oneself, as a bug would."""
    time.sleep(0.3)


async def test_metrics_need_the_token_where_there_is_one(plane: ControlPlane) -> None:
    async with client_of(plane, ApiSettings(token="sesame")) as client:
        assert (await client.get("/metrics")).status_code == 401
        answer = await client.get("/metrics", headers={"authorization": "Bearer sesame"})
        assert answer.status_code == 200


def test_the_page_lists_every_family() -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(fairlead_\w+)", page, re.MULTILINE)
    assert {name.removesuffix("_total") for name in named} == set(HELP)
