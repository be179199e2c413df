"""Resources as bytes, nodes and what they acknowledged; nothing of services, routes or Envoy's messages.

The cache stands between whoever makes resources and the streams that deliver them: a maker publishes, a stream wakes
and reads the latest snapshot, the roster keeps what each node was sent and said.
"""

from __future__ import annotations

from .group import Group
from .resource import Held, Resource, ResourceKey
from .roster import NodeState, Roster
from .snapshot import Snapshot, View
from .standing import ClientStatus, ConfigStatus, Standing, standings
from .table import Cache, Wakeup
from .typestate import Nack, Node, Progress, Tally, TypeState

__all__ = [
    "Cache",
    "ClientStatus",
    "ConfigStatus",
    "Group",
    "Held",
    "Nack",
    "Node",
    "NodeState",
    "Progress",
    "Resource",
    "ResourceKey",
    "Roster",
    "Snapshot",
    "Standing",
    "Tally",
    "TypeState",
    "View",
    "Wakeup",
    "standings",
]
