"""What is forced for a time is given back when it is over, and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from xds.control.forces import Forces
from xds.control.ports import Entry
from xds.model.breaker import Forced, ForcedState
from xds.model.declare import ForceBreaker
from xds.model.intent import Intent, ref
from xds.model.names import ServiceKey
from xds.model.service import Service

WEB = ServiceKey("default", "web")
MORNING = datetime(2026, 1, 31, 9, tzinfo=UTC)
FOR_TEN = Forced(ForcedState.OPEN, lasts=10.0)


def changed(before: Service | None, after: Service | None) -> list[Entry]:
    name = ref(after or before or Service(WEB))
    return [Entry(name, before, after, "api")]


def released(forces: Forces, now: float) -> list[str]:
    found = [declaration.change for declaration in forces.look(now)[0]]
    return [change.subset for change in found if isinstance(change, ForceBreaker) and change.forced is None]


def test_it_is_given_back_when_its_time_is_over() -> None:
    forces = Forces(Intent())
    forces.committed(changed(None, Service(WEB, forced={"v2": FOR_TEN})), 100.0)
    assert forces.look(109.9) == ((), 110.0)
    assert forces.remaining(WEB, "v2", 104.0) == 6.0
    assert released(forces, 110.0) == ["v2"]


def test_what_has_no_end_is_never_given_back() -> None:
    forces = Forces(Intent())
    forces.committed(changed(None, Service(WEB, forced={"v2": Forced(ForcedState.OPEN)})), 100.0)
    assert forces.look(1e9) == ((), None)
    assert forces.remaining(WEB, "v2", 1e9) is None


def test_to_say_it_again_begins_the_time_again_and_another_change_does_not() -> None:
    forces, first = Forces(Intent()), Service(WEB, forced={"v2": FOR_TEN})
    forces.committed(changed(None, first), 100.0)
    forces.committed(changed(first, replace(first, timeout=1.0)), 105.0)
    assert forces.look(105.0)[1] == 110.0
    forces.committed(changed(first, replace(first, forced={"v2": replace(FOR_TEN, since=7)})), 105.0)
    assert forces.look(105.0)[1] == 115.0


def test_what_was_given_back_or_went_with_its_service_is_forgotten() -> None:
    forces, held = Forces(Intent()), Service(WEB, forced={"v2": FOR_TEN})
    forces.committed(changed(None, held), 100.0)
    forces.committed(changed(held, Service(WEB)), 101.0)
    assert forces.look(200.0) == ((), None)
    forces.committed(changed(None, held), 200.0)
    forces.committed(changed(held, None), 201.0)
    assert forces.look(300.0) == ((), None)


@pytest.mark.parametrize(
    ("later", "left"),
    [(4.0, 6.0), (30.0, 0.0), (-500.0, 10.0), (None, 10.0)],
    ids=["in between", "over meanwhile", "clock set back", "a row that names no end"],
)
def test_after_a_restart_what_is_left_of_the_time_is_left(later: float | None, left: float) -> None:
    ends = None if later is None else MORNING + timedelta(seconds=10 - later)
    intent = Intent()
    intent.restore([(Service(WEB, forced={"v2": replace(FOR_TEN, until=ends)}), 1)], 1)
    forces = Forces(intent)
    forces.restored(50.0, MORNING)
    assert forces.remaining(WEB, "v2", 50.0) == left
    assert released(forces, 50.0 + left) == ["v2"]
