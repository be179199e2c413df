"""What leads to a cluster that an Envoy refused is kept from that Envoy: a route to a missing cluster answers 503."""

from __future__ import annotations

import asyncio
import datetime
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import Address, AggregatedConfigSource, ConfigSource, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)

import xds
from tests.envoy.test_library import block
from tests.harness import upstream
from tests.harness.processes import Programs
from tests.harness.waiting import until
from xds.wire.packing import pack_any

CDS, LDS, RDS = xds.ResourceType.CLUSTER, xds.ResourceType.LISTENER, xds.ResourceType.ROUTE


def at(port: int) -> Address:
    return Address(socket_address=SocketAddress(address="127.0.0.1", port_value=port))


def cluster(name: str, port: int, connect_timeout: float = 1.0) -> Cluster:
    endpoint = LocalityLbEndpoints(lb_endpoints=[LbEndpoint(endpoint=Endpoint(address=at(port)))])
    assignment = ClusterLoadAssignment(cluster_name=name, endpoints=[endpoint])
    return Cluster(name=name, connect_timeout=datetime.timedelta(seconds=connect_timeout), load_assignment=assignment)


def listener(port: int) -> Listener:
    manager = HttpConnectionManager(
        stat_prefix="http",
        rds=Rds(route_config_name="routes", config_source=ConfigSource(ads=AggregatedConfigSource())),
        http_filters=[HttpFilter(name="envoy.filters.http.router", typed_config=pack_any(Router()))],
    )
    chain = FilterChain(filters=[Filter(name="hcm", typed_config=pack_any(manager))])
    return Listener(name="front", address=at(port), filter_chains=[chain])


def routes(to: str) -> RouteConfiguration:
    route = Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster=to))
    return RouteConfiguration(name="routes", virtual_hosts=[VirtualHost(name="all", domains=["*"], routes=[route])])


def answer(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as response:
            return str(response.headers["x-version"])
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError as error:
        return str(error)


@pytest.mark.envoy
async def test_rule_27_a_route_to_a_refused_cluster_does_not_reach_the_envoy_that_refused_it(
    programs: Programs, envoy_binary: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    ports = {name: free_port() for name in ("v1", "v2", "front")}
    apps = [f"{version}:{ports[version]}" for version in ("v1", "v2")]
    programs.start([sys.executable, upstream.__file__, *apps], name="apps")
    async with xds.Server("127.0.0.1:0") as server:
        bootstrap = block("yaml", {"18000": server.ports[0], "9901": free_port()})
        (tmp_path / "envoy.yaml").write_text(bootstrap, encoding="utf-8")
        good = cluster("v1", ports["v1"])
        server.publish("edge", {CDS: [good], LDS: [listener(ports["front"])], RDS: [routes("v1")]})
        programs.start([envoy_binary, "-c", tmp_path / "envoy.yaml", "--use-dynamic-base-id"], name="envoy")
        assert (await server.acked("edge", within=30)).complete
        ask = asyncio.to_thread
        await until(lambda: answer(ports["front"]) == "v1", timeout=10, what="v1 answers")

        server.publish("edge", {CDS: [good, cluster("v2", ports["v2"], 0)], RDS: [routes("v2")]})
        found = await server.acked("edge", within=10)
        assert "v2" in found.refused["front-1"]
        assert {await ask(answer, ports["front"]) for _ in range(100)} == {"v1"}
        held = server.nodes()[0].types[RDS].progress
        assert held is not None
        assert list(held.held_back) == ["routes"]

        server.publish("edge", {CDS: [good, cluster("v2", ports["v2"])]})
        assert (await server.acked("edge", within=10)).complete
        assert await ask(answer, ports["front"]) == "v2"
