"""The board of alarms."""

from __future__ import annotations

from xds.control.alarms import Alarms
from xds.model.alarm import Alarm, Priority

HOLD = Alarm("hold", "default/web", "3 of 4 leases ran out", Priority.PAGE)
NACK = Alarm("nack", "edge-1", "a listener was refused")


def test_an_alarm_is_told_once_when_it_is_raised_and_once_when_it_is_over() -> None:
    alarms, heard = Alarms(), list[tuple[str, bool]]()
    alarms.listen(lambda alarm, raised: heard.append((alarm.kind, raised)))

    alarms.set("leases", [HOLD])
    alarms.set("leases", [Alarm("hold", "default/web", "4 of 4 leases ran out", Priority.PAGE)])
    alarms.set("leases", [])

    assert heard == [("hold", True), ("hold", False)]


def test_a_source_replaces_its_own_alarms_and_nobody_elses() -> None:
    alarms = Alarms()

    alarms.set("ads", [NACK])
    alarms.set("leases", [HOLD])
    assert [*alarms.standing] == [HOLD, NACK], "the most urgent first"

    alarms.set("leases", [])
    assert [*alarms.standing] == [NACK]
