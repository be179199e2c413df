"""Who may call whom on real Envoy (M36): an ingress tells callers apart by the address they come from.

Callers are real sidecars, each bound to a loopback address of its own, as hosts have theirs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.harness.filter_envoy import Json
from tests.harness.load import ask, ask_from, request
from tests.harness.mesh import Mesh, Town
from tests.harness.plane import Json as Document
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

SHOP, OTHER, GATE = "127.0.0.2", "127.0.0.3", "127.0.0.4"


def from_host(address: str) -> Callable[[Json], None]:
    """Patch a bootstrap so that its Envoy's calls come from `address`."""

    def patch(document: Json) -> None:
        source = {"source_address": {"address": address, "port_value": 0}}
        document["cluster_manager"] = {**_table(document.get("cluster_manager")), "upstream_bind_config": source}

    return patch


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def served(mesh: Mesh, service: str, env: str, app: int, **policy: object) -> Proxy:
    """Start a sidecar in front of `app`, and register the instance that it serves."""
    proxy = mesh.sidecar(f"{env}-{service}", env=env, service=service, version="v1", app=app)
    mesh.plane.put(f"services/{service}?env={env}", policy)
    mesh.register(service, "v1", app, env=env, ingress=f"127.0.0.1:{proxy.ports['ingress']}")
    return proxy


def register_shop(mesh: Mesh, env: str, address: str = SHOP) -> None:
    document: Document = {"service": "shop", "env": env, "version": "v1", "address": address, "port": 80}
    mesh.plane.put(f"instances/{env}-shop-{address}", document)


def test_a_caller_that_is_allowed_gets_its_answer_and_any_other_403(town: Town) -> None:
    mesh, env = town.mesh, "access"
    register_shop(mesh, env)
    backend = served(mesh, "backend", env, town.apps["v1"], allow_from=["shop", GATE])
    shop = mesh.sidecar("access-shop", env=env, patch=from_host(SHOP))
    other = mesh.sidecar("access-other", env=env, patch=from_host(OTHER))
    mesh.ready(backend, shop, other)
    mesh.reachable(shop.port, "backend", "v1")
    assert [ask(each.port, [request("backend")])[0].status for each in (shop, other)] == [200, 403]
    direct = ask_from(backend.ports["ingress"], [SHOP, OTHER, GATE], request("backend"))
    assert [answer.status for answer in direct] == [200, 403, 200]

    register_shop(mesh, env, OTHER)
    mesh.reachable(other.port, "backend", "v1")
    listeners = backend.counts(r"^listener_manager\.listener_(modified|added)$")
    mesh.plane.put(f"services/backend?env={env}", {"allow_from": []})
    wait_until(lambda: ask(shop.port, [request("backend")])[0].status == 403, 20, what="nobody may call any more")
    mesh.plane.put(f"services/backend?env={env}", {"allow_from": ["shop"]})
    mesh.reachable(shop.port, "backend", "v1")
    found = backend.counts(r"^listener_manager\.listener_(modified|added)$")
    assert found == listeners, "who may call is in the routes: no listener changed, no connection was drained"


def test_in_front_of_tcp_a_stranger_s_connection_is_closed(town: Town) -> None:
    mesh, env = town.mesh, "access-tcp"
    ports, _ = mesh.apps("tcp+t1")
    register_shop(mesh, env)
    database = served(mesh, "db", env, ports["t1"], protocol="tcp", allow_from=["shop"])
    mesh.ready(database)

    def answer(source: str) -> bytes:
        with socket.create_connection(("127.0.0.1", database.ports["ingress"]), 5, (source, 0)) as connection:
            try:
                connection.sendall(b"hello\n")
                return connection.recv(64)
            except ConnectionError:
                return b""

    wait_until(lambda: answer(SHOP), 20, what="the caller that is allowed is answered")
    assert answer(OTHER) == b""


def test_an_instance_without_a_sidecar_is_told_of(town: Town) -> None:
    mesh, env = town.mesh, "access-bare"
    mesh.plane.put(f"services/bare?env={env}", {"allow_from": ["shop"]})
    mesh.register("bare", "v1", town.apps["v1"], env=env)

    def told() -> bool:
        problems = mesh.plane.get("problems")["items"]
        return any(each["object"] == f"{env}/bare" and each["pointer"] == "/allow_from" for each in problems)

    wait_until(told, 10, what="the instance that anybody may call is reported")
