"""Checks as callers meet them: what is refused at registration, and how an instance's health is explained."""

from __future__ import annotations

import httpx
import pytest

WEB = {"service": "web", "address": "10.0.0.7", "port": 8080}


@pytest.mark.parametrize(
    ("address", "check", "pointer", "code"),
    [
        ("169.254.169.254", {"kind": "http"}, "/address", "blocked_target"),
        ("::ffff:169.254.169.254", {"kind": "tcp"}, "/address", "blocked_target"),
        ("2002:a9fe:a9fe::", {"kind": "grpc"}, "/address", "blocked_target"),
        ("100.100.100.200", {"kind": "http"}, "/address", "blocked_target"),
        ("10.0.0.7", {"kind": "http", "path": "http://169.254.169.254/"}, "/check/path", "invalid_input"),
        ("10.0.0.7", {"kind": "http", "path": "/\r\nhost: other"}, "/check/path", "invalid_input"),
        ("10.0.0.7", {"kind": "http", "host": "user@other"}, "/check/host", "invalid_input"),
        ("10.0.0.7", {"kind": "http", "interval": "100ms"}, "/check/interval", "invalid_input"),
    ],
)
async def test_h3_h5_a_check_that_may_not_be_made_is_refused_at_registration(
    api: httpx.AsyncClient, address: str, check: dict[str, object], pointer: str, code: str
) -> None:
    answer = await api.put("/v1/instances/web-1", json={**WEB, "address": address, "check": check})
    assert answer.status_code == 422
    assert (answer.json()["pointer"], answer.json()["code"]) == (pointer, code)
    assert (await api.get("/v1/instances/web-1")).status_code == 404


async def test_an_instance_with_a_check_starts_and_says_why(api: httpx.AsyncClient) -> None:
    made = await api.put("/v1/instances/web-1", json={**WEB, "check": {"kind": "http", "path": "/healthz"}})
    assert made.status_code == 201
    assert made.json()["check"]["interval"] == "5s"
    found = (await api.get("/v1/instances/web-1")).json()
    assert found["health"] == "starting"
    assert found["verdict"]["decided_by"] == "check"
    assert found["verdict"]["why"] == "not ready yet: it has not been asked"
    (member,) = (await api.get("/v1/services/web:explain")).json()["instances"]
    assert member["verdict"] == found["verdict"]
    (listed,) = (await api.get("/v1/instances")).json()["items"]
    assert listed["verdict"] is None, "a list of thousands does not carry thousands of reasons"
