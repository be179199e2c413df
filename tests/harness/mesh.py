"""The whole system on one machine: a control plane, real Envoys, applications, and what tests declare to it.

A mesh may be shared by tests, so each test takes names of its own; one that adds Envoys which stop or refuse takes an
environment of its own too, because a step is done only when every live Envoy of the environment has acknowledged it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness import upstream
from tests.harness.load import Answer, ask, request
from tests.harness.plane import Json, Plane
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.proxy import Patch, Proxy, by_bootstrap, by_command
from tests.harness.waiting import wait_until
from xds.bootstrap import BootstrapSpec
from xds.model.bucket import bucket
from xds.model.instance import Address
from xds.model.names import DEFAULT_ENV
from xds.model.node import Role
from xds.model.split import Segment, Split

USER = "x-user"


class Mesh:
    """One control plane and everything that was started around it."""

    def __init__(
        self,
        programs: Programs,
        binary: Path,
        folder: Path,
        *flags: str,
        token: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.programs = programs
        self._token = token
        self._binary = binary
        self.folder = folder
        self.plane = Plane(programs, folder / "data", *flags, token=token, env=env)

    # -- starting -----------------------------------------------------------------------------------------------

    def apps(self, *versions: str) -> tuple[dict[str, int], Program]:
        """Start applications in one program; their ports by version. `tcp+v1` speaks TCP, `bad+v1` answers 500."""
        ports = {version.rpartition("+")[2]: free_port() for version in versions}
        words = [f"{version}:{ports[version.rpartition('+')[2]]}" for version in versions]
        return ports, self._apps(words, "-".join(ports))

    def app(self, version: str, port: int) -> Program:
        """Start an application on a port that it had before."""
        return self._apps([f"{version}:{port}"], version)

    def _apps(self, words: Sequence[str], name: str) -> Program:
        program = self.programs.start([sys.executable, upstream.__file__, *words], name=f"apps-{name}")
        wait_until(lambda: "up" in program.output(), what="the applications listen")
        return program

    def edge(self, name: str, port: int, env: str = DEFAULT_ENV) -> None:
        """Declare a gateway that listens on `port` and serves every host that a route names."""
        listeners = [{"name": "http", "address": "127.0.0.1", "port": port}]
        self.plane.put(f"gateways/{name}?env={env}", {"listeners": listeners, "hosts": ["*"]})

    def gateway(
        self, name: str, *, env: str = DEFAULT_ENV, node: str = "", port: int = 0, by_hand: bool = False, zone: str = ""
    ) -> Proxy:
        """Declare a gateway and start an Envoy for it; `by_hand` starts it by `fairlead envoy`."""
        port = port or free_port()
        self.edge(name, port, env)
        spec = BootstrapSpec(
            role=Role.GATEWAY,
            id=node or f"{env}-{name}",
            env=env,
            gateway=name,
            zone=zone,
            admin=_local(),
            ads=_local(self.plane.ads),
        )
        found = by_command(self.programs, spec) if by_hand else self._start(spec)
        found.ports["gateway"] = port
        return found

    def sidecar(
        self,
        node: str,
        *,
        env: str = DEFAULT_ENV,
        service: str = "",
        version: str = "",
        app: int = 0,
        upstreams: str = "",
        by_hand: bool = False,
        token: str | None = None,
        patch: Patch | None = None,
    ) -> Proxy:
        """Start a sidecar: with an application it has an ingress for it, and an egress in any case."""
        spec = BootstrapSpec(
            id=node,
            env=env,
            service=service,
            version=version,
            upstreams=upstreams,
            egress=_local(),
            ingress=_local(),
            app=_local(app) if app else None,
            admin=_local(),
            ads=_local(self.plane.ads),
            token=self._token if token is None else token,
        )
        return by_command(self.programs, spec) if by_hand else self._start(spec, patch)

    def _start(self, spec: BootstrapSpec, patch: Patch | None = None) -> Proxy:
        return by_bootstrap(self.programs, self._binary, self.folder, spec, patch=patch)

    def ready(self, *proxies: Proxy) -> None:
        """Wait until these Envoys are ready and have acknowledged everything."""
        for proxy in proxies:
            proxy.wait_ready()
        self.plane.settled(*(proxy.id for proxy in proxies))

    # -- declaring ----------------------------------------------------------------------------------------------

    def service(self, name: str, *, env: str = DEFAULT_ENV, hosts: Sequence[str] = (), **more: object) -> Json:
        """Declare a service whose users are told apart by a header; with `hosts`, also the route to it."""
        found = self.plane.put(f"services/{name}?env={env}", {"split_key": {"header": USER}, **more})
        if hosts:
            self.plane.put(f"routes/{name}.all?env={env}", {"service": name, "hosts": list(hosts), "path": "/"})
        return found

    def register(self, service: str, version: str, port: int, *, env: str = DEFAULT_ENV, **more: object) -> str:
        """Register an instance; its id."""
        name = str(more.pop("id", f"{env}-{service}-{version}"))
        document = {"service": service, "env": env, "version": version, "address": "127.0.0.1", "port": port, **more}
        self.plane.put(f"instances/{name}", document)
        return name

    def two_versions(self, service: str, ports: Mapping[str, int], *, env: str = DEFAULT_ENV) -> None:
        """A service reachable as itself and as `<service>.test`; v1 registers first, so it is the stable version."""
        self.service(service, env=env, hosts=[f"{service}.test"])
        for version in ("v1", "v2"):
            self.register(service, version, ports[version], env=env)

    def split(self, service: str, env: str = DEFAULT_ENV) -> Split:
        """The service's split, segment by segment, as the API tells it; its salt is the service's key."""
        found = self.plane.get(f"services/{service}", env=env)
        segments = tuple(Segment(each["subset"], round(each["weight"] * 100)) for each in found["segments"])
        return Split(segments, salt=f"{env}/{service}")

    # -- looking ------------------------------------------------------------------------------------------------

    def reachable(self, port: int, host: str, version: str = "", *headers: tuple[str, str], path: str = "/") -> None:
        """Wait until a request for `host` is answered, and by that version if one is named."""

        def there() -> bool:
            (answer,) = ask(port, [request(host, (USER, "nobody-in-particular"), *headers, path=path)])
            assert answer.status == 200, answer
            return version in {"", answer.version}

        wait_until(there, 30, what=f"{host} is answered on port {port}")

    def last_words(self) -> str:
        """The end of every log, for whoever reads of a failure."""
        logs = sorted((self.folder / "logs").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


@dataclass(frozen=True)
class Town:
    """A mesh with a gateway, a sidecar that only sends, and applications of three versions behind both."""

    mesh: Mesh
    gateway: Proxy
    sidecar: Proxy
    apps: dict[str, int]


@contextlib.contextmanager
def mesh(
    binary: Path, folder: Path, *flags: str, token: str = "", env: Mapping[str, str] | None = None
) -> Iterator[Mesh]:
    """A mesh whose control plane has been started with these flags and variables; everything ends with the block."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    programs = Programs(logs)
    made = Mesh(programs, binary, folder, *flags, token=token, env=env)
    try:
        made.plane.start()
        yield made
    finally:
        made.plane.close()
        programs.stop_all()


def owners(split: Split, keys: Iterable[str]) -> list[str]:
    """The version that the split gives each key."""
    return [split.owner(bucket(split.salt, key.encode())) for key in keys]


def versions(answers: Iterable[Answer]) -> list[str]:
    """Who answered; every answer must be a good one."""
    found = list(answers)
    bad = [answer for answer in found if answer.status != 200]
    assert not bad, (len(bad), bad[:3])
    return [answer.version for answer in found]


def _local(port: int = 0) -> Address:
    return Address("127.0.0.1", port or free_port())
