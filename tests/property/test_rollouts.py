"""Laws of rollouts: whatever happens in whatever order, nothing breaks and everybody can be sent back."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from tests.harness.declared import WEB, Book, instance
from xds.model.analysis import Judgement, Verdict
from xds.model.problems import Conflict, InvalidInput
from xds.model.rollout import (
    Abort,
    Acked,
    Doubted,
    Elapsed,
    Event,
    Failed,
    Pause,
    Phase,
    Promote,
    Resume,
    SetWeight,
    Step,
)
from xds.model.split import Segment

BAD = Judgement(Verdict.HARD_FAIL, ())
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from([Acked(), Elapsed(), Failed(BAD), Doubted(BAD), Pause(), Resume(), Promote(), Abort()]),
    st.builds(SetWeight, st.integers(-1, 10_001)),
)
HAPPENINGS = st.lists(st.one_of(st.just(Acked()), EVENTS), max_size=25)
PLANS = st.lists(st.builds(Step, st.integers(0, 10_000), st.none() | st.floats(0, 100)), max_size=5)


def lived(plan: list[Step], events: list[Event], *, auto_promote: bool) -> tuple[Book, str]:
    """A rollout to which all of `events` happened; refusals may be Conflict or InvalidInput and nothing else."""
    book = Book()
    book.put(instance("web-1", "v1"), instance("web-2", "v2"))
    rollout = book.start("v2", *plan, auto_promote=auto_promote)
    for event in events:
        with contextlib.suppress(Conflict, InvalidInput):
            book.step(rollout, event)
    return book, rollout.id


@given(PLANS, HAPPENINGS, st.booleans())
def test_the_split_always_says_what_the_rollout_wants(plan: list[Step], events: list[Event], auto: bool) -> None:
    book, rollout_id = lived(plan, events, auto_promote=auto)
    rollout = book.intent.rollouts[rollout_id]
    wanted = (Segment("v1", 10_000 - rollout.weight), Segment("v2", rollout.weight))
    assert book.service().split.segments == tuple(segment for segment in wanted if segment.weight)
    assert book.service().stable == ("v2" if rollout.phase is Phase.SUCCEEDED else "v1")
    assert (book.intent.rollout_of(WEB) is None) == rollout.phase.is_over


@given(PLANS, HAPPENINGS, st.booleans())
def test_an_abort_always_gives_everybody_back(plan: list[Step], events: list[Event], auto: bool) -> None:
    book, rollout_id = lived(plan, events, auto_promote=auto)
    over = book.intent.rollouts[rollout_id].phase is Phase.SUCCEEDED
    book.step(book.intent.rollouts[rollout_id], Abort())
    assert book.service().split.weights == ({"v2": 10_000} if over else {"v1": 10_000})


@given(PLANS, HAPPENINGS)
def test_a_plan_that_is_only_acknowledged_and_held_comes_to_an_end(plan: list[Step], events: list[Event]) -> None:
    """Each step is walked at most once from where it stands, so no order of events makes a plan run for ever."""
    book, rollout_id = lived(plan, events, auto_promote=True)
    for _ in range(3 * len(plan) + 3):
        for event in (Acked(), Elapsed(), Resume()):
            with contextlib.suppress(Conflict):
                book.step(book.intent.rollouts[rollout_id], event)
    rollout = book.intent.rollouts[rollout_id]
    assert rollout.phase.is_over
