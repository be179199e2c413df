"""The resource types of xDS: their URLs, short names and the order in which they are sent.

Knows names only. It imports neither the message classes nor the codec, so that the CLI, the client
and the sans-IO protocol can name a type without paying for `envoy_data_plane` (a third of a second).
"""

from __future__ import annotations

import difflib
import enum

_PREFIX = "type.googleapis.com/"


class UnknownTypeUrl(KeyError):
    """A type URL that names no xDS resource type. `url` is what was asked, `nearest` the closest known one."""

    def __init__(self, url: str, nearest: str) -> None:
        super().__init__(url)
        self.url = url
        self.nearest = nearest

    def __str__(self) -> str:
        return f"unknown resource type {self.url[:200]!r}; the nearest known type is {self.nearest!r}"


class ResourceType(enum.Enum):
    """One xDS resource type; the value is its message name.

    The names and URLs are the ones of the xDS protocol, "Resource types" (envoyproxy.io, xds_protocol).
    """

    CLUSTER = ("envoy.config.cluster.v3.Cluster", "cds")
    ENDPOINT = ("envoy.config.endpoint.v3.ClusterLoadAssignment", "eds")
    LISTENER = ("envoy.config.listener.v3.Listener", "lds")
    ROUTE = ("envoy.config.route.v3.RouteConfiguration", "rds")
    EXTENSION = ("envoy.config.core.v3.TypedExtensionConfig", "ecds")
    SECRET = ("envoy.extensions.transport_sockets.tls.v3.Secret", "sds")
    RUNTIME = ("envoy.service.runtime.v3.Runtime", "rtds")
    VIRTUAL_HOST = ("envoy.config.route.v3.VirtualHost", "vhds")

    url: str
    """The type URL, `type.googleapis.com/...`."""
    short: str
    """The service's usual abbreviation: cds, eds, lds, rds, ecds, sds, rtds or vhds."""
    full_state: bool
    """True where a state-of-the-world response must carry every subscribed resource, because the client
    removes what is missing (LDS and CDS; xDS protocol, "Grouping Resources into Responses")."""
    warms_others: bool
    """True where new content makes a client need resources of another type again (xDS protocol, "Resource
    warming"; a route configuration's virtual hosts on demand)."""

    def __init__(self, message: str, short: str) -> None:
        self.url = _PREFIX + message
        self.short = short
        self.full_state = short in ("cds", "lds")
        self.warms_others = short in ("cds", "lds", "rds")

    # Identity is equality for members, and the default hash of Enum is a Python-level call on a path
    # that looks types up for every resource.
    __hash__ = object.__hash__

    @classmethod
    def from_url(cls, url: str) -> ResourceType:
        """Return the type that `url` names; raise `UnknownTypeUrl` with the nearest known URL in words."""
        found = _BY_URL.get(url)
        if found is None:
            # 200 characters are longer than any known URL; a client must not buy a long comparison.
            nearest = difflib.get_close_matches(url[:200], _BY_URL, n=1, cutoff=0.0)[0]
            raise UnknownTypeUrl(url, nearest)
        return found


_BY_URL = {type_.url: type_ for type_ in ResourceType}

SEND_ORDER: tuple[ResourceType, ...] = (
    ResourceType.CLUSTER,
    ResourceType.ENDPOINT,
    ResourceType.SECRET,
    ResourceType.LISTENER,
    ResourceType.EXTENSION,
    ResourceType.ROUTE,
    ResourceType.VIRTUAL_HOST,
    ResourceType.RUNTIME,
)
"""Make before break: clusters with what they need to warm (endpoints, secrets), then listeners with the filters
they wait for, then routes. After xDS protocol, "Eventual consistency considerations"; runtime depends on nothing."""
