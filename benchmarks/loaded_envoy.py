"""An Envoy under load: one listener for each way to split, in front of an upstream in the same Envoy.

The upstream is a listener that answers by itself, so that what differs between two listeners is the filter alone. One
worker, on a core of its own; the load comes from another.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self  # Envoy's configuration is JSON

from xds.translate.metadata import metadata, told_by

Json = dict[str, Any]

HEADER: Final = "x-fairlead-bucket"
SPLIT: Final = [["web/1", 9_000], ["web/2", 1_000]]
FACTS: Final[Json] = {"service": "web", "env": "default", "salt": "web", "key": {"header": "x-user"}, "split": SPLIT}
BREAKER: Final[Json] = {"breaker": {"consecutive": 5, "errors": 50, "slow": 80, "slow_ms": 500}}
CORES: Final = sorted(os.sched_getaffinity(0))
READY_S: Final = 30.0
_HCM: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_LUA: Final = "envoy.extensions.filters.http.lua.v3.Lua"
_ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"
_WASM: Final = "envoy.extensions.filters.http.wasm.v3.Wasm"

SCRIPT: Final = """
local bit = require("bit")
function envoy_on_request(handle)
  local headers = handle:headers()
  local key = headers:get("x-user")
  if key then
    local hash = 5381
    for at = 1, #key do hash = bit.bxor(hash * 33, key:byte(at)) % 4294967296 end
    headers:replace("x-fairlead-bucket", tostring(hash % 10000))
    handle:clearRouteCache()
  end
end
"""
"""The same split in Lua: a header's value hashed, a bucket written, the route chosen again. Its hash is shorter."""


def _typed(name: str, content: Mapping[str, object]) -> Json:
    return {"@type": f"type.googleapis.com/{name}", **content}


def filters(module: bytes) -> dict[str, list[Json]]:
    """The HTTP filters of each listener, by its name."""
    machine = {
        "vm_id": hashlib.sha256(module).hexdigest(),
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"inline_bytes": base64.b64encode(module).decode()}},
    }
    wasm: Json = {
        "name": "health",
        "typed_config": _typed(_WASM, {"config": {"name": "health", "vm_config": machine}}),
    }
    script: Json = {"inline_string": SCRIPT}
    lua: Json = {"name": "lua", "typed_config": _typed(_LUA, {"default_source_code": script})}
    return {"none": [], "lua": [lua], "split": [wasm], "breaker": [wasm]}


def listener(port: int, http_filters: list[Json], route: Json) -> Json:
    """A listener with one route."""
    manager: Json = {
        "stat_prefix": str(port),
        "http_filters": [*http_filters, {"name": "router", "typed_config": _typed(_ROUTER, {})}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    return {
        "name": str(port),
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": _typed(_HCM, manager)}]}],
    }


def _cluster(name: str, port: int) -> Json:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def bootstrap(module: bytes, ports: Mapping[str, int]) -> Json:
    """The Envoy's configuration; `ports` has one for each listener, and `upstream` and `admin`."""
    clusters = [{"name": name, "weight": weight} for name, weight in SPLIT]

    def split(facts: Json) -> Json:
        return {
            "name": told_by("web.all", metadata(facts)),
            "match": {"prefix": "/"},
            "metadata": {"filter_metadata": {"fairlead": facts}},
            "route": {"weighted_clusters": {"clusters": clusters, "header_name": HEADER}},
        }

    listeners = [
        listener(ports[name], chain, split(FACTS | (BREAKER if name == "breaker" else {})))
        for name, chain in filters(module).items()
    ]
    answer: Json = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    listeners.append(listener(ports["upstream"], [], answer))
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": ports["admin"]}}},
        "static_resources": {
            "listeners": listeners,
            "clusters": [_cluster(str(name), ports["upstream"]) for name, _ in SPLIT],
        },
    }


@dataclass(frozen=True)
class Load:
    """What `wrk` found, and what the Envoy used: answers a second, median latency and time of its core for each."""

    rps: float
    p50_us: float
    cpu_us: float


class LoadedEnvoy:
    """The running Envoy, on the first core, until the block ends."""

    def __init__(self, binary: Path, module: bytes, ports: Mapping[str, int], folder: Path) -> None:
        self._ports = ports
        self._log = (folder / "envoy.log").open("wb")
        config = folder / "envoy.json"
        config.write_text(json.dumps(bootstrap(module, ports)), encoding="utf-8")
        options = ["--concurrency", "1", "-l", "warn", "--use-dynamic-base-id"]
        command: list[str | Path] = ["taskset", "-c", str(CORES[0]), binary, "-c", config, *options]
        self._child = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def __enter__(self) -> Self:
        url = f"http://127.0.0.1:{self._ports['admin']}/ready"
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self._child.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=1):
                    return self
            except OSError:
                time.sleep(0.1)
        self.end()
        raise SystemExit(f"filter: Envoy did not become ready; its log is {self._log.name}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def load(self, name: str, *, connections: int, seconds: int) -> Load:
        """Puts load on a listener from the last core. Ends the program where an answer was no 200."""
        before = cpu_seconds(self._child.pid)
        said = wrk(self._ports[name], "user-1234", core=CORES[-1], connections=connections, seconds=seconds)
        return read(said, cpu_seconds(self._child.pid) - before)

    def end(self) -> None:
        """Ends exactly this Envoy."""
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()


def cpu_seconds(pid: int) -> float:
    """What a process has used so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(port: int, user: str, *, core: int, connections: int, seconds: int) -> str:
    """The report of a load that one user makes from one core."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-H", f"x-user: {user}", f"http://127.0.0.1:{port}/"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


_UNITS: Final = {"us": 1.0, "ms": 1_000.0, "s": 1_000_000.0}


def read(report: str, cpu_seconds: float) -> Load:
    """Reads the report of `wrk`. Ends the program where it names errors, or nothing that can be read."""
    if "Non-2xx" in report or "Socket errors" in report:
        raise SystemExit(f"filter: requests failed:\n{report}")
    rps = re.search(r"Requests/sec:\s+([\d.]+)", report)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", report)
    all_of_them = re.search(r"(\d+) requests in", report)
    if rps is None or p50 is None or all_of_them is None:
        raise SystemExit(f"filter: wrk says nothing that can be read:\n{report}")
    return Load(float(rps[1]), float(p50[1]) * _UNITS[p50[2]], cpu_seconds * 1e6 / max(1, int(all_of_them[1])))
