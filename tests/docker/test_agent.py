"""The agent on a real Docker Engine and a real control plane (rows M01 to M50 of its kind, D1 to D4)."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.docker.host import Host
from tests.harness.certificates import make_certificates
from tests.harness.docker_engine import IMAGE, DockerEngine
from tests.harness.load import Load, ask, request
from tests.harness.plane import Plane
from tests.harness.processes import Programs
from tests.harness.waiting import wait_until
from xds.model.instance import Address
from xds.sources.docker.endpoint import Endpoint
from xds.sources.docker.engine import ALLOWED, Engine, EngineError

WEB: Final = {"fairlead.service": "web", "fairlead.port": "8080", "fairlead.version": "v1"}


def _asked(instance: dict[str, Any]) -> str:
    """What answers where an instance is registered."""
    place = Address(instance["address"], instance["port"])
    return httpx.get(f"http://{place}/", timeout=5, trust_env=False).text.strip()


def test_every_network_mode_is_registered_where_it_really_answers(
    host: Host, engine: DockerEngine, free_port: Callable[[], int]
) -> None:
    """M09: what answers at the registered address is the container itself."""
    port = free_port()
    engine.docker("network", "create", "front")
    engine.docker("network", "create", "back")
    engine.run("plain")
    engine.run("shown", "-p", "127.0.0.1::8080")
    engine.run("own", "--network=front")
    engine.run("two", "--network=front", labels={**WEB, "fairlead.network": "back"})
    engine.docker("network", "connect", "back", "two")
    shown, published = ("-p", "127.0.0.1::8080"), {**WEB, "fairlead.address": "published"}
    engine.run("published", *shown, labels=published)
    engine.run("everywhere", "-p", "8080", labels=published)
    engine.run("own-shown", "--network=front", *shown)
    engine.run("own-published", "--network=front", *shown, labels=published)
    engine.run("hosts", "--network=host", *shown, labels={**WEB, "fairlead.port": str(port)}, LISTEN=port)
    engine.run("joined", "--network=container:own", labels={**WEB, "fairlead.port": "8081"}, LISTEN=8081)
    engine.run("none", "--network=none")
    engine.run("behind", labels={**WEB, "fairlead.ingress": "15006"}, LISTEN=15006)
    on_the_host = ("published", "everywhere", "own-published", "hosts")
    inside = ("plain", "shown", "own", "own-shown", "two", "joined")
    names = (*on_the_host, *inside)
    found = host.awaits(*names, "behind")
    assert (found["behind"]["port"], found["behind"]["ingress"]) == (8080, f"{found['behind']['address']}:15006")
    assert {name: _asked(found[name]) for name in names} == {name: name for name in names}
    assert found["two"]["metadata"]["docker.address"].endswith("network back")
    assert {found[name]["address"] for name in on_the_host} == {"127.0.0.1"}
    assert "127.0.0.1" not in {found[name]["address"] for name in inside}
    assert found["joined"]["address"] == found["own"]["address"]
    host.says("none", "it has no network")
    engine.docker("rm", "-f", "own")  # and its network with it
    host.says("joined", "that container does not run")


def test_every_way_to_publish_is_found_and_what_leads_nowhere_is_said(host: Host, engine: DockerEngine) -> None:
    """M09: -P, two bindings, IPv6, a sidecar in the network of a container that publishes it, a port of UDP alone."""
    published = {**WEB, "fairlead.address": "published"}
    exposed = {name: value for name, value in published.items() if name != "fairlead.port"}
    engine.run("exposed", "--expose=8080", "-P", labels=exposed)
    engine.run("twice", "-p", "127.0.0.1::8080", "-p", "127.0.0.2::8080", labels=published)
    engine.docker("network", "create", "--ipv6", "--subnet=fd00:f1:ead::/64", "six")
    engine.run("six", "--network=six")
    engine.run("loopback6", "--network=six", "-p", "[::1]::8080", labels=published)
    engine.run("datagrams", "-p", "127.0.0.1::8080/udp", labels=published)
    engine.run("holder", "-p", "127.0.0.1::15006", labels={})
    engine.run("guest", "--network=container:holder", labels={**published, "fairlead.ingress": "15006"}, LISTEN=15006)
    names = ("exposed", "twice", "six", "loopback6")
    found = host.awaits(*names, "guest")
    sidecar = Address.parse(found["guest"]["ingress"], pointer="")
    assert _asked({"address": sidecar.host, "port": sidecar.port}) == "guest"
    assert (sidecar.host, sidecar.port != 15006, found["guest"]["port"]) == ("127.0.0.1", True, 8080)
    assert {name: _asked(found[name]) for name in names} == {name: name for name in names}
    assert (found["exposed"]["address"], found["loopback6"]["address"]) == ("127.0.0.1", "::1")
    rejected = {name: each["metadata"].get("docker.rejected", "") for name, each in found.items()}
    assert re.search(r"127\.0\.0\.[12] \(published on .*\): answers, too", rejected["twice"])
    (six,) = re.findall(r"(fd00:f1:ead::\d+) \(network six\)", rejected["six"])  # IPv4 goes first
    assert _asked({"address": six, "port": 8080}) == "six"
    host.says("datagrams", "published: port 8080 is not")


def test_a_stop_withdraws_before_the_end(host: Host, engine: DockerEngine) -> None:
    engine.run("slow", LINGER=3)
    host.awaits("slow")
    with ThreadPoolExecutor(1) as beside:
        stopping = beside.submit(engine.docker, "stop", "-t", "20", "slow")
        host.awaits()
        assert engine.docker("inspect", "-f", "{{.State.Running}}", "slow") == "true"
        stopping.result(30)


def test_a_killed_container_is_gone_and_its_next_life_is_another(host: Host, engine: DockerEngine) -> None:
    engine.run("again", "--restart=always", labels={**WEB, "fairlead.health.healthy": "5"})
    before = host.awaits("again")["again"]
    os.kill(engine.pid("again"), signal.SIGKILL)
    after = wait_until(
        lambda: found if (found := host.registered().get("again", before))["epoch"] > before["epoch"] else None, 30
    )
    assert after["id"] == before["id"]


def test_a_death_is_known_while_the_engine_hangs(host: Host, engine: DockerEngine) -> None:
    """M50: the kernel tells of it."""
    engine.run("silent")
    host.awaits("silent")
    process = engine.pid("silent")
    engine.freeze()
    try:
        os.kill(process, signal.SIGKILL)
        host.awaits()
    finally:
        engine.thaw()


def test_nobody_is_registered_before_it_answers(host: Host, engine: DockerEngine) -> None:
    """M05."""
    engine.run("checked", "--health-cmd=[ -s /www/well ]", "--health-interval=1s", "--health-retries=1")
    engine.run("wrong", labels={**WEB, "fairlead.port": "18080"})
    engine.run("there")
    host.awaits("there")
    engine.run("booting", BOOT=3)
    wait_until(lambda: re.search("booting: not ready: .*nobody listens there", host.output()), 20)
    host.says("checked", "waits for its HEALTHCHECK")
    host.says("wrong", "port 18080: nobody listens there")
    engine.docker("exec", "checked", "sh", "-c", "echo > /www/well")
    found = host.awaits("there", "booting", "checked")
    assert _asked(found["booting"]) == "booting"
    engine.docker("exec", "checked", "sh", "-c", "> /www/well")
    path = f"instances/{found['checked']['id']}"
    ill: Any = wait_until(lambda: said if (said := host.plane.get(path))["health"] == "unhealthy" else None, 20)
    assert ill["verdict"]["decided_by"] == "runtime", "it stays registered, and its engine's word is heard"


def test_the_hosts_port_in_place_of_its_own_is_explained(
    host: Host, engine: DockerEngine, free_port: Callable[[], int]
) -> None:
    """M20."""
    port = free_port()
    engine.run("mapped", "-p", f"127.0.0.1:{port}:8080", labels={**WEB, "fairlead.port": str(port)})
    host.says("mapped", f"port default is {port}, which is the host's; inside the container it is 8080")
    assert host.registered() == {}


def test_other_labels_come_with_the_next_container(host: Host, engine: DockerEngine) -> None:
    """M11."""
    engine.run("app")
    host.awaits("app")
    engine.docker("rm", "-f", "app")
    engine.run("app", labels={**WEB, "fairlead.version": "v2", "fairlead.weight": "7"})
    found = wait_until(lambda: now if (now := host.registered().get("app", {})).get("version") == "v2" else None, 30)
    assert found["weight"] == 7
    assert len(host.registered()) == 1


def test_pauses_and_networks_change_what_is_registered(host: Host, engine: DockerEngine) -> None:
    engine.docker("network", "create", "later")
    engine.run("moving", labels={**WEB, "fairlead.meta.team": "shop"})
    host.awaits("moving")
    engine.docker("pause", "moving")
    host.awaits()
    engine.docker("unpause", "moving")
    host.awaits("moving")
    engine.docker("rename", "moving", "moved")
    before = host.awaits("moved")["moved"]
    engine.docker("network", "connect", "later", "moved")
    engine.docker("network", "disconnect", "bridge", "moved")
    after = wait_until(
        lambda: now if (now := host.registered().get("moved", before))["address"] != before["address"] else None, 30
    )
    assert (_asked(after), after["metadata"]["team"]) == ("moving", "shop")


def test_labels_that_are_none_cost_their_container_only(host: Host, engine: DockerEngine) -> None:
    """D3, on a real engine."""
    engine.run("good")
    bad = {
        "lines": {**WEB, "fairlead.service": "web\nweb2"},
        "bidi": {**WEB, "fairlead.service": "we\u202eb"},
        "weight": {**WEB, "fairlead.port": "70000"},
        "template": {**WEB, "fairlead.service": "{{ .Service }}"},
    }
    for name, labels in bad.items():
        engine.run(name, labels=labels)
    heavy = [f"--label=x{n}={'y' * 100_000}" for n in range(15)]
    vast = engine.docker("create", "--name=vast", "--label=fairlead.service=web", *heavy, IMAGE, "sleep", "60")
    engine.docker("start", vast)
    engine.run("facet", labels={**WEB, "fairlead.weight": "NaN"})
    found = host.awaits("good", "facet")
    assert "fairlead.weight" in found["facet"]["metadata"]["docker.problems"]
    for name in (*bad, "vast"):
        host.says(name, "refused")


def test_a_restart_of_the_engine_loses_nothing_and_misses_nothing(host: Host, engine: DockerEngine) -> None:
    """D1: what ends and starts while nobody listens is known afterwards, and who goes on is never withdrawn."""
    engine.run("stays")
    engine.run("ends")
    before = host.awaits("stays", "ends")["stays"]
    engine.stop()
    engine.start()
    engine.docker("rm", "-f", "ends")
    engine.run("comes")
    found = host.awaits("stays", "comes")
    assert found["stays"]["revision"] == before["revision"], "it was not registered anew"
    host.recorder.cut()
    engine.run("late")
    host.awaits("stays", "comes", "late")


def test_nothing_is_lost_while_the_control_plane_is_away(host: Host, engine: DockerEngine) -> None:
    """M28, with a restart of the agent in between."""
    engine.run("old")
    engine.run("stays")
    host.awaits("old", "stays")
    host.plane.kill()
    engine.docker("rm", "-f", "old")
    engine.run("new")
    host.says("new", "registered at")
    assert host.agent is not None
    wait_until(lambda: '"control_plane": "http' in (host.folder / "agent" / "status.json").read_text(), 20)
    host.agent.kill()
    engine.run("newer")
    host.start_agent()
    host.plane.start()
    host.awaits("stays", "new", "newer")


def test_an_agent_that_ends_withdraws_nothing_and_the_next_one_takes_over(host: Host, engine: DockerEngine) -> None:
    engine.run("goes")
    engine.run("stays")
    before = host.awaits("goes", "stays")["stays"]
    assert host.agent is not None
    assert host.agent.stop() == 0
    assert host.registered().keys() == {"goes", "stays"}
    engine.docker("rm", "-f", "goes")
    host.start_agent()
    assert host.awaits("stays")["stays"]["epoch"] == before["epoch"], "it is the same life of it"


def test_settings_are_read_again_when_their_file_changes_and_nobody_leaves(host: Host, engine: DockerEngine) -> None:
    """M28; what cannot be a setting changes nothing."""
    engine.run("zoned")
    router = {"traefik.http.routers.old.rule": "PathPrefix(`/old`)", "traefik.http.routers.old.entrypoints": "web"}
    port = {"traefik.http.services.old.loadbalancer.server.port": "8080", "com.docker.compose.service": "old"}
    engine.run("foreign", labels={**router, **port})
    assert host.awaits("zoned")["zoned"]["zone"] == ""
    host.overlay.write_text("zone: not a name\n")
    wait_until(lambda: "the settings stay as they were" in host.output(), 20)
    host.overlay.write_text("dialects: [traefik]\n")
    host.settings.write_text("zone: ${ZONE_OF_NOBODY:-eu-1a}\n")

    def moved() -> bool:
        return bool(host.registered()["zoned"]["zone"] == "eu-1a")  # it is there at every look

    wait_until(moved, 20)
    found = host.awaits("zoned", "foreign")["foreign"]
    assert "entrypoints: did not map: a gateway serves" in found["metadata"]["docker.problems"]
    wait_until(lambda: host.declared("routes", "old.old"), 20)
    host.overlay.write_text("{}\n")
    host.awaits("zoned")
    assert host.agent is not None
    host.agent.send(signal.SIGHUP)
    wait_until(lambda: "the settings were read again, and are what they were" in host.output(), 20)


def test_policy_and_routes_of_labels_are_declared_and_the_agent_is_listed(host: Host, engine: DockerEngine) -> None:
    """M02: what a container says of its service holds for the service."""
    engine.run("routed", labels={**WEB, "fairlead.timeout": "7s", "fairlead.route.api.path": "/v1"})
    host.awaits("routed")
    route = wait_until(lambda: host.declared("routes", "web.api"), 20)
    assert route["owner"] == "file:docker"
    assert host.declared("services", "web")["timeout"] == "7s"

    def alive() -> bool:
        return [each["id"] for each in host.plane.get("agents")["items"] if each["state"] == "alive"] == ["here"]

    wait_until(alive, 20)


def test_a_container_is_explained_from_its_labels_to_the_control_plane_and_so_is_one_that_is_not_registered(
    host: Host, engine: DockerEngine
) -> None:
    """M09, M20: by name and by the beginning of its id; who did not opt in is known, too, and never inspected."""
    identity = engine.run("told", "-p", "127.0.0.1::8080")
    engine.run("bare", labels={"com.example": "x"})
    engine.run("mute", labels={"fairlead.service": "web"})
    host.awaits("told")
    for name, words in {"told": "registered", "bare": "did not opt in", "mute": "it exposes none"}.items():
        host.explains(name, words)
    told = host.explain(identity[:12])
    for part in ("(network bridge)", "not 127.0.0.1 (published on 127.0.0.1:", "tcp every 5s", "web/v1"):
        assert part in told


def test_a_version_that_nobody_has_seen_waits_in_one_rollout(host: Host, engine: DockerEngine) -> None:
    """`fairlead.canary=auto`."""
    cart = {**WEB, "fairlead.service": "cart", "fairlead.canary.steps": "5,50"}
    engine.run("first", labels=cart)
    host.awaits("first")
    for name in ("second", "third"):
        engine.run(name, labels={**cart, "fairlead.version": "v2"})
    host.awaits("first", "second", "third")

    rollout = wait_until(lambda: next(iter(host.plane.get("rollouts", service="cart")["items"]), None), 20)
    assert (rollout["id"], rollout["weight"], rollout["stable"]) == ("cart-v2-1", 0, "v1")
    assert [step["weight"] for step in rollout["plan"]] == [0, 5, 50]
    engine.run("fourth", labels={**cart, "fairlead.version": "v2"})
    host.awaits("first", "second", "third", "fourth")
    assert len(host.plane.get("rollouts", service="cart")["items"]) == 1
    assert host.declared("services", "cart")["stable"] == "v1"


@pytest.mark.envoy
def test_two_versions_with_conflicting_labels_do_each_other_no_harm(host: Host, engine: DockerEngine) -> None:
    """The stable version's word holds, the other's is a proposal until it is promoted; nobody's request fails."""
    shop = {**WEB, "fairlead.service": "shop", "fairlead.route.all.host": "shop.test"}
    engine.run("old", labels={**shop, "fairlead.timeout": "7s", "fairlead.retry.attempts": "3"})
    gateway = host.gateway()

    def answer(name: str = "shop.test") -> str:
        (found,) = ask(gateway.port, [request(name)])
        return found.body.decode().strip() if found.status == 200 else ""

    def proposed() -> set[tuple[str, str]]:
        found = host.plane.get("services/shop:explain")["proposals"]
        return {(each["field"], each["version"]) for each in found}

    wait_until(lambda: answer() == "old", 20, what="the route leads to it")
    with Load(gateway.port, [request("shop.test")] * 8) as load:
        other = {"fairlead.version": "v2", "fairlead.timeout": "2s", "fairlead.retry.attempts": "0"}
        other |= {"fairlead.lb": "random", "fairlead.route.all.host": "shop.test,new.test"}
        engine.run("new", labels={**shop, **other, "fairlead.route.bad.rule": "Host(`shop.test`) && ("})
        found = host.awaits("old", "new")["new"]
        assert "fairlead.route.bad.rule" in found["metadata"]["docker.problems"]
        rollout = wait_until(lambda: next(iter(host.plane.get("rollouts", service="shop")["items"]), None), 20)
        assert proposed() == {(each, "v2") for each in ("timeout", "retry", "balancing", "route shop.all")}
        holds = host.declared("services", "shop")
        assert (holds["stable"], holds["timeout"], holds["retry"]["attempts"]) == ("v1", "7s", 3)
        assert host.declared("routes", "shop.all")["hosts"] == ["shop.test"]
        load.wait_rounds(2)
        assert {answer() for _ in range(10)} == {"old"}

        host.plane.post(f"rollouts/{rollout['id']}:promote")
        wait_until(lambda: host.declared("services", "shop")["timeout"] == "2s", 40, what="its policy is taken up")
        assert host.declared("services", "shop")["stable"] == "v2"
        wait_until(lambda: answer("new.test") == "new", 20, what="its route leads to it")
        assert {field for field, version in proposed() if version == "v2"} == set()
        engine.docker("stop", "old")
        host.awaits("new")
        load.wait_rounds(2)
    assert load.failures == []


def test_one_host_needs_one_program(host: Host, engine: DockerEngine, programs: Programs, tmp_path: Path) -> None:
    """`serve --docker`: the agent is in it, and the control plane goes on with the checks."""
    relay = {"DOCKER_HOST": f"unix://{host.recorder.path}"}
    both = Plane(programs, tmp_path / "both", "--filter", "none", "--docker", env=relay)
    both.start()
    checked = {**WEB, "fairlead.health.http": "/"}
    engine.run("alone", labels=checked)
    engine.run("behind", labels={**checked, "fairlead.ingress": "15006"}, LISTEN=15006)

    def well() -> dict[str, Any]:
        found: Any = both.get("instances")["items"]
        checks = {each["metadata"]["docker.container"]: each["check"] for each in found if each["health"] == "healthy"}
        assert checks.keys() == {"alone", "behind"}, found
        return checks

    checks = wait_until(well, 30)
    assert {(each["kind"], each["path"], each["rise"]) for each in checks.values()} == {("http", "/", 2)}
    assert (checks["alone"]["port"], checks["behind"]["port"]) == (None, 15006)
    both.close()
    host.awaits("alone", "behind")


async def test_an_engine_over_tls_is_read_with_a_certificate_and_not_without(
    host: Host, engine: DockerEngine, tmp_path: Path
) -> None:
    """Both sides show one; which version of the API is spoken is agreed on."""
    identity = engine.run("there")
    tls = Endpoint.parse(host.tls, str(host.folder / "tls"))
    async with Engine(tls) as known:
        await known.negotiate()
        assert identity in {each.id for each in await known.running()}
        async with known.events(None) as chunks:
            engine.docker("kill", "there")
            assert b'"Action":"kill"' in await anext(chunks)
    strangers = make_certificates(tmp_path / "strangers")
    async with Engine(Endpoint.parse(host.tls, str(strangers))) as unknown:
        with pytest.raises(EngineError, match="CERTIFICATE_VERIFY_FAILED"):
            await unknown.negotiate()
    shutil.copy(host.folder / "tls" / "ca.pem", strangers)  # now we know it, and it does not know us
    async with Engine(Endpoint.parse(host.tls, str(strangers))) as unknown:
        with pytest.raises(EngineError):
            await unknown.negotiate()


def test_an_engine_was_only_ever_read(host: Host, engine: DockerEngine) -> None:
    """D4, over everything above: GET, from a short list, and only containers that opted in."""
    silent = engine.run("silent", labels={"com.example": "x"})
    engine.run("loud")
    host.awaits("loud")
    asked = [line.split(" ") for line in host.recorder.asked]
    assert len(asked) > 10
    assert {method for method, *_ in asked} == {"GET"}
    assert [path for _, path, *_ in asked if not ALLOWED.match(path.partition("?")[0])] == []
    assert not [path for _, path, *_ in asked if silent in path]
