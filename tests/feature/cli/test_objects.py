"""apply, get, delete and explain against a real control plane."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane

SHOP = """\
kind: service
name: web
split_key: {header: x-user}
---
kind: instance
service: web
address: 127.0.0.1
port: 8081
version: v1
labels: {team: shop}
---
kind: instance
service: web
address: 127.0.0.1
port: 8082
version: v2
---
kind: route
service: web
name: api
hosts: [web.test]
path: {prefix: /api}
---
kind: gateway
name: edge
listeners: [{port: 8080}]
"""
BROKEN = """\
kind: service
name: web
timeout: soon
---
kind: instance
service: web
address: 127.0.0.1
port: 70000
"""


@pytest.fixture
def shop(tmp_path: Path) -> str:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP, encoding="utf-8")
    return str(file)


def outcomes(text: str) -> list[str]:
    return [line.split()[2] for line in text.splitlines()[1:]]


def test_what_was_applied_can_be_listed_and_applying_it_again_changes_nothing(fairlead: Fairlead, shop: str) -> None:
    assert outcomes(fairlead("apply", "-f", shop).stdout) == ["created"] * 5
    revision = json.loads(fairlead("get", "service", "web", "-o", "json").stdout)["revision"]
    assert outcomes(fairlead("apply", "-f", shop).stdout) == ["unchanged"] * 5
    assert json.loads(fairlead("get", "service", "web", "-o", "json").stdout)["revision"] == revision
    for kind, name in (("instances", "web-127-0-0-1-8081"), ("routes", "web.api"), ("gateways", "edge")):
        assert name in fairlead("get", kind).stdout


def test_a_dry_run_says_what_would_happen_and_does_nothing(fairlead: Fairlead, shop: str) -> None:
    result = fairlead("apply", "-f", shop, "--dry-run")
    assert outcomes(result.stdout) == ["created"] * 5
    assert "nothing was changed" in result.stderr
    assert "no instances" in fairlead("get", "instances").stderr


def test_c1_one_mistake_and_nothing_is_applied_and_the_line_is_named(fairlead: Fairlead, tmp_path: Path) -> None:
    """Fault C1: a file is refused as a whole, with line and field."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(SHOP, encoding="utf-8")
    bad.write_text(BROKEN, encoding="utf-8")
    result = fairlead("apply", "-f", str(good), "-f", str(bad), exit_code=2)
    assert f"{bad}:3: service web: /timeout: 'soon' is not a duration" in result.stderr
    assert f"{bad}:8: instance: /port: " in result.stderr
    assert "2 mistakes; nothing was applied" in result.stderr
    assert "no services" in fairlead("get", "services").stderr


def test_standard_input_is_read(fairlead: Fairlead) -> None:
    assert outcomes(fairlead("apply", "-f", "-", stdin=SHOP).stdout) == ["created"] * 5


def test_an_unknown_kind_is_named_with_those_that_there_are(fairlead: Fairlead) -> None:
    result = fairlead("apply", "-f", "-", stdin="kind: sevrice\nname: web\n", exit_code=2)
    assert "standard input:1: " in result.stderr
    assert "kind is one of service, policy, instance, route, gateway, not 'sevrice'" in result.stderr


def test_documents_without_an_environment_belong_to_the_one_that_was_named(fairlead: Fairlead, shop: str) -> None:
    fairlead("apply", "-f", shop, "--env", "test")
    assert "no services" in fairlead("get", "services").stderr
    assert "web" in fairlead("get", "services", "--env", "test").stdout
    assert "web" in fairlead("get", "services", "--env", "*").stdout


def test_instances_are_selected_by_label(fairlead: Fairlead, shop: str) -> None:
    fairlead("apply", "-f", shop)
    assert "8082" not in fairlead("get", "instances", "-l", "team=shop").stdout
    assert "8082" in fairlead("get", "instances", "-l", "version in (v2)").stdout
    refused = fairlead("get", "instances", "-l", "version in (v1", exit_code=2)
    assert "^" in refused.stderr, "a caret shows where"


def test_what_does_not_exist_exits_with_1(fairlead: Fairlead) -> None:
    assert "does not exist" in fairlead("get", "service", "web", exit_code=1).stderr
    assert "does not exist" in fairlead("explain", "web", exit_code=1).stderr
    assert "does not exist" in fairlead("delete", "route", "web.api", exit_code=1).stderr


def test_an_object_is_deleted_by_name(fairlead: Fairlead, shop: str) -> None:
    fairlead("apply", "-f", shop)
    assert fairlead("delete", "instance", "web-127-0-0-1-8082").stdout == "instance web-127-0-0-1-8082 deleted\n"
    assert "8082" not in fairlead("get", "instances").stdout


def test_explain_tells_the_way_of_a_service_in_one_page(fairlead: Fairlead, shop: str) -> None:
    fairlead("apply", "-f", shop)
    told = fairlead("explain", "web").stdout
    for part in ("stable v1", "v1 100 %", "web/v2", "127.0.0.1:8081", "web.api", "no live Envoy holds a route of it"):
        assert part in told
    document = json.loads(fairlead("explain", "web", "-o", "json").stdout)
    assert document["wanted"]["v1"] == 100


def test_a_list_is_read_to_its_end(fairlead: Fairlead, plane: Plane) -> None:
    """The list pages at 1,000."""
    items = [
        {"service": "many", "address": f"10.0.{number // 250}.{number % 250 + 1}", "port": 80} for number in range(1100)
    ]
    plane.post("instances:batch", {"items": items})
    assert len(json.loads(fairlead("get", "instances", "-o", "json").stdout)["items"]) == 1100


def test_a_token_is_asked_for_and_shown(fairlead: Fairlead, tmp_path: Path, plane: Plane) -> None:
    token = tmp_path / "token"
    token.write_text("sesame\n", encoding="utf-8")
    plane.kill()
    plane._flags = (*plane._flags, "--token-file", str(token))
    plane.start()
    assert "--token-file" in fairlead("get", "services", exit_code=1).stderr
    fairlead("--token-file", str(token), "get", "services")


MACHINE = """\
kind: labels
address: 127.0.0.1
labels: {service: cart, version: v1, port: 8083, timeout: 5s, zon: a, route: {api: {path: /v1}}}
"""


def test_a_machine_described_by_labels_is_applied_like_any_document(fairlead: Fairlead, tmp_path: Path) -> None:
    file = tmp_path / "cart.yaml"
    file.write_text(MACHINE, encoding="utf-8")
    ran = fairlead("apply", "-f", str(file))
    assert outcomes(ran.stdout) == ["created"] * 3
    assert "cart.yaml:3: warning: nothing is known by that name; did you mean fairlead.zone?" in ran.stderr
    assert outcomes(fairlead("apply", "-f", str(file)).stdout) == ["unchanged"] * 3
    file.write_text(MACHINE.replace("8083", "0"), encoding="utf-8")
    ran = fairlead("apply", "-f", str(file), exit_code=2)
    assert "cart.yaml:3: error: '0' is not between 1 and 65535; it is not registered" in ran.stderr
