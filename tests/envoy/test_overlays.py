"""Overlays on real Envoy: drained without a loss, still drained after a crash, weights that move the share (M54)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Mesh, mesh, versions
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

REQUESTS = 400


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, envoy_binary: Path) -> Iterator[tuple[Mesh, Proxy, dict[str, int]]]:
    """A mesh of its own, since its control plane is killed: a gateway, and applications that say who they are."""
    with mesh(envoy_binary, tmp_path_factory.mktemp("overlays")) as made:
        apps, _ = made.apps("a", "b", "c")
        gateway = made.gateway("edge")
        made.ready(gateway)
        yield made, gateway, apps


def two_instances(made: Mesh, service: str, apps: dict[str, int]) -> None:
    """Two instances of one version, which tell themselves apart by what they answer."""
    made.service(service, hosts=[f"{service}.test"])
    for who in ("a", "b"):
        made.register(service, "v1", apps[who], id=f"{service}-{who}")


def share(gateway: Proxy, host: str) -> Counter[str]:
    _, requests = users(REQUESTS, lambda name: request(host, (USER, name)))
    return Counter(versions(ask(gateway.port, requests)))


def test_a_drain_loses_no_request_and_outlives_a_crash_and_a_registration_m54(
    place: tuple[Mesh, Proxy, dict[str, int]],
) -> None:
    made, gateway, apps = place
    two_instances(made, "shop", apps)
    made.reachable(gateway.port, "shop.test")
    _, requests = users(40, lambda name: request("shop.test", (USER, name)))

    def served_since(moment: float) -> set[str]:
        return {version for met in load.by_user(moment).values() for version in met}

    with Load(gateway.port, requests) as load:
        load.wait_rounds()
        made.plane.put("overlays/drain-a", {"act": "drain", "instance": "shop-a", "reason": "disk", "expires_in": "1h"})
        made.plane.settled(gateway.id)
        drained = load.settled()
        load.wait_rounds(2)
        made.plane.kill()
        made.plane.start()
        made.register("shop", "v1", apps["a"], id="shop-a", labels={"incarnation": "2"})
        made.plane.settled(gateway.id)
        load.wait_rounds(2)
        assert served_since(drained) == {"b"}, "a registration undoes no operator's word"
        made.plane.delete("overlays/drain-a")
        wait_until(lambda: "a" in served_since(drained), 30, what="the drained instance serves again")
    assert load.failures == []


def test_a_weight_moves_the_share_of_an_instance_and_back_m54(place: tuple[Mesh, Proxy, dict[str, int]]) -> None:
    made, gateway, apps = place
    two_instances(made, "store", apps)
    made.reachable(gateway.port, "store.test")
    wait_until(lambda: 150 < share(gateway, "store.test")["a"] < 250, 30, what="both serve the same")
    made.plane.put("overlays/light-a", {"act": "weight", "instance": "store-a", "weight": 25})
    wait_until(lambda: 50 < share(gateway, "store.test")["a"] < 110, 30, what="one in five goes to a")
    made.plane.delete("overlays/light-a")
    wait_until(lambda: 150 < share(gateway, "store.test")["a"] < 250, 30, what="both serve the same again")


def test_a_mirror_gets_its_copies_and_users_notice_nothing_m13(place: tuple[Mesh, Proxy, dict[str, int]]) -> None:
    made, gateway, apps = place
    made.service("cart", hosts=["cart.test"])
    for version, who in (("v1", "a"), ("v2", "c")):
        made.register("cart", version, apps[who], id=f"cart-{who}")
    made.reachable(gateway.port, "cart.test")
    before = made.split("cart")
    policy = {"selector": "service=cart", "mirror": {"subset": "v2", "share": 50}}
    assert made.plane.put("policies/shadow", policy)["services"] == ["cart"]
    made.plane.settled(gateway.id)
    copies = r"^cluster\.cart/v2\.upstream_rq_total$"
    name = "cluster.cart/v2.upstream_rq_total"

    def copied() -> int:
        return gateway.counts(copies).get(name, 0)

    wait_until(lambda: share(gateway, "cart.test")["a"] == REQUESTS and copied() > 0, 30, what="copies arrive")
    start = copied()
    assert share(gateway, "cart.test") == {"a": REQUESTS}, "every user is answered by v1, and by nobody else"
    wait_until(lambda: 0.3 * REQUESTS < copied() - start < 0.7 * REQUESTS, 30, what="half of the requests are copied")
    assert made.split("cart") == before
    explained = made.plane.get("services/cart:explain")
    assert {each["field"]: each["by"] for each in explained["policy"]}["mirror"] == "policy shadow"
    made.plane.delete("policies/shadow")
    made.plane.settled(gateway.id)
    share(gateway, "cart.test")
    end = copied()
    share(gateway, "cart.test")
    assert copied() == end
