"""Moments of many keys, as a plain dictionary would have them."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from xds.sources.docker.timers import Timers

MOMENTS = st.one_of(st.just(inf), st.integers(0, 9).map(float))


@given(st.lists(st.one_of(st.tuples(st.sampled_from("abc"), MOMENTS), st.integers(0, 9).map(float)), max_size=30))
def test_they_are_what_a_dictionary_of_moments_is(steps: list[tuple[str, float] | float]) -> None:
    timers, known = Timers(), dict[str, float]()
    for step in steps:
        if isinstance(step, tuple):
            timers.set(*step)
            known[step[0]] = step[1]
        else:
            due = sorted(key for key, moment in known.items() if moment <= step)
            assert sorted(timers.take(step)) == due
            known = {key: moment for key, moment in known.items() if key not in due}
        assert timers.next() == min(known.values(), default=inf)
