"""Overlays through the API: said, shown, journalled, ended, and there again after a restart (M54, C3)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any  # documents of the API are JSON

import httpx

from tests.feature.api.running import client_of
from tests.feature.control.plane_on_disk import running_plane
from tests.harness.waiting import until
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane

DRAIN = {"act": "drain", "service": "web", "version": "v2", "reason": "disk full", "expires_in": "30m"}


async def put(web: httpx.AsyncClient, name: str, document: Mapping[str, object], **query: object) -> Any:
    answer = await web.put(f"/v1/overlays/{name}", json=document, params=query)  # type: ignore[arg-type]  # JSON scalars
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def journal(plane: ControlPlane) -> list[tuple[object, ...]]:
    rows = await plane.store.journal()
    return [(row["key"], row["actor"], row["reason"]) for row in rows if row["kind"] == "overlay"]


async def test_a_drain_is_shown_explained_and_undone(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    said = await put(web, "drain-v2", DRAIN)
    assert (said["selector"], said["instances"], said["expires_in"]) == ("service=web,version=v2", 1, "30m")
    assert (said["reason"], said["owner"]) == ("disk full", "api:anonymous")
    shown = (await web.get("/v1/overlays")).json()["items"]
    assert [overlay["id"] for overlay in shown] == ["drain-v2"]
    assert (await web.get("/v1/overlays", params={"env": "dev"})).json()["items"] == []

    explained = (await web.get("/v1/services/web:explain")).json()
    by_version = {member["version"]: member for member in explained["instances"]}
    assert (by_version["v2"]["health"], by_version["v2"]["serves"]) == ("draining", False)
    assert (by_version["v2"]["overlays"], by_version["v1"]["overlays"]) == (["drain-v2"], [])
    assert [overlay["id"] for overlay in explained["overlays"]] == ["drain-v2"]

    assert (await web.delete("/v1/overlays/drain-v2")).status_code == 204
    assert (await web.get("/v1/overlays/drain-v2")).status_code == 404
    explained = (await web.get("/v1/services/web:explain")).json()
    assert all(member["serves"] for member in explained["instances"])
    assert await journal(plane) == [
        ("drain-v2", "api:anonymous", "disk full"),
        ("drain-v2", "api:anonymous", ""),
    ]


async def test_to_empty_what_has_users_takes_force_and_the_journal_tells_of_it_c3(
    web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    document = {"act": "drain", "service": "web", "version": "v1", "reason": "the building burns"}
    refused = await web.put("/v1/overlays/fire", json=document)
    assert (refused.status_code, refused.json()["code"]) == (409, "would_empty")
    assert "nobody would be left to serve default/web v1: force it" in refused.json()["detail"]
    await put(web, "fire", document, force="true")
    words = "the building burns (forced: nobody would be left to serve default/web v1)"
    assert await journal(plane) == [("fire", "api:anonymous", words)]


async def test_a_pin_holds_the_users_and_the_rollout_until_it_is_undone(web: httpx.AsyncClient) -> None:
    started = await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": [{"weight": 50}]})
    assert started.status_code == 201, started.text
    await put(web, "pin-web", {"act": "pin", "service": "web", "version": "v1", "reason": "incident"})
    explained = (await web.get("/v1/services/web:explain")).json()
    assert explained["wanted"] == {"v1": 50, "v2": 50}
    found = (await web.get("/v1/rollouts/web-v2-1")).json()
    assert (found["state"], found["reason"]) == ("blocked", "overlay pin-web pins all users to v1 (incident)")

    await until(lambda: _is_published(web, {"v1": 100, "v2": 0}), what="everybody is sent to v1", timeout=10)
    await web.delete("/v1/overlays/pin-web")
    await until(lambda: _is_published(web, {"v1": 50, "v2": 50}), what="the split holds again", timeout=10)


async def test_it_ends_by_itself(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    await put(web, "short", {**DRAIN, "expires_in": "1s"})

    async def gone() -> bool:
        return (await web.get("/v1/overlays/short")).status_code == 404

    await until(gone, what="the overlay has ended", timeout=10)
    assert (await journal(plane))[-1] == ("short", "overlay", "its time is over")


async def test_it_is_there_again_after_a_restart_with_what_is_left_of_its_time(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane, client_of(plane, ApiSettings()) as api:
        for number in (1, 2):
            body = {"service": "web", "address": f"10.0.0.{number}", "port": 80}
            assert (await api.put(f"/v1/instances/web-{number}", json=body)).status_code == 201
        said = await put(api, "drain-1", {"act": "drain", "instance": "web-1", "expires_in": "1h"})
    async with running_plane(tmp_path) as plane, client_of(plane, ApiSettings()) as api:
        found = (await api.get("/v1/overlays/drain-1")).json()
        assert found["until"] == said["until"]
        left = plane.overlaid_for("drain-1")
        assert left is not None
        assert 3_000 < left < 3_600
        again = await api.put("/v1/instances/web-1", json={"service": "web", "address": "10.0.0.1", "port": 81})
        assert again.status_code == 200
        members = (await api.get("/v1/services/web:explain")).json()["instances"]
        assert [(member["id"], member["serves"]) for member in members] == [("web-1", False), ("web-2", True)]


async def test_what_makes_no_sense_is_refused_at_its_field(web: httpx.AsyncClient) -> None:
    for document, pointer in (
        ({"act": "stop", "instance": "web-1"}, "/act"),
        ({"act": "drain"}, "/selector"),
        ({"act": "drain", "selector": "a=="}, "/selector"),
        ({"act": "drain", "version": "V 2"}, "/version"),
        ({"act": "weight", "service": "web"}, "/weight"),
        ({"act": "weight", "service": "web", "weight": 99_999}, "/weight"),
        ({"act": "pin", "service": "web", "version": "v9"}, "/version"),
        ({"act": "pin", "service": "web", "version": "v1", "instance": "web-1"}, "/instance"),
        ({"act": "drain", "service": "web", "expires_in": "31d"}, "/expires_in"),
        ({"act": "drain", "service": "web", "expires_in": 1e300}, "/expires_in"),
    ):
        answer = await web.put("/v1/overlays/x", json=document)
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer), (document, answer.text)


async def _is_published(web: httpx.AsyncClient, shares: dict[str, int]) -> bool:
    subsets = (await web.get("/v1/services/web:explain")).json()["subsets"]
    return {each["name"]: each["effective"] for each in subsets if each["name"] != "-"} == shares
