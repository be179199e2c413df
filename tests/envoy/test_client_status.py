"""Client status of real Envoys: what one refuses is an error in its own words, and what it took is synced."""

from __future__ import annotations

import socket

import grpc
import pytest
from envoy_data_plane.envoy.admin.v3 import ClientResourceStatus
from envoy_data_plane.envoy.service.status.v3 import (
    ClientConfigGenericXdsConfig,
    ClientStatusRequest,
    ClientStatusResponse,
    ConfigStatus,
)
from envoy_data_plane.envoy.type.matcher.v3 import NodeMatcher, StringMatcher

from tests.harness.mesh import Town
from tests.harness.ports import free_port
from tests.harness.waiting import wait_until
from xds.wire.types import ResourceType

pytestmark = pytest.mark.envoy

METHOD = "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus"


def statuses(port: int, node: str) -> dict[str, list[ClientConfigGenericXdsConfig]]:
    """Return what client status says of one node: entries by the type's short name."""
    request = ClientStatusRequest([NodeMatcher(node_id=StringMatcher(exact=node))])
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer: bytes = channel.unary_unary(METHOD)(bytes(request), timeout=5)
    configs = ClientStatusResponse.parse(answer).config
    assert len(configs) == 1, "it is connected"
    (config,) = configs
    assert config.node is not None
    assert config.node.user_agent_name == "envoy"
    found: dict[str, list[ClientConfigGenericXdsConfig]] = {}
    for entry in config.generic_xds_configs:
        found.setdefault(ResourceType.from_url(entry.type_url).short, []).append(entry)
    return found


def test_rule_37_a_listener_that_envoy_refuses_is_an_error_in_its_words_and_the_rest_is_synced(town: Town) -> None:
    mesh = town.mesh
    mesh.two_versions("shelf", town.apps, env="status")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        gateway = mesh.gateway("shelf", env="status", port=holder.getsockname()[1])

        def refused() -> dict[str, list[ClientConfigGenericXdsConfig]]:
            found = statuses(mesh.plane.ads, gateway.id)
            assert [entry.config_status for entry in found.get("lds", [])] == [ConfigStatus.ERROR]
            rest = {type_: {entry.config_status for entry in entries} for type_, entries in found.items()}
            assert rest["cds"] == rest["eds"] == {ConfigStatus.SYNCED}
            # Its bootstrap asks for a runtime layer, of which there is none.
            assert {entry.client_status for entry in found["rtds"]} == {ClientResourceStatus.DOES_NOT_EXIST}
            return found

        found = wait_until(refused, 30, what="the listener is refused, everything else accepted")
        (listener,) = found["lds"]
        assert listener.client_status is ClientResourceStatus.NACKED
        assert listener.error_state is not None
        assert "ddress already in use" in listener.error_state.details, "Envoy's own words"
        assert listener.error_state.version_info == listener.version_info
        mesh.edge("shelf", free_port(), "status")

    def settled() -> bool:
        (listener,) = statuses(mesh.plane.ads, gateway.id)["lds"]
        return (listener.config_status, listener.error_state) == (ConfigStatus.SYNCED, None)

    wait_until(settled, 30, what="the listener on another port is accepted")
    gateway.program.stop()
