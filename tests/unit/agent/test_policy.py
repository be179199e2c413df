"""When the agent looks at labels again: at what changed, and now and then at everything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.harness.declared import instance
from xds.agent import policy as module
from xds.agent.policy import AGAIN, Policy
from xds.client.errors import Unreachable
from xds.model.instance import Instance
from xds.model.names import ServiceKey

NOTHING: Mapping[str, list[object]] = {"documents": [], "proposals": [], "waiting": [], "stale": []}


def service(name: str) -> Instance:
    key = ServiceKey("default", name)
    return instance(f"{name}-1", service=key, labels={"fairlead.service": name, "fairlead.port": "80"})


class Enough(Exception):
    """The test has seen what it came for."""


class House:
    """Two containers of two services, and a control plane that only listens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.known = {"a": service("shop"), "b": service("web")}
        self.heard: list[list[str]] = []
        self.policy = Policy(self.hear, self.known.items, lambda: self.now)

    async def hear(self, method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, object]:
        self.heard.append([each["name"] for each in (body or {})["items"]])
        return NOTHING


async def test_only_services_whose_containers_are_others_than_before_are_looked_at() -> None:
    house = House()
    await house.policy.declare()
    await house.policy.declare(whole=False)
    house.known["c"] = replace(service("shop"), id="shop-2")
    await house.policy.declare(whole=False)
    del house.known["b"]
    await house.policy.declare(whole=False)
    assert house.heard == [["a", "b"], ["a", "c"], []]


async def test_what_could_not_be_said_is_said_later() -> None:
    house = House()
    hear, house.policy._request = house.hear, _away
    with pytest.raises(Unreachable):
        await house.policy.declare(whole=False)
    house.policy._request = hear
    await house.policy.declare(whole=False)
    assert house.heard == [["a", "b"]]


async def test_everything_is_looked_at_in_time_also_where_something_always_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GATHER", 0.0)
    house = House()

    async def hear(method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, object]:
        await house.hear(method, path, body)
        if len(house.heard) == 4:
            raise Enough
        house.now += AGAIN / 2
        house.known["b"] = service("web")
        house.policy.wake()
        return NOTHING

    house.policy._request = hear
    with pytest.raises(Enough):
        await house.policy.run()
    assert house.heard == [["a", "b"], ["b"], ["b"], ["a", "b"]]


async def test_while_a_rollout_may_make_a_proposal_hold_its_service_is_looked_at_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SOON", 0.05)
    house = House()
    proposal = {
        "service": "web", "env": "default", "version": "v2", "field": "timeout", "holds": "15.0", "wanted": "5.0",
    }  # fmt: skip

    waiting = {
        "service": "web", "env": "default", "version": "v2", "entry": "auto", "auto_promote": False, "rollout": None,
        "plan": [{"weight": 0, "pause": None}], "preview": None, "analysis": None,
    }  # fmt: skip

    async def hear(method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, object]:
        if path == "/v1/rollouts":
            return {"id": "web-v2-1"}
        await house.hear(method, path, body)
        house.now += 1.0
        if len(house.heard) == 1:  # the rollout begins by this
            return {**NOTHING, "proposals": [{**proposal, "rollout": None}], "waiting": [waiting]}
        if len(house.heard) == 3:
            house.known["a"] = service("shop")
            house.policy.wake()
        elif len(house.heard) == 4:
            raise Enough
        return {**NOTHING, "proposals": [{**proposal, "rollout": "web-v2-1"}] if len(house.heard) < 3 else []}

    house.policy._request = hear
    with pytest.raises(Enough):
        async with asyncio.timeout(20):
            await house.policy.run()
    assert house.heard == [["a", "b"], ["b"], ["b"], ["a"]]


async def test_a_rollout_begins_with_the_plan_the_preview_and_the_criteria_that_labels_come_to() -> None:
    house, asked = House(), list[Mapping[str, Any]]()
    waiting = {
        "service": "web", "env": "default", "version": "v2", "entry": "auto", "auto_promote": True, "rollout": None,
        "plan": [{"weight": 0, "pause": None}], "preview": None, "analysis": {"min_requests": 200},
    }  # fmt: skip

    async def hear(method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, object]:
        if path != "/v1/rollouts":
            return {**NOTHING, "waiting": [waiting]}
        asked.append(body or {})
        return {"id": "web-v2-1"}

    house.policy._request = hear
    await house.policy.declare()
    told = {field: value for field, value in waiting.items() if field not in {"entry", "rollout"}}
    assert asked == [{**told, "set": "docker"}]


async def _away(method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, object]:
    raise Unreachable
