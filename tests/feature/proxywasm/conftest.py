"""What the tests of foreign filters share: the built modules, one runtime, a clock that stands, calls on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness.modules import build_all
from xds.proxywasm.machine import Host
from xds.proxywasm.outbound import GrpcCall, GrpcPeer, GrpcRequest, HttpCall, HttpRequest, NoSuchUpstream
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.runtime import Limits, Runtime
from xds.proxywasm.sharing import Shared

SECOND = 1_000_000_000


@dataclass
class Peer(GrpcPeer):
    """What the guest did to a gRPC call."""

    did: list[str] = field(default_factory=list)

    def send(self, content: bytes, end: bool) -> None:
        self.did.append(f"send {content.decode()} {end}")

    def close(self) -> None:
        self.did.append("close")

    def cancel(self) -> None:
        self.did.append("cancel")


@dataclass
class World:
    """What surrounds a filter: time that the test moves, and the calls that the filter made."""

    now_ns: int = 1_000 * SECOND
    shared: Shared = field(default_factory=Shared)
    http: list[tuple[HttpRequest, HttpCall]] = field(default_factory=list)
    grpc: list[tuple[GrpcRequest, GrpcCall, Peer]] = field(default_factory=list)

    def host(self) -> Host:
        return Host(now_ns=lambda: self.now_ns, shared=self.shared, http=self.on_http, grpc=self.on_grpc)

    def on_http(self, request: HttpRequest, call: HttpCall) -> None:
        if request.upstream == b"nowhere":
            raise NoSuchUpstream("nowhere")
        self.http.append((request, call))

    def on_grpc(self, request: GrpcRequest, call: GrpcCall) -> GrpcPeer:
        peer = Peer()
        self.grpc.append((request, call, peer))
        return peer


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    with Runtime(Limits(call_seconds=10), kept_modules=16) as shared:
        yield shared


@pytest.fixture(scope="session")
def modules() -> Mapping[str, Path]:
    """Building them takes most of a minute in a fresh clone; no test waits for it longer than the build may take."""
    return build_all()


@pytest.fixture
def started(modules: Mapping[str, Path], runtime: Runtime, world: World) -> Starter:
    return Starter(modules, runtime, world)


@dataclass
class Starter:
    """Starts a module by `language/name` in the test's world."""

    modules: Mapping[str, Path]
    runtime: Runtime
    world: World

    def __call__(self, name: str, configuration: bytes = b"") -> Plugin:
        settings = Settings(root_id=name.partition("/")[2])
        module = self.modules[name].read_bytes()
        return Plugin(module, configuration, runtime=self.runtime, host=self.world.host(), settings=settings)
