"""How breakers stand in each Envoy: the last state that it told, and what it has counted since it was first heard of.

An Envoy tells of every breaker with each flush. One of which nothing was told for as long as a window reaches back is
forgotten, with its counts; the totals of all of them only grow. It goes on telling of one whose cluster was removed, so
that one is shown as gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from xds.model.breaker import BreakerState, Reported
from xds.translate import naming

from .reporter import Reporter
from .settings import TelemetrySettings

_Place = tuple[str, str, str]  # environment, cluster, node


class Breakers:
    """Breakers by environment, cluster and node. `clock` gives monotonic seconds.

    `clusters` names those that an environment has, `events` are totals by what happened, `lost` what found no room.
    """

    def __init__(
        self, clock: Callable[[], float], clusters: Callable[[str], Sequence[str]], settings: TelemetrySettings
    ) -> None:
        self._clock = clock
        self._clusters = clusters
        self._seconds = settings.slots * settings.slot_width
        self._most = settings.most_places
        self._most_per_node = settings.most_places_per_node
        self._longest = settings.longest_name
        self._known: dict[_Place, Reported] = {}
        self._told: dict[_Place, float] = {}
        self._of_node: Counter[str] = Counter()
        self.events: Counter[str] = Counter(opens=0, probes=0, remapped=0, rejected=0)
        self.lost = 0

    def told(self, by: Reporter, cluster: str, what: str, number: int) -> None:
        """Take what one Envoy tells of a breaker: its `state`, or how much more one of its counts has grown."""
        place = (by.env, cluster, by.id)
        held = self._known.get(place) or self._enter(place)
        if held is None:
            return
        self._told[place] = self._clock()
        if what == "state":
            held.state = BreakerState.of(number)
        else:
            setattr(held, what, getattr(held, what) + number)
            self.events[what] += number

    def reported(self, env: str) -> Mapping[str, Mapping[str, Reported]]:
        """Return what is known of an environment's breakers, by cluster and node, both in order."""
        found: dict[str, dict[str, Reported]] = {}
        for (of, cluster, node), held in self._current():
            if of == env:
                found.setdefault(cluster, {})[node] = held
        return {cluster: dict(sorted(found[cluster].items())) for cluster in sorted(found)}

    def by_cluster(self) -> Mapping[tuple[str, str], Mapping[str, Reported]]:
        """Return what is known of all breakers, by environment and cluster, and there by node."""
        found: dict[tuple[str, str], dict[str, Reported]] = {}
        for (env, cluster, node), held in self._current():
            found.setdefault((env, cluster), {})[node] = held
        return found

    def of_node(self, node: str) -> Mapping[str, Reported]:
        """Return what one Envoy tells, by cluster, in order."""
        return dict(sorted((place[1], held) for place, held in self._current() if place[2] == node))

    def states(self) -> Counter[str]:
        """Return how many breakers are in which state, over all Envoys."""
        found = Counter({state.words: 0 for state in BreakerState if state is not BreakerState.UNKNOWN})
        found.update(held.state.words for _, held in self._current())
        return found

    def _current(self) -> Iterator[tuple[_Place, Reported]]:
        self._forget()
        there = {env: frozenset(self._clusters(env)) for env in {env for env, _, _ in self._known}}
        for place, held in self._known.items():
            is_there = place[1] in there[place[0]]
            yield place, held if is_there else replace(held, state=BreakerState.GONE)

    def _enter(self, place: _Place) -> Reported | None:
        """Make room for a breaker; None for a cluster that is none of ours, and where there is no room."""
        try:
            naming.read_cluster(place[1])
        except ValueError:
            return None
        if len(place[1]) > self._longest:
            return None
        if len(self._known) >= self._most or self._of_node[place[2]] >= self._most_per_node:
            self._forget()
        if len(self._known) >= self._most or self._of_node[place[2]] >= self._most_per_node:
            self.lost += 1
            return None
        self._of_node[place[2]] += 1
        held = self._known[place] = Reported()
        return held

    def _forget(self) -> None:
        """Let go of what was not told of for too long; places are kept in the order in which they were first told."""
        oldest = self._clock() - self._seconds
        for place in [place for place, at in self._told.items() if at <= oldest]:
            del self._told[place], self._known[place]
            self._of_node[place[2]] -= 1
