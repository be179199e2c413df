"""What a node still owes, refuses and is kept from is visible: over HTTP, from a stream over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.google.protobuf import Struct

from tests.feature.ads.wire_client import WireClient, connect
from tests.harness.waiting import until
from xds.ads import AdsServer, AdsSettings
from xds.cache import Resource
from xds.control.plane import ControlPlane
from xds.wire.types import ResourceType

CDS, RDS = ResourceType.CLUSTER, ResourceType.ROUTE
SIDECAR = Node(id="sidecar-1", metadata=Struct.from_dict({"fairlead": {"role": "sidecar"}}))
Document = dict[str, object]


@pytest.fixture
async def client(plane: ControlPlane) -> AsyncIterator[WireClient]:
    server = AdsServer(
        plane.cache,
        plane.roster,
        assign=plane.assign,
        authorize=lambda _metadata, _peer: None,
        clock=plane.clock.monotonic,
        settings=AdsSettings(addresses=("127.0.0.1:0",), drain_grace=1.0),
    )
    await server.start()
    try:
        async with connect(server.ports[0]) as wire:
            yield wire
    finally:
        await server.stop()


async def types(web: httpx.AsyncClient) -> dict[str, Document]:
    found: dict[str, Document] = (await web.get("/v1/nodes/sidecar-1")).json()["types"]
    return found


def publish(plane: ControlPlane, content: bytes, *needs: str) -> None:
    """Publish a route configuration of nobody's beside the plane's own, and what it needs."""
    plane.cache.publish([Resource.of(RDS, "extra", content, needs=needs)])


async def test_what_is_owed_parked_and_held_back_has_names_at_a_node_and_numbers_in_the_list(
    web: httpx.AsyncClient, client: WireClient, plane: ControlPlane
) -> None:
    publish(plane, b"1")
    delta = client.delta()
    await delta.ask(CDS, as_node=SIDECAR)
    clusters = await delta.response()
    await delta.ask(RDS, ["extra"])
    waiting = await until(lambda: _when(web, "rds"), what="routes were asked for")
    assert (waiting["owed"], waiting["held_back"]) == (["extra"], []), "they wait for the answer to clusters"
    await delta.ask(CDS, nonce=clusters.nonce)
    await delta.ask(RDS, nonce=(await delta.response()).nonce)
    await web.post("/v1/instances", json={"service": "api", "address": "10.0.0.9", "port": 8080})
    refused = await delta.response()
    await delta.ask(CDS, nonce=refused.nonce, error="api: no room for it")
    publish(plane, b"2", "api/-")

    async def held_back() -> dict[str, Document] | None:
        found = await types(web)
        return found if found["rds"]["held_back"] else None

    found = await until(held_back, what="routes are held back")
    assert found is not None
    parked = sorted(resource.name for resource in refused.resources)
    assert "api/-" in parked
    assert (found["cds"]["owed"], found["cds"]["parked"]) == ([], parked)
    assert (found["rds"]["owed"], found["rds"]["held_back"]) == (["extra"], ["extra"])
    tally = found["cds"]["tally"]
    assert isinstance(tally, dict)
    assert (tally["pushes"], tally["nacks"]) == (2, 1)
    assert tally["bytes"] > len(bytes(refused))
    assert tally["answered_in"] is not None
    (listed,) = (await web.get("/v1/nodes")).json()["items"]
    assert [listed["types"]["cds"][key] for key in ("names", "parked", "owed")] == [0, len(parked), 0]
    assert [listed["types"]["rds"][key] for key in ("names", "owed", "held_back")] == [1, 1, 1]
    assert listed["types"]["cds"]["nack"]["message"] == "api: no room for it"
    delta.call.cancel()
    await until(lambda: _gone(web), what="the stream is closed")
    assert (await types(web))["rds"]["held_back"] == [], "nothing is left to do for a stream that is gone"


async def _when(web: httpx.AsyncClient, kind: str) -> Document | None:
    answer = await web.get("/v1/nodes/sidecar-1")
    return answer.json()["types"].get(kind) if answer.status_code == 200 else None


async def _gone(web: httpx.AsyncClient) -> bool:
    return not (await web.get("/v1/nodes/sidecar-1")).json()["connected"]
