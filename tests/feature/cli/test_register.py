"""`fairlead register` and the program that it runs: when it is registered, how it ends, what it is told."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import pytest

from tests.harness import grpc_server, upstream
from tests.harness.plane import Json, Plane
from tests.harness.processes import FAIRLEAD, Program, Programs
from tests.harness.waiting import wait_until
from xds.cli.exits import Exit, Failed
from xds.cli.readiness import Probe

NOBODY = "http://127.0.0.1:1"  # a control plane that is away

SLOW = """
import http.server, signal, sys, time
def hup(*_): print("hup", flush=True)
signal.signal(signal.SIGHUP, hup)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
class App(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        App.asked += 1
        self.send_response(200 if App.asked > 3 else 503)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


def register(programs: Programs, server: str, port: int, *words: str) -> Program:
    return programs.start([FAIRLEAD, "--server", server, "register", "--service", "web", "--port", str(port), *words])


def test_the_life_of_a_program(plane: Plane, programs: Programs, free_port: Callable[[], int]) -> None:
    """Registered when its check is good, signals passed on, deregistered before SIGTERM reaches it, its own code."""
    port, server = free_port(), f"http://127.0.0.1:{plane.api}"
    words = ["--check", "http:/ready", "--version", "v1", "--label", "team=shop", "--weight", "7", "--drain", "0.5"]
    running = register(programs, server, port, *words, "--", sys.executable, "-c", SLOW, str(port))
    name = f"web-127-0-0-1-{port}"
    wait_until(lambda: f"{name} registered" in running.output(), 30, what="it is registered")
    found = plane.get(f"instances/{name}")
    assert (found["version"], found["labels"], found["weight"]) == ("v1", {"team": "shop"}, 7)
    assert found["ttl"] == "10s"
    running.send(signal.SIGHUP)
    wait_until(lambda: "hup" in running.output(), 30, what="the signal is passed on")
    running.send(signal.SIGTERM)
    assert running.wait(60) == 7
    assert "out of traffic, stopping in 0.5 s" in running.output()
    assert plane.get("instances")["items"] == []


def test_a_program_that_runs_already_is_kept_registered(
    plane: Plane, programs: Programs, free_port: Callable[[], int]
) -> None:
    port = free_port()
    programs.start([sys.executable, upstream.__file__, f"v1:{port}"])
    running = register(programs, f"http://127.0.0.1:{plane.api}", port, "--drain", "0")
    wait_until(lambda: len(plane.get("instances")["items"]) == 1, 30, what="it is registered")
    running.send(signal.SIGINT)
    assert running.wait(60) == 0
    assert plane.get("instances")["items"] == []


def test_a_grpc_program_is_registered_when_it_serves_and_asked_the_same_ten_times_a_second(
    plane: Plane, programs: Programs, free_port: Callable[[], int]
) -> None:
    """The server answers every call with the two bytes that mean SERVING."""
    port = free_port()
    words = ["--id", "web-1", "--check", "grpc:/shop.Web", "--fast", "--drain", "0"]
    serving = [sys.executable, grpc_server.__file__, f"\x08\x01:{port}"]
    running = register(programs, f"http://127.0.0.1:{plane.api}", port, *words, "--", *serving)

    def healthy() -> Json | None:
        (found,) = plane.get("instances")["items"] or [None]
        return found if found and found["health"] == "healthy" else None

    check = wait_until(healthy, 30, what="the control plane finds it healthy, too")["check"]
    assert (check["kind"], check["service"], check["port"], check["fast"]) == ("grpc", "shop.Web", port, True)
    running.send(signal.SIGINT)
    running.wait(60)


def test_a_program_runs_also_while_the_control_plane_is_away(programs: Programs, free_port: Callable[[], int]) -> None:
    port = free_port()
    running = register(programs, NOBODY, port, "--drain", "0", "--", sys.executable, upstream.__file__, f"v1:{port}")
    wait_until(lambda: "web pending" in running.output(), timeout=30, what="it is ready, and could not be registered")
    running.send(signal.SIGTERM)
    assert running.wait(60) == 0


def test_a_program_that_ends_before_it_is_ready_ends_the_command_with_its_code(
    programs: Programs, free_port: Callable[[], int]
) -> None:
    assert register(programs, NOBODY, free_port(), "--", sys.executable, "-c", "exit(9)").wait(60) == 9


def test_a_program_that_is_not_ready_in_time_is_stopped_in_words(
    programs: Programs, free_port: Callable[[], int]
) -> None:
    port = free_port()
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    running = register(programs, NOBODY, port, "--ready-timeout", "0.3", "--", *sleeper)
    assert running.wait(60) == Exit.LATE
    words = f"it was not ready within 0.3 s: a connection to 127.0.0.1:{port} does not succeed"
    assert words in running.output()


def test_a_port_that_is_taken_is_not_mistaken_for_the_program(programs: Programs, free_port: Callable[[], int]) -> None:
    """M27: whoever has the port would be registered in the name of a program that cannot have it."""
    port = free_port()
    other = programs.start([sys.executable, upstream.__file__, f"v1:{port}"])
    wait_until(lambda: "up" in other.output(), timeout=30, what="the other listens")
    running = register(programs, NOBODY, port, "--", sys.executable, "-c", "exit(0)")
    assert running.wait(60) == Exit.REFUSED
    assert f"something listens on 127.0.0.1:{port} already" in running.output()


def test_a_command_that_is_none_is_said_so(programs: Programs, free_port: Callable[[], int]) -> None:
    running = register(programs, NOBODY, free_port(), "--", "/no/such/program")
    assert running.wait(60) == Exit.INVALID
    assert "/no/such/program cannot be started: No such file or directory" in running.output()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("tcp", "a connection to 10.0.0.7:80"),
        ("tcp:9000", "a connection to 10.0.0.7:9000"),
        ("http:/healthz", "http://10.0.0.7:80/healthz"),
        ("http:9000/healthz", "http://10.0.0.7:9000/healthz"),
        ("http", "http://10.0.0.7:80/"),
        ("grpc", "the gRPC health of all at 10.0.0.7:80"),
        ("grpc:9000/shop.Web", "the gRPC health of shop.Web at 10.0.0.7:9000"),
    ],
)
def test_a_check_is_one_word(text: str, asked: str) -> None:
    assert str(Probe.parse(text, "10.0.0.7", 80)) == asked


@pytest.mark.parametrize("text", ["", "udp:1", "http:x/y", "tcp:/path", "tcp:0", "tcp:70000", "http:-1/", "grpc:x"])
def test_a_check_that_is_none_is_said_so(text: str) -> None:
    with pytest.raises(Failed, match="is none"):
        Probe.parse(text, "10.0.0.7", 80)
