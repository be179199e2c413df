"""What the control plane is told of a proven container, and of the agent itself (rows M02, M31)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.docker.engine_said import WEB, WEB_ID, Story, facts, running
from xds.agent import presence
from xds.agent.document import document
from xds.agent.policy import item
from xds.agent.presence import Presence
from xds.api.convert.instance import instance_of
from xds.api.schemas.instance import InstanceIn
from xds.client.errors import RegisterAgain
from xds.model.instance import Address

LABELS = {
    "fairlead.service": "web", "fairlead.port": "8080", "fairlead.zone": "eu-1b", "fairlead.health.http": "/up",
    "fairlead.health.interval": "2s",
}  # fmt: skip


class Enough(Exception):
    """The test has seen what it came for."""


def test_the_document_is_one_that_the_api_takes() -> None:
    registered = running(facts(labels=LABELS)).containers.registered()[WEB]
    said = document(registered, ttl=15.0, region="eu", zone="eu-1a", checked=True)
    taken = instance_of(InstanceIn.model_validate({**said, "id": WEB_ID, "epoch": 7, "seq": 1}), "api:agent")
    assert (taken.id, taken.address, taken.ports, taken.ttl) == (WEB_ID, "172.17.0.2", {"default": 8080}, 15.0)
    assert (taken.region, taken.zone) == ("eu", "eu-1b")
    assert taken.check is not None
    assert (taken.check.path, taken.check.interval) == ("/up", 2.0)


def test_the_check_stays_here_unless_it_is_handed_over() -> None:
    registered = running(facts(labels=LABELS)).containers.registered()[WEB]
    assert "check" not in document(registered, ttl=15.0)


def test_a_sidecar_is_registered_and_asked_in_place_of_the_port_behind_it() -> None:
    behind = running(facts(labels={**LABELS, "fairlead.ingress": "15006"})).containers.registered()[WEB]
    said = document(behind, ttl=15.0, checked=True)
    taken = instance_of(InstanceIn.model_validate({**said, "id": WEB_ID}), "api:agent")
    assert (taken.ingress, taken.ports) == (Address("172.17.0.2", 15006), {"default": 8080})
    assert taken.check is not None
    assert taken.check.port == 15006


def test_a_sidecar_on_another_address_is_asked_by_the_agent_alone() -> None:
    """A check goes to an instance's own address."""
    story = Story().runs(facts(labels={**LABELS, "fairlead.ingress": "10.0.0.9:15006"}))
    story.listed(WEB)
    story.passes(1)
    said = document(story.containers.registered()[WEB], ttl=15.0, checked=True)
    assert (said["address"], said["ingress"], "check" in said) == ("172.17.0.2", "10.0.0.9:15006", False)


def test_one_good_answer_is_enough_where_the_control_plane_counts_on() -> None:
    story = running(facts(labels={**LABELS, "fairlead.health.healthy": "50"}), first_answer=True)
    assert story.told == {WEB_ID: "172.17.0.2"}
    assert running(facts(labels={**LABELS, "fairlead.health.healthy": "50"})).told == {}


def test_a_registered_container_is_described_by_what_was_found_of_it() -> None:
    story = running(facts(labels={"fairlead.service": "web", "fairlead.route.api.path": "/v1", "other": "x"}))
    assert item("web", story.containers.registered()[WEB].instance) == {
        "id": WEB_ID,
        "name": "web",
        "address": "172.17.0.2",
        "labels": {
            "fairlead.enable": "true", "fairlead.service": "web", "fairlead.env": "default", "fairlead.version": "v1",
            "fairlead.port": "8080", "fairlead.route.api.path": "/v1",
        },
    }  # fmt: skip


async def test_an_agent_is_listed_while_its_engines_are_heard_and_again_when_it_was_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "TTL", 0.003)
    said: list[tuple[str, Any]] = []
    wells = iter([False, True, True, True, True])

    async def request(method: str, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        said.append((f"{method} {path}", body.get("seq")))
        if len(said) == 4:
            raise RegisterAgain(404, {"code": "register_again"})
        return {"epoch": 4, "seq": 1}

    def is_well() -> bool:
        well = next(wells, None)
        if well is None:
            raise Enough
        return well

    monkeypatch.setattr(presence, "FIRST", 0.001)
    with pytest.raises(Enough):
        await Presence("here", "10.0.0.7", "1", lambda: said.append(("begun", None))).run(request, is_well)
    assert said == [
        ("PUT /v1/agents/here", None),
        ("begun", None),
        ("PUT /v1/agents/here/heartbeat", 2),
        ("PUT /v1/agents/here/heartbeat", 3),
        ("PUT /v1/agents/here", None),
        ("begun", None),
        ("PUT /v1/agents/here/heartbeat", 2),
    ]
