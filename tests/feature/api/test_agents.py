"""Agents over HTTP: they register, beat, and are seen in one list."""

from __future__ import annotations

import httpx
import pytest

HOST = {"ip": "10.0.0.7", "role": "docker", "version": "0.1.0", "ts": "2026-03-01T12:00:00Z"}


async def test_m31_agents_are_listed_with_their_state(api: httpx.AsyncClient) -> None:
    await api.put("/v1/agents/host-7", json=HOST)
    await api.put("/v1/agents/host-8", json={"ip": "10.0.0.8"})
    first, second = (await api.get("/v1/agents")).json()["items"]
    assert {name: first[name] for name in ("id", "ip", "role", "version", "state", "lag")} == {
        "id": "host-7", "ip": "10.0.0.7", "role": "docker", "version": "0.1.0", "state": "alive", "lag": "0s",
    }  # fmt: skip
    assert first["clock_off"] < 0
    assert (second["role"], second["clock_off"]) == ("agent", None)
    assert (await api.get("/v1/agents/host-7")).json()["id"] == "host-7"
    assert (await api.delete("/v1/agents/host-7")).status_code == 204
    assert (await api.get("/v1/agents/host-7")).status_code == 404


async def test_m32_heartbeats_count_and_create_nothing(api: httpx.AsyncClient) -> None:
    unknown = await api.put("/v1/agents/host-7/heartbeat", json={"id": "host-7", "seq": 1, "ts": 1.5})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "register_again")
    epoch = (await api.put("/v1/agents/host-7", json=HOST)).json()["epoch"]
    beat = {"epoch": epoch, "seq": 5, "ts": "2026-03-01T12:00:05Z"}
    assert (await api.put("/v1/agents/host-7/heartbeat", json=beat)).json() == {"expires_in": "10s"}
    again = await api.put("/v1/agents/host-7/heartbeat", json=beat)
    assert (again.status_code, again.json()["code"], again.json()["pointer"]) == (409, "stale_epoch", "/seq")


async def test_r4_the_id_of_a_live_agent_is_refused_to_another_address_with_a_line_in_the_journal(
    api: httpx.AsyncClient,
) -> None:
    await api.put("/v1/agents/host-7", json=HOST)
    refused = await api.put("/v1/agents/host-7", json={**HOST, "ip": "10.0.0.8"})
    assert (refused.status_code, refused.json()["code"]) == (403, "identity")
    assert (await api.get("/v1/agents/host-7")).json()["ip"] == "10.0.0.7"


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"ip": "nowhere"}, "/ip"),
        ({"ip": "10.0.0.7", "ts": "yesterday"}, "/ts"),
        ({"ip": "10.0.0.7", "ts": "2026-03-01T12:00:00"}, "/ts"),
        ({"ip": "10.0.0.7", "ts": 1e300}, "/ts"),
        ({"ip": "10.0.0.7", "ttl": 0}, "/ttl"),
        ({"ip": "10.0.0.7", "id": "host-8"}, "/id"),
        ({"ip": "10.0.0.7", "seq": "5"}, "/seq"),
    ],
)
async def test_r6_what_no_agent_can_be_is_refused_with_its_field(
    api: httpx.AsyncClient, document: dict[str, object], pointer: str
) -> None:
    answer = await api.put("/v1/agents/host-7", json=document)
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)
