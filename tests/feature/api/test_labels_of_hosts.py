"""Containers of several hosts and one control plane: one policy, one rollout, and nothing that takes turns (M02, M13).

Each host is the agent's own policy, with containers as an engine would tell of them, and the API as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest

from xds.agent.policy import ABANDONED, Policy
from xds.client.errors import read
from xds.labels.describe import describe
from xds.labels.description import Container, Description
from xds.model.instance import Instance


class Host:
    """A host, its containers, and the agent's policy."""

    def __init__(self, api: httpx.AsyncClient, number: int) -> None:
        self._api = api
        self._number = number
        self.now = 0.0
        self.containers: dict[str, Instance] = {}
        self.policy = Policy(self.ask, self.containers.items, lambda: self.now)

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        answer = await self._api.request(method, path, json=body)
        return read(answer.status_code, answer.content)

    async def runs(self, name: str, version: str = "v1", **labels: str) -> None:
        """A container starts, and is registered."""
        said = {f"fairlead.{key.replace('__', '.')}": value for key, value in labels.items()}
        said = {"fairlead.service": "web", "fairlead.port": "80", "fairlead.version": version, **said}
        container = Container(id=f"{self._number}{name}".encode().hex() * 4, name=name)
        found: Description | None = describe(said, container).description
        assert found is not None
        instance = found.instance(f"10.0.{self._number}.{len(self.containers) + 1}")
        self.containers[name] = instance
        document = {
            "service": "web", "version": version, "address": instance.address, "port": 80, "labels": instance.labels,
        }  # fmt: skip
        await self.ask("PUT", f"/v1/instances/{instance.id}", document)

    async def ends(self, name: str) -> None:
        await self.ask("DELETE", f"/v1/instances/{self.containers.pop(name).id}")


@pytest.fixture
def one(api: httpx.AsyncClient) -> Host:
    return Host(api, 1)


@pytest.fixture
def other(api: httpx.AsyncClient) -> Host:
    return Host(api, 2)


async def service(host: Host) -> Mapping[str, object]:
    return await host.ask("GET", "/v1/services/web")


async def names(host: Host, kind: str) -> list[object]:
    found = await host.ask("GET", f"/v1/{kind}")
    items = found["items"]
    assert isinstance(items, list)
    return [each.get("name") or each["id"] for each in items]


# ------------------------------------------------------------------------------------------------------------- policy
async def test_a_canary_with_another_policy_on_another_host_proposes_and_takes_no_turns(one: Host, other: Host) -> None:
    await one.runs("a", timeout="5s", route__api__path="/v1")
    await one.policy.declare()
    await other.runs("b", "v2", timeout="9s", route__api__path="/v2", route__new__path="/new")
    before = await service(one)
    for host in (other, one, other, one):
        await host.policy.declare()
    assert await service(one) == before
    assert await names(one, "routes") == ["web.api"]
    assert other.policy.proposals[0] == "web v2: timeout would be 9.0; 5.0 holds"
    assert one.policy.proposals == other.policy.proposals
    explained = (await one.ask("GET", "/v1/services/web:explain"))["proposals"]
    assert isinstance(explained, list)
    assert {each["rollout"] for each in explained} == {"web-v2-1"}
    assert [(each["version"], each["field"]) for each in explained] == [
        ("v2", "timeout"), ("v2", "route web.api"), ("v2", "route web.new"),
    ]  # fmt: skip


async def test_hosts_whose_containers_differ_come_to_one_result(one: Host, other: Host) -> None:
    """What most containers of the stable version say holds, wherever they run, and not whoever spoke last."""
    await one.runs("a", timeout="5s")
    await one.runs("b", timeout="5s")
    await other.runs("c", timeout="9s")
    for host in (one, other, one, other):
        await host.policy.declare()
        assert (await service(one))["timeout"] == "5s"
    await other.runs("d", timeout="9s")
    await other.runs("e", timeout="9s")
    for host in (one, other, one):
        await host.policy.declare()
        assert (await service(one))["timeout"] == "9s"


async def test_what_a_set_declares_for_itself_is_no_word_of_a_container(one: Host) -> None:
    document = {
        "kind": "instance", "service": "web", "version": "v1", "address": "10.9.9.9", "port": 80,
        "labels": {"fairlead.service": "web", "fairlead.route.machine.path": "/machine"},
    }  # fmt: skip
    await one.ask("POST", "/v1/apply", {"documents": [document], "set": "machines"})
    await one.runs("a", route__api__path="/v1")
    await one.policy.declare()
    assert await names(one, "routes") == ["web.api"]


# ------------------------------------------------------------------------------------------------------------ rollouts
async def test_a_rollout_that_labels_begin_shows_its_version_to_whom_they_name(one: Host) -> None:
    await one.runs("a")
    await one.runs("b", "v2", canary__steps="5,100", canary__match__header__x_canary="insider", canary__mirror="10%")
    await one.policy.declare()
    begun = await one.ask("GET", "/v1/rollouts/web-v2-1")
    assert begun["preview"] == {"headers": {"x_canary": {"exact": "insider"}}, "cookies": {}, "mirror": 10}
    assert (begun["weight"], await service(one)) == (0, {**await service(one), "stable": "v1"})


async def test_labels_that_change_renew_a_rollout_that_nobody_has_decided_about(one: Host, other: Host) -> None:
    await one.runs("a")
    await one.runs("b", "v2", canary__steps="5,100")
    await one.policy.declare()
    await one.ends("b")
    await one.runs("b", "v2", canary__steps="10,100", canary__match__cookie__beta="*")
    await one.policy.declare()
    renewed = await one.ask("GET", "/v1/rollouts/web-v2-1")
    assert renewed["preview"] == {"headers": {}, "cookies": {"beta": {"present": True}}, "mirror": 0}
    assert [each["weight"] for each in renewed["plan"]] == [0, 10, 100]  # type: ignore[attr-defined]  # the same
    before = renewed["revision"]
    for host in (one, other, one):
        await host.policy.declare()
    assert (await one.ask("GET", "/v1/rollouts/web-v2-1"))["revision"] == before, "nothing takes turns"


async def test_hosts_that_plan_otherwise_for_one_version_come_to_one_plan(one: Host, other: Host) -> None:
    await one.runs("a")
    await one.runs("b", "v2", canary__steps="5,100")
    await other.runs("c", "v2", canary__steps="50,100")
    for host in (one, other):
        await host.policy.declare()
    before = (await one.ask("GET", "/v1/rollouts/web-v2-1"))["revision"]
    for host in (one, other, one, other):
        await host.policy.declare()
    assert (await one.ask("GET", "/v1/rollouts/web-v2-1"))["revision"] == before


async def test_an_operator_s_own_plan_is_not_renewed_by_labels(one: Host) -> None:
    await one.runs("a")
    await one.runs("b", "v2", canary__steps="5,100")
    await one.policy.declare()
    mine = {"service": "web", "version": "v2", "plan": [{"weight": 0, "pause": None}, {"weight": 20, "pause": "1m"}]}
    await one.ask("POST", "/v1/rollouts", mine)
    await one.policy.declare()
    found = await one.ask("GET", "/v1/rollouts/web-v2-1")
    assert [each["weight"] for each in found["plan"]] == [0, 20]  # type: ignore[attr-defined]  # a list, as JSON has it


# ------------------------------------------------------------------------------------------------------------- routes
async def test_a_route_that_no_label_names_any_more_is_removed_and_comes_back_with_its_label(
    one: Host, other: Host
) -> None:
    await one.runs("a", route__api__path="/v1", route__old__path="/old")
    await other.runs("b", route__api__path="/v1", route__old__path="/old")
    await one.policy.declare()
    await one.ends("a")
    await one.runs("a", route__api__path="/v1")
    await one.policy.declare()
    assert await names(one, "routes") == ["web.api", "web.old"], "the other host still names it"
    await other.ends("b")
    await one.policy.declare()
    assert await names(one, "routes") == ["web.api"]
    await one.runs("c", route__api__path="/v1", route__old__path="/old")
    await one.policy.declare()
    assert await names(one, "routes") == ["web.api", "web.old"]


async def test_what_an_operator_declared_is_neither_removed_nor_written_over(one: Host) -> None:
    await one.runs("a", route__api__path="/v1")
    await one.ask("PUT", "/v1/routes/web.api", {"service": "web", "path": "/mine"})
    await one.ask("PUT", "/v1/routes/web.more", {"service": "web", "path": "/more"})
    await one.policy.declare()
    assert await names(one, "routes") == ["web.api", "web.more"]
    assert (await one.ask("GET", "/v1/routes/web.api"))["path"] == {"prefix": "/mine"}
    assert [each.partition(":")[0] for each in one.policy.proposals] == ["web v1"]


async def test_routes_of_a_service_whose_containers_are_gone_wait_for_them_a_while(one: Host) -> None:
    await one.runs("a", route__api__path="/v1")
    await one.policy.declare()
    await one.ends("a")
    await one.policy.declare()
    one.now += ABANDONED - 1
    await one.policy.declare()
    assert await names(one, "routes") == ["web.api"]
    one.now += 1
    await one.policy.declare()
    assert await names(one, "routes") == []


# ----------------------------------------------------------------------------------------------------------- rollouts
async def test_an_unseen_version_waits_at_nobody_in_one_rollout_however_many_containers_run_it(
    one: Host, other: Host
) -> None:
    """`fairlead.canary=auto`."""
    await one.runs("a")
    await one.policy.declare()
    assert await names(one, "rollouts") == []
    await one.runs("b", "v2", canary__steps="5,50", canary__interval="2m")
    await other.runs("c", "v2", canary__steps="5,50", canary__interval="2m")
    for host in (one, other, one):
        assert await host.policy.declare()
    assert await names(one, "rollouts") == ["web-v2-1"]
    found = await one.ask("GET", "/v1/rollouts/web-v2-1")
    assert (found["phase"], found["weight"], found["stable"]) in {("shifting", 0, "v1"), ("paused", 0, "v1")}
    assert found["plan"] == [
        {"weight": 0, "pause": None},
        {"weight": 5, "pause": "2m"}, {"weight": 50, "pause": "2m"},
    ]  # fmt: skip
    assert other.policy.waiting == ["web v2 has no users; `fairlead canary status web-v2-1` shows its rollout"]
    assert (await service(one))["stable"] == "v1"


async def test_a_version_that_was_in_a_rollout_before_begins_none_by_itself(one: Host) -> None:
    """Neither one that was taken back, nor the stable version of before."""
    await one.runs("a")
    await one.runs("b", "v2")
    await one.policy.declare()
    await one.ask("POST", "/v1/rollouts/web-v2-1:abort")
    await one.policy.declare()
    assert await names(one, "rollouts") == ["web-v2-1"]
    assert await one.policy.declare()


@pytest.mark.parametrize(("entry", "begun"), [("manual", []), ("off", ["web-v2-1"])])
async def test_how_a_version_comes_in_is_its_labels_to_say(one: Host, entry: str, begun: list[str]) -> None:
    await one.runs("a")
    await one.runs("b", "v2", canary=entry)
    await one.policy.declare()
    assert await names(one, "rollouts") == begun


async def test_one_version_after_another(one: Host) -> None:
    """The second waits for the first one's rollout, or takes its place once nothing runs that any more."""
    await one.runs("a")
    await one.runs("b", "v2")
    await one.policy.declare()
    await one.runs("c", "v3")
    assert await one.policy.declare()
    assert any(each.startswith("web v3 waits for its rollout: rollout web-v2-1") for each in one.policy.waiting)
    await one.ends("b")
    await one.policy.declare()
    assert await names(one, "rollouts") == ["web-v2-1", "web-v3-1"]
    assert (await one.ask("GET", "/v1/rollouts/web-v2-1"))["phase"] == "aborted"


async def test_a_version_that_is_not_registered_yet_is_tried_again_soon(one: Host) -> None:
    await one.runs("a")
    await one.runs("b", "v2")
    late = one.containers["b"]
    await one.ask("DELETE", f"/v1/instances/{late.id}")
    assert not await one.policy.declare()
