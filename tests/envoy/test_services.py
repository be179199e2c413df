"""Every discovery service with the real Envoy that speaks to it: the library serves, Envoy says what it makes of it.

Each test says what Envoy 1.40 was seen to do.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse

from tests.harness.echo import Echo
from tests.harness.filter_envoy import cluster as static_cluster
from tests.harness.filter_envoy import start
from tests.harness.library import MANAGER, ON_DEMAND, ROUTER, TLS, Library, resource
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until
from xds.cache import Resource, ResourceKey
from xds.protocol.heartbeats import TTL, WRAPPED
from xds.wire.types import ResourceType

pytestmark = pytest.mark.envoy

CDS, EDS, LDS, RDS = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER, ResourceType.ROUTE
SDS, RTDS, VHDS = ResourceType.SECRET, ResourceType.RUNTIME, ResourceType.VIRTUAL_HOST
SERVER = [{"envoy_grpc": {"cluster_name": "xds"}}]
APIS = pytest.mark.parametrize("api", ["GRPC", "DELTA_GRPC"])
SOURCES = pytest.mark.parametrize("aggregated", [True, False], ids=["ads", "own"])
TTL_S = 2.0
Json = dict[str, Any]


@pytest.fixture
def library() -> Iterator[Library]:
    """A control plane of the library."""
    made = Library()
    yield made
    made.stop()


@pytest.fixture
def web() -> Iterator[Echo]:
    """An application."""
    made = Echo("web")
    yield made
    made.close()


class Envoy:
    """One Envoy whose every source is this server: ADS where a source says so, else the service of the type."""

    def __init__(
        self, binary: Path, programs: Programs, folder: Path, port: int, api: str = "DELTA_GRPC", *, own: bool = False
    ) -> None:
        self.admin, self.port = free_port(), free_port()
        self.api = api
        listed = {"cds_config": self.source(own), "lds_config": self.source(own)}
        runtime = {"name": "layer", "rtds_layer": {"name": "layer", "rtds_config": self.source(own)}}
        bootstrap: dict[str, object] = {
            "node": {"id": "envoy", "cluster": "test", "client_features": [TTL, *WRAPPED]},
            "dynamic_resources": {**listed, **({} if own else {"ads_config": self._service()})},
            "static_resources": {"clusters": [static_cluster("xds", port, http2=True)]},
            "layered_runtime": {"layers": [runtime]},
        }
        self.program: Program = start(programs, binary, folder, bootstrap, self.admin)

    def _service(self) -> Json:
        return {"api_type": self.api, "transport_api_version": "V3", "grpc_services": SERVER}

    def source(self, own: bool) -> Json:
        found: Json = {"api_config_source": self._service()} if own else {"ads": {}}
        return {"resource_api_version": "V3", "initial_fetch_timeout": "1s", **found}

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask the listener; status 0 where nobody listens."""
        try:
            return _get(self.port, path, headers)
        except OSError:
            return 0, ""

    def page(self, path: str) -> Any:  # JSON
        """Return an admin page."""
        return json.loads(_get(self.admin, path, {})[1])

    def clusters(self) -> set[str]:
        """Return the clusters it was sent and holds."""
        dump = self.page("/config_dump")["configs"]
        return {each["cluster"]["name"] for part in dump for each in part.get("dynamic_active_clusters", [])}

    def count(self, name: str) -> int:
        """Return a statistic."""
        return sum(each.get("value", 0) for each in self.page(f"/stats?format=json&filter=^{name}$")["stats"])


def _get(port: int, path: str, headers: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def endpoints(name: str, port: int) -> Json:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}


def cluster(name: str, port: int) -> Resource:
    content = {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": endpoints(name, port)}
    return resource(CDS, name, content)


def host(name: str, cluster_name: str, *domains: str) -> Json:
    to = {"match": {"prefix": "/"}, "route": {"cluster": cluster_name}}
    return {"name": name, "domains": list(domains) or ["*"], "routes": [to]}


def virtual_host(domain: str, cluster_name: str) -> Resource:
    name = f"routes/of-{domain}"
    return resource(VHDS, name, host(name, cluster_name, domain), aliases=(f"routes/{domain}",))


def listener(port: int, *filters: Json, rds: Json | None = None, tls: Json | None = None, **more: Any) -> Resource:
    manager: Json = {"@type": MANAGER, "stat_prefix": "in", **more}
    manager["http_filters"] = [*filters, {"name": "router", "typed_config": {"@type": ROUTER}}]
    if rds is not None:
        manager["rds"] = {"route_config_name": "routes", "config_source": rds}
    chain: Json = {"filters": [{"name": "hcm", "typed_config": manager}]}
    if tls is not None:
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return resource(LDS, "in", {"name": "in", "address": address, "filter_chains": [chain]})


@APIS
def test_an_envoy_lives_on_services_of_their_own(
    envoy_binary: Path, programs: Programs, tmp_path: Path, library: Library, web: Echo, api: str
) -> None:
    """CDS, EDS, LDS and RDS as four streams, with no order among them. Seen: Envoy asks for endpoints and routes when
    it has what refers to them, so it is ready all the same.
    """
    envoy = Envoy(envoy_binary, programs, tmp_path, library.port, api, own=True)
    own, other = envoy.source(own=True), Echo("other")
    try:
        content = {"name": "web", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": own}}
        library.publish(
            resource(CDS, "web", content),
            resource(EDS, "web", endpoints("web", web.port)),
            resource(RDS, "routes", {"name": "routes", "virtual_hosts": [host("all", "web")]}),
            listener(envoy.port, rds=own),
        )
        wait_until(lambda: _says(envoy, "web"), what="the first endpoint answers")
        library.publish(resource(EDS, "web", endpoints("web", other.port)))
        wait_until(lambda: _says(envoy, "other"), what="the second endpoint answers")
        found = library.roster.node("envoy")
        assert found is not None
        assert len(found.streams) >= 4
        wait_until(lambda: all(found.types[kind].acked for kind in (CDS, EDS, LDS, RDS)), what="each is acknowledged")
    finally:
        other.close()


@APIS
@SOURCES
def test_secrets_rotate(
    envoy_binary: Path, programs: Programs, tmp_path: Path, library: Library, web: Echo, api: str, aggregated: bool
) -> None:
    """SDS. Seen: the listener opens when its certificate is there; new connections see a new one at once."""
    envoy = Envoy(envoy_binary, programs, tmp_path, library.port, api)
    first, second = (_certificate(tmp_path / name) for name in ("first", "second"))
    secret = {"name": "certificate", "sds_config": envoy.source(own=not aggregated)}
    context = {"@type": TLS, "common_tls_context": {"tls_certificate_sds_secret_configs": [secret]}}
    fixed = {"name": "fixed", "virtual_hosts": [host("all", "web")]}
    library.publish(cluster("web", web.port), first, listener(envoy.port, tls=context, route_config=fixed))
    wait_until(lambda: _served(envoy.port) == tmp_path.joinpath("first.pem").read_text(), what="the first is served")
    unverified = _any_certificate()
    connection = http.client.HTTPSConnection("127.0.0.1", envoy.port, timeout=10, context=unverified)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    library.publish(second)
    wait_until(lambda: _served(envoy.port) == tmp_path.joinpath("second.pem").read_text(), what="the second is served")


@APIS
@SOURCES
def test_runtime_keys_arrive(
    envoy_binary: Path, programs: Programs, tmp_path: Path, library: Library, api: str, aggregated: bool
) -> None:
    """RTDS. Seen: the keys of a layer are replaced as a whole, and are at /runtime of the admin at once."""
    library.publish(resource(RTDS, "layer", {"name": "layer", "layer": {"some.key": 1, "other.key": "x"}}))
    envoy = Envoy(envoy_binary, programs, tmp_path, library.port, api, own=not aggregated)
    wait_until(lambda: _runtime(envoy) == {"some.key": "1", "other.key": "x"}, what="the first keys are there")
    library.publish(resource(RTDS, "layer", {"name": "layer", "layer": {"some.key": 2}}))
    wait_until(lambda: _runtime(envoy) == {"some.key": "2"}, what="the second keys are there")


@SOURCES
def test_rule_31_virtual_hosts_are_fetched_when_somebody_asks_for_them(
    envoy_binary: Path, programs: Programs, tmp_path: Path, library: Library, web: Echo, aggregated: bool
) -> None:
    """VHDS, delta only. Seen: the filter holds the request, asks for `routes/<Host>` and goes on with the answer: 404
    for a host that is answered empty, and 200 as soon as it exists, for it is remembered. A host is removed by the name
    in its message, so this has to be the resource's.
    """
    envoy = Envoy(envoy_binary, programs, tmp_path, library.port)
    routes = {"name": "routes", "vhds": {"config_source": envoy.source(own=not aggregated)}}
    library.publish(
        cluster("web", web.port),
        resource(RDS, "routes", routes),
        virtual_host("known.test", "web"),
        listener(envoy.port, {"name": "on_demand", "typed_config": {"@type": ON_DEMAND}}, rds=envoy.source(own=False)),
    )
    wait_until(lambda: envoy.get("/", Host="known.test")[0] == 200, what="a known host is answered")
    assert envoy.get("/", Host="ghost.test")[0] == 404
    library.publish(virtual_host("ghost.test", "web"))
    wait_until(lambda: envoy.get("/", Host="ghost.test")[0] == 200, what="a host that came later is answered")
    library.publish(gone=(ResourceKey(VHDS, "routes/of-ghost.test"),))
    wait_until(lambda: envoy.get("/", Host="ghost.test")[0] == 404, what="and one that went is not")
    assert envoy.get("/", Host="known.test")[0] == 200


@SOURCES
def test_rule_32_clusters_are_fetched_when_somebody_asks_for_them(
    envoy_binary: Path, programs: Programs, tmp_path: Path, library: Library, web: Echo, aggregated: bool
) -> None:
    """On-demand CDS, delta only. Seen: 503 at once for a name that is answered as removed, and 200 for the first
    request that asks for it once it is there.
    """
    envoy = Envoy(envoy_binary, programs, tmp_path, library.port)
    demand = {"source": envoy.source(own=not aggregated), "timeout": "5s"}
    to = {"match": {"prefix": "/"}, "route": {"cluster_header": "x-to"}}
    fixed = {"name": "fixed", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [to]}]}
    on_demand = {"name": "on_demand", "typed_config": {"@type": ON_DEMAND, "odcds": demand}}
    library.publish(cluster("web", web.port), listener(envoy.port, on_demand, route_config=fixed))
    wait_until(lambda: envoy.get("/", x_to="web")[0] == 200, what="a cluster that is there is used")
    began = time.monotonic()
    assert envoy.get("/", x_to="demanded")[0] == 503
    assert time.monotonic() - began < 4.0, "it is told, not timed out"
    library.publish(cluster("demanded", web.port))
    wait_until(lambda: envoy.get("/", x_to="demanded")[0] == 200, what="the demanded cluster is used")


@APIS
@pytest.mark.parametrize("type_", [CDS, LDS], ids=["clusters", "listeners"])
def test_rule_30_what_lives_for_a_time_lives_on_while_it_is_heard_of(
    envoy_binary: Path, programs: Programs, tmp_path: Path, library: Library, web: Echo, api: str, type_: ResourceType
) -> None:
    """Seen: with heartbeats it outlives its time, in both protocols and with no update refused; when the control plane
    is gone, Envoy drops it by itself: 503 without the cluster, nobody listens without the listener.
    """
    envoy = Envoy(envoy_binary, programs, tmp_path, library.port, api)
    fixed = {"name": "fixed", "virtual_hosts": [host("all", "web")]}
    everything = (cluster("web", web.port), listener(envoy.port, route_config=fixed))
    library.publish(*(_mortal(each) if each.type is type_ else each for each in everything))
    _outlives_its_time(envoy)
    library.stop()
    gone = 503 if type_ is CDS else 0
    wait_until(lambda: envoy.get("/")[0] == gone, what="Envoy drops it")
    assert envoy.program.running


@APIS
@pytest.mark.parametrize("type_", [EDS, RDS], ids=["endpoints", "routes"])
def test_rule_30_endpoints_and_routes_that_live_for_a_time_live_on_as_well(
    envoy_binary: Path, programs: Programs, tmp_path: Path, library: Library, web: Echo, api: str, type_: ResourceType
) -> None:
    """Seen: with heartbeats they outlive their time. In state of the world a heartbeat without content kept nothing
    alive, so it is the content again. When the time does run out, an Envoy of delta keeps them for all that; one of
    state of the world ends by a segmentation fault, so nobody should give them a time to live there.
    """
    envoy = Envoy(envoy_binary, programs, tmp_path, library.port, api)
    ads = envoy.source(own=False)
    content = {"name": "web", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ads}}
    everything = (
        resource(CDS, "web", content),
        resource(EDS, "web", endpoints("web", web.port)),
        resource(RDS, "routes", {"name": "routes", "virtual_hosts": [host("all", "web")]}),
        listener(envoy.port, rds=ads),
    )
    library.publish(*(_mortal(each) if each.type is type_ else each for each in everything))
    _outlives_its_time(envoy)
    library.publish(*everything)  # immortal before the control plane goes
    found = library.roster.node("envoy")
    assert found is not None
    versions = {each.name: each.version for each in everything if each.type is type_}
    acked = found.types[type_].acked
    wait_until(lambda: {name: acked[name].version for name in acked} == versions, what="it has the last word")
    assert envoy.program.running


def _mortal(each: Resource) -> Resource:
    """Return the same content with a time to live."""
    message = DeltaDiscoveryResponse.parse(each.delta).resources[0].resource
    assert message is not None
    return Resource.of(each.type, each.name, message.value, ttl=TTL_S)


def _outlives_its_time(envoy: Envoy) -> None:
    wait_until(lambda: envoy.get("/")[0] == 200, what="it is served")
    until = time.monotonic() + 3 * TTL_S
    while time.monotonic() < until:
        assert envoy.get("/")[0] == 200
        time.sleep(0.05)
    refused = envoy.page("/stats?format=json&filter=update_rejected$")["stats"]
    assert not [stat for stat in refused if stat["value"]]


def _says(envoy: Envoy, name: str) -> bool:
    status, body = envoy.get("/")
    return status == 200 and json.loads(body)["by"] == name


def _runtime(envoy: Envoy) -> dict[str, str]:
    return {key: entry["final_value"] for key, entry in envoy.page("/runtime")["entries"].items()}


def _certificate(path: Path) -> Resource:
    """Make a self-signed certificate, and the secret that carries it."""
    key, certificate = path.with_suffix(".key"), path.with_suffix(".pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={path.name}", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    content = {
        "certificate_chain": {"inline_string": certificate.read_text()},
        "private_key": {"inline_string": key.read_text()},
    }
    return resource(SDS, "certificate", {"name": "certificate", "tls_certificate": content})


def _any_certificate() -> ssl.SSLContext:
    """Return a client's context that takes any certificate: which one it is, the test looks at itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _served(port: int) -> str:
    """Return the certificate that is served."""
    context = _any_certificate()
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain) as wrapped,
        ):
            return ssl.DER_cert_to_PEM_cert(wrapped.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""
