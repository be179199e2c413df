"""The split on real Envoy: the measured share, every user where the bucket says, and who may move."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.harness.load import ask, ask_from, request, users
from tests.harness.mesh import USER, Town, owners, versions
from xds.model.bucket import bucket

pytestmark = pytest.mark.envoy

BUCKET = "x-fairlead-bucket"


def names(count: int) -> list[str]:
    """Distinct users, the same in every run: what is measured of them is no matter of luck."""
    chance = random.Random(15)
    return [f"{chance.getrandbits(48):012x}" for _ in range(count)]


@pytest.mark.parametrize("key", ["header", "cookie"])
@pytest.mark.parametrize("weight", [5, 20])
def test_the_share_of_5000_users_is_within_a_point_and_each_is_where_the_split_says(
    town: Town, key: str, weight: float
) -> None:
    """M15. The users are a sample, whose share has a deviation of 0.57 points at 20 %; it is the same in every run."""
    mesh, service = town.mesh, f"share-{key}-{weight}"
    mesh.two_versions(service, town.apps)
    mesh.service(service, split_key={key: "who"}, split=_split(v1=100 - weight, v2=weight))
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    people = names(5_000)
    headers = {name: ("who", name) if key == "header" else ("cookie", f"a=1; who={name}; z=2") for name in people}
    port, host = (town.gateway.port, f"{service}.test") if key == "header" else (town.sidecar.port, service)
    seen = versions(ask(port, [request(host, headers[name]) for name in people]))
    assert seen == owners(mesh.split(service), people)
    assert abs(100 * seen.count("v2") / len(seen) - weight) <= 1


def test_without_a_key_an_address_stays_on_its_side(town: Town) -> None:
    """The key is the client's address without its port: a new connection changes nothing."""
    mesh = town.mesh
    mesh.two_versions("by-source", town.apps)
    mesh.service("by-source", split_key="source", split=_split(v1=70, v2=30))
    mesh.plane.acked("by-source", nodes=2)
    mesh.reachable(town.gateway.port, "by-source.test")
    sources = [f"127.0.{number // 200}.{number % 200 + 2}" for number in range(600)]
    wanted = owners(mesh.split("by-source"), sources)
    for _ in range(2):
        assert versions(ask_from(town.gateway.port, sources, request("by-source.test"))) == wanted
    assert {"v1", "v2"} <= set(wanted)


def test_a_third_version_that_grows_takes_users_of_the_first_only(town: Town) -> None:
    """80/10/10 -> 70/10/20: the split is a list of segments, so that nobody passes through a neighbour."""
    mesh = town.mesh
    mesh.service("three", hosts=["three.test"])
    for version in ("v1", "v2", "v3"):
        mesh.register("three", version, town.apps[version])
    people, requests = users(3_000, lambda name: request("three.test", (USER, name)))

    def placed(**weights: float) -> list[str]:
        mesh.service("three", split=_split(**weights))
        mesh.plane.acked("three", nodes=2)
        mesh.reachable(town.gateway.port, "three.test")
        seen = versions(ask(town.gateway.port, requests))
        assert seen == owners(mesh.split("three"), people)
        return seen

    before = placed(v1=80, v2=10, v3=10)
    after = placed(v1=70, v2=10, v3=20)
    moves = Counter((old, new) for old, new in zip(before, after, strict=True) if old != new)
    assert set(moves) == {("v1", "v3")}
    assert abs(moves["v1", "v3"] / len(people) - 0.10) < 0.02
    later = placed(v1=60, v2=20, v3=20)
    assert {(old, new) for old, new in zip(after, later, strict=True) if old != new} == {("v1", "v2")}


FORGERIES = {
    "one": [(BUCKET, "9999")],
    "the other end": [(BUCKET, "0")],
    "twice": [(BUCKET, "9999"), (BUCKET, "9998")],
    "mixed case": [("X-Fairlead-BUCKET", "9999")],
    "empty": [(BUCKET, "")],
    "a list": [(BUCKET, "9999, 9999")],
    "no number": [(BUCKET, "v2")],
    "out of range": [(BUCKET, "18446744073709551615")],
    "named by Connection": [("connection", f"keep-alive, {BUCKET}"), (BUCKET, "9999")],
}


@pytest.fixture(scope="module")
def guarded(town: Town) -> str:
    """A service with a split of 60 to 40, reachable on both sides."""
    town.mesh.two_versions("guarded", town.apps)
    town.mesh.service("guarded", split=_split(v1=60, v2=40))
    town.mesh.plane.acked("guarded", nodes=2)
    town.mesh.reachable(town.gateway.port, "guarded.test")
    return "guarded"


@pytest.mark.parametrize("side", ["gateway", "sidecar"])
@pytest.mark.parametrize("forged", FORGERIES.values(), ids=list(FORGERIES))
def test_a_forged_bucket_changes_nothing(town: Town, guarded: str, forged: list[tuple[str, str]], side: str) -> None:
    """The client's header is gone before a route is chosen; the application sees the one that the filter wrote."""
    at, host = (town.gateway, f"{guarded}.test") if side == "gateway" else (town.sidecar, guarded)
    split = town.mesh.split(guarded)
    people, requests = users(100, lambda name: request(host, *forged, (USER, name)))
    answers = ask(at.port, requests)
    assert versions(answers) == owners(split, people)
    if "connection" not in dict(forged):  # which takes the header away on its way to the application, as it may
        assert [answer.header("x-saw-bucket") for answer in answers] == [
            str(bucket(split.salt, name.encode())) for name in people
        ]


def _split(**weights: float) -> list[dict[str, object]]:
    return [{"subset": subset, "weight": weight} for subset, weight in weights.items()]
