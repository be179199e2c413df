"""What becomes an alarm by itself, and that the journal remembers it (M57)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.waiting import until
from xds.control.plane import ControlPlane
from xds.control.ports import JournalQuery
from xds.model.alarm import Priority
from xds.model.analysis import Analysis, Finding, Judgement, Verdict
from xds.model.declare import Change, Declaration, Delete, Put, StartRollout, StepRollout
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.model.rollout import Doubted, Failed, Resume, Step

WEB = ServiceKey.of("web")


def web(number: int, owner: str = "") -> Instance:
    return Instance(f"web-{number}", WEB, "127.0.0.1", {"http": 8000 + number}, version="v1", owner=owner)


async def test_a_loss_that_the_guard_holds_is_an_alarm_while_it_is_held_and_two_lines_of_the_journal(
    tmp_path: Path,
) -> None:
    async with running_plane(tmp_path) as plane:
        await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(6)])
        gone = [Delete(Ref(Kind.INSTANCE, f"web-{number}")) for number in range(5)]
        await plane.submit([Declaration(change, "lease", operator=True, absence=True) for change in gone])

        await until(lambda: alarms(plane) == [("shrink", "default/web", Priority.PAGE)], timeout=10, what="the alarm")
        await plane.submit([Declaration(change, "api:test", operator=True) for change in gone])
        await until(lambda: alarms(plane) == [], timeout=10, what="the alarm is over")

        await plane.housekeeping.round()
        told = [
            (row["before"], row["after"]) for row in await plane.store.journal(JournalQuery()) if row["kind"] == "alarm"
        ]
        assert told == [(None, "shrink"), ("shrink", None)]


def alarms(plane: ControlPlane) -> list[tuple[str, str, Priority]]:
    return [(alarm.kind, alarm.object, alarm.priority) for alarm in plane.alarms.standing]


async def test_what_another_owner_was_refused_is_a_line_of_the_journal(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await plane.submit([Declaration(Put(web(1, "docker:host-1")), "docker:host-1")])
        await plane.submit([Declaration(Delete(Ref(Kind.INSTANCE, "web-1")), "docker:host-2")])

        await plane.housekeeping.round()
        (row,) = [row for row in await plane.store.journal(JournalQuery()) if row["kind"] == "refused"]
        assert (row["key"], row["actor"]) == ("web-1", "docker:host-2")
        assert "docker:host-1" in str(row["reason"])


async def test_a_rollout_that_a_judgement_stopped_or_took_back_is_an_alarm_until_somebody_decides(
    tmp_path: Path,
) -> None:
    said = Judgement(Verdict.FAIL, (Finding("p99", Verdict.FAIL, 9.0, 5.0, "ms", 100, "P99 9 ms"),))
    begin = StartRollout(WEB, "v2", (Step(500, 60.0), Step(5000, 60.0)), analysis=Analysis())
    async with running_plane(tmp_path) as plane:
        for each in (web(1), replace(web(2), version="v2")):
            await say(plane, Put(each))
        steps: list[tuple[Change, list[str]]] = [
            (begin, []),
            (StepRollout("web-v2-1", Doubted(said)), ["default/web v2: P99 9 ms: resume, promote or abort"]),
            (StepRollout("web-v2-1", Resume()), []),
            (StepRollout("web-v2-1", Failed(said)), ["default/web v2: taken back: P99 9 ms"]),
            (Delete(Ref(Kind.INSTANCE, "web-2")), []),
        ]
        for change, wanted in steps:
            await say(plane, change)
            await plane.housekeeping.round()
            assert [alarm.message for alarm in plane.alarms.standing if alarm.kind == "rollout"] == wanted
