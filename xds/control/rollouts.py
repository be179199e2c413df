"""What moves rollouts and lets leaving endpoints go: acknowledgements that arrived and pauses that are over.

It decides nothing on its own: it turns observations into the events of `model.rollout` and hands them to the loop,
which commits them like anybody's declaration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xds.cache.roster import LIVE_AFTER_CLOSE, NodeState
from xds.control.analysis import Analyst, why
from xds.control.gate import SILENCE, GateState, GateStatus, caught_up, gate
from xds.control.publisher import Publisher
from xds.model.declare import Declaration, StepRollout
from xds.model.intent import Intent
from xds.model.rollout import Acked, Elapsed, Event, Phase, Rollout

ACTOR = "fairlead"
RECONNECT = 12.0  # seconds in which Envoys come back after a restart: a bootstrap's longest back-off, and a bit
LEAVING_BOUND = 30.0  # seconds after which an endpoint goes even if somebody has not acknowledged its absence


@dataclass(frozen=True, slots=True)
class Moves:
    """What the observations ask for: declarations to commit, endpoints to release, and when to look again."""

    declarations: tuple[Declaration, ...]
    release: tuple[str, ...]
    deadline: float | None


class RolloutDriver:
    """Watches the rollouts in progress; time is an argument."""

    def __init__(self, intent: Intent, publisher: Publisher) -> None:
        """Read `intent` and `publisher`; nothing has been waited for yet."""
        self._intent = intent
        self._publisher = publisher
        self._since: dict[str, tuple[tuple[Phase, int, int], float]] = {}
        self._left: dict[str, float] = {}
        self._resumed: dict[str, float] = {}
        self._stay: dict[str, float] = {}
        self.analyst = Analyst(intent)

    def restored(self, now: float) -> None:
        """Give Envoys time to come back after a restart, before rollouts go on and endpoints that were leaving go.

        Who was connected before is not known any more: the first one back would otherwise speak for all of them.
        """
        self._resumed = {r.id: now + RECONNECT for r in self._intent.rollouts.values() if not r.phase.is_over}
        self._stay = dict.fromkeys(self._intent.leaving, now + RECONNECT)

    def look(self, nodes: Sequence[NodeState], now: float) -> Moves:
        """Return what to do now. Called after each publish, with everything that was decided already published."""
        declarations: list[Declaration] = []
        deadlines: list[float] = []
        active = [rollout for rollout in self._intent.rollouts.values() if not rollout.phase.is_over]
        self._since = {r.id: self._since.get(r.id, (_mark(r), now)) for r in active}
        self.analyst.keep(self._since.keys())
        for rollout in active:
            if self._since[rollout.id][0] != _mark(rollout):
                self._since[rollout.id] = (_mark(rollout), now)
            event, deadline = self._due(rollout, nodes, now)
            if event is not None:
                declarations.append(Declaration(StepRollout(rollout.id, event), ACTOR, why(event), operator=True))
            if deadline is not None and deadline > now:
                deadlines.append(deadline)
        release = self._released(nodes, now)
        deadlines += [since + LEAVING_BOUND for since in self._left.values()] + list(self._stay.values())
        if active or self._left:  # a node that stops being live says nothing: the moment itself is to be noticed
            gone = (state.closed_at for state in nodes if state.closed_at is not None and state.is_live(now))
            deadlines += [closed_at + LIVE_AFTER_CLOSE for closed_at in gone]
        return Moves(tuple(declarations), release, min(deadlines, default=None))

    def status(self, rollout: Rollout, nodes: Sequence[NodeState], now: float) -> GateStatus:
        """Return the gate of the rollout's present weight, blocked too when the new version cannot take it."""
        since = self._since.get(rollout.id, (None, now))[1]
        exact = rollout.preview is not None
        found = gate(rollout.service, self._publisher, nodes, waited=now - since, now=now, exact=exact)
        if rollout.phase.is_over:
            return found
        if (pin := self._intent.overlays.pin(rollout.service)) is not None:
            because = f" ({pin.reason})" if pin.reason else ""
            reason = f"overlay {pin.id} pins all users to {pin.version}{because}"
            return GateStatus(GateState.BLOCKED, reason, found.acked, found.live, found.nodes)
        view = self._intent.view(rollout.service)
        missing = [v for v, weight in rollout.weights.items() if weight and view is not None and v not in view.serving]
        if missing:
            reason = f"no healthy instance of version {missing[0]}; its users are sent to other versions"
            return GateStatus(GateState.BLOCKED, reason, found.acked, found.live, found.nodes)
        if found.state is GateState.DONE and not self._is_published(rollout):
            wanted = {version: weight for version, weight in rollout.weights.items() if weight}
            nodes_ahead = tuple(replace(node, wanted=wanted, state=GateState.WAITING) for node in found.nodes)
            return GateStatus(GateState.WAITING, "", 0, found.live, nodes_ahead)
        if found.state is GateState.DONE and not rollout.acked and now < self._resumed.get(rollout.id, now):
            reason = "the control plane was restarted: Envoys may still be on their way back"
            return replace(found, state=GateState.WAITING, reason=reason)
        return found

    def _is_published(self, rollout: Rollout) -> bool:
        """Say whether what is published is what the rollout wants: decided and not yet sent is not done."""
        if rollout.preview is not None and rollout.service in self._intent.stale:
            return False
        wanted = {version: weight for version, weight in rollout.weights.items() if weight}
        carriers = self._publisher.carriers(rollout.service)
        return all(self._publisher.published(carrier, rollout.service) == wanted for carrier in carriers)

    def _due(self, rollout: Rollout, nodes: Sequence[NodeState], now: float) -> tuple[Event | None, float | None]:
        if self._intent.overlays.pin(rollout.service) is not None:  # nobody sees the weight: no pause of it goes by
            self._since[rollout.id] = (_mark(rollout), now)
            self.analyst.forget(rollout.id)
            return None, None
        since = self._since[rollout.id][1]
        event, again = self.analyst.look(rollout, now)
        if event is not None or (rollout.phase is Phase.HOLDING and again is not None):
            return event, again
        if rollout.phase is Phase.HOLDING:
            pause = rollout.plan[rollout.step].pause or 0.0
            return (Elapsed(), None) if now >= since + pause else (None, since + pause)
        if rollout.acked:
            return None, again
        if self.status(rollout, nodes, now).state is GateState.DONE:
            return Acked(), None
        resumed = self._resumed.get(rollout.id, now)
        waited = resumed if now < resumed else since + SILENCE
        return None, waited if again is None or now < waited < again else again

    def _released(self, nodes: Sequence[NodeState], now: float) -> tuple[str, ...]:
        self._left = {member: self._left.get(member, now) for member in self._intent.leaving}
        self._stay = {member: until for member, until in self._stay.items() if member in self._left and now < until}
        caught = bool(self._left.keys() - self._stay.keys()) and caught_up(self._publisher, nodes, now=now)
        over = [
            member
            for member, since in self._left.items()
            if (caught and member not in self._stay) or now >= since + LEAVING_BOUND
        ]
        for member in over:
            del self._left[member]
        return tuple(over)


def _mark(rollout: Rollout) -> tuple[Phase, int, int]:
    """Return what restarts the clock of a rollout when it changes."""
    return (rollout.phase, rollout.step, rollout.weight)
