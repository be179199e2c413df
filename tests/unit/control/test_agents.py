"""Agents on a clock that is moved by hand: who is heard, who is refused, who is lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from tests.unit.sources.house import Time
from xds.control.agents import FORGOTTEN_AFTER, Agents
from xds.control.alarms import Alarms
from xds.model.agent import Agent
from xds.model.problems import Conflict, Forbidden, InvalidInput, NotFound

HOST = Agent("host-7", "10.0.0.7", "docker", "0.1.0")


class Yard:
    def __init__(self) -> None:
        self.time = Time()
        self.alarms = Alarms()
        self.agents = Agents(self.time, self.alarms)

    def pass_by(self, seconds: float) -> None:
        self.time.now += seconds


@pytest.fixture
def yard() -> Yard:
    return Yard()


def agent(**more: object) -> Agent:
    return Agent(**{"id": "host-7", "ip": "10.0.0.7", **more})  # type: ignore[arg-type]  # the keywords are Agent's own


def test_m31_an_agent_registers_and_is_seen_with_its_state(yard: Yard) -> None:
    found = yard.agents.register(HOST)
    assert (found.agent.epoch, found.agent.seq, found.lost, found.lag) == (1, 1, False, 0.0)
    yard.pass_by(7.0)
    assert (yard.agents.get("host-7").lost, yard.agents.get("host-7").lag) == (False, 2.0)
    yard.pass_by(4.0)
    assert (yard.agents.get("host-7").lost, yard.agents.get("host-7").lag) == (True, 6.0)
    yard.agents.heartbeat("host-7")
    assert (yard.agents.get("host-7").lost, yard.agents.get("host-7").lag) == (False, 0.0)


def test_t1_lag_follows_our_clock_and_what_an_agent_says_of_the_time_is_for_people(yard: Yard) -> None:
    yard.agents.register(HOST, said=yard.time.wall() + timedelta(hours=1))
    yard.time.step_wall(-24)
    found = yard.agents.get("host-7")
    assert (found.lag, found.lost, found.heard.clock_off) == (0.0, False, 3600.0)


@pytest.mark.parametrize(("epoch", "seq"), [(2, 5), (2, 4), (1, 9)])
def test_m32_a_message_that_was_heard_before_is_refused(yard: Yard, epoch: int, seq: int) -> None:
    yard.agents.register(agent(epoch=2, seq=1))
    yard.agents.heartbeat("host-7", epoch=2, seq=5)
    yard.pass_by(8.0)
    for say in (
        lambda: yard.agents.heartbeat("host-7", epoch=epoch, seq=seq),
        lambda: yard.agents.register(agent(epoch=epoch, seq=seq)),
    ):
        with pytest.raises(Conflict) as caught:
            say()
        assert caught.value.code == "stale_epoch"
    assert yard.agents.get("host-7").silent == 8.0
    yard.agents.heartbeat("host-7", epoch=2, seq=6)
    assert yard.agents.get("host-7").silent == 0.0


def test_r4_a_heartbeat_creates_nothing(yard: Yard) -> None:
    for epoch in (0, 1):
        with pytest.raises(NotFound) as caught:
            yard.agents.heartbeat("host-7", epoch=epoch)
        assert caught.value.code == "register_again"
    yard.agents.register(HOST)
    with pytest.raises(NotFound):
        yard.agents.heartbeat("host-7", epoch=2)
    assert list(yard.agents.ids()) == ["host-7"]


def test_an_agent_that_starts_anew_is_a_new_incarnation(yard: Yard) -> None:
    yard.agents.register(HOST)
    assert yard.agents.register(HOST).agent.epoch == 2
    with pytest.raises(Conflict):
        yard.agents.heartbeat("host-7", epoch=1, seq=9)


def test_r4_the_id_of_a_live_agent_on_another_address_is_refused(yard: Yard) -> None:
    yard.agents.register(HOST)
    with pytest.raises(Forbidden) as caught:
        yard.agents.register(agent(ip="10.0.0.8"))
    assert (caught.value.code, caught.value.pointer) == ("identity", "/id")
    yard.pass_by(11.0)
    assert yard.agents.register(agent(ip="10.0.0.8")).agent.ip == "10.0.0.8"


async def test_a_lost_agent_is_an_alarm_and_forgotten_after_a_day(yard: Yard) -> None:
    yard.agents.register(HOST)
    await yard.agents.look()
    assert not yard.alarms.standing
    yard.pass_by(11.0)
    await yard.agents.look()
    assert [(alarm.kind, alarm.object) for alarm in yard.alarms.standing] == [("stale_source", "host-7")]
    yard.agents.heartbeat("host-7")
    await yard.agents.look()
    assert not yard.alarms.standing
    yard.pass_by(FORGOTTEN_AFTER + 1)
    await yard.agents.look()
    await yard.agents.look()
    assert (list(yard.agents.ids()), yard.alarms.standing) == ([], ())


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"id": "Host"}, "/id"),
        ({"ip": "host-7"}, "/ip"),
        ({"role": ""}, "/role"),
        ({"version": "1\n"}, "/version"),
        ({"ttl": 0.0}, "/ttl"),
        ({"epoch": -1}, "/epoch"),
        ({"seq": 2**63}, "/seq"),
    ],
)
def test_what_no_agent_can_be_is_refused_with_its_field(fields: Mapping[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        agent(**fields)
    assert caught.value.pointer == pointer
