"""Aggregated Discovery Service over gRPC: bytes in, bytes out, and nothing decided here.

    server = AdsServer(cache, roster, assign=assign, authorize=authorize, clock=monotonic, settings=AdsSettings())
    await server.start()
    ...
    await server.stop()

Serves any resources to any node groups: `assign` names the group of a node, `cache` holds what groups see, `roster`
is told what every node was sent and said.
"""

from __future__ import annotations

from . import tuning  # noqa: F401 - before anything loads gRPC
from .server import AdsServer
from .settings import AdsSettings

__all__ = ["AdsServer", "AdsSettings"]
