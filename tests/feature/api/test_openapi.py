"""The OpenAPI page tells the truth: summaries, examples that work, errors (and needs nothing from anywhere)."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from tests.feature.api.running import telemetry_of
from xds.api.app import create_app
from xds.api.schemas import (
    agent,
    apply,
    base,
    gateway,
    instance,
    labels,
    node,
    report,
    rollout,
    route,
    service,
    traffic,
    weights,
)
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane

MODULES = (agent, apply, base, gateway, instance, labels, node, report, rollout, route, service, traffic, weights)
MODELS = {
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, base.Input | base.Output) and value.__module__ == module.__name__
}


@pytest.fixture
def document(plane: ControlPlane) -> dict[str, Any]:
    return create_app(plane, ApiSettings(), telemetry_of(plane)).openapi()


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(verb, path, found) for path, verbs in document["paths"].items() for verb, found in verbs.items()]


def _example(content: dict[str, Any], document: dict[str, Any]) -> object:
    if "example" in content:
        return content["example"]
    schema = content["schema"]
    choices = [schema, *schema.get("anyOf", [])]
    names = [choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice]
    return next(iter(document["components"]["schemas"][names[0]].get("examples", [])), None) if names else None


def test_every_route_has_a_summary_a_description_and_its_errors(document: dict[str, Any]) -> None:
    for verb, path, operation in _operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        errors = {int(status) for status in operation["responses"] if not status.startswith("2")}
        assert 500 in errors, path
        if path not in {"/healthz", "/readyz"}:
            assert {401, 403, 422} <= errors, path
        if verb in {"put", "post", "delete"}:
            assert {408, 413, 415, 503} <= errors, path
        for status in errors:
            assert operation["responses"][str(status)]["content"].keys() == {"application/problem+json"}, path


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for _, path, operation in _operations(document):
        if "requestBody" in operation:
            assert _example(operation["requestBody"]["content"]["application/json"], document), path
        for status, response in operation["responses"].items():
            if status.startswith("2") and status != "204":
                (content,) = response["content"].values()
                assert _example(content, document), path


@pytest.mark.parametrize("model", sorted(MODELS, key=str), ids=str)
def test_every_example_is_one(model: type[base.Input | base.Output]) -> None:
    extra = model.model_config.get("json_schema_extra")
    for example in (extra or {}).get("examples", []) if isinstance(extra, dict | None) else []:  # type: ignore[union-attr]  # a table here
        TypeAdapter(model).validate_python(example)


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    named = set(re.findall(r"#/components/schemas/([A-Za-z_]+)", str(document)))
    assert named <= document["components"]["schemas"].keys()


async def test_the_page_for_people_needs_nothing_from_anywhere(
    api: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    page = await api.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert not re.findall(r"<(?:script|link|img)|src=|url\(|https?://(?!127\.0\.0\.1)", page.text)
    for _, path, operation in _operations(document):
        assert path in page.text
        assert operation["summary"].replace("'", "&#x27;") in page.text


async def test_examples_work_as_they_stand(web: httpx.AsyncClient, document: dict[str, Any]) -> None:
    paths = {
        "post /v1/instances": "/v1/instances",
        "post /v1/instances:batch": "/v1/instances:batch",
        "put /v1/services/{name}": "/v1/services/web",
        "put /v1/routes/{name}": "/v1/routes/web.api",
        "put /v1/gateways/{name}": "/v1/gateways/edge",
        "post /v1/apply": "/v1/apply",
        "post /v1/rollouts": "/v1/rollouts",
        "post /v1/rollouts/{rollout_id}:set-weight": "/v1/rollouts/web-v2-1:set-weight",
    }
    for name, path in paths.items():
        verb, template = name.split(" ")
        body = _example(document["paths"][template][verb]["requestBody"]["content"]["application/json"], document)
        answer = await web.request(verb, path, json=body)
        assert answer.status_code in {200, 201}, answer.text
        assert answer.json().get("failed", 0) == 0
