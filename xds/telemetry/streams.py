"""What the discovery streams do, counted as it happens: plain numbers, because this is the hot path.

The shape of `xds.ads.observer.Observer`, without knowing it. One event loop, so nothing is locked; who shows the
numbers reads them between two awaits.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from xds.wire.types import ResourceType

from .histogram import Histogram

_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class TypeCounts:
    """One resource type of all streams together. `answers` are the times from a write to its ACK."""

    __slots__ = ("answers", "bytes", "nacks", "overdue", "pushes")

    def __init__(self) -> None:
        self.pushes = 0
        self.bytes = 0
        self.nacks = 0
        self.overdue = 0
        self.answers = Histogram(_BOUNDS)


class StreamCounts:
    """Told of everything that streams do; neither raises nor waits."""

    def __init__(self) -> None:
        self.types = {type_: TypeCounts() for type_ in ResourceType}
        self.open: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.turned_away: Counter[str] = Counter()
        self.limits: Counter[str] = Counter()

    def opened(self, protocol: str) -> None:
        """Count a stream that became one."""
        self.open[protocol] += 1

    def closed(self, protocol: str, reason: str) -> None:
        """Count its end."""
        self.open[protocol] -= 1
        self.ended[protocol, reason] += 1

    def refused(self, reason: str) -> None:
        """Count a call that never became a stream."""
        self.turned_away[reason] += 1

    def limited(self, limit: str) -> None:
        """Count a limit that bit."""
        self.limits[limit] += 1

    def pushed(self, type: ResourceType, size: int) -> None:  # noqa: A002 - the observer's word for it
        """Count a response and its bytes."""
        counts = self.types[type]
        counts.pushes += 1
        counts.bytes += size

    def acked(self, type: ResourceType, seconds: float) -> None:  # noqa: A002 - as above
        """Count an ACK, and the time since its response was written."""
        self.types[type].answers.observe(seconds)

    def nacked(self, type: ResourceType) -> None:  # noqa: A002 - as above
        """Count a refusal."""
        self.types[type].nacks += 1

    def overdue(self, type: ResourceType) -> None:  # noqa: A002 - as above
        """Count a gate that was passed for want of an answer."""
        self.types[type].overdue += 1
