"""What `fairlead agent` is told, and what it refuses before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds.agent.settings import AgentSettings
from xds.labels.dialect import OURS_ALONE, Dialect
from xds.model.problems import InvalidInput


def test_flags_go_over_the_file_over_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("zone: eu-1b\nregion: eu\nttl: 30s\nnetworks: [front, back]\nremote: true\naddress: 192.0.2.7\n")
    env = {"FAIRLEAD_AGENT_ZONE": "eu-1a", "FAIRLEAD_AGENT_REGION": "us", "DOCKER_HOST": "tcp://127.0.0.1:2375"}
    found = AgentSettings.read(env, {"zone": "eu-1c", "region": None}, file)
    assert (found.zone, found.region, found.ttl, found.networks) == ("eu-1c", "eu", 30.0, ("front", "back"))
    assert (found.docker, found.stand.remote, found.stand.host) == (("tcp://127.0.0.1:2375",), True, "192.0.2.7")


def test_nothing_said_is_the_socket_of_this_host_and_any_claim() -> None:
    found = AgentSettings.read({}, {}, None)
    assert [each.path for each in found.endpoints] == ["/var/run/docker.sock"]
    assert found.reading == OURS_ALONE
    assert found.name
    assert AgentSettings(envs=("prod",)).reading.claims.envs == frozenset({"prod"})
    there = AgentSettings.read({"FAIRLEAD_AGENT_DIALECTS": "traefik, registrator"}, {}, None)
    assert there.reading.dialects == (Dialect.TRAEFIK, Dialect.REGISTRATOR)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("zone: [x]", "/zone"),
        ("zone: Not A Name", "/zone"),
        ("ttl: soon", "/ttl"),
        ("ttl: 1", "/ttl"),
        ("remote: perhaps", "/remote"),
        ("remote: true", "/address"),
        ("address: example.com", "/address"),
        ("docker: []", "/docker"),
        ("dialects: [caddy]", "/dialects"),
        ("docker: {a: b}", "/docker"),
        ("colour: blue", "/config"),
        ("- a", "/config"),
        ("a: [", "/config"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_its_place(tmp_path: Path, text: str, pointer: str) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as refused:
        AgentSettings.read({}, {}, file)
    assert refused.value.pointer == pointer


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        AgentSettings.read({}, {}, tmp_path / "none.yaml")
