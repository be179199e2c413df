"""The door for Envoys: nobody is let in before their resources exist, and a restart tells nobody anything new."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.waiting import until
from xds.cache.group import Group
from xds.cache.typestate import Node
from xds.control.inbox import Inbox
from xds.control.nodes import Move, Nodes
from xds.control.plane import ControlPlane
from xds.control.ports import Entry
from xds.model.declare import Delete, Put, StartRollout
from xds.model.gateway import Gateway
from xds.model.instance import Instance
from xds.model.intent import Intent, Kind, Ref, ref
from xds.model.names import Key, ServiceKey
from xds.model.node import NodeProfile
from xds.model.problems import PeerError
from xds.model.reach import UpstreamNames
from xds.model.rollout import Step
from xds.model.route import Route
from xds.model.service import Protocol, Service
from xds.wire.types import ResourceType

WEB = ServiceKey.of("web")
SIDECAR = {"fairlead": {"role": "sidecar", "service": "web", "app": "127.0.0.1:9000"}}


async def versions(plane: ControlPlane, node: Node) -> dict[tuple[ResourceType, str], str]:
    """Return what a node would be sent: type and name to content version."""
    group, snapshot = await plane.assign(node), plane.cache.latest()
    assert snapshot is not None
    return {(t, name): r.version for t in ResourceType for name, r in snapshot.view(t, group).all().items()}


async def declare_everything(plane: ControlPlane) -> None:
    for number, version in enumerate(["v1", "v2"]):
        await say(plane, Put(Instance(f"web-{version}", WEB, "127.0.0.1", {"http": 8080 + number}, version=version)))
    await say(plane, Put(Service(ServiceKey.of("db"), protocol=Protocol.TCP)))
    await say(plane, Put(Instance("db-1", ServiceKey.of("db"), "127.0.0.1", {"sql": 5432})))
    await say(plane, Put(Route(Key("default", "web.front"), WEB, hosts=("web.example.com",))))
    await say(plane, Put(Gateway(Key("default", "edge"))))
    await say(plane, StartRollout(WEB, "v2", (Step(1234, None),)))


async def test_a_node_of_a_new_profile_finds_its_listeners_when_it_is_let_in(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(Instance("web-1", WEB, "127.0.0.1", {"http": 8080})))
        names = {
            name for kind, name in await versions(plane, Node("n", metadata=SIDECAR)) if kind is ResourceType.LISTENER
        }
        assert names == {"egress", "ingress/web"}


async def test_a_node_that_is_let_in_keeps_its_listeners_until_its_stream_is_open() -> None:
    """The loop may take another turn before the waiting stream has woken up."""
    nodes, node = Nodes(Inbox(), Intent(), lambda _: None), Node("n", metadata=SIDECAR)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(nodes.assign(node))
        await until(lambda: nodes.are_new)
        await nodes.published(nodes.profiles, {}, 0.0)
        nodes.forget([])
        await nodes.published(nodes.profiles, {}, 0.0)
    assert nodes.profiles == {NodeProfile.from_metadata(node.metadata)}
    assert waiting.result().id
    nodes.forget([])
    assert not nodes.profiles


async def test_nodes_of_one_profile_share_a_group(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        assert await plane.assign(Node("a", metadata=SIDECAR)) == await plane.assign(Node("b", metadata=SIDECAR))


@pytest.mark.parametrize(
    "ours", ["text", {"role": "captain"}, {"role": "sidecar", "env": "No/Such"}, {"role": "sidecar", "app": "nowhere"}]
)
async def test_metadata_that_says_nonsense_ends_that_stream_only(tmp_path: Path, ours: object) -> None:
    async with running_plane(tmp_path) as plane:
        with pytest.raises(PeerError, match="fairlead"):
            await plane.assign(Node("n", metadata={"fairlead": ours}))
        await plane.assign(Node("m", metadata=SIDECAR))


async def test_environments_are_walls(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(Instance("web-prod", ServiceKey.of("web", "prod"), "127.0.0.1", {"http": 8080})))
        await say(plane, Put(Instance("api-dev", ServiceKey.of("api", "dev"), "127.0.0.1", {"http": 8081})))
        prod = Node("p", metadata={"fairlead": {"role": "sidecar", "env": "prod"}})
        clusters = {name for kind, name in await versions(plane, prod) if kind is ResourceType.CLUSTER}
        assert "web/-" in clusters
        assert not any(name.startswith("api") for name in clusters)


async def test_after_a_restart_every_resource_has_the_version_it_had(tmp_path: Path) -> None:
    """So an Envoy that kept running and lists its versions is sent nothing."""
    nodes = [Node("s", metadata=SIDECAR), Node("g", metadata={"fairlead": {"role": "gateway", "gateway": "edge"}})]
    async with running_plane(tmp_path) as plane:
        await declare_everything(plane)
        await until(lambda: plane.service_status(WEB).effective == {"v1": 8766, "v2": 1234}, timeout=5)
        before = [await versions(plane, node) for node in nodes]
    async with running_plane(tmp_path) as plane:
        assert [await versions(plane, node) for node in nodes] == before
        assert all(before)


async def test_a_removed_services_cluster_lingers(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(Instance("web-1", WEB, "127.0.0.1", {"http": 8080})))
        await say(plane, Delete(Ref(Kind.INSTANCE, "web-1")))
        await say(plane, Delete(Ref(Kind.SERVICE, "default/web")))
        node = Node("n", metadata={"fairlead": {"role": "sidecar"}})
        await versions(plane, node)
        await until(lambda: not plane._publisher.carriers(WEB), timeout=5, what="the route to web is gone")
        found = await versions(plane, node)
        assert (ResourceType.CLUSTER, "web/-") in found
        assert (ResourceType.ENDPOINT, "web/-") in found


# -- groups -----------------------------------------------------------------------------------------------------


EDGE = {"fairlead": {"role": "gateway", "gateway": "edge"}}
LINGERING = 61.0


def profiles_of(intent: Intent, move: Move = lambda _: None) -> Nodes:
    return Nodes(Inbox(), intent, move)


async def let_in(nodes: Nodes, node: Node) -> Group:
    """Assign a node while the loop publishes for it."""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(nodes.assign(node))
        await until(lambda: nodes.are_new or waiting.done())
        await nodes.published(nodes.profiles, {}, 0.0)
    return waiting.result()


def labelled(names: str) -> Instance:
    return Instance("web-1", WEB, "127.0.0.1", {"http": 80}, labels={"fairlead.upstreams": names} if names else {})


def sees(group: Group, name: str, type_: ResourceType = ResourceType.CLUSTER) -> bool:
    return group.admits is None or group.admits(type_, name)


async def test_a_label_that_changes_moves_a_node_after_its_resources_are_published() -> None:
    intent, moved = Intent(), list[Mapping[str, Group]]()
    nodes = profiles_of(intent, moved.append)
    intent.commit({ref(labelled("a")): labelled("a")}, 1)
    before = await let_in(nodes, Node("web-1", metadata=SIDECAR))
    assert (sees(before, "a/v1"), sees(before, "b/v1"), sees(before, "ingress/web/application")) == (True, False, True)
    nodes.committed([Entry(ref(labelled("")), labelled("a"), labelled("a,b"), "test")])
    intent.commit({ref(labelled("")): labelled("a,b")}, 2)
    assert {profile.upstreams for profile in nodes.profiles} == {("a", "b")}
    assert not moved
    await nodes.published(nodes.profiles, {}, 1.0)
    ((found,),) = (list(each.values()) for each in moved)
    assert found.id != before.id
    assert (sees(found, "b/v1"), sees(found, "upstream/b", ResourceType.LISTENER), sees(found, "c/v1")) == (
        True,
        True,
        False,
    )
    member = nodes.membership("web-1")
    assert member is not None
    assert (member.group, member.upstreams) == (found, ("a", "b"))
    await nodes.published(nodes.profiles, {}, 2.0)
    assert len(moved) == 1


async def test_a_gateway_sees_what_its_routes_lead_to_a_while_longer_and_never_nothing() -> None:
    """Envoy refuses to lose its last cluster, and one that is slow may still use a route that is gone."""
    moved = list[Mapping[str, Group]]()
    nodes, edge = profiles_of(Intent(), moved.append), Key("default", "edge")
    await let_in(nodes, Node("e", metadata=EDGE))

    async def seen(now: float, *used: str) -> UpstreamNames | None:
        await nodes.published(nodes.profiles, {edge: frozenset(used)}, now)
        member = nodes.membership("e")
        assert member is not None
        return member.upstreams

    assert await seen(0.0, "a") == ("a",)
    assert await seen(1.0, "a", "b") == ("a", "b")
    assert await seen(2.0, "b") == ("a", "b")
    assert await seen(3.0, "b") == ("a", "b")
    assert await seen(2.0 + LINGERING, "b") == ("b",)
    assert await seen(70.0) == ("b",)
    assert await seen(70.0 + LINGERING) == ("b",)
    assert await seen(140.0, "c") == ("c",)
    assert len(moved) == 4


async def test_a_newer_stream_speaks_for_a_node() -> None:
    nodes = profiles_of(Intent())
    await let_in(nodes, Node("n", metadata=SIDECAR))
    await let_in(nodes, Node("n", metadata=EDGE))
    assert {profile.gateway for profile in nodes.profiles} == {"edge"}
    nodes.forget([])
    assert nodes.membership("n") is None


async def test_a_node_says_which_group_it_is_in_and_why(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(labelled("b")))
        await plane.assign(Node("n", metadata=SIDECAR))
        member = plane.membership("n")
        assert member is not None
        assert member.because == "label fairlead.upstreams of the instances of web says upstreams b"
        assert member.upstreams == ("b",)
