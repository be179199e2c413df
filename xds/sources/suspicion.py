"""Whom the leases ask before they believe that a silent instance is gone; `xds.app` plugs the checks in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Probes(Protocol):
    """Who can ask an instance whether it is alive when its heartbeat is missing."""

    def suspect(self, members: Iterable[str]) -> None:
        """Ask these at once."""
        ...

    def verdict(self, member: str, since: float) -> bool | None:
        """Return whether the last answer asked for after `since` was good; None when there is none."""
        ...


class NoProbes:
    """Nobody can ask."""

    def suspect(self, members: Iterable[str]) -> None:
        """Do nothing."""

    def verdict(self, member: str, since: float) -> bool | None:  # noqa: ARG002 - as `Probes` has it
        """Return None."""
        return None
