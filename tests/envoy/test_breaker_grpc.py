"""gRPC through the breaker in a real Envoy: what counts is `grpc-status`, in trailers or in the only headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from tests.harness.breaker_envoy import Guarded, facts, route
from tests.harness.filter_envoy import cluster
from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.repo import ROOT
from xds.model.bucket import bucket

pytestmark = pytest.mark.envoy

CANARY = [user for user in range(500) if bucket("s", f"user-{user}".encode()) >= 8_000]
CODES = {code.value[0]: code for code in grpc.StatusCode}
FAILURES, OTHERS = (2, 4, 13, 14, 15), (1, 3, 5, 7, 9, 12, 16)


class Version(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """A version of an app; version 2 ends a call as `x-code` says."""

    def __init__(self, number: str) -> None:
        self._number = number

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """`Stream` sends a message first, so that its status is in trailers; `Single` has it in the only headers."""
        if handler_call_details.method.endswith("/Stream"):
            return grpc.unary_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self._single)

    def _stream(self, _: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield self._number.encode()
        self._end(context)

    def _single(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        self._end(context)
        return self._number.encode()

    def _end(self, context: grpc.ServicerContext) -> None:
        code = int(dict(context.invocation_metadata()).get("x-code", "0"))
        if self._number == "2" and code:
            context.abort(CODES[code], "as it was asked")


def served(number: str) -> tuple[grpc.Server, int]:
    port = free_port()
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Version(number),))
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    server.start()
    return server, port


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("breaker-grpc")
    programs = Programs(folder)
    servers = {number: served(number) for number in ("1", "2")}
    made = Guarded(programs, envoy_binary, folder, (ROOT / "filters/health.wasm").read_bytes(), workers=1)
    services = [f"{method}-{code}" for method in ("Stream", "Single") for code in (*FAILURES, *OTHERS, 8)]
    told = [facts(service, {"open_ms": 60_000}, "rpc") for service in services]
    try:
        clusters = [cluster(f"rpc/{number}", port, http2=True) for number, (_, port) in servers.items()]
        made.start(map(route, told), clusters=clusters)
        yield made
    finally:
        programs.stop_all()
        for server, _ in servers.values():
            server.stop(None)


def call(envoy: Guarded, method: str, code: int, users: list[int]) -> Counter[int]:
    """One call of each user, one after the other; how many ended with which status."""
    ended: Counter[int] = Counter()
    with grpc.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
        path = f"/{method}-{code}/{method}"
        make = channel.unary_stream(path) if method == "Stream" else channel.unary_unary(path)
        for user in users:
            try:
                answer = make(b"", metadata=[("x-user", f"user-{user}"), ("x-code", str(code))], timeout=20)
                list(answer)
                ended[0] += 1
            except grpc.RpcError as error:
                ended[error.code().value[0]] += 1
    return ended


@pytest.mark.parametrize("method", ["Stream", "Single"])
@pytest.mark.parametrize("code", FAILURES)
def test_five_calls_that_end_with_a_failure_cut_the_version_off(envoy: Guarded, method: str, code: int) -> None:
    assert call(envoy, method, code, CANARY[:20]) == {code: 5, 0: 15}
    assert envoy.transitions(f"{method}-{code}") == ["rpc/2 closed>open consecutive"]


@pytest.mark.parametrize("method", ["Stream", "Single"])
@pytest.mark.parametrize("code", OTHERS)
def test_what_the_caller_did_wrong_is_no_failure_of_the_version(envoy: Guarded, method: str, code: int) -> None:
    assert call(envoy, method, code, CANARY[:20]) == {code: 20}
    assert envoy.transitions(f"{method}-{code}") == []


@pytest.mark.parametrize("method", ["Stream", "Single"])
def test_to_be_exhausted_counts_in_the_ratio_and_not_in_a_row(envoy: Guarded, method: str) -> None:
    assert call(envoy, method, 8, CANARY[:30]) == {8: 20, 0: 10}
    assert envoy.transitions(f"{method}-8") == ["rpc/2 closed>open errors"]
