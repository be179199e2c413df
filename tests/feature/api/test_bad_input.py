"""Whatever a caller gets wrong: a clear error with a pointer, and nothing has changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from xds.control.plane import ControlPlane

INSTANCE = {"service": "web", "address": "10.0.0.9", "port": 8080, "version": "v1"}


class Refusals:
    """Sends what must be refused, and sees to it that nothing came of it."""

    def __init__(self, api: httpx.AsyncClient, plane: ControlPlane) -> None:
        self._api = api
        self._plane = plane

    async def __call__(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        before, state = self._plane.intent.revision, await self._state()
        sent = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        kind = {"content-type": "application/json"} if isinstance(body, bytes) else {}
        answer = await self._api.request(method, path, headers={**kind, **(headers or {})}, **sent)
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        found: dict[str, object] = answer.json()
        assert found["status"] == answer.status_code
        assert found["detail"]
        assert self._plane.intent.revision == before
        assert await self._state() == state
        return found

    async def _state(self) -> list[object]:
        lists = ("instances", "services?env=*", "routes?env=*", "gateways?env=*", "rollouts?env=*")
        found = [item for each in lists for item in (await self._api.get(f"/v1/{each}")).json()["items"]]
        return [{key: value for key, value in item.items() if key not in {"change", "gate"}} for item in found]


@pytest.fixture
def refused(web: httpx.AsyncClient, plane: ControlPlane) -> Refusals:
    return Refusals(web, plane)


def _is(problem: Mapping[str, object], status: int, code: str, pointer: str) -> None:
    assert (problem["status"], problem["code"], problem["pointer"]) == (status, code, pointer), problem


# -- selectors ------------------------------------------------------------------------------------------------------


async def test_a_broken_selector_in_a_query_is_drawn_with_a_caret(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/instances", params={"selector": "app=web,version in v1"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "selector_syntax"
    selector, caret = answer.json()["detail"].split("\n")
    assert caret.index("^") == selector.index("v1")


async def test_a_broken_selector_of_a_subset_points_at_the_subset(refused: Refusals) -> None:
    subsets = [{"name": "a", "selector": "version=v1"}, {"name": "b", "selector": "version=("}]
    _is(await refused("PUT", "/v1/services/web", {"subsets": subsets}), 422, "selector_syntax", "/subsets/1/selector")


# -- weights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [-1, -0.01, 100.01, 0.001])
async def test_a_weight_outside_0_to_100_or_finer_than_a_hundredth_is_refused(refused: Refusals, weight: float) -> None:
    split = [{"subset": "v1", "weight": 95}, {"subset": "v2", "weight": weight}]
    _is(await refused("PUT", "/v1/services/web", {"split": split}), 422, "invalid_input", "/split/1/weight")


async def test_a_weight_that_is_not_a_number_is_refused(refused: Refusals) -> None:
    body = b'{"split": [{"subset": "v1", "weight": NaN}]}'
    _is(await refused("PUT", "/v1/services/web", body), 400, "number", "/split/0/weight")


@pytest.mark.parametrize("weights", [(90, 5), (0, 0), (100, 0.01), (50, 51)])
async def test_c3_weights_that_do_not_add_up_are_refused(refused: Refusals, weights: tuple[float, float]) -> None:
    split = [{"subset": f"v{at}", "weight": weight} for at, weight in enumerate(weights, 1)]
    problem = await refused("PUT", "/v1/services/web", {"split": split})
    _is(problem, 422, "invalid_input", "/split")
    assert "add up to" in str(problem["detail"])


async def test_a_subset_that_stands_twice_in_a_split_is_refused(refused: Refusals) -> None:
    split = [{"subset": "v1", "weight": 50}, {"subset": "v1", "weight": 50}]
    _is(await refused("PUT", "/v1/services/web", {"split": split}), 422, "invalid_input", "/split/1/subset")


# -- names that nothing has -----------------------------------------------------------------------------------------


async def test_a_route_to_an_unknown_service_is_refused(refused: Refusals) -> None:
    _is(await refused("PUT", "/v1/routes/shop.api", {"service": "shop"}), 422, "unknown_service", "/service")


async def test_a_route_to_an_unknown_version_is_refused_and_told_which_there_are(refused: Refusals) -> None:
    problem = await refused("PUT", "/v1/routes/web.api", {"service": "web", "subset": "v9"})
    _is(problem, 422, "unknown_version", "/subset")
    assert "v1" in str(problem["detail"])
    assert "v2" in str(problem["detail"])


async def test_a_rollout_to_a_version_without_an_instance_is_refused(refused: Refusals) -> None:
    problem = await refused("POST", "/v1/rollouts", {"service": "web", "version": "v9"})
    _is(problem, 422, "unknown_version", "/version")


async def test_a_rollout_of_an_unknown_service_is_not_found(refused: Refusals) -> None:
    problem = await refused("POST", "/v1/rollouts", {"service": "shop", "version": "v2"})
    _is(problem, 404, "unknown_service", "/service")


async def test_a_rollout_to_the_stable_version_is_refused(refused: Refusals) -> None:
    problem = await refused("POST", "/v1/rollouts", {"service": "web", "version": "v1"})
    _is(problem, 422, "invalid_input", "/version")


@pytest.mark.parametrize("verb", ["promote", "pause", "resume", "abort"])
async def test_steering_a_rollout_that_does_not_exist_is_not_found(refused: Refusals, verb: str) -> None:
    _is(await refused("POST", f"/v1/rollouts/nothing:{verb}"), 404, "not_found", "")


async def test_a_step_that_the_phase_does_not_allow_is_a_conflict(web: httpx.AsyncClient, refused: Refusals) -> None:
    await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": [{"weight": 5}]})
    _is(await refused("POST", "/v1/rollouts/web-v2-1:resume"), 409, "illegal_step", "")


async def test_a_second_rollout_of_a_service_is_a_conflict(web: httpx.AsyncClient, refused: Refusals) -> None:
    await web.post("/v1/rollouts", json={"service": "web", "version": "v2"})
    _is(await refused("POST", "/v1/rollouts", {"service": "web", "version": "v2"}), 409, "rollout_active", "")


async def test_deleting_what_does_not_exist_is_not_found(refused: Refusals) -> None:
    for path in ("instances/x", "services/x", "routes/web.x", "gateways/x", "rollouts/x"):
        assert (await refused("DELETE", f"/v1/{path}"))["code"] == "not_found"


async def test_a_service_with_instances_is_not_deleted(refused: Refusals) -> None:
    _is(await refused("DELETE", "/v1/services/web"), 409, "in_use", "")


# -- instances ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [0, 70_000, -1, 65_536])
async def test_a_port_outside_1_to_65535_is_refused(refused: Refusals, port: int) -> None:
    _is(await refused("PUT", "/v1/instances/a", {**INSTANCE, "port": port}), 422, "invalid_input", "/port")
    listeners = {"listeners": [{"port": port}]}
    _is(await refused("PUT", "/v1/gateways/edge", listeners), 422, "invalid_input", "/listeners/0/port")
    _is(await refused("PUT", "/v1/services/web", {"upstream_port": port}), 422, "invalid_input", "/upstream_port")


async def test_r4_a_known_id_with_another_identity_is_refused(refused: Refusals) -> None:
    problem = await refused("PUT", "/v1/instances/web-10-0-0-7-8080", {**INSTANCE, "service": "shop"})
    _is(problem, 403, "identity", "/id")


async def test_r3_an_older_incarnation_is_refused(web: httpx.AsyncClient, refused: Refusals) -> None:
    """M32: replay-proof by epoch and sequence."""
    await web.put("/v1/instances/a", json={**INSTANCE, "epoch": 9, "seq": 3})
    _is(await refused("PUT", "/v1/instances/a", {**INSTANCE, "epoch": 8, "seq": 9}), 409, "stale_epoch", "/epoch")
    problem = await refused("PUT", "/v1/instances/a", {**INSTANCE, "epoch": 9, "seq": 2})
    assert (problem["status"], problem["code"]) == (409, "stale_epoch")


@pytest.mark.parametrize("address", ["example.com", "10.0.0", "0.0.0.0", "::", "224.0.0.1", "", "10.0.0.7:80"])
async def test_an_address_that_no_host_has_is_refused(refused: Refusals, address: str) -> None:
    assert (await refused("PUT", "/v1/instances/a", {**INSTANCE, "address": address}))["pointer"] == "/address"


async def test_r6_a_megabyte_of_labels_is_refused(refused: Refusals) -> None:
    labels = {f"k{at}": "x" * 4000 for at in range(262)}
    assert len(json.dumps(labels)) > 1 << 20
    problem = await refused("PUT", "/v1/instances/a", {**INSTANCE, "labels": labels})
    _is(problem, 413, "too_large", "")
    fewer = dict(list(labels.items())[:200])
    _is(await refused("PUT", "/v1/instances/a", {**INSTANCE, "labels": fewer}), 422, "invalid_input", "/labels")


@pytest.mark.parametrize(
    ("labels", "pointer"),
    [
        ({"bad key": "x"}, "/labels/bad key"),
        ({"k": "a\x00b"}, "/labels/k"),
        ({"k": "x" * 5000}, "/labels/k"),
        ({"": "x"}, "/labels/"),
    ],
)
async def test_a_bad_label_is_pointed_at(refused: Refusals, labels: dict[str, str], pointer: str) -> None:
    assert (await refused("PUT", "/v1/instances/a", {**INSTANCE, "labels": labels}))["pointer"] == pointer


async def test_path_and_document_must_agree(refused: Refusals) -> None:
    _is(await refused("PUT", "/v1/instances/a", {**INSTANCE, "id": "b"}), 422, "invalid_input", "/id")
    _is(await refused("PUT", "/v1/services/web", {"name": "shop"}), 422, "invalid_input", "/name")
    _is(await refused("PUT", "/v1/services/web?env=a", {"env": "b"}), 422, "invalid_input", "/env")
    _is(await refused("PUT", "/v1/routes/web.a", {"service": "web", "name": "b"}), 422, "invalid_input", "/name")
    _is(await refused("PUT", "/v1/gateways/a", {"name": "b"}), 422, "invalid_input", "/name")


@pytest.mark.parametrize("name", ["UPPER", "-x", "a b", "x" * 129, "%C3%A4"])
async def test_a_name_outside_the_alphabet_is_refused(refused: Refusals, name: str) -> None:
    assert (await refused("PUT", f"/v1/instances/{name}", INSTANCE))["pointer"] == "/id"
    assert (await refused("PUT", f"/v1/services/{name}", {}))["pointer"] == "/name"
    assert (await refused("PUT", f"/v1/gateways/{name}", {}))["pointer"] == "/name"


# -- documents ------------------------------------------------------------------------------------------------------


async def test_a5_broken_json_is_refused_with_line_and_column(refused: Refusals) -> None:
    problem = await refused("PUT", "/v1/instances/a", b'{"service": "web",\n "port": }')
    _is(problem, 400, "broken_json", "")
    assert "line 2, column 10" in str(problem["detail"])


async def test_a5_a_key_that_stands_twice_is_refused(refused: Refusals) -> None:
    body = b'{"service": "web", "address": "10.0.0.9", "port": 1, "port": 2}'
    _is(await refused("PUT", "/v1/instances/a", body), 400, "duplicate_key", "/port")


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"true"])
async def test_a_body_that_is_no_object_is_refused(refused: Refusals, body: bytes) -> None:
    for path in ("instances/a", "services/web", "routes/web.api", "gateways/edge"):
        _is(await refused("PUT", f"/v1/{path}", body), 422, "invalid_input", "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", "8080"),
        ("port", True),
        ("weight", "100"),
        ("weight", 1.5),
        ("labels", []),
        ("service", 1),
        ("ttl", "soon"),
    ],
)
async def test_a5_a_value_of_another_type_is_not_bent_into_shape(refused: Refusals, field: str, value: object) -> None:
    _is(await refused("PUT", "/v1/instances/a", {**INSTANCE, field: value}), 422, "invalid_input", f"/{field}")


async def test_an_unknown_field_is_refused_with_the_one_that_was_meant(refused: Refusals) -> None:
    problem = await refused("PUT", "/v1/routes/web.api", {"service": "web", "prioritty": 3})
    _is(problem, 422, "invalid_input", "/prioritty")
    assert "'priority'" in str(problem["detail"])


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", "(a|b){900}", "[a-z0-9-]{1,63}"])
async def test_c2_an_expression_that_envoy_would_refuse_is_refused_here(refused: Refusals, pattern: str) -> None:
    route = {"service": "web", "path": {"regex": pattern}}
    _is(await refused("PUT", "/v1/routes/web.api", route), 422, "regex", "/path/regex")
    route = {"service": "web", "headers": {"x-a": {"regex": pattern}}}
    _is(await refused("PUT", "/v1/routes/web.api", route), 422, "regex", "/headers/x-a/regex")


async def test_a_bad_match_is_pointed_at_by_its_name(refused: Refusals) -> None:
    route = {"service": "web", "headers": {"x-ok": "1", "bad name": "1"}}
    assert (await refused("PUT", "/v1/routes/web.api", route))["pointer"] == "/headers/bad name"


async def test_a_plan_is_pointed_into(refused: Refusals) -> None:
    plan = [{"weight": 5}, {"weight": 50, "pause": "soon"}]
    rollout = {"service": "web", "version": "v2", "plan": plan}
    _is(await refused("POST", "/v1/rollouts", rollout), 422, "invalid_input", "/plan/1/pause")
    rollout = {"service": "web", "version": "v2", "plan": [{"weight": 5}, {"weight": 0.001}]}
    _is(await refused("POST", "/v1/rollouts", rollout), 422, "invalid_input", "/plan/1/weight")
    rollout = {"service": "web", "version": "v2", "plan": [{"weight": 5, "pause": "30d"}]}
    _is(await refused("POST", "/v1/rollouts", rollout), 422, "invalid_input", "/plan/0/pause")


async def test_parameters_are_checked_too(web: httpx.AsyncClient) -> None:
    for query in ("limit=0", "limit=many", "limit=5001", "after=" + "x" * 301):
        answer = await web.get(f"/v1/instances?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter")
    assert (await web.get("/v1/services?env=NOT")).status_code == 422
    assert (await web.get("/v1/bootstrap?rolle=gateway")).status_code == 422
    assert (await web.get("/v1/bootstrap?role=gateway")).json()["pointer"] == "/gateway"


@pytest.mark.parametrize(
    ("path", "body", "pointer", "words"),
    [
        ("instances/a", {"service": "web", "address": "10.0.0.9"}, "", "a port, or named ports"),
        ("instances/a", {**INSTANCE, "ports": {"http": 80}}, "", "not both"),
        ("instances/a", {"service": "web", "address": "10.0.0.9", "ports": {}}, "/ports", "at least one port"),
        ("services/web", {"split_key": {"header": "a", "cookie": "b"}}, "/split_key", "not both"),
        ("services/web", {"split_key": {"header": "a b"}}, "/split_key", "not the name of a header"),
        ("services/web", {"split_key": "user"}, "/split_key", "not an object"),
        ("services/web", {"protocol": "htp"}, "/protocol", "'http'"),
        ("services/web", {"stable": "V1"}, "/stable", "version"),
        ("routes/web.api", {"service": "web", "headers": {"x-a": {}}}, "/headers/x-a", "one of exact, prefix"),
        ("routes/web.api", {"service": "web", "path": "no-slash"}, "/path", "begin with '/'"),
        ("routes/web.api", {"service": "web", "split": []}, "/split", "at least 1"),
        ("gateways/edge", {"listeners": [{"port": 80, "address": "here"}]}, "/listeners/0/address", "IPv4 or IPv6"),
        ("gateways/edge", {"listeners": [{"port": 80}, {"port": 80, "name": "b"}]}, "/listeners/1", "share"),
    ],
)
async def test_a_contradiction_is_explained(
    refused: Refusals, path: str, body: dict[str, object], pointer: str, words: str
) -> None:
    problem = await refused("PUT", f"/v1/{path}", body)
    assert (problem["status"], problem["pointer"]) == (422, pointer), problem
    assert words in str(problem["detail"])


async def test_a_store_that_fails_refuses_the_write_and_serves_the_rest(
    web: httpx.AsyncClient, plane: ControlPlane, tmp_path: Path
) -> None:
    """Reliability rule 10: reads from memory, writes refused with 503."""
    revision = plane.intent.revision
    with sqlite3.connect(tmp_path / "fairlead.db") as other:
        other.execute("DROP TABLE journal")
    other.close()
    answer = await web.put("/v1/gateways/edge", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "store")
    assert answer.headers["retry-after"] == "1"
    assert (await web.get("/v1/services/web")).status_code == 200
    assert (await web.get("/v1/gateways/edge")).status_code == 404
    assert plane.intent.revision == revision
