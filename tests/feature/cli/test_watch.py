"""watch against a real control plane: in a pipe, on a terminal, and over a restart; and get in all its forms."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading

from ruamel.yaml import YAML

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane
from tests.harness.processes import FAIRLEAD, Programs
from tests.harness.waiting import wait_until

WEB = {"service": "web", "address": "10.0.0.7", "port": 8080, "version": "v1"}


def test_each_change_is_a_line_also_those_while_the_control_plane_was_away(
    fairlead: Fairlead, plane: Plane, programs: Programs
) -> None:
    plane.put("instances/web-1", WEB)
    server = f"http://127.0.0.1:{plane.api}"
    watching = programs.fairlead("--server", server, "watch", "instances", name="watch")
    documents = programs.fairlead("--server", server, "watch", "service", "-o", "json", name="documents")

    def lines() -> list[str]:
        return [" ".join(line.split()) for line in watching.output().splitlines()]

    wait_until(lambda: any(line.startswith("listed web-1 web v1") for line in lines()), 20)
    plane.put("instances/web-1", {**WEB, "weight": 50})
    wait_until(lambda: any("changed web-1" in line and "by api:anonymous" in line for line in lines()), 20)
    wait_until(lambda: "listed" in documents.output(), 20, what="the other one follows too")
    plane.kill()
    wait_until(lambda: any(line.startswith("fairlead: ") for line in lines()), 20)
    plane.start()
    plane.put("instances/web-2", {**WEB, "address": "10.0.0.8"})
    plane.delete("instances/web-1")
    wait_until(lambda: any("removed web-1" in line for line in lines()), 20)
    told = [line.split()[:2] for line in lines() if not line.startswith("fairlead:")]
    assert told == [
        ["WHAT", "ID"],
        ["listed", "web-1"],
        ["changed", "web-1"],
        ["created", "web-2"],
        ["removed", "web-1"],
    ]
    plane.put("services/web", {"timeout": "7s"})
    wait_until(lambda: '"timeout": "7s"' in documents.output(), 20)
    said = [json.loads(line) for line in documents.output().splitlines() if line.startswith("{")]
    assert (said[-1]["what"], said[-1]["key"], said[-1]["by"]) == ("changed", "default/web", "api:anonymous")


def test_a_terminal_shows_a_table_that_is_drawn_again(plane: Plane) -> None:
    ours, theirs = pty.openpty()
    server = f"http://127.0.0.1:{plane.api}"
    command = [str(FAIRLEAD), "--server", server, "watch", "agents", "--every", "0.2"]
    watching = subprocess.Popen(
        command, stdout=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - a shell lets what is in its background ignore it
    )  # fmt: skip
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                shown.extend(os.read(ours, 4096))
            except OSError:  # the terminal is closed
                return

    threading.Thread(target=read, daemon=True).start()
    try:
        wait_until(lambda: b"0 agents" in shown, 20)
        plane.put("agents/host-7", {"ip": "10.0.0.7"})
        wait_until(lambda: b"1 agents" in shown and b"host-7" in shown, 20)
        assert b"\x1b[" in shown, "it moves the cursor up, and draws again"
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 0
        os.close(theirs)


def test_objects_are_printed_as_tables_narrow_and_wide_and_as_documents(fairlead: Fairlead, plane: Plane) -> None:
    plane.put("instances/web-1", WEB)
    assert "LEASE" not in fairlead("get", "instances").stdout
    wide = fairlead("get", "instances", "-o", "wide").stdout
    assert "LEASE" in wide
    assert "api:anonymous" in wide
    read = YAML(typ="safe").load
    assert read(fairlead("get", "instance", "web-1", "-o", "yaml").stdout)["ports"] == {"default": 8080}
    assert read(fairlead("get", "services", "-o", "yaml").stdout)["items"][0]["name"] == "web"
    for kind in ("routes", "gateways", "rollouts", "policies", "overlays", "nodes", "agents", "breakers", "alarms"):
        assert fairlead("get", kind, "-o", "wide").stdout == "", f"nothing of {kind} on standard output"
    assert "-o json" in fairlead("watch", "nodes", "-o", "yaml", exit_code=2).stderr
    assert "did you mean" in fairlead("watch", "instnces", exit_code=2).stderr
