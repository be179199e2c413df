"""docs/library.md as it stands: its program and its bootstrap, with a real Envoy between a client and two programs."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.processes import Programs
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until

PORTS = ("18000", "9001", "9002", "8080", "9901")

SAYS = """
import socketserver, sys

class Says(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.server.word)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

with Server(("127.0.0.1", int(sys.argv[1])), Says) as server:
    server.word = sys.argv[2].encode()
    server.serve_forever()
"""


def block(language: str, ports: dict[str, int]) -> str:
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / "docs/library.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    text = found[1]
    for number, free in ports.items():
        text = re.sub(rf"\b{number}\b", str(free), text)
    return text


def said(port: int) -> str:
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            return connection.recv(100).decode()
    except OSError:
        return ""


@pytest.mark.envoy
def test_thirty_lines_are_a_control_plane_that_knows_who_has_what(
    programs: Programs, envoy_binary: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    ports = {number: free_port() for number in PORTS}
    for number, word in (("9001", "v1"), ("9002", "v2")):
        programs.start([sys.executable, "-c", SAYS, str(ports[number]), word], name=word)
    (tmp_path / "plane.py").write_text(block("python", ports), encoding="utf-8")
    (tmp_path / "envoy.yaml").write_text(block("yaml", ports), encoding="utf-8")
    plane = programs.start([sys.executable, "-W", "ignore", tmp_path / "plane.py"], name="plane")
    programs.start([envoy_binary, "-c", tmp_path / "envoy.yaml", "--use-dynamic-base-id"], name="envoy")
    wait_until(lambda: "v2 Acks" in plane.output(), 60, what="both versions are acknowledged")
    assert plane.output().splitlines() == [
        "v1 Acks(acked=('front-1',), waiting=(), refused={})",
        "v2 Acks(acked=('front-1',), waiting=(), refused={})",
    ]
    assert said(ports["8080"]) == "v2"


def test_the_example_is_about_thirty_lines_beside_its_imports() -> None:
    code = block("python", {})
    body = [line for line in code.partition("import xds\n")[2].splitlines() if line.strip()]
    assert len(body) <= 32
