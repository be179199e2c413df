"""What one Envoy refuses: its own words at the API, a blocked step, its last good state, and nobody held back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.harness.filter_envoy import Json
from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Town, owners, versions
from tests.harness.plane import WORKERS_S
from tests.harness.plane import Json as Document
from tests.harness.ports import free_port
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

ENV = "picky"


def strict_about_expressions(bootstrap: Json) -> None:
    """This Envoy alone allows only small regular expressions, so that it refuses what passes every check of ours."""
    runtime = bootstrap["layered_runtime"]
    assert isinstance(runtime, dict)
    limit = {"re2": {"max_program_size": {"error_level": 40}}}
    runtime["layers"].insert(0, {"name": "strict", "static_layer": limit})


@pytest.fixture
def picky(town: Town) -> Iterator[tuple[Proxy, Proxy]]:
    """An Envoy that takes everything and one that does not, in an environment of their own."""
    easy = town.mesh.sidecar("easy", env=ENV)
    strict = town.mesh.sidecar("strict", env=ENV, patch=strict_about_expressions)
    town.mesh.two_versions("taste", town.apps, env=ENV)
    town.mesh.ready(easy, strict)
    yield easy, strict
    for proxy in (easy, strict):
        proxy.program.stop()


def test_p1_a_refusal_blocks_the_step_with_name_and_words_and_costs_no_request(
    town: Town, picky: tuple[Proxy, Proxy]
) -> None:
    """P1. The one that refuses keeps what it had; the other has the weight at once; what is new is sent at once."""
    mesh, plane, (easy, strict) = town.mesh, town.mesh.plane, picky
    rollout = plane.post("rollouts", {"service": "taste", "env": ENV, "version": "v2"})["id"]
    plane.set_weight(rollout, 20)
    people, requests = users(200, lambda name: request("taste", (USER, name)))
    before = owners(mesh.split("taste", ENV), people)
    with Load(strict.port, requests) as load:
        plane.put(
            f"routes/taste.odd?env={ENV}", {"service": "taste", "path": {"regex": "/[a-z]{1,16}/[0-9]+/(x|yy)z*"}}
        )
        wait_until(lambda: _nack(plane.node("strict")), what="it refuses")
        refused = strict.count("http.egress.rds.egress.update_rejected")
        assert refused == 1
        plane.post(f"rollouts/{rollout}:set-weight", {"weight": 60})
        found = plane.rollout(rollout, "blocked", timeout=5)
        assert (found["state"], found["phase"], found["weight"]) == ("blocked", "shifting", 60)
        assert "strict" in found["gate"]["reason"]
        assert "max program size" in found["gate"]["reason"], "Envoy's own words"
        parts = {node["node"]: node for node in found["gate"]["nodes"]}
        assert parts["easy"]["state"] == "done"
        assert parts["strict"]["acked"] == {"v1": 80, "v2": 20}
        assert "max program size" in _nack(plane.node("strict"))
        time.sleep(WORKERS_S)
        assert versions(ask(easy.port, requests)) == owners(mesh.split("taste", ENV), people)
        assert versions(ask(strict.port, requests)) == before
        # Endpoints change; what was refused is not offered again.
        more = mesh.register("taste", "v1", town.apps["v3"], env=ENV, id="taste-more")
        wait_until(lambda: _endpoints(strict, "taste/v1") == 2, what="new endpoints still arrive")
        assert strict.count("http.egress.rds.egress.update_rejected") == 2, "one content, one refusal"
        plane.delete(f"instances/{more}")
        plane.delete("routes/taste.odd", env=ENV)
        found = plane.rollout(rollout)
        assert (found["weight"], found["gate"]["acked"]) == (60, 2)
        assert _nack(plane.node("strict")) == ""
    assert load.failures == []


def test_a_listener_whose_port_is_taken_is_reported_in_envoys_words_and_heals_on_another(town: Town) -> None:
    mesh, plane = town.mesh, town.mesh.plane
    mesh.two_versions("porch", town.apps, env="taken")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        gateway = mesh.gateway("porch", env="taken", port=holder.getsockname()[1])
        wait_until(lambda: _nack(plane.node(gateway.id), "lds"), 30, what="it refuses the listener")
        assert "ddress already in use" in _nack(plane.node(gateway.id), "lds")
        port = free_port()
        mesh.edge("porch", port, "taken")
        mesh.reachable(port, "porch.test", "v1")
    wait_until(lambda: not _nack(plane.node(gateway.id), "lds"), what="the refusal is settled")
    gateway.program.stop()


def _nack(node: Document, kind: str = "rds") -> str:
    held = node["types"].get(kind) or {}
    return str((held.get("nack") or {}).get("message", ""))


def _endpoints(proxy: Proxy, cluster: str) -> int:
    return proxy.count(f"cluster.{cluster}.membership_total")
