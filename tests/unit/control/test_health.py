"""The board of words: what sources say of an instance, and what that makes of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.harness.declared import instance
from xds.control.health import HealthBoard
from xds.control.ports import Entry
from xds.model.check import Check, CheckKind
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Declared, Intent, Kind, Ref, ref
from xds.model.signal import Signal

CHECKED = Check(CheckKind.HTTP)
GOOD = Signal(Health.HEALTHY, "2 of 2 answers were good")
BAD = Signal(Health.UNHEALTHY, "3 of 3 answers were bad")


class House:
    """A board over an intent that follows it."""

    def __init__(self) -> None:
        self.intent = Intent()
        self.board = HealthBoard(self.intent)

    def register(self, *instances: Instance) -> None:
        self._commit({ref(each): each for each in instances})

    def remove(self, *names: str) -> None:
        self._commit({Ref(Kind.INSTANCE, name): None for name in names})

    def say(self, source: str, signal: Signal | None, member: str = "web-1") -> Health:
        self.intent.observe_health(self.board.hear({(source, member): signal}))
        return self.intent.health(member)

    def _commit(self, writes: Mapping[Ref, Declared | None]) -> None:
        entries = [Entry(name, self.intent.get(name), after, "api:test") for name, after in writes.items()]
        self.intent.commit(writes, self.intent.revision + 1)
        self.intent.observe_health(self.board.committed(entries))


@pytest.fixture
def house() -> House:
    return House()


def test_a_word_stands_until_its_source_takes_it_back(house: House) -> None:
    house.register(instance())
    assert house.say("lease", BAD) is Health.UNHEALTHY
    assert house.say("traffic", GOOD) is Health.UNHEALTHY
    assert house.say("lease", None) is Health.HEALTHY


def test_m05_an_instance_with_a_check_starts_until_the_check_is_content(house: House) -> None:
    house.register(instance(check=CHECKED), instance("web-2"))
    assert house.intent.health("web-2") is Health.HEALTHY
    assert house.intent.health("web-1") is Health.STARTING
    assert house.say("traffic", GOOD) is Health.STARTING
    assert house.say("check", BAD) is Health.STARTING, "what was never ready does not become merely unhealthy"
    assert house.say("check", GOOD) is Health.HEALTHY
    assert house.say("check", BAD) is Health.UNHEALTHY, "and what was once ready does"


def test_a_check_that_is_given_up_frees_who_was_not_ready(house: House) -> None:
    house.register(instance(check=CHECKED))
    house.say("check", BAD)
    house.register(instance())
    assert house.intent.health("web-1") is Health.HEALTHY


def test_a_restart_asks_nobody_to_be_ready_anew() -> None:
    intent = Intent()
    intent.restore([(instance(check=CHECKED), 1)], 1)
    assert intent.health("web-1") is Health.HEALTHY


def test_who_comes_back_while_its_loss_is_held_goes_on_as_it_was(house: House) -> None:
    """A whole agent that returns would otherwise empty what the guard has just saved."""
    house.register(instance(check=CHECKED))
    house.say("check", GOOD)
    gone = Ref(Kind.INSTANCE, "web-1")
    house.intent.commit({gone: None}, 2, absent=[gone])
    house.register(instance(check=CHECKED))
    assert house.intent.health("web-1") is Health.HEALTHY


def test_words_end_with_their_instance(house: House) -> None:
    house.register(instance())
    house.say("lease", BAD)
    house.remove("web-1")
    house.register(instance())
    assert house.intent.health("web-1") is Health.HEALTHY
    assert house.board.words("web-1") == {}
    assert house.say("lease", BAD, "ghost") is Health.HEALTHY
