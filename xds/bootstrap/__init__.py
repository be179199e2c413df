"""An Envoy's first file: who it is, where its control plane is, and nothing that the control plane says better.

Knows Envoy's bootstrap format (envoy.config.bootstrap.v3, as Envoy 1.40 reads it) and the ports of one host. Knows
nothing of services, routes or intent: those arrive over xDS. The documents are plain dicts, because they end as JSON or
YAML and nothing here is worth half a second of imported message classes.
"""

from __future__ import annotations

from xds.bootstrap.document import VERSION, XDS_CLUSTER, bootstrap
from xds.bootstrap.spec import ADMIN, ADS, BootstrapSpec, parse_bind, parse_endpoint

__all__ = [
    "ADMIN",
    "ADS",
    "VERSION",
    "XDS_CLUSTER",
    "BootstrapSpec",
    "bootstrap",
    "parse_bind",
    "parse_endpoint",
]
