"""An Envoy without Wasm under load: requests a second where it asks `fairlead extproc` about each.

The configuration is the one of docs/extproc.md; its versions answer in the same Envoy. The processor has a core of its
own, the Envoy shares the other one with the load: the processor is what is measured, and it is the slower by far.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from benchmarks.loaded_envoy import CORES, READY_S, Json, Load, cpu_seconds, listener, read, wrk

ROOT: Final = Path(__file__).parent.parent
BLOCK: Final = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PORTS: Final = {"http": "8080", "extproc": "15090", "v1": "9001", "v2": "9002"}
"""Ports of the document, by what they are for."""


def bootstrap(ports: Mapping[str, int]) -> Json:
    """The document's Envoy with the versions in it; `ports` has those of PORTS and `admin`."""
    found = BLOCK.search((ROOT / "docs" / "extproc.md").read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit("filter: docs/extproc.md has no configuration")
    text = found[1]
    for name, port in PORTS.items():
        text = re.sub(rf"\b{port}\b", str(ports[name]), text)
    made: Json = YAML(typ="safe").load(text)
    answer: Json = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    made["static_resources"]["listeners"] += [listener(ports[name], [], answer) for name in ("v1", "v2")]
    made["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": ports["admin"]}}}
    return made


@contextmanager
def _running(command: list[str | Path], core: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program on one core, ended with the block."""
    with log.open("wb") as out:
        pinned: list[str | Path] = ["taskset", "-c", str(core), *command]
        child = subprocess.Popen(pinned, stdout=out, stderr=out)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def extproc_load(binary: Path, ports: Mapping[str, int], folder: Path, *, seconds: int, connections: int = 16) -> Load:
    """What `wrk` finds, answers a second first; the core's time is the processor's. Ends the program if any failed.

    `ports` are free ones for the names of PORTS and `admin`.
    """
    config = folder / "extproc.json"
    config.write_text(json.dumps(bootstrap(ports)), encoding="utf-8")
    fairlead = Path(sys.executable).with_name("fairlead")
    serve: list[str | Path] = [fairlead, "extproc", "--listen", f"127.0.0.1:{ports['extproc']}"]
    envoy: list[str | Path] = [binary, "-c", config, "--concurrency", "1", "-l", "warn", "--use-dynamic-base-id"]
    processor, proxy = _running(serve, CORES[-1], folder / "extproc.log"), _running(envoy, CORES[0], folder / "e.log")
    with processor as child, proxy:
        _wait_for_buckets(folder / "extproc.log", ports["admin"])
        wrk(ports["http"], "alice", core=CORES[0], connections=connections, seconds=1)
        before = cpu_seconds(child.pid)
        said = wrk(ports["http"], "alice", core=CORES[0], connections=connections, seconds=seconds)
        return read(said, cpu_seconds(child.pid) - before)


def _wait_for_buckets(log: Path, admin: int) -> None:
    """Until the processor serves and the Envoy's health check has found it."""
    end, wanted = time.monotonic() + READY_S, "cluster.extproc.membership_healthy: 1"
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{admin}/stats?filter=membership_healthy", timeout=1
            ) as answer:
                if wanted in answer.read().decode():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"filter: Envoy did not find the processor, whose log is {log}")
