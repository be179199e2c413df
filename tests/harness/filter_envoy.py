"""A real Envoy on a static bootstrap with the filter in it: listeners, the filter's slot, and requests to them.

It knows just enough of Envoy's configuration to try the filter without a control plane. What the control plane itself
generates is tested elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until

Json = dict[str, object]

SLOT = "fairlead.health"
HEADER = "x-fairlead-bucket"
WASM = "envoy.extensions.filters.http.wasm.v3.Wasm"
MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
EARLY = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def typed(name: str, content: Mapping[str, object]) -> Json:
    """`content` as an Any of the message `name`."""
    return {"@type": f"type.googleapis.com/{name}", **content}


def wasm(module: bytes, configuration: str = "") -> Json:
    """The filter's extension configuration, with its code in it."""
    code = {"local": {"inline_bytes": base64.b64encode(module).decode()}}
    machine = {
        "vm_id": f"{SLOT}/{hashlib.sha256(module).hexdigest()}",
        "runtime": "envoy.wasm.runtime.v8",
        "code": code,
    }
    plugin = {
        "name": SLOT,
        "failure_policy": "FAIL_RELOAD",
        "reload_config": {"backoff": {"base_interval": "0.010s"}},
        "vm_config": machine,
        "configuration": typed("google.protobuf.StringValue", {"value": configuration}),
    }
    return typed(WASM, {"config": plugin})


def discovered(source: Mapping[str, object]) -> Json:
    """The filter's slot, filled by ECDS; until then, and where that is refused, a mutation of nothing."""
    discovery = {
        "config_source": {"resource_api_version": "V3", "initial_fetch_timeout": "2s", **source},
        "default_config": typed(MUTATION, {"mutations": {}}),
        "type_urls": [f"type.googleapis.com/{name}" for name in (WASM, MUTATION)],
    }
    return {"name": SLOT, "config_discovery": discovery}


def listener(port: int, filters: Sequence[Json], routes: Sequence[Json], *, at_the_edge: bool = False) -> Json:
    """A listener on loopback; at the edge it removes the client's bucket before anything else."""
    manager: Json = {
        "stat_prefix": f"on-{port}",
        "max_request_headers_kb": 96,
        "http_filters": [*filters, {"name": "router", "typed_config": typed(ROUTER, {})}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": list(routes)}]},
    }
    if at_the_edge:
        mutation = typed(EARLY, {"mutations": [{"remove": HEADER}]})
        manager["early_header_mutation_extensions"] = [{"name": "early", "typed_config": mutation}]
    return {
        "name": f"on-{port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": typed(HCM, manager)}]}],
    }


def cluster(name: str, port: int, *, http2: bool = False) -> Json:
    """A cluster of one endpoint on loopback."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    protocol: Json = {"http2_protocol_options" if http2 else "http_protocol_options": {}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {HTTP2: typed(HTTP2, {"explicit_http_config": protocol})},
    }


def get(port: int, path: str = "/", headers: Sequence[tuple[str, bytes]] = ()) -> tuple[int, http.client.HTTPMessage]:
    """One request on a connection of its own; status and headers of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()


def counter(admin: int, name: str) -> int:
    """A statistic of the Envoy, 0 where it has none of that name."""
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=10)
    try:
        connection.request("GET", f"/stats?filter=^{name}$")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return sum(int(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name}: "))


def start(
    programs: Programs, binary: Path, folder: Path, bootstrap: Json, admin: int, *, workers: int = 1, log: str = "warn"
) -> Program:
    """Starts an Envoy with so many workers and returns it when it is ready."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": admin}}
    path = folder / "bootstrap.json"
    path.write_text(json.dumps({"admin": {"address": address}, **bootstrap}), encoding="utf-8")
    command: list[str | Path] = [binary, "-c", path, "--concurrency", str(workers), "--use-dynamic-base-id", "-l", log]
    program = programs.start(command, name="envoy")

    def is_ready() -> bool:
        assert program.running, program.output()[-3000:]
        try:
            return get(admin, "/ready")[0] == 200
        except OSError:
            return False

    wait_until(is_ready, 30, what="Envoy is ready")
    return program
