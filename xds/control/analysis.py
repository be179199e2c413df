"""Judges rollouts in progress: asks what was measured since the present weight holds, and says what follows.

It knows when something began and what a rollout asks for; what good means is `model.analysis`' knowledge, and who
counts is somebody else's (`measuring.Tallying`). Nothing of a measurement survives a restart: the step's begins anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from xds.control.measuring import Tally, Tallying
from xds.model.analysis import Judgement, Ruling, Verdict, judge, rule
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.rollout import Doubted, Elapsed, Event, Failed, Phase, Rollout
from xds.model.traffic import Sample
from xds.translate import naming

LOOK: Final = 1.0
"""Seconds from one look to the next: with reports every two seconds, what is bad is seen within five."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A weight of a rollout, and since when it is measured by what."""

    mark: tuple[int, int, bool, bool]
    since: float
    tally: Tally | None


class Analyst:
    """Looks at rollouts that have criteria while their version has users; time is an argument."""

    def __init__(self, intent: Intent) -> None:
        """Read `intent`; without `traffic` nothing is measured, and no rollout that is judged goes on."""
        self._intent = intent
        self._steps: dict[str, _Step] = {}
        self._away: dict[str, float] = {}
        self.traffic: Tallying | None = None

    def look(self, rollout: Rollout, now: float) -> tuple[Event | None, float | None]:
        """Return what follows for a rollout in progress, and when to look again; neither for one that is not judged."""
        if rollout.analysis is not None:
            self._notice(rollout, now)
        judgement = self._judged(rollout, now, begin=True)
        if rollout.analysis is None or judgement is None:
            return None, None
        pause = rollout.plan[rollout.step].pause or 0.0 if rollout.phase is Phase.HOLDING else None
        ruling = rule(rollout.analysis, judgement, None if pause is None else judgement.held - pause)
        if ruling is Ruling.GO_ON:
            return Elapsed(judgement), None
        if ruling is Ruling.GIVE_BACK:
            return Failed(judgement), None
        if ruling is Ruling.STOP and rollout.phase is not Phase.PAUSED:
            return Doubted(judgement), None
        return None, now + LOOK

    def judgement(self, rollout: Rollout, now: float) -> Judgement | None:
        """Return how the present weight is judged now; None where nobody uses it, or nothing is to be judged."""
        return self._judged(rollout, now, begin=False)

    def keep(self, rollouts: Collection[str]) -> None:
        """Let go of everything but what is measured of these."""
        for gone in [*self._steps.keys() - rollouts]:
            self.forget(gone)

    def forget(self, rollout: str) -> None:
        """Let go of what is measured of a rollout."""
        self._close(rollout)
        self._away.pop(rollout, None)

    def _judged(self, rollout: Rollout, now: float, *, begin: bool) -> Judgement | None:
        if rollout.analysis is None or not rollout.phase.is_undecided or not rollout.weight:
            self.forget(rollout.id)
            return None
        mark = (rollout.step, rollout.weight, rollout.manual, rollout.acked)
        step = self._steps.get(rollout.id)
        if step is None or step.mark != mark:
            if not begin:
                return None
            self._close(rollout.id)
            step = self._steps[rollout.id] = _Step(mark, now, self._tally(rollout))
        canary, stable = step.tally.read() if step.tally is not None else (Sample(), Sample())
        canary = replace(canary, away=now - self._away.get(rollout.id, now))
        return judge(rollout.analysis, canary, stable, now - step.since)

    def _notice(self, rollout: Rollout, now: float) -> None:
        """Note since when no instance serves the version; before the weight is live that is what blocks the step."""
        view = self._intent.view(rollout.service)
        if not rollout.acked or (view is not None and rollout.version in view.serving):
            self._away.pop(rollout.id, None)
        else:
            self._away.setdefault(rollout.id, now)

    def _close(self, rollout: str) -> None:
        step = self._steps.pop(rollout, None)
        if step is not None and step.tally is not None:
            step.tally.close()

    def _tally(self, rollout: Rollout) -> Tally | None:
        if self.traffic is None:
            return None
        hosts = hosts_of(self._intent, rollout.service)
        groups = [[naming.cluster(host, version) for host in hosts] for version in (rollout.version, rollout.stable)]
        return self.traffic.tally(rollout.service.env, groups)


def hosts_of(intent: Intent, key: ServiceKey) -> list[str]:
    """Return what a service's ports are called by; a named port may be a service of its own, and is not this one's."""
    view = intent.view(key)
    members = view.members if view is not None else ()
    ports = {port for member in members for port in list(member.instance.ports)[1:]}
    named = [naming.host(key.name, port) for port in sorted(ports)]
    return [key.name, *(host for host in named if ServiceKey(key.env, host) not in intent.services)]


def why(event: Event) -> str:
    """Return in words what an event stands on, for the journal."""
    match event:
        case Elapsed(Judgement() as judgement) | Failed(judgement) | Doubted(judgement):
            return f"judged good: {judgement.reason}" if judgement.verdict is Verdict.PASS else judgement.reason
        case _:
            return ""
