"""Every story of the goldens on a real Envoy: whatever translation makes, Envoy takes.

`--mode validate` does not look at discovered resources, so the stories are replayed as files and Envoy's own counters,
log and dump are read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import re2

from tests.envoy.replay import FileEnvoy, Refused
from tests.golden.story import Story, read, stories
from tests.harness.envoy import envoy_path
from tests.harness.processes import Programs
from xds.model.node import NodeProfile, Role
from xds.translate.regex import MAX_PROGRAM_SIZE
from xds.wire.types import ResourceType

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileEnvoy]:
    """One Envoy for all stories; each replaces what the one before left."""
    folder = tmp_path_factory.mktemp("envoy")
    (folder / "logs").mkdir()
    programs = Programs(folder / "logs")
    try:
        yield FileEnvoy(envoy_path(), programs, folder)
    finally:
        programs.stop_all()


def nodes_of(story: Story) -> list[NodeProfile]:
    """The story's Envoys, or for a story without any a node that listens on nothing."""
    envoys = [profile for profile in story.profiles if profile.role is not Role.GRPC]
    return sorted(envoys, key=lambda profile: (profile.variant, profile.scope)) or [NodeProfile(Role.GATEWAY)]


@pytest.mark.parametrize("folder", stories(), ids=lambda folder: folder.name)
def test_rule_34_envoy_takes_what_a_story_becomes(folder: Path, envoy: FileEnvoy) -> None:
    story = read(folder)
    for profile in nodes_of(story):
        envoy.replay(story.seen_by(profile))


def broken(
    type_: ResourceType, name: str, field: str, value: object
) -> dict[tuple[ResourceType, str], dict[str, object]]:
    """A good story in which one field of one resource is wrong."""
    story = read(next(folder for folder in stories() if folder.name == "plain-service"))
    seen = dict(story.seen_by(nodes_of(story)[0]))
    seen[type_, name] = {**seen[type_, name], field: value}
    return seen


@pytest.mark.parametrize(
    ("type_", "name", "field", "value", "words"),
    [
        (ResourceType.CLUSTER, "web/v1", "connect_timeout", "-1s", "Expected positive duration"),
        (ResourceType.ENDPOINT, "web/v1", "cluster_name", "another", "Unexpected EDS cluster"),
        (ResourceType.ROUTE, "egress", "virtual_hosts", [{"name": "a", "domains": []}], "Domains"),
        (ResourceType.LISTENER, "egress", "filter_chains", [{"filters": [{"name": "nobody"}]}], "nobody"),
    ],
    ids=["cluster", "endpoints", "routes", "listener"],
)
def test_a_broken_resource_is_seen_as_refused(
    type_: ResourceType, name: str, field: str, value: object, words: str, envoy: FileEnvoy
) -> None:
    """The proof that the replay can fail."""
    with pytest.raises(Refused, match=words):
        envoy.replay(broken(type_, name, field, value))


@pytest.mark.parametrize("size", [MAX_PROGRAM_SIZE, MAX_PROGRAM_SIZE + 1])
def test_envoy_draws_the_line_for_expressions_where_we_do(size: int, envoy: FileEnvoy) -> None:
    """Both count the instructions of RE2's program; the limit is Envoy's default, which our bootstrap keeps."""
    pattern = "a" * (size - re2.compile("").programsize)
    assert re2.compile(pattern).programsize == size
    route = {"match": {"safe_regex": {"regex": pattern}}, "route": {"cluster": "web/v1"}}
    hosts = [{"name": "a", "domains": ["*"], "routes": [route]}]
    seen = broken(ResourceType.ROUTE, "egress", "virtual_hosts", hosts)
    if size <= MAX_PROGRAM_SIZE:
        envoy.replay(seen)
        return
    with pytest.raises(Refused, match="max program size of 100"):
        envoy.replay(seen)
