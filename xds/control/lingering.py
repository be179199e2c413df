"""What lingers: clusters that nothing declares any more, and their endpoints, until no node can want them.

A route to a cluster that is gone answers 503, so a removed cluster stays for a while after every live node that sees it
has acknowledged routes and listeners without it. Pure: time and the nodes that are behind are arguments. Knows keys and
resources; who is behind is `gate`'s knowledge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from xds.cache.resource import Resource, ResourceKey
from xds.model.problems import Problem, Severity
from xds.wire.types import ResourceType

LINGER = 60.0  # seconds that a removed cluster stays after the last acknowledgement
BOUND = 600.0  # seconds after which it goes even if somebody never acknowledged its absence
CHECK = 1.0  # seconds between two looks at who is behind
LINGERS = frozenset({ResourceType.CLUSTER, ResourceType.ENDPOINT})


@dataclass(slots=True)
class _Stay:
    """One removed resource. `waiting`: the nodes not yet seen without it, None before the first look."""

    resource: Resource
    since: float
    waiting: frozenset[str] | None = None
    until: float = inf


class Lingering:
    """The removed resources that are still published. `changes` grows with every one that comes or goes."""

    def __init__(self, linger: float = LINGER, bound: float = BOUND) -> None:
        """Keep each for `linger` seconds after the last acknowledgement, at most `bound` seconds."""
        self._linger = linger
        self._bound = bound
        self._stays: dict[ResourceKey, _Stay] = {}
        self._look = -inf
        self.changes = 0

    def removed(self, resource: Resource, now: float) -> None:
        """Let what nothing declares since `now` stay; `now` may lie ahead, and the clock starts no earlier."""
        self._stays[resource.key] = _Stay(resource, now)
        self.changes += 1

    def returned(self, key: ResourceKey) -> None:
        """Forget what is declared again."""
        if self._stays.pop(key, None) is not None:
            self.changes += 1

    def sweep(self, behind: Callable[[str], Iterable[str]], now: float) -> tuple[ResourceKey, ...]:
        """Return, and forget, what has lingered long enough.

        `behind` gives the live nodes that see a variant and have not acknowledged everything as it is published.
        """
        if now >= self._look + CHECK:
            self._look = now
            self._ask(behind, now)
        over = tuple(key for key, stay in self._stays.items() if now >= min(stay.until, stay.since + self._bound))
        for key in over:
            del self._stays[key]
        self.changes += len(over)
        return over

    def _ask(self, behind: Callable[[str], Iterable[str]], now: float) -> None:
        """Strike off who was seen without it; one moment for each node is enough, not one for all of them."""
        seen: dict[str, frozenset[str]] = {}
        for key, stay in self._stays.items():
            if stay.until < inf or now < stay.since:
                continue
            if key.variant not in seen:
                seen[key.variant] = frozenset(behind(key.variant))
            late = seen[key.variant]
            stay.waiting = late if stay.waiting is None else stay.waiting & late
            if not stay.waiting:
                stay.until = now + self._linger

    @property
    def due(self) -> float | None:
        """When to sweep again; None when nothing lingers."""
        if not self._stays:
            return None
        waits = any(stay.until == inf for stay in self._stays.values())
        ends = min(min(stay.until, stay.since + self._bound) for stay in self._stays.values())
        return min(ends, self._look + CHECK) if waits else ends

    def problems(self, now: float) -> Iterator[Problem]:
        """Yield, per variant, what stays on for want of somebody's acknowledgement."""
        late: dict[str, tuple[list[str], set[str]]] = {}
        for key, stay in self._stays.items():
            if key.type is ResourceType.CLUSTER and stay.waiting and now >= stay.since + self._linger:
                names, nodes = late.setdefault(key.variant, ([], set()))
                names.append(key.name)
                nodes |= stay.waiting
        for variant, (names, nodes) in sorted(late.items()):
            message = (
                f"removed clusters ({_some(names)}) stay, because {_some(sorted(nodes))} did not acknowledge the "
                f"routes without them; they go after {self._bound:.0f} s in any case"
            )
            yield Problem("lingering", variant, "", message, Severity.WARNING)

    @property
    def resources(self) -> Sequence[Resource]:
        """Everything that lingers."""
        return [stay.resource for stay in self._stays.values()]

    def __len__(self) -> int:
        """Return how many resources linger."""
        return len(self._stays)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
