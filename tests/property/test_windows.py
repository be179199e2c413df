"""A window holds what a list of everything would, cut to its slots."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from xds.model.traffic import Attempts
from xds.telemetry.windows import Kind, Place, Window

SLOTS, WIDTH = 4, 5.0
CLUSTERS = st.sampled_from(["web/v1", "web/v2", "db/v1"])
PLACES = st.builds(Place, st.sampled_from(Kind), st.sampled_from("abc"))
FACTS = st.builds(
    Attempts, *[st.integers(0, 9)] * 4, st.dictionaries(st.sampled_from(["lb", "full"]), st.integers(1, 9))
)
EVENTS = st.lists(st.tuples(st.floats(0, 12), CLUSTERS, PLACES, FACTS), max_size=30)


class Naive:
    """Everything that was ever added, with its time."""

    def __init__(self) -> None:
        self.facts: list[tuple[float, str, Place, Attempts]] = []

    def by(self, kind: Kind, cluster: str, now: float, seconds: float) -> dict[str, Attempts]:
        found: dict[str, Attempts] = {}
        oldest = math.floor(now / WIDTH) - max(1, min(SLOTS, math.ceil(seconds / WIDTH)))
        for at, its, place, fact in self.facts:
            if its == cluster and place.kind is kind and math.floor(at / WIDTH) > oldest:
                found.setdefault(place.name, Attempts()).follow(fact)
        return found


@given(EVENTS, st.floats(0, 30))
def test_a_window_is_the_recent_part_of_everything(
    events: list[tuple[float, str, Place, Attempts]], seconds: float
) -> None:
    window, naive, now = Window(Attempts, slots=SLOTS, width=WIDTH), Naive(), 100.0
    for passed, cluster, place, fact in events:
        now += passed
        window.add(cluster, place, fact, source=place.name, now=now)
        naive.facts.append((now, cluster, place, fact))
        for name in ("web/v1", "web/v2", "db/v1"):
            for kind in Kind:
                assert window.by(kind, name, now, seconds) == naive.by(kind, name, now, seconds)
    window.forget(now + SLOTS * WIDTH)
    assert len(window) == 0
