"""What an agent tells, in which order, and what it keeps of it while nobody listens (row M28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from xds.agent import ledger as module
from xds.agent.ledger import Ask, Ledger

DOCUMENT = {"service": "web", "address": "10.0.0.7", "port": 80}


def book() -> Ledger:
    return Ledger(15.0, lambda: 1.0)


def asked(ledger: Ledger, now: float = 0.0) -> Ask:
    ask = ledger.next(now)
    assert ask is not None
    return ask


def items(ask: Ask) -> list[Mapping[str, Any]]:
    assert ask.body is not None
    found: Any = ask.body["items"]
    return list(found)


def taken(ledger: Ledger, now: float = 0.0, *errors: Mapping[str, object] | None) -> Ask:
    """The next request, answered: well, or with these errors in the order of its items."""
    ask = asked(ledger, now)
    said = [*errors, *[None] * len(ask.about)][: len(ask.about)]
    ledger.answered(ask, {"results": [{"id": "x", **({"error": each} if each else {})} for each in said]}, now)
    return ask


def test_words_are_told_in_order_and_as_many_of_one_kind_as_there_are() -> None:
    ledger = book()
    for name in ("a", "b"):
        ledger.put(name, 7, DOCUMENT)
    ledger.drop("a")
    ledger.put("c", 7, DOCUMENT)
    told = [(ask.matter, [each["id"] for each in items(ask)]) for ask in (taken(ledger) for _ in range(3))]
    assert told == [("register", ["b"]), ("leave", ["a"]), ("register", ["c"])]
    assert ledger.next(0.0) is None
    assert ledger.standing() == {"b": True, "c": True}


def test_each_message_carries_the_incarnation_and_a_higher_number() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    assert items(taken(ledger)) == [{**DOCUMENT, "id": "a", "epoch": 7, "seq": 1}]
    ledger.put("a", 7, {**DOCUMENT, "weight": 5})
    assert items(taken(ledger))[0]["seq"] == 2
    ledger.put("a", 8, DOCUMENT)
    assert (items(taken(ledger))[0]["epoch"], ledger.next(0.0)) == (8, None)
    ledger.drop("a")
    assert items(taken(ledger)) == [{"id": "a", "epoch": 8, "seq": 2}]


def test_the_same_again_is_told_once() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    taken(ledger)
    ledger.put("a", 7, dict(DOCUMENT))
    assert ledger.next(0.0) is None


def test_what_stands_is_renewed_three_times_in_each_lease_and_together() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    ledger.put("b", 7, DOCUMENT)
    taken(ledger)
    assert ledger.pause(0.0) == pytest.approx(5.0)
    assert ledger.next(4.9) is None
    ask = taken(ledger, 5.0)
    assert (ask.path, [each["seq"] for each in items(ask)]) == ("/v1/heartbeats:batch", [2, 2])


def test_a_change_while_the_last_word_is_on_its_way_is_told_after_it() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    ask = asked(ledger)
    ledger.drop("a")
    ledger.answered(ask, {"results": [{"id": "a"}]}, 0.0)
    assert taken(ledger).matter == "leave"
    assert ledger.standing() == {}


def test_while_nobody_listens_only_the_last_word_is_kept_and_the_pauses_grow() -> None:
    ledger = book()
    pauses = []
    now = 0.0
    for turn in range(12):
        ledger.put("a", 7, {**DOCUMENT, "weight": turn})
        ledger.failed(asked(ledger, now), "away", now)
        pauses.append(ledger.pause(now))
        now += pauses[-1]
    assert pauses[:4] == pytest.approx([0.2, 0.4, 0.8, 1.6])
    assert max(pauses) == pytest.approx(15.0)
    assert ledger.trouble == "away"
    assert [each["weight"] for each in items(taken(ledger, now + 1))] == [11]
    assert ledger.trouble == ""


def test_what_the_control_plane_forgot_is_registered_again() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    taken(ledger)
    taken(ledger, 5.0, {"status": 404, "code": "register_again"})
    assert taken(ledger, 5.0).matter == "register"


def test_a_refusal_costs_one_item_is_kept_in_words_and_tried_again_late() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    ledger.put("b", 7, DOCUMENT)
    taken(ledger, 0.0, {"status": 422, "pointer": "/items/0/zone", "detail": "it is no zone"})
    assert ledger.standing() == {"a": False, "b": True}
    assert ledger.refusals() == {"a": "/items/0/zone it is no zone"}
    assert ledger.next(1.0) is None
    assert "a" in {each["id"] for _ in range(2) for each in items(taken(ledger, 61.0))}


def test_a_lost_book_counts_on_from_what_the_control_plane_knows() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    taken(ledger, 0.0, {"status": 409, "code": "stale_epoch"})
    ask = asked(ledger)
    assert (ask.method, ask.path) == ("GET", "/v1/instances/a")
    ledger.answered(ask, {"id": "a", "epoch": 9, "seq": 41}, 0.0)
    assert items(taken(ledger)) == [{**DOCUMENT, "id": "a", "epoch": 9, "seq": 42}]
    ledger.put("a", 7, {**DOCUMENT, "weight": 1})
    assert items(taken(ledger))[0]["epoch"] == 9


def test_an_answer_that_says_nothing_is_no_reason_to_ask_again_at_once() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    ledger.answered(asked(ledger), {}, 0.0)
    assert ledger.next(0.1) is None
    assert ledger.trouble == "it did not answer what it was asked"


def test_two_who_speak_for_one_instance_do_not_shout_at_each_other() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    stale = {"status": 409, "code": "stale_epoch"}
    taken(ledger, 0.0, stale)
    ledger.answered(asked(ledger), {"epoch": 7, "seq": 5}, 0.0)
    taken(ledger, 0.0, stale)
    assert ledger.next(0.1) is None


@pytest.mark.parametrize("problem", [{"status": 404, "code": "not_found"}, {"status": 409, "code": "stale_epoch"}])
def test_who_is_out_already_needs_no_farewell(problem: Mapping[str, object]) -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    taken(ledger)
    ledger.drop("a")
    taken(ledger, 0.0, problem)
    assert ledger.next(100.0) is None


def test_the_next_book_says_farewell_for_who_ended_and_renews_who_stood() -> None:
    ledger = book()
    for name in ("a", "b", "c"):
        ledger.put(name, 7, DOCUMENT)
    taken(ledger)
    ledger.drop("c")
    lines: Any = [tuple(each) for each in ledger.dump()]
    after = book()
    after.restore(lines, 0.0)
    assert [each["id"] for each in items(taken(after))] == ["c"]
    assert {each["id"] for each in items(taken(after))} == {"a", "b"}
    after.settle({"a"})
    ask = taken(after)
    assert (ask.matter, [each["id"] for each in items(ask)]) == ("leave", ["b"])
    after.put("a", 7, DOCUMENT)
    assert items(taken(after))[0]["seq"] == 3


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    ledger = book()
    assert [ledger.put(name, 7, DOCUMENT) for name in "abc"] == [True, True, False]


def test_a_batch_is_bounded() -> None:
    ledger = book()
    for n in range(module.BATCH + 1):
        ledger.put(f"i{n}", 7, DOCUMENT)
    assert [len(items(taken(ledger))) for _ in range(2)] == [module.BATCH, 1]


ILL = {"health": "unhealthy", "why": "exit code 1"}


def test_what_an_engine_says_of_health_goes_with_every_heartbeat_and_is_told_at_once() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    taken(ledger, 0.0)
    ledger.hear("a", ILL)
    assert ledger.pause(1.0) == 0.0
    assert items(taken(ledger, 1.0))[0]["runtime"] == ILL
    assert ledger.next(1.0) is None
    assert items(taken(ledger, 7.0))[0]["runtime"] == ILL
    ledger.hear("a", ILL)
    assert ledger.next(7.0) is None, "it says nothing new"


def test_a_word_on_health_that_comes_while_another_is_on_its_way_is_not_lost() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    registering = asked(ledger, 0.0)
    ledger.hear("a", ILL)
    ledger.answered(registering, {"results": [{}]}, 0.0)
    telling = asked(ledger, 0.0)
    ledger.hear("a", {"health": "healthy"})
    ledger.answered(telling, {"results": [{}]}, 0.0)
    assert items(taken(ledger, 0.0))[0]["runtime"] == {"health": "healthy"}
    assert ledger.next(0.0) is None


def test_a_word_on_health_is_said_again_to_who_had_to_be_told_of_the_instance_again() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    taken(ledger, 0.0)
    ledger.hear("a", ILL)
    taken(ledger, 0.0, {"code": "register_again", "status": 404})
    assert taken(ledger, 0.0).matter == "register"
    assert items(taken(ledger, 0.0))[0]["runtime"] == ILL


def test_the_next_life_of_a_container_has_nothing_of_its_last_ones_health() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    ledger.hear("a", ILL)
    ledger.put("a", 8, DOCUMENT)
    taken(ledger, 0.0)
    assert "runtime" not in items(taken(ledger, 9.0))[0]
    ledger.hear("nobody", ILL)


def test_what_ended_on_one_engine_goes_while_another_is_away() -> None:
    ledger = book()
    for name, engine in (("a", "one"), ("b", "one"), ("c", "two")):
        ledger.put(name, 7, DOCUMENT, engine)
        taken(ledger)
    after, lines = book(), [tuple(each) for each in ledger.dump()]
    after.restore(lines, 0.0)  # type: ignore[arg-type]  # as the spool reads them
    after.settle(["a"], "one")
    assert after.standing() == {"a": True, "c": True}
    assert [each["id"] for each in items(taken(after))] == ["b"]
    after.settle(["a"])
    assert after.standing() == {"a": True}


def test_a_book_of_many_that_stand_is_not_looked_through_for_nothing() -> None:
    """What waits is found without them; a renewal is as many as are due together."""
    ledger = book()
    for number in range(1200):
        ledger.put(f"i{number}", 7, DOCUMENT)
    for _ in range(3):
        taken(ledger)
    assert ledger.moves == 2400
    assert (ledger.next(3.0), ledger.pause(3.0)) == (None, 2.0)
    renewed = [len(taken(ledger, 5.0).about) for _ in range(3)]
    assert (renewed, ledger.next(5.0), ledger.pause(5.0)) == ([500, 500, 200], None, 5.0)
    assert ledger.moves == 2400, "an instance that is renewed is nothing new"


def test_a_renewal_that_got_no_answer_is_made_again() -> None:
    ledger = book()
    ledger.put("a", 7, DOCUMENT)
    taken(ledger)
    ledger.failed(asked(ledger, 5.0), "nobody there", 5.0)
    assert ledger.next(5.1) is None
    assert asked(ledger, 6.0).matter == "renew"
