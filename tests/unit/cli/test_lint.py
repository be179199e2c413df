"""`lint`: each mistake at its line and column, told apart by what it costs (rows M02, M13, M20; fault C1)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Protocol

import pytest
from typer.testing import CliRunner, Result

from tests.harness.repo import ROOT
from xds.cli.main import app


class Lint(Protocol):
    """Runs the command on one file."""

    def __call__(self, text: str, *options: str, name: str = ...) -> Result: ...


COMPOSE = """\
x-base: &base
  image: example/web:${TAG:-v1}
services:
  web:
    <<: *base
    labels:
      fairlead.service: web
      fairlead.port: 8080
      fairlead.helth.http: /healthz
      fairlead.timeout: 5s
    ports: ["127.0.0.1:8080:80"]
  next:
    image: example/web:v2
    expose: [80]
    labels:
      - fairlead.service=web
      - "fairlead.weight=-1"
      - fairlead.timeout=9s
      - fairlead.region=${REGION}
      - fairlead.route.api.path=v1
  db:
    image: postgres
    deploy:
      labels: {fairlead.service: db}
  quiet:
    image: redis
    labels: {team: shop}
"""


ON_SWARM = "labels under deploy are on the Swarm service, not on its containers; say them under labels"


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    monkeypatch.chdir(tmp_path)

    def run(text: str, *options: str, name: str = "compose.yaml") -> Result:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return CliRunner().invoke(app, ["lint", name, *options])

    return run


def test_a_compose_file_with_every_mistake_at_its_place(lint: Lint) -> None:
    ran = lint(COMPOSE)
    assert [line.removeprefix("compose.yaml:") for line in ran.stdout.splitlines()] == [
        "8:7: warning: fairlead.port: 8080 is the port on the host; in the container it is 80",
        "9:7: warning: fairlead.helth.http: nothing is known by that name; did you mean fairlead.health.http?",
        "12:3: notice: only proposed, as long as v1 is stable: timeout would be 9.0; 5.0 holds",
        "17:9: warning: fairlead.weight: '-1' is not between 0 and 10000; it is left out",
        "19:9: notice: fairlead.region: depends on ${REGION}, which has no default here: not checked",
        "20:9: warning: fairlead.route.api.path: 'v1' does not begin with '/', at position 1; route api is left out",
        f"24:16: warning: fairlead.service: {ON_SWARM}",
    ]
    assert (ran.exit_code, ran.stderr.strip()) == (1, "5 warnings, 2 notices")


def test_what_is_fine_is_silent(lint: Lint) -> None:
    ran = lint("services:\n  web:\n    labels: {fairlead.service: web, fairlead.port: '80'}\n")
    assert (ran.exit_code, ran.stdout, ran.stderr.strip()) == (0, "", "nothing found")


def test_what_keeps_a_container_out_ends_with_2(lint: Lint) -> None:
    ran = lint("services:\n  web:\n    labels:\n      fairlead.service: web\n      fairlead.port: 70000\n")
    assert ran.exit_code == 2
    assert (
        "compose.yaml:5:7: error: fairlead.port: '70000' is not between 1 and 65535; it is not registered" in ran.stdout
    )


def test_programs_and_pull_requests_get_it_in_their_own_words(lint: Lint) -> None:
    text = (
        "services:\n  web:\n    labels:\n      fairlead.service: web\n      fairlead.port: 80\n      fairlead.lb: x%y\n"
    )
    message = "'x%y' is none of round-robin, least-request, random, ring-hash, maglev; what it says of lb is left out"
    [finding] = json.loads(lint(text, "--format", "json").stdout)["findings"]
    assert finding == {
        "file": "compose.yaml", "line": 6, "column": 7,
        "level": "warning", "subject": "fairlead.lb", "message": message,
    }  # fmt: skip
    annotation = lint(text, "--format", "github").stdout.strip()
    assert annotation == (f"::warning file=compose.yaml,line=6,col=7,title=fairlead.lb::{message.replace('%', '%25')}")


def test_a_label_file_is_read_line_by_line(lint: Lint) -> None:
    ran = lint("# checkout\nfairlead.service=checkout\nfairlead.port=80\n  fairlead.zon=a\n", name="checkout.labels")
    assert ran.stdout.splitlines() == [
        "checkout.labels:4:3: warning: fairlead.zon: nothing is known by that name; did you mean fairlead.zone?"
    ]


def test_labels_nest_in_yaml(lint: Lint) -> None:
    text = "service: web\nport: 80\nhealth: {http: /ok, interval: 1ms}\nroute:\n  api: {method: [GET, post]}\n"
    interval, method = lint(text, name="vm.yaml").stdout.splitlines()
    assert interval.startswith("vm.yaml:3:21: warning: fairlead.health.interval: interval 0.001 is not between 1 and")
    assert method.startswith("vm.yaml:5:9: warning: fairlead.route.api.method: 'post' is not a method, as in GET;")


def test_a_document_of_labels_is_one_of_ours(lint: Lint) -> None:
    text = "kind: labels\naddress: 10.0.0.7\nlabels: {service: web, port: 80, weigth: 7}\n"
    assert lint(text, name="vm.yaml").stdout.splitlines() == [
        "vm.yaml:3:34: warning: fairlead.weigth: nothing is known by that name; did you mean fairlead.weight?"
    ]


def test_our_documents_are_judged_by_the_schemas_of_the_api(lint: Lint) -> None:
    text = (
        "kind: service\nname: web\nbalancing: magic\n---\nkind: route\nservice: web\nname: api\npath: {regex: '/a('}\n"
    )
    ran = lint(text, name="web.yaml")
    assert ran.exit_code == 2
    assert [line.partition(" error: ")[0] for line in ran.stdout.splitlines()] == ["web.yaml:3:1:", "web.yaml:8:8:"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("services:\n  a: &a [*a]\n", "compose.yaml:"),
        ("services:\n  web: {labels: {fairlead.service: a, fairlead.service: b}}\n", "compose.yaml:2:1: error: "),
        ("kind: service\nname: !!python/object:os.system ls\n", "compose.yaml:2:1: error: the tag python"),
        ("kind: " + "[" * 2000, "compose.yaml:"),
        ("services: {web: {labels: " + "[" * 60 + "]" * 60 + "}}\n", "compose.yaml:"),
        ("a: &a [1,1,1,1,1,1,1,1]\n" + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n"
         for a, b in zip("abcdef", "bcdefg", strict=True)), "compose.yaml:"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_one_finding(lint: Lint, text: str, place: str) -> None:
    """Fault C1."""
    ran = lint(text)
    assert ran.exit_code == 2
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stdout.startswith(place)


def test_a_dialect_is_reported_label_by_label(lint: Lint) -> None:
    labels = '      - "traefik.http.routers.r.rule=Host(`a.example`)"\n      - traefik.http.routers.r.entrypoints=web\n'
    text = f"services:\n  web:\n    expose: [80]\n    labels:\n{labels}"
    assert lint(text).stdout == ""
    rows = json.loads(lint(text, "--dialect", "traefik", "--report", "--format", "json").stdout)["labels"]
    assert {row["label"]: row["becomes"] for row in rows if row["becomes"].startswith("fairlead.route")} == {
        "traefik.http.routers.r.rule": "fairlead.route.r.rule=Host(`a.example`)"
    }
    assert [row["label"] for row in rows if not row["becomes"]] == ["traefik.http.routers.r.entrypoints"]
    assert "did not map" in lint(text, "--dialect", "traefik").stdout


EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "labels.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_what_the_page_shows_is_fine(lint: Lint, example: str) -> None:
    ran = lint(example)
    assert (ran.exit_code, ran.stdout) == (0, "")
