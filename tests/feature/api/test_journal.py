"""The journal over HTTP: who changed what and why, what stood at a moment, and what two moments differ in (M07, A4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from tests.harness.declared import instance, route, service, split
from xds.api.convert.document import document_of
from xds.api.convert.documents import read_document
from xds.control.plane import ControlPlane
from xds.model.declare import Declaration, Delete, Put
from xds.model.gateway import Gateway
from xds.model.intent import Declared, Kind, Ref
from xds.model.names import Key, ServiceKey


async def items(api: httpx.AsyncClient, **query: str) -> list[dict[str, object]]:
    answer = await api.get("/v1/journal", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["items"]
    return found


async def test_a_line_says_what_changed_from_what_to_what_by_whom_and_why(web: httpx.AsyncClient) -> None:
    await web.put("/v1/services/web", json={"timeout": "5s"})
    rows = await items(web, service="web", object="default/web")
    assert [(row["kind"], row["actor"]) for row in rows] == [("service", "api:anonymous")] * len(rows)
    before, after = rows[-1]["before"], rows[-1]["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before["timeout"] != after["timeout"] == 5.0


async def test_it_is_asked_by_time_service_object_and_kind_and_comes_in_pages(web: httpx.AsyncClient) -> None:
    await web.post("/v1/instances", json={"service": "shop", "address": "10.0.0.9", "port": 80, "version": "v1"})
    assert {row["service"] for row in await items(web, service="shop")} == {"default/shop"}
    assert {row["object"] for row in await items(web, kind="service")} == {"default/web", "default/shop"}
    assert await items(web, since="10m") == await items(web)
    assert await items(web, until="10m") == []
    first = (await web.get("/v1/journal", params={"limit": "2"})).json()
    rest = await items(web, after=first["next"])
    assert first["items"] + rest == await items(web)


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-01-02T03:04:05", "until=-5m", "after=x", "limit=0", "env=A"]
)
async def test_a_question_that_makes_no_sense_is_refused_at_its_parameter(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/v1/journal?service=web&{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text


async def test_a_moment_comes_back_as_documents_that_apply_takes(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    await web.put("/v1/routes/web.all", json={"service": "web", "hosts": ["a.example"], "timeout": "3s"})
    await web.put("/v1/gateways/edge", json={"listeners": [{"port": 8080}]})
    then = plane.clock.wall().isoformat()
    before = declared(plane)
    await asyncio.sleep(0.002)  # the journal tells milliseconds apart
    for name in list(plane.intent.instances):
        await web.delete(f"/v1/instances/{name}")
    await web.delete("/v1/routes/web.all")
    await web.put("/v1/services/web", json={"timeout": "1s"})

    answer = (await web.get("/v1/journal:at", params={"time": then})).json()
    assert [document["kind"] for document in answer["documents"]] == [
        "service", "instance", "instance", "route", "gateway",
    ]  # fmt: skip
    applied = (await web.post("/v1/apply", json={"documents": answer["documents"]})).json()
    assert applied["failed"] == 0, applied
    assert declared(plane) == before


def declared(plane: ControlPlane) -> list[Declared]:
    """Everything that stands, whoever owns it: who applies it owns it."""
    intent = plane.intent
    every: tuple[Declared, ...] = (
        *intent.services.values(),
        *intent.instances.values(),
        *intent.routes.values(),
        *intent.gateways.values(),
    )
    return [replace(each, owner="") for each in every]


@pytest.mark.parametrize(
    "said",
    [
        service(timeout=3.5, split=split(v1=9500, v2=500)),
        instance("a", "v2", weight=7, ttl=5.0, labels={"rack": "r1"}, region="eu", zone="eu-1", epoch=3, seq=4),
        route("web.api", subset="v1"),
        Gateway(Key("default", "edge"), hosts=("*",)),
    ],
    ids=["service", "instance", "route", "gateway"],
)
def test_a_document_says_all_that_its_object_declares(said: Declared) -> None:
    assert read_document(document_of(said), said.owner) == said


async def test_two_moments_differ_in_objects_and_in_what_envoys_are_sent(
    web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    await plane.declare(Declaration(Put(instance("shop-1", service=ServiceKey.of("shop"))), "api:test"))
    then = plane.clock.wall().isoformat()
    await asyncio.sleep(0.002)  # the journal tells milliseconds apart
    await plane.declare(Declaration(Delete(Ref(Kind.INSTANCE, "web-10-0-0-8-8080")), "api:test", operator=True))

    found = (await web.get("/v1/journal:diff", params={"at": then})).json()
    assert [(each["kind"], each["object"], each["after"]) for each in found["objects"]] == [
        ("instance", "web-10-0-0-8-8080", None)
    ]
    changed = {(each["type"], each["name"]): (each["before"], each["after"]) for each in found["resources"]}
    assert changed[("cds", "web/v2")][1] is None, "its cluster is gone"
    assert changed[("eds", "web/v2")][1] is None
    assert ("eds", "web/v1") not in changed
    assert not any("shop" in name for _, name in changed)
    assert found["left_out"] == 0

    same = (await web.get("/v1/journal:diff", params={"at": then, "to": then})).json()
    assert (same["objects"], same["resources"]) == ([], [])
