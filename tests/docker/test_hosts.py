"""Two hosts with an engine and an agent each, and one control plane: one of them is cut off and comes back (M28).

The far one is a network of its own behind a cable, with the same ranges for its containers as this one has: what is
there is reached at the ports that it publishes, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docker.host import Host
from tests.harness.docker_engine import DockerEngine
from tests.harness.far import FarNetwork
from tests.harness.load import Load, ask, request
from tests.harness.plane import Plane
from tests.harness.processes import FAIRLEAD, Program, Programs
from tests.harness.proxy import Proxy
from tests.harness.recorder import Recorder
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

TTL_S: Final = 3.0
ASKED: Final = request("web.test")
WEB: Final = {
    "fairlead.service": "web",
    "fairlead.port": "8080",
    "fairlead.version": "v1",
    "fairlead.route.all.host": "web.test",
    "fairlead.timeout": "3s",
    "fairlead.retry.per-try": "1s",
}


class Hosts:
    """This host, with the control plane and the gateway, and the far one."""

    def __init__(self, here: Host, cable: FarNetwork, far: DockerEngine) -> None:
        self.here = here
        self.cable = cable
        self.far = far
        self.gateway: Proxy = here.gateway()

    def answers(self) -> set[str]:
        """Who answers users, of the next few requests."""
        return {each.body.decode().strip() for each in ask(self.gateway.port, [ASKED] * 16)}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("h")
    programs = Programs(folder)
    relay = Recorder(folder / "relay.sock", folder / "near" / "docker.sock")
    (folder / "near").mkdir()
    (folder / "far").mkdir()
    try:
        with FarNetwork(programs) as cable:
            near = DockerEngine(programs, folder / "near")
            far = DockerEngine(programs, folder / "far", inside=cable.inside)
            with near.running(), far.running(), relay.running():
                here = Host(programs, near, relay, folder)
                here.plane = Plane(
                    programs, folder / "plane", "--filter", "none", "--insecure-non-loopback", listen="0.0.0.0"
                )
                here.plane.start()
                here.start_agent()
                there = far_agent(programs, cable, far, here.plane, folder / "far")
                yield Hosts(here, cable, far)
                there.stop()
                assert here.agent is not None
                here.agent.stop()
                here.plane.close()
    finally:
        programs.stop_all()


def far_agent(programs: Programs, cable: FarNetwork, engine: DockerEngine, plane: Plane, folder: Path) -> Program:
    """Start the agent of the far host."""
    return programs.start(
        [
            *cable.inside, FAIRLEAD, "--server", f"http://{cable.near}:{plane.api}", "agent", "--id", "far",
            "--docker", f"unix://{engine.socket}", "--data-dir", folder / "agent", "--ttl", f"{TTL_S:g}",
            "--remote", "--address", cable.address,
        ],
        name="far-agent",
    )  # fmt: skip


def test_containers_of_several_hosts_are_instances_of_one_service_and_the_far_ones_are_reached_at_published_ports(
    hosts: Hosts,
) -> None:
    hosts.here.engine.run("near", labels=WEB)
    hosts.far.run("far", "-p", "8080", labels=WEB)
    hosts.far.run("hidden", labels=WEB)
    found = hosts.here.awaits("near", "far")
    published = int(hosts.far.docker("port", "far", "8080").splitlines()[0].rpartition(":")[2])
    assert (found["far"]["address"], found["far"]["port"]) == (hosts.cable.address, published)
    assert found["near"]["address"] not in {hosts.cable.address, "127.0.0.1"}
    wait_until(lambda: hosts.answers() == {"near", "far"}, 20, what="both answer")
    hosts.here.explains("hidden", "port 8080 is not")


def test_a_host_that_is_lost_costs_no_request_is_taken_out_and_comes_back(hosts: Hosts) -> None:
    """Its cable is pulled: what was on its way there is never answered, and nobody says so."""
    lost = hosts.here.registered()["far"]["id"]
    with Load(hosts.gateway.port, [ASKED] * 8) as load:
        load.wait_rounds(5)
        hosts.cable.cut()
        hosts.far.run("while-away", "-p", "8080", labels=WEB)
        hosts.here.awaits("near")
        load.wait_rounds(3)
        assert hosts.here.plane.get("journal", object=lost)["items"][-1]["reason"] == "the lease ran out"
        hosts.cable.mend()
        hosts.here.awaits("near", "far", "while-away")
        wait_until(lambda: hosts.answers() == {"near", "far", "while-away"}, 20, what="it serves again")
    assert load.failures == []
