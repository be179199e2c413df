"""What Envoys measured lately: two windows, one for each service that reports, filled by reporters and read by anybody.

Keeps services' clusters only; an Envoy also reports the control plane's own cluster and its application's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar, cast

from xds.model.traffic import Answers, Attempts, Measured
from xds.translate import naming

from .reporter import Reporter
from .settings import TelemetrySettings
from .tallies import Tallies, Tally
from .windows import Kind, Place, Sum, Window, total

S = TypeVar("S", bound=Sum)


class Traffic:
    """Answers and attempts by (environment, cluster name). `clock` gives monotonic seconds.

    `tallies` are counted beside the windows, without their bounds of time.
    """

    def __init__(self, clock: Callable[[], float], settings: TelemetrySettings) -> None:
        self._clock = clock
        self._longest = settings.longest_name
        self._answers = _window(Answers, settings)
        self._attempts = _window(Attempts, settings)
        self.tallies = Tallies(clock)

    @property
    def seconds(self) -> float:
        """How far back it is known, at most."""
        return self._answers.seconds

    @property
    def places(self) -> int:
        """How many sums are held now."""
        now = self._clock()
        self._answers.forget(now)
        self._attempts.forget(now)
        return len(self._answers) + len(self._attempts)

    @property
    def lost(self) -> int:
        """How many sums found no room, since the start."""
        return self._answers.lost + self._attempts.lost

    def answered(self, by: Reporter, cluster: str, answers: Answers) -> None:
        """Add what a cluster's callers got at one Envoy."""
        if self._is_ours(cluster):
            place = Place(Kind.NODE, by.id)
            self._answers.add((by.env, cluster), place, answers, source=by.id, now=self._clock())
            self.tallies.answered(by.env, by.id, cluster, answers)

    def attempted(
        self,
        by: Reporter,
        cluster: str,
        whole: Attempts,
        parts: Iterable[tuple[Place, Attempts]],
        *,
        covers: float = 0.0,
    ) -> None:
        """Add what one client asked of a cluster in the last `covers` seconds: all of it, and its parts by place."""
        if self._is_ours(cluster):
            self.tallies.attempted(by.env, cluster, whole, covers)
            now = self._clock()
            for place, attempts in ((Place(Kind.NODE, by.id), whole), *parts):
                self._attempts.add((by.env, cluster), place, attempts, source=by.id, now=now)

    def tally(self, env: str, groups: Sequence[Iterable[str]]) -> Tally:
        """Return what counts each of these groups of clusters from now on, until it is closed."""
        return self.tallies.begin(env, groups)

    def measured(self, env: str, clusters: Sequence[str], seconds: float | None = None) -> Measured:
        """Return what was measured of these clusters together over the last `seconds`, all there is without."""
        now = self._clock()

        def by(window: Window[S], kind: Kind) -> dict[str, S]:
            found: dict[str, S] = {}
            for cluster in clusters:
                for name, measured in window.by(kind, (env, cluster), now, seconds).items():
                    if name in found:
                        found[name].join(measured)
                    else:
                        found[name] = measured
            return dict(sorted(found.items()))

        answers, attempts = by(self._answers, Kind.NODE), by(self._attempts, Kind.NODE)
        return Measured(
            total(answers.values(), Answers),
            total(attempts.values(), Attempts),
            answers,
            attempts,
            by(self._attempts, Kind.ENDPOINT),
            by(self._attempts, Kind.LOCALITY),
        )

    def endpoints(self, seconds: float) -> Mapping[tuple[str, str], Mapping[str, Attempts]]:
        """Return the attempts of the last `seconds` by environment and cluster, and there by `host:port`."""
        found = self._attempts.all(Kind.ENDPOINT, self._clock(), seconds)
        return cast("Mapping[tuple[str, str], Mapping[str, Attempts]]", found)  # what `attempted` has put in

    def _is_ours(self, cluster: str) -> bool:
        try:
            naming.read_cluster(cluster)
        except ValueError:
            return False
        return len(cluster) <= self._longest


def _window(make: Callable[[], S], settings: TelemetrySettings) -> Window[S]:
    return Window(
        make,
        slots=settings.slots,
        width=settings.slot_width,
        most=settings.most_places,
        most_per_source=settings.most_places_per_node,
    )
