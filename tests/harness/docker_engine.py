"""A real Docker Engine of a test's own: no other engine of this machine, its networks or its firewall are touched.

It has a bridge and address ranges of its own and writes no firewall rules: published ports are served by its proxy. Its
one image is made here, of busybox. Containers outlive a restart of the engine (live-restore), as on a careful host.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until

IMAGE: Final = "fairlead-test/web:v1"
APPLETS: Final = ("sh", "httpd", "sleep", "nc", "echo", "mkdir", "wget", "cat")
SERVE: Final = (
    'trap "sleep ${LINGER:-0}; exit 0" TERM; mkdir /www; echo "$NAME" > /www/index.html; '
    "sleep ${BOOT:-0}; httpd -p ${LISTEN:-8080} -h /www; while :; do sleep 60 & wait $!; done"
)
"""A small web server that says its NAME, after BOOT seconds, and takes LINGER seconds to stop."""


class DockerEngine:
    """`dockerd` with everything of its own below one folder."""

    def __init__(
        self,
        programs: Programs,
        folder: Path,
        *,
        storage: str = "vfs",
        tls: tuple[Path, int] | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        """`storage` is its driver: vfs works everywhere, and copies the image for each container; "" is its choice.

        With `tls`, a folder of certificates and a port of loopback, it listens there, too, and wants to see one.
        `inside` stands before its commands: what enters another network, as on another host.
        """
        self._programs = programs
        self._folder = folder
        self._inside = inside
        self._storage = [f"--storage-driver={storage}"] if storage else []
        self.socket = folder / "docker.sock"
        self.bridge = f"fl{os.getpid()}"
        self._number = _free_number()
        self.program: Program | None = None
        self._over_tls: tuple[str | Path, ...] = ()
        if tls is not None:
            self._over_tls = (
                "-H", f"tcp://127.0.0.1:{tls[1]}", "--tlsverify", "--tlscacert", tls[0] / "ca.pem",
                "--tlscert", tls[0] / "server.pem", "--tlskey", tls[0] / "server-key.pem",
            )  # fmt: skip

    @contextlib.contextmanager
    def running(self) -> Iterator[DockerEngine]:
        """The engine, until the end; its containers and its bridge go with it.

        The bridge has a link address of its own, as an engine gives it: otherwise it has the lowest of its ports,
        another one as containers come and go, and the others' answers would be lost for up to ten seconds.
        """
        own = f"02:42:0a:{self._number:02x}:00:01"
        ip = (*self._inside, "ip")
        _run(*ip, "link", "add", "name", self.bridge, "address", own, "type", "bridge")
        try:
            _run(*ip, "address", "add", f"10.{self._number}.0.1/24", "dev", self.bridge)
            _run(*ip, "link", "set", self.bridge, "up")
            self.start()
            self.make_image()
            try:
                yield self
            finally:
                if found := self.docker("ps", "-aq").split():
                    self.docker("rm", "-f", *found)
                for network in self.docker("network", "ls", "-q", "--filter", "type=custom").split():
                    self.docker("network", "rm", network)
                self.stop()
                for mounted in self._mounts():
                    _run("umount", mounted)
        finally:
            _run(*ip, "link", "delete", self.bridge)

    def _mounts(self) -> list[str]:
        """What the engine left mounted below its folder, the innermost first: nobody could remove the folder."""
        places = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
        return sorted((place for place in places if place.startswith(f"{self._folder}/")), reverse=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        dockerd = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        assert dockerd is not None, "dockerd is missing: scripts/system-parts.sh test installs it"
        folder = self._folder
        self.program = self._programs.start(
            [
                *self._inside, dockerd, *self._storage, "--live-restore", "--data-root", folder / "data",
                "--exec-root", folder / "exec", "--pidfile", folder / "pid", "-H", f"unix://{self.socket}",
                f"--bridge={self.bridge}", "--iptables=false", "--ip-masq=false", "--ip-forward=false",
                "--default-address-pool", f"base=10.{self._number}.128.0/17,size=24", *self._over_tls,
            ],
            name="dockerd",
        )  # fmt: skip
        wait_until(
            lambda: subprocess.run(self._command("version"), capture_output=True, check=False).returncode == 0, 40
        )

    def stop(self) -> None:
        """End the engine; with live-restore its containers go on."""
        assert self.program is not None
        self.program.stop(30)

    def freeze(self) -> None:
        """Let the engine hang: it says nothing any more, and answers nobody."""
        assert self.program is not None
        self.program.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.program is not None
        self.program.send(signal.SIGCONT)

    def make_image(self) -> None:
        """Make the one image, of busybox alone."""
        busybox = shutil.which("busybox")
        assert busybox is not None, "busybox is missing: scripts/system-parts.sh test installs it"
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(Path(busybox).resolve(), "bin/busybox")
            for name in APPLETS:
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        command = self._command("import", "-c", "ENV PATH=/bin", "-", IMAGE)
        subprocess.run(command, input=archive.getvalue(), capture_output=True, check=True, timeout=60)

    def docker(self, *words: str) -> str:
        """What `docker ...` prints; AssertionError, with its words, when it fails."""
        ran = subprocess.run(self._command(*words), capture_output=True, text=True, check=False, timeout=90)
        assert ran.returncode == 0, f"docker {' '.join(words)[:200]}: {ran.stderr}"
        return ran.stdout.strip()

    def run(self, name: str, *options: str, labels: Mapping[str, str] | None = None, **environment: object) -> str:
        """Start the small web server as a container; returns its id."""
        said = (
            {"fairlead.service": "web", "fairlead.port": "8080", "fairlead.version": "v1"} if labels is None else labels
        )
        words = [f"--label={key}={value}" for key, value in said.items()]
        words += [f"--env={key}={value}" for key, value in {"NAME": name, **environment}.items()]
        return self.docker("run", "-d", "--name", name, *words, *options, IMAGE, "sh", "-c", SERVE)

    def create(self, name: str, labels: Mapping[str, str]) -> None:
        """Create, by the API, a container that sleeps: its labels may be longer than a command line."""
        said = {"Image": IMAGE, "Labels": dict(labels), "Cmd": ["sleep", "600"]}
        transport = httpx.HTTPTransport(uds=str(self.socket))
        with httpx.Client(base_url="http://engine", transport=transport, timeout=60) as engine:
            engine.post("/containers/create", params={"name": name}, json=said).raise_for_status()

    def pid(self, name: str) -> int:
        """The id of a container's first process, on this host."""
        return int(self.docker("inspect", "-f", "{{.State.Pid}}", name))

    def _command(self, *words: str) -> list[str]:
        return ["docker", "-H", f"unix://{self.socket}", *words]


def _free_number() -> int:
    """The N of a network 10.N.0.0/16 that nobody on this machine has, be it a bridge that a killed test left behind."""
    routes = _run("ip", "-4", "route")
    wanted = (100 + (os.getpid() + step) % 100 for step in range(100))
    return next(number for number in wanted if f"10.{number}." not in routes)


def _run(*words: str) -> str:
    path = f"{os.environ['PATH']}:/sbin:/usr/sbin"
    done = subprocess.run(
        words, check=True, capture_output=True, text=True, timeout=20, env={**os.environ, "PATH": path}
    )
    return done.stdout
