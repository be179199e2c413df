"""Client status (CSDS) over real gRPC: what it says of nodes that accept, refuse, wait and ask for nothing there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import grpc.aio
import pytest
from envoy_data_plane.envoy.admin.v3 import ClientResourceStatus
from envoy_data_plane.envoy.service.status.v3 import (
    ClientConfig,
    ClientConfigGenericXdsConfig,
    ClientStatusRequest,
    ClientStatusResponse,
    ConfigStatus,
)
from envoy_data_plane.envoy.type.matcher.v3 import (
    NodeMatcher,
    RegexMatcher,
    StringMatcher,
    StructMatcher,
    StructMatcherPathSegment,
    ValueMatcher,
)

from tests.feature.ads.conftest import SETTINGS, Plane
from tests.feature.ads.wire_client import SOON, DeltaStream, WireClient, WireStream, connect, node
from tests.harness.waiting import until
from xds.ads import status
from xds.cache import Cache, Resource
from xds.wire.types import ResourceType

CDS, EDS, LDS, SDS = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER, ResourceType.SECRET
SERVICE = "/envoy.service.status.v3.ClientStatusDiscoveryService/"
SYNCED, NOT_SENT, STALE, ERROR = (ConfigStatus[name] for name in ("SYNCED", "NOT_SENT", "STALE", "ERROR"))


async def fetch(
    client: WireClient, request: ClientStatusRequest | None = None, metadata: Sequence[tuple[str, str]] = ()
) -> ClientStatusResponse:
    call = client.channel.unary_unary(SERVICE + "FetchClientStatus")
    answer: bytes = await asyncio.wait_for(call(bytes(request or ClientStatusRequest()), metadata=metadata), SOON)
    return ClientStatusResponse.parse(answer)


def stream(client: WireClient, metadata: Sequence[tuple[str, str]] = ()) -> WireStream:
    return WireStream(client.channel.stream_stream(SERVICE + "StreamClientStatus")(metadata=metadata))


async def of(client: WireClient) -> dict[tuple[str, str], ClientConfigGenericXdsConfig]:
    """Return what is said of the only node: (type, name) -> entry."""
    (config,) = (await fetch(client)).config
    return {(ResourceType.from_url(e.type_url).short, e.name): e for e in config.generic_xds_configs}


async def connected(plane: Plane, client: WireClient, id_: str = "sidecar-1", tier: str = "edge") -> DeltaStream:
    """A node that accepted all clusters."""
    delta = client.delta()
    await delta.ask(CDS, as_node=node(id_, metadata={"tier": tier}))
    await delta.ask(CDS, nonce=(await delta.response()).nonce)
    await until(lambda: (held := plane.types(id_).get(CDS)) is not None and bool(held.acked))
    return delta


def ids(answer: ClientStatusResponse) -> list[str]:
    return [config.node.id for config in answer.config if config.node is not None]


async def test_rule_37_a_resource_goes_from_not_sent_to_stale_to_synced(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="\x0a\x03web")
    plane.publish(LDS, edge="1")
    delta = client.delta()
    await delta.ask(CDS, as_node=node())
    first = await delta.response()
    await delta.ask(LDS)  # waits for the answer to clusters
    await until(lambda: LDS in plane.types())
    found = await of(client)
    assert [(key, e.config_status, e.client_status) for key, e in found.items()] == [
        (("cds", "web"), STALE, ClientResourceStatus.REQUESTED),
        (("lds", "edge"), NOT_SENT, ClientResourceStatus.REQUESTED),
    ]
    await delta.ask(CDS, nonce=first.nonce)
    await delta.ask(LDS, nonce=(await delta.response()).nonce)
    await until(lambda: bool(plane.types()[LDS].acked))
    found = await of(client)
    assert {(e.config_status, e.client_status) for e in found.values()} == {(SYNCED, ClientResourceStatus.ACKED)}
    web = found["cds", "web"]
    assert web.version_info == first.resources[0].version
    assert web.xds_config == first.resources[0].resource
    assert web.error_state is None


async def test_rule_37_a_refused_resource_is_an_error_with_the_words_the_version_and_the_time(
    plane: Plane, client: WireClient
) -> None:
    plane.publish(CDS, web="1", api="1")
    delta = await connected(plane, client)
    plane.publish(CDS, web="2")
    refused = await delta.response()
    await delta.ask(CDS, nonce=refused.nonce, error="web: no such filter")
    await until(lambda: plane.types()[CDS].nack is not None)
    found = await of(client)
    assert found["cds", "api"].config_status == SYNCED
    web = found["cds", "web"]
    assert (web.config_status, web.client_status) == (ERROR, ClientResourceStatus.NACKED)
    assert web.version_info == refused.resources[0].version, "what is attached is what was refused"
    assert web.error_state is not None
    assert (web.error_state.details, web.error_state.version_info) == ("web: no such filter", web.version_info)
    assert web.error_state.last_update_attempt is not None
    assert abs((web.error_state.last_update_attempt - plane.wall()).total_seconds()) < SOON


async def test_a_name_that_there_is_not_does_not_exist(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    delta = await connected(plane, client)
    await delta.ask(EDS, ["ghost"])
    await delta.ask(EDS, nonce=(await delta.response()).nonce)
    ghost = (await of(client))["eds", "ghost"]
    assert (ghost.config_status, ghost.client_status) == (NOT_SENT, ClientResourceStatus.DOES_NOT_EXIST)
    assert (ghost.version_info, ghost.xds_config) == ("", None)


async def test_a_node_is_shown_as_it_introduced_itself_and_not_once_it_is_gone(
    plane: Plane, client: WireClient
) -> None:
    plane.publish(CDS, web="1")
    delta = await connected(plane, client)
    (config,) = (await fetch(client)).config
    assert config.node is not None
    assert (config.node.id, config.node.cluster, config.node.user_agent_name) == ("sidecar-1", "c", "envoy")
    assert config.node.metadata is not None
    assert config.node.metadata.to_dict() == {"tier": "edge"}
    delta.call.cancel()
    await until(plane.gone)
    assert (await fetch(client)).config == []


async def test_contents_are_left_out_on_request_and_those_of_secrets_always(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    plane.publish(SDS, key="private")
    delta = await connected(plane, client)
    await delta.ask(SDS, ["key"])
    await delta.ask(SDS, nonce=(await delta.response()).nonce)
    whole, brief = await fetch(client), await fetch(client, ClientStatusRequest(exclude_resource_contents=True))
    assert [e.xds_config is not None for e in whole.config[0].generic_xds_configs] == [True, False]
    assert [e.xds_config is not None for e in brief.config[0].generic_xds_configs] == [False, False]
    assert b"private" not in bytes(whole)


async def test_nodes_are_chosen_by_id_and_by_metadata(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    for id_, tier in (("a-1", "edge"), ("a-2", "inner"), ("b-1", "edge")):
        await connected(plane, client, id_, tier)
    edge = StructMatcher(
        path=[StructMatcherPathSegment(key="tier")],
        value=ValueMatcher(string_match=StringMatcher(exact="EDGE", ignore_case=True)),
    )
    by_id = NodeMatcher(node_id=StringMatcher(safe_regex=RegexMatcher(regex="a-[0-9]")))
    assert ids(await fetch(client)) == ["a-1", "a-2", "b-1"]
    assert ids(await fetch(client, ClientStatusRequest([by_id]))) == ["a-1", "a-2"]
    assert ids(await fetch(client, ClientStatusRequest([NodeMatcher(node_metadatas=[edge])]))) == ["a-1", "b-1"]
    both = NodeMatcher(node_id=by_id.node_id, node_metadatas=[edge])
    assert ids(await fetch(client, ClientStatusRequest([both]))) == ["a-1"]
    assert ids(await fetch(client, ClientStatusRequest([NodeMatcher(node_id=StringMatcher(exact="c"))]))) == []


async def test_a_stream_answers_each_request_and_ends_with_the_client(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    await connected(plane, client)
    asks = stream(client)
    for _ in range(2):
        await asks.write(bytes(ClientStatusRequest()))
        assert ids(ClientStatusResponse.parse(await asks.read())) == ["sidecar-1"]
    await asks.write(bytes(ClientStatusRequest([NodeMatcher(node_id=StringMatcher(exact="c"))])))
    assert await asks.read() == b"", "an answer, in which there is nobody"
    await asks.call.done_writing()
    assert (await asks.end())[0] is grpc.StatusCode.OK


async def test_a_long_answer_comes_in_parts_on_a_stream_and_is_refused_in_one_message(
    plane: Plane, client: WireClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "PART", 10_000)
    monkeypatch.setattr(status, "FETCHED_AT_MOST", 40_000)
    plane.publish(CDS, **{f"c{number:03}": "x" * 500 for number in range(60)})
    for id_ in ("a", "b"):
        await connected(plane, client, id_)
    asks = stream(client)
    await asks.write(bytes(ClientStatusRequest()))
    await asks.call.done_writing()
    parts: list[bytes] = []
    while isinstance(part := await asyncio.wait_for(asks.call.read(), SOON), bytes):
        parts.append(part)
    assert len(parts) > 2
    assert max(map(len, parts)) < 25_000
    names: dict[str, list[str]] = {}
    for config in _configs(parts):
        assert config.node is not None
        names.setdefault(config.node.id, []).extend(e.name for e in config.generic_xds_configs)
    assert names == {id_: [f"c{number:03}" for number in range(60)] for id_ in ("a", "b")}
    with pytest.raises(grpc.aio.AioRpcError, match="StreamClientStatus, which answers in parts") as refused:
        await fetch(client)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len((await fetch(client, ClientStatusRequest(exclude_resource_contents=True))).config) >= 2


def _configs(parts: Sequence[bytes]) -> list[ClientConfig]:
    return [config for part in parts for config in ClientStatusResponse.parse(part).config]


async def test_who_has_no_token_and_who_asks_nonsense_is_told_so(plane: Plane, client: WireClient) -> None:
    plane.cache.publish()
    custom = ClientStatusRequest([NodeMatcher(node_id=StringMatcher(prefix=""))])
    with pytest.raises(grpc.aio.AioRpcError, match=r"node_matchers\[0\].node_id needs one of") as wrong:
        await fetch(client, custom)
    assert wrong.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    asks = stream(client)
    await asks.write(b"\xff\xff")
    code, words = await asks.end()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a client status request" in words
    plane.token = "let-me-in"
    with pytest.raises(grpc.aio.AioRpcError) as stranger:
        await fetch(client)
    assert stranger.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert (await stream(client).end())[0] is grpc.StatusCode.UNAUTHENTICATED
    assert (await fetch(client, metadata=[("authorization", "Bearer let-me-in")])).config == []


async def test_before_anything_was_published_nodes_have_nothing_to_stand_to(client: WireClient) -> None:
    assert (await fetch(client)).config == []


async def test_a_stream_that_waits_for_nothing_does_not_keep_the_server_from_stopping() -> None:
    plane = Plane(cache=Cache())
    plane.cache.publish([Resource.of(CDS, "web", b"1")])
    server = plane.server(SETTINGS)
    await server.start()
    async with connect(server.ports[0]) as client:
        asks = stream(client)
        await asks.write(bytes(ClientStatusRequest()))
        await asks.read()
        async with asyncio.timeout(SETTINGS.drain_grace / 2):
            await server.stop()
        assert (await asks.end())[0] is grpc.StatusCode.UNAVAILABLE
