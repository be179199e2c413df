"""Writes ``filters/vectors/breaker/*.json``: what every host of the filter is held to. The form is in docs/breaker.md.

    python filters/make_breaker_vectors.py

Each function below is one scenario and one file. Rust, Python and Envoy read them; none of them writes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from filters.make_vectors import metadata_bytes  # noqa: E402 - the path above comes first
from filters.scenario import Facts, Scenario  # noqa: E402 - as above

OK: Facts = {"code": 200}
BAD: Facts = {"code": 503}
OPEN = {"web/2": "open"}
PROBING = {"web/2": "probing"}


def opened(scenario: Scenario, last: Facts = BAD) -> list[str]:
    """Five failures in a row of version 2, after an answer of version 1; some more users of version 2."""
    scenario.ask(scenario.users("web/1", 1)[0])
    users = scenario.users("web/2", 12)
    for user in users[:4]:
        scenario.ask(user, BAD)
    scenario.ask(users[4], last, states=OPEN)
    return users[5:]


def consecutive() -> Scenario:
    """A good answer ends a run; the fifth failure opens; users of version 2 go elsewhere, others stay."""
    scenario = Scenario("consecutive", {"errors": 0}, envoy=True)
    for user in scenario.users("web/2", 4):
        scenario.ask(user, BAD)
    scenario.ask(scenario.users("web/2", 1)[0], OK)
    rest = opened(scenario)
    for user in [*rest, *rest]:
        scenario.ask(user, action="remap")
    for user in scenario.users("web/1", 5):
        scenario.ask(user)
    return scenario


def ratio() -> Scenario:
    """Half of at least eight answers within ten seconds; older ones do not count."""
    scenario = Scenario("ratio", {"consecutive": 0, "minimum": 8})
    users = scenario.users("web/2", 20)
    scenario.ask(scenario.users("web/1", 1)[0])
    for user in users[:5]:
        scenario.ask(user, BAD)
    scenario.wait(11_000)
    scenario.ask(scenario.users("web/1", 1)[0])
    for number, user in enumerate(users[5:12]):
        scenario.ask(user, BAD if number % 2 else OK)
    scenario.ask(users[12], BAD, states=OPEN)
    scenario.ask(users[13], action="remap")
    return scenario


def slow() -> Scenario:
    """Eighty percent of answers of 100 ms and more."""
    scenario = Scenario("slow", {"minimum": 5, "slow_ms": 100})
    users = scenario.users("web/2", 8)
    scenario.ask(scenario.users("web/1", 1)[0], {"code": 200, "latency_ms": 99})
    scenario.ask(users[0], {"code": 200, "latency_ms": 99})
    for user in users[1:4]:
        scenario.ask(user, {"code": 200, "latency_ms": 100})
    scenario.ask(users[4], {"code": 200, "latency_ms": 5_000}, states=OPEN)
    scenario.ask(users[5], action="remap")
    return scenario


def shared_failure() -> Scenario:
    """What fails in every version cuts off none of them."""
    scenario = Scenario("shared-failure", {}, envoy=True)
    one, two = scenario.users("web/1", 30), scenario.users("web/2", 15)
    for turn in range(15):
        for user in (*one[turn * 2 : turn * 2 + 2], two[turn]):
            scenario.ask(user, BAD)
    return scenario


def shared_later() -> Scenario:
    """Version 2 is out and then version 1 fails as well: version 2 gets its users back."""
    scenario = Scenario("shared-later", {}, envoy=True)
    rest = opened(scenario)
    for user in scenario.users("web/1", 5)[1:]:
        scenario.ask(user, BAD)
    scenario.ask(scenario.users("web/1", 1)[0], BAD, states={"web/2": "closed"})
    scenario.ask(rest[0], BAD)
    return scenario


def only_subset() -> Scenario:
    """The only subset is never cut off."""
    scenario = Scenario("only-subset", {}, split=(("web/1", 10_000),), envoy=True)
    for user in scenario.users("web/1", 30):
        scenario.ask(user, BAD)
    return scenario


def way_back() -> Scenario:
    """Open for a second, one probe at a time, three good ones, a ramp by users, closed."""
    scenario = Scenario("way-back", {"open_ms": 1_000, "ramp_ms": 1_000})
    rest = opened(scenario)
    scenario.wait(750)
    scenario.ask(rest[0], action="remap")
    scenario.wait(250)
    scenario.ask(rest[0], action="probe", states=PROBING, stays_open="first")
    scenario.ask(rest[1], action="remap")
    scenario.wait(100)
    scenario.end("first", OK)
    scenario.ask(rest[1], OK, action="probe")
    scenario.ask(rest[2], OK, action="probe", states={"web/2": "ramp"})
    scenario.wait(150)
    early, middle, late = (scenario.users("web/2", 1, low, low + 5)[0] for low in (0, 30, 90))
    for passed in range(5):
        for user, since in ((early, 0), (middle, 2), (late, 4)):
            scenario.ask(user, action="go" if passed >= since else "remap")
        scenario.wait(1_000)
    scenario.wait(0, {"web/2": "closed"})
    scenario.ask(late)
    return scenario


def bad_probes() -> Scenario:
    """Two bad probes open again for twice as long; a failure in the ramp for four times."""
    scenario = Scenario("bad-probes", {"open_ms": 1_000, "ramp_ms": 1_000})
    rest = opened(scenario)
    scenario.wait(1_000)
    scenario.ask(rest[0], OK, action="probe", states=PROBING)
    scenario.ask(rest[1], BAD, action="probe")
    scenario.ask(rest[2], {"code": 429}, action="probe", states=OPEN)
    scenario.wait(1_750)
    scenario.ask(rest[0], action="remap")
    scenario.wait(250)
    scenario.ask(rest[0], OK, action="probe", states=PROBING)
    scenario.ask(rest[1], OK, action="probe")
    scenario.ask(rest[2], OK, action="probe", states={"web/2": "ramp"})
    early = scenario.users("web/2", 5, 0, 10)
    scenario.ask(scenario.users("web/1", 1)[0])
    for user in early[:4]:
        scenario.ask(user, BAD)
    scenario.ask(early[4], BAD, states=OPEN)
    scenario.wait(3_750)
    scenario.ask(rest[0], action="remap")
    scenario.wait(250)
    scenario.ask(rest[0], OK, action="probe", states=PROBING)
    return scenario


def lost_probe() -> Scenario:
    """A probe that is not answered gives up its lease after five seconds; one whose client left, at once."""
    scenario = Scenario("lost-probe", {"open_ms": 1_000})
    rest = opened(scenario)
    scenario.wait(1_000)
    scenario.ask(rest[0], action="probe", states=PROBING, stays_open="lost")
    scenario.wait(4_750)
    scenario.ask(rest[1], action="remap")
    scenario.wait(250)
    scenario.ask(rest[1], {"code": 0, "flags": 1 << 14}, action="probe")
    scenario.ask(rest[2], action="probe", stays_open="held")
    scenario.end("lost", OK)
    scenario.ask(rest[3], action="remap")
    scenario.end("held", OK)
    scenario.ask(rest[3], OK, action="probe", states={"web/2": "ramp"})
    return scenario


def evidence() -> Scenario:
    """What is neutral, what counts in the ratio alone, and failures that have no status of their own."""
    scenario = Scenario("evidence", {"consecutive": 3, "errors": 0})
    users = scenario.users("web/2", 20)
    scenario.ask(scenario.users("web/1", 1)[0])
    for flag in (3, 7, 8, 9, 10, 11, 12, 14, 17, 18, 22, 28):
        scenario.ask(users[flag % 20], {"code": 503, "flags": 1 << flag})
    for _ in range(4):
        scenario.ask(users[0], {"code": 429})
        scenario.ask(users[1], {"code": 200, "grpc": 8})
        scenario.ask(users[2], {"code": 404})
    scenario.ask(users[3], {"code": 200, "grpc": 14})
    scenario.ask(users[4], {"code": 503, "flags": 1 << 5})
    scenario.ask(users[5], {"code": 504, "flags": 1 << 2}, states=OPEN)
    return scenario


def retried() -> Scenario:
    """Tries before the last one failed, and count for the subset that was assigned; the last one only if it stayed."""
    scenario = Scenario("retried", {"errors": 0})
    users = scenario.users("web/2", 10)
    scenario.ask(scenario.users("web/1", 1)[0])
    scenario.ask(users[0], {"code": 200, "attempts": 3, "cluster": "web/2"})
    scenario.ask(users[1], {"code": 200, "attempts": 3, "cluster": "web/1"})
    scenario.ask(users[2], {"code": 200, "attempts": 2, "cluster": "web/1"})
    scenario.ask(users[3], {"code": 503, "attempts": 2, "cluster": "web/2"}, states=OPEN)
    return scenario


def whole_service() -> Scenario:
    """A rule for the service answers 503 when nothing is left; an upstream's retry-after keeps it open for longer."""
    rule: Facts = {"service": True, "consecutive": 2, "open_ms": 1_000}
    scenario = Scenario("whole-service", rule, split=(("web/1", 10_000),))
    users = scenario.users("web/1", 8)
    scenario.ask(users[0], BAD)
    scenario.ask(users[1], {"code": 503, "retry_after": 3}, states={"web/1": "open"})
    scenario.ask(users[2], action="reject")
    scenario.wait(2_750)
    scenario.ask(users[3], action="reject")
    scenario.wait(250)
    scenario.ask(users[3], OK, action="probe", states={"web/1": "probing"})
    return scenario


def three_versions() -> Scenario:
    """Users of one that is out are spread over the others by weight, and a cluster may own several segments."""
    split = (("web/1", 5_000), ("web/2", 2_000), ("web/3", 2_000), ("web/1", 1_000))
    scenario = Scenario("three-versions", {}, split=split, envoy=True)
    rest = opened(scenario)
    for user in rest:
        scenario.ask(user, action="remap")
    for user in (*scenario.users("web/3", 3), *scenario.users("web/1", 3)):
        scenario.ask(user)
    return scenario


def forced() -> Scenario:
    """An operator holds one version out and another one in."""
    scenario = Scenario("forced", {"force": {"web/1": "closed", "web/2": "open"}})
    one, two = scenario.users("web/1", 8), scenario.users("web/2", 2)
    scenario.ask(one[0], BAD)
    scenario.ask(two[0], action="remap")
    scenario.wait(250, {"web/1": "forced_closed", "web/2": "forced_open"})
    for user in one:
        scenario.ask(user, BAD)
    scenario.ask(two[1], action="remap")
    return scenario


SCENARIOS = (
    consecutive,
    ratio,
    slow,
    shared_failure,
    shared_later,
    only_subset,
    way_back,
    bad_probes,
    lost_probe,
    evidence,
    retried,
    whole_service,
    three_versions,
    forced,
)


def text(scenario: Scenario) -> str:
    """A scenario's file: one line for each step."""
    facts = scenario.facts()
    head = {
        "name": scenario.name,
        "envoy": scenario.envoy,
        "facts": facts,
        "metadata_hex": metadata_bytes({"fairlead": facts}).hex(),
    }
    lines = ",\n".join(f"  {json.dumps(step)}" for step in scenario.steps)
    return json.dumps(head, indent=1).removesuffix("\n}") + f',\n "steps": [\n{lines}\n ]\n}}\n'


def main() -> None:
    """The command."""
    for make in SCENARIOS:
        scenario = make()
        (HERE / "vectors" / "breaker" / f"{scenario.name}.json").write_text(text(scenario), encoding="utf-8")


if __name__ == "__main__":
    main()
