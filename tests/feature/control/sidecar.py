"""A sidecar as the roster knows it: it holds routes, and answers as a test says what the ADS server would note."""

from __future__ import annotations

from xds.cache.typestate import Node
from xds.control.plane import ControlPlane
from xds.wire.types import ResourceType

ROUTE = ResourceType.ROUTE


class Sidecar:
    """A node that holds the egress route configuration and answers when it is told to."""

    def __init__(self, plane: ControlPlane, name: str, stream: int) -> None:
        self.plane = plane
        self.node = Node(name, metadata={"fairlead": {"role": "sidecar"}})
        self.stream = stream

    async def connect(self) -> None:
        group = await self.plane.assign(self.node)
        self.plane.roster.opened(self.stream, self.node, group, self.plane.clock.monotonic())
        self.plane.roster.subscribed(self.stream, ROUTE, ["egress"])

    def take(self) -> None:
        """Be sent the latest route configuration."""
        state, snapshot = self.plane.roster.node(self.node.id), self.plane.cache.latest()
        assert state is not None
        assert snapshot is not None
        resource = snapshot.view(ROUTE, state.group)["egress"]
        now = self.plane.clock.monotonic()
        self.plane.roster.sent(self.stream, ROUTE, {"egress": resource.held}, (), now)

    def ack(self) -> None:
        """Be sent the latest and acknowledge it."""
        self.take()
        self.plane.roster.acked(self.stream, ROUTE, self.plane.clock.monotonic())

    def nack(self, message: str) -> None:
        """Be sent the latest and refuse it."""
        self.take()
        self.plane.roster.nacked(self.stream, ROUTE, message, self.plane.clock.monotonic())

    def leave(self, ago: float = 0.0) -> None:
        self.plane.roster.closed(self.stream, self.plane.clock.monotonic() - ago)
