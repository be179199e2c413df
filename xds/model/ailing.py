"""Who is anything but healthy: a table as small as the trouble, with a count of its changes."""

from __future__ import annotations

from collections.abc import Mapping

from xds.model.health import HEALTHY, Health
from xds.model.instance import Instance
from xds.model.view import Member


class Ailing:
    """Health by instance id; whoever is not in it is healthy."""

    def __init__(self) -> None:
        """Start with everybody well; `changes` grows with each change."""
        self.changes = 0
        self._health: dict[str, Health] = {}

    def of(self, member: str) -> Health:
        """Return the health of an instance."""
        return self._health.get(member, HEALTHY)

    def note(self, member: str, health: Health) -> None:
        """Let an instance be that healthy from now on."""
        self.changes += 1
        if health is HEALTHY:
            self._health.pop(member, None)
        else:
            self._health[member] = health

    def start(self, before: Instance | None, after: Instance | None, held: Member | None) -> None:
        """Let an instance that comes with a check start, or go on as it was if it was only held to be gone."""
        if before is None and after is not None and after.check is not None:
            self.note(after.id, held.health if held else Health.STARTING)

    def forget(self, member: str) -> None:
        """Forget an instance; nothing happens when nothing is known of it."""
        if member in self._health:
            self.note(member, HEALTHY)

    @property
    def table(self) -> Mapping[str, Health]:
        """Return who is not healthy, as it is now."""
        return dict(self._health)
