"""An Envoy that `fairlead envoy` runs: drained before it is stopped, never left behind. On a real Envoy."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TYPE = "type.googleapis.com/"
LAUNCH = """
import sys
from xds.cli.admin import Admin
from xds.cli.child import Drain, run
from xds.model.instance import Address
envoy, config, admin, window, limit = sys.argv[1:]
command = [envoy, "-c", config, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
command += ["--drain-time-s", "1"]
told = lambda pid: print("pid", pid, flush=True)
sys.exit(run(command, Admin(Address("127.0.0.1", int(admin))), Drain(float(window), float(limit)), told))
"""


@dataclass
class Running:
    """The launcher, its Envoy's process id, and where that listens."""

    launcher: Program
    envoy: int
    http: int
    tcp: int

    def ask(self, path: str = "/") -> tuple[int, str]:
        """The status and the `connection` header of one request on a connection of its own."""
        link = HTTPConnection("127.0.0.1", self.http, timeout=20)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            answer.read()
            return answer.status, answer.getheader("connection", "")
        finally:
            link.close()

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            return self.ask()[0] == 200
        except OSError:
            return False

    def listens(self) -> bool:
        """Whether a new connection is accepted."""
        try:
            socket.create_connection(("127.0.0.1", self.http), timeout=2).close()
        except OSError:
            return False
        return True


class Application(BaseHTTPRequestHandler):
    """Answers at once, or after as many seconds as the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(float(self.path[1:] or 0))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Stay silent."""


@pytest.fixture
def application() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def configuration(admin: int, http: int, tcp: int, application: int) -> dict[str, object]:
    def at(port: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    def listener(port: int, name: str, config: dict[str, object]) -> dict[str, object]:
        return {
            "name": name,
            "address": at(port),
            "filter_chains": [{"filters": [{"name": name, "typed_config": config}]}],
        }

    router = {"name": "r", "typed_config": {"@type": TYPE + "envoy.extensions.filters.http.router.v3.Router"}}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "60s"}}]
    http_config: dict[str, object] = {
        "@type": TYPE + HCM, "stat_prefix": "in", "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }  # fmt: skip
    tcp_proxy = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
    tcp_config: dict[str, object] = {"@type": TYPE + tcp_proxy, "stat_prefix": "tcp", "cluster": "app"}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": at(application)}}]}]
    return {
        "admin": {"address": at(admin)},
        "static_resources": {
            "listeners": [listener(http, "http", http_config), listener(tcp, "tcp", tcp_config)],
            "clusters": [
                {"name": "app", "type": "STATIC", "load_assignment": {"cluster_name": "app", "endpoints": endpoints}}
            ],
        },
    }


@pytest.fixture
def start(
    programs: Programs, envoy_binary: Path, free_port: Callable[[], int], tmp_path: Path, application: int
) -> Callable[..., Running]:
    def started(window: float = 1.0, limit: float = 15.0) -> Running:
        admin, http, tcp = free_port(), free_port(), free_port()
        config = tmp_path / "envoy.json"
        config.write_text(json.dumps(configuration(admin, http, tcp, application)), encoding="utf-8")
        launcher = programs.start(
            [sys.executable, "-c", LAUNCH, envoy_binary, config, str(admin), str(window), str(limit)], name="launcher"
        )
        wait_until(lambda: "\n" in launcher.output(), what="Envoy was started")
        running = Running(launcher, int(launcher.output().split()[1]), http, tcp)
        wait_until(running.answers, timeout=20)
        return running

    return started


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A process that has ended and was not waited for by its new parent yet.
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def test_what_is_in_flight_is_answered_and_who_comes_in_the_meantime_is_told_to_leave(
    start: Callable[..., Running],
) -> None:
    running = start()
    answers: list[tuple[int, str]] = []
    slow = threading.Thread(target=lambda: answers.append(running.ask("/3")))
    slow.start()
    time.sleep(0.3)  # the request is on its way; what follows would hold without it too
    running.launcher.send(signal.SIGTERM)
    wait_until(lambda: "draining" in running.launcher.output())
    wait_until(lambda: running.ask() == (200, "close"), timeout=0.9, what="new requests are served, connections closed")
    wait_until(lambda: not running.listens(), timeout=10, what="the listeners are closed")
    assert running.launcher.running, "ended with a request in flight"
    slow.join()
    assert answers == [(200, "close")]
    assert running.launcher.wait() == 0
    assert is_gone(running.envoy)


def test_an_idle_connection_does_not_hold_it_up(start: Callable[..., Running]) -> None:
    running = start()
    idle = HTTPConnection("127.0.0.1", running.http, timeout=5)
    idle.request("GET", "/")
    idle.getresponse().read()
    running.launcher.send(signal.SIGTERM)
    assert running.launcher.wait(5) == 0
    idle.close()


def test_a_connection_that_is_not_http_is_given_the_limit_and_then_cut(start: Callable[..., Running]) -> None:
    running = start(limit=3.0)
    with socket.create_connection(("127.0.0.1", running.tcp), timeout=10) as open_connection:
        open_connection.sendall(b"GET /0 HTTP/1.1\r\nhost: x\r\n\r\n")
        assert open_connection.recv(12) == b"HTTP/1.1 200"
        running.launcher.send(signal.SIGTERM)
        wait_until(lambda: not running.listens(), timeout=10)
        assert running.launcher.running
        assert running.launcher.wait() == 0
    assert "requests in flight after 3 s" in running.launcher.output()


def test_a_second_signal_stops_at_once(start: Callable[..., Running]) -> None:
    running = start(window=60.0, limit=60.0)
    running.launcher.send(signal.SIGINT)
    wait_until(lambda: "draining" in running.launcher.output())
    running.launcher.send(signal.SIGINT)
    assert running.launcher.wait(5) == 0
    assert is_gone(running.envoy)


def test_the_end_of_envoy_is_our_end_with_its_code(start: Callable[..., Running]) -> None:
    running = start()
    os.kill(running.envoy, signal.SIGKILL)
    assert running.launcher.wait() == 128 + signal.SIGKILL


def test_a_launcher_that_is_killed_leaves_no_envoy_behind(start: Callable[..., Running]) -> None:
    running = start()
    running.launcher.kill()
    wait_until(lambda: is_gone(running.envoy), timeout=10)


def test_an_envoy_that_ignores_sigterm_is_killed(start: Callable[..., Running]) -> None:
    running = start(window=0.0, limit=0.1)
    os.kill(running.envoy, signal.SIGSTOP)  # as good as hanging: it answers nothing, SIGTERM included
    running.launcher.send(signal.SIGTERM)
    assert running.launcher.wait(20) == 128 + signal.SIGKILL
    output = running.launcher.output()
    assert "does not answer" in output
    assert "did not end within 10 s of SIGTERM: killed" in output
