"""Connection managers: how requests are read, limited and logged before they are routed.

Three kinds: the edge, where clients are strangers; the mesh, where an application speaks to its sidecar; the ingress,
where other Envoys speak to an application. Edge and mesh follow splits, so they take the client's own bucket header
off and hold the filter's slot.
"""

from __future__ import annotations

import datetime
from enum import Enum

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.core.v3 import (
    CidrRange,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerInternalAddressConfig,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpConnectionManagerUpgradeConfig,
    HttpFilter,
    Rds,
)
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)

from xds.wire.filter_schema import BUCKET_HEADER
from xds.wire.packing import pack_any

from . import access, access_log, naming
from .clusters import ads
from .filter import slot

_EARLY = "envoy.http.early_header_mutation.header_mutation"
_HEADERS_TIMEOUT = datetime.timedelta(seconds=10)
_EDGE_IDLE = datetime.timedelta(minutes=5)
_EDGE_STREAMS = 100
_NOBODY = "255.255.255.255"  # never the source of a connection; without any range Envoy trusts RFC 1918 and loopback
_EDGE_STREAM_WINDOW = 64 * 1024
_EDGE_CONNECTION_WINDOW = 1024 * 1024


class Side(Enum):
    """Who is on the other end of the connection."""

    EDGE = "edge"
    MESH = "mesh"
    INGRESS = "ingress"


def connection_manager(
    listener: str, routes: str, side: Side, *, with_filter: bool, guarded: bool = False
) -> HttpConnectionManager:
    """Return the manager of `listener`, which takes its routes from the RDS resource `routes`.

    `guarded`: these routes say who may call.
    """
    follows_splits = side is not Side.INGRESS
    filters = [slot()] if with_filter and follows_splits else []
    if guarded:
        filters.append(HttpFilter(name=access.HTTP, typed_config=pack_any(Rbac())))
    manager = HttpConnectionManager(
        stat_prefix=naming.stat_name(listener),
        rds=Rds(config_source=ads(), route_config_name=routes),
        http_filters=[*filters, HttpFilter(name="envoy.filters.http.router", typed_config=pack_any(Router()))],
        access_log=[access_log.requests()],
        request_headers_timeout=_HEADERS_TIMEOUT,
        upgrade_configs=[HttpConnectionManagerUpgradeConfig(upgrade_type="websocket")],
        normalize_path=True,
        merge_slashes=side is Side.EDGE,
        strip_trailing_host_dot=True,
        use_remote_address=side is Side.EDGE,
        generate_request_id=True,
        preserve_external_request_id=True,
    )
    if follows_splits:
        early = EarlyHeaderMutation(mutations=[HeaderMutation(remove=BUCKET_HEADER)])
        manager.early_header_mutation_extensions = [TypedExtensionConfig(name=_EARLY, typed_config=pack_any(early))]
    if side is Side.EDGE:
        _guard(manager)
    return manager


def _guard(manager: HttpConnectionManager) -> None:
    """Set what a stranger may not exceed. No address is trusted for being private: x-envoy-* headers never pass.

    Source: envoyproxy.io, "Configuring Envoy as an edge proxy".
    """
    manager.internal_address_config = HttpConnectionManagerInternalAddressConfig(
        unix_sockets=False, cidr_ranges=[CidrRange(address_prefix=_NOBODY, prefix_len=32)]
    )
    manager.path_with_escaped_slashes_action = HttpConnectionManagerPathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT
    manager.common_http_protocol_options = HttpProtocolOptions(idle_timeout=_EDGE_IDLE)
    manager.http2_protocol_options = Http2ProtocolOptions(
        max_concurrent_streams=_EDGE_STREAMS,
        initial_stream_window_size=_EDGE_STREAM_WINDOW,
        initial_connection_window_size=_EDGE_CONNECTION_WINDOW,
    )
    manager.always_set_request_id_in_response = True
