"""What the agents see of the containers on their hosts: kept as it was told last, and found by what people call them.

In memory, like the agents themselves: an agent tells all of it anew when it registers. Decides nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from xds.control.agents import Agents
from xds.model.problems import Conflict, NotFound, TooMany
from xds.model.sighting import Sighting

MOST: Final = 20_000  # containers of one agent
MOST_IN_ALL: Final = 100_000
SHORTEST_PREFIX: Final = 3
NAMED: Final = 5  # in one error


@dataclass(frozen=True, slots=True)
class Seen:
    """One container, and the agent that tells of it."""

    agent: str
    sighting: Sighting

    def __str__(self) -> str:
        """Return it as an error names it."""
        return f"{self.sighting.name or '(no name)'} ({self.sighting.short_id}) on {self.agent}"


class Sightings:
    """All that agents tell of containers."""

    def __init__(self, agents: Agents) -> None:
        """Know of none."""
        self._agents = agents
        self._seen: dict[str, dict[str, Sighting]] = {}

    def replace(self, agent: str, seen: Iterable[Sighting]) -> None:
        """Take what an agent sees in place of what it saw; NotFound `register_again`, TooMany."""
        self._forget_the_gone()
        if agent not in self._agents.ids():
            raise NotFound(f"agent {agent} is not known: register it", code="register_again")
        self._keep(agent, {each.id: each for each in seen})

    def update(self, agent: str, seen: Iterable[Sighting], gone: Iterable[str]) -> None:
        """Take what changed since; NotFound `register_again` where nothing was told before, TooMany."""
        self._forget_the_gone()
        known = self._seen.get(agent)
        if known is None:
            raise NotFound(f"agent {agent} has not told what it sees: tell all of it", code="register_again")
        left = set(gone)
        kept = {name: each for name, each in known.items() if name not in left}
        self._keep(agent, kept | {each.id: each for each in seen})

    def all(self) -> Iterator[Seen]:
        """Return every container that some agent sees."""
        self._forget_the_gone()
        return (Seen(agent, each) for agent, known in self._seen.items() for each in known.values())

    def find(self, called: str, agent: str = "") -> Seen:
        """Return the container of that id, name, instance, beginning of an id or name in a compose file, in this order.

        NotFound says what there is instead; Conflict `ambiguous` names those that are meant by it.
        """
        seen = [each for each in self.all() if agent in {"", each.agent}]
        for is_called in _WAYS:
            found = [each for each in seen if is_called(each.sighting, called)]
            if len(found) == 1:
                return found[0]
            if found:
                raise Conflict(
                    f"{called!r} may be {_some(map(str, found))}: say the id, or which agent", code="ambiguous"
                )
        raise NotFound(f"no agent sees a container {called!r}{self._instead(called, seen, agent)}")

    def _instead(self, called: str, seen: list[Seen], agent: str) -> str:
        known = [self._agents.get(each) for each in sorted(self._agents.ids()) if agent in {"", each}]
        if not known:
            return (
                f"; there is no agent {agent!r}" if agent else "; no agent is there: run `fairlead agent` on its host"
            )
        names = {each.sighting.name for each in seen}
        lost = [status.agent.id for status in known if status.lost]
        silent = [each.agent.id for each in known if not each.lost and each.agent.id not in self._seen]
        near = difflib.get_close_matches(called, names, n=1)
        words = [
            f"did you mean {near[0]}?" if near else "",
            f"agents: {_some(status.agent.id for status in known)}",
            f"lost: {_some(lost)}" if lost else "",
            f"without a word of its containers: {_some(silent)}" if silent else "",
        ]
        return "; " + "; ".join(filter(None, words))

    def _keep(self, agent: str, seen: dict[str, Sighting]) -> None:
        others = sum(len(known) for name, known in self._seen.items() if name != agent)
        if len(seen) > MOST or others + len(seen) > MOST_IN_ALL:
            raise TooMany(f"{len(seen)} containers: {MOST} of an agent are kept, and {MOST_IN_ALL} in all")
        self._seen[agent] = seen

    def _forget_the_gone(self) -> None:
        for agent in self._seen.keys() - set(self._agents.ids()):
            del self._seen[agent]


def _starts(sighting: Sighting, called: str) -> bool:
    return len(called) >= SHORTEST_PREFIX and sighting.id.startswith(called)


def _of_compose(sighting: Sighting, called: str) -> bool:
    """Compose calls a container PROJECT-SERVICE-NUMBER; before its second version, with _ between them."""
    return re.fullmatch(rf".+[-_]{re.escape(called)}[-_][0-9]+", sighting.name) is not None


_WAYS: Final[tuple[Callable[[Sighting, str], bool], ...]] = (
    lambda sighting, called: sighting.id == called,
    lambda sighting, called: sighting.name == called,
    lambda sighting, called: sighting.instance == called,
    _starts,
    _of_compose,
)


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")


def by_id(seen: Iterable[Seen]) -> Mapping[str, Seen]:
    """Return containers by a key that no two of them share."""
    return {f"{each.sighting.id} {each.agent}": each for each in seen}
