"""Alarms of rollouts: one that a judgement has stopped, or whose users it gave back, is something for a person.

It stands until somebody decides: another rollout of the service, the removal of the record or of the version. Knows
what the rollouts say of themselves, and no measurement.
"""

from __future__ import annotations

from xds.control.alarms import Alarms
from xds.model.alarm import Alarm
from xds.model.intent import Intent, ref
from xds.model.names import ServiceKey
from xds.model.rollout import Rollout

KIND = "rollout"


class RolloutAlarms:
    """Raises what the last rollout of each service was judged to be."""

    def __init__(self, alarms: Alarms, intent: Intent) -> None:
        """Read `intent`, raise in `alarms`."""
        self._alarms = alarms
        self._intent = intent
        self._seen = -1

    async def look(self) -> None:
        """Bring the board up to date; costs nothing while nothing is declared."""
        if self._intent.revision == self._seen:
            return
        self._seen = self._intent.revision
        found = (rollout for rollout in self._last().values() if self._concerns(rollout))
        self._alarms.set(
            KIND, (Alarm(KIND, each.id, f"{each.service} {each.version}: {each.reason}") for each in found)
        )

    def _last(self) -> dict[ServiceKey, Rollout]:
        by_age = sorted(self._intent.rollouts.values(), key=lambda each: self._intent.revisions.get(ref(each), 0))
        return {each.service: each for each in by_age}

    def _concerns(self, rollout: Rollout) -> bool:
        if rollout.is_doubted:
            return True
        members = (self._intent.instances[member] for member in self._intent.members_of(rollout.service))
        return rollout.is_given_back and any(instance.version == rollout.version for instance in members)
