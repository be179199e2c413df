"""What the Docker benchmark asks of its sides, as far as that can be seen without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import docker
from benchmarks.peers.containers import PORT
from benchmarks.peers.docker_sides import Fairlead, Traefik, Wish, traefik_arguments
from xds.labels.describe import describe
from xds.labels.description import Container, Description
from xds.labels.dialect import Dialect, translated
from xds.model.route import Route

WISH = Wish("web", "web.test")
BARE = Wish("web", "web.test", probed=False, retried=False)


def described(labels: dict[str, str]) -> Description:
    found = describe(labels, Container(id="a" * 64, name="web"))
    assert found.description is not None
    assert found.problems == ()
    return found.description


def test_labels_ask_fairlead_for_a_service_and_a_route_with_everything_at_its_default() -> None:
    found = described(Fairlead(1, 2).labels(WISH))
    assert (found.service.name, found.version, found.ports) == ("web", "v1", {"default": PORT})
    assert found.check is not None
    assert [route.hosts for route in found.routes] == [("web.test",)]
    assert found.policy.retry is None


def test_labels_can_ask_for_no_probe_and_no_second_try() -> None:
    found = described(Fairlead(1, 2).labels(BARE))
    assert found.check is None
    assert found.policy.retry is not None
    assert found.policy.retry.attempts == 0


def test_both_sides_are_asked_for_the_same() -> None:
    """Traefik's labels, read as its users' are: the same service, port and host."""
    said = {"com.docker.compose.service": WISH.service, **Traefik(1).labels(WISH)}
    theirs = described(dict(translated(said, [Dialect.TRAEFIK]).labels))
    ours = described(Fairlead(1, 2).labels(WISH))
    assert (theirs.service, theirs.ports) == (ours.service, ours.ports)
    assert [_asked(route) for route in theirs.routes] == [_asked(route) for route in ours.routes]


def test_traefik_listens_on_loopback_follows_the_engine_and_tells_nobody() -> None:
    said = traefik_arguments(Path("/run/a.sock"), 8080)
    assert "--entrypoints.web.address=127.0.0.1:8080" in said
    assert "--providers.docker.endpoint=unix:///run/a.sock" in said
    assert {"--global.checknewversion=false", "--global.sendanonymoususage=false"} <= set(said)


def test_a_traefik_that_is_none_is_said_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        docker.main(["--traefik", str(tmp_path / "traefik")])
    assert "is no program" in capsys.readouterr().err


def _asked(route: Route) -> tuple[object, ...]:
    return route.hosts, route.path
