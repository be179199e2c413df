"""Names of resources: the only place that spells them.

Standard library only, so that a bootstrap, a log reader or the CLI can name a resource without loading Envoy's
messages. Environments are not part of a name: they are the variant under which a resource is published.
"""

from __future__ import annotations

from typing import NamedTuple

EGRESS = "egress"
"""The sidecar's listener by Host header, and its route configuration."""
HEALTH_FILTER = "fairlead.health"
"""The ECDS resource of the filter, and the slot in every listener that follows splits."""

_UPSTREAM = "upstream/"
_DOT = "~"  # cannot occur in an id, so a name can be read back from a statistic


class ClusterName(NamedTuple):
    """What a cluster's name says."""

    service: str
    subset: str


def host(service: str, port: str = "") -> str:
    """Return the name a service's port is called by inside the mesh: `web`, or `web.admin` for a named port."""
    return f"{service}.{port}" if port else service


def cluster(service: str, subset: str, port: str = "") -> str:
    """Return the name of a cluster and of its endpoints: `web/v1`, `web.admin/v1`; subset `-` is every instance."""
    return f"{host(service, port)}/{subset}"


def read_cluster(name: str) -> ClusterName:
    """Return the two parts of a cluster's name; a named port is part of `service`. ValueError if it is none of ours."""
    service, slash, subset = name.partition("/")
    if not slash or "/" in subset:
        raise ValueError(f"{name!r} is not <service>/<subset>")
    return ClusterName(service, subset)


def called_by_cluster(name: str) -> str:
    """Return the service that a cluster is for, "" for an application behind an ingress, which nobody else calls."""
    service, _, subset = name.partition("/")
    return "" if "/" in subset else service


def called_by_listener(name: str) -> str:
    """Return the service whose own local port a listener (or route configuration) is, "" for any other."""
    return name.removeprefix(_UPSTREAM) if name.startswith(_UPSTREAM) else ""


def upstream(service: str) -> str:
    """Return the listener (and route configuration) of a service's own local port in every sidecar."""
    return _UPSTREAM + service


def ingress(service: str) -> str:
    """Return the listener and route configuration of a sidecar's own instance."""
    return f"ingress/{service}"


def application(service: str) -> str:
    """Return the cluster of the application behind a sidecar's ingress; three parts, so no subset is called like it."""
    return f"ingress/{service}/application"


def grpc(host: str) -> str:
    """Return the route configuration of a name as gRPC's own clients ask for it; their listener is the name itself."""
    return f"grpc/{host}"


def gateway(name: str, listener: str = "") -> str:
    """Return the route configuration of a gateway, or one of its listeners when it has several."""
    return f"gateway/{name}/{listener}" if listener else f"gateway/{name}"


def routes_of(listener: str) -> str:
    """Return the route configuration that a listener asks for: its own name, or its gateway's."""
    return "/".join(listener.split("/")[:2])


def stat_name(name: str) -> str:
    """Return `name` without dots, which Envoy's statistics would be torn at: `web/2.4.1` is `web/2~4~1`."""
    return name.replace(".", _DOT)


def from_stat_name(stat: str) -> str:
    """Return the name whose `stat_name` is `stat`."""
    return stat.replace(_DOT, ".")
