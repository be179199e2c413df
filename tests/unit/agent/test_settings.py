"""What `fairlead agent` is told, and what it refuses before anything is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from xds.agent.service import watch
from xds.agent.settings import AgentSettings
from xds.labels.dialect import OURS_ALONE, Dialect
from xds.model.problems import InvalidInput


def test_flags_go_over_the_file_over_the_environment() -> None:
    file = {"zone": "eu-1b", "region": "eu", "ttl": "30s", "networks": ["front", "back"], "remote": True}
    file |= {"address": "192.0.2.7", "central_checks": "true"}
    env = {"FAIRLEAD_AGENT_ZONE": "eu-1a", "FAIRLEAD_AGENT_REGION": "us", "DOCKER_HOST": "tcp://127.0.0.1:2375"}
    found = AgentSettings.read(env, {"zone": "eu-1c", "region": None}, file)
    assert (found.zone, found.region, found.ttl, found.networks) == ("eu-1c", "eu", 30.0, ("front", "back"))
    assert found.central_checks
    assert (found.docker, found.stand.remote, found.stand.host) == (("tcp://127.0.0.1:2375",), True, "192.0.2.7")


def test_nothing_said_is_the_socket_of_this_host_and_any_claim() -> None:
    found = AgentSettings.read({}, {})
    assert [each.path for each in found.endpoints] == ["/var/run/docker.sock"]
    assert found.reading == OURS_ALONE
    assert found.name
    assert AgentSettings(envs=("prod",)).reading.claims.envs == frozenset({"prod"})
    there = AgentSettings.read({"FAIRLEAD_AGENT_DIALECTS": "traefik, registrator"}, {})
    assert there.reading.dialects == (Dialect.TRAEFIK, Dialect.REGISTRATOR)


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"zone": ["x"]}, "/zone"),
        ({"zone": "Not A Name"}, "/zone"),
        ({"ttl": "soon"}, "/ttl"),
        ({"ttl": 1}, "/ttl"),
        ({"remote": "perhaps"}, "/remote"),
        ({"remote": 1}, "/remote"),
        ({"remote": [True]}, "/remote"),
        ({"remote": True}, "/address"),
        ({"address": "example.com"}, "/address"),
        ({"docker": []}, "/docker"),
        ({"dialects": ["caddy"]}, "/dialects"),
        ({"docker": {"a": "b"}}, "/docker"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_its_place(said: Mapping[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        AgentSettings.read({}, {}, said)
    assert refused.value.pointer == pointer


async def test_a_change_of_any_of_its_files_is_seen_also_where_one_comes_later(tmp_path: Path) -> None:
    files = [tmp_path / "agent.yaml", tmp_path / "agent.prod.yaml"]
    files[0].write_text("zone: eu-1a\n")
    seen = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(files, seen.set))
        for file in reversed(files):
            await asyncio.sleep(0)  # it has looked
            file.write_text("region: eu\n")
            await asyncio.wait_for(seen.wait(), 20)
            seen.clear()
        watching.cancel()
