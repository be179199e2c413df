"""The load against the demo's own little service, over real sockets and without an Envoy in between."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from tests.harness.processes import Program, Programs
from tests.harness.waiting import until, wait_until
from tests.unit.demo.users import some_ledger
from xds.cli.demo.ledger import Ledger
from xds.cli.demo.load import Load

StartApp = Callable[..., tuple[Program, int]]


@pytest.fixture
def start_app(programs: Programs, free_port: Callable[[], int]) -> StartApp:
    """Starts a version of the service; returns its program and port once it listens."""

    def start(version: str = "v1", *more: str) -> tuple[Program, int]:
        port = free_port()
        words = ["--version", version, "--port", str(port), *more]
        app = programs.start([sys.executable, "-m", "xds.cli.demo.app", *words], name=version)
        wait_until(lambda: f"{version} listens" in app.output(), what="the service listens")
        return app, port

    return start


async def _run(ledger: Ledger, port: int, done: Callable[[], bool], *, rate: float = 20_000) -> None:
    load = Load(ledger, "127.0.0.1", port, rate=rate)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await until(done, what="enough requests")
        load.stop()


def test_the_service_says_its_version_and_the_user_it_saw(start_app: StartApp) -> None:
    _, port = start_app("v7")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/cart?x=1", headers={"X-User": "ada"})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own service, over http
        assert json.load(answer) == {"version": "v7", "user": "ada", "path": "/cart?x=1"}
        assert answer.headers["x-version"] == "v7"


def test_the_service_can_be_told_to_fail(start_app: StartApp) -> None:
    _, port = start_app("v1", "--status", "500")
    with pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)


def test_the_service_falls_sick_and_gets_well_when_it_is_told(start_app: StartApp) -> None:
    app, port = start_app("v1")

    def status() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    app.send(signal.SIGUSR1)
    wait_until(lambda: status() == 500, what="it is sick")
    app.send(signal.SIGUSR2)
    wait_until(lambda: status() == 200, what="it is well")


def test_the_service_answers_requests_that_arrive_in_pieces_and_together(start_app: StartApp) -> None:
    _, port = start_app("v1")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"GET /1 HTTP/1.1\r\nx-us")
        client.sendall(b"er: ada\r\n\r\nGET /2 HTTP/1.1\r\nx-user: bob\r\n\r\n")
        seen = b""
        while b'"/2"' not in seen:
            seen += client.recv(4096)
    assert seen.index(b'"ada"') < seen.index(b'"/1"') < seen.index(b'"bob"')


def test_the_service_ends_at_sigterm_with_connections_open(start_app: StartApp) -> None:
    app, port = start_app("v1")
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        assert app.stop() == 0


async def test_every_user_returns_round_after_round(start_app: StartApp) -> None:
    _, port = start_app("v1")
    ledger = some_ledger(500)
    window = ledger.moved(2000)
    await _run(ledger, port, lambda: window.is_full)
    assert window.by_version == {"v1": 2000}
    assert len(window.users) == 500
    assert ledger.failed.number == 0


async def test_the_load_is_no_faster_than_its_rate(start_app: StartApp) -> None:
    _, port = start_app("v1")
    ledger = some_ledger(500)
    clock = asyncio.get_running_loop().time
    began = clock()
    await _run(ledger, port, lambda: clock() - began > 0.5, rate=200)
    assert 20 < ledger.requests <= 200 * (clock() - began) + 20


async def test_a_bad_status_is_a_failed_request_that_names_who_answered(start_app: StartApp) -> None:
    _, port = start_app("v1", "--status", "500")
    ledger = some_ledger(500)
    await _run(ledger, port, lambda: ledger.requests >= 100)
    assert ledger.failed.number == ledger.requests
    assert "status 500 from v1" in str(ledger.failed)


async def test_nobody_listening_is_a_failed_request(free_port: Callable[[], int]) -> None:
    ledger = some_ledger(500)
    await _run(ledger, free_port(), lambda: ledger.requests >= 20, rate=500)
    assert ledger.failed.number == ledger.requests


async def test_a_connection_that_breaks_costs_its_request_and_the_load_goes_on(start_app: StartApp) -> None:
    app, port = start_app("v1")
    ledger = some_ledger(500)
    load = Load(ledger, "127.0.0.1", port, rate=2000)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await until(lambda: ledger.requests > 100, what="a working load")
        await asyncio.to_thread(app.kill)
        await until(lambda: ledger.failed.number > 20, what="failed requests")
        load.stop()
    assert ledger.requests > ledger.failed.number
