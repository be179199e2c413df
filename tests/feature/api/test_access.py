"""Who may call, and from where (faults A1, A3)."""

from __future__ import annotations

import json
import logging

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.feature.api.running import client_of, telemetry_of
from xds.api.app import create_app
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane

TOKEN = "s3cret-token"
OPEN = {"/healthz", "/readyz"}


def _paths(plane: ControlPlane) -> list[tuple[str, str]]:
    document = create_app(plane, ApiSettings(), telemetry_of(plane)).openapi()
    found = [(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs]
    return [*found, ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nothing")]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer " + "x" * 10_000,
        TOKEN,
    ],
)
async def test_every_path_but_health_needs_the_token(plane: ControlPlane, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    async with client_of(plane, ApiSettings(token=TOKEN)) as client:
        for method, path in _paths(plane):
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == (200 if path in OPEN else 401), path
            if path not in OPEN:
                assert answer.json()["code"] == "unauthenticated"
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_with_the_token_everything_is_open_and_owned_by_it(plane: ControlPlane) -> None:
    async with client_of(plane, ApiSettings(host="0.0.0.0", token=TOKEN)) as client:
        client.headers["authorization"] = f"bearer {TOKEN}"
        answer = await client.put(
            "/v1/gateways/edge", json={}, headers={"host": "any.example", "x-fairlead-actor": "root"}
        )
        assert (answer.status_code, answer.json()["owner"]) == (201, "api:token")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "10.0.0.7:8080"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
async def test_without_a_token_a_foreign_host_or_origin_is_refused(
    api: httpx.AsyncClient, plane: ControlPlane, headers: dict[str, str]
) -> None:
    """DNS rebinding: a page in the operator's browser reaches loopback, but cannot hide its own name."""
    for method, path in _paths(plane):
        answer = await api.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host"), path


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080"])
async def test_without_a_token_this_machine_is_let_in(api: httpx.AsyncClient, host: str) -> None:
    assert (await api.get("/v1/services", headers={"host": host, "origin": f"http://{host}"})).status_code == 200


async def test_a_line_per_request_and_never_a_token(plane: ControlPlane, caplog: pytest.LogCaptureFixture) -> None:
    """M35."""
    caplog.set_level(logging.DEBUG)
    async with client_of(plane, ApiSettings(token=TOKEN)) as client:
        await client.get(f"/v1/services/web?token={TOKEN}", headers={"authorization": f"Bearer {TOKEN}"})
        await client.get("/v1/services", headers={"authorization": "Bearer nearly-right"})
    lines = [record for record in caplog.records if record.name == "fairlead.api.access"]
    first = json.loads(lines[0].getMessage())
    assert (first["method"], first["path"], first["status"]) == ("GET", "/v1/services/web", 404)
    assert first["route"] == "/v1/services/{name}"
    assert first["ms"] >= 0
    assert json.loads(lines[1].getMessage())["status"] == 401
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("fairlead")]
    assert not [line for line in ours if TOKEN in line or "nearly-right" in line]


async def test_a_failure_of_ours_is_logged_under_an_id_and_told_without_its_words(
    plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(plane, ApiSettings(), telemetry_of(plane))

    async def broken() -> None:
        message = "the words inside"
        raise RuntimeError(message)

    app.router.routes.append(APIRoute("/broken", broken))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://localhost"
    ) as client:
        answer = await client.get("/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "inside" not in answer.text
    assert answer.json()["request"] == answer.headers["x-request-id"]
    assert answer.json()["request"] in caplog.text
    assert "the words inside" in caplog.text


async def test_unknown_paths_and_methods_are_problems_too(api: httpx.AsyncClient) -> None:
    nowhere = await api.get("/v2/services")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "unknown_path")
    wrong = await api.patch("/v1/services/web")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET, PUT")
    assert wrong.headers["content-type"] == "application/problem+json"
