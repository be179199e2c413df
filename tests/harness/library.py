"""A control plane of a few lines, in a thread of the test: any resources for any Envoy, without an API of ours.

It is the library as others use it, `Cache` and `AdsServer`; a test publishes plain dicts, which Envoy reads as JSON.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

import betterproto2
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost
from envoy_data_plane.envoy.extensions.filters.http.on_demand.v3 import OnDemand
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import DownstreamTlsContext, Secret
from envoy_data_plane.envoy.service.runtime.v3 import Runtime

from xds.ads import AdsServer, AdsSettings
from xds.cache import Cache, Group, Node, Resource, ResourceKey, Roster
from xds.wire.codec import encode
from xds.wire.packing import type_url_of
from xds.wire.types import ResourceType

MESSAGES: dict[ResourceType, type[betterproto2.Message]] = {
    ResourceType.CLUSTER: Cluster,
    ResourceType.ENDPOINT: ClusterLoadAssignment,
    ResourceType.LISTENER: Listener,
    ResourceType.ROUTE: RouteConfiguration,
    ResourceType.VIRTUAL_HOST: VirtualHost,
    ResourceType.SECRET: Secret,
    ResourceType.RUNTIME: Runtime,
}
ON_DEMAND, ROUTER = type_url_of(OnDemand), type_url_of(Router)
MANAGER, TLS = type_url_of(HttpConnectionManager), type_url_of(DownstreamTlsContext)


class Library:
    """Serves from construction until `stop`, on `port`."""

    def __init__(self, port: int = 0) -> None:
        self.cache = Cache()
        self.roster = Roster()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = AdsServer(
            self.cache,
            self.roster,
            assign=_everybody,
            authorize=lambda _metadata, _peer: None,
            clock=time.monotonic,
            settings=AdsSettings(addresses=(f"127.0.0.1:{port}",), drain_grace=0.2),
        )
        self._run(self._server.start())
        self.port = self._server.ports[0]
        self.publish()

    def publish(self, *resources: Resource, gone: tuple[ResourceKey, ...] = ()) -> None:
        """Publish, in the server's thread."""
        self._run(self._publish(resources, gone))

    def stop(self) -> None:
        """Serve nobody any more. Idempotent."""
        if self._loop.is_closed():
            return
        self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _publish(self, resources: tuple[Resource, ...], gone: tuple[ResourceKey, ...]) -> None:
        self.cache.publish(resources, gone)

    def _run(self, work: Any) -> None:  # a coroutine of whatever
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


def resource(type_: ResourceType, name: str, content: Mapping[str, Any], **more: Any) -> Resource:
    """Return `content`, in Envoy's JSON, as the resource `name`; `more` as for `Resource.of`."""
    return Resource.of(type_, name, encode(MESSAGES[type_].from_dict(dict(content))), **more)


async def _everybody(_node: Node) -> Group:
    return Group("everybody")
