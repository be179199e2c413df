"""One real Envoy that reads its configuration from files, and tells what it thinks of them.

Each replay writes files of its own and then moves `cds.yaml` and `lds.yaml` into place, which is what Envoy watches
for. ADS sources become file sources, addresses become free ports of loopback; nothing else is touched.
"""

from __future__ import annotations

import itertools
import json
import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until
from xds.wire.packing import type_url_of
from xds.wire.types import ResourceType

Seen = Mapping[tuple[ResourceType, str], dict[str, object]]

_TIMES = "update_success|update_rejected|config_fail|update_failure"


class Refused(AssertionError):
    """Envoy did not take the configuration; the message is its own words."""


class FileEnvoy:
    """A running Envoy whose listeners and clusters come from files in `folder`."""

    def __init__(self, binary: Path, programs: Programs, folder: Path) -> None:
        self._folder = folder
        self._rounds = itertools.count(1)
        self.admin = free_port()
        self.ports: dict[str, int] = {}
        """Where each listener of the last replay is, on 127.0.0.1."""
        self._move("cds", {"resources": []})
        self._move("lds", {"resources": []})
        (folder / "bootstrap.yaml").write_text(json.dumps(self._bootstrap()), encoding="utf-8")
        command: list[str | Path] = [
            binary,
            "-c",
            folder / "bootstrap.yaml",
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
        ]
        command += ["--drain-time-s", "1", "--log-level", "warning"]
        self._program: Program = programs.start(command, name="envoy")
        wait_until(self._ready, 20, what="Envoy is live")

    def replay(self, seen: Seen) -> None:
        """Make Envoy hold exactly `seen`; Refused with its words if it does not take all of it."""
        at, log = next(self._rounds), len(self._program.output())
        files = _Files(self._folder / f"round-{at}")
        before = self._counts()
        plain = {key: files.local(message) for key, message in seen.items()}
        self.ports = files.ports
        for (type_, name), message in plain.items():
            if type_ not in {ResourceType.CLUSTER, ResourceType.LISTENER}:
                files.write(type_, name, message)
        for kind, type_ in (("cds", ResourceType.CLUSTER), ("lds", ResourceType.LISTENER)):
            resources = [message for (of, _), message in plain.items() if of is type_]
            if type_ is ResourceType.LISTENER:
                resources += files.listeners_for(plain)
            self._move(kind, {"version_info": str(at), "resources": [_typed(type_, item) for item in resources]})
            wait_until(lambda kind=kind: self._answered(kind, before), 15, what=f"Envoy answered {kind}")  # type: ignore[misc]  # bound at once
        wait_until(self._settled, 15, what="nothing is warming")
        self._judge(before, self._program.output()[log:])
        self._compare(plain)

    def output(self) -> str:
        """All that Envoy has written, its access logs among it."""
        return self._program.output()

    def get(self, path: str) -> Any:
        """An admin page, decoded from JSON."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/{path}", timeout=5) as answer:
            return json.loads(answer.read())

    # -- what it thinks -----------------------------------------------------------------------------------------

    def _judge(self, before: Mapping[str, int], log: str) -> None:
        """Refuse if any discovery was rejected since, or anything was complained about."""
        bad = {
            name: count
            for name, count in self._counts().items()
            if re.search(r"update_rejected|config_fail$|update_failure", name) and count > before.get(name, 0)
        }
        if bad or "[warning]" in log or "[error]" in log or "[critical]" in log:
            raise Refused(f"{bad}\n{log}")

    def _compare(self, plain: Seen) -> None:
        """Refuse if Envoy does not hold what it was given, by name."""
        dump = self.get("config_dump?include_eds")["configs"]
        held: dict[ResourceType, set[str]] = {type_: set() for type_ in ResourceType}
        for part in dump:
            for cluster in part.get("dynamic_active_clusters", []):
                held[ResourceType.CLUSTER].add(cluster["cluster"]["name"])
            for listener in part.get("dynamic_listeners", []):
                if "error_state" in listener:
                    raise Refused(f"{listener['name']}: {listener['error_state']}")
                if "active_state" in listener:  # else it is what an earlier replay left, on its way out
                    held[ResourceType.LISTENER].add(listener["active_state"]["listener"]["name"])
            for routes in part.get("dynamic_route_configs", []):
                held[ResourceType.ROUTE].add(routes["route_config"]["name"])
            for endpoints in part.get("dynamic_endpoint_configs", []):
                held[ResourceType.ENDPOINT].add(endpoints["endpoint_config"]["cluster_name"])
            for filter_ in part.get("ecds_filters", []):
                held[ResourceType.EXTENSION].add(filter_["ecds_filter"]["name"])
        missing = [(type_.short, name) for type_, name in plain if name not in held[type_]]
        if missing:
            raise Refused(f"not held: {missing}; held: {held}")

    def _counts(self) -> dict[str, int]:
        return self._stats(_TIMES)

    def _stats(self, pattern: str) -> dict[str, int]:
        stats = self.get(f"stats?format=json&filter={pattern}")["stats"]
        return {stat["name"]: stat["value"] for stat in stats if "name" in stat}

    def _answered(self, kind: str, before: Mapping[str, int]) -> bool:
        prefix = "cluster_manager.cds" if kind == "cds" else "listener_manager.lds"
        now = self._counts()
        names = (f"{prefix}.update_success", f"{prefix}.update_rejected")
        return any(now.get(name, 0) > before.get(name, 0) for name in names)

    def _settled(self) -> bool:
        stats = self._stats("warming")
        return not (stats["cluster_manager.warming_clusters"] or stats["listener_manager.total_listeners_warming"])

    def _ready(self) -> bool:
        if not self._program.running:
            raise AssertionError(self._program.output()[-2000:])
        try:
            return bool(self.get("server_info")["state"] == "LIVE")
        except OSError:
            return False

    # -- files --------------------------------------------------------------------------------------------------

    def _move(self, kind: str, response: Mapping[str, object]) -> None:
        fresh = self._folder / f".{kind}.yaml"
        fresh.write_text(json.dumps(response), encoding="utf-8")
        fresh.replace(self._folder / f"{kind}.yaml")

    def _bootstrap(self) -> dict[str, object]:
        def source(kind: str) -> dict[str, object]:
            return {"path_config_source": {"path": str(self._folder / f"{kind}.yaml")}, "resource_api_version": "V3"}

        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.admin}}
        return {
            "node": {"id": "replay", "cluster": "replay"},
            "admin": {"address": address},
            "dynamic_resources": {"cds_config": source("cds"), "lds_config": source("lds")},
        }


class _Files:
    """The files of one replay, one per resource, as Envoy demands."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.ports: dict[str, int] = {}

    def path(self, type_: ResourceType, name: str) -> Path:
        return self._folder / f"{type_.short}-{name.replace('/', '-')}.yaml"

    def write(self, type_: ResourceType, name: str, message: Mapping[str, object]) -> None:
        response = {"version_info": "1", "resources": [_typed(type_, message)]}
        self.path(type_, name).write_text(json.dumps(response), encoding="utf-8")

    def local(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message with file sources, on loopback."""
        copy: dict[str, Any] = json.loads(json.dumps(message))
        if "eds_cluster_config" in copy:
            self._rewrite(copy["eds_cluster_config"], "eds_config", ResourceType.ENDPOINT, copy["name"])
        for chain in copy.get("filter_chains", []):
            socket = copy["address"]["socket_address"]
            if socket["address"] == "0.0.0.0":  # `::` stays: only there Envoy takes ipv4_compat
                socket["address"] = "127.0.0.1"
            socket["port_value"] = self.ports[copy["name"]] = free_port(socket["address"])
            manager = chain["filters"][0].get("typed_config", {})
            if "rds" in manager:
                self._rewrite(manager["rds"], "config_source", ResourceType.ROUTE, manager["rds"]["route_config_name"])
            for filter_ in manager.get("http_filters", []):
                if "config_discovery" in filter_:
                    self._rewrite(filter_["config_discovery"], "config_source", ResourceType.EXTENSION, filter_["name"])
        return copy

    def listeners_for(self, plain: Seen) -> list[dict[str, object]]:
        """A bare listener for each route configuration that no listener asks for: Envoy reads only what is used."""
        asked = json.dumps([message for (type_, _), message in plain.items() if type_ is ResourceType.LISTENER])
        return [
            _bare(name, self.path(ResourceType.ROUTE, name))
            for (type_, name) in plain
            if type_ is ResourceType.ROUTE and f'"route_config_name": "{name}"' not in asked
        ]

    def _rewrite(self, holder: dict[str, Any], name: str, type_: ResourceType, resource: str) -> None:
        source = holder[name]
        assert source.pop("ads") == {}
        source["path_config_source"] = {"path": str(self.path(type_, resource))}


def _bare(routes: str, path: Path) -> dict[str, object]:
    router = {"@type": type_url_of(Router)}
    source = {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
    manager = {
        "@type": type_url_of(HttpConnectionManager),
        "stat_prefix": "bare",
        "rds": {"route_config_name": routes, "config_source": source},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    return {
        "name": f"bare-{routes}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": free_port()}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _typed(type_: ResourceType, message: Mapping[str, object]) -> dict[str, object]:
    return {"@type": type_.url, **message}
