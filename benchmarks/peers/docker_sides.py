"""The sides of the Docker benchmark: who sees a container's labels and sends requests to it.

Fairlead is `fairlead serve --docker` with its defaults and a gateway Envoy; Traefik, where its binary is given, its
Docker provider with its defaults. Both listen on loopback and reach containers on the engine's bridge.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.peers.containers import PORT
from tests.harness.mesh import mesh
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until
from xds.cli.binary import find_envoy


@dataclass(frozen=True, slots=True)
class Wish:
    """What a container's labels ask for: a service, and the host by which it is found.

    `probed` False routes to it without asking whether it answers; `retried` False tries no request twice.
    """

    service: str
    host: str
    probed: bool = True
    retried: bool = True


class Side(Protocol):
    """One side; `port` on loopback is where requests go."""

    @property
    def port(self) -> int:
        """Where its proxy listens."""

    def labels(self, wish: Wish) -> dict[str, str]:
        """The labels that ask it for this."""


@dataclass(frozen=True, slots=True)
class Fairlead:
    """A control plane with its agent, and a gateway Envoy."""

    port: int

    def labels(self, wish: Wish) -> dict[str, str]:
        """A service and a route to it."""
        return {
            "fairlead.service": wish.service,
            "fairlead.port": str(PORT),
            "fairlead.version": "v1",
            "fairlead.route.all.host": wish.host,
            **({} if wish.probed else {"fairlead.health.tcp": "false"}),
            **({} if wish.retried else {"fairlead.retry.attempts": "0"}),
        }


@dataclass(frozen=True, slots=True)
class Traefik:
    """Traefik, which probes and retries nothing by default."""

    port: int

    def labels(self, wish: Wish) -> dict[str, str]:
        """A router and the service that it leads to."""
        name = wish.service
        return {
            "traefik.enable": "true",
            f"traefik.http.routers.{name}.rule": f"Host(`{wish.host}`)",
            f"traefik.http.routers.{name}.service": name,
            f"traefik.http.services.{name}.loadbalancer.server.port": str(PORT),
        }


@contextmanager
def fairlead(socket: Path, folder: Path) -> Iterator[Fairlead]:
    """Run `fairlead serve --docker` and a gateway until the block ends."""
    with mesh(find_envoy("", os.environ), folder, "--docker", env=engine_of(socket)) as made:
        gateway = made.gateway("edge")
        made.ready(gateway)
        yield Fairlead(gateway.port)


@contextmanager
def traefik(binary: Path, socket: Path, folder: Path) -> Iterator[Traefik]:
    """Run Traefik until the block ends."""
    folder.mkdir(parents=True)
    programs, port = Programs(folder), free_port()
    try:
        programs.start([binary, *traefik_arguments(socket, port)], name="traefik")
        yield Traefik(port)
    finally:
        programs.stop_all()


def traefik_arguments(socket: Path, port: int) -> list[str]:
    """Its defaults, but for where it listens and which engine it follows; it asks nobody for anything else."""
    return [
        f"--entrypoints.web.address=127.0.0.1:{port}",
        "--providers.docker=true",
        f"--providers.docker.endpoint=unix://{socket}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]


@contextmanager
def agent_alone(socket: Path, folder: Path, count: int) -> Iterator[Program]:
    """Run a control plane and `fairlead agent`, each a process of its own; the agent's, once it registered `count`."""
    with mesh(find_envoy("", os.environ), folder, "--filter", "none") as made:
        words: list[str | Path] = ["--docker", f"unix://{socket}", "--data-dir", folder / "agent"]
        agent = made.programs.fairlead("--server", f"http://127.0.0.1:{made.plane.api}", "agent", *words, name="agent")
        wait_until(lambda: len(made.plane.get("instances", limit=2 * count)["items"]) == count, 60)
        yield agent


def engine_of(socket: Path) -> Mapping[str, str]:
    """The environment of a program that is to follow an engine."""
    return {"DOCKER_HOST": f"unix://{socket}"}
