"""What each container of an engine comes to, in whatever order words arrive (M01, M05, M08, M11; D1, D2)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.unit.docker.engine_said import CART, WEB, WEB_ID, Story, event, facts, inspection, line, running
from xds.labels.describe import Claims
from xds.labels.dialect import Dialect, Reading
from xds.model.fusion import SILENT
from xds.model.health import Health
from xds.model.signal import Signal
from xds.sources.docker.addresses import Standpoint
from xds.sources.docker.facts import read_facts
from xds.sources.docker.stream import Event

AT = {WEB_ID: "172.17.0.2"}


# -------------------------------------------------------------------------------------------------------- on the way in
def test_a_container_is_registered_once_it_has_answered_twice() -> None:
    story = Story().runs(facts())
    story.listed(WEB)
    assert story.told == {}
    story.passes(0.2)
    assert story.told == AT


def test_one_that_takes_ten_seconds_to_boot_is_not_registered_a_moment_before() -> None:
    story = Story().runs(facts())
    story.good.clear()
    story.listed(WEB)
    story.passes(10)
    assert story.told == {}
    assert "nobody listens there" in story.containers.states()["web"]
    story.good.add("172.17.0.2")
    story.passes(1)
    assert story.told == AT


def test_an_answer_that_is_not_followed_by_another_does_not_count() -> None:
    story = Story().runs(facts())
    story.listed(WEB)
    story.passes(0.01)  # one good answer
    story.good.clear()
    story.passes(0.05)
    story.good.add("172.17.0.2")
    story.passes(0.05)
    assert story.told == {}
    story.passes(0.06)
    assert story.told == AT


def test_a_place_from_which_nobody_answers_holds_up_no_other_one() -> None:
    """A network that cannot be reached from here is silent for as long as anybody waits."""
    story = Story().runs(facts(networks={"front": "10.1.0.2", "gone": "10.2.0.2"}))
    story.silent.add("10.2.0.2")
    story.good.clear()
    story.listed(WEB)
    story.passes(0.5)
    story.good.add("10.1.0.2")
    story.passes(0.15)
    assert story.told == {WEB_ID: "10.1.0.2"}
    told = story.containers.registered()[WEB].instance.metadata["docker.rejected"]
    assert told.startswith("10.2.0.2 (network gone): no answer yet")


def test_a_better_place_is_given_the_time_to_answer() -> None:
    story = Story(stand=Standpoint(networks=("gone",)))
    story.runs(facts(networks={"front": "10.1.0.2", "gone": "10.2.0.2"}))
    story.silent.add("10.2.0.2")
    story.listed(WEB)
    story.passes(0.5)
    assert story.told == {}
    story.silence_ends("no answer on port 8080 within 1 s")
    assert story.told == {WEB_ID: "10.1.0.2"}


def test_a_healthcheck_of_the_image_is_waited_for() -> None:
    story = Story().runs(facts(health="starting"))
    story.listed(WEB)
    story.passes(60)
    assert story.told == {}
    story.engine[WEB] = facts(health="healthy")
    story.hears(event("health_status: healthy"))
    story.passes(0.1)
    assert story.told == AT


def test_without_any_check_it_is_registered_as_soon_as_it_runs() -> None:
    story = Story().runs(facts(labels={"fairlead.service": "web", "fairlead.health.tcp": "false"}))
    story.good.clear()
    story.listed(WEB)
    assert story.told == AT


def test_who_did_not_opt_in_is_not_even_inspected() -> None:
    containers = Story().containers
    containers.listed([replace(line(), labels={"com.example": "x"})], afresh=True)
    containers.event(Event("start", CART, 1), 0.0)
    assert containers.effects() == []


def test_a_label_may_only_claim_what_the_host_may() -> None:
    story = Story(reading=Reading(Claims(services=frozenset({"cart"})))).runs(facts())
    story.listed(WEB)
    story.passes(1)
    assert story.told == {}
    assert "may not register instances of 'web'" in story.containers.states()["web"]


TRAEFIKS = {
    "traefik.http.routers.web.rule": "PathPrefix(`/v1`)",
    "traefik.http.routers.web.entrypoints": "websecure",
    "traefik.http.services.web.loadbalancer.server.port": "8080",
    "traefik.http.services.web.loadbalancer.server.weight": "many",
    "com.docker.compose.service": "web",
}


def test_labels_of_another_tool_are_read_where_that_is_switched_on_and_what_did_not_map_is_told() -> None:
    quiet = Story().runs(facts(labels=TRAEFIKS))
    quiet.containers.listed([replace(line(), labels=TRAEFIKS)], afresh=True)
    assert quiet.containers.effects() == []
    story = Story(reading=Reading(dialects=(Dialect.TRAEFIK,))).runs(facts(labels=TRAEFIKS))
    story.containers.listed([replace(line(), labels=TRAEFIKS)], afresh=True)
    story.settle()
    story.passes(1)
    assert story.told == AT
    told = story.containers.registered()[WEB].instance
    assert told.labels["fairlead.route.web.rule"] == "PathPrefix(`/v1`)"
    for words in (story.containers.states()["web"], told.metadata["docker.problems"]):
        assert "routers.web.entrypoints: did not map: a gateway serves routes by their hosts" in words
        assert "/labels/traefik.http.services.web.loadbalancer.server.weight: " in words


def test_registrators_words_in_the_environment_describe_a_container_and_the_rest_of_it_is_not_kept() -> None:
    said = inspection(labels={})
    said["Config"]["Env"] = ["SERVICE_NAME=web", "SERVICE_TAGS=blue", "PASSWORD=secret", "odd", 7]
    known = read_facts(said)
    assert known.env == {"SERVICE_NAME": "web", "SERVICE_TAGS": "blue"}
    story = Story(reading=Reading(dialects=(Dialect.REGISTRATOR,))).runs(known)
    story.containers.listed([replace(line(), labels={})], afresh=True)
    story.settle()
    story.passes(1)
    assert story.told == AT
    assert story.containers.registered()[WEB].instance.labels["tag.blue"] == "true"


# ------------------------------------------------------------------------------------------------------- on the way out
def test_a_stop_withdraws_at_once_and_before_the_end() -> None:
    story = running()
    story.hears(event("kill", signal=15))
    assert story.told == {}
    assert story.words[-1].endswith("it was asked to stop (signal 15)")


@pytest.mark.parametrize("signal", [1, 10, 12, 28])
def test_a_signal_that_asks_for_no_end_changes_nothing(signal: int) -> None:
    story = running()
    story.hears(event("kill", signal=signal))
    assert story.told == AT


def test_the_images_own_stop_signal_is_a_stop() -> None:
    story = running(replace(facts(), stops_by=frozenset({15, 28})))
    story.hears(event("kill", signal=28))
    assert story.told == {}


def test_a_container_that_outlives_its_stop_is_proven_anew() -> None:
    story = running()
    story.hears(event("kill", signal=15))
    story.passes(11)
    assert story.told == {}
    story.passes(2)
    assert story.told == AT


def test_a_longer_drain_is_waited_for() -> None:
    story = running(facts(labels={"fairlead.service": "web", "fairlead.drain": "30s"}))
    story.hears(event("kill", signal=15))
    story.passes(31)
    assert story.told == {}


def test_a_death_withdraws_at_once_though_the_engine_still_says_that_it_runs() -> None:
    story = running()
    story.hears(event("die"))
    assert story.told == {}
    story.passes(1.9)
    assert story.told == {}


def test_a_death_that_only_the_kernel_tells_withdraws_at_once() -> None:
    story = running()
    story.containers.died(WEB, 4711, story.now)
    story.settle()
    story.passes(60)  # the engine hangs, and has not noticed
    assert story.words[-1] == f"-{WEB_ID}: its process ended"


def test_the_death_of_another_process_is_none_of_its() -> None:
    story = running()
    story.containers.died(WEB, 4712, story.now)
    story.settle()
    assert story.told == AT


@pytest.mark.parametrize("started", [0.5, 1.5])
def test_t1_an_engine_whose_clock_was_set_back_is_believed_a_moment_later(started: float) -> None:
    """It says that the container runs since before its death, and goes on saying so."""
    story = running()
    story.hears(event("die", at=2.0))
    story.runs(facts(started=started))
    story.hears(event("start", at=started))
    story.passes(1.0)
    assert story.told == {}
    story.passes(2.0)
    assert story.told == AT


def test_a_pause_withdraws_and_its_end_brings_back() -> None:
    story = running()
    story.engine[WEB] = facts(Paused=True)
    story.hears(event("pause"))
    assert story.told == {}
    story.engine[WEB] = facts()
    story.hears(event("unpause"))
    story.passes(0.2)
    assert story.told == AT


# ------------------------------------------------------------------------------- whatever order, whatever is lost
def test_a_restart_is_a_new_incarnation() -> None:
    story = running()
    before = story.containers.registered()[WEB].instance.epoch
    story.engine[WEB] = facts(started=3.0)
    story.hears(event("die", at=2.0), event("start", at=3.0))
    story.passes(0.2)
    assert story.told == AT
    assert story.containers.registered()[WEB].instance.epoch == before + 2_000_000


def test_a_death_that_comes_late_does_not_concern_the_life_after_it() -> None:
    story = running(facts(started=3.0))
    story.hears(event("die", at=2.0), event("kill", at=1.9, signal=15), event("die", at=2.0))
    assert story.told == AT
    assert len(story.words) == 1


def test_a_stop_that_was_heard_before_the_inspection_still_counts() -> None:
    story = Story().runs(facts())
    story.containers.event(event("start", at=1.0), story.now)
    story.hears(event("kill", at=1.5, signal=15))
    story.passes(5)
    assert story.told == {}


def test_a_container_that_a_list_lacks_is_asked_for_before_it_is_believed() -> None:
    other = facts(CART, networks={"bridge": "172.17.0.3"})
    story = running(facts(), other)
    assert len(story.told) == 2
    story.listed(CART, afresh=False)
    assert len(story.told) == 2, "the engine still says that it runs"
    story.engine[WEB] = None
    story.listed(CART, afresh=False)
    assert story.told == {f"web-{CART[:12]}": "172.17.0.3"}


def test_an_empty_list_is_believed_when_it_was_seen_twice() -> None:
    story = running()
    story.engine[WEB] = None
    assert not story.listed()
    assert story.told == AT
    assert story.listed()
    assert story.told == {}


def test_a_list_between_two_empty_ones_takes_the_doubt_away() -> None:
    story = running()
    assert not story.listed()
    assert story.listed(WEB)
    assert not story.listed()


def test_a_start_that_nobody_told_of_is_seen_in_the_next_list() -> None:
    story = running()
    story.runs(facts(CART, networks={"bridge": "172.17.0.3"}))
    story.listed(WEB, CART, afresh=False)
    story.passes(0.2)
    assert len(story.told) == 2


def test_a_restart_that_nobody_told_of_is_seen_after_a_reconnect() -> None:
    story = running()
    story.engine[WEB] = facts(started=9.0, networks={"bridge": "172.17.0.9"})
    story.good = {"172.17.0.9"}
    story.listed(WEB)
    story.passes(0.2)
    assert story.told == {WEB_ID: "172.17.0.9"}


def test_an_inspection_that_fails_costs_nothing_and_is_made_again() -> None:
    story = running()
    good, story.engine[WEB] = story.engine[WEB], "500 for it"
    story.listed(WEB)
    assert story.told == AT
    story.engine[WEB] = good
    story.passes(1.1)
    assert story.containers.states()["web"].startswith("registered")


def test_one_inspection_of_forty_that_fails_leaves_thirty_nine() -> None:
    many = [replace(facts(networks={"bridge": f"172.17.1.{n}"}), id=f"{n:02x}" * 32, name=f"w{n}") for n in range(40)]
    story = Story().runs(*many)
    story.engine[many[7].id] = "500 for it"
    story.listed(*(each.id for each in many))
    story.passes(0.5)
    assert len(story.told) == 39
    story.engine[many[7].id] = many[7]
    story.passes(5)
    assert len(story.told) == 40


@pytest.mark.parametrize("seed", range(25))
def test_doubled_lost_and_shuffled_events_end_where_the_engine_stands(seed: int) -> None:
    """D1: whatever arrives, the list and the inspections after it decide."""
    chance = random.Random(seed)
    story = running(facts(started=1.0))
    life = 5.0 if chance.random() < 0.5 else 0.0
    story.engine[WEB] = facts(started=life) if life else facts(Running=False)
    said = [event("kill", at=2.0, signal=15), event("die", at=2.1), event("die", at=2.1), event("start", at=5.0)]
    chance.shuffle(said)
    story.hears(*said[: chance.randrange(5)])
    story.listed(*([WEB] if life else []))
    story.listed(*([WEB] if life else []))
    story.passes(30)
    assert story.told == (AT if life else {})


# --------------------------------------------------------------------------------------------------------- what changes
def test_a_network_that_is_left_takes_the_address_with_it() -> None:
    story = running(facts(networks={"front": "10.1.0.2"}))
    story.engine[WEB] = facts(networks={"back": "10.2.0.2"})
    story.good = {"10.2.0.2"}
    story.hears(event("disconnect"))
    assert story.told == {}
    story.passes(0.2)
    assert story.told == {WEB_ID: "10.2.0.2"}


def test_another_name_is_told_and_nothing_else_happens() -> None:
    story = running()
    story.engine[WEB] = replace(facts(), name="shop")
    story.hears(event("rename"))
    assert story.words == [f"+{WEB_ID}", f"+{WEB_ID}"]
    assert story.containers.registered()[WEB].instance.metadata["docker.container"] == "shop"


def test_a_network_that_is_joined_later_leaves_a_good_address_alone() -> None:
    story = running(facts(networks={"front": "10.1.0.2"}))
    story.engine[WEB] = facts(networks={"front": "10.1.0.2", "back": "10.2.0.2"})
    story.hears(event("connect"))
    assert story.words == [f"+{WEB_ID}"]


def test_a_network_that_is_joined_later_brings_in_who_had_no_address() -> None:
    story = Story(stand=Standpoint(networks=("front",))).runs(facts(networks={}))
    story.listed(WEB)
    story.runs(facts(networks={"front": "10.1.0.2"}))
    story.hears(event("connect"))
    story.passes(0.2)
    assert story.told == {WEB_ID: "10.1.0.2"}


def test_who_uses_anothers_network_goes_and_comes_with_it() -> None:
    pause = replace(facts(CART, labels={}, networks={"front": "10.1.0.7"}), name="pause")
    story = Story().runs(pause, facts(mode=f"container:{CART}", networks={}))
    story.listed(WEB)
    story.passes(0.2)
    assert story.told == {WEB_ID: "10.1.0.7"}
    story.engine[CART] = replace(pause, running=False)
    story.hears(event("die", CART))
    assert story.told == {}
    story.engine[CART] = replace(pause, started=9_000_000)
    story.hears(event("start", CART, at=9.0))
    story.passes(0.2)
    assert story.told == {WEB_ID: "10.1.0.7"}


def test_who_uses_the_network_of_one_that_cannot_be_inspected_waits_for_it() -> None:
    pause = facts(CART, labels={}, networks={"front": "10.1.0.7"})
    story = Story().runs(facts(mode=f"container:{CART}", networks={}), pause)
    story.engine[CART] = "500"
    story.listed(WEB)
    story.passes(0.5)
    assert story.containers.states() == {"web": f"waits for the engine's word on the container {CART[:12]}"}
    story.engine[CART] = pause
    story.passes(2)
    assert story.told == {WEB_ID: "10.1.0.7"}


def test_a_network_whose_container_was_removed_is_asked_for_once() -> None:
    """Its processes may go on in it; they are reached by nobody."""
    shared = facts(mode=f"container:{CART}", networks={})
    story = running(facts(CART, labels={}, networks={"front": "10.1.0.7"}), shared)
    assert story.told == {WEB_ID: "10.1.0.7"}
    story.engine[CART] = None
    story.hears(event("destroy", CART))
    story.listed(WEB)
    story.passes(60)
    assert story.told == {}
    assert "that container does not run" in story.containers.states()["web"]


# ------------------------------------------------------------------------------------------- the engine's own check
def test_a_healthcheck_that_turns_unhealthy_is_a_word_and_withdraws_nobody() -> None:
    """M04: who decides is the control plane, which has other words to weigh it with."""
    story = running(facts(health="healthy"))
    failed = [{"ExitCode": 0, "Output": "ok"}, {"ExitCode": 1, "Output": "\nno \x1b[31mdatabase\nstack..."}]
    story.engine[WEB] = facts(health="unhealthy", log=failed)
    story.hears(event("health_status: unhealthy"), event("health_status: unhealthy"))
    assert story.told == AT
    ill = Signal(Health.UNHEALTHY, "its HEALTHCHECK says unhealthy: no ?[31mdatabase")
    well = Signal(Health.HEALTHY, "its HEALTHCHECK says healthy")
    assert story.reports == [(WEB_ID, well), (WEB_ID, ill)]
    assert story.containers.states()["web"].endswith("; its HEALTHCHECK says unhealthy: no ?[31mdatabase")
    story.engine[WEB] = facts(health="healthy")
    story.hears(event("health_status: healthy"))
    assert story.reports[-1] == (WEB_ID, well)


def test_a_healthcheck_without_an_end_is_said_to_be_silent() -> None:
    story = running(facts(health="healthy"))
    late = [{"ExitCode": -1, "Output": "Health check exceeded timeout (1s)"}]
    story.engine[WEB] = facts(health="unhealthy", log=late)
    story.hears(event("health_status: unhealthy"))
    why = "its HEALTHCHECK comes to no end: Health check exceeded timeout (1s)"
    assert story.reports[-1][1] == Signal(Health.UNHEALTHY, why, {SILENT: 1.0})


def test_an_ill_container_that_an_earlier_agent_registered_is_spoken_of_and_one_that_starts_is_not() -> None:
    story = Story().runs(facts(health="unhealthy"), facts(CART, health="starting"))
    story.listed(WEB, CART)
    story.passes(60)
    assert story.told == {}
    assert [(member, word.health) for member, word in story.reports] == [(WEB_ID, Health.UNHEALTHY)]


def test_an_ill_container_that_moves_is_out_until_it_is_well() -> None:
    story = running(facts(health="healthy"))
    story.engine[WEB] = facts(health="unhealthy", networks={"bridge": "172.17.0.9"})
    story.good.add("172.17.0.9")
    story.hears(event("disconnect"))
    story.passes(5)
    assert story.told == {}
    story.engine[WEB] = facts(health="healthy", networks={"bridge": "172.17.0.9"})
    story.hears(event("health_status: healthy"))
    story.passes(1)
    assert story.told == {WEB_ID: "172.17.0.9"}


def test_a_healthcheck_that_labels_ignore_has_no_word() -> None:
    story = running(facts(labels={"fairlead.service": "web", "fairlead.health.docker": "ignore"}, health="unhealthy"))
    assert (story.told, story.reports) == (AT, [])


def test_the_port_of_the_host_in_place_of_its_own_is_found_before_traffic() -> None:
    """M20."""
    mapped = {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}]}
    story = Story().runs(facts(labels={"fairlead.service": "web", "fairlead.port": "18080"}, ports=mapped))
    story.good.clear()
    story.listed(WEB)
    story.passes(1)
    assert story.told == {}
    assert "port default is 18080, which is the host's; inside the container it is 8080" in str(
        story.containers.states()["web"]
    )


def test_what_was_chosen_and_what_was_not_goes_with_the_instance() -> None:
    """M09."""
    story = running(
        facts(networks={"back": "10.2.0.2", "front": "10.1.0.2"}), stand=Standpoint(networks=("front",)), host="h1"
    )
    metadata = story.containers.registered()[WEB].instance.metadata
    assert metadata["docker.address"] == "10.1.0.2: network front"
    assert metadata["docker.host"] == "h1"
    assert metadata["docker.rejected"].startswith("10.2.0.2 (network back): answers, too; published: port 8080 is not")
