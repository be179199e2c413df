"""Pydantic's findings in our words."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from xds.api.problem_document import SeveralErrors
from xds.api.schemas.instance import InstanceIn
from xds.api.schemas.rollout import RolloutIn
from xds.api.schemas.route import RouteIn
from xds.api.schemas.service import ServiceIn
from xds.api.validation import explain

_INSTANCE = {"service": "web", "address": "10.0.0.7", "port": 80}


def _errors(schema: type, document: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(schema).validate_python(document)
    found = explain(caught.value.errors(), schema)
    assert isinstance(found, SeveralErrors)
    return dict(found.errors)


@pytest.mark.parametrize("port", ["8080", True, 80.5, None, [80]])
def test_a_port_is_a_whole_number_and_nothing_that_looks_like_one(port: object) -> None:
    assert _errors(InstanceIn, {"service": "web", "address": "10.0.0.7", "ports": {"http": port}}).keys() == {
        "/ports/http"
    }


@pytest.mark.parametrize("weight", ["5", True, None, {}])
def test_a_weight_is_a_number_and_nothing_that_looks_like_one(weight: object) -> None:
    document = {"split": [{"subset": "v1", "weight": 95}, {"subset": "v2", "weight": weight}]}
    assert _errors(ServiceIn, document).keys() == {"/split/1/weight"}


def test_an_unknown_field_is_answered_with_the_nearest_known_one() -> None:
    assert _errors(InstanceIn, {**_INSTANCE, "verison": "v1"})["/verison"].endswith("did you mean 'version'?")
    plan = {"service": "web", "version": "v2", "plan": [{"wieght": 5, "weight": 5}]}
    assert _errors(RolloutIn, plan)["/plan/0/wieght"].endswith("did you mean 'weight'?")


def test_a_field_of_ours_that_is_sent_back_is_named_as_such() -> None:
    assert "leave it out" in _errors(InstanceIn, {**_INSTANCE, "revision": 4})["/revision"]


def test_every_wrong_field_is_told_at_once() -> None:
    found = _errors(InstanceIn, {"port": 70_000, "weight": -1})
    assert found == {
        "/service": "service is required",
        "/address": "address is required",
        "/port": "70000 is more than 65535",
        "/weight": "-1 is less than 0",
    }


def test_a_key_with_a_slash_is_escaped_in_the_pointer() -> None:
    """RFC 6901 section 3."""
    assert _errors(InstanceIn, {**_INSTANCE, "labels": {"a/b~c": 1}}).keys() == {"/labels/a~1b~0c"}


def test_a_path_match_has_exactly_one_kind() -> None:
    assert "one of prefix, exact and regex" in _errors(RouteIn, {"service": "web", "path": {}})["/path"]
    both = {"service": "web", "path": {"prefix": "/", "exact": "/"}}
    assert "one of prefix, exact and regex" in _errors(RouteIn, both)["/path"]


def test_control_characters_do_not_reach_envoys_configuration() -> None:
    assert "control character" in _errors(RouteIn, {"service": "web", "path": "/a\nb"})["/path/prefix"]


def test_a_hostile_document_is_answered_briefly() -> None:
    found = _errors(InstanceIn, {**_INSTANCE, "labels": {str(at): at for at in range(10_000)}})
    assert len(found) == 50
