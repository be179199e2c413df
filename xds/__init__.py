"""Fairlead: a control plane for Envoy on hosts and virtual machines, and an xDS server to build others with.

The names below are what programs may rely on (docs/library.md). They are loaded when they are used: `import xds`, and
`import xds.client` with it, cost nothing of gRPC or Envoy's messages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from xds.ads.observer import Observer
    from xds.ads.server import AdsServer
    from xds.ads.settings import AdsSettings
    from xds.cache.group import Group
    from xds.cache.resource import Resource, ResourceKey
    from xds.cache.roster import NodeState, Roster
    from xds.cache.table import Cache
    from xds.cache.typestate import Node, TypeState
    from xds.library import Acks, Server
    from xds.wire.types import ResourceType

__version__ = "0.1.0"

__all__ = [
    "Acks",
    "AdsServer",
    "AdsSettings",
    "Cache",
    "Group",
    "Node",
    "NodeState",
    "Observer",
    "Resource",
    "ResourceKey",
    "ResourceType",
    "Roster",
    "Server",
    "TypeState",
]

_HOMES: Final = {
    "Acks": "xds.library",
    "AdsServer": "xds.ads.server",
    "AdsSettings": "xds.ads.settings",
    "Cache": "xds.cache.table",
    "Group": "xds.cache.group",
    "Node": "xds.cache.typestate",
    "NodeState": "xds.cache.roster",
    "Observer": "xds.ads.observer",
    "Resource": "xds.cache.resource",
    "ResourceKey": "xds.cache.resource",
    "ResourceType": "xds.wire.types",
    "Roster": "xds.cache.roster",
    "Server": "xds.library",
    "TypeState": "xds.cache.typestate",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'xds' has no attribute {name!r}")
    return getattr(import_module(home), name)
