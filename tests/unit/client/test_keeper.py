"""What a client says next, and what each answer means: time and chance are arguments, nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from xds.client import Busy, Invalid, RegisterAgain, Registration, StaleEpoch, State, Unreachable
from xds.client.errors import read, refused
from xds.client.keeper import LONGEST_PAUSE, Ask, Keeper

GIVEN = {"service": "web", "address": "10.0.0.7", "port": 8080, "ttl": 10.0}


@pytest.fixture
def keeper() -> Keeper:
    return Keeper(chance=lambda: 1.0)


def registered(keeper: Keeper, name: str, now: float = 0.0, **more: object) -> Registration:
    """An instance that the control plane has taken, at epoch 7."""
    registration = keeper.add({**GIVEN, **more})
    keeper.answered(keeper.registering(registration), {"id": name, "epoch": 7, "seq": 1}, now)
    return registration


def due(keeper: Keeper, now: float) -> Ask:
    ask = keeper.due(now)
    assert ask is not None
    return ask


def test_the_first_registration_leaves_id_epoch_and_seq_to_the_control_plane(keeper: Keeper) -> None:
    registration = keeper.add(dict(GIVEN))
    ask = due(keeper, 0.0)
    assert (ask.method, ask.path, ask.body) == ("POST", "/v1/instances", GIVEN)
    keeper.answered(ask, {"id": "web-1", "epoch": 7, "seq": 1}, 0.0)
    assert (registration.id, registration.epoch, registration.seq) == ("web-1", 7, 1)
    assert registration.state is State.REGISTERED


def test_an_id_of_its_own_is_put(keeper: Keeper) -> None:
    keeper.add({**GIVEN, "id": "web-1"})
    assert (due(keeper, 0.0).method, due(keeper, 0.0).path) == ("PUT", "/v1/instances/web-1")


def test_m68_a_lease_is_renewed_in_half_of_it_and_a_bit_sooner_by_chance() -> None:
    for chance, sooner in ((1.0, 5.0), (0.5, 4.5), (0.0, 4.0)):
        keeper = Keeper(lambda chance=chance: chance)  # type: ignore[misc]  # mypy does not infer lambdas with defaults
        registered(keeper, "web-1")
        assert keeper.pause(0.0) == pytest.approx(sooner)
        assert keeper.due(sooner - 0.01) is None
        assert due(keeper, sooner).path == "/v1/instances/web-1/heartbeat"


def test_m32_every_heartbeat_has_a_number_of_its_own_also_when_it_was_not_heard(keeper: Keeper) -> None:
    registered(keeper, "web-1")
    seen = []
    for now in (5.0, 11.0, 17.0):
        ask = due(keeper, now)
        seen.append(ask.body)
        keeper.failed(ask, Unreachable("away"), now)
    assert seen == [{"epoch": 7, "seq": seq} for seq in (2, 3, 4)]


def test_several_heartbeats_that_are_due_about_together_are_one_request(keeper: Keeper) -> None:
    registered(keeper, "web-1", now=0.0)
    registered(keeper, "web-2", now=0.9)
    registered(keeper, "web-3", now=4.0)
    ask = due(keeper, 5.0)
    assert (ask.method, ask.path) == ("POST", "/v1/heartbeats:batch")
    assert ask.body == {"items": [{"id": name, "epoch": 7, "seq": 2} for name in ("web-1", "web-2")]}
    gone = {"status": 404, "code": "register_again", "detail": "who?"}
    keeper.answered(ask, {"results": [{"id": "web-1", "expires_in": "10s"}, {"id": "web-2", "error": gone}]}, 5.0)
    assert [each.state for each in ask.about] == [State.REGISTERED, State.PENDING]


def test_r4_who_is_not_known_any_more_registers_again_as_the_same_incarnation(keeper: Keeper) -> None:
    registration = registered(keeper, "web-1")
    ask = due(keeper, 5.0)
    keeper.failed(ask, RegisterAgain(404, {"code": "register_again"}), 5.0)
    again = due(keeper, 5.0)
    assert (again.method, again.path) == ("PUT", "/v1/instances/web-1")
    assert again.body == {**GIVEN, "epoch": 7, "seq": 3}
    assert registration.state is State.PENDING


def test_r3_whoever_was_replaced_does_not_fight_for_its_place(keeper: Keeper) -> None:
    registration = registered(keeper, "web-1")
    keeper.failed(due(keeper, 5.0), StaleEpoch(409, {"code": "stale_epoch", "detail": "epoch 8 is there"}), 5.0)
    assert registration.state is State.LOST
    assert "epoch 8" in str(registration.error)
    assert keeper.due(1e9) is None


def test_whoever_was_overtaken_within_its_own_incarnation_counts_on_from_there(keeper: Keeper) -> None:
    """An operator changed the instance: its seq is ahead, and the process is the same."""
    registration = registered(keeper, "web-1")
    problem = {"code": "stale_epoch", "pointer": "/seq"}
    keeper.failed(due(keeper, 5.0), StaleEpoch(409, problem), 5.0)
    again = due(keeper, 5.0)
    assert (again.method, again.path, again.body) == ("PUT", "/v1/instances/web-1", GIVEN)
    keeper.answered(again, {"id": "web-1", "epoch": 7, "seq": 9}, 5.0)
    assert (registration.state, registration.seq) == (State.REGISTERED, 9)


@pytest.mark.parametrize("error", [Unreachable("away"), Busy(503, {}), Busy(429, {})])
def test_what_may_pass_is_tried_again_after_pauses_that_grow(keeper: Keeper, error: Exception) -> None:
    assert isinstance(error, Unreachable | Busy)
    registration = registered(keeper, "web-1", ttl=600.0)
    now, pauses = 300.0, []
    for _ in range(12):
        keeper.failed(due(keeper, now), error, now)
        pauses.append(keeper.pause(now))
        now += pauses[-1]
    assert pauses[:4] == pytest.approx([0.2, 0.4, 0.8, 1.6])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE)
    keeper.answered(due(keeper, now), {"expires_in": "10m"}, now)
    assert (registration.state, registration.failures, registration.error) == (State.REGISTERED, 0, None)


def test_no_pause_is_longer_than_half_a_lease(keeper: Keeper) -> None:
    """A control plane that returns hears of everybody within the lease that it gives them."""
    registered(keeper, "web-1", ttl=2.0)
    now = 1.0
    for _ in range(10):
        keeper.failed(due(keeper, now), Unreachable("away"), now)
        assert keeper.pause(now) <= 1.0
        now += keeper.pause(now)


def test_an_instance_without_a_lease_has_nothing_to_renew(keeper: Keeper) -> None:
    registered(keeper, "web-1", ttl=None)
    registered(keeper, "web-2")
    assert due(keeper, 5.0).path == "/v1/instances/web-2/heartbeat"


def test_a_change_that_is_refused_leaves_what_was_registered(keeper: Keeper) -> None:
    registration = registered(keeper, "web-1")
    before = keeper.change(registration, {"weight": -1})
    keeper.failed(keeper.registering(registration), Invalid(422, {"pointer": "/weight"}), 1.0)
    keeper.restore(registration, before)
    assert (registration.state, registration.document) == (State.REGISTERED, GIVEN)


def test_deregistering_speaks_for_its_own_incarnation_only(keeper: Keeper) -> None:
    registration = registered(keeper, "web-1")
    (ask,) = keeper.leaving()
    assert (ask.method, ask.path) == ("DELETE", "/v1/instances/web-1?epoch=7")
    keeper.answered(ask, {}, 1.0)
    assert registration.state is State.GONE
    assert not keeper.registrations


@pytest.mark.parametrize(
    ("status", "problem", "kind"),
    [
        (404, {"code": "register_again"}, "RegisterAgain"),
        (409, {"code": "stale_epoch"}, "StaleEpoch"),
        (409, {"code": "conflict"}, "Refused"),
        (401, {"code": "unauthenticated"}, "Unauthenticated"),
        (403, {"code": "identity"}, "Forbidden"),
        (422, {"code": "invalid_input", "pointer": "/port"}, "Invalid"),
        (429, {"code": "quota"}, "Busy"),
        (503, {"code": "unavailable"}, "Busy"),
    ],
)
def test_each_refusal_has_the_class_that_says_what_to_do(status: int, problem: Mapping[str, object], kind: str) -> None:
    assert type(refused(status, problem)).__name__ == kind


def test_an_answer_that_no_control_plane_gives_is_said_so() -> None:
    for status, body in ((200, b"<html>"), (502, b"bad gateway"), (200, b"[]")):
        with pytest.raises(Exception, match="is this a Fairlead control plane"):
            read(status, body)
