"""A real Envoy that judges virtual hosts: each in a listener of its own, all in one file, so that one costs no other.

The file is binary, because JSON cannot say everything that is wrong with a message.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envoy_data_plane.envoy.config.core.v3 import Address, SocketAddress
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryResponse

from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.waiting import wait_until
from xds.wire.codec import encode
from xds.wire.packing import pack_any
from xds.wire.types import ResourceType


class Judge:
    """One Envoy that is started for each round; its words are what it says of each refused listener."""

    def __init__(self, binary: Path, programs: Programs, folder: Path) -> None:
        self._binary = binary
        self._programs = programs
        self._folder = folder
        self._admin = free_port()

    def judge(self, hosts: Sequence[VirtualHost]) -> list[str | None]:
        """Return for each virtual host why Envoy refuses it, None if it takes it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        packed = [pack_any(_listener(f"l{at}", host)) for at, host in enumerate(hosts)]
        response = DiscoveryResponse(version_info="1", resources=packed, type_url=ResourceType.LISTENER.url)
        (self._folder / "lds.pb").write_bytes(encode(response))
        (self._folder / "bootstrap.json").write_text(json.dumps(self._bootstrap()), encoding="utf-8")
        command: list[str | Path] = [self._binary, "-c", self._folder / "bootstrap.json", "--concurrency", "1"]
        program = self._programs.start([*command, "--use-dynamic-base-id", "--log-level", "warning"], name="judge")
        try:
            wait_until(self._answered, 30, what="Envoy has judged")
            return self._words(len(hosts))
        finally:
            program.stop()

    def _answered(self) -> bool:
        try:
            counts = self._get("stats?format=json&filter=listener_manager.lds.update_(success|rejected)")["stats"]
        except OSError:
            return False
        return any(stat.get("value") for stat in counts)

    def _words(self, count: int) -> list[str | None]:
        found: dict[str, str | None] = {}
        for part in self._get("config_dump?resource=dynamic_listeners")["configs"]:
            error = part.get("error_state")
            name = error["failed_configuration"]["name"] if error else part["name"]
            found[name] = error["details"] if error else None
        assert found.keys() == {f"l{at}" for at in range(count)}, "every listener was judged"
        return [found[f"l{at}"] for at in range(count)]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/{path}", timeout=5) as answer:
            return json.loads(answer.read())

    def _bootstrap(self) -> dict[str, object]:
        path = {"path_config_source": {"path": str(self._folder / "lds.pb")}, "resource_api_version": "V3"}
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self._admin}}
        return {
            "node": {"id": "judge", "cluster": "judge"},
            "admin": {"address": address},
            "dynamic_resources": {"lds_config": path},
        }


def _listener(name: str, host: VirtualHost) -> Listener:
    manager = HttpConnectionManager(
        stat_prefix="judge",
        route_config=RouteConfiguration(name=name, virtual_hosts=[host], validate_clusters=False),
        http_filters=[HttpFilter(name="envoy.filters.http.router", typed_config=pack_any(Router()))],
    )
    chain = FilterChain(
        filters=[Filter(name="envoy.filters.network.http_connection_manager", typed_config=pack_any(manager))]
    )
    address = Address(socket_address=SocketAddress(address="127.0.0.1", port_value=free_port()))
    return Listener(name=name, address=address, filter_chains=[chain], bind_to_port=False)
