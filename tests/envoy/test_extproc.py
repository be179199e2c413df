"""`fairlead extproc` behind a real Envoy, on the configuration of docs/extproc.md: other ports, and more patience."""

from __future__ import annotations

import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.harness.extproc import run_extproc
from tests.harness.filter_envoy import Json, start
from tests.harness.load import Answer, ask, request
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until
from xds.model.bucket import bucket
from xds.model.split import Segment, Split

pytestmark = pytest.mark.envoy

BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
SPLIT = Split((Segment("v1", 9000), Segment("v2", 1000)))
USERS = [f"user-{number}" for number in range(400)]
PORTS = ("8080", "15090", "9001", "9002")


@dataclass
class Site:
    """The document's Envoy, its versions, and a way to start the processor."""

    programs: Programs
    ports: dict[str, int]
    extproc: Program

    def ask(self, users: list[str], *, connections: int = 16, path: str = "/") -> list[Answer]:
        """One request for each user, several at a time."""
        return ask(
            self.ports["8080"], [request("web", ("x-user", u), path=path) for u in users], connections=connections
        )

    def start_extproc(self) -> Program:
        """The processor, once it serves."""
        self.extproc = run_extproc(self.programs, self.ports["15090"])
        return self.extproc


def document(ports: dict[str, int]) -> Json:
    """The document's configuration with other ports."""
    found = BLOCK.search((ROOT / "docs/extproc.md").read_text(encoding="utf-8"))
    assert found is not None
    text = found[1]
    for number in PORTS:
        text = re.sub(rf"\b{number}\b", str(ports[number]), text)
    # On a busy machine one answer in a thousand takes longer than that; what happens then is another test's.
    text = text.replace("message_timeout: 0.2s", "message_timeout: 5s")
    loaded: Json = YAML(typ="safe").load(text)
    return loaded


def build(programs: Programs, folder: Path, envoy: Path, *, v2: str) -> Site:
    """The document's Envoy in front of two versions, once it has found the processor; `v2` is a kind of upstream."""
    ports = {number: free_port() for number in PORTS}
    versions = [f"v1:{ports['9001']}", f"{v2}:{ports['9002']}"]
    programs.start([sys.executable, ROOT / "tests/harness/upstream.py", *versions], name="versions")
    made = Site(programs, ports, run_extproc(programs, ports["15090"]))
    start(programs, envoy, folder, document(ports), free_port())
    user = next(user for user in USERS if owner(user) == "v1")
    wait_until(lambda: made.ask([user])[0].header("x-saw-bucket"), 30, what="Envoy has found extproc")
    return made


@pytest.fixture
def site(tmp_path: Path, programs: Programs, envoy_binary: Path) -> Site:
    return build(programs, tmp_path, envoy_binary, v2="v2")


def owner(user: str) -> str:
    """Where the arithmetic sends a user."""
    return SPLIT.owner(bucket("web", user.encode()))


def test_every_user_goes_where_the_hash_says_over_several_streams_at_once(site: Site) -> None:
    answers = site.ask(USERS * 2)
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert [answer.version for answer in answers] == [owner(user) for user in USERS] * 2
    assert [answer.header("x-saw-bucket") for answer in answers[:400]] == [
        str(bucket("web", user.encode())) for user in USERS
    ]


def test_a_bucket_that_a_client_sends_chooses_nothing(site: Site) -> None:
    user = next(user for user in USERS if owner(user) == "v1")
    spoofed = request("web", ("x-user", user), ("x-fairlead-bucket", "9999"))
    assert ask(site.ports["8080"], [spoofed])[0].version == "v1"


def test_traffic_goes_on_at_random_without_it_and_by_users_again_with_it(site: Site) -> None:
    site.extproc.kill()
    answers = site.ask(USERS)
    assert [answer.status for answer in answers] == [200] * len(USERS)
    assert {answer.header("x-saw-bucket") for answer in answers} == {""}
    assert {"v1", "v2"} == {answer.version for answer in site.ask(USERS)}
    site.start_extproc()
    wait_until(lambda: site.ask(["anybody"])[0].header("x-saw-bucket"), 30, what="Envoy has found extproc again")
    assert [answer.version for answer in site.ask(USERS)] == [owner(user) for user in USERS]


def test_it_drains_when_it_is_told_to_end(site: Site) -> None:
    site.extproc.send(signal.SIGTERM)
    assert site.extproc.wait() == 0
    assert "Traceback" not in site.extproc.output()


def test_a_version_that_fails_is_cut_off_and_its_users_are_answered_by_the_other(
    tmp_path: Path, programs: Programs, envoy_binary: Path
) -> None:
    site = build(programs, tmp_path, envoy_binary, v2="bad+v2")
    unlucky = [user for user in USERS if owner(user) == "v2"]
    met = [answer.status for answer in site.ask(unlucky[:20], connections=1)]
    assert met == [500] * 5 + [200] * 15
    assert '"to":"open","why":"consecutive"' in site.extproc.output()
