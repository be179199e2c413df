"""The stage: a control plane, a gateway and one sidecar a version on real Envoys, and the versions themselves.

Everything is started with the commands a user would type (they stand at the head of each log) and declared with
`web.yaml` and one call an instance. Knows ports and programs; what happens on the stage is the story's.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import sysconfig
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from xds.api.schemas.node import NodeListed, TypeCounts
from xds.cli.demo.calls import Calls, Document, Refused
from xds.cli.demo.programs import Program, Programs, free_ports

SERVICE: Final = "web"
OLD: Final = "v1"
NEW: Final = "v2"
GATEWAY: Final = "edge"
INSTANCE: Final = f"{SERVICE}-{{}}"
DOCUMENTS: Final = "web.yaml"

SET_UP_TIMEOUT: Final = 60.0  # seconds for one part of the set-up
_SMALL: Final = ("--concurrency", "1", "--drain-time", "1", "--drain-limit", "10")
_FAIRLEAD: Final = str(Path(sysconfig.get_path("scripts")) / "fairlead")


class NotSetUp(Exception):
    """A part of the stage did not come up; the message says which, and where its log is."""


@dataclass(frozen=True, slots=True)
class Place:
    """One version on this machine: its application, its sidecar, and where each listens."""

    app: Program
    sidecar: Program
    app_port: int
    ingress_port: int
    admin_port: int


class Stage:
    """All programs of one demo. `broken` is a version that answers every request with 500, "" for none."""

    def __init__(self, programs: Programs, folder: Path, *, broken: str = "") -> None:
        """Choose the ports of the control plane and the gateway; start nothing."""
        self._programs = programs
        self._folder = folder
        self._broken = broken
        self.api_port, self.ads_port, self.gateway_port, self.admin_port = free_ports(4)
        self.calls = Calls(f"http://127.0.0.1:{self.api_port}")
        self.places: dict[str, Place] = {}

    @property
    def envoys(self) -> int:
        """Return how many Envoys have to acknowledge a weight: the gateway and every sidecar."""
        return 1 + len(self.places)

    async def set_up(self, say: Callable[[str], None]) -> None:
        """Start everything and return when the first request can be sent; NotSetUp otherwise."""
        say("control plane")
        ads, api = f"127.0.0.1:{self.ads_port}", f"127.0.0.1:{self.api_port}"
        server = await self._fairlead(
            "control-plane", ["serve", "--data-dir", str(self._folder / "data"), "--api", api, "--ads", ads]
        )
        await self._until("the control plane is ready", self.calls.is_ready, server)
        await self.calls.apply(documents())
        say("gateway and sidecars")
        places = [await self._place(version) for version in (OLD, NEW)]
        self.places = dict(zip((OLD, NEW), places, strict=True))
        gateway = await self._fairlead(
            "envoy-gateway",
            [
                *("envoy", *_SMALL, "--role", "gateway", "--gateway", GATEWAY, "--ads", ads),
                *("--listen", f"127.0.0.1:{self.gateway_port}", "--admin", f"127.0.0.1:{self.admin_port}"),
            ],
        )
        for version in (OLD, NEW):  # the first to register becomes the stable version
            await self.calls.register(INSTANCE.format(version), self.instance(version))
        await self._until("every Envoy has acknowledged everything", self._all_settled, gateway)

    async def add(self, version: str) -> None:
        """Bring up one more version and register it; it gets no traffic before a rollout says so."""
        self.places[version] = await self._place(version)
        await self.calls.register(INSTANCE.format(version), self.instance(version))

    async def end(self, version: str) -> None:
        """Drain and end a version's sidecar, then its application."""
        place = self.places[version]
        await place.sidecar.stop()
        await place.app.stop()

    def sicken(self, version: str) -> None:
        """Let a version's application answer 500 from now on."""
        self.places[version].app.process.send_signal(signal.SIGUSR1)

    def heal(self, version: str) -> None:
        """Let it answer 200 again."""
        self.places[version].app.process.send_signal(signal.SIGUSR2)

    def instance(self, version: str) -> Document:
        """Return what a version's instance says of itself; `ingress` sends Envoys to its sidecar."""
        place = self.places[version]
        return {
            "service": SERVICE,
            "version": version,
            "address": "127.0.0.1",
            "port": place.app_port,
            "ingress": f"127.0.0.1:{place.ingress_port}",
        }

    async def _place(self, version: str) -> Place:
        app_port, ingress, egress, admin = free_ports(4)
        status = "500" if version == self._broken else "200"
        app = await self._start(
            f"app-{version}",
            [sys.executable, "-m", "xds.cli.demo.app", "--version", version, "--port", str(app_port)]
            + ([] if status == "200" else ["--status", status]),
        )
        sidecar = await self._fairlead(
            f"envoy-sidecar-{version}",
            [
                *("envoy", *_SMALL, "--role", "sidecar", "--service", SERVICE, "--version", version),
                *("--app", f"127.0.0.1:{app_port}", "--ingress", f"127.0.0.1:{ingress}"),
                *("--egress", f"127.0.0.1:{egress}", "--admin", f"127.0.0.1:{admin}"),
                *("--ads", f"127.0.0.1:{self.ads_port}"),
            ],
        )
        return Place(app, sidecar, app_port, ingress, admin)

    async def _fairlead(self, name: str, words: Sequence[str]) -> Program:
        return await self._start(name, [_FAIRLEAD, *words])

    async def _start(self, name: str, command: Sequence[str]) -> Program:
        (self._programs.logs / f"{name}.log").write_text(f"$ {shlex.join(command)}\n")
        return await self._programs.start(name, command)

    async def _until(self, what: str, condition: Callable[[], Awaitable[bool]], program: Program) -> None:
        """Wait for `condition`; NotSetUp when it does not come true, with the last words of `program`."""
        try:
            async with asyncio.timeout(SET_UP_TIMEOUT):
                while True:
                    if await condition():
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise NotSetUp(
                f"{what}: not within {SET_UP_TIMEOUT:g} s; the end of {program.log}:\n{program.last_words()}"
            ) from None
        except Refused as error:
            raise NotSetUp(f"{what}: {error}") from error

    async def _all_settled(self) -> bool:
        nodes = await self.calls.nodes()
        if len(nodes) < self.envoys or not all(is_settled(node) for node in nodes):
            return False
        explained = await self.calls.explain(SERVICE)
        held = {node.node for node in explained.nodes if node.state == "done"}
        return len(held) == self.envoys and len(explained.instances) == len(self.places)


def is_settled(node: NodeListed) -> bool:
    """Say whether an Envoy has acknowledged all it was sent, the health filter included."""
    types = node.types
    return (
        node.connected
        and {"cds", "eds", "lds", "rds", "ecds"} <= types.keys()
        and bool(types["ecds"].acked)
        and all(_is_settled(held) for held in types.values())
    )


def _is_settled(held: TypeCounts) -> bool:
    return held.acked == held.sent and held.pending_for is None and held.nack is None


def documents() -> list[Document]:
    """Return the documents of `web.yaml`, which lies beside this module."""
    text = resources.files(__package__).joinpath(DOCUMENTS).read_text(encoding="utf-8")
    return [dict(document) for document in YAML(typ="safe").load_all(text)]
