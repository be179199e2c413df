"""What may be asked for in a bootstrap, and what an Envoy says of itself then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xds.bootstrap import BootstrapSpec, bootstrap, parse_bind, parse_endpoint
from xds.model.instance import Address
from xds.model.names import check_id
from xds.model.node import NodeProfile, Role
from xds.model.problems import InvalidInput

SIDECAR = BootstrapSpec(service="web", version="v1", app=Address("127.0.0.1", 8081))
GATEWAY = BootstrapSpec(role=Role.GATEWAY, gateway="edge")


def refusal(**fields: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        BootstrapSpec(**fields)  # type: ignore[arg-type]  # wrong values are the point
    return caught.value


def test_the_control_plane_reads_back_what_the_bootstrap_says() -> None:
    assert NodeProfile.from_metadata({"fairlead": SIDECAR.metadata}) == NodeProfile(
        Role.SIDECAR,
        service="web",
        egress=Address("127.0.0.1", 15001),
        ingress=Address("0.0.0.0", 15006),
        app=Address("127.0.0.1", 8081),
    )
    assert NodeProfile.from_metadata({"fairlead": GATEWAY.metadata}) == NodeProfile(Role.GATEWAY, gateway="edge")


def test_what_is_off_stays_off() -> None:
    profile = NodeProfile.from_metadata({"fairlead": replace(SIDECAR, egress=None, ingress=None).metadata})
    assert profile.egress is None
    assert profile.ingress is None


def test_a_node_id_is_derived_is_an_id_and_stays() -> None:
    assert SIDECAR.node_id.startswith("sidecar-web-v1-")
    assert GATEWAY.node_id.startswith("gateway-edge-")
    assert check_id(SIDECAR.node_id, pointer="") == replace(SIDECAR).node_id
    long = replace(SIDECAR, service="w" * 128)
    assert check_id(long.node_id, pointer="")


def test_two_envoys_of_one_host_get_different_ids() -> None:
    other = replace(SIDECAR, ingress=Address("0.0.0.0", 15007))
    assert other.node_id != SIDECAR.node_id


def test_an_id_that_was_given_is_used() -> None:
    assert replace(SIDECAR, id="web-7").node_id == "web-7"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"role": Role.GATEWAY}, "/gateway"),
        ({"role": Role.GATEWAY, "gateway": "edge", "service": "web"}, "/service"),
        ({"gateway": "edge"}, "/gateway"),
        ({"service": "web"}, "/app"),
        ({"app": Address("127.0.0.1", 80)}, "/service"),
        ({"id": "Web"}, "/id"),
        ({"env": "-"}, "/env"),
        ({"admin": Address("0.0.0.0", 15000)}, "/admin"),
        ({"ads": Address("0.0.0.0", 15010)}, "/ads"),
        ({"token": "two words"}, "/token"),
        ({"max_connections": 0}, "/max_connections"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, object], pointer: str) -> None:
    assert refusal(**fields).pointer == pointer


def test_a_token_is_not_repeated_in_its_refusal() -> None:
    assert "sesame" not in str(refusal(token="open sesame"))


def test_a_port_that_was_not_allocated_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no port was allocated for ingress"):
        bootstrap(replace(SIDECAR, ingress=Address("127.0.0.1", 0)))


def test_a_sidecar_opens_no_ingress_without_an_application() -> None:
    assert set(BootstrapSpec().binds) == {"admin", "egress"}
    assert set(SIDECAR.binds) == {"admin", "egress", "ingress"}
    assert set(GATEWAY.binds) == {"admin"}


@pytest.mark.parametrize("text", ["", "80", "host:80", "1.2.3.4", "1.2.3.4:65536", "1.2.3.4:x", "1.2.3.4:-1"])
def test_a_bind_is_an_address_with_a_port(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_bind(text, pointer="/listen")


def test_a_bind_may_leave_the_port_to_chance() -> None:
    assert parse_bind("[::]:0", pointer="") == Address("::", 0)


def test_a_control_plane_has_an_address_or_a_name() -> None:
    assert parse_endpoint("10.0.0.1:15010", pointer="") == Address("10.0.0.1", 15010)
    assert parse_endpoint("xds.example.com:15010", pointer="") == Address("xds.example.com", 15010)
    for text in ("a b:1", "xds:0", "-x:1", "..:1"):
        with pytest.raises(InvalidInput):
            parse_endpoint(text, pointer="")


def test_what_a_sidecar_calls_is_in_its_metadata() -> None:
    assert replace(SIDECAR, upstreams="mail, api").metadata["upstreams"] == ["api", "mail"]
    assert "upstreams" not in SIDECAR.metadata


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"upstreams": "A"}, "/upstreams"),
        ({"role": Role.GATEWAY, "gateway": "edge", "upstreams": "a"}, "/upstreams"),
        ({"role": Role.GRPC}, "/id"),
        ({"role": Role.GRPC, "id": "a", "upstreams": "a"}, "/upstreams"),
        ({"role": Role.GRPC, "id": "a", "service": "web"}, "/service"),
        ({"role": Role.GRPC, "id": "a", "gateway": "edge"}, "/gateway"),
        ({"role": Role.GRPC, "id": "a", "token": "sesame"}, "/token"),
    ],
)
def test_what_a_role_has_no_use_for_is_refused(fields: dict[str, object], pointer: str) -> None:
    assert refusal(**fields).pointer == pointer
