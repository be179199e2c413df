"""The sides of the registry's benchmark: `fairlead serve` and etcd on one disk, and a client that registers with both.

A server has one core for itself, whoever asks has the other. Nothing is mocked: the journal is on, every answer stands
for a commit that is on disk, and one stream is subscribed to all services.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from .processes import CLIENT_CORE, CORES, SERVER_CORE, Program
from .programs import Programs
from .sides import Load, streaming

FAIRLEAD = Path(sysconfig.get_path("scripts")) / "fairlead"
SERVICES = 1000
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Clients:
    """The programs that ask: one registers, the other is subscribed."""

    registry: Path
    stream: Path


@dataclass(frozen=True, slots=True)
class Took:
    """One run of the client: items a second, latencies of requests in ms, and the server's processor time, in s."""

    items: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu: float

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.items / self.seconds

    @property
    def us(self) -> float:
        """Processor time of the server for an item."""
        return self.cpu * 1e6 / self.items


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane that serves, with what asks it."""

    program: Program
    clients: Clients
    api: str
    ads: int

    def run(self, count: int, **asked: object) -> Took:
        """Let the client register (or what `asked` says) `count` instances."""
        address = self.api.removeprefix("http://")
        return _run(self.clients.registry, self.program, "fairlead", address, count, **asked)

    @contextmanager
    def asking(self) -> Iterator[httpx.Client]:
        """Yield a client of the API."""
        with httpx.Client(base_url=f"{self.api}/v1", timeout=PATIENCE, trust_env=False) as api:
            yield api

    def declare(self) -> None:
        """Declare the services, so that there is something to subscribe to."""
        documents = [{"kind": "service", "name": f"service-{number:04d}"} for number in range(SERVICES)]
        with self.asking() as api:
            answer = api.post("/apply", json={"documents": documents}).raise_for_status().json()
        if answer["failed"]:
            raise SystemExit(f"registry: {answer['failed']} services were refused; nothing is written")

    @contextmanager
    def subscribed(self) -> Iterator[Program]:
        """Keep one stream subscribed to the endpoints of all services."""
        programs = Programs(self.clients.stream, self.clients.stream)
        with streaming(programs, Load(streams=1, names=SERVICES), self.ads, "/-") as (stream, _):
            yield stream


@contextmanager
def plane(clients: Clients, folder: Path, core: int | None = SERVER_CORE) -> Iterator[Plane]:
    """Run a control plane on the data in `folder`; yields it once it is ready."""
    serve = [str(FAIRLEAD), "serve", "-o", "json", "--data-dir", str(folder), "--filter", "none"]
    with Program([*serve, "--api", "127.0.0.1:0", "--ads", "127.0.0.1:0"], core) as program:
        serves = program.hear()
        yield Plane(program, clients, serves["api"], int(serves["ads"].rpartition(":")[2]))


@dataclass(frozen=True, slots=True)
class Etcd:
    """An etcd that serves, with its client."""

    program: Program
    clients: Clients
    address: str

    def run(self, count: int, **asked: object) -> Took:
        """Let the client put `count` instances."""
        return _run(self.clients.registry, self.program, "etcd", self.address, count, **asked)


@contextmanager
def etcd(clients: Clients, folder: Path) -> Iterator[Etcd]:
    """Run an etcd of one member on data in `folder`; yields it once it answers."""
    found = shutil.which("etcd")
    if found is None:
        raise SystemExit("registry: etcd is not installed, and half a comparison is none (Debian: etcd-server)")
    client, peer = "http://127.0.0.1:22379", "http://127.0.0.1:22380"
    command = [found, "--data-dir", str(folder), "--listen-client-urls", client, "--advertise-client-urls", client]
    command += [
        "--listen-peer-urls",
        peer,
        "--initial-advertise-peer-urls",
        peer,
        "--initial-cluster",
        f"default={peer}",
    ]
    with Program(command, SERVER_CORE) as program:
        deadline = time.monotonic() + PATIENCE
        while not _is_up(client):
            if time.monotonic() > deadline:
                raise SystemExit("registry: etcd did not start; nothing is written")
            time.sleep(0.1)
        yield Etcd(program, clients, client.removeprefix("http://"))


def _is_up(url: str) -> bool:
    with closing(httpx.Client(trust_env=False, timeout=1)) as client:
        try:
            return client.get(f"{url}/health").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


def _run(program: Path, server: Program, target: str, address: str, count: int, **asked: object) -> Took:
    command = [str(program), "-target", target, "-address", address, "-count", str(count)]
    command += [part for name, value in asked.items() for part in (f"-{name}", str(value))]
    server.settle()
    before = server.cpu
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {CORES[CLIENT_CORE]}),
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"registry: {' '.join(command)} failed; nothing is written\n{done.stderr[-2000:]}")
    server.settle()  # what the registrations still cause belongs to them
    heard: dict[str, Any] = json.loads(done.stdout)
    return Took(heard["items"], heard["seconds"], heard["p50_ms"], heard["p99_ms"], server.cpu - before)
