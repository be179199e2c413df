"""The sides of the Docker benchmark: who sees a container's labels and sends requests to it.

Fairlead is `fairlead serve --docker` with its defaults and a gateway Envoy; Traefik, where its binary is given, its
Docker provider with its defaults. Both listen on loopback and reach containers on the engine's bridge.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.peers.containers import PORT
from tests.harness.filter_envoy import counter
from tests.harness.mesh import mesh
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until
from xds.cli.binary import find_envoy
from xds.translate.naming import cluster

VERSION: Final = "v1"
SILENCE_S: Final = 4.5
"""Seconds without any change after which the next one is alone: Traefik rests for two after each look by default, and
what comes while it rests makes it look, and rest, once more."""


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

    @property
    def probes(self) -> bool:
        """Whether it asks by default if a container answers before requests are sent there."""

    def labels(self, wish: Wish) -> dict[str, str]:
        """The labels that ask it for this."""

    def knew(self, service: str) -> float | None:
        """When its proxy took the last change of a service's containers (monotonic seconds); None: it does not tell."""


@dataclass(frozen=True, slots=True)
class Fairlead:
    """A control plane with its agent, and a gateway Envoy; `admin` is where that tells of itself."""

    port: int
    admin: int
    probes: bool = True

    def labels(self, wish: Wish) -> dict[str, str]:
        """A service and a route to it."""
        return {
            "fairlead.service": wish.service,
            "fairlead.port": str(PORT),
            "fairlead.version": VERSION,
            "fairlead.route.all.host": wish.host,
            **({} if wish.probed else {"fairlead.health.tcp": "false"}),
            **({} if wish.retried else {"fairlead.retry.attempts": "0"}),
        }

    def knew(self, service: str) -> float:
        """Envoy tells by a clock of the wall, in whole milliseconds."""
        name = f"cluster.{cluster(service, VERSION)}.update_time"
        ago = time.time() - counter(self.admin, name) / 1000  # noqa: TID251 - Envoy's moment is of this clock
        return time.monotonic() - ago


@dataclass(frozen=True, slots=True)
class Traefik:
    """Traefik, which probes and retries nothing by default."""

    port: int
    probes: bool = False

    def labels(self, wish: Wish) -> dict[str, str]:
        """A router and the service that it leads to."""
        name = wish.service
        return {
            "traefik.enable": "true",
            f"traefik.http.routers.{name}.rule": f"Host(`{wish.host}`)",
            f"traefik.http.routers.{name}.service": name,
            f"traefik.http.services.{name}.loadbalancer.server.port": str(PORT),
        }

    def knew(self, service: str) -> None:
        """It does not tell when it took a change."""


@contextmanager
def fairlead(socket: Path, folder: Path) -> Iterator[Fairlead]:
    """Run `fairlead serve --docker` and a gateway until the block ends."""
    with mesh(find_envoy("", os.environ), folder, "--docker", env=engine_of(socket)) as made:
        gateway = made.gateway("edge")
        made.ready(gateway)
        yield Fairlead(gateway.port, gateway.ports["admin"])


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
