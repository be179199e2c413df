"""What the server tells whoever counts: a port, so that counting needs no gRPC and serving needs no metrics.

Called on the path of every response, so an observer must be quick, and must neither raise nor wait.
"""

from __future__ import annotations

from typing import Protocol

from xds.wire.types import ResourceType


class Observer(Protocol):
    """Told of everything that streams do."""

    def opened(self, protocol: str) -> None:
        """A stream began: `sotw` or `delta`."""
        ...

    def closed(self, protocol: str, reason: str) -> None:
        """It ended: `done`, `gone`, or the gRPC status that we gave it, in lower case."""
        ...

    def refused(self, reason: str) -> None:
        """A client was sent away before it had a stream: `unauthenticated`, `peer`, `rate` or `draining`."""
        ...

    def limited(self, limit: str) -> None:
        """A limit of the settings was reached: `messages`, `names`, `write` or `peer`."""
        ...

    def pushed(self, type: ResourceType, size: int) -> None:  # noqa: A002 - the domain's word
        """A response of `size` bytes is on its way."""
        ...

    def acked(self, type: ResourceType, seconds: float) -> None:  # noqa: A002 - as above
        """A response was accepted, so long after it was sent."""
        ...

    def nacked(self, type: ResourceType) -> None:  # noqa: A002 - as above
        """A response was refused."""
        ...

    def overdue(self, type: ResourceType) -> None:  # noqa: A002 - as above
        """An answer did not come in time, and what waited for it went on without."""
        ...


class Nobody:
    """An observer that counts nothing."""

    def opened(self, protocol: str) -> None:
        """Nothing."""

    def closed(self, protocol: str, reason: str) -> None:
        """Nothing."""

    def refused(self, reason: str) -> None:
        """Nothing."""

    def limited(self, limit: str) -> None:
        """Nothing."""

    def pushed(self, type: ResourceType, size: int) -> None:  # noqa: A002 - the domain's word
        """Nothing."""

    def acked(self, type: ResourceType, seconds: float) -> None:  # noqa: A002 - as above
        """Nothing."""

    def nacked(self, type: ResourceType) -> None:  # noqa: A002 - as above
        """Nothing."""

    def overdue(self, type: ResourceType) -> None:  # noqa: A002 - as above
        """Nothing."""
