"""The shrink guard: what goes by absence alone may not take much of the mesh with it.

An expired lease, an emptied list, a lost source: silence is weak evidence, and a failure of ours looks the same. So
absences that would drop more than half of a cluster's endpoints, or more than a fifth of an environment's clusters,
from five up, are held: the registry forgets, what is published stays. What went by absence within the last minute
counts too, so that what dribbles in does not slip under the guard. Deletions are evidence and pass. Pure: time is an
argument.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from xds.model.instance import Instance
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.problems import Problem
from xds.model.service import EVERY
from xds.model.view import Member

WINDOW = 60.0  # seconds for which an absence that passed still counts
FROM = 5  # objects, below which nothing is held
ENDPOINTS = 0.5  # of a cluster, that may go by absence
CLUSTERS = 0.2  # of an environment, that may go by absence


@dataclass(frozen=True, slots=True)
class _Lost:
    """An instance that the guard let go, when, and how many clusters went with it."""

    at: float
    instance: Instance
    clusters: int


class ShrinkGuard:
    """Decides which of the held instances may go."""

    def __init__(self) -> None:
        """Start with nothing lost."""
        self._lost: deque[_Lost] = deque()
        self.problems: tuple[Problem, ...] = ()

    def judge(self, intent: Intent, clusters: Callable[[str], int], now: float) -> tuple[tuple[str, ...], float | None]:
        """Return which held instances are to be let go, and when to judge again what stays (None: nothing stays).

        `clusters` gives the number of clusters that are published and declared in an environment.
        """
        while self._lost and self._lost[0].at <= now - WINDOW:
            self._lost.popleft()
        held: dict[ServiceKey, dict[str, Member]] = {}
        for name, member in intent.held.items():
            held.setdefault(member.instance.service, {})[name] = member
        alarms: dict[ServiceKey, str] = {}
        kept: set[str] = set()
        for key in held.keys() & intent.services.keys():
            kept |= self._keep_endpoints(intent, key, held[key], alarms)
        vanishing = {key: _vanishing(intent, key, held[key], kept) for key in held.keys() & intent.services.keys()}
        kept |= self._keep_clusters(vanishing, clusters, held, alarms)
        going = [name for members in held.values() for name in members if name not in kept]
        self._note(going, intent, vanishing, now)
        self.problems = tuple(_problem(key, text) for key, text in sorted(alarms.items()))
        again = self._lost[0].at + WINDOW if kept and self._lost else None
        return tuple(sorted(going)), again

    def _keep_endpoints(
        self, intent: Intent, key: ServiceKey, held: Mapping[str, Member], alarms: dict[ServiceKey, str]
    ) -> set[str]:
        """Return those of a service's held instances whose loss would take too much of one of its clusters."""
        subsets = _subsets(intent, key)
        present = Counter(name for member in intent.members_of(key) for name in subsets(intent.instances[member]))
        lost = Counter(name for gone in self._lost if gone.instance.service == key for name in subsets(gone.instance))
        absent = lost + Counter(name for member in held.values() for name in subsets(member.instance))
        shrinking = {name for name, count in absent.items() if _too_much(count, count + present[name], ENDPOINTS)}
        kept = {name for name, member in held.items() if not shrinking.isdisjoint(subsets(member.instance))}
        if kept:
            worst = max(shrinking, key=lambda name: (absent[name], name))
            total = absent[worst] + present[worst]
            alarms[key] = f"{absent[worst]} of {total} endpoints of {key.name}/{worst} went by absence within a minute"
        return kept

    def _keep_clusters(
        self,
        vanishing: Mapping[ServiceKey, Mapping[str, int]],
        clusters: Callable[[str], int],
        held: Mapping[ServiceKey, Mapping[str, Member]],
        alarms: dict[ServiceKey, str],
    ) -> set[str]:
        """Return the held instances whose loss would take too many clusters of their environment."""
        kept: set[str] = set()
        for env in {key.env for key, versions in vanishing.items() if versions}:
            lost = sum(gone.clusters for gone in self._lost if gone.instance.service.env == env)
            going = lost + sum(sum(v.values()) for key, v in vanishing.items() if key.env == env)
            total = lost + clusters(env)
            if not _too_much(going, total, CLUSTERS):
                continue
            for key, versions in vanishing.items():
                if key.env == env and versions:
                    kept |= {name for name, member in held[key].items() if member.instance.version in versions}
                    alarms[key] = f"{going} of {total} clusters of environment {env} went by absence within a minute"
        return kept

    def _note(
        self, going: Iterable[str], intent: Intent, vanishing: Mapping[ServiceKey, Mapping[str, int]], now: float
    ) -> None:
        """Remember what is let go, each vanished cluster with the first instance of its version."""
        counted: set[tuple[ServiceKey, str]] = set()
        for name in going:
            instance = intent.held[name].instance
            mark = (instance.service, instance.version)
            clusters = 0 if mark in counted else vanishing.get(instance.service, {}).get(instance.version, 0)
            counted.add(mark)
            self._lost.append(_Lost(now, instance, clusters))


def _subsets(intent: Intent, key: ServiceKey) -> Callable[[Instance], set[str]]:
    """Return what tells the subsets of a service that an instance belongs to."""
    declared = intent.services[key].subsets

    def of(instance: Instance) -> set[str]:
        return {EVERY, instance.version, *(s.name for s in declared if s.selector.matches(instance.facts))}

    return of


def _vanishing(intent: Intent, key: ServiceKey, held: Mapping[str, Member], kept: set[str]) -> Mapping[str, int]:
    """Return the versions that nobody is left of and no split or route names, and how many clusters each has."""
    stay = {intent.instances[member].version for member in intent.members_of(key)}
    stay |= {member.instance.version for name, member in held.items() if name in kept}
    stay |= intent.wanted(key) | {subset.name for subset in intent.services[key].subsets}
    gone: dict[str, int] = {}
    for member in held.values():
        version = member.instance.version
        if version not in stay:
            gone[version] = max(gone.get(version, 0), len(member.instance.ports))
    return gone


def _too_much(going: int, total: int, share: float) -> bool:
    return total >= FROM and going > share * total


def _problem(key: ServiceKey, text: str) -> Problem:
    message = f"{text}; they are served on until they come back, are deleted, or an operator releases them"
    return Problem("guard", str(key), "", message)
