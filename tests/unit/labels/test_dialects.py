"""Labels of Traefik and Registrator read as ours, and what of them did not map."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.labels.labelled import WEB
from xds.labels.describe import describe
from xds.labels.description import Description
from xds.labels.dialect import Dialect, translated
from xds.model.balancing import Balancing, Outlier
from xds.model.breaker import Limits
from xds.model.check import Check, CheckKind
from xds.model.route import PathKind, PathMatch, Retry

WHOAMI = {
    "com.docker.compose.service": "whoami",
    "traefik.enable": "true",
    "traefik.docker.network": "front",
    "traefik.http.routers.Api.rule": "Host(`api.example.com`) && PathPrefix(`/v1`)",
    "traefik.http.routers.Api.priority": "7",
    "traefik.http.routers.Api.middlewares": "strip@docker,again",
    "traefik.http.middlewares.strip.stripprefix.prefixes": "/v1",
    "traefik.http.middlewares.again.retry.attempts": "4",
    "traefik.http.services.whoami.loadbalancer.server.port": "8080",
    "traefik.http.services.whoami.loadbalancer.server.weight": "42",
    "traefik.http.services.whoami.loadbalancer.strategy": "p2c",
    "traefik.http.services.whoami.loadbalancer.healthcheck.path": "/health",
    "traefik.http.services.whoami.loadbalancer.healthcheck.interval": "10s",
    "traefik.http.services.whoami.loadbalancer.passivehealthcheck.maxfailedattempts": "3",
}


def read(labels: dict[str, str], dialect: Dialect, env: dict[str, str] | None = None) -> Description:
    made = translated(labels, [dialect], env)
    found = describe(made.labels, WEB)
    assert found.problems == ()
    assert found.description is not None
    return found.description


def test_without_being_asked_for_nobody_elses_labels_are_read() -> None:
    assert translated(WHOAMI, []).labels == WHOAMI
    assert not describe(WHOAMI, WEB).wanted


@pytest.mark.parametrize(
    "guard", ["basicauth.users", "digestauth.users", "forwardauth.address", "ipallowlist.sourcerange"]
)
def test_a_route_that_somebody_guards_is_not_opened(guard: str) -> None:
    """What asks for a password there asks for none here."""
    middleware = {"traefik.http.middlewares.who.x": "y", f"traefik.http.middlewares.who.{guard}": "z"}
    router = {"traefik.http.routers.Api.middlewares": "strip, who@docker"}
    labels = {**WHOAMI, **router, **middleware, "traefik.http.routers.open.rule": "Host(`open.example.com`)"}
    assert [route.hosts for route in read(labels, Dialect.TRAEFIK).routes] == [("open.example.com",)]
    why = {note.label: note.why for note in translated(labels, [Dialect.TRAEFIK]).left}
    told = [*middleware, *router, "traefik.http.routers.Api.rule"]
    assert {why[label] for label in told} == {"without who the route would be open to everybody: there is none"}


def test_a_container_that_traefik_serves_is_served_here() -> None:
    found = read(WHOAMI, Dialect.TRAEFIK)
    assert (found.service.name, found.ports, found.weight, found.network) == ("whoami", {"default": 8080}, 42, "front")
    assert found.check == Check(CheckKind.HTTP, path="/health", interval=10)
    assert found.policy.retry == Retry(attempts=3)
    assert (found.policy.balancing, found.policy.outlier) == (Balancing.LEAST_REQUEST, Outlier(consecutive_5xx=3))
    (route,) = found.routes
    assert (route.key.name, route.hosts, route.priority) == ("whoami.api", ("api.example.com",), 7)
    assert (route.path, route.rewrite) == (PathMatch(PathKind.PREFIX, "/v1"), "/")
    assert translated(WHOAMI, [Dialect.TRAEFIK]).left == ()


def test_several_services_of_a_container_are_its_ports() -> None:
    labels = {
        "fairlead.service": "web",
        "traefik.http.services.web.loadbalancer.server.port": "8080",
        "traefik.http.services.admin.loadbalancer.server.port": "9000",
        "traefik.http.routers.web.rule": "Host(`a.example`)",
        "traefik.http.routers.web.service": "web",
        "traefik.http.routers.admin.rule": "Host(`b.example`)",
        "traefik.http.routers.admin.service": "admin",
    }
    found = describe(translated(labels, [Dialect.TRAEFIK]).labels, replace(WEB, ports=(8080, 9000))).description
    assert found is not None
    assert found.ports == {"default": 8080, "admin": 9000}
    assert [(route.key.name, route.port) for route in found.routes] == [("web.web", ""), ("web.admin", "admin")]


@pytest.mark.parametrize(
    ("expression", "breaker"),
    [
        ("ResponseCodeRatio(500, 600, 0, 600) > 0.30 && RequestThreshold() >= 20", {"errors": 30}),
        ("NetworkErrorRatio() > 0.5", {"errors": 50}),
        ("LatencyAtQuantileMS(50.0) > 100", {"slow_ms": 100}),
    ],
)
def test_a_circuit_breaker_of_one_condition_is_ours(expression: str, breaker: dict[str, int]) -> None:
    labels = {
        "fairlead.service": "web",
        "traefik.http.routers.a.rule": "Host(`a.example`)",
        "traefik.http.routers.a.middlewares": "cb,few",
        "traefik.http.middlewares.cb.circuitbreaker.expression": expression,
        "traefik.http.middlewares.few.inflightreq.amount": "10",
    }
    policy = read(labels, Dialect.TRAEFIK).policy
    assert (policy.breaker, policy.limits) == (breaker, Limits(requests=10))


@pytest.mark.parametrize(
    ("label", "value", "why"),
    [
        ("traefik.tcp.routers.db.rule", "HostSNI(`*`)", "only HTTP is translated"),
        ("traefik.http.routers.a.tls.certresolver", "le", "TLS is the gateway's"),
        ("traefik.http.routers.a.entrypoints", "websecure", "a gateway serves routes by their hosts"),
        ("traefik.http.routers.a.middlewares", "auth@file", "the middleware auth is not on this container"),
        ("traefik.http.middlewares.x.headers.customrequestheaders.A", "b", "no router here names the middleware x"),
        ("traefik.http.services.w.weighted.services[0].name", "v1", "a split belongs to a rollout"),
        ("traefik.http.services.w.loadbalancer.sticky.cookie.name", "lb", "Traefik sets that cookie"),
        ("traefik.http.routers.b.entrypoints", "web", "the router b has no rule"),
        ("traefik.constraint-label", "x", "nothing here does that"),
    ],
)
def test_what_does_not_map_is_named_with_the_reason(label: str, value: str, why: str) -> None:
    labels = {"traefik.http.routers.a.rule": "Host(`a.example`)", label: value}
    left = translated(labels, [Dialect.TRAEFIK]).left
    assert any(note.label == label and why in note.why for note in left)


def test_our_own_labels_win_over_those_of_a_dialect() -> None:
    made = translated({**WHOAMI, "fairlead.port": "9000"}, [Dialect.TRAEFIK])
    assert made.labels["fairlead.port"] == "9000"
    assert "fairlead.port" not in made.origins


def test_registrators_words_are_read_from_environment_and_labels() -> None:
    env = {
        "SERVICE_NAME": "Checkout", "SERVICE_TAGS": "blue,eu", "SERVICE_CHECK_HTTP": "/ok", "SERVICE_TEAM": "shop",
        "PATH": "/bin",
    }  # fmt: skip
    found = read({"SERVICE_CHECK_INTERVAL": "15s", "SERVICE_VERSION": "7"}, Dialect.REGISTRATOR, env)
    assert (found.service.name, found.version, found.metadata) == ("checkout", "7", {"team": "shop"})
    assert found.labels["tag.blue"] == "true"
    assert found.check == Check(CheckKind.HTTP, path="/ok", interval=15)


def test_registrators_keys_of_a_port_are_named_ports() -> None:
    env = {
        "SERVICE_8080_NAME": "web",
        "SERVICE_8080_CHECK_TCP": "true",
        "SERVICE_9000_NAME": "admin",
        "SERVICE_9000_TAGS": "a",
    }
    made = translated({}, [Dialect.REGISTRATOR], env)
    found = describe(made.labels, replace(WEB, ports=(8080, 9000))).description
    assert found is not None
    assert (found.service.name, found.ports) == ("web", {"default": 8080, "admin": 9000})
    assert [note.label for note in made.left] == ["SERVICE_9000_TAGS"]


def test_registrators_ignore_keeps_a_container_out() -> None:
    made = translated({}, [Dialect.REGISTRATOR], {"SERVICE_NAME": "web", "SERVICE_IGNORE": ""})
    assert describe(made.labels, WEB).description is None


@given(
    st.dictionaries(
        st.sampled_from(
            [*WHOAMI, "SERVICE_NAME", "SERVICE_1_NAME", "SERVICE_99999_X", "traefik.http.routers..rule", "traefik."]
        )
        | st.text(max_size=10).map("traefik.http.".__add__)
        | st.text(max_size=10).map("SERVICE_".__add__),
        st.text(max_size=20) | st.sampled_from(list(WHOAMI.values())),
        max_size=8,
    )
)
def test_no_labels_of_others_raise(labels: dict[str, str]) -> None:
    describe(translated(labels, list(Dialect)).labels, WEB)
