"""The rules of the xDS protocol over real gRPC, each in every way in which it can be asked: docs/protocol-rules.md.

Silence is shown by what comes next: the response after a thing that must not be answered is that of a later publish.
"""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DiscoveryRequest

from tests.feature.ads.conftest import Plane
from tests.feature.ads.line import ADS, DELTA, OWN, SOTW, WAYS, Line, on
from tests.feature.ads.wire_client import WireClient, node
from tests.harness.waiting import until
from xds.ads.services import SERVICES, Service
from xds.cache import Resource, ResourceKey
from xds.protocol.heartbeats import TTL, WRAPPED
from xds.wire.types import ResourceType

CDS, EDS, LDS, RDS = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER, ResourceType.ROUTE


def put(plane: Plane, type_: ResourceType = EDS, gone: str = "", **contents: str) -> None:
    upserts = [Resource.of(type_, name, f"{name}={text}".encode()) for name, text in contents.items()]
    plane.cache.publish(upserts, [ResourceKey(type_, gone)] if gone else [])


@on(*WAYS)
async def test_rule_01_a_refusal_is_an_error_whatever_version_it_names(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="bad")
    line = Line(client, way, EDS)
    await line.ask("a")
    heard = await line.hear()
    line.version = heard.version
    await line.nack(heard)
    await until(lambda: plane.types()[EDS].nack, what="it counts as refused")


@on(*WAYS)
async def test_rule_02_what_was_refused_is_not_sent_again(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="bad", b="1")
    line = Line(client, way, EDS)
    await line.ask("a")
    await line.nack(await line.hear(), "a", "b")
    assert await line.told() == {"b": "1"}
    put(plane, a="good")
    assert await line.told() == {"a": "good"}


@on(*WAYS)
async def test_rule_03_a_refusal_may_ask_for_more(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="bad", b="1")
    line = Line(client, way, EDS)
    await line.ask("a")
    await line.nack(await line.hear(), "a", "b")
    assert (await line.hear()).contents == {"b": "1"}
    assert plane.types()[EDS].nack is not None


@on(*WAYS)
async def test_rule_04_an_acceptance_may_ask_for_more(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1", b="1")
    line = Line(client, way, EDS)
    await line.ask("a")
    await line.ask("a", "b", nonce=(await line.hear()).nonce)
    assert (await line.hear()).contents == {"b": "1"}
    assert list(plane.types()[EDS].acked) == ["a"]


@on(*WAYS)
async def test_rule_05_versions_outlive_a_stream_and_nonces_do_not(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1", b="1")
    first, second = Line(client, way, EDS), Line(client, way, EDS, node("other"))
    await first.ask("a")
    heard = await first.hear()
    await second.ask("a", nonce=heard.nonce)
    again = await second.hear()
    assert (again.version, again.versions) == (heard.version, heard.versions)
    await second.ack(again)
    await until(lambda: plane.types("other")[EDS].acked, what="its own nonce is known")


@on(*WAYS)
async def test_rule_06_the_node_comes_once_and_is_remembered(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1", b="1")
    line = Line(client, way, EDS)
    await line.ask("a")
    await line.ack(await line.hear())
    await line.ask("a", "b", nonce="" if line.delta else "1")
    assert await line.told() == {"b": "1"}
    assert [asked.id for asked in plane.assigned] == ["sidecar-1"]


@on(*WAYS)
async def test_rule_07_a_stale_nonce_is_dropped_in_state_of_the_world_and_subscribes_in_delta(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="1", b="1")
    line = Line(client, way, EDS)
    await line.ask("a")
    await line.ack(await line.hear())
    await line.ask("a", "b", nonce="stale")
    if not line.delta:
        put(plane, a="2")
    assert await line.told() == ({"b": "1"} if line.delta else {"a": "2"})


@on(*WAYS)
async def test_rule_08_an_empty_nonce_begins_anew_or_only_subscribes(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="1")
    line = Line(client, way, EDS)
    await line.ask("a")
    await line.ack(await line.hear())
    await line.ask("a")  # in delta this says nothing at all
    if line.delta:
        put(plane, a="2")
    assert await line.told() == {"a": "2" if line.delta else "1"}


@on(*WAYS)
async def test_rule_09_every_response_has_a_nonce_of_its_own(plane: Plane, client: WireClient, way: str) -> None:
    line, nonces = Line(client, way, EDS), set[str]()
    put(plane, a="0")
    await line.ask("a")
    for number in range(3):
        heard = await line.hear()
        nonces.add(heard.nonce)
        await line.ack(heard)
        put(plane, a=str(number + 1))
    assert len(nonces - {""}) == 3


@on(*WAYS)
async def test_rule_10_the_aggregated_service_needs_a_type_url_the_others_do_not(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="1")
    line = Line(client, way, EDS)
    who = node()
    request = (
        DeltaDiscoveryRequest(node=who, resource_names_subscribe=["a"])
        if line.delta
        else DiscoveryRequest(node=who, resource_names=["a"])
    )
    await line.stream.write(bytes(request))
    if way in OWN:
        assert (await line.hear()).contents == {"a": "1"}
    else:
        code, words = await line.stream.end()
        assert (code.name, "type_url" in words) == ("INVALID_ARGUMENT", True)


@on(*OWN)
async def test_rule_10_a_service_for_one_type_refuses_another(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1")
    line = Line(client, way, EDS)
    await line.ask("a", type_=RDS)
    assert (await line.stream.end())[0].name == "INVALID_ARGUMENT"


@on(*WAYS)
async def test_rule_11_a_plain_acceptance_gets_no_response(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1")
    line = Line(client, way, EDS)
    await line.ask("a")
    await line.ack(await line.hear())
    await until(lambda: plane.types()[EDS].acked, what="the acceptance came")
    put(plane, a="2")
    assert await line.told() == {"a": "2"}


@on(*WAYS)
async def test_rule_12_what_happens_while_a_response_is_unanswered_comes_as_one(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="0")
    line = Line(client, way, EDS)
    await line.ask("a")
    heard = await line.hear()
    for number in range(1, 5):
        put(plane, a=str(number))
    await line.ack(heard)
    assert await line.told() == {"a": "4"}


@on(*WAYS)
@pytest.mark.parametrize("type_", [CDS, LDS, EDS])
async def test_rule_13_no_names_mean_everything_for_clusters_and_listeners_only(
    plane: Plane, client: WireClient, way: str, type_: ResourceType
) -> None:
    put(plane, type_, a="1", b="1")
    line = Line(client, way, type_)
    await line.ask()
    if type_ is EDS:
        await line.ask("a")
        assert await line.told() == {"a": "1"}
    else:
        assert await line.told() == {"a": "1", "b": "1"}


@on(*WAYS)
async def test_rule_14_the_star_stays_when_a_name_beside_it_goes(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, CDS, a="1")
    line = Line(client, way, CDS)
    await line.ask("*", "a")
    await line.ask("*", nonce=(await line.hear()).nonce)
    await line.told()
    put(plane, CDS, b="1")
    assert "b" in await line.told()


@on(*WAYS)
async def test_rule_15_a_name_given_up_under_the_star_is_sent_again(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1", b="1")
    line = Line(client, way, EDS)
    await line.ask("*", "a")
    await line.ask("*", nonce=(await line.hear()).nonce)
    assert await line.told() == {"a": "1"}


@on(*WAYS)
async def test_rule_16_a_name_asked_for_anew_is_sent_though_unchanged(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="1", b="1")
    line = Line(client, way, EDS)
    await line.ask("a", "b")
    heard = await line.hear()
    await line.ask("b", nonce=heard.nonce)
    await line.ask("a", "b", nonce="" if line.delta else heard.nonce)
    heard = await line.hear()
    assert heard.contents == {"a": "1"}
    if line.delta:
        await line.ask("a", "b", again=["b"], nonce=heard.nonce)
        assert await line.told() == {"b": "1"}


@on(*WAYS)
async def test_rule_17_giving_up_is_not_answered(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, CDS, a="1", b="1")
    line = Line(client, way, CDS)
    await line.ask("a", "b")
    await line.ask("b", nonce=(await line.hear()).nonce)
    put(plane, CDS, a="2")
    put(plane, CDS, b="2")
    assert await line.told() == {"b": "2"}


@on(*WAYS)
async def test_rule_18_an_unknown_name_is_removed_in_delta_and_silence_else_and_remembered(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="1")
    line = Line(client, way, EDS)
    await line.ask("ghost")
    if line.delta:
        heard = await line.hear()
        assert (heard.contents, heard.removed) == ({}, {"ghost"})
        await line.ack(heard)
    else:
        await until(lambda: EDS in plane.types(), what="it is known that it asks")
    put(plane, ghost="1")
    assert await line.told() == {"ghost": "1"}


@on(*WAYS)
async def test_rule_19_a_new_stream_is_owed_everything(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1")
    for _ in range(2):
        line = Line(client, way, EDS)
        await line.ask("a")
        assert await line.told() == {"a": "1"}
        line.stream.call.cancel()


@on(*DELTA)
async def test_rule_20_the_first_answer_to_the_wildcard_may_be_empty(
    plane: Plane, client: WireClient, way: str
) -> None:
    plane.cache.publish()
    line = Line(client, way, CDS)
    await line.ask()
    assert await line.told() == {}


@on(*SOTW)
async def test_rule_21_what_is_missing_from_clusters_is_gone_and_endpoints_cannot_go(
    plane: Plane, client: WireClient, way: str
) -> None:
    clusters, endpoints = Line(client, way, CDS), Line(client, way, EDS, node("other"))
    for line in (clusters, endpoints):
        put(plane, line.type, a="1", b="1")
        await line.ask("a", "b")
        await line.told()
        put(plane, line.type, gone="a")
    assert await clusters.told() == {"b": "1"}
    put(plane, b="2")
    assert await endpoints.told() == {"b": "2"}


@on(*SOTW)
async def test_rule_22_clusters_come_whole_and_endpoints_as_they_change(
    plane: Plane, client: WireClient, way: str
) -> None:
    for type_, expected in ((CDS, {"a": "1", "b": "2"}), (EDS, {"b": "2"})):
        line = Line(client, way, type_, node(type_.short))
        put(plane, type_, a="1", b="1")
        await line.ask("a", "b")
        await line.told()
        put(plane, type_, b="2")
        assert await line.told() == expected


@on(*WAYS)
async def test_rule_23_no_name_is_twice_in_a_response(plane: Plane, client: WireClient, way: str) -> None:
    plane.cache.publish([Resource.of(EDS, "a", b"a=1", aliases=("other", "another"))])
    line = Line(client, way, EDS)
    await line.ask("a", "other", "another", "*")
    assert await line.told() == {"a": "1"}  # hear() would complain


@on(*WAYS)
async def test_rule_24_an_alias_is_a_name(plane: Plane, client: WireClient, way: str) -> None:
    plane.cache.publish([Resource.of(EDS, "a", b"a=1", aliases=("other",))])
    line = Line(client, way, EDS)
    await line.ask("other")
    assert await line.told() == {"a": "1"}
    await until(lambda: "other" in plane.types()[EDS].acked, what="it counts as held under the name that was asked for")
    plane.cache.publish([Resource.of(EDS, "a", b"a=2", aliases=("other",))])
    assert await line.told() == {"a": "2"}


@on(*SOTW)
async def test_rule_25_who_has_the_same_clusters_is_sent_none_who_asks_for_others_all(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, CDS, a="1")
    first = Line(client, way, CDS)
    await first.ask("a")
    version = (await first.hear()).version
    same, other = Line(client, way, CDS, node("same")), Line(client, way, CDS, node("other"))
    same.version = other.version = version
    await same.ask("a")
    await other.ask("a", "b")
    assert await other.told() == {"a": "1"}
    await until(lambda: plane.types("same").get(CDS) and plane.types("same")[CDS].acked, what="it proved to hold it")
    put(plane, CDS, a="2")
    assert await same.told() == {"a": "2"}


@on(*DELTA)
async def test_rule_26_who_lists_what_is_current_is_sent_the_difference(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, a="1", b="1", c="1")
    first = Line(client, way, EDS)
    await first.ask("a", "b")
    versions = (await first.hear()).versions
    again = Line(client, way, EDS, node("again"))
    await again.ask("a", "b", "c", "gone", initial={"a": versions["a"], "b": "older", "gone": "v"})
    heard = await again.hear()
    assert heard.contents == {"b": "1", "c": "1"}
    await again.ack(heard)
    assert (await again.hear()).removed == {"gone"}


@on(*ADS)
async def test_rule_27_clusters_then_endpoints_then_after_the_answer_listeners_and_routes(
    plane: Plane, client: WireClient, way: str
) -> None:
    for type_ in (CDS, EDS, LDS, RDS):
        put(plane, type_, a="1")
    line = Line(client, way, CDS)
    await line.ask("a")
    clusters = await line.hear()
    for type_ in (RDS, LDS, EDS):
        line.names = ()
        await line.ask("a", type_=type_)
    assert (await line.hear()).type_url == EDS.url
    await line.ack(clusters)
    assert [(await line.hear()).type_url for _ in range(2)] == [LDS.url, RDS.url]


@on(*ADS)
async def test_rule_28_a_changed_cluster_gets_its_endpoints_again(plane: Plane, client: WireClient, way: str) -> None:
    line = Line(client, way, CDS)
    for type_ in (CDS, EDS):
        put(plane, type_, a="1", b="1")
        line.names = ()
        await line.ask("a", "b", type_=type_)
        await line.ask("a", "b", type_=type_, nonce=(await line.hear()).nonce)
    put(plane, CDS, b="2")
    clusters, endpoints = await line.hear(), await line.hear()
    assert (clusters.contents["b"], endpoints.type_url, endpoints.contents) == ("2", EDS.url, {"b": "1"})


@on(*WAYS)
async def test_rule_29_what_exists_does_not_wait_for_what_does_not(plane: Plane, client: WireClient, way: str) -> None:
    put(plane, a="1")
    line = Line(client, way, EDS)
    await line.ask("a", "ghost")
    assert await line.told() == {"a": "1"}


@on(*WAYS)
async def test_rule_30_what_lives_for_a_time_is_kept_alive_for_those_who_know_what_that_is(
    plane: Plane, client: WireClient, way: str
) -> None:
    plane.cache.publish([Resource.of(EDS, "a", b"a=1", ttl=0.2)])
    able, unable = Line(client, way, EDS, node(features=[TTL, *WRAPPED])), Line(client, way, EDS, node("unable"))
    for line in (able, unable):
        await line.ask("a")
        assert await line.told() == {"a": "1"}
    for _ in range(3):
        heard = await able.hear()  # state of the world says the content again
        assert (heard.contents, heard.beats) == (({}, {"a"}) if able.delta else ({"a": "1"}, set()))
        await able.ack(heard)
    put(plane, a="2")
    assert await unable.told() == {"a": "2"}


@pytest.mark.parametrize(
    "features", [[], [TTL], *([each] for each in sorted(WRAPPED)), *([TTL, each] for each in sorted(WRAPPED))]
)
@on(*WAYS)
async def test_rule_30_delta_needs_the_one_feature_and_state_of_the_world_both(
    plane: Plane, client: WireClient, way: str, features: list[str]
) -> None:
    plane.cache.publish([Resource.of(EDS, "a", b"a=1", ttl=0.2)])
    line = Line(client, way, EDS, node(features=features))
    await line.ask("a")
    await line.told()
    if TTL in features and (line.delta or len(features) == 2):
        assert (await line.hear()).versions.keys() == {"a"}
    else:
        put(plane, a="2")
        assert await line.told() == {"a": "2"}


@on(*DELTA)
async def test_rule_31_an_unknown_virtual_host_is_answered_empty_and_an_update_of_the_routes_sends_hosts_again(
    plane: Plane, client: WireClient, way: str
) -> None:
    vhds = ResourceType.VIRTUAL_HOST
    plane.cache.publish([Resource.of(vhds, "egress/web", b"egress/web=1")])
    line = Line(client, way, vhds)
    await line.ask("egress/web", "egress/ghost")
    heard = await line.hear()
    assert (heard.contents, heard.beats, heard.removed) == ({"egress/web": "1"}, {"egress/ghost"}, set())
    await line.ack(heard)
    plane.cache.publish([Resource.of(vhds, "egress/ghost", b"egress/ghost=1")])
    assert await line.told() == {"egress/ghost": "1"}


@on("delta-ads")
async def test_rule_31_new_routes_clear_hosts_so_they_are_sent_again(
    plane: Plane, client: WireClient, way: str
) -> None:
    vhds = ResourceType.VIRTUAL_HOST
    plane.cache.publish([Resource.of(vhds, "egress/web", b"egress/web=1"), Resource.of(RDS, "egress", b"egress=1")])
    line = Line(client, way, vhds)
    for type_, name in ((RDS, "egress"), (vhds, "egress/web")):
        line.names = ()
        await line.ask(name, type_=type_)
        await line.ask(name, type_=type_, nonce=(await line.hear()).nonce)
    plane.cache.publish([Resource.of(RDS, "egress", b"egress=2")])
    assert [(await line.hear()).contents for _ in range(2)] == [{"egress": "2"}, {"egress/web": "1"}]


@on(*DELTA)
async def test_rule_32_a_cluster_on_demand_is_one_name_beside_the_wildcard(
    plane: Plane, client: WireClient, way: str
) -> None:
    put(plane, CDS, a="1")
    line = Line(client, way, CDS)
    await line.ask("*")
    await line.told()
    await line.ask("*", "demanded")
    heard = await line.hear()
    assert heard.removed == {"demanded"}
    await line.ack(heard)
    put(plane, CDS, demanded="1")
    assert await line.told() == {"demanded": "1"}


@pytest.mark.parametrize("service", [service for service in SERVICES if service.state.startswith("Stream")])
async def test_rule_33_nobody_polls_here(plane: Plane, client: WireClient, service: Service) -> None:
    """Polling, over REST or by a method, is not served, by decision: a push costs what changed, a poll everything."""
    put(plane, a="1")
    method = service.state.replace("Stream", "Fetch", 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.channel.unary_unary(f"/{service.name}/{method}")(bytes(DiscoveryRequest(node=node())))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@on(*WAYS)
async def test_rule_35_the_reason_why_there_is_none_comes_in_place_of_a_resource(
    plane: Plane, client: WireClient, way: str
) -> None:
    plane.cache.publish([Resource.failed(EDS, "a", 7, "not yours"), Resource.failed(EDS, "b", 5, "no such thing")])
    line = Line(client, way, EDS)
    await line.ask("a", "b")
    heard = await line.hear()
    assert (heard.contents, heard.errors) == ({}, {"a": 7, "b": 5})
    assert heard.removed == ({"b"} if line.delta else set())
    await line.ack(heard)
    put(plane, a="1")
    assert await line.told() == {"a": "1"}
