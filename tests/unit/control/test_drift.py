"""Labels as a set declared them, and as the instance registered: shown, alarmed, repaired (M12)."""

from __future__ import annotations

from tests.harness.declared import Book, instance
from xds.control.alarms import Alarms
from xds.control.drift import DriftAlarms, Drifting
from xds.control.ports import Entry
from xds.model.drift import Differs, drift
from xds.model.instance import Instance
from xds.model.intent import Intent, Kind, ref

DECLARED = instance("web-1", labels={"team": "shop", "rack": "b"}, owner="file:shop")
REGISTERED = instance("web-1", "v2", labels={"team": "search", "commit": "1f0c"}, owner="api:web")


def registered(*said: Instance) -> Instance:
    book = Book()
    for each in said:
        book.put(each, actor=each.owner, operator=True)
    return book.intent.instances["web-1"]


def test_what_runs_holds_and_what_was_declared_stays_beside_it() -> None:
    found = registered(DECLARED, REGISTERED)
    assert (found.version, found.labels["team"], found.owner) == ("v2", "search", "file:shop")
    assert drift(found) == [
        Differs("rack", "b", None),
        Differs("team", "shop", "search"),
        Differs("version", "v1", "v2"),
    ]


def test_labels_that_nobody_declared_are_nobody_s_drift() -> None:
    as_declared = instance("web-1", labels={"team": "shop", "rack": "b", "commit": "1f0c"}, owner="api:web")
    assert drift(registered(DECLARED, as_declared)) == []
    assert drift(registered(REGISTERED)) == []


def test_to_apply_again_repairs_it_and_the_next_registration_is_compared_again() -> None:
    assert drift(registered(DECLARED, REGISTERED, DECLARED)) == []
    assert len(drift(registered(DECLARED, REGISTERED, DECLARED, REGISTERED))) == 3


def entries(before: Instance | None, after: Instance | None) -> list[Entry]:
    found = after or before
    assert found is not None
    return [Entry(ref(found), before, after, "api:web")]


async def test_an_alarm_stands_while_it_lasts_with_names_and_words() -> None:
    book, alarms = Book(), Alarms()
    drifting = Drifting(book.intent)
    book.put(DECLARED, actor="file:shop")
    book.put(REGISTERED, actor="api:web", operator=True)
    drifting.committed(entries(None, book.intent.instances["web-1"]))
    await DriftAlarms(alarms, drifting).look()
    (alarm,) = alarms.standing
    assert (alarm.kind, alarm.object) == ("drift", "default/web")
    assert alarm.message == (
        "not as file:shop declares: web-1 (rack is missing, not b; team is search, not shop; version is v2, not v1)"
    )
    gone = book.intent.instances["web-1"]
    book.delete(Kind.INSTANCE, "web-1", operator=True)
    drifting.committed(entries(gone, None))
    await DriftAlarms(alarms, drifting).look()
    assert alarms.standing == ()


async def test_after_a_restart_the_alarm_stands_again() -> None:
    intent, alarms = Intent(), Alarms()
    intent.restore([(registered(DECLARED, REGISTERED), 1)], 1)
    drifting = Drifting(intent)
    drifting.restored()
    await DriftAlarms(alarms, drifting).look()
    assert [alarm.object for alarm in alarms.standing] == ["default/web"]
