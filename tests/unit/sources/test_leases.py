"""Leases on a clock that stands still until it is moved: who falls silent, what is forgiven, what a number proves."""

from __future__ import annotations

import pytest

from tests.harness.declared import WEB, instance
from tests.unit.sources.house import TTL, House
from xds.control.ports import Entry, Lease
from xds.model.check import Check, CheckKind
from xds.model.health import Health
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.model.problems import Conflict
from xds.sources.leases import PASS


@pytest.fixture
def house() -> House:
    return House()


def test_whoever_says_nothing_for_its_ttl_goes(house: House) -> None:
    house.register("a", "b")
    assert house.after(TTL - 0.1) == []
    house.leases.renew("b")
    assert house.after(0.1) == ["a"]
    assert "a" not in house.intent.instances


def test_a_renewal_is_a_full_lease_from_now(house: House) -> None:
    house.register("a")
    house.time.now += 7
    assert house.leases.remaining("a") == Lease(3.0)
    assert house.leases.renew("a") == Lease(TTL)
    assert house.leases.remaining("a") == Lease(TTL)


def test_r4_a_renewal_creates_nothing(house: House) -> None:
    house.register("forever", ttl=None)
    for name in ("ghost", "forever"):
        assert house.leases.renew(name) is None
        assert house.leases.remaining(name) is None


def test_an_instance_without_a_ttl_stays_for_ever(house: House) -> None:
    house.register("a", "b", ttl=None)
    assert house.after(1e6) == []


def test_any_change_of_an_instance_is_a_sign_of_life(house: House) -> None:
    house.register("a", "b")
    house.after(8)
    house.put(instance("a", ttl=TTL, weight=1))
    assert house.after(8) == ["b"]


# -- numbers: M32, T1 -----------------------------------------------------------------------------------------------


def test_t1_a_heartbeat_that_was_heard_before_renews_nothing(house: House) -> None:
    """M32: replay-proof by its number; what the sender's clock said is no matter."""
    house.register("a")
    house.leases.renew("a", 5)
    house.time.now += 9
    for replayed in (5, 4, 1):
        with pytest.raises(Conflict) as caught:
            house.leases.renew("a", replayed)
        assert (caught.value.code, caught.value.pointer) == ("stale_epoch", "/seq")
    assert house.leases.remaining("a") == Lease(1.0)
    assert house.leases.renew("a", 6) == Lease(TTL)


def test_whoever_does_not_count_is_heard_as_well(house: House) -> None:
    house.register("a")
    house.leases.renew("a", 5)
    assert house.leases.renew("a") == Lease(TTL)


def test_numbers_begin_anew_with_an_epoch_and_go_on_within_one(house: House) -> None:
    house.put(instance("a", ttl=TTL, epoch=1))
    house.leases.renew("a", 5)
    house.put(instance("a", ttl=TTL, epoch=1, weight=1))
    with pytest.raises(Conflict):
        house.leases.renew("a", 5)
    house.put(instance("a", ttl=TTL, epoch=2))
    assert house.leases.renew("a", 1) == Lease(TTL)


def test_t1_the_wall_clock_changes_nothing(house: House) -> None:
    house.register("a", "b")
    for hours in (-24, -1, 1, 24):
        house.time.step_wall(hours)
        assert house.after(2) == []
        house.leases.renew("b")
    assert house.after(2) == ["a"]


# -- marks ----------------------------------------------------------------------------------------------------------


def test_the_last_instance_of_a_service_is_marked_and_stays(house: House) -> None:
    house.register("alone")
    assert house.after(TTL) == []
    assert house.said("alone") is Health.UNHEALTHY
    for _ in range(5):
        assert house.after(PASS) == []
    assert house.alarms() == {("hold", "default/web")}


def test_who_was_marked_and_speaks_again_is_marked_no_longer(house: House) -> None:
    house.register("alone")
    house.after(TTL)
    house.leases.renew("alone")
    house.after(PASS)
    assert house.said("alone") is None
    assert house.alarms() == set()
    house.after(TTL)
    assert house.said("alone") is Health.UNHEALTHY


def test_who_was_marked_and_gives_up_its_lease_is_marked_no_longer(house: House) -> None:
    house.register("alone")
    house.after(TTL)
    house.register("alone", ttl=None)
    house.after(PASS)
    assert house.said("alone") is None


def test_who_was_marked_and_then_removed_is_forgotten(house: House) -> None:
    house.register("a", "b")
    house.after(TTL)
    house.remove("a", "b")
    assert house.after(PASS) == []
    assert house.alarms() == set()


def test_a_removal_that_was_not_committed_is_tried_again(house: House) -> None:
    house.register("a", "b")
    house.time.now += TTL - 1
    house.leases.renew("b")
    house.time.now += 1
    assert [gone.member for gone in house.leases.lapse(house.intent, late=False).gone] == ["a"]
    assert house.after(PASS) == ["a"]


# -- M48: silence is asked before it is believed ---------------------------------------------------------------------

CHECK = Check(CheckKind.TCP)


def test_m48_silence_starts_a_probe_and_nobody_goes_before_it_is_answered(house: House) -> None:
    house.register("a", "b", check=CHECK)
    house.time.now += TTL
    house.leases.renew("b")
    assert house.after(0) == []
    assert house.probes.suspected == ["a"]
    assert house.said("a") is None
    house.probes.verdicts["a"] = False
    assert house.after(PASS) == ["a"]
    assert house.reasons["a"] == ("the lease ran out, and its check fails", False)


def test_m48_whose_check_is_good_stays_in_traffic_with_an_alarm(house: House) -> None:
    house.register("a", "b", check=CHECK)
    house.time.now += TTL
    house.leases.renew("b")
    house.probes.verdicts["a"] = True
    for _ in range(20):
        assert house.after(PASS) == []
        house.leases.renew("b")
    assert house.said("a") is None
    assert house.alarms() == {("lease_without_heartbeat", "a")}
    house.probes.verdicts["a"] = False
    assert house.after(PASS) == ["a"]


def test_m48_a_probe_that_is_never_answered_leaves_the_lease_to_decide(house: House) -> None:
    house.register("a", "b", check=CHECK)
    house.time.now += TTL
    house.leases.renew("b")
    assert [house.after(PASS) for _ in range(5)].count(["a"]) == 1
    assert house.reasons["a"] == ("the lease ran out", True)


# -- what was our own fault: R2 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [1.5, 20.0, 60.0, 3600.0])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("said", [0.0, 5.0, 9.9])
def test_r2_after_we_were_away_nobody_goes_within_a_full_lease(
    house: House, away: float, size: int, said: float
) -> None:
    """Stopped, blocked, suspended: everybody gets one full ttl of our uptime, however old the last word is."""
    names = [f"i{at:02}" for at in range(size)]
    house.register(*names)
    house.after(said)
    assert house.after(away, late=True) == []
    for _ in range(int(TTL) - 1):
        assert house.after(PASS) == []
        assert {house.said(name) for name in names} == {None}
    house.after(PASS)
    assert {house.said(name) for name in names} == {Health.UNHEALTHY}


def test_r2_who_was_silent_before_we_were_away_may_not_go_within_a_full_lease_either(house: House) -> None:
    house.register("a", "b", check=CHECK)
    house.time.now += TTL
    house.leases.renew("b")
    house.after(0)
    house.probes.verdicts["a"] = False
    assert house.after(60, late=True) == []
    for _ in range(int(TTL) - 1):
        house.leases.renew("b")
        assert house.after(PASS) == []
    house.leases.renew("b")
    assert house.after(PASS) == ["a"]


def test_r2_being_away_does_not_make_the_silent_well(house: House) -> None:
    house.register("alone")
    house.after(TTL)
    house.after(60, late=True)
    assert house.said("alone") is Health.UNHEALTHY
    house.leases.renew("alone")
    house.after(PASS)
    assert house.said("alone") is None


def test_r2_after_a_start_everybody_has_a_full_lease(house: House) -> None:
    """Deadlines are never stored: a store tells who is there, and the clock begins then."""
    house.time.now += 1e6
    house.register("a", "b")
    assert house.after(TTL - 0.1) == []


# -- the wheel ------------------------------------------------------------------------------------------------------


def test_a_shorter_ttl_counts_at_once(house: House) -> None:
    house.register("a", "b", ttl=3600.0)
    house.register("a", ttl=2.0)
    assert house.after(2) == ["a"]


def places(house: House) -> int:
    return sum(map(len, house.leases._wheel.values()))


def test_renewals_leave_one_place_per_lease_in_the_wheel(house: House) -> None:
    names = [f"i{at}" for at in range(50)]
    house.register(*names, ttl=3600.0)
    for _ in range(200):
        house.time.now += 30
        for name in names:
            house.leases.renew(name)
        house.after(0)
        house.register(names[0], ttl=3600.0)
    assert places(house) == len(names)


def test_the_wheel_forgets_those_that_came_and_went(house: House) -> None:
    for at in range(100):
        house.register(f"i{at}", ttl=3600.0)
        house.remove(f"i{at}")
    assert not house.leases._wheel


def test_services_and_routes_have_no_leases(house: House) -> None:
    house.leases.committed([Entry(Ref(Kind.SERVICE, "default/web"), None, None, "api:test")])
    assert house.after(TTL) == []


def test_a_pass_costs_those_that_lapse_and_not_those_that_are_held(house: House) -> None:
    house.register(*[f"i{at}" for at in range(2000)], ttl=3600.0)
    house.register("a", "b", service=ServiceKey("default", "shop"))
    house.time.now += TTL
    house.leases.renew("b")
    assert house.leases._lapsed(house.time.now) == ["a"]
    assert places(house) == 2001
    assert house.intent.members_of(WEB)
