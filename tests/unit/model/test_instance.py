"""An instance is refused, with a pointer to the field, when it could never be routed to."""

from __future__ import annotations

import math

import pytest

from tests.harness.declared import instance
from xds.model.instance import MAX_PORTS, Address, Instance, check_host
from xds.model.problems import InvalidInput


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("id", "Web", "/id"),
        ("version", "", "/version"),
        ("address", "web.example.com", "/address"),
        ("address", "", "/address"),
        ("address", "10.0.0", "/address"),
        ("address", "0.0.0.0", "/address"),
        ("address", "::", "/address"),
        ("address", "224.0.0.1", "/address"),
        ("address", "fe80::1%eth0", "/address"),
        ("ports", {}, "/ports"),
        ("ports", {f"p{at}": 1 for at in range(MAX_PORTS + 1)}, "/ports"),
        ("ports", {"http": 0}, "/ports/http"),
        ("ports", {"http": -1}, "/ports/http"),
        ("ports", {"http": 70_000}, "/ports/http"),
        ("ports", {"http": True}, "/ports/http"),
        ("ports", {"a/b": 80}, "/ports/a~1b"),
        ("weight", -1, "/weight"),
        ("weight", 10_001, "/weight"),
        ("weight", True, "/weight"),
        ("ttl", math.nan, "/ttl"),
        ("ttl", math.inf, "/ttl"),
        ("ttl", 0.5, "/ttl"),
        ("ttl", 3601, "/ttl"),
        ("ttl", -5.0, "/ttl"),
        ("epoch", -1, "/epoch"),
        ("seq", -1, "/seq"),
        ("seq", 2**63, "/seq"),
        ("region", "EU west", "/region"),
        ("zone", "a b", "/zone"),
        ("labels", {"a b": "x"}, "/labels/a b"),
        ("metadata", {"key": "\n"}, "/metadata/key"),
    ],
)
def test_what_could_never_be_routed_to_is_refused_where_it_stands(field: str, value: object, pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        instance(**{field: value})  # type: ignore[arg-type]  # wrong values are the point
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ports", {"http": 1, "grpc": 65_535}),
        ("weight", 0),
        ("weight", 10_000),
        ("ttl", 1),
        ("ttl", 3600.0),
        ("ttl", None),
        ("address", "2001:db8::1"),
        ("address", "127.0.0.1"),
    ],
)
def test_the_limits_themselves_are_allowed(field: str, value: object) -> None:
    assert getattr(instance(**{field: value}), field) == value  # type: ignore[arg-type]  # the field's own class


@pytest.mark.parametrize("text", ["10.0.0.7:8080", "[::1]:1", "[2001:db8::7]:65535"])
def test_an_address_is_spelled_as_it_is_read(text: str) -> None:
    assert str(Address.parse(text, pointer="/x")) == text


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.7", ":80", "10.0.0.7:", "10.0.0.7:0", "10.0.0.7:70000", "10.0.0.7:8o", "::1:80", "[::1]", "[::1:80",
        "[[::1]]:80", "]10.0.0.7[:80", "host:80", "10.0.0.7: 80", "10.0.0.7:" + "1" * 5000, "10.0.0.7:٣",
        "[fe80::1%lo]:80",
    ],
)  # fmt: skip
def test_what_is_no_address_with_a_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Address.parse(text, pointer="/ingress")
    assert caught.value.pointer == "/ingress"
    assert len(caught.value.message) < 200


def test_a_host_has_one_spelling() -> None:
    assert check_host("2001:DB8:0:0::1", pointer="") == "2001:db8::1"


def test_selectors_see_the_fields_over_the_labels() -> None:
    seen = instance(labels={"version": "forged", "app": "web"}, zone="a").facts
    assert seen == {"app": "web", "service": "web", "env": "default", "version": "v1", "id": "web-1", "zone": "a"}


def test_envoys_are_sent_to_the_sidecar_on_the_first_port_only() -> None:
    one: Instance = instance(ports={"http": 8080, "admin": 9000}, ingress=Address("10.0.0.1", 15006))
    assert one.endpoint("http") == Address("10.0.0.1", 15006)
    assert one.endpoint("admin") == Address("10.0.0.1", 9000)
    assert one.endpoint("grpc") is None
