"""The shipped Dockerfile, built, and the shipped compose file, brought up and taken down: rows M30 and M37.

One engine and one stack for the whole file, in the order of a user's day: the README's lines as they stand, then what
they promise, then the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.docker.stack import Stack, stack
from tests.harness.load import Load, request
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until

SECTION: Final = re.compile(r"## First canary on Docker, in five minutes\n(.*?)\n## ", re.DOTALL)
BLOCK: Final = re.compile(r"```sh\n(.*?)```", re.DOTALL)
USERS: Final = [request("web", ("x-user", f"user-{n}")) for n in range(100)]
APPLICATIONS: Final = {"web-v1", "web-v2"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("c")) as made:
        yield made


def story(up: Stack) -> tuple[str, str]:
    """The section's commands, and its last one, which takes everything down; at this test's port."""
    section = SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert section is not None
    *blocks, last = BLOCK.findall(section[1])
    return "\n".join(blocks).replace(":8080/", f":{up.port}/"), last


def containers(up: Stack) -> dict[str, dict[str, Any]]:
    """What the engine says of every container, by its name in the compose file."""
    found = json.loads(up.engine.docker("inspect", *up.engine.docker("ps", "-aq").split()))
    return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}


def test_the_five_minutes_on_docker_work_as_they_are_written(up: Stack) -> None:
    said = up.shell(story(up)[0], 300)
    shares = {found[2]: int(found[1]) for found in re.finditer(r"^ +(\d+) hello from (v[12])$", said, re.MULTILINE)}
    assert sum(shares.values()) == 100, said
    assert 30 <= shares["v2"] <= 70, said
    assert "3 of 3 Envoys" in said
    alone = re.findall(r"^hello from v[12]$", said, re.MULTILINE)
    assert alone == ["hello from v1", "hello from v2", "hello from v2"], "alice, the insider, alice when v2 is promoted"


def test_an_application_stopped_under_load_costs_no_request(up: Stack) -> None:
    """M08: `docker stop` of half of what serves; its sidecar stays, and users go on with the other version."""
    fairlead = "exec -T control fairlead"
    up.compose("start web-v1")
    wait_until(lambda: "v1" in up.compose(f"{fairlead} get instances"), 30, what="v1 is registered again")
    up.compose(f"{fairlead} canary start web v1 --steps 50 --pause 1s --wait")
    with Load(up.port, USERS, pause=0.02) as load:
        load.wait_rounds(2)
        up.engine.docker("stop", containers(up)["web-v1"]["Id"])
        load.wait_rounds(2)
    assert not load.failures, load.failures[:5]
    assert {each.version for each in load.seen} == {"v1", "v2"}
    assert {met[-1] for met in load.by_user().values()} == {"v2"}
    assert containers(up)["web-v1-sidecar"]["State"]["Running"]


def test_no_container_may_more_than_it_needs(up: Stack) -> None:
    found = containers(up)
    for name, each in found.items():
        host = each["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert host["PidsLimit"] > 0, name
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}, name
        assert not host["Privileged"], name
        assert (each["Config"]["User"] == "65532:65532") == (name != "agent"), name
    opens_the_socket = [name for name, each in found.items() if "docker.sock" in json.dumps(each["Mounts"])]
    assert opens_the_socket == ["agent"]


def test_applications_control_and_data_are_networks_of_their_own(up: Stack) -> None:
    """Applications have no network but the one that their sidecar stands in front of."""
    found = containers(up)
    networks = {name: set(each["NetworkSettings"]["Networks"]) for name, each in found.items()}
    assert networks["control"] == networks["prepare"] == {"fairlead-control"}
    assert networks["agent"] == {"fairlead-control", "fairlead-data"}
    assert networks["gateway"] == {"fairlead-edge", "fairlead-control", "fairlead-data"}
    for name in APPLICATIONS:
        holder = found[f"{name}-network"]
        assert "fairlead-app" in holder["NetworkSettings"]["Networks"]
        for joined in (name, f"{name}-sidecar"):
            assert found[joined]["HostConfig"]["NetworkMode"] == f"container:{holder['Id']}"


def test_it_is_taken_down_with_nothing_left(up: Stack) -> None:
    up.shell(story(up)[1])
    assert up.engine.docker("ps", "-aq") == ""
    assert up.engine.docker("network", "ls", "-q", "--filter", "type=custom") == ""
    assert up.engine.docker("volume", "ls", "-q") == ""
