"""What one container comes to: facts, defaults, and what a mistake costs (rows M02, M20; fault D3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.labels.labelled import WEB, described, understood, words
from xds.labels.describe import Claims, describe
from xds.labels.description import Container, ServiceLabels
from xds.model.check import Check, CheckKind
from xds.model.instance import Address
from xds.model.names import ServiceKey


def test_a_container_without_our_labels_is_nobodys_business() -> None:
    found = describe({"traefik.enable": "true"}, WEB)
    assert (found.description, found.problems, found.wanted) == (None, (), False)


def test_enable_takes_the_service_of_the_compose_file() -> None:
    found = describe({"fairlead.enable": "true", "com.docker.compose.service": "Web_App"}, WEB)
    assert found.description is not None
    assert found.description.service == ServiceKey("default", "web_app")


def test_enable_false_keeps_a_container_out_whatever_else_it_says() -> None:
    assert described({"enable": "false"}).description is None
    assert not described({"enable": "false"}).wanted


def test_labels_without_opting_in_are_told_as_a_mistake() -> None:
    found = describe({"fairlead.port": "80"}, WEB)
    assert not found.wanted
    assert words(found) == [
        "fairlead.port: it has labels of Fairlead, but neither fairlead.enable nor fairlead.service; it is left alone"
    ]


def test_enabled_without_a_name_anywhere_there_is_nothing_to_register() -> None:
    found = describe({"fairlead.enable": "true"}, WEB)
    assert (found.description, found.wanted) == (None, True)
    assert "nothing says which service it is of" in words(found)[0]


def test_everything_that_a_container_can_say_of_itself() -> None:
    found = described(
        {
            "version": "2.4.1", "port": "8080", "ports.admin": "9000", "env": "prod", "region": "eu", "zone": "eu-1a",
            "weight": "50", "tags": "blue, eu", "meta.commit": "1f0c", "network": "front", "address": "published",
            "drain": "30s", "io.example.team": "shop", "ingress": "15006",
        },
        replace(WEB, ports=(8080, 9000)),
    ).description  # fmt: skip
    assert found is not None
    instance = found.instance("10.0.0.7", owner="agent:one")
    assert (instance.id, instance.service, instance.version) == ("web-0123456789ab", ServiceKey("prod", "web"), "2.4.1")
    assert (instance.ports, instance.weight) == ({"default": 8080, "admin": 9000}, 50)
    assert (instance.region, instance.zone, instance.metadata) == ("eu", "eu-1a", {"commit": "1f0c"})
    assert (found.network, found.address, found.drain) == ("front", "published", 30)
    assert (instance.ingress, instance.check) == (Address("10.0.0.7", 15006), Check(CheckKind.TCP, port=15006))
    other = understood({"ingress": "10.0.0.9:15006"}).instance("10.0.0.7")
    assert (other.ingress, other.check) == (Address("10.0.0.9", 15006), Check(CheckKind.TCP))
    assert instance.labels["io.example.team"] == "shop"
    assert (instance.labels["tag.blue"], instance.labels["tag.eu"]) == ("true", "true")


@pytest.mark.parametrize(
    ("labels", "container", "version"),
    [
        ({"version": "7"}, WEB, "7"),
        ({"org.opencontainers.image.version": "3.1-RC1"}, WEB, "3.1-rc1"),
        ({}, replace(WEB, image="host:5000/a/web:V2_0"), "v2_0"),
        ({}, replace(WEB, image="web:latest", digest="sha256:" + "ab" * 32), "abababababab"),
        ({}, replace(WEB, image="web@sha256:" + "cd" * 32), "cdcdcdcdcdcd"),
        ({}, replace(WEB, image="host:5000/web"), "unversioned"),
    ],
)
def test_a_version_is_said_or_is_the_images(labels: dict[str, str], container: Container, version: str) -> None:
    assert understood(labels, container).version == version


def test_the_only_exposed_port_is_its_own() -> None:
    assert understood().ports == {"default": 8080}
    assert understood({"ports.admin": "9000"}, replace(WEB, ports=(9000, 8080))).ports == {
        "default": 8080,
        "admin": 9000,
    }


@pytest.mark.parametrize(("ports", "said"), [((80, 443), "it exposes 80, 443"), ((), "it exposes none")])
def test_a_port_is_never_guessed(ports: tuple[int, ...], said: str) -> None:
    found = described({}, replace(WEB, ports=ports))
    assert found.description is None
    assert said in words(found)[0]


def test_a_port_that_the_image_does_not_expose_is_pointed_out() -> None:
    """Row M20: nobody has to find out by a connection that is refused."""
    found = described({"port": "8081"})
    assert found.description is not None
    assert words(found) == ["fairlead.port: 8081 is not among the ports that its image exposes (8080)"]


def test_a_network_that_it_is_not_in_is_no_place_to_look_for_its_address() -> None:
    found = described({"network": "back"})
    assert found.description is None
    assert "it is not in the network 'back'; it is in front" in words(found)[0]


def test_a_network_may_be_called_as_in_the_compose_file() -> None:
    shop = replace(WEB, networks=("shop_front", "shop_back"))
    found = understood({"network": "front", "com.docker.compose.project": "shop"}, shop)
    assert found.network == "shop_front"


def test_what_a_host_may_not_speak_for_is_refused() -> None:
    """Fault D3, another tenant's service: a label grants nothing."""
    claims = Claims(envs=frozenset({"default"}), services=frozenset({"shop"}))
    labels = {"fairlead.service": "payments"}
    assert "may not register instances of 'payments'" in words(describe(labels, WEB, claims))[0]
    assert "environment 'prod'" in words(describe({"fairlead.service": "shop", "fairlead.env": "prod"}, WEB, claims))[0]
    assert describe({"fairlead.service": "shop.cart"}, WEB, claims).description is not None


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        ("version", "v1\nv2", "the character U+000A at position 3 is not allowed"),
        ("service", "web\0", "the character U+0000 at position 4 is not allowed"),
        ("version", "v\u202e1", "the character U+202E at position 2 is not allowed"),
        ("version", "x" * 10_000_000, "10000000 characters, at most 4096 are allowed"),
        ("service", "{{ .Name }}", "a template that nobody filled in, at position 1"),
        ("version", "v${TAG}", "a template that nobody filled in, at position 2"),
        ("service", "Web!", "'W' at position 1 is not allowed"),
        ("port", "0", "'0' is not between 1 and 65535"),
        ("port", "70000", "'70000' is not between 1 and 65535"),
        ("ports.admin", "9e3", "'9e3' is not a whole number"),
        ("ports.Admin", "9000", "'A' at position 1 is not allowed"),
        ("address", "metadata.internal", "is not an IPv4 or IPv6 address"),
        ("address", "169.254.169.254", "is not called: link-local, where clouds keep their metadata"),
        ("ingress", "[::ffff:169.254.169.254]:80", "is not called: link-local, where clouds keep their metadata"),
        ("ingress", "sidecar:15006", "is not an IPv4 or IPv6 address"),
        ("ingress", "0", "'0' is not between 1 and 65535"),
    ],
)
def test_a_mistake_in_what_a_container_is_costs_the_container(label: str, value: str, message: str) -> None:
    """Fault D3."""
    found = described({label: value})
    assert found.description is None
    assert any(message in each and each.startswith(f"fairlead.{label}: ") for each in words(found))


def test_what_keeps_a_container_out_hides_none_of_its_other_mistakes() -> None:
    found = described({"port": "0", "weight": "-1", "health.interval": "1ms"})
    assert [problem.pointer.removeprefix("/labels/fairlead.") for problem in found.problems] == [
        "port", "weight", "health.interval",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["-1", "NaN", "1e400", "10001", "", "١٢"])
def test_an_impossible_weight_costs_the_weight(value: str) -> None:
    """Fault D3."""
    found = described({"weight": value})
    assert found.description is not None
    assert found.description.weight == 100
    assert [problem.pointer for problem in found.problems] == ["/labels/fairlead.weight"]


def test_more_metadata_than_there_is_room_for_costs_the_rest_of_it() -> None:
    many = described({f"meta.key{number:03}": "x" for number in range(200)})
    heavy = described({f"meta.key{number:03}": "x" * 4000 for number in range(20)})
    for found, kept in (many, 128), (heavy, 8):
        assert found.description is not None
        assert len(found.description.metadata) == kept
        assert "in all, are not kept; it is left out" in words(found)[0]


def test_a_check_cannot_be_sent_to_another_place() -> None:
    """Fault D3, a check on a metadata address: the default check holds instead."""
    found = described({"health.http": "http://169.254.169.254/latest", "health.interval": "1s"})
    assert found.description is not None
    assert found.description.check == Check(CheckKind.TCP)
    assert "is a URL; only a path can be said here" in words(found)[0]


@pytest.mark.parametrize(
    ("labels", "healthcheck", "check", "awaits"),
    [
        ({}, False, Check(CheckKind.TCP), False),
        ({}, True, None, True),
        ({"health.docker": "ignore"}, True, Check(CheckKind.TCP), False),
        ({"health.tcp": "false"}, False, None, False),
        ({"health.http": "/ok", "health.port": "9000", "health.healthy": "3"}, True,
         Check(CheckKind.HTTP, port=9000, path="/ok", rise=3), True),
        ({"health.grpc": "*", "health.interval": "2s", "health.timeout": "500ms", "health.start-grace": "2m"}, False,
         Check(CheckKind.GRPC, interval=2, timeout=0.5, start_period=120), False),
    ],
)  # fmt: skip
def test_a_container_is_asked_as_it_says_or_as_its_image_says_or_by_a_connection(
    labels: dict[str, str], healthcheck: bool, check: Check | None, awaits: bool
) -> None:
    found = understood(labels, replace(WEB, healthcheck=healthcheck))
    assert (found.check, found.awaits_engine) == (check, awaits)
    assert found.instance("10.0.0.7").check == check


def test_two_ways_of_asking_are_none() -> None:
    found = described({"health.http": "/ok", "health.tcp": "true"})
    assert found.description is not None
    assert found.description.check == Check(CheckKind.TCP)
    assert "it is asked in one way, not by http and tcp" in words(found)[0]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("helth.http", "fairlead.health.http"),
        ("Service", "fairlead.service"),
        ("route.api.hots", "fairlead.route.api.host"),
        ("retry.attemps", "fairlead.retry.attempts"),
        ("breaker.max_retries", "fairlead.breaker.max-retries"),
    ],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(wrong: str, meant: str) -> None:
    found = described({wrong: "1"})
    assert words(found) == [f"fairlead.{wrong}: nothing is known by that name; did you mean {meant}?"]


def test_a_name_after_a_domain_says_the_same_and_the_short_one_wins() -> None:
    assert describe({"io.fairlead.service": "web"}, WEB).description is not None
    both = describe({"io.fairlead.service": "web", "fairlead.service": "shop"}, WEB)
    assert both.description is not None
    assert both.description.service.name == "shop"
    assert words(both) == ["io.fairlead.service: says something else than fairlead.service, which holds"]


def test_labels_of_others_that_cannot_be_kept_are_nobodys_mistake() -> None:
    found = understood({"org.opencontainers.image.description": "two\nlines", "com.example.team": "shop"})
    assert "org.opencontainers.image.description" not in found.labels
    assert found.labels["com.example.team"] == "shop"


def test_what_nothing_acts_on_yet_is_said() -> None:
    found = described({"spiffe": "checkout"})
    assert words(found) == ["fairlead.spiffe: 'checkout' is understood, and nothing acts on it yet"]
    assert found.description is not None
    assert found.description.policy == ServiceLabels()
