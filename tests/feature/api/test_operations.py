"""What operators ask of the control plane itself: readiness, problems, bootstraps."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.feature.api.running import client_of
from tests.harness.waiting import until
from xds.api.settings import ApiSettings
from xds.control.admission import Admitted
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.sources.leases import WheelLeases
from xds.store.sqlite import SqliteStore


async def test_it_is_not_ready_before_everything_is_loaded(tmp_path: Path) -> None:
    clock, store = SystemClock(), SqliteStore(tmp_path / "fairlead.db")
    plane = ControlPlane(store=store, clock=clock, leases=WheelLeases(clock), filter=Admitted(None))
    async with client_of(plane, ApiSettings()) as api:
        assert (await api.get("/healthz")).status_code == 200
        answer = await api.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert answer.headers["retry-after"] == "1"
        await plane.start()
        assert (await api.get("/readyz")).json()["status"] == "ready"
    await store.close()


async def test_a_weight_without_an_instance_is_a_problem_that_is_told(web: httpx.AsyncClient) -> None:
    split = [{"subset": "v1", "weight": 90}, {"subset": "v3", "weight": 10}]
    await web.put("/v1/services/web", json={"split": split})

    async def told() -> list[dict[str, str]]:
        found: list[dict[str, str]] = (await web.get("/v1/problems")).json()["items"]
        return found

    (problem,) = await until(told)
    assert (problem["kind"], problem["object"]) == ("service", "default/web")
    assert "v3" in problem["message"]
    explained = (await web.get("/v1/services/web:explain")).json()
    assert explained["wanted"] == {"v1": 90, "v3": 10}
    assert explained["effective"] == {"v1": 100}
    assert explained["problems"] == [problem]


async def test_problems_come_in_pages(api: httpx.AsyncClient) -> None:
    for port, name in enumerate(("a", "b", "c"), start=80):
        instance = {"service": name, "address": "10.0.0.1", "port": port, "version": "v1"}
        await api.put(f"/v1/instances/{name}", json=instance)
        split = [{"subset": "v1", "weight": 90}, {"subset": "gone", "weight": 10}]
        await api.put(f"/v1/services/{name}", json={"split": split})

    async def all_told() -> bool:
        return len((await api.get("/v1/problems")).json()["items"]) == 3

    await until(all_told)
    first = (await api.get("/v1/problems", params={"limit": 2})).json()
    rest = (await api.get("/v1/problems", params={"limit": 2, "after": first["next"]})).json()
    assert [problem["object"][-1] for problem in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("listens", "asked_at", "led_to"),
    [
        ("0.0.0.0", "control.example:15080", "control.example"),
        ("0.0.0.0", "10.0.0.9:15080", "10.0.0.9"),
        ("::", "[fd00::9]:15080", "fd00::9"),
        ("10.0.0.1", "control.example:15080", "10.0.0.1"),
    ],
)
async def test_a_bootstrap_leads_to_where_the_caller_found_the_api_when_ads_listens_everywhere(
    plane: ControlPlane, listens: str, asked_at: str, led_to: str
) -> None:
    async with client_of(plane, ApiSettings(host="0.0.0.0", token="s3cret", ads_host=listens, ads_port=15010)) as api:
        api.headers.update({"authorization": "Bearer s3cret", "host": asked_at})
        made = (await api.get("/v1/bootstrap", params={"role": "gateway", "gateway": "edge"})).json()
        assert f"'address': '{led_to}', 'port_value': 15010" in str(made["static_resources"])


async def test_a_bootstrap_leads_an_envoy_here_with_the_token(plane: ControlPlane) -> None:
    settings = ApiSettings(host="0.0.0.0", token="s3cret", ads_host="10.0.0.1", ads_port=18000)
    async with client_of(plane, settings) as api:
        api.headers["authorization"] = "Bearer s3cret"
        gateway = (await api.get("/v1/bootstrap", params={"role": "gateway", "gateway": "edge"})).json()
        assert gateway["node"]["metadata"]["fairlead"]["gateway"] == "edge"
        assert "18000" in str(gateway["static_resources"])
        assert "Bearer s3cret" in str(gateway["dynamic_resources"])
        query = {"service": "web", "app": "127.0.0.1:8080", "ingress": "0.0.0.0:16006", "ads": "control.example:18001"}
        sidecar = (await api.get("/v1/bootstrap", params=query)).json()
        assert sidecar["node"]["metadata"]["fairlead"]["listeners"]["ingress"] == "0.0.0.0:16006"
        assert "control.example" in str(sidecar["static_resources"])
        wrong = await api.get("/v1/bootstrap", params={"service": "web", "app": "somewhere"})
        assert (wrong.status_code, wrong.json()["pointer"]) == (422, "/app")
