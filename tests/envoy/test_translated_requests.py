"""Requests through a real Envoy that holds what was translated: they arrive where the intent says."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.envoy.replay import FileEnvoy
from tests.golden.story import tell
from tests.harness.echo import Echo
from tests.harness.envoy import envoy_path
from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.waiting import wait_until
from xds.model.bucket import bucket
from xds.model.split import Segment, Split
from xds.wire.types import ResourceType

pytestmark = pytest.mark.envoy

SIDECAR = {"role": "sidecar"}
FORGED = {"x-fairlead-bucket": "9999"}


class Mesh:
    """An Envoy, and one echo per version of the service `web`."""

    def __init__(self, envoy: FileEnvoy, echoes: Mapping[str, Echo]) -> None:
        self.envoy = envoy
        self.echoes = echoes

    def hold(self, **document: Any) -> None:
        """Make Envoy hold a story in which every echo is an instance of its version."""
        instances = [
            {"id": f"web-{name}", "service": "web", "version": name, "address": "127.0.0.1", "port": echo.port}
            for name, echo in self.echoes.items()
        ]
        story = tell({"instances": instances, "nodes": [SIDECAR], **document})
        (profile,) = story.profiles
        self.envoy.replay(story.seen_by(profile))

    def ask(
        self, path: str = "/", headers: Mapping[str, str] | None = None, method: str = "GET", listener: str = "egress"
    ) -> dict[str, Any]:
        """What the echo behind `web` saw, or `{"status": ...}` for an answer that is none of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.envoy.ports[listener], timeout=5)
        try:
            connection.request(method, path, headers={"host": "web", **(headers or {})})
            answer = connection.getresponse()
            body = answer.read()
            seen: dict[str, Any] = json.loads(body) if answer.status == 200 else {"status": answer.status}
            return seen
        finally:
            connection.close()


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("envoy")
    (folder / "logs").mkdir()
    programs = Programs(folder / "logs")
    echoes = {name: Echo(name) for name in ("v1", "v2", "v3")}
    try:
        yield Mesh(FileEnvoy(envoy_path(), programs, folder), echoes)
    finally:
        programs.stop_all()
        for echo in echoes.values():
            echo.close()


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ({"headers": {"x-a": "b"}}, {"X-A": "b"}, {"x-a": "bb"}),
        ({"headers": {"x-a": {"prefix": "b"}}}, {"x-a": "bc"}, {"x-a": "ab"}),
        ({"headers": {"x-a": {"regex": "b+"}}}, {"x-a": "bbb"}, {"x-a": "bbbc"}),
        ({"headers": {"x-a": {"present": True}}}, {"x-a": ""}, {}),
        ({"headers": {"x-a": {"present": False}}}, {}, {"x-a": "1"}),
        ({"headers": {"host": "web:80"}}, {"host": "web:80"}, {"host": "web"}),
        ({"cookies": {"a": "b"}}, {"cookie": "x=y; a=b"}, {"cookie": "aa=b; a=bb"}),
        ({"cookies": {"a": {"prefix": "b"}}}, {"cookie": "a=bc"}, {"cookie": "a=cb"}),
        ({"cookies": {"a": {"regex": "b.d"}}}, {"cookie": "a=bcd"}, {"cookie": "a=bcde"}),
        ({"cookies": {"a": {"present": True}}}, {"cookie": "a="}, {"cookie": "b=a"}),
        ({"cookies": {"a": {"present": False}}}, {"cookie": "b=1"}, {"cookie": "b=1; a=2"}),
        ({"cookies": {"a": {"present": False}}}, {}, {"cookie": "a=2"}),
        ({"cookies": {"a.b": "x"}}, {"cookie": "a.b=x"}, {"cookie": "aab=x"}),
        ({"methods": ["PUT", "DELETE"]}, {":method": "DELETE"}, {":method": "GET"}),
    ],
    ids=str,
)
def test_a_match_takes_what_it_says_and_nothing_else(
    match: dict[str, object], yes: dict[str, str], no: dict[str, str], mesh: Mesh
) -> None:
    mesh.hold(routes=[{"name": "web.x", "service": "web", "subset": "v2", **match}])
    for headers, subset in ((yes, "v2"), (no, "v1")):
        plain = {name: value for name, value in headers.items() if name != ":method"}
        assert mesh.ask(headers=plain, method=headers.get(":method", "GET"))["by"] == subset


@pytest.mark.parametrize(
    ("path", "rewrite", "asked", "seen"),
    [
        ("/api", "/", "/api/users?q=1", "/users?q=1"),
        ("/api", "/", "/api", "/"),
        ("/api", "/", "/api//users", "/users"),
        ("/api/", "/v2", "/api/users", "/v2/users"),
        ("/api/", "/", "/api/users", "/users"),
        ("/api", "/v2", "/api/users", "/v2/users"),
        ("/a.i", "/", "/a.i/x", "/x"),
        ("/", "/v2", "/users", "/v2/users"),
        ({"exact": "/one"}, "/two", "/one?q=1", "/two?q=1"),
    ],
)
def test_a_rewrite_keeps_exactly_one_slash(path: object, rewrite: str, asked: str, seen: str, mesh: Mesh) -> None:
    """Envoy's prefix_rewrite replaces characters: `/api` -> `/` would make `//users` of `/api/users`."""
    mesh.hold(routes=[{"name": "web.x", "service": "web", "path": path, "rewrite": rewrite}])
    assert mesh.ask(asked)["path"] == seen


def test_the_more_specific_route_goes_first_unless_priority_says_otherwise(mesh: Mesh) -> None:
    def route(name: str, path: object, rewrite: str | None, **more: object) -> dict[str, object]:
        return {"name": f"web.{name}", "service": "web", "path": path, "rewrite": rewrite, **more}

    mesh.hold(
        routes=[
            route("a", "/", "/short/"),
            route("b", "/deep", "/long"),
            route("c", {"exact": "/deep/er"}, "/exact"),
            route("d", "/deep", "/header", headers={"x": "1"}),
            route("e", "/deep", "/first", headers={"y": "1"}, priority=5),
        ]
    )
    assert mesh.ask("/other")["path"] == "/short/other"
    assert mesh.ask("/deep/x")["path"] == "/long/x"
    assert mesh.ask("/deep/er")["path"] == "/exact"
    assert mesh.ask("/deep/x", {"x": "1"})["path"] == "/header/x"
    assert mesh.ask("/deep/er", {"x": "1", "y": "1"})["path"] == "/first/er"


def test_a_forged_bucket_changes_nothing_and_does_not_arrive(mesh: Mesh) -> None:
    """Without the filter the split is random; a client that could choose would see one side only (once in 2**59)."""
    mesh.hold(services=[{"name": "web", "stable": "v1", "split": [{"v1": 50}, {"v2": 50}]}])
    answers = [mesh.ask(headers=FORGED) for _ in range(60)]
    assert {answer["by"] for answer in answers} == {"v1", "v2"}
    assert not any("x-fairlead-bucket" in answer["headers"] for answer in answers)


def test_with_the_filter_each_user_is_where_the_split_puts_it(mesh: Mesh) -> None:
    """One fact in the route's metadata, one bucket by model, filter and Envoy: repeated segments included."""
    mesh.hold(
        filter=True,
        services=[
            {
                "name": "web",
                "stable": "v1",
                "key": {"cookie": "user"},
                "split": [{"v1": 60}, {"v2": 20}, {"v3": 20}],
            }
        ],
        then=[{"name": "web", "key": {"cookie": "user"}, "split": [{"v1": 30}, {"v2": 20}, {"v3": 50}]}],
    )
    split = Split((Segment("v1", 6000), Segment("v2", 2000), Segment("v3", 2000)))
    split = split.shift({"v1": 3000, "v2": 2000, "v3": 5000})
    assert len(split.segments) > 3
    for number in range(60):
        user = f"user-{number}"
        answer = mesh.ask(headers={"cookie": f"user={user}", **FORGED})
        assert answer["by"] == split.owner(bucket("default/web", user.encode())), user


def test_a_module_that_envoy_refuses_leaves_a_random_split(mesh: Mesh) -> None:
    """The slot's default serves; without one Envoy answers 500 to everything."""
    story = tell(
        {
            "filter": True,
            "nodes": [SIDECAR],
            "instances": [
                {"id": f"web-{name}", "service": "web", "version": name, "address": "127.0.0.1", "port": echo.port}
                for name, echo in mesh.echoes.items()
            ],
            "services": [{"name": "web", "stable": "v1", "split": [{"v1": 50}, {"v2": 50}]}],
        }
    )
    (profile,) = story.profiles
    seen: dict[tuple[ResourceType, str], Any] = dict(story.seen_by(profile))
    vm = seen[ResourceType.EXTENSION, "fairlead.health"]["typed_config"]["config"]["vm_config"]
    vm["code"]["local"]["inline_bytes"] = "bm90IGEgbW9kdWxl"
    vm["vm_id"] += "/broken"
    with pytest.raises(AssertionError, match=r"[Ww]asm"):
        mesh.envoy.replay(seen)
    assert {mesh.ask(headers=FORGED).get("by") for _ in range(60)} == {"v1", "v2"}


def test_requests_of_a_dead_canary_are_answered(mesh: Mesh) -> None:
    """An endpoint that is gone before Envoy hears of it: the retry asks for its cluster anew and leaves."""
    dead = {"id": "web-dead", "service": "web", "version": "v9", "address": "127.0.0.1", "port": free_port()}
    alive = {
        "id": "web-alive",
        "service": "web",
        "version": "v1",
        "address": "127.0.0.1",
        "port": mesh.echoes["v1"].port,
    }
    mesh.hold(
        instances=[alive, dead],
        services=[{"name": "web", "stable": "v1", "split": [{"v1": 50}, {"v9": 50}], "retry": {"attempts": 10}}],
    )
    assert Counter(mesh.ask().get("by") for _ in range(60)) == {"v1": 60}


def test_every_request_leaves_one_line_that_says_where_it_went(mesh: Mesh) -> None:
    mesh.hold(filter=True, services=[{"name": "web", "key": {"header": "x-user"}}])
    mesh.ask("/logged?secret=1", {"x-user": "u", "x-request-id": "the-request"})

    def line() -> dict[str, Any]:
        lines = [text for text in mesh.envoy.output().splitlines() if "the-request" in text]
        return json.loads(lines[-1]) if lines else {}

    seen = wait_until(line, 15, what="the access log is flushed")
    assert {name: seen[name] for name in ("service", "subset", "instance", "path", "code", "listener")} == {
        "service": "web",
        "subset": "v1",
        "instance": "web-v1",
        "path": "/logged",
        "code": 200,
        "listener": "egress",
    }
    assert seen["route"].partition("#")[0] == "web", "after the mark, what tells the filter whether it knows the route"
    assert seen["bucket"] == str(bucket("default/web", b"u"))


def test_a_service_with_its_own_port_answers_there_under_any_host(mesh: Mesh) -> None:
    mesh.hold(
        services=[{"name": "web", "upstream_port": 15999}],
        routes=[{"name": "web.x", "service": "web", "path": "/two", "subset": "v2"}],
    )
    assert mesh.ask("/one", {"host": "localhost:1"}, listener="upstream/web")["by"] == "v1"
    assert mesh.ask("/two", {"host": "localhost:1"}, listener="upstream/web")["by"] == "v2"


def test_an_unknown_host_is_nobodys(mesh: Mesh) -> None:
    mesh.hold()
    assert mesh.ask(headers={"host": "nobody"}) == {"status": 404}
    assert mesh.ask(headers={"host": "web:8080"})["by"] == "v1"


def test_a_sidecars_ingress_hands_requests_to_its_own_application(mesh: Mesh) -> None:
    app = f"127.0.0.1:{mesh.echoes['v2'].port}"
    mesh.hold(nodes=[{"role": "sidecar", "service": "web", "app": app}])
    answers = [mesh.ask("/here", {"host": "anything"}, listener="ingress/web") for _ in range(5)]
    assert {(answer["by"], answer["path"]) for answer in answers} == {("v2", "/here")}


def test_connections_to_a_tcp_service_follow_the_split(mesh: Mesh) -> None:
    """At random, since a connection has no key: one side alone would come up once in 2**59."""
    mesh.hold(services=[{"name": "web", "protocol": "tcp", "stable": "v1", "split": [{"v1": 50}, {"v2": 50}]}])
    assert {mesh.ask(listener="upstream/web")["by"] for _ in range(60)} == {"v1", "v2"}


def test_a_gateway_takes_no_orders_from_strangers(mesh: Mesh) -> None:
    """x-envoy-* headers and the bucket of a client would steer retries, timeouts and the split."""
    mesh.hold(
        nodes=[{"role": "gateway", "gateway": "edge"}],
        gateways=[{"name": "edge"}],
        routes=[{"name": "web.public", "service": "web", "hosts": ["web"]}],
    )
    forged = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-max-retries": "9", "x-request-id": "kept", **FORGED}
    seen = mesh.ask(headers=forged, listener="gateway/edge")["headers"]
    assert "x-fairlead-bucket" not in seen
    assert "x-envoy-max-retries" not in seen
    assert seen.get("x-envoy-expected-rq-timeout-ms") == "15000"
    assert seen["x-request-id"] == "kept"
    assert mesh.ask("/a/../b//c", listener="gateway/edge")["path"] == "/b/c"
