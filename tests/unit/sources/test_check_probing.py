"""Questions over real sockets, to programs that answer well, badly, never, or far too much."""

from __future__ import annotations

import asyncio
import gc
import gzip
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from tests.harness.declared import instance
from tests.harness.ports import free_port
from tests.harness.waiting import until
from xds.model.check import Check, CheckKind
from xds.net.dialer import Dialer
from xds.net.targets import LOOPBACK, Targets
from xds.sources.checks.probing import Prober
from xds.sources.checks.target import Outcome, Stage, Target

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENT = 5.0
HTTP = Check(CheckKind.HTTP, path="/healthz", timeout=PATIENT)
TCP = Check(CheckKind.TCP, timeout=PATIENT)
GRPC = Check(CheckKind.GRPC, timeout=PATIENT)


class Asker:
    """A prober that may call loopback, and what it asks."""

    def __init__(self) -> None:
        self.dialer = Dialer(Targets(allowed=LOOPBACK))
        self.prober = Prober(self.dialer, time.monotonic)

    async def ask(self, check: Check, port: int, host: str = "127.0.0.1", *, starting: bool = False) -> Outcome:
        """Ask an instance that is registered on `port`, unless the check says otherwise."""
        stage = Stage.STARTING if starting else Stage.UP
        plain = instance(address=host)
        target = Target(plain.id, check, host, (("http", port),), stage, 0.0)
        outcome = await self.prober.ask(target)
        assert outcome is not None, "we did not look in time"
        return outcome


@pytest.fixture
def asker() -> Iterator[Asker]:
    made = Asker()
    yield made
    made.dialer.close()


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port on which `serve` answers each connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    port = free_port()
    async with await asyncio.start_server(answer, "127.0.0.1", port, ssl=tls):
        yield port


def says(*chunks: bytes, forever: bytes = b"", every: float = 0.0) -> Serve:
    """Read the question, answer `chunks`, and then go on with `forever` until the connection breaks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
        while forever:
            writer.write(forever)
            await writer.drain()
            await asyncio.sleep(every)
        await writer.drain()

    return serve


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing until the other side goes."""
    while await reader.read(4096):
        pass


OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (OK, "answered"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "answered"),
        (b"HTTP/1.0 200 OK\n\n", "answered"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK, "answered"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nsecret", "it answers 503"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\r\n", "it answers 302, and is not followed"),
        (b"", "it ended the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it does not speak HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "it speaks TLS, and was asked without"),
        (
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),
            "it speaks HTTP/2, as gRPC does, and was asked in HTTP/1.1",
        ),
        (b"HTTP/1.1 100 Continue\r\n", "it ended the connection within its answer"),
    ],
)
async def test_m04_http_is_content_with_2xx_and_says_in_words_what_else_it_met(
    asker: Asker, answer: bytes, why: str
) -> None:
    """H3: no redirect is followed, and nothing of the answer is shown."""
    async with serving(says(answer)) as port:
        outcome = await asker.ask(HTTP, port)
    assert (outcome.good, outcome.why, outcome.silent) == (why == "answered", why, False)


async def test_the_question_names_path_and_host(asker: Asker) -> None:
    asked = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    async with serving(serve) as port:
        await asker.ask(HTTP, port)
        await asker.ask(replace(HTTP, host="shop.example"), port)
    assert asked.get_nowait().startswith(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
    assert b"\r\nHost: shop.example\r\n" in asked.get_nowait()


async def test_m04_tcp_is_content_with_a_connection(asker: Asker) -> None:
    async with serving(silence) as port:
        assert (await asker.ask(TCP, port)).good
    outcome = await asker.ask(TCP, port)
    assert outcome.why == f"nobody listens at 127.0.0.1 port {port}"
    assert not outcome.silent, "a refusal is an answer"


HOSTILE = {
    "drips a byte a second": says(forever=b"H", every=1.0),
    "drips an answer": says(b"HTTP/1.1 1", forever=b"0", every=1.0),
    "never says a word": silence,
}
ENDLESS = {
    "a gigabyte without a line": says(forever=b"x" * 65_536),
    "a gigabyte of interim answers": says(forever=b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a hundred thousand headers": says(b"HTTP/1.1 100 Continue\r\n", forever=b"x-header: y\r\n" * 1000),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_h4_a_whole_check_ends_at_its_deadline(asker: Asker, name: str) -> None:
    async with serving(HOSTILE[name]) as port:
        began = time.monotonic()
        outcome = await asker.ask(replace(HTTP, timeout=0.3), port)
    assert outcome.why == "it did not finish its answer within 300 ms"
    assert not outcome.silent, "it took the connection"
    assert time.monotonic() - began < 3.0


@pytest.mark.parametrize("name", ENDLESS)
async def test_h4_no_more_than_four_kilobytes_are_read_of_an_answer_without_end(asker: Asker, name: str) -> None:
    async with serving(ENDLESS[name]) as port:
        outcome = await asker.ask(HTTP, port)
    assert outcome.why == "no answer within the first 4096 bytes"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"x" * 10_000_000,
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(bytes(20_000_000)),
        b"HTTP/1.1 200 OK\r\n" + b"x-header: y\r\n" * 100_000,
    ],
    ids=["a large body", "a gzip bomb", "a hundred thousand headers"],
)
async def test_h4_what_comes_after_the_status_is_not_read(asker: Asker, answer: bytes) -> None:
    async with serving(says(answer)) as port:
        assert (await asker.ask(HTTP, port)).good


async def test_h4_broken_tls_is_told_as_such(asker: Asker) -> None:
    secure = replace(HTTP, tls=True)

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"\x16\x03\x03\x00\x04nope")
        await writer.drain()

    async with serving(nonsense) as port:
        assert (await asker.ask(secure, port)).why.endswith("does not speak TLS as it should")
    async with serving(silence) as port:
        assert "within 300 ms" in (await asker.ask(replace(secure, timeout=0.3), port)).why


async def test_h4_nothing_is_left_of_a_hundred_hostile_targets(asker: Asker) -> None:
    """No task, no descriptor: counted before and after."""
    async with serving(silence) as port:
        await asker.ask(replace(HTTP, timeout=0.05), port)  # what is made once is made now
        gc.collect()
        files, tasks = descriptors(), len(asyncio.all_tasks())
        await asyncio.gather(*[asker.prober.ask(_target(port)) for _ in range(100)])
        await until(lambda: len(asyncio.all_tasks()) <= tasks and descriptors() <= files, what="everything is let go")


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _target(port: int) -> Target:
    return Target("t", replace(HTTP, timeout=0.2), "127.0.0.1", (("http", port),), Stage.UP, 0.0)


@pytest.mark.parametrize("host", ["169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200", "2002:a9fe:a9fe::"])
async def test_h3_a_blocked_target_is_bad_and_never_silent(asker: Asker, host: str) -> None:
    outcome = await asker.ask(TCP, 80, host)
    assert outcome.why.startswith(f"blocked_target: {host} is not called")
    assert not outcome.silent


async def test_m20_a_registered_port_where_nobody_listens_is_found_before_there_is_traffic(asker: Asker) -> None:
    wrong = free_port()
    async with serving(says(OK)) as port:
        check = replace(HTTP, port=port)
        outcome = await asker.ask(check, wrong, starting=True)
        assert outcome.why == f"port {wrong} (http) is registered and nobody listens there, though port {port} answers"
        assert (await asker.ask(check, wrong)).good, "afterwards the check speaks for it"


async def test_the_port_behind_a_sidecar_is_reached_by_the_sidecar_alone(asker: Asker) -> None:
    async with serving(says(OK)) as sidecar:
        own = (("http", free_port()),)
        behind = Target("t", replace(HTTP, port=sidecar), "127.0.0.1", own, Stage.STARTING, 0.0, behind=True)
        outcome = await asker.prober.ask(behind)
        assert outcome is not None
        assert outcome.good


# -- gRPC, on real servers ------------------------------------------------------------------------------------------


@asynccontextmanager
async def health_server(**statuses: bytes) -> AsyncIterator[int]:
    """A real gRPC server whose health service answers `statuses` by service ("" is `server`)."""

    async def check(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        name = request[2:].decode() or "server"
        if name not in statuses:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown")
        return statuses[name]

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(check)
    if statuses:
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
        )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def test_m04_grpc_is_content_with_serving_of_the_service_it_asks_for(asker: Asker) -> None:
    async with health_server(server=b"\x08\x01", shop=b"\x08\x02", sick=b"\x08\x03") as port:
        assert (await asker.ask(GRPC, port)).good
        told = {name: (await asker.ask(replace(GRPC, service=name), port)).why for name in ("shop", "sick", "other")}
    assert told == {
        "shop": "it says NOT_SERVING",
        "sick": "it does not know the service that it was asked for",
        "other": "it does not know the service that it was asked for",
    }


async def test_m04_a_grpc_server_without_a_health_service_says_so(asker: Asker) -> None:
    async with health_server() as port:
        assert (await asker.ask(GRPC, port)).why == "it has no grpc.health.v1 service"


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "it does not speak HTTP/2"),
        (says(b"\x00\x00"), "it ended the connection within its answer"),
        (says(forever=b"\x00\x00\x08\x06\x00\x00\x00\x00\x00pingping"), "its answer is too long for one"),
    ],
    ids=["HTTP/1.1", "an end", "pings without end"],
)
async def test_h4_a_grpc_check_bears_what_is_no_grpc_server(asker: Asker, serve: Serve, why: str) -> None:
    async with serving(serve) as port:  # which reads up to an empty line: the preface of HTTP/2 has one
        assert (await asker.ask(GRPC, port)).why == why


def test_the_folder_of_checks_opens_no_connection_of_its_own() -> None:
    """One guarded dialer: nobody else under `sources` opens sockets to others.

    A Docker Engine is none of the others: its address is an operator's setting.
    """
    engine = {Path("xds/sources/docker/engine.py"), Path("xds/sources/docker/endpoint.py")}
    for source in {*Path("xds/sources").rglob("*.py")} - engine:
        text = source.read_text()
        for opener in ("open_connection", "create_connection", "sock_connect", "httpx", "urllib", "insecure_channel"):
            assert opener not in text, f"{source} opens connections past the guard: {opener}"
