"""The agents: who registered, when each was last heard, and how late it is.

They live in memory: an agent says every few seconds that it is there, so after a restart the list is whole again within
one lease. Lateness is measured on our own monotonic clock; what an agent's clock said is shown and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from xds.control.alarms import Alarms
from xds.control.ports import Clock, Lease
from xds.model.agent import Agent
from xds.model.alarm import Alarm
from xds.model.problems import Conflict, Forbidden, NotFound, TooMany

MOST = 10_000
FORGOTTEN_AFTER = 24 * 3600.0  # seconds for which a lost agent is still listed


@dataclass(slots=True)
class Heard:
    """An agent and its last word: when it came, by both of our clocks, and what its own said (None: nothing)."""

    agent: Agent
    at: float
    seen: datetime
    said: datetime | None

    @property
    def clock_off(self) -> float | None:
        """Return by how many seconds its clock seemed to be ahead of ours, the way here included; for people."""
        return None if self.said is None else (self.said - self.seen).total_seconds()


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """How an agent stands; `lag` is for how many seconds its next word is overdue, 0 while it is not."""

    heard: Heard
    silent: float

    @property
    def agent(self) -> Agent:
        """Return the agent."""
        return self.heard.agent

    @property
    def lost(self) -> bool:
        """Say whether its lease ran out."""
        return self.silent > self.agent.ttl

    @property
    def lag(self) -> float:
        """Return the seconds since its next word was due, half a lease after the last."""
        return max(0.0, self.silent - self.agent.ttl / 2)


class Agents:
    """Who is there. Messages count like an instance's: whatever is older than what is known is refused."""

    def __init__(self, clock: Clock, alarms: Alarms) -> None:
        """Start with nobody."""
        self._clock = clock
        self._alarms = alarms
        self._heard: dict[str, Heard] = {}
        self._raised = False

    def register(self, agent: Agent, said: datetime | None = None) -> AgentStatus:
        """Take an agent, or what it says of itself now; without an epoch it is a new incarnation.

        Forbidden `identity` for an id that a live agent has on another address, Conflict `stale_epoch` for an old
        message, TooMany.
        """
        known = self._heard.get(agent.id)
        if known is None:
            if len(self._heard) >= MOST:
                raise TooMany(f"there are {MOST} agents, as many as are taken")
            agent = replace(agent, epoch=agent.epoch or 1, seq=max(agent.seq, 1))
        elif agent.epoch == 0 or agent.epoch > known.agent.epoch:
            if known.agent.ip != agent.ip and not self._status(known).lost:
                raise Forbidden(
                    f"agent {agent.id} is alive on {known.agent.ip}; {agent.ip} needs another id",
                    pointer="/id",
                    code="identity",
                )
            agent = replace(agent, epoch=agent.epoch or known.agent.epoch + 1, seq=max(agent.seq, 1))
        else:
            agent = replace(agent, seq=_next(known.agent, agent.epoch, agent.seq))
        return self._note(agent, said)

    def heartbeat(self, agent_id: str, *, epoch: int = 0, seq: int = 0, said: datetime | None = None) -> Lease:
        """Hear of an agent; it creates nothing: NotFound `register_again`, Conflict `stale_epoch` as above."""
        known = self._heard.get(agent_id)
        if known is None or epoch > known.agent.epoch:
            raise NotFound(f"agent {agent_id} is not known: register it again", code="register_again")
        self._note(replace(known.agent, seq=_next(known.agent, epoch or known.agent.epoch, seq)), said)
        return Lease(known.agent.ttl)

    def remove(self, agent_id: str) -> None:
        """Forget an agent; NotFound."""
        if self._heard.pop(agent_id, None) is None:
            raise NotFound(f"agent {agent_id} is not known")

    def get(self, agent_id: str) -> AgentStatus:
        """Return one; NotFound."""
        found = self._heard.get(agent_id)
        if found is None:
            raise NotFound(f"agent {agent_id} is not known")
        return self._status(found)

    def ids(self) -> Iterable[str]:
        """Return everybody's id."""
        return self._heard.keys()

    async def look(self) -> None:
        """Raise an alarm for each that is lost, and forget those that have been for a day."""
        lost = [status for status in map(self._status, self._heard.values()) if status.lost]
        for status in lost:
            if status.silent > FORGOTTEN_AFTER:
                del self._heard[status.agent.id]
        if lost or self._raised:
            self._raised = bool(lost)
            self._alarms.set("agents", (_lost_alarm(s) for s in lost if s.silent <= FORGOTTEN_AFTER))

    def _note(self, agent: Agent, said: datetime | None) -> AgentStatus:
        heard = self._heard[agent.id] = Heard(agent, self._clock.monotonic(), self._clock.wall(), said)
        return AgentStatus(heard, 0.0)

    def _status(self, heard: Heard) -> AgentStatus:
        return AgentStatus(heard, self._clock.monotonic() - heard.at)


def _next(known: Agent, epoch: int, seq: int) -> int:
    """Return the number of a message, counted on where it brings none; Conflict when it was heard before."""
    number = seq or known.seq + 1
    if (epoch, number) <= (known.epoch, known.seq):
        raise Conflict(
            f"agent {known.id} is at epoch {known.epoch}, seq {known.seq}; epoch {epoch}, seq {number} is not newer",
            pointer="/epoch" if epoch < known.epoch else "/seq",
            code="stale_epoch",
        )
    return number


def _lost_alarm(status: AgentStatus) -> Alarm:
    text = f"agent {status.agent.id} on {status.agent.ip} was last heard {status.heard.seen:%Y-%m-%d %H:%M:%S} UTC"
    return Alarm("stale_source", status.agent.id, text)
